"""
Hours of failure in seconds: how often API servers that fail are asked, and that an outage of all of them changes no answer.

Rules:
1. Time is virtual (`tests/unit/source/kube/virtual_time.py`), the API servers are `scripted`; reflectors, mirrors, builder, zone and
   answers are those of the product.
2. A server fails from its first request on, or after a healthy hour. Requests are counted from then on: those of the busiest
   resource, lists and watches together.
3. In the outage every question is asked before, every five minutes of it, and after it. An answer is compared octet for octet.

Source: the aims are those of the failure table: at most 5 requests of a resource in the first 10 s, 0.25 a second in the long run.
"""

from __future__ import annotations

import asyncio
from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from random import Random
from typing import Final

from mcsdns.builder import Builder
from mcsdns.clusterset.mirror import Mirror
from mcsdns.clusterset.model import View
from mcsdns.errors import McsdnsError
from mcsdns.source.events import Event
from mcsdns.source.health import Health, State
from mcsdns.wire.answer import respond
from mcsdns.wire.edns import Transport
from mcsdns.zone.build import Options
from mcsdns.zone.names import from_text
from mcsdns.zone.rrset import Update
from mcsdns.zone.snapshot import Snapshot
from mcsdns.zone.view import ZoneView
from tests.unit.source.kube.virtual_time import run

from .asker import query
from .clusterset import SRV, ZONE, A, services
from .members import Pages, moved, objects, paged, space
from .report import say
from .scripted import Api, Fault, follow

FAILING: Final = (
    "failure",
    "state at first",
    "requests/s and resource, 6 h",
    "in the first 10 s, most",
    "in any 10 s, most",
    "state at last",
)
OUTAGE: Final = (
    "clusters",
    "services",
    "questions",
    "failure",
    "answers compared",
    "other than before",
    "updates published",
    "requests/s and resource",
    "all synced after s",
)
HOUR_S: Final = 3600.0
_LONG_S: Final = 6 * HOUR_S
_STEP_S: Final = 300.0
_WINDOW_S: Final = 10.0
_UDP: Final = Transport(is_tcp=False, udp_payload=1232, keepalive=300, nsid=None)


def failing_rows() -> list[list[str]]:
    """Measure each way to fail, and return rows under `FAILING`."""
    return [run(_failing(fault, is_healthy_first)) for fault in Fault for is_healthy_first in (False, True)]


async def _failing(fault: Fault, is_healthy_first: bool) -> list[str]:
    api, clock = Api({resource: paged(found) for resource, found in objects(20, 2).items()}), _clock()
    health = Health("member", clock)
    mirror = Mirror("member")
    if not is_healthy_first:
        api.fail(fault)

    def sink(event: Event) -> None:
        mirror.feed(event)

    task = asyncio.create_task(follow("member", api, sink, health, Random(5)))
    await asyncio.sleep(HOUR_S if is_healthy_first else 0.0)
    at_first, began = health.state, clock()
    api.fail(fault)
    await asyncio.sleep(_LONG_S)
    task.cancel()
    seen = {resource: [at - began for at in times if at >= began] for resource, times in api.seen.items()}
    return [
        fault,
        at_first,
        f"{max(len(times) for times in seen.values()) / _LONG_S:.3f}",
        str(max(bisect_left(times, _WINDOW_S) for times in seen.values())),
        str(max(_most(times) for times in seen.values())),
        health.state,
    ]


def _most(times: Sequence[float]) -> int:
    """Return the most requests in any window."""
    return max((bisect_left(times, at + _WINDOW_S) - place for place, at in enumerate(times)), default=0)


def outage_rows(clusters: int, count: int) -> list[list[str]]:
    """
    Let all clusters fail for an hour.

    Args:
        clusters: How many.
        count: Services in each.

    Returns:
        Rows under `OUTAGE`.
    """
    pages = {resource: paged(found) for resource, found in objects(count, 2).items()}
    rows = []
    for fault in (Fault.REFUSED, Fault.SILENT, Fault.HTML):
        rows.append(run(_outage(clusters, count, pages, fault)))
        say(" | ".join(rows[-1]))
    return rows


