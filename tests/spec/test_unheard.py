"""No false NXDOMAIN: while a member cluster has not been heard whole, what is not found is SERVFAIL."""

from __future__ import annotations

import asyncio

import pytest

from mcsdns.builder import Builder
from mcsdns.clusterset.mirror import Mirror
from mcsdns.clusterset.model import View
from mcsdns.source.events import InitDone, Resource
from mcsdns.zone.build import service_owner
from mcsdns.zone.names import from_text
from mcsdns.zone.rrset import Update
from mcsdns.zone.snapshot import Snapshot
from mcsdns.zone.view import ZoneView
from tests.clustersets import OPTIONS, SERIAL, clusterset, hear, listing, zone_of
from tests.manifests import imported_slice, service_import, together
from tests.spec.cases import NODATA, NOERROR, NXDOMAIN, SERVFAIL, Case, check

A = together(service_import("web", ips=["10.42.0.1"], ports=["http 80/TCP"]), service_import("db", headless=True))
B = imported_slice("db", "b", "db-0=10.0.0.1")

HELD_BACK = [
    "nosuch.test",
    "db.test",
    "db-0.b.db.test",
    "web.nosuch",
    "nosuch",
    "_x._tcp.web.test",
    "foo.clusterset.local.",
]
FOUND = [
    Case("web.test", "A", NOERROR, "10.42.0.1"),
    Case("_http._tcp.web.test", "SRV", NOERROR, "80 web.test"),
    Case("web.test", "AAAA", NODATA),
    Case("test", "A", NODATA),
    Case("dns-version.clusterset.local.", "TXT", NOERROR, '"1.0.0"'),
    Case("clusterset.local.", "A", NODATA),
]


@pytest.mark.parametrize("qname", HELD_BACK)
def test_not_found_is_servfail_until_every_cluster_is_heard(qname: str) -> None:
    """In Z, not found, and not every cluster has been heard: SERVFAIL with EDE 14, never NXDOMAIN."""
    check(Case(qname, "A SRV TXT", SERVFAIL), zone_of(clusterset({"a": A, "b": None})))


@pytest.mark.parametrize("case", FOUND, ids=str)
def test_what_is_found_is_answered_meanwhile(case: Case) -> None:
    """A cluster that has not been heard keeps only the negatives back: what is found is answered."""
    check(case, zone_of(clusterset({"a": A, "b": None})))


def test_nothing_heard_at_all() -> None:
    """Before anything has been heard every name of a service is SERVFAIL, and the apex is served."""
    zone = zone_of(clusterset({"a": None, "b": None}))
    check(Case("web.test", "A", SERVFAIL), zone)
    check(Case("test", "A", SERVFAIL), zone)
    check(Case("svc.clusterset.local.", "A", NODATA), zone)


def test_negatives_are_given_when_the_last_cluster_is_heard() -> None:
    """When every cluster has been heard, what is not found is NXDOMAIN."""
    mirrors = clusterset({"a": A, "b": None})
    hear(mirrors[1], B)
    zone = zone_of(mirrors)
    check(Case("nosuch.test", "A", NXDOMAIN), zone)
    check(Case("db-0.b.db.test", "A", NOERROR, "10.0.0.1"), zone)


@pytest.mark.parametrize("last", list(Resource))
def test_a_cluster_counts_when_all_of_its_resources_are_listed(last: Resource) -> None:
    """Imports without their slices would be a false NXDOMAIN: a cluster counts when every resource has been listed once."""
    mirror = Mirror("a")
    events = list(listing("a", together(A, B)))
    for event in events:
        if event.resource is not last:
            assert not set(mirror.feed(event)), "nothing of it is visible yet"
    check(Case("web.test", "A", SERVFAIL), zone_of([mirror]))
    dirty = {key for event in events if event.resource is last for key in mirror.feed(event)}
    assert {key.name for key in dirty} == {"web", "db"}, "all of it becomes visible at once"
    check(Case("db.test", "A", NOERROR, "10.0.0.1"), zone_of([mirror]))


def test_a_list_that_is_less_than_whole_proves_no_absence() -> None:
    """What could not be read may exist: what is there counts, and what is not found stays SERVFAIL until the list is whole."""
    mirror = Mirror("a")
    hear(mirror, A, whole=False)
    check(Case("web.test", "A", NOERROR, "10.42.0.1"), zone_of([mirror]))
    check(Case("nosuch.test", "A", SERVFAIL), zone_of([mirror]))
    hear(mirror, A, whole=True)
    check(Case("nosuch.test", "A", NXDOMAIN), zone_of([mirror]))


