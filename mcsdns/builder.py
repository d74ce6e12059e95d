"""
The builder: takes events, builds the services they make dirty, publishes at once.

Rules:
1. No debounce: a batch is what became dirty while the last publish was under way, and each service is built once in it. It is published
   whole, one update for each view.
2. Building yields to the event loop every few milliseconds, after staging in the plane what was built. After `PART_S` a batch ends, and
   what is left is for the next: so a cluster that changes much does not hold up the others, whose turn comes between
   (`mcsdns.clusterset.dirty`). One in which clusters go or change is the exception (rule 4), for which others wait.
3. While a member cluster has not been heard whole, the zone is incomplete and keeps its negatives back. A cluster that is
   optional is waited for only until the sync deadline.
4. Member clusters, ids and options change between two batches and never within one: what a cluster that goes contributed leaves in one
   update of each view (docs/decisions/0009). A cluster that comes adds to services one by one, and the zone is complete after the last.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Container, Iterable, Mapping, Sequence
from typing import Final

import structlog
from msgspec import Struct

from mcsdns.clusterset.dirty import Dirty
from mcsdns.clusterset.merge import duplicates, reserved_ids, speaking
from mcsdns.clusterset.mirror import Mirror
from mcsdns.clusterset.model import ServiceKey, View
from mcsdns.source.events import Event, InitDone, Resource
from mcsdns.source.pace import Pace
from mcsdns.zone.build import Options
from mcsdns.zone.rrset import ServiceRecords, Update
from mcsdns.zone.view import ZoneView

PART_S: Final = 0.05
"""After so many seconds of building what has been built is published, and it is the turn of what came meanwhile."""


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
        self._dirty = Dirty()
        self._triggers: list[tuple[ServiceKey, str, float]] = []
        self._wake = asyncio.Event()
        self._speaking: list[Mirror] = []
        self._ids: list[str] = []
        self._reserved: frozenset[str] = frozenset()
        self._log = structlog.get_logger()

    @property
    def has_work(self) -> bool:
        """Whether services are left that no batch has taken."""
        return bool(self._dirty)

    def sink(self, event: Event) -> None:
        """Take one event. What it makes dirty is built as soon as the event loop is free."""
        mirror = self._by_name[event.cluster]
        was_heard = mirror.is_heard
        dirty = mirror.feed(event)
        # One that is heard from now on is seen by the next batch: it may not speak, or be followed by others that do not.
        if isinstance(event, InitDone) or event.resource is Resource.CLUSTER_PROPERTIES:
            if was_heard:
                self._dirty.mark_many(dirty)
            # A list that is done may complete the zone, and another cluster id may let another cluster speak: without a dirty service.
            self._wake.set()
        elif dirty:
            self._dirty.mark(mirror.cluster, dirty)
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
            if self.has_work:
                self._wake.set()

    async def batch(self) -> None:
        """Build what is dirty now, or as much of it as `PART_S` is enough for, and publish it."""
        is_one = self._recompose()
        # What is heard while the batch is built is not in it: a name of that cluster is not found yet, and that proves nothing.
        is_all_heard = all(mirror.is_whole for mirror in self._mirrors)
        complete = self._complete()
        is_one |= self._notice_speakers()
        self._collect_triggers()
        dirty = self._dirty
        if is_one:
            self._dirty = Dirty()
        await self._build(dirty, float("inf") if is_one else PART_S)
        # The zone becomes complete after the last service of a cluster that came. One that was complete stays so.
        is_last = not dirty.has_many
        after = zip(self._views, complete, self._complete(), strict=True)
        self._take([before and now and (is_last or view.complete) for view, before, now in after])
        if is_all_heard and is_last:
            self.settled.set()
        self._observe_triggers()

    async def _build(self, dirty: Dirty, limit_s: float) -> None:
        """Build what is dirty, until the limit is reached."""
        until, pace = time.perf_counter() + limit_s, Pace()
        for _ in dirty.gather():
            if pace.is_due:
                if time.perf_counter() >= until:
                    break
                await pace.rest()
        while (key := dirty.take()) is not None:
            for view in self._views:
                view.build(key, self._mirrors)
            if pace.is_due:
                if time.perf_counter() >= until:
                    return
                self._stage_built()
                await pace.rest()

    def _recompose(self) -> bool:
        """Take over what `compose` left here (rule 4), and tell whether there was anything."""
        composition, self._next = self._next, None
        if composition is None:
            return False
        for mirror, configured_id in zip(composition.mirrors, composition.ids, strict=True):
            if mirror.configured_id != configured_id:
                mirror.configured_id = configured_id
                self._dirty.mark_many(mirror.each_key())
        self._mirrors = composition.mirrors
        self._left_out = composition.left_out
        for view in self._views:
            self._dirty.mark_many([*view.configure(composition.options)])
        return True

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

    def _collect_triggers(self) -> None:
        for mirror in self._mirrors:
            if mirror.triggers:
                self._triggers += mirror.triggers
                mirror.triggers.clear()

    def _observe_triggers(self) -> None:
        """Tell how long ago what is published now has changed."""
        if not self._triggers:
            return
        now, triggers, self._triggers = time.time(), self._triggers, []
        for key, cluster, changed_at in triggers:
            if key in self._dirty:
                self._triggers.append((key, cluster, changed_at))
            else:
                self._observe(cluster, max(0.0, now - changed_at))

    def _notice_speakers(self) -> bool:
        """
        Where a cluster comes to count or ceases to (it is added, removed, or its id is taken), everything it says is dirty.

        Where those that stay change places, or ids of two labels come and go, everything is.

        Returns:
            What is dirty by it must be published as one: it is more than that clusters have come.
        """
        now, before = speaking(self._mirrors), self._speaking
        ids = [mirror.cluster_id for mirror in now]
        reserved, is_one = reserved_ids(now), any(mirror not in now for mirror in before)
        if reserved != self._reserved or (now != before and not _are_in_one_order(now, before)):
            self._reserved, is_one = reserved, True
            for mirror in self._mirrors:
                self._dirty.mark_many(mirror.each_key())
        ids, self._ids = self._ids, ids
        if now == before:
            return is_one or ids != self._ids
        for mirror in {*now} ^ {*before}:
            self._dirty.mark_many(mirror.each_key())
        self._speaking = now
        for refused, first in duplicates(self._mirrors):
            self._log.error(
                "cluster refused",
                cluster=refused.cluster,
                cluster_id=refused.cluster_id,
                taken_by=first.cluster,
                fix="give one of the two another id in the configuration",
            )
        return is_one


def _are_in_one_order(now: Sequence[Mirror], before: Sequence[Mirror]) -> bool:
    """Tell whether the mirrors that stand in both follow one another alike."""
    return [mirror for mirror in now if mirror in before] == [mirror for mirror in before if mirror in now]
