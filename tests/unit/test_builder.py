"""The builder, while the clusters and options that it builds from change."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping

import pytest

from mcsdns.builder import Builder, Composition
from mcsdns.clusterset.mirror import Mirror
from mcsdns.clusterset.model import View
from mcsdns.source.events import Apply, Event
from mcsdns.source.manifests import read
from mcsdns.zone.build import Options
from mcsdns.zone.masterfile import record
from mcsdns.zone.names import from_text
from mcsdns.zone.rrset import RRset, Type, Update
from mcsdns.zone.snapshot import Snapshot
from mcsdns.zone.view import ZoneView
from tests.clustersets import OPTIONS, SERIAL, clusterset, hear, listing, zone_of
from tests.manifests import imported_slice, native_slice, service_export, service_import, together

HEADLESS = together(service_import("hl", headless=True), service_export("hl"))
A = together(HEADLESS, native_slice("hl", "x=10.1.0.1"), service_import("web", ips=["10.42.0.1"]))
B = together(HEADLESS, native_slice("hl", "x=10.2.0.1"), service_import("web", ips=["10.42.0.2"]))
MANY = together(*(service_import(f"b{number}", ips=["10.42.1.1"]) for number in range(30)))


def applied(cluster: str, text: str) -> list[Event]:
    return [Apply(cluster, resource, obj) for resource, obj in read(text.encode(), is_json=False).objects]


class Zone:
    """A builder of one view or more, with what it published."""

    def __init__(self, mirrors: Iterable[Mirror], views: Iterable[str | None] = (None,), options: Options = OPTIONS):
        self.mirrors = list(mirrors)
        self.options = options
        self.updates: list[Update] = []
        self.zones: dict[str, Snapshot] = {}
        zone_views = [ZoneView(View(view), options, SERIAL) for view in views]
        self.builder = Builder(self.mirrors, (), zone_views, self._publish, lambda cluster, seconds: None)
        self.builder.publish_first()
        self.compose(self.mirrors)
        asyncio.run(self.builder.batch())

    def compose(
        self,
        mirrors: Iterable[Mirror],
        options: Options | None = None,
        ids: Mapping[str, str] | None = None,
        left_out: Iterable[str] = (),
    ) -> None:
        self.mirrors = list(mirrors)
        self.options = options or self.options
        configured = tuple((ids or {}).get(mirror.cluster) for mirror in self.mirrors)
        self.builder.compose(Composition(tuple(self.mirrors), configured, frozenset(left_out), self.options))

    def change(self, mirrors: Iterable[Mirror], **more: object) -> list[Update]:
        """Compose, run a batch and another one, and give what was published."""
        before = len(self.updates)
        self.compose(mirrors, **more)  # type: ignore[arg-type]
        asyncio.run(self.builder.batch())
        asyncio.run(self.builder.batch())
        self.is_as_fresh()
        return self.updates[before:]

    def is_as_fresh(self) -> None:
        """Hold every view to what a builder would make that began with these mirrors."""
        for name, zone in self.zones.items():
            fresh = zone_of(self.mirrors, None if name == "any" else name, self.options)
            assert zone.services.keys() == fresh.services.keys()
            for owner, records in fresh.services.items():
                assert zone.services[owner].nodes == records.nodes
            assert zone.complete == fresh.complete

    def rdata(self, name: str, view: str = "any") -> list[str]:
        node = self.zones[view].find(from_text(f"{name}.svc.clusterset.local")) or ()
        return sorted(
            record(b"\0", rrset, one).split()[-1] for rrset in node for one in rrset.rdata if rrset.type == Type.A
        )

    def _publish(self, update: Update) -> None:
        self.updates.append(update)
        zone = self.zones.setdefault(update.view, Snapshot(update))
        assert update.serial > zone.serial or zone.serial == update.serial == SERIAL + 1, "no older serial, ever"
        zone.apply(update)


def test_what_a_removed_cluster_contributed_leaves_in_one_update() -> None:
    """Its own services go, those that it shared lose its endpoints: one update of each view."""
    a, b = clusterset({"a": A, "b": together(B, MANY)})
    zone = Zone([a, b], (None, "a"))
    assert zone.rdata("hl.test") == ["10.1.0.1", "10.2.0.1"]
    updates = zone.change([a])
    assert [update.view for update in updates] == ["any", "a"]
    assert zone.rdata("hl.test") == zone.rdata("hl.test", "a") == ["10.1.0.1"]
    assert zone.rdata("b7.test") == []


def test_a_removed_cluster_leaves_in_one_update_even_in_the_middle_of_a_batch(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is composed while a batch is built has no part in it: one half of a cluster is never published as gone."""
    monkeypatch.setattr("mcsdns.source.pace.SLICE_S", -1.0)  # yield after every service
    a, b = clusterset({"a": A, "b": together(B, MANY)})
    zone = Zone([a, b])
    before = len(zone.zones["any"].services)

    async def compose_while_building() -> None:
        for event in listing("b", together(B, MANY.replace("10.42.1.1", "10.42.1.2"))):
            zone.builder.sink(event)
        building = asyncio.create_task(zone.builder.batch())
        for _ in range(5):
            await asyncio.sleep(0)
        zone.compose([a])
        await building
        assert len(zone.zones["any"].services) == before, "the batch knew both clusters"
        await zone.builder.batch()

    count = len(zone.updates)
    asyncio.run(compose_while_building())
    assert [len(update.services) for update in zone.updates[count:]] == [30, 31]
    zone.is_as_fresh()