def test_one_resource_that_is_less_than_whole_is_enough() -> None:
    """Absence proves something only where every resource is whole."""
    mirror = Mirror("a")
    hear(mirror, A)
    assert mirror.is_whole
    list(mirror.feed(InitDone("a", Resource.ENDPOINT_SLICES, whole=False)))
    assert mirror.is_heard
    assert not mirror.is_whole


def test_a_relist_under_way_changes_nothing() -> None:
    """Between init and init-done the old state stays in force; at init-done the new one replaces it in one step."""
    mirror = Mirror("a")
    hear(mirror, A)
    check(Case("web.test", "A", NOERROR, "10.42.0.1"), zone_of([mirror]))
    for event in listing("a", service_import("web", ips=["10.42.0.99"])):
        if isinstance(event, InitDone) and event.resource is Resource.SERVICE_IMPORTS:
            check(Case("web.test", "A", NOERROR, "10.42.0.1"), zone_of([mirror]))
            check(Case("db.test", "A", NXDOMAIN), zone_of([mirror]))
            assert {key.name for key in mirror.feed(event)} == {"web", "db"}
        else:
            list(mirror.feed(event))
    check(Case("web.test", "A", NOERROR, "10.42.0.99"), zone_of([mirror]))


def test_a_cluster_that_is_heard_while_another_is_built_brings_no_false_nxdomain(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """An update says that the zone is complete only if every service of every cluster has been built."""
    monkeypatch.setattr("mcsdns.source.pace.SLICE_S", -1.0)  # yield after every service
    updates: list[Update] = []
    mirrors = clusterset({"a": None, "b": None})
    view = ZoneView(View(None), OPTIONS, SERIAL)
    builder = Builder(mirrors, (), [view], updates.append, lambda cluster, seconds: None)

    async def hear_b_while_a_is_built() -> None:
        for event in listing("a", A):
            builder.sink(event)
        building = asyncio.create_task(builder.batch())
        await asyncio.sleep(0)
        for event in listing("b", service_import("late", ips=["10.42.0.2"])):
            builder.sink(event)
        await building
        await builder.batch()

    asyncio.run(hear_b_while_a_is_built())
    zone = Snapshot(updates[0])
    for update in updates:
        zone.apply(update)
        found = zone.find(from_text("late.test.svc.clusterset.local")) is not None
        assert found or not zone.complete, "a false NXDOMAIN"
    check(Case("late.test", "A", NOERROR, "10.42.0.2"), zone)


def test_a_batch_that_is_staged_in_parts_is_published_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    """The records of a large batch go to the plane as they are built, and nothing of them is seen before all are."""
    monkeypatch.setattr("mcsdns.source.pace.SLICE_S", -1.0)  # yield after every service
    log: list[tuple[str, set[bytes]]] = []
    (mirror,) = mirrors = clusterset({"a": None})
    builder = Builder(
        mirrors,
        (),
        [ZoneView(View(None), OPTIONS, SERIAL)],
        lambda update: log.append(("publish", {*update.services})),
        lambda cluster, seconds: None,
        stage=lambda view, services: log.append((view, {*services})),
    )
    for event in listing("a", A):
        builder.sink(event)
    keys = mirror.keys()
    asyncio.run(builder.batch())
    *staged, published = log
    assert len(staged) == len(keys) > 1
    assert {owner for _, services in staged for owner in services} == {service_owner(key, OPTIONS.zone) for key in keys}
    assert published == ("publish", set())


def test_a_view_whose_own_cluster_is_refused_keeps_its_negatives_back() -> None:
    """A cluster that is refused for its id imports nothing: in its view everything would be NXDOMAIN, so it is SERVFAIL."""
    mirrors = clusterset({"a": A, "b": service_import("own", ips=["10.42.0.2"])}, {"a": "same", "b": "same"})
    check(Case("nosuch.test", "A", NXDOMAIN), zone_of(mirrors, "a"))
    check(Case("own.test", "A", SERVFAIL), zone_of(mirrors, "b"))
    check(Case("own.test", "A", NXDOMAIN, note="refused, and said loudly"), zone_of(mirrors))
