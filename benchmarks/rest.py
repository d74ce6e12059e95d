"""
What watching many clusters costs while nothing happens: time to ready, memory, connections, CPU; and what one more cluster costs.

Rules:
1. The member clusters are those of `fleet`. mcsdns is on core 0, the member clusters and what asks are on core 1.
2. Each number of clusters is started on both planes, one after the other (`start` says what is watched of a start), and then both
   are left alone together, side by side: neither does anything, so neither is in the other's way.
3. CPU is that of the process, on its clock, all threads. Memory is read at the end of the rest.
"""

import contextlib
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final, NamedTuple

from tests.servers.run import rss_bytes

from .clusterset import Question
from .fleet import Fleet
from .report import say
from .servers import Mcsdns, cpu_clock, settle
from .start import Start, watch_start

HEAD: Final = (
    "clusters",
    "plane",
    "ready s",
    "every name right s",
    "CPU s of the start",
    "false of answers",
    "MB at rest",
    "MB peak",
    "connections",
    "CPU ms a minute",
)
SLOPE: Final = ("plane", "from–to clusters", "ready ms a cluster", "MB a cluster", "connections", "CPU ms a minute")
_ESTABLISHED: Final = "01"
_LIMIT_S: Final = 120.0


class Rest(NamedTuple):
    """What was seen of one process."""

    start: Start
    rss: int
    connections: int
    cpu_s: float
    """In a minute."""


def rest_tables(
    fleet: Fleet, counts: Sequence[int], planes: Sequence[str], seconds: float, folder: Path
) -> tuple[list[list[str]], list[list[str]]]:
    """
    Measure.

    Args:
        fleet: It runs, and has as many clusters as the largest count.
        counts: How many of its clusters are watched; rising.
        planes: Of mcsdns.
        seconds: How long nothing happens.
        folder: Where files go.

    Returns:
        Rows under `HEAD` and rows under `SLOPE`.
    """
    found: dict[tuple[int, str], Rest] = {}
    for count in counts:
        for plane, rest in _rests(fleet, count, planes, seconds, folder).items():
            found[count, plane] = rest
            say(f"{count} clusters, {plane}: {rest}")
    rows = [[str(count), plane, *_row(rest)] for (count, plane), rest in found.items()]
    return rows, [_slope(plane, counts[0], counts[-1], found) for plane in planes if len(counts) > 1]


def _rests(fleet: Fleet, count: int, planes: Sequence[str], seconds: float, folder: Path) -> dict[str, Rest]:
    with contextlib.ExitStack() as stack:
        servers, starts = {}, {}
        for plane in planes:
            server = Mcsdns(fleet.sources[:count], folder / f"{plane}-{count}", {0}, waits=False, plane=plane)
            stack.callback(server.stop)
            starts[plane] = _started(server, fleet.questions(count))
            servers[plane] = server
        for server in servers.values():
            settle(server.pid)
        before = {plane: cpu_clock(server.pid) for plane, server in servers.items()}
        time.sleep(seconds)
        spent = {plane: (cpu_clock(server.pid) - before[plane]) * 60 / seconds for plane, server in servers.items()}
        return {
            plane: Rest(starts[plane], rss_bytes(server.pid), connections(server.pid), spent[plane])
            for plane, server in servers.items()
        }


def _started(server: Mcsdns, questions: Sequence[Question]) -> Start:
    return watch_start(server, server.port, questions, server.admin_port, _LIMIT_S)


def connections(pid: int) -> int:
    """Count the TCP connections of a process that are established (proc(5), /proc/net/tcp)."""
    mine = set()
    for descriptor in Path(f"/proc/{pid}/fd").iterdir():
        with contextlib.suppress(OSError):
            mine.add(str(descriptor.readlink()))
    lines = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    return sum(line[3] == _ESTABLISHED and f"socket:[{line[9]}]" in mine for line in lines)


def _row(rest: Rest) -> list[str]:
    start = rest.start
    return [
        "–" if start.ready_s is None else f"{start.ready_s:.2f}",
        f"{start.all_right_s:.2f}",
        f"{start.cpu_s:.2f}",
        f"{start.false} of {start.answers:,}",
        f"{rest.rss / 1e6:.0f}",
        f"{start.peak / 1e6:.0f}",
        str(rest.connections),
        f"{rest.cpu_s * 1e3:.0f}",
    ]


def _slope(plane: str, first: int, last: int, found: Mapping[tuple[int, str], Rest]) -> list[str]:
    """Tell what each cluster between two numbers of them costs."""
    less, more = found[first, plane], found[last, plane]
    between = last - first
    ready_s = ((more.start.ready_s or 0.0) - (less.start.ready_s or 0.0)) / between
    return [
        plane,
        f"{first}–{last}",
        f"{ready_s * 1e3:.0f}",
        f"{(more.rss - less.rss) / between / 1e6:.1f}",
        f"{(more.connections - less.connections) / between:.1f}",
        f"{(more.cpu_s - less.cpu_s) / between * 1e3:.1f}",
    ]
