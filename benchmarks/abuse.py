"""
`python -m benchmarks.abuse`: what honest clients notice while others flood, drip, idle and never read.

Rules:
1. The servers serve the same names, as in `queries`, pinned to core 0. One after the other is asked and abused, from core 1.
2. Junk: `rust/examples/flood.rs` sends it at a rate; dnsperf asks good queries at a fixed rate beside it, which counts what is lost.
3. Connections: idle ones, dripping ones (an octet a second of a message that is never whole) and some that ask and never read;
   then a flood of connections from one address. Meanwhile an honest client asks (`crowd`).
4. Memory and descriptors are those of the process before, and some seconds after the last connection is gone.
"""

import argparse
import contextlib
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from tests.servers.run import rss_bytes

from .crowd import QUERY, Honest, connections, push
from .dnsperf import CLIENT_CORE, run
from .queries import SERVERS, start
from .report import facts, say, table

_BUILD: Final = ("cargo", "build", "--release", "--quiet", "--example", "flood")
_RUST: Final = Path(__file__).parent.parent / "rust"
_CLIENT: Final = ("taskset", "-c", str(CLIENT_CORE))
_CLOSING_S: Final = 3.0
_HONEST: Final = ("UDP p50 / p99 ms", "TCP p50 / p99 ms", "TCP refused", "MiB before → after", "descriptors")


def main() -> None:
    """Abuse every server in the same way, and print the tables."""
    options = _options()
    resource.setrlimit(resource.RLIMIT_NOFILE, (20_000, 20_000))
    subprocess.run(_BUILD, cwd=_RUST, check=True)
    with tempfile.TemporaryDirectory(prefix="mcsdns-abuse-") as name, contextlib.ExitStack() as stack:
        servers, questions, _ = start(options.services, options.servers, Path(name), stack)
        print(facts("benchmarks.abuse"))
        junk = [[name, *_under_junk(server, questions, options)] for name, server in servers.items()]
        head = ["junk", "junk/s sent", "good queries/s", "answered", "CPU of the core", "MiB before → after"]
        print(table(head, junk), flush=True)
        held = [[name, *_under_connections(server, options)] for name, server in servers.items()]
        print(table(["connections", "made", *_HONEST], held), flush=True)
        flooded = [[name, *_under_flood(server, options)] for name, server in servers.items()]
        print(table(["flood from one address", "connections/s", *_HONEST], flooded), flush=True)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.abuse", description=main.__doc__)
    parser.add_argument("--services", type=int, default=1000)
    parser.add_argument("--servers", nargs="+", choices=SERVERS, default=SERVERS)
    parser.add_argument("--junk", type=int, default=200_000, help="packets/s")
    parser.add_argument("--good", type=int, default=20_000, help="queries/s")
    parser.add_argument("--seconds", type=int, default=8)
    parser.add_argument("--idle", type=int, default=5000)
    parser.add_argument("--dripping", type=int, default=1000)
    parser.add_argument("--never-reading", type=int, default=500)
    return parser.parse_args()


def _under_junk(server: Any, questions: Path, options: argparse.Namespace) -> list[str]:
    say(f"junk to port {server.port}")
    memory = _mib(server)
    command = [*_CLIENT, str(_RUST / "target" / "release" / "examples" / "flood")]
    command += [f"127.0.0.1:{server.port}", str(options.junk), str(options.seconds + 2)]
    before, began = server.cpu_seconds(), time.monotonic()
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as junk:
        time.sleep(1)
        good = run(server, server.port, questions, "UDP", options.seconds, options.good)
        sent, _ = junk.communicate()
    busy = (server.cpu_seconds() - before) / (time.monotonic() - began)
    share = good.queries / max(1, good.queries + good.lost)
    rate = f"{int(sent) / (options.seconds + 2):,.0f}"
    return [rate, f"{good.per_second:,.0f}", f"{share:.2%}", f"{busy:.0%}", f"{memory} → {_mib(server)}"]


def _under_connections(server: Any, options: argparse.Namespace) -> list[str]:
    say(f"connecting to port {server.port}")
    before, honest = _held(server), Honest(server.port)
    with contextlib.ExitStack() as stack:
        made = list(connections(server.port, options.idle + options.dripping + options.never_reading, stack))
        # The last ones are those that are not evicted.
        dripping = made[-options.dripping - options.never_reading : -options.never_reading]
        hogs = made[-options.never_reading :]
        until = time.monotonic() + options.seconds
        next_drip = 0.0
        while time.monotonic() < until:
            if time.monotonic() >= next_drip:
                next_drip = time.monotonic() + 1
                for one in dripping:
                    push(one, b"\x00")
                for one in hogs:
                    push(one, QUERY * 200)
            honest.ask()
    return [str(len(made)), *honest.figures(), *_kept(server, before)]


def _under_flood(server: Any, options: argparse.Namespace) -> list[str]:
    say(f"flooding port {server.port} with connections")
    before, honest = _held(server), Honest(server.port)
    command = [*_CLIENT, sys.executable, "-m", "benchmarks.crowd", str(server.port), str(options.seconds)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as crowd:
        time.sleep(0.5)
        while crowd.poll() is None:
            honest.ask()
        made, _ = crowd.communicate()
    return [f"{int(made) / options.seconds:,.0f}", *honest.figures(), *_kept(server, before)]


def _held(server: Any) -> tuple[str, int]:
    """Give what a server holds: MiB of memory, and descriptors."""
    return _mib(server), len(list(Path(f"/proc/{server.pid}/fd").iterdir()))


def _kept(server: Any, before: Sequence[object]) -> list[str]:
    """Compare, when what is closed has gone."""
    time.sleep(_CLOSING_S)
    return [f"{then} → {now}" for then, now in zip(before, _held(server), strict=True)]


def _mib(server: Any) -> str:
    return f"{rss_bytes(server.pid) / 2**20:.0f}"


if __name__ == "__main__":
    main()