async def _outage(clusters: int, count: int, pages: dict[str, Pages], fault: Fault) -> list[str]:
    zone, clock = _Zone([f"member-{number:02}" for number in range(clusters)]), _clock()
    apis = [Api(_of(number, pages)) for number in range(clusters)]
    tasks = [asyncio.create_task(zone.builder.run())]
    for name, api in zip(zone.healths, apis, strict=True):
        follows = follow(name, api, zone.builder.sink, zone.healths[name], Random(name))
        tasks.append(asyncio.create_task(follows))
    await asyncio.wait_for(zone.builder.settled.wait(), 60.0)
    await asyncio.sleep(HOUR_S / 2)
    asked = _questions(clusters, count)
    before, serial, began = zone.answers(asked), zone.snapshot.serial, clock()
    for api in apis:
        api.fail(fault)
    compared, other = 0, 0
    while clock() < began + HOUR_S:
        await asyncio.sleep(_STEP_S)
        compared, other = compared + len(asked), other + zone.differing(asked, before)
    requests = [sum(at >= began for at in times) for api in apis for times in api.seen.values()]
    ended = clock()
    for api in apis:
        api.fail(None)
    while not all(health.state is State.SYNCED for health in zone.healths.values()):  # noqa: ASYNC110 - time is virtual
        await asyncio.sleep(0.1)
    synced_s = clock() - ended
    await asyncio.sleep(HOUR_S / 2)
    compared, other = compared + len(asked), other + zone.differing(asked, before)
    for task in tasks:
        task.cancel()
    return [
        str(clusters),
        f"{clusters * count:,}",
        f"{len(asked):,}",
        fault,
        f"{compared:,}",
        str(other),
        str(zone.snapshot.serial - serial),
        f"{max(requests) / HOUR_S:.3f}",
        f"{synced_s:.1f}",
    ]


class _Zone:
    """Everything from events to answers."""

    def __init__(self, names: Sequence[str]) -> None:
        self.healths = {name: Health(name, _clock()) for name in names}
        view = ZoneView(View(None), Options(from_text(ZONE)), 1)
        self.builder = Builder([Mirror(name) for name in names], (), [view], self._publish, lambda *_: None)
        self._snapshot: Snapshot | None = None
        self.builder.publish_first()

    @property
    def snapshot(self) -> Snapshot:
        """What is published."""
        if self._snapshot is None:
            raise McsdnsError("nothing was published")
        return self._snapshot

    def answers(self, asked: Iterable[bytes]) -> list[bytes]:
        """Answer every question."""
        snapshot, answers = self.snapshot, []
        for one in asked:
            reply = respond(one, _UDP, snapshot)
            answers.append(reply.octets(one[:2], 0) if reply is not None else b"")
        return answers

    def differing(self, asked: Iterable[bytes], before: Sequence[bytes]) -> int:
        """Count the answers that are other than before."""
        return Counter(a == b for a, b in zip(self.answers(asked), before, strict=True))[False]

    def _publish(self, update: Update) -> None:
        if self._snapshot is None:
            self._snapshot = Snapshot(update)
        else:
            self._snapshot.apply(update)


def _of(number: int, pages: dict[str, Pages]) -> dict[str, Pages]:
    """Return what one cluster has of what all have: the same in namespaces of its own."""
    return {
        resource: [(token, moved(items, space(number, shares=False))) for token, items in found]
        for resource, found in pages.items()
    }


def _questions(clusters: int, count: int) -> list[bytes]:
    """Return three questions for each service: its addresses, a port, and a name that is not there."""
    owners = [
        service.owner.replace("team", space(number, shares=False))
        for number in range(clusters)
        for service in services(count)
    ]
    asked = [(owner, A) for owner in owners] + [(f"_http._tcp.{owner}", SRV) for owner in owners]
    asked += [(f"absent-{owner}", A) for owner in owners]
    return [query(number, name, kind) for number, (name, kind) in enumerate(asked)]


def _clock() -> Callable[[], float]:
    return asyncio.get_running_loop().time
