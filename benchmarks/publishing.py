"""
`python -m benchmarks.publishing`: what a publish costs, and what queries notice of changes and of a full re-publish.

Rules:
1. The server (`synthetic`) is on core 0, as in the other tables; what asks is on core 1. Objects come from the server's own process, so
   that no API server shares the cores. The making of single changes is in its CPU time; a list of everything is made beforehand.
2. Questions go out at a fixed rate, whether answers come or not; one without an answer within a second is lost. Each state is
   measured in rounds, one after the other, and a ratio is the median of those within each round.
3. The event loop's longest hold is what a task of its own saw that wakes every millisecond.
"""

import argparse
import json
import random
import select
import socket
import subprocess
import sys
import threading
import time
from statistics import median, quantiles
from typing import Any, Final

from tests.servers.run import free_port

from .asker import query
from .clusterset import services
from .report import facts, say, table
from .servers import kept_awake

_LOST_S: Final = 1.0
_STATES: Final = ("idle", "changes", "republish")


class Child:
    """
    The server, as a process.

    Args:
        count: Services.
        cores: Where it runs, as taskset takes it.
    """

    def __init__(self, count: int, cores: str) -> None:
        self.port = free_port()
        command = ["taskset", "-c", cores, sys.executable, "-m", "benchmarks.synthetic", str(self.port), str(count)]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.first = self._read()

    def tell(self, command: str) -> dict[str, Any]:
        """Let it carry out a command, and return what it says of it."""
        assert self._process.stdin is not None
        print(command, file=self._process.stdin, flush=True)
        return self._read()

    def end(self) -> None:
        """Let it end."""
        assert self._process.stdin is not None
        print("end", file=self._process.stdin, flush=True)
        self._process.wait(30)

    def _read(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        said: dict[str, Any] = json.loads(self._process.stdout.readline())
        return said


class Asked:
    """What the questions of some seconds showed: latencies in seconds, and how many were lost."""

    def __init__(self) -> None:
        self.seconds: list[float] = []
        self.lost = 0

    def at(self, percent: float) -> float:
        """Return a percentile in milliseconds."""
        return quantiles(self.seconds, n=1000, method="inclusive")[round(percent * 10) - 1] * 1000


def ask(port: int, count: int, rate: float, seconds: float, until: threading.Event | None = None) -> Asked:
    """
    Ask for addresses of random services.

    Args:
        port: Where on 127.0.0.1.
        count: Services.
        rate: Questions per second.
        seconds: How long at least.
        until: Go on until this is set.
    """
    draw, found = random.Random(1), Asked()
    owners = [service.owner for service in services(count)]
    asked = [query(number, owners[draw.randrange(count)]) for number in range(0x10000)]
    under_way: dict[bytes, float] = {}
    with socket.socket(type=socket.SOCK_DGRAM) as client, kept_awake({1}):
        client.connect(("127.0.0.1", port))
        client.setblocking(False)
        began, sent = time.perf_counter(), 0
        while (now := time.perf_counter()) - began < seconds or (until is not None and not until.is_set()):
            if now >= began + sent / rate:
                message = asked[sent & 0xFFFF]
                sent += 1
                under_way[message[:2]] = time.perf_counter()
                client.send(message)
            if select.select([client], [], [], 0)[0]:
                at = under_way.pop(client.recv(4096)[:2], None)
                if at is not None:
                    found.seconds.append(time.perf_counter() - at)
        deadline = time.perf_counter() + _LOST_S
        while under_way and (rest := deadline - time.perf_counter()) > 0 and select.select([client], [], [], rest)[0]:
            at = under_way.pop(client.recv(4096)[:2], None)
            found.seconds += [time.perf_counter() - at] if at is not None else []
    found.lost = len(under_way)
    return found


def during(child: Child, command: str, options: argparse.Namespace) -> tuple[Asked, dict[str, Any]]:
    """Ask while the server carries out a command."""
    is_done, said = threading.Event(), {}

    def carry_out() -> None:
        said.update(child.tell(command))
        is_done.set()

    worker = threading.Thread(target=carry_out)
    worker.start()
    found = ask(child.port, options.services, options.questions, 0, is_done)
    worker.join()
    return found, said


def main() -> None:
    """Measure, and print the tables."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.publishing", description=main.__doc__)
    parser.add_argument("--services", type=int, default=50_000)
    parser.add_argument("--seconds", type=float, default=10.0, help="of each state")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--rate", type=float, default=1000.0, help="changes per second")
    parser.add_argument("--questions", type=float, default=2000.0, help="per second")
    parser.add_argument("--cores", default="0", help="of the server, as taskset takes them")
    options = parser.parse_args()
    print(facts("benchmarks.publishing"))
    say(f"starting with {options.services} services")
    child = Child(options.services, options.cores)
    single = [child.tell("publish 20000")["cpu_us"] for _ in range(3)]
    rounds: list[dict[str, tuple[Asked, dict[str, Any]]]] = []
    for number in range(options.rounds):
        say(f"round {number + 1}")
        idle = ask(child.port, options.services, options.questions, options.seconds)
        changes = during(child, f"changes {options.rate} {options.seconds}", options)
        child.tell("prepare")
        rounds.append({"idle": (idle, {}), "changes": changes, "republish": during(child, "republish", options)})
    child.end()
    print(_publishes(options, single, rounds))
    print(_queries(rounds))


def _publishes(options: argparse.Namespace, single: list[float], rounds: list[dict[str, Any]]) -> str:
    each = median(single)
    changes = [found["changes"][1] for found in rounds]
    whole = [found["republish"][1] for found in rounds]
    per_second, busy = (
        median(one["publishes"] for one in changes) / options.seconds,
        median(one["cpu"] for one in changes),
    )
    took, held = (median(one[key] for one in whole) for key in ("build_and_publish_s", "longest_hold_ms"))
    rows = [
        ["one service into the plane", f"{each:.1f} µs of CPU: at 1,000/s {each / 10:.1f} % of a core"],
        [
            f"{options.rate:,.0f} changes/s through mirror, builder and plane",
            f"{per_second:,.0f} publishes/s, {busy:.0%} of a core, the making of the objects included",
        ],
        [
            f"all {options.services:,} services",
            f"{took:.2f} s for building and publishing, event loop held {held:.1f} ms at most",
        ],
    ]
    return table(["publish", "costs"], rows)


def _queries(rounds: list[dict[str, Any]]) -> str:
    rows = []
    for state in _STATES:
        asked: list[Asked] = [found[state][0] for found in rounds]
        idle: list[Asked] = [found["idle"][0] for found in rounds]
        p99 = [one.at(99) for one in asked]
        ratio = median(mine / other.at(99) for mine, other in zip(p99, idle, strict=True))
        lost = f"{sum(one.lost for one in asked)} of {sum(len(one.seconds) + one.lost for one in asked):,}"
        rows.append(
            [
                state,
                f"{median(one.at(50) for one in asked):.3f}",
                f"{median(p99):.3f}",
                f"{ratio:.2f}",
                f"{max(max(one.seconds) for one in asked) * 1000:.1f}",
                lost,
            ]
        )
    return table(["queries during", "p50 ms", "p99 ms", "÷ idle", "longest ms", "lost"], rows)


if __name__ == "__main__":
    main()
