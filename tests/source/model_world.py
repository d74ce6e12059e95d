"""
The whole of the model test: clusters, the product's chain from their requests to a plane's answers, and the checks.

What is checked whenever all work has come to rest: what is published is what the clusters' readers have told, built anew; so is every
answer; and neither `model_told` nor `model_reader` has anything to complain of.

Not here: what happens (`model_conduct`).
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
from collections.abc import AsyncIterator
from pathlib import Path
from random import Random

from mcsdns.builder import Builder, Composition, is_answerable
from mcsdns.clusterset.mirror import Mirror
from mcsdns.clusterset.model import ServiceKey, View
from mcsdns.source.events import Event, Resource
from mcsdns.source.health import Health
from mcsdns.source.kube.cluster import KubeSource
from mcsdns.source.kube.settings import InCluster, Timing
from mcsdns.source.objects import ServiceImport
from mcsdns.zone.rrset import Update
from mcsdns.zone.snapshot import Snapshot
from mcsdns.zone.view import ZoneView
from tests.clustersets import OPTIONS, SERIAL, zone_of
from tests.source.model_objects import CLUSTERS, IMPORTS, ObjectKey
from tests.source.model_reader import NOERROR, NXDOMAIN, SERVFAIL, Answer, Reader
from tests.source.model_script import Script
from tests.source.model_server import ModelServer
from tests.source.model_store import Store
from tests.source.model_told import Told, mirror_of

TIMING = Timing(recheck_s=120.0)
"""The real delays, but for the lists that check: they come more often, so that more happens in less time."""
SYNC_DEADLINE_S = 30.0
"""For optional clusters, as the configuration has it by default."""


class Member:
    """A member cluster: its API server, the product's reader, and what that told."""

    def __init__(self, name: str, server: ModelServer, rng: Random, clock: asyncio.AbstractEventLoop) -> None:
        self.name, self.server, self.told = name, server, Told(server)
        server.known = lambda resource: len(self.told.objects[resource])
        self.health = Health(name, clock.time)
        self.mirror = Mirror(name)
        self.source = KubeSource(
            name, InCluster(Path(name)), self.health, timing=TIMING, clock=clock.time, rng=Random(rng.random())
        )


