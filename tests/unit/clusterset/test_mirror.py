"""The mirror of one watched cluster."""

from __future__ import annotations

import pytest

from mcsdns.clusterset.mirror import Mirror
from mcsdns.clusterset.model import Reason, ServiceKey
from mcsdns.source.events import Apply, Delete, Event, Init, InitApply, InitDone, InitDrop, Resource
from mcsdns.source.manifests import read
from tests.clustersets import hear
from tests.manifests import (
    cluster_property,
    imported_slice,
    native_slice,
    service_export,
    service_import,
    together,
)

WEB, DB = ServiceKey("test", "web"), ServiceKey("test", "db")
PROPERTY = "cluster.clusterset.k8s.io"
TRIGGERED = imported_slice("db", "x", "10.0.0.1", name="s").replace(
    '"labels"', '"annotations": {"endpoints.kubernetes.io/last-change-trigger-time": "1970-01-01T00:00:10Z"}, "labels"'
)


def applies(text: str) -> list[Event]:
    return [Apply("a", resource, obj) for resource, obj in read(text.encode(), is_json=False).objects]


def feed(mirror: Mirror, *events: Event) -> set[ServiceKey]:
    return {key for event in events for key in mirror.feed(event)}


@pytest.fixture
def mirror() -> Mirror:
    mirror = Mirror("a")
    hear(mirror, "")
    return mirror


def test_nothing_is_visible_before_everything_is_listed() -> None:
    """The cluster counts from the moment when every resource has been listed once; then all of it is dirty."""
    mirror = Mirror("a")
    for resource, obj in read(together(service_import("web"), imported_slice("db", "a")).encode(), False).objects:
        assert not feed(mirror, Init("a", resource), InitApply("a", resource, obj), InitDone("a", resource))
    assert not mirror.is_heard
    assert not feed(mirror, Init("a", Resource.SERVICE_EXPORTS), InitDone("a", Resource.SERVICE_EXPORTS))
    last = Resource.CLUSTER_PROPERTIES
    assert feed(mirror, Init("a", last), InitDone("a", last)) == {WEB, DB}
    assert mirror.is_heard
    assert mirror.is_whole


@pytest.mark.parametrize(
    "text",
    [service_import("db"), service_export("db"), imported_slice("db", "x"), native_slice("db"), service_import("Db")],
)
def test_an_object_makes_its_service_dirty_once(mirror: Mirror, text: str) -> None:
    """An apply and a delete make their service dirty; one that comes again as it was marks nothing dirty."""
    (event,) = applies(text)
    assert isinstance(event, Apply)
    key = ServiceKey("test", "Db" if '"Db"' in text else "db")
    assert feed(mirror, event) == {key}
    assert feed(mirror, event) == set()
    assert mirror.keys() == {key}
    gone = Delete("a", event.resource, "test", event.obj.metadata.name)
    assert feed(mirror, gone) == {key}
    assert feed(mirror, gone) == set()
    assert mirror.keys() == set()


def test_a_delete_of_what_is_not_known_is_nothing(mirror: Mirror) -> None:
    """Duplicates do no harm."""
    assert not feed(mirror, *(Delete("a", resource, "test", "x") for resource in Resource))


def test_a_slice_that_moves_makes_both_services_dirty(mirror: Mirror) -> None:
    """A slice whose label changes leaves one service and joins another."""
    feed(mirror, *applies(imported_slice("db", "x", "10.0.0.1", name="s")))
    assert feed(mirror, *applies(imported_slice("web", "x", "10.0.0.1", name="s"))) == {WEB, DB}
    assert list(mirror.slices_of(DB)) == []
    assert list(mirror.slices_of(WEB)) == ["s"]


def test_a_slice_that_can_no_longer_be_taken_makes_its_service_dirty(mirror: Mirror) -> None:
    """A slice that becomes Rejected, and one that no longer concerns the zone, counts no more."""
    feed(mirror, *applies(imported_slice("db", "x", "10.0.0.1", name="s")))
    assert feed(mirror, *applies(imported_slice("db", "x", "a.example", name="s", family="FQDN"))) == {DB}
    assert list(mirror.slices_of(DB)) == []
    assert [omission.reason for omission in mirror.rejected_of(DB)] == [Reason.BAD_TYPE]
    bare = imported_slice("db", "x", name="s").replace("multicluster.kubernetes.io/service-name", "other")
    assert feed(mirror, *applies(bare)) == {DB}
    assert mirror.count(Resource.ENDPOINT_SLICES) == 0
    assert mirror.keys() == set()


