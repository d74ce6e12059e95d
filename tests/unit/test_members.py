"""Member clusters that come and go: which sources run, and whose events count. Sources are scripted, and nothing is read."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from mcsdns import assembly as assembling
from mcsdns.admin.state import ServerState
from mcsdns.assembly import Assembly
from mcsdns.builder import Builder
from mcsdns.config import Cluster, Config
from mcsdns.configchange import compare
from mcsdns.configfile import parse
from mcsdns.members import Members
from mcsdns.source.events import Sink
from mcsdns.source.health import Health
from mcsdns.zone.names import from_text
from mcsdns.zone.rrset import Type, Update
from mcsdns.zone.snapshot import Snapshot
from tests.clustersets import listing
from tests.manifests import service_import
from tests.unit.admin.servers import FakePlane

A, B = "{name: a, manifests: a}", "{name: b, manifests: b}"


class Scripted:
    """A source that a test speaks for."""

    def __init__(self, cluster: Cluster) -> None:
        self.cluster = cluster
        self.sink: Sink | None = None
        self.has_ended = False
        self.fails_at_its_end = False

    async def run(self, sink: Sink) -> None:
        self.sink = sink
        try:
            await asyncio.Event().wait()
        finally:
            self.has_ended = True
            if self.fails_at_its_end:
                raise OSError("the connection cannot be closed")

    def tell(self, *names: str, whole: bool = True) -> None:
        assert self.sink is not None
        text = "\n---\n".join(service_import(name, ips=["10.0.0.1"]) for name in names)
        for event in listing(self.cluster.name, text, whole=whole):
            self.sink(event)


class Running:
    """The members of a configuration, their sources, and what is published."""

    def __init__(self, config: Config) -> None:
        self.assembly = Assembly(config)
        self.served = [config.view_of(listen) for listen in config.listen]
        self.zone: Snapshot | None = None
        self.state = ServerState(config, FakePlane(), lambda: (True, ""))
        self.builder = Builder(self.assembly.mirrors, (), self.assembly.views, self._publish, lambda c, s: None)
        self.members = Members(self.assembly, self.builder, self.state)

    def _publish(self, update: Update) -> None:
        if self.zone is None:
            self.zone = Snapshot(update)
        else:
            self.zone.apply(update)

    async def change(self, config: Config) -> None:
        self.members.apply(compare(self.assembly.config, config, self.served))
        await self.settle()

    async def settle(self) -> None:
        for _ in range(8):
            await asyncio.sleep(0)

    def names(self) -> set[str]:
        assert self.zone is not None
        return {owner[1 : 1 + owner[0]].decode() for owner in self.zone.services}

    def ttl(self, name: str) -> int:
        assert self.zone is not None
        node = self.zone.find(from_text(f"{name}.test.svc.clusterset.local")) or ()
        return next(rrset.ttl for rrset in node if rrset.type == Type.A)


@pytest.fixture
def sources(monkeypatch: pytest.MonkeyPatch) -> list[Scripted]:
    """Every source that is made, in order."""
    made: list[Scripted] = []

    def make(cluster: Cluster, health: Health) -> Scripted:
        made.append(Scripted(cluster))
        return made[-1]

    monkeypatch.setattr(assembling, "make_source", make)
    return made


def config(*clusters: str, more: str = "sync_deadline_s: 60") -> Config:
    return parse(f"{more}\nclusters: [{', '.join(clusters)}]", Path("mcsdns.yaml"))


@asynccontextmanager
async def running(*clusters: str, more: str = "sync_deadline_s: 60") -> AsyncIterator[Running]:
    """Run members and a builder for as long as the test lasts."""
    server = Running(config(*clusters, more=more))
    async with asyncio.TaskGroup() as tasks:
        server.members.start(tasks)
        building = tasks.create_task(server.builder.run())
        await server.settle()
        yield server
        server.members.stop()
        building.cancel()


async def test_a_removed_member_is_ended_and_its_events_are_dropped(sources: list[Scripted]) -> None:
    """Its task ends, its mirror leaves, and what a late event of it says reaches nobody."""
    async with running(A, B) as server:
        sources[0].tell("one")
        sources[1].tell("two")
        await server.settle()
        assert server.names() == {"one", "two"}
        sources[1].fails_at_its_end = True
        server.members.apply(compare(server.assembly.config, config(A), [None]))
        sources[1].tell("three")
        await server.settle()
        assert server.names() == {"one"}
        assert sources[1].has_ended
        assert [mirror.cluster for mirror in server.state.mirrors] == list(server.state.health) == ["a"]


async def test_a_successor_takes_the_place_when_it_has_been_heard_whole(sources: list[Scripted]) -> None:
    """Until then its events stay its own, and the first member's count; afterwards it is the other way round."""
    async with running(A, B) as server:
        sources[0].tell("one")
        sources[1].tell("two")
        await server.change(config(A, "{name: b, manifests: other}"))
        old, new = sources[1:]
        new.tell("new", whole=False)
        old.tell("still")
        await server.settle()
        assert server.names() == {"one", "still"}
        assert set(server.state.coming) == {"b"}
        new.tell("new")
        await server.settle()
        assert server.names() == {"one", "new"}
        assert old.has_ended
        assert server.state.coming == {}
        old.tell("late")
        new.tell("newer")
        await server.settle()
        assert server.names() == {"one", "newer"}


async def test_a_successor_that_is_still_asked_for_goes_on(sources: list[Scripted]) -> None:
    """Another change of the file does not begin it anew, and brings it its id; one to another source drops it."""
    async with running(A, B) as server:
        sources[0].tell("one")
        sources[1].tell("two")
        await server.change(config(A, "{name: b, manifests: other}"))
        await server.change(config(A, "{name: b, manifests: other, id: bb}", more="ttl: 9"))
        assert len(sources) == 3
        assert server.ttl("one") == 9
        sources[2].tell("new")
        await server.settle()
        assert [mirror.cluster_id for mirror in server.state.mirrors] == ["a", "bb"]
        await server.change(config(A, "{name: b, manifests: third, id: bb}"))
        await server.change(config(A, "{name: b, manifests: fourth, id: bb}"))
        assert [source.has_ended for source in sources] == [False, True, False, True, False]


async def test_a_member_that_was_never_heard_is_replaced_at_once(sources: list[Scripted]) -> None:
    """It has nothing to serve meanwhile; the new one is waited for as at a start."""
    async with running(A, B) as server:
        sources[0].tell("one")
        await server.change(config(A, "{name: b, manifests: other}"))
        assert sources[1].has_ended
        assert server.state.coming == {}
        assert server.zone is not None
        assert not server.zone.complete


async def test_who_is_missing_at_the_sync_deadline_is_named_once(sources: list[Scripted]) -> None:
    """Each cluster has a deadline of its own, from when it was added; the optional ones are left out."""
    optional = "{name: c, manifests: c, optional: true}"
    with capture_logs() as log:
        async with running(A, B, more="sync_deadline_s: 0.05") as server:
            sources[0].tell("one")
            assert not server.builder.settled.is_set()
            await asyncio.sleep(0.1)
            assert server.builder.settled.is_set()
            await server.change(config(A, optional, more="sync_deadline_s: 0.05"))
            assert server.zone is not None
            assert not server.zone.complete
            await asyncio.sleep(0.1)
            assert server.zone.complete
            await server.change(config(A, optional, more="sync_deadline_s: 0.06"))
    warnings = [
        (line["event"], line.get("waits_for") or line["cluster"]) for line in log if line["log_level"] == "warning"
    ]
    assert warnings == [("sync deadline passed", ["b"]), ("optional cluster left out", "c")]
