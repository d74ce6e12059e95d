"""
From the acknowledgement of a change to its answer, at steady rates, of servers that stand on the same API server.

Rules:
1. Only one of the servers runs at a time, in turns. None is pinned: the API server, the server that is measured and what asks it
   share the cores, as they do where they run.
2. A row is made of medians over the rounds.

Not here: one change (`changes`), the writer (`writes`).
"""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from statistics import median
from typing import Final

from tests.servers.run import Cluster

from .changes import Latencies, latencies
from .clusterset import Service
from .report import say
from .servers import Mcsdns, Multicluster, settle
from .writes import Plan

TARGETS: Final = 64
"""Headless services that are changed, in turns."""
HEAD: Final = (
    "changes/s",
    "server",
    "p50 ms",
    "p99 ms",
    "p99 of each round",
    "known to ms",
    "made/s",
    "write p50 ms",
    "lost",
)

Make = Callable[[bool], Mcsdns | Multicluster]
"""Makes a server; its `start` waits until it serves, or not."""


def peers(cluster: Cluster, folder: Path, planes: Sequence[str]) -> dict[str, Make]:
    """
    Return what makes each server on one API server: mcsdns with each of the planes, and CoreDNS.

    Args:
        cluster: The API server.
        folder: Where their files go.
        planes: Of mcsdns. Its name stands without one where it is the only one.
    """
    kubeconfig = cluster.kubeconfig()

    def mcsdns(plane: str) -> Make:
        return lambda waits: Mcsdns([{"kubeconfig": {"path": str(kubeconfig)}}], folder, waits=waits, plane=plane)

    makes: dict[str, Make] = {f"mcsdns, {plane}" if len(planes) > 1 else "mcsdns": mcsdns(plane) for plane in planes}
    return makes | {"CoreDNS": lambda waits: Multicluster(kubeconfig, folder, waits=waits)}


class Plans:
    """
    Plans changes at one API server, of numbers that were never used, so that no answer of before is taken for right.

    Args:
        cluster: The API server.
    """

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self._written = 0

    def next(self, changes: int, rate: float) -> Plan:
        """Plan so many changes, so many a second."""
        targets = [Service(number) for number in range(0, TARGETS * 5, 5)]
        first = self._written + 1
        self._written += changes + TARGETS
        cluster = self._cluster
        return Plan(cluster.url, cluster.ca_path, cluster.admin_token, targets, first, changes, rate)


def rate_rows(
    makes: Mapping[str, Make], plans: Plans, rates: Sequence[int], rounds: int, seconds: float
) -> list[list[str]]:
    """
    Measure each server at each rate.

    Args:
        makes: The servers.
        plans: Of their API server.
        rates: Changes a second.
        rounds: How often each server is started for each rate.
        seconds: How long changes come.

    Returns:
        Rows under `HEAD`.
    """
    rows: list[list[str]] = []
    for rate in rates:
        found: dict[str, list[Latencies]] = {name: [] for name in makes}
        for _ in range(rounds):
            for name, make in makes.items():
                with make(True) as server:
                    settle(server.pid)
                    found[name].append(latencies(server.port, plans.next(int(rate * seconds), rate)))
                say(f"{rate}/s, {name}: p50 {found[name][-1].at(50) * 1e3:.2f}, p99 {found[name][-1].at(99) * 1e3:.2f}")
        rows += [[str(rate), name, *_row(seen)] for name, seen in found.items()]
    return rows


def _row(rounds: Sequence[Latencies]) -> list[str]:
    made, took = [len(one.made.took_s) / one.made.seconds for one in rounds], [t for r in rounds for t in r.made.took_s]
    return [
        f"{median(one.at(50) for one in rounds) * 1e3:.2f}",
        f"{median(one.at(99) for one in rounds) * 1e3:.2f}",
        ", ".join(f"{one.at(99) * 1e3:.1f}" for one in rounds),
        f"{median(one.resolution for one in rounds) * 1e3:.2f}",
        f"{median(made):.0f}",
        f"{median(took) * 1e3:.1f}",
        str(sum(one.lost for one in rounds)),
    ]