def test_an_import_that_can_no_longer_be_taken(mirror: Mirror) -> None:
    """An import that loses its type is no import, and the reason is kept under its service."""
    feed(mirror, *applies(service_import("web", ips=["10.0.0.1"])))
    assert mirror.import_of(WEB) is not None
    assert feed(mirror, *applies(service_import("web").replace("ClusterSetIP", "?"))) == {WEB}
    assert mirror.import_of(WEB) is None
    (omission,) = mirror.rejected_of(WEB)
    assert (omission.reason, omission.object) == (Reason.BAD_TYPE, "ServiceImport test/web")


def test_an_import_that_can_be_taken_again(mirror: Mirror) -> None:
    """One that was rejected, and is none any more, is among what the cluster says."""
    feed(mirror, *applies(service_import("web").replace("ClusterSetIP", "?")))
    assert feed(mirror, *applies(service_import("web", ips=["10.0.0.1"]))) == {WEB}
    assert mirror.keys() == {WEB}
    assert [type(key) for key in mirror.each_key()] == [ServiceKey]


def test_a_list_replaces_in_one_step(mirror: Mirror) -> None:
    """A re-list makes dirty what it changes: what is gone, what is new, what differs, and not what stayed."""
    old = [service_import("gone"), service_import("same"), service_import("other")]
    hear(mirror, together(*old, imported_slice("sliced", "x")))
    changes = together(service_import("same"), service_import("other", ips=["10.0.0.1"]), service_import("new"))
    dirty = hear(mirror, together(changes, imported_slice("sliced", "x")))
    assert {key.name for key in dirty} == {"gone", "other", "new"}
    assert {key.name for key in mirror.keys()} == {"same", "other", "new", "sliced"}  # noqa: SIM118


def test_the_end_of_a_list_is_one_step(mirror: Mirror) -> None:
    """All of it is there at once; which services it changes is worked out, and what it replaces freed, one object after the other."""
    slices = Resource.ENDPOINT_SLICES
    old, new = (
        [obj for _, obj in read(text.encode(), is_json=False).objects]
        for text in (
            together(*(imported_slice("db", "x", f"10.0.0.{number}", name=f"s{number}") for number in range(100))),
            together(*(imported_slice("db", "x", f"10.0.1.{number}", name=f"s{number}") for number in range(50))),
        )
    )
    feed(mirror, Init("a", slices), *(InitApply("a", slices, obj) for obj in old), InitDone("a", slices))
    feed(mirror, Init("a", slices), *(InitApply("a", slices, obj) for obj in new))
    assert len(mirror.slices_of(DB)) == 100
    before = mirror.slices_of(DB)
    changed = iter(mirror.feed(InitDone("a", slices)))
    assert {piece.endpoints[0].address[2] for piece in mirror.slices_of(DB).values()} == {1}
    assert (len(mirror.slices_of(DB)), len(before)) == (50, 100)
    assert (next(changed), len(before)) == (DB, 99)
    assert len([*changed]) == 2 * 50 + 50 - 1
    assert len(before) == 0


def test_a_change_while_a_list_comes_is_not_lost(mirror: Mirror) -> None:
    """No source does so; but if it did, what the list says in its place would be dirty."""
    imports = Resource.SERVICE_IMPORTS
    web = applies(service_import("web"))
    feed(mirror, *web)
    ((_, same),) = read(service_import("web").encode(), is_json=False).objects
    feed(mirror, Init("a", imports), InitApply("a", imports, same))
    assert feed(mirror, *applies(service_import("web", ips=["10.0.0.1"]))) == {WEB}
    assert feed(mirror, InitDone("a", imports)) == {WEB}


def test_a_list_that_broke_off_is_discarded(mirror: Mirror) -> None:
    """An Init that follows another without an InitDone discards what was collected since."""
    imports = Resource.SERVICE_IMPORTS
    objects = [obj for _, obj in read(together(service_import("web"), service_import("db")).encode(), False).objects]
    feed(mirror, Init("a", imports), InitApply("a", imports, objects[0]))
    assert mirror.keys() == set()
    assert feed(mirror, Init("a", imports), InitApply("a", imports, objects[1]), InitDone("a", imports)) == {DB}
    assert mirror.keys() == {DB}


def test_an_object_that_a_list_takes_back(mirror: Mirror) -> None:
    """It is not there at the end of the list; outside a list there is nothing to take back."""
    resource = Resource.SERVICE_IMPORTS
    ((_, web), (_, db)) = read(together(service_import("web"), service_import("db")).encode(), is_json=False).objects
    drop = InitDrop("a", resource, "test", "web")
    assert not feed(mirror, Init("a", resource), InitApply("a", resource, web), InitApply("a", resource, db), drop)
    assert feed(mirror, InitDone("a", resource)) == {DB}
    assert not feed(mirror, InitDrop("a", resource, "test", "db"))
    assert mirror.keys() == {DB}
    assert mirror.count(resource) == 1


