"""
`python -m benchmarks.abuse`: what honest clients notice while others flood, drip, idle and never read.

Rules:
1. The servers serve the same zone, one after the other, pinned to core 0; what asks and what abuses them is on core 1.
2. Junk: `rust/examples/flood.rs` sends it at a rate; dnsperf asks good queries at a fixed rate beside it, which counts what is lost.
3. Connections: idle ones, dripping ones (an octet a second of a message that is never whole) and some that ask and never read,
   from as many addresses of 127.0.0.0/8 as the limit for one address demands. Meanwhile one honest client asks over UDP and, on new
   connections, over TCP.
4. Memory and descriptors are those of the process when it is over.
"""

import argparse
import contextlib
import resource
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from statistics import quantiles
from typing import Any, Final

from tests.servers.run import Knot, Nsd

from .clusterset import ZONE, mix, services
from .dnsperf import CLIENT_CORE, run
from .files import export, write_manifests, write_questions
from .report import facts, say, table
from .servers import Mcsdns, peak_bytes

_FLOOD: Final = ("cargo", "build", "--release", "--quiet", "--example", "flood")
_RUST: Final = Path(__file__).parent.parent / "rust"
_PER_ADDRESS: Final = 400
"""Connections from one address: below the limit of mcsdns, 512."""
_PATIENCE: Final = 10
"""Connections that may fail or wait for a second before no more are tried: the server's table is full, and stays so."""
_NAME: Final = b"".join(bytes((len(label),)) + label.encode() for label in ZONE.split(".")) + b"\x00"
_MESSAGE: Final = b"\x12\x34\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00" + _NAME + b"\x00\x06\x00\x01"
_QUERY: Final = len(_MESSAGE).to_bytes(2, "big") + _MESSAGE
"""The SOA of the zone, framed for TCP."""


def main() -> None:
    """Abuse every server in the same way, and print the tables."""
    options = _options()
    resource.setrlimit(resource.RLIMIT_NOFILE, (20_000, 20_000))
    subprocess.run(_FLOOD, cwd=_RUST, check=True)
    with tempfile.TemporaryDirectory(prefix="mcsdns-abuse-") as name, contextlib.ExitStack() as stack:
        folder = Path(name)
        write_manifests(services(1000), folder / "manifests", "json")
        questions, master = folder / "questions", folder / "zone"
        write_questions(mix(1000), questions)
        mcsdns = Mcsdns([{"manifests": str(folder / "manifests")}], folder / "mcsdns", {0})
        export(mcsdns.write_config(), master)
        servers: dict[str, Any] = {
            "mcsdns": mcsdns,
            "NSD": Nsd({ZONE: master}, folder / "nsd", {0}),
            "Knot": Knot({ZONE: master}, folder / "knot", {0}),
        }
        for server in servers.values():
            stack.enter_context(server)
        print(facts("benchmarks.abuse"))
        junk = [[name, *_under_junk(server, questions, options)] for name, server in servers.items()]
        print(table(["junk", "junk/s sent", "good queries/s", "answered", "CPU of the core", "peak MiB"], junk))
        head = [
            "connections",
            "made",
            "UDP p50 / p99 ms",
            "TCP p50 / p99 ms",
            "TCP refused",
            "peak MiB",
            "descriptors after",
        ]
        print(table(head, [[name, *_under_connections(server, options)] for name, server in servers.items()]))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.abuse", description=main.__doc__)
    parser.add_argument("--junk", type=int, default=200_000, help="packets/s")
    parser.add_argument("--good", type=int, default=20_000, help="queries/s")
    parser.add_argument("--seconds", type=int, default=8)
    parser.add_argument("--idle", type=int, default=5000)
    parser.add_argument("--dripping", type=int, default=1000)
    parser.add_argument("--never-reading", type=int, default=500)
    return parser.parse_args()


def _under_junk(server: Any, questions: Path, options: argparse.Namespace) -> list[str]:
    say(f"flooding port {server.port}")
    command = ["taskset", "-c", str(CLIENT_CORE), str(_RUST / "target" / "release" / "examples" / "flood")]
    command += [f"127.0.0.1:{server.port}", str(options.junk), str(options.seconds + 2)]
    before, began = server.cpu_seconds(), time.monotonic()
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as flood:
        time.sleep(1)
        good = run(server, server.port, questions, "UDP", options.seconds, options.good)
        sent, _ = flood.communicate()
    busy = (server.cpu_seconds() - before) / (time.monotonic() - began)
    share = good.queries / max(1, good.queries + good.lost)
    return [
        f"{int(sent) / (options.seconds + 2):,.0f}",
        f"{good.per_second:,.0f}",
        f"{share:.2%}",
        f"{busy:.0%}",
        _mib(server),
    ]


def _under_connections(server: Any, options: argparse.Namespace) -> list[str]:
    say(f"connecting to port {server.port}")
    with contextlib.ExitStack() as stack:
        wanted = options.idle + options.dripping + options.never_reading
        made = list(_connections(server.port, wanted, stack))
        # The last ones are those that are not evicted.
        dripping = made[-options.dripping - options.never_reading : -options.never_reading]
        hogs = made[-options.never_reading :]
        udp, tcp, refused = [], [], 0
        until = time.monotonic() + options.seconds
        next_drip = 0.0
        while time.monotonic() < until:
            if time.monotonic() >= next_drip:
                next_drip = time.monotonic() + 1
                for one in dripping:
                    _push(one, b"\x00")
                for one in hogs:
                    _push(one, _QUERY * 200)
            udp.append(_ask_udp(server.port))
            answered = _ask_tcp(server.port)
            refused += answered is None
            tcp += [answered] if answered is not None else []
    time.sleep(3)
    descriptors = len(list(Path(f"/proc/{server.pid}/fd").iterdir()))
    return [
        str(len(made)),
        _p50_p99(udp),
        _p50_p99(tcp),
        f"{refused} of {refused + len(tcp)}",
        _mib(server),
        str(descriptors),
    ]


def _connections(port: int, wanted: int, stack: contextlib.ExitStack) -> Iterator[socket.socket]:
    """Connect as often as wanted, or until the server has let the tenth of them wait."""
    waited = 0
    for number in range(wanted):
        client = stack.enter_context(socket.socket())
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        client.settimeout(1)
        try:
            client.bind((f"127.0.{1 + number // _PER_ADDRESS}.1", 0))
            client.connect(("127.0.0.1", port))
        except OSError:
            waited += 1
            if waited == _PATIENCE:
                return
            continue
        client.setblocking(False)
        yield client


def _push(client: socket.socket, octets: bytes) -> None:
    with contextlib.suppress(OSError):
        client.send(octets)


def _ask_udp(port: int) -> float:
    began = time.perf_counter()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client, contextlib.suppress(TimeoutError):
        client.settimeout(2)
        client.sendto(_MESSAGE, ("127.0.0.1", port))
        client.recv(512)
    return time.perf_counter() - began


def _ask_tcp(port: int) -> float | None:
    began = time.perf_counter()
    try:
        with socket.create_connection(("127.0.0.1", port), 2) as client:
            client.sendall(_QUERY)
            return time.perf_counter() - began if client.recv(512) else None
    except OSError:
        return None


def _p50_p99(seconds: list[float]) -> str:
    if len(seconds) < 2:
        return "none"
    cut = quantiles(seconds, n=100, method="inclusive")
    return f"{cut[49] * 1000:.2f} / {cut[98] * 1000:.2f}"


def _mib(server: Any) -> str:
    return f"{peak_bytes(server.pid) / 2**20:.0f}"


if __name__ == "__main__":
    main()
