"""Changes: what a change of one object does to the zone, and what it leaves alone."""

from __future__ import annotations

import msgspec
import pytest

from mcsdns.clusterset.mirror import Mirror
from mcsdns.source.events import Apply, Delete, Event, InitApply, Resource
from mcsdns.zone.names import from_text
from mcsdns.zone.rrset import Node
from mcsdns.zone.snapshot import Snapshot
from tests.clustersets import Live, folder, listing
from tests.manifests import cluster_property, imported_slice, native_slice, service_import, together
from tests.spec.cases import MANIFESTS, NODATA, NOERROR, NXDOMAIN, Case, check

A = folder(MANIFESTS / "cluster-a")
B = folder(MANIFESTS / "cluster-b")
HEADLESS = [
    Case("web.test", "A", NOERROR, "10.1.0.1"),
    Case("web-0.cluster-a.web.test", "A", NOERROR, "10.1.0.1"),
    Case("_https._tcp.web.test", "SRV", NOERROR, "443 web-0.cluster-a.web.test"),
    Case("web.test", "SRV", NOERROR, "443 web-0.cluster-a.web.test"),
    Case("_http._tcp.web.test", "SRV", NXDOMAIN),
]
CLUSTERSET_IP = [
    Case("web.test", "A", NOERROR, "10.42.42.42"),
    Case("web-0.cluster-a.web.test", "A", NXDOMAIN),
    Case("_https._tcp.web.test", "SRV", NOERROR, "443 web.test"),
    Case("_http._tcp.web.test", "SRV", NOERROR, "80 web.test"),
]


@pytest.fixture
def live() -> Live:
    live = Live([Mirror("cluster-a"), Mirror("cluster-b")], ["cluster-a", "cluster-b"])
    live.list("cluster-a", A)
    live.list("cluster-b", B)
    return live


def applies(cluster: str, text: str) -> list[Event]:
    """Give the objects of a YAML text as changes."""
    return [
        Apply(cluster, event.resource, event.obj) for event in listing(cluster, text) if isinstance(event, InitApply)
    ]


def names(zone: Snapshot) -> dict[bytes, Node]:
    return {name: node for records in zone.services.values() for name, node in records.nodes.items()}


def test_a_cluster_withdraws(live: Live) -> None:
    """cluster-b withdraws: its addresses, host names and SRVs leave and nothing else moves."""
    zone = live.zones["cluster-a"]
    before = names(zone)
    slices = ("imported-hl-cluster-b-v4", "imported-hl-cluster-b-v6")
    updates = live.tell(*(Delete("cluster-a", Resource.ENDPOINT_SLICES, "test", name) for name in slices))
    live.list("cluster-b", "")

    check(Case("hl.test", "A", NOERROR, "10.1.0.1 10.1.0.2"), zone)
    check(Case("hl.test", "AAAA", NODATA), zone)
    check(Case("cluster-b.hl.test", "A", NXDOMAIN), zone)
    check(Case("my-pet-1.cluster-b.hl.test", "A", NXDOMAIN), zone)
    check(Case("hl.test", "SRV", NOERROR, "443 my-pet-1.cluster-a.hl.test, 443 my-pet-2.cluster-a.hl.test"), zone)
    check(Case("my-pet-1.cluster-a.hl.test", "A", NOERROR, "10.1.0.1"), zone)
    hl = from_text("hl.test.svc.clusterset.local")
    assert {owner for update in updates for owner in update.services} == {hl}, "no other service is touched"
    assert {name: node for name, node in names(zone).items() if not name.endswith(hl)} == {
        name: node for name, node in before.items() if not name.endswith(hl)
    }


def test_the_last_import_is_deleted(live: Live) -> None:
    """Last import deleted → NXDOMAIN, for the service and all below it; the namespace follows with its last service."""
    zone = live.zones["cluster-b"]
    check(Case("web.test", "A", NOERROR, "10.43.43.43"), zone)
    live.tell(Delete("cluster-b", Resource.SERVICE_IMPORTS, "test", "web"))
    check(Case("web.test", "A", NXDOMAIN), zone)
    check(Case("_https._tcp.web.test", "SRV", NXDOMAIN), zone)
    check(Case("test", "A", NXDOMAIN, note="cluster-b imported nothing else"), zone)
    check(Case("web.test", "A", NOERROR, "10.42.42.42", note="cluster-a's own"), live.zones["cluster-a"])


def test_a_service_turns_headless_in_one_step(live: Live) -> None:
    """An import turns Headless → all records of the old shape go in the same instant the new ones come."""
    zone = live.zones["cluster-a"]
    live.tell(*applies("cluster-a", imported_slice("web", "cluster-a", "web-0=10.1.0.1", ports=["https 443/TCP"])))
    for case in CLUSTERSET_IP:
        check(case, zone)
    updates = live.tell(*applies("cluster-a", service_import("web", headless=True, ports=["https 443/TCP"])))
    assert [update.view for update in updates] == ["cluster-a"], "one update, and only in this view"
    assert set(updates[0].services) == {from_text("web.test.svc.clusterset.local")}
    for case in HEADLESS:
        check(case, zone)
    live.tell(*applies("cluster-a", service_import("web", ips=["10.42.42.42"], ports=["https 443/TCP", "http 80/TCP"])))
    for case in CLUSTERSET_IP:
        check(case, zone)


def test_two_views_answer_their_own(live: Live) -> None:
    """Two views with different ClusterSet IPs answer their own (KEP-1645), and only what their cluster imports."""
    check(Case("web.test", "A", NOERROR, "10.42.42.42"), live.zones["cluster-a"])
    check(Case("web.test", "A", NOERROR, "10.43.43.43"), live.zones["cluster-b"])
    check(Case("dual.test", "A", NOERROR, "10.42.0.7"), live.zones["cluster-a"])
    check(Case("dual.test", "A", NXDOMAIN), live.zones["cluster-b"])