def test_an_object_twice_in_a_list(mirror: Mirror) -> None:
    """The last one counts, even if it is one that does not concern the zone."""
    slices = Resource.ENDPOINT_SLICES
    one = imported_slice("db", "x", "10.0.0.1", name="s")
    bare = one.replace("multicluster.kubernetes.io/service-name", "other")
    for text, expected in ((together(one, bare), []), (together(bare, one), ["s"])):
        objects = [obj for _, obj in read(text.encode(), False).objects]
        feed(mirror, Init("a", slices), *(InitApply("a", slices, obj) for obj in objects), InitDone("a", slices))
        assert list(mirror.slices_of(DB)) == expected


def test_the_cluster_id_makes_everything_dirty(mirror: Mirror) -> None:
    """A ClusterProperty that comes, changes or goes changes the name of the cluster in every service."""
    feed(mirror, *applies(together(service_import("web"), native_slice("db"))))
    assert mirror.cluster_id == "a"
    assert feed(mirror, *applies(cluster_property("a.eu"))) == {WEB, DB}
    assert mirror.cluster_id == "a.eu"
    assert feed(mirror, *applies(cluster_property("a.us"))) == {WEB, DB}
    assert feed(mirror, *applies(cluster_property("Not an id"))) == {WEB, DB}
    assert (mirror.cluster_id, mirror.property_id) == ("a", None)
    assert [omission.reason for omission in mirror.rejected()] == [Reason.BAD_CLUSTER_ID]
    feed(mirror, *applies(cluster_property("a.eu")))
    assert feed(mirror, Delete("a", Resource.CLUSTER_PROPERTIES, "", PROPERTY)) == {WEB, DB}
    assert mirror.cluster_id == "a"


def test_the_configured_id_wins() -> None:
    """If the configured id and the ClusterProperty disagree, the configured one wins; both can be told."""
    mirror = Mirror("a", "a.conf")
    hear(mirror, cluster_property("a.prop"))
    assert (mirror.cluster_id, mirror.property_id) == ("a.conf", "a.prop")


def test_references_hold_the_last_version(mirror: Mirror) -> None:
    """A reference names the version that was last seen, even where nothing else changed."""
    for version in ("1", "2"):
        text = service_import("web").replace('"name": "web"', f'"name": "web", "resourceVersion": "{version}"')
        feed(mirror, *applies(text))
        ref = mirror.ref(Resource.SERVICE_IMPORTS, "test", "web", "note")
        assert (ref.cluster, ref.kind, ref.resource_version, ref.note) == ("a", "ServiceImport", version, "note")


def test_a_change_before_everything_is_listed_is_not_visible() -> None:
    """What changes in a resource that has been listed waits for the others as well, and nobody measures it."""
    mirror = Mirror("a")
    slices = Resource.ENDPOINT_SLICES
    feed(mirror, Init("a", slices), InitDone("a", slices))
    assert not feed(mirror, *applies(TRIGGERED))
    assert not feed(mirror, Delete("a", slices, "test", "s"))
    assert mirror.triggers == []


def test_trigger_times_are_kept_for_those_who_measure() -> None:
    """A slice that changes brings the time of its trigger; a first list, and one that comes again, brings none."""
    mirror = Mirror("a")
    hear(mirror, TRIGGERED)
    feed(mirror, *applies(TRIGGERED))
    assert mirror.triggers == []
    feed(mirror, *applies(TRIGGERED.replace("10.0.0.1", "10.0.0.2").replace(":10Z", ":20Z")))
    assert mirror.triggers == [(DB, "x", 20.0)]


def test_less_than_whole() -> None:
    """A list that is less than whole makes the mirror heard and not whole, until it is listed whole."""
    mirror = Mirror("a")
    hear(mirror, "", whole=False)
    assert (mirror.is_heard, mirror.is_whole) == (True, False)
    for resource in Resource:
        feed(mirror, Init("a", resource), InitDone("a", resource))
    assert mirror.is_whole


def test_counts(mirror: Mirror) -> None:
    """`count` counts what is held, rejected objects included, since they exist."""
    feed(mirror, *applies(together(service_import("web"), service_import("Bad"), imported_slice("db", "x"))))
    assert [mirror.count(resource) for resource in Resource] == [2, 0, 1, 0]