def test_another_clusters_change_does_not_wait_for_a_flood(monkeypatch: pytest.MonkeyPatch) -> None:
    """A batch ends after `PART_S`; in the next one what another cluster has changed has its turn among the rest of the flood."""
    monkeypatch.setattr("mcsdns.source.pace.SLICE_S", -1.0)  # yield after every service
    monkeypatch.setattr("mcsdns.builder.PART_S", 0.0)  # and end the batch there
    a, b = clusterset({"a": A, "b": together(B, MANY)})
    zone = Zone([a, b])
    asyncio.run(_drain(zone))
    count = len(zone.updates)
    for event in listing("b", together(B, MANY.replace("10.42.1.1", "10.42.1.2"))):
        zone.builder.sink(event)
    asyncio.run(zone.builder.batch())
    for event in applied("a", service_import("new", ips=["10.42.0.9"])):
        zone.builder.sink(event)
    asyncio.run(_drain(zone))
    order = [owner[1:].split(b"\x04test")[0] for update in zone.updates[count:] for owner in update.services]
    assert (len(order), len(set(order))) == (31, 31), "each is built once"
    assert order.index(b"new") <= 2
    assert all(update.complete for update in zone.updates[count:]), "what was proven stays so"
    zone.is_as_fresh()


def test_the_zone_is_complete_after_the_last_service_of_a_cluster_that_comes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its services come one by one; while one of them is not there, a name that is not found may be that one."""
    monkeypatch.setattr("mcsdns.source.pace.SLICE_S", -1.0)
    monkeypatch.setattr("mcsdns.builder.PART_S", 0.0)
    (a,) = clusterset({"a": A})
    zone = Zone([a, Mirror("b")])
    for event in listing("b", together(B, MANY)):
        zone.builder.sink(event)
    asyncio.run(zone.builder.batch())
    assert not zone.zones["any"].complete
    assert not zone.builder.settled.is_set()
    asyncio.run(_drain(zone))
    assert [update.complete for update in zone.updates[-3:]] == [False, False, True]
    assert zone.builder.settled.is_set()
    zone.is_as_fresh()


def test_an_added_cluster_holds_negatives_back_until_it_is_heard() -> None:
    """As at a start: what is not found may be there. What is found stays as it was."""
    (a,) = clusterset({"a": A})
    zone = Zone([a])
    assert zone.zones["any"].complete
    b = Mirror("b")
    (update,) = zone.change([a, b])
    assert (update.complete, dict(update.services)) == (False, {})
    for event in listing("b", B):
        zone.builder.sink(event)
    asyncio.run(zone.builder.batch())
    assert zone.zones["any"].complete
    assert zone.rdata("hl.test") == ["10.1.0.1", "10.2.0.1"]
    zone.is_as_fresh()


def test_a_cluster_that_is_left_out_holds_nothing_back() -> None:
    """An optional cluster past its sync deadline is not waited for."""
    (a,) = clusterset({"a": A})
    zone = Zone([a])
    b = Mirror("b")
    zone.compose([a, b])
    asyncio.run(zone.builder.batch())
    assert not zone.zones["any"].complete
    zone.compose([a, b], left_out=["b"])
    asyncio.run(zone.builder.batch())
    assert zone.zones["any"].complete


def test_removing_the_cluster_that_was_waited_for_settles() -> None:
    """Who is gone is not waited for: negatives are given, and the server is ready."""
    (a,) = clusterset({"a": A})
    zone = Zone([a, Mirror("b")])
    assert not zone.zones["any"].complete
    assert not zone.builder.settled.is_set()
    (update,) = zone.change([a])
    assert update.complete
    assert zone.builder.settled.is_set()


def test_another_mirror_takes_a_place_in_one_update() -> None:
    """What the old one said and the new one does not goes, what both say stays unpublished."""
    a, b = clusterset({"a": A, "b": together(B, service_import("old", ips=["10.42.0.3"]))})
    zone = Zone([a, b])
    new = Mirror("b")
    hear(new, together(B, service_import("new", ips=["10.42.0.4"])))
    (update,) = zone.change([a, new])
    assert {owner[1:4] for owner in update.services} == {b"old", b"new"}


def test_another_id_moves_the_host_names() -> None:
    """A changed id: the same mirror, and every name below the old id moves to the new one in one update."""
    a, b = clusterset({"a": A, "b": B})
    zone = Zone([a, b])
    assert zone.rdata("x.b.hl.test") == ["10.2.0.1"]
    (update,) = zone.change([a, b], ids={"b": "b.eu"})
    assert b.cluster_id == "b.eu"
    assert (zone.rdata("x.b.hl.test"), zone.rdata("x.b.eu.hl.test")) == ([], ["10.2.0.1"])
    assert len(update.services) == 1


def test_another_order_changes_whose_word_counts() -> None:
    """Type and IPs come from the first cluster in the order of the configuration that has the import."""
    a, b = clusterset({"a": A, "b": B})
    zone = Zone([a, b])
    assert zone.rdata("web.test") == ["10.42.0.1"]
    (update,) = zone.change([b, a])
    assert zone.rdata("web.test") == ["10.42.0.2"]
    assert {owner[1:4] for owner in update.services} == {b"web"}


def test_an_id_that_becomes_free_lets_the_next_cluster_speak() -> None:
    """Of two clusters with one id the first counts; when it goes, the other one does, in the same update."""
    a, b = clusterset({"a": A, "b": together(B, imported_slice("hl", "c", "z=10.3.0.1"))}, {"a": "same", "b": "same"})
    zone = Zone([])
    zone.change([a, b], ids={"a": "same", "b": "same"})
    assert zone.rdata("hl.test") == ["10.1.0.1"]
    (update,) = zone.change([b], ids={"b": "same"})
    assert zone.rdata("hl.test") == ["10.2.0.1", "10.3.0.1"]
    assert update.complete


def test_another_ttl_builds_everything_again_in_one_update(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every service of every view, in slices that yield to the event loop, and one update for each view."""
    monkeypatch.setattr("mcsdns.source.pace.SLICE_S", -1.0)
    a, b = clusterset({"a": A, "b": together(B, MANY)})
    zone = Zone([a, b], (None, "a"))
    updates = zone.change([a, b], options=Options(OPTIONS.zone, 60, OPTIONS.negative_ttl, OPTIONS.advertise))
    assert [(update.view, len(update.services)) for update in updates] == [("any", 32), ("a", 2)]
    for update in updates:
        ttls = {rrset.ttl for records in update.services.values() if records for rrset in _rrsets(records.nodes)}
        assert ttls == {60}


def test_another_negative_ttl_or_address_is_an_apex_and_no_service() -> None:
    """What stands beside services is published with a greater serial; no service is."""
    (a,) = clusterset({"a": A})
    zone = Zone([a])
    (update,) = zone.change([a], options=Options(OPTIONS.zone, OPTIONS.ttl, 77, (b"\x7f\0\0\1",)))
    assert dict(update.services) == {}
    assert update.apex.soa.ttl == 77
    assert update.apex.nodes[from_text("ns.dns.clusterset.local")][0].rdata == (b"\x7f\0\0\1",)


def test_the_same_again_publishes_nothing() -> None:
    """An unchanged zone is not published, whatever is read again."""
    mirrors = clusterset({"a": A, "b": B})
    zone = Zone(mirrors)
    assert zone.change(mirrors) == []


async def _drain(zone: Zone) -> None:
    """Let the builder run until it rests."""
    running = asyncio.create_task(zone.builder.run())
    for _ in range(1000):
        await asyncio.sleep(0)
    running.cancel()


def _rrsets(nodes: Mapping[bytes, tuple[RRset, ...]]) -> Iterable[RRset]:
    return (rrset for node in nodes.values() for rrset in node)