def test_a_change_of_one_view_is_published_in_that_view_alone(live: Live) -> None:
    """What changes nothing in a view moves no serial of it."""
    updates = live.tell(*applies("cluster-b", service_import("web", ips=["10.43.43.44"])))
    assert [update.view for update in updates] == ["cluster-b"]


def test_readiness_comes_and_goes(live: Live) -> None:
    """A headless service appears with its first ready endpoint and is NXDOMAIN again without one."""
    zone = live.zones["cluster-a"]
    name = {"name": "imported-hlx-cluster-a", "ports": ["http 80/TCP"]}
    check(Case("hlx.test", "A", NXDOMAIN), zone)
    live.tell(*applies("cluster-a", imported_slice("hlx", "cluster-a", "hlx-0=10.1.5.1", **name)))
    check(Case("hlx.test", "A", NOERROR, "10.1.5.1"), zone)
    check(Case("hlx-0.cluster-a.hlx.test", "A", NOERROR, "10.1.5.1"), zone)
    live.tell(*applies("cluster-a", imported_slice("hlx", "cluster-a", "hlx-0=10.1.5.1 !ready", **name)))
    check(Case("hlx.test", "A", NXDOMAIN), zone)


def test_a_slice_moves_to_another_service(live: Live) -> None:
    """A slice whose service label changes leaves the one service and joins the other in one update."""
    zone = live.zones["cluster-a"]
    updates = live.tell(
        *applies("cluster-a", imported_slice("hl4", "cluster-a", "moved=10.1.4.20", name="imported-hlpl-cluster-a"))
    )
    assert len(updates) == 1
    check(Case("hlpl.test", "A", NXDOMAIN), zone)
    check(Case("hl4.test", "A", NOERROR, "10.1.3.1 10.1.4.20"), zone)
    check(Case("moved.cluster-a.hl4.test", "A", NOERROR, "10.1.4.20"), zone)


def test_a_slice_loses_its_label(live: Live) -> None:
    """A slice that no longer is of any service counts for none."""
    zone = live.zones["cluster-a"]
    bare = imported_slice("hlpl", "cluster-a", "10.1.4.20").replace("multicluster.kubernetes.io/service-name", "other")
    live.tell(*applies("cluster-a", bare))
    check(Case("hlpl.test", "A", NXDOMAIN), zone)


def test_the_serial_grows_with_every_update(live: Live) -> None:
    """The SOA serial grows by one at least with every published change."""
    zone = live.zones["cluster-a"]
    serials = [zone.serial]
    for octet in range(5):
        live.tell(*applies("cluster-a", service_import("web", ips=[f"10.42.0.{octet}"])))
        serials.append(zone.serial)
        assert zone.apex.soa.rdata[0][-20:-16] == zone.serial.to_bytes(4, "big")
    assert serials == sorted(set(serials))
    live.tell(*applies("cluster-a", service_import("web", ips=["10.42.0.4"])))
    assert zone.serial == serials[-1], "the same again is no change"


def test_a_new_resource_version_alone_is_no_change(live: Live) -> None:
    """An object that comes again as it was marks nothing dirty."""
    (first,) = applies("cluster-a", service_import("dual", ips=["10.42.0.7"]))
    assert isinstance(first, Apply)
    assert live.tell(first)
    metadata = msgspec.structs.replace(first.obj.metadata, resource_version="999")
    assert not live.tell(Apply("cluster-a", first.resource, msgspec.structs.replace(first.obj, metadata=metadata)))


def test_a_cluster_changes_its_id() -> None:
    """A ClusterProperty that changes moves the host names of that cluster's endpoints to the new id, all at once."""
    live = Live([Mirror("a"), Mirror("b")], [None])
    live.list("a", service_import("db", headless=True, clusters=["b", "b.eu"]))
    live.list("b", native_slice("db", "db-0=10.0.0.1"))
    check(Case("db-0.b.db.test", "A", NOERROR, "10.0.0.1"), live.zones[None])
    live.tell(*applies("b", cluster_property("b.eu")))
    check(Case("db-0.b.db.test", "A", NXDOMAIN), live.zones[None])
    check(Case("db-0.b.eu.db.test", "A", NOERROR, "10.0.0.1"), live.zones[None])
    live.tell(Delete("b", Resource.CLUSTER_PROPERTIES, "", "cluster.clusterset.k8s.io"))
    check(Case("db-0.b.db.test", "A", NOERROR, "10.0.0.1"), live.zones[None])


def test_a_relist_that_lost_a_service_removes_it() -> None:
    """At init-done what was not re-applied is gone."""
    live = Live([Mirror("a")], ["a"])
    live.list("a", together(service_import("one", ips=["10.0.0.1"]), service_import("two", ips=["10.0.0.2"])))
    live.list("a", service_import("two", ips=["10.0.0.2"]))
    check(Case("one.test", "A", NXDOMAIN), live.zones["a"])
    check(Case("two.test", "A", NOERROR, "10.0.0.2"), live.zones["a"])


def test_a_duplicate_id_is_given_back() -> None:
    """A cluster that was refused for its id speaks as soon as the first one gives the id up, though that one has no service."""
    live = Live([Mirror("a"), Mirror("b", "same")], [None])
    live.list("a", cluster_property("same"))
    live.list("b", service_import("web", ips=["10.0.0.1"]))
    check(Case("web.test", "A", NXDOMAIN), live.zones[None])
    live.tell(*applies("a", cluster_property("other")))
    check(Case("web.test", "A", NOERROR, "10.0.0.1"), live.zones[None])