class World:
    """
    Everything of one example.

    Args:
        script: The example.
        rng: Of everything that is left to chance.
    """

    def __init__(self, script: Script, rng: Random) -> None:
        loop = asyncio.get_running_loop()
        self.epochs: dict[int, tuple[str, Resource, ObjectKey]] = {}
        self.has_properties = False
        self.is_past_deadline = False
        count = itertools.count(1)
        names = CLUSTERS[: script.clusters]
        self.optional = names[-1:] if script.has_optional else ()
        self.members: dict[str, Member] = {}
        for name in names:
            store = Store(loop.time, lambda: next(count))
            server = ModelServer(name, store, Random(rng.random()), page=script.page)
            self.members[name] = Member(name, server, rng, loop)
        self.readers = {View(view).name: Reader(view, self) for view in (None, "a")}
        views = [ZoneView(View(reader.view), OPTIONS, SERIAL) for reader in self.readers.values()]
        mirrors = [member.mirror for member in self.members.values()]
        self.builder = Builder(mirrors, (), views, self._publish, lambda cluster, seconds: None)
        self._tasks: list[asyncio.Task[None]] = []
        self._is_news = True

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Follow the clusters, as a server does, until the end of the block."""
        self.builder.publish_first()
        work = [member.source.run(self._sink) for member in self.members.values()]
        self._tasks = [asyncio.create_task(each) for each in (*work, self.builder.run(), self._wait_for_clusters())]
        try:
            yield
        finally:
            for task in self._tasks:
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)

    # What readers of answers may ask.

    def versions(self, epoch: int) -> tuple[str, object, list[int]]:
        """Return of which cluster and object an epoch is, and which versions of it those are."""
        cluster, resource, key = self.epochs[epoch]
        history = self.members[cluster].server.store.history[resource].get(key, [])
        return cluster, self.epochs[epoch], [at for at, version in enumerate(history) if version.epoch == epoch]

    def is_heard(self, cluster: str) -> bool:
        """Tell whether a cluster has told everything once."""
        return self.members[cluster].told.is_heard

    def waits_for(self) -> list[str]:
        """Return the clusters for which negatives are held back."""
        left_out = self.optional if self.is_past_deadline else ()
        return [name for name, member in self.members.items() if not member.told.is_whole and name not in left_out]

    def is_steady(self, key: ServiceKey, view: str | None) -> bool:
        """Tell whether a heard cluster has had a name that exists whatever else is so, and had it all the time."""
        if self.has_properties:
            return False
        if view is None and any("Headless" in self._types(name, key) for name in self.members):
            return False
        # When an optional cluster is heard, what it has is published after a batch under way, in which it is not waited for.
        sure = [name for name in self.members if view in (None, name) and name not in self.optional]
        return any(set(self._types(name, key, since_heard=True)) == {"ClusterSetIP"} for name in sure)

    def _types(self, cluster: str, key: ServiceKey, *, since_heard: bool = False) -> list[str | None]:
        """Return of which types a cluster's ServiceImport has been."""
        member = self.members[cluster]
        first, store = 0, member.server.store
        if since_heard:
            if member.told.imports_moment is None or not member.told.is_heard:
                return []
            first = store.index(IMPORTS, key, member.told.imports_moment)
            if first < 0:
                return []
        versions = store.history[IMPORTS].get(key, [])[first:]
        return [
            version.obj.spec.type if isinstance(version.obj, ServiceImport) and version.obj.spec else None
            for version in versions
        ]

    # The chain.

    def _sink(self, event: Event) -> None:
        self._is_news = True
        self.members[event.cluster].told.note(event)
        self.builder.sink(event)

    def _publish(self, update: Update) -> None:
        self.readers[update.view].publish(update)

    async def _wait_for_clusters(self) -> None:
        """As the daemon does."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(SYNC_DEADLINE_S):
                await self.builder.settled.wait()
        self.is_past_deadline = self._is_news = True
        mirrors = tuple(member.mirror for member in self.members.values())
        ids = tuple(mirror.configured_id for mirror in mirrors)
        self.builder.compose(Composition(mirrors, ids, frozenset(self.optional), OPTIONS))
        self.builder.end_of_wait()
        await asyncio.Event().wait()

    # What must be so when all work has come to rest.

    def check(self) -> None:
        """Check everything that may have become other."""
        for task in self._tasks:
            assert not task.done(), f"it ended: {task}"
        for member in self.members.values():
            assert not member.told.wrong, member.told.wrong
            for resource, stream in member.health.streams.items():
                assert "internal" not in stream.errors, f"{member.name} {resource}: {stream.problem}"
        for reader in self.readers.values():
            assert not reader.wrong, reader.wrong
        if not self._is_news:
            return
        self._is_news = False
        mirrors = [mirror_of(name, member.told.events()) for name, member in self.members.items()]
        for member, anew in zip(self.members.values(), mirrors, strict=True):
            assert _held(member.mirror) == _held(anew), f"the mirror of {member.name} does not hold what was told"
        for reader in self.readers.values():
            self._check_published(reader, mirrors)

    def _check_published(self, reader: Reader, mirrors: list[Mirror]) -> None:
        assert reader.published is not None
        found, anew = reader.published.snapshot, zone_of(mirrors, reader.view)
        anew.complete = not self.waits_for() and is_answerable(View(reader.view), mirrors)
        assert found.complete == anew.complete, f"complete is {found.complete}, waiting for {self.waits_for()}"
        assert _nodes(found) == _nodes(anew), "what is published is not what was told"
        for (name, rrtype), answer in reader.read_all().items():
            expect(answer, name, rrtype, anew)
        assert not reader.wrong, reader.wrong
        assert not reader.totals.panics


def expect(answer: Answer, name: bytes, rrtype: int, zone: Snapshot) -> None:
    """Make sure that an answer is what a snapshot holds."""
    node = zone.find(name)
    if node is None:
        assert answer.rcode == (NXDOMAIN if zone.complete else SERVFAIL), (name, answer)
        return
    rdata = next((set(rrset.rdata) for rrset in node if rrset.type == rrtype), set())
    assert answer.rcode == NOERROR, (name, rrtype, answer)
    assert {found for _, _, found in answer.answer} == rdata, (name, rrtype, answer)


def _held(mirror: Mirror) -> object:
    """Return everything that a mirror lets see."""
    services = {
        key: (mirror.import_of(key), mirror.export_of(key), mirror.slices_of(key), set(mirror.rejected_of(key)))
        for key in mirror.keys()  # noqa: SIM118 - it is no mapping
    }
    return services, mirror.property_id, set(mirror.rejected()), [mirror.count(resource) for resource in Resource]


def _nodes(zone: Snapshot) -> dict[bytes, object]:
    return {owner: records.nodes for owner, records in zone.services.items()}
