"""
Every member cluster lists everything again, all at once: how long the event loop is held, and what queries notice.

Rules:
1. The member clusters are those of `fleet`; at one moment all of their watches get 410. What they list then is the same as before, or
   every address in it is another.
2. mcsdns is on core 0, the member clusters and what asks are on core 1, what asks ahead of the others.
3. It is over when every cluster has been listed and is watched again, and the server has come to rest.
4. What is felt meanwhile is compared with what is felt while nothing happens, in the same process. CPU is without what
   feeling takes.

Not here: how it is felt (`pulse`).
"""

import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final, NamedTuple

from .clusterset import Question
from .fleet import Fleet
from .pulse import Pulse, feel
from .report import say
from .servers import Mcsdns, cpu_clock, peak_bytes, settle

HEAD: Final = (
    "services",
    "plane",
    "what comes",
    "took s",
    "CPU s",
    "loop held ms",
    "times over 50 ms",
    "query p50 ms",
    "p99 ms",
    "longest ms",
    "lost",
    "MB peak",
)
KINDS: Final = 4
"""Resources that are watched in each cluster."""
_HELD_S: Final = 0.05
_LIMIT_S: Final = 120.0
_FELT_S: Final = 0.03
"""CPU time that a tenth of a second takes when nothing happens, at most, while a server's pulse is felt."""


class Storm(NamedTuple):
    """What was felt, how long it took and what CPU it cost, in seconds."""

    pulse: Pulse
    took_s: float
    cpu_s: float


def relist_rows(
    fleet: Fleet, shape: str, questions: Sequence[Question], planes: Sequence[str], idle_s: float, folder: Path
) -> list[list[str]]:
    """
    Measure.

    Args:
        fleet: It runs.
        shape: What to call its services in the table.
        questions: What is asked.
        planes: Of mcsdns.
        idle_s: How long it is felt while nothing happens.
        folder: Where files go.

    Returns:
        Rows under `HEAD`.
    """
    rows: list[list[str]] = []
    for plane in planes:
        with Mcsdns(fleet.sources, folder / plane, {0}, plane=plane) as server:
            settle(server.pid)
            until = time.monotonic() + idle_s
            idle = _felt(server, questions, threading.Thread(target=_sleep_until, args=(until,)))
            rows.append([shape, plane, "nothing", *_row(idle, server, 0.0)])
            for what, name in (("forget", "the same"), ("change", "other addresses")):
                settle(server.pid)
                storm = _felt(server, questions, threading.Thread(target=_storm, args=(fleet, what, server.pid)))
                rows.append([shape, plane, name, *_row(storm, server, idle.cpu_s / idle.took_s)])
                say(" | ".join(rows[-1]))
    return rows


def _felt(server: Mcsdns, questions: Sequence[Question], meanwhile: threading.Thread) -> Storm:
    """Feel a server's pulse for as long as something else goes on."""
    began, before = time.monotonic(), cpu_clock(server.pid)
    meanwhile.start()
    pulse = feel(server.port, server.admin_port, questions, lambda: not meanwhile.is_alive())
    return Storm(pulse, time.monotonic() - began, cpu_clock(server.pid) - before)


def _sleep_until(until: float) -> None:
    time.sleep(max(0.0, until - time.monotonic()))


def _storm(fleet: Fleet, what: str, pid: int) -> None:
    """Let all watches fail, and wait until everything has been listed and the server has come to rest."""
    before = fleet.tell(what)
    deadline = time.monotonic() + _LIMIT_S
    lists = before["list endpointslices"] + fleet.clusters * fleet.pages
    while time.monotonic() < deadline:
        time.sleep(0.1)
        now = fleet.tell("count")
        if now["list endpointslices"] >= lists and now["watching"] >= fleet.clusters * KINDS:
            break
    else:
        say(f"after {_LIMIT_S:g} s not every cluster is watched again: {now}")
    spent = 1.0
    while spent > _FELT_S and time.monotonic() < deadline:
        at = cpu_clock(pid)
        time.sleep(0.1)
        spent = cpu_clock(pid) - at


def _row(storm: Storm, server: Mcsdns, idle: float) -> list[str]:
    pulse = storm.pulse
    return [
        f"{storm.took_s:.1f}",
        f"{storm.cpu_s - storm.took_s * idle:.2f}",
        f"{pulse.held * 1e3:.1f}",
        str(pulse.holds(_HELD_S)),
        f"{pulse.at(50) * 1e3:.2f}",
        f"{pulse.at(99) * 1e3:.2f}",
        f"{max(pulse.waits) * 1e3:.1f}",
        str(pulse.lost),
        f"{peak_bytes(server.pid) / 1e6:.0f}",
    ]
