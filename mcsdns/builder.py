"""
The builder: takes events, builds the services they make dirty, publishes at once.

Rules:
1. No debounce: a batch is what became dirty while the last publish was under way, and each service is built once in it.
2. Building yields to the event loop every few milliseconds, after staging in the plane what was built; a batch is still published
   whole, one update for each view.
3. While a member cluster has not been heard whole, the zone is incomplete and keeps its negatives back. A cluster that is
   optional is waited for only until the sync deadline.
4. Member clusters, ids and options change between two batches and never within one: what a cluster that goes contributed leaves in one
   update of each view (docs/decisions/0009).
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Container, Iterable, Mapping, Sequence

import structlog
from msgspec import Struct

from mcsdns.clusterset.merge import duplicates, reserved_ids, speaking
from mcsdns.clusterset.mirror import Mirror
from mcsdns.clusterset.model import ServiceKey, View
from mcsdns.source.events import Event, InitDone, Resource
from mcsdns.source.pace import Pace
from mcsdns.zone.build import Options
from mcsdns.zone.rrset import ServiceRecords, Update
from mcsdns.zone.view import ZoneView


def waited_for(mirrors: Iterable[Mirror], left_out: Container[str]) -> list[str]:
    """
    Return the clusters whose absence proves nothing: while there is one, the zone is incomplete.

    Args:
        mirrors: Of all clusters.
        left_out: Names of clusters that are not waited for.
    """
    return [mirror.cluster for mirror in mirrors if not mirror.is_whole and mirror.cluster not in left_out]


def is_answerable(view: View, mirrors: Iterable[Mirror]) -> bool:
    """
    Tell whether a view can say that a name does not exist: its own cluster counts.

    While that one does not (it is optional and unheard, or refused for its id), nothing is imported in its view, and everything
    would be NXDOMAIN.
    """
    return view.cluster is None or view.cluster in {mirror.cluster for mirror in speaking(mirrors)}


class Composition(Struct, frozen=True):
    """
    What the zone is built from.

    Args:
        mirrors: One for each watched cluster, in the order of the configuration.
        ids: The configured cluster id of each, or None.
        left_out: Names of clusters that are not waited for: optional, and past the sync deadline.
        options: Zone name, TTLs, addresses of the name server.
    """

    mirrors: tuple[Mirror, ...]
    ids: tuple[str | None, ...]
    left_out: frozenset[str]
    options: Options


class Builder:
    """
    Builds what events make dirty and publishes it.

    Args:
        mirrors: One for each watched cluster, in the order of the configuration.
        left_out: Names of clusters that are not waited for.
        views: What is built.
        publish: Takes an update over to the plane.
        observe: Takes the source cluster and the seconds from a change to its publishing.
        stage: Takes services of a view over to the plane that the next update brings with it; None: all stand in the update.

    Attributes:
        settled: Set once every cluster has been heard whole and that has been published, or `end_of_wait` was called.
    """

    def __init__(
        self,
        mirrors: Sequence[Mirror],
        left_out: Iterable[str],
        views: Sequence[ZoneView],
        publish: Callable[[Update], None],
        observe: Callable[[str, float], None],
        *,
        stage: Callable[[str, Mapping[bytes, ServiceRecords | None]], None] | None = None,
    ) -> None:
        self._mirrors = mirrors
        self._by_name = {mirror.cluster: mirror for mirror in mirrors}
        self._left_out = frozenset(left_out)
        self._next: Composition | None = None
        self._views = views
        self._publish = publish
        self._observe = observe
        self._stage = stage
        self.settled = asyncio.Event()
        self._dirty: set[ServiceKey] = set()
        self._wake = asyncio.Event()
        self._speaking: list[Mirror] = []
        self._reserved: frozenset[str] = frozenset()
        self._log = structlog.get_logger()

    def sink(self, event: Event) -> None:
        """Take one event. What it makes dirty is built as soon as the event loop is free."""
        mirror = self._by_name[event.cluster]
        self._dirty.update(mirror.feed(event))
        # A list that is done may complete the zone, and another cluster id may let another cluster speak: without a dirty service.
        if self._dirty or isinstance(event, InitDone) or event.resource is Resource.CLUSTER_PROPERTIES:
            self._wake.set()

    def compose(self, composition: Composition) -> None:
        """
        Build from these clusters and options from the next batch on; until it is published, the last ones are served.

        Events are taken at once, and of these clusters alone.
        """
        self._by_name = {mirror.cluster: mirror for mirror in composition.mirrors}
        self._next = composition
        self._wake.set()

    def end_of_wait(self) -> None:
        """Count as settled, whoever has not been heard: the sync deadline has passed."""
        self.settled.set()

    def publish_first(self) -> None:
        """Publish each view as it is before anything has been heard, so that a plane has something to answer from."""
        self._take([False] * len(self._views))

    async def run(self) -> None:
        """Build and publish, until cancelled."""
        while True:
            await self._wake.wait()
            self._wake.clear()
            await self.batch()

    async def batch(self) -> None:
        """Build everything that is dirty now and publish it."""
        self._recompose()
        # What is heard while the batch is built is not in it: a name of that cluster is not found yet, and that proves nothing.
        is_all_heard = all(mirror.is_whole for mirror in self._mirrors)
        complete = self._complete()
        self._notice_speakers()
        dirty, self._dirty = self._dirty, set()
        triggers = self._triggers()
        pace = Pace()
        for key in dirty:
            for view in self._views:
                view.build(key, self._mirrors)
            if pace.is_due:
                self._stage_built()
                await pace.rest()
        still_complete = self._complete()
        self._take([before and now for before, now in zip(complete, still_complete, strict=True)])
        if is_all_heard:
            self.settled.set()
        now = time.time()
        for cluster, changed_at in triggers:
            self._observe(cluster, max(0.0, now - changed_at))

    def _recompose(self) -> None:
        """Take over what `compose` left here (rule 4)."""
        composition, self._next = self._next, None
        if composition is None:
            return
        for mirror, configured_id in zip(composition.mirrors, composition.ids, strict=True):
            if mirror.configured_id != configured_id:
                mirror.configured_id = configured_id
                self._dirty |= mirror.keys()
        self._mirrors = composition.mirrors
        self._left_out = composition.left_out
        for view in self._views:
            self._dirty.update(view.configure(composition.options))

    def _complete(self) -> list[bool]:
        """Tell for each view whether absence proves something there."""
        if waited_for(self._mirrors, self._left_out):
            return [False] * len(self._views)
        return [is_answerable(view.view, self._mirrors) for view in self._views]

    def _stage_built(self) -> None:
        if self._stage is not None:
            for view in self._views:
                if built := view.hand_over():
                    self._stage(view.view.name, built)

    def _take(self, complete: Sequence[bool]) -> None:
        for view, is_complete in zip(self._views, complete, strict=True):
            update = view.take(is_complete)
            if update is not None:
                self._publish(update)

    def _triggers(self) -> list[tuple[str, float]]:
        found: list[tuple[str, float]] = []
        for mirror in self._mirrors:
            found += mirror.triggers
            mirror.triggers.clear()
        return found

    def _notice_speakers(self) -> None:
        """
        Where a cluster comes to count or ceases to (it is added, removed, or its id is taken), everything it says is dirty.

        Where those that stay change places, or ids of two labels come and go, everything is.
        """
        now, before = speaking(self._mirrors), self._speaking
        reserved = reserved_ids(now)
        if reserved != self._reserved or (now != before and not _are_in_one_order(now, before)):
            self._reserved = reserved
            self._dirty.update(*(mirror.keys() for mirror in self._mirrors))
        if now == before:
            return
        for mirror in {*now} ^ {*before}:
            self._dirty |= mirror.keys()
        self._speaking = now
        for refused, first in duplicates(self._mirrors):
            self._log.error(
                "cluster refused",
                cluster=refused.cluster,
                cluster_id=refused.cluster_id,
                taken_by=first.cluster,
                fix="give one of the two another id in the configuration",
            )


def _are_in_one_order(now: Sequence[Mirror], before: Sequence[Mirror]) -> bool:
    """Tell whether the mirrors that stand in both follow one another alike."""
    return [mirror for mirror in now if mirror in before] == [mirror for mirror in before if mirror in now]
