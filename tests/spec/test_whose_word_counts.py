"""Which cluster is believed about what (design.md §4)."""

from __future__ import annotations

import pytest

from mcsdns.clusterset.merge import duplicates, merge
from mcsdns.clusterset.mirror import Mirror
from mcsdns.clusterset.model import Reason, Service, ServiceKey, View
from tests.clustersets import clusterset, zone_of
from tests.manifests import (
    NATIVE_SERVICE,
    SERVICE_NAME,
    SOURCE_CLUSTER,
    cluster_property,
    endpoint_slice,
    imported_slice,
    native_slice,
    service_export,
    service_import,
    together,
)
from tests.spec.cases import NODATA, NOERROR, NXDOMAIN, SERVFAIL, Case, check, example

DB = ServiceKey("test", "db")
HEADLESS = service_import("db", headless=True)
EXPORT = service_export("db")
OWN = imported_slice("db", "b", "db-0=10.0.0.1")
NATIVE = together(EXPORT, native_slice("db", "db-0=10.0.0.2"))
OTHER = imported_slice("db", "b", "db-0=10.0.0.3")
LAST = imported_slice("db", "b", "db-0=10.0.0.4")


def service(mirrors: list[Mirror], view: str | None = None, key: ServiceKey = DB) -> Service:
    found = merge(key, mirrors, View(view))
    assert found is not None
    return found


def reasons(mirrors: list[Mirror], view: str | None = None) -> list[tuple[Reason, str]]:
    return [(omission.reason, omission.cluster) for omission in service(mirrors, view).omissions]


@pytest.mark.parametrize(
    ("a", "b", "c", "d", "believed"),
    [
        (OWN, NATIVE, OTHER, LAST, "10.0.0.1"),
        ("", NATIVE, OTHER, LAST, "10.0.0.2"),
        ("", "", OTHER, LAST, "10.0.0.3"),
        ("", "", "", LAST, "10.0.0.4"),
        (OWN, "", OTHER, "", "10.0.0.1"),
        (OWN, NATIVE, "", "", "10.0.0.1"),
    ],
)
def test_the_order_of_belief(a: str, b: str, c: str, d: str, believed: str) -> None:
    """
    About a source cluster the first that says anything is believed, and it alone: the view's own imported slices; its native
    slices; another cluster's imported slices, in the order of the configuration.
    """
    mirrors = clusterset({"c": c, "a": together(HEADLESS, a), "d": d, "b": b})
    zone = zone_of(mirrors, "a")
    check(Case("db-0.b.db.test", "A", NOERROR, believed), zone)
    check(Case("db.test", "A", NOERROR, believed), zone)
    others = sum(1 for text in (a, b, c, d) if text) - 1
    assert [reason for reason, _ in reasons(mirrors, "a")] == [Reason.OUTRANKED] * others


@pytest.mark.parametrize(
    ("a", "b", "c", "believed"),
    [(OWN, NATIVE, OTHER, "10.0.0.2"), (OWN, "", OTHER, "10.0.0.1"), ("", "", OTHER, "10.0.0.3")],
)
def test_a_view_of_no_cluster_has_no_slices_of_its_own(a: str, b: str, c: str, believed: str) -> None:
    """For a view of no particular cluster native slices come first, then imported ones in the order of the configuration."""
    mirrors = clusterset({"a": together(HEADLESS, a), "c": c, "b": b})
    check(Case("db-0.b.db.test", "A", NOERROR, believed), zone_of(mirrors))


def test_each_source_cluster_is_judged_alone() -> None:
    """What is believed about one source cluster says nothing about another."""
    mirrors = clusterset(
        {
            "a": together(HEADLESS, imported_slice("db", "b", "x=10.0.0.1")),
            "b": together(EXPORT, native_slice("db", "x=10.0.0.2")),
            "c": together(EXPORT, native_slice("db", "x=10.0.0.3"), imported_slice("db", "d", "x=10.0.0.4")),
        }
    )
    zone = zone_of(mirrors, "a")
    check(Case("x.b.db.test", "A", NOERROR, "10.0.0.1"), zone)
    check(Case("x.c.db.test", "A", NOERROR, "10.0.0.3"), zone)
    check(Case("x.d.db.test", "A", NOERROR, "10.0.0.4"), zone)


def test_who_says_that_nothing_is_ready_has_said_something() -> None:
    """Believed slices without a ready endpoint are believed all the same: no one behind them is asked."""
    mirrors = clusterset(
        {
            "a": together(HEADLESS, imported_slice("db", "b", "db-0=10.0.0.1 !ready")),
            "b": together(EXPORT, native_slice("db", "db-0=10.0.0.2")),
        }
    )
    check(Case("db.test", "A", NXDOMAIN), zone_of(mirrors, "a"))
    check(Case("db.test", "A", NOERROR, "10.0.0.2"), zone_of(mirrors))


def test_slices_without_source_cluster_count_at_the_service_alone() -> None:
    """No source-cluster label: addresses count at the service name; no host names, no SRV targets for them."""
    text = together(
        HEADLESS,
        imported_slice("db", None, "lost=10.0.0.9", ports=["pg 5432/TCP"]),
        imported_slice("db", "a", "db-0=10.0.0.1", ports=["pg 5432/TCP"]),
    )
    zone = zone_of(clusterset({"a": text}))
    check(Case("db.test", "A", NOERROR, "10.0.0.1 10.0.0.9"), zone)
    check(Case("db.test", "SRV", NOERROR, "5432 db-0.a.db.test", note="and not silence"), zone)
    check(Case("lost.a.db.test", "A", NXDOMAIN), zone)
    check(Case("lost.db.test", "A", NXDOMAIN), zone)


def test_slices_without_source_cluster_alone() -> None:
    """A service of which no slice has a source-cluster label has addresses and no SRV."""
    text = together(HEADLESS, imported_slice("db", None, "lost=10.0.0.9", ports=["pg 5432/TCP"]))
    zone = zone_of(clusterset({"a": text}))
    check(Case("db.test", "A", NOERROR, "10.0.0.9"), zone)
    check(Case("db.test", "SRV", NODATA), zone)
    check(Case("_pg._tcp.db.test", "SRV", NXDOMAIN), zone)


def test_a_bad_source_cluster_is_none() -> None:
    """A source-cluster that is no cluster id counts as if it were not there, and is named."""
    text = together(HEADLESS, imported_slice("db", "a.b.c", "db-0=10.0.0.9", name="three"))
    mirrors = clusterset({"a": text})
    zone = zone_of(mirrors)
    check(Case("db.test", "A", NOERROR, "10.0.0.9"), zone)
    check(Case("db-0.a.b.c.db.test", "A", NXDOMAIN), zone)
    assert reasons(mirrors) == [(Reason.BAD_CLUSTER_ID, "a")]


def test_unattributed_slices_follow_the_same_order() -> None:
    """Imported slices that name no source cluster are a group of their own: the view's own come first."""
    lost = {c: imported_slice("db", None, f"10.0.0.{n}") for n, c in enumerate("abc", 1)}
    mirrors = clusterset({"b": lost["b"], "a": together(HEADLESS, lost["a"]), "c": lost["c"]})
    check(Case("db.test", "A", NOERROR, "10.0.0.1"), zone_of(mirrors, "a"))
    check(Case("db.test", "A", NOERROR, "10.0.0.2"), zone_of(mirrors))


@pytest.mark.parametrize(
    ("export", "clusters", "counts"),
    [
        (EXPORT, [], True),
        ("", ["b"], True),
        ("", ["a", "c"], False),
        ("", [], False),
        (service_export("db", conditions=[{"type": "Valid", "status": "False"}]), [], False),
        (service_export("db", conditions=[{"type": "Valid", "status": "False"}]), ["b"], True),
        (service_export("db", conditions=[{"type": "Valid", "status": "Unknown"}]), [], True),
        (service_export("other"), [], False),
        (service_export("db", namespace="elsewhere"), [], False),
    ],
)
def test_native_slices_count_only_where_the_service_is_exported(export: str, clusters: list[str], counts: bool) -> None:
    """Native slices count only if their cluster has a ServiceExport of that name, or the import's `status.clusters` names it."""
    mirrors = clusterset(
        {
            "a": service_import("db", headless=True, clusters=clusters),
            "b": together(export, native_slice("db", "db-0=10.0.0.2"))
            if export
            else native_slice("db", "db-0=10.0.0.2"),
        }
    )
    case = Case("db-0.b.db.test", "A", NOERROR, "10.0.0.2") if counts else Case("db.test", "A", NXDOMAIN)
    check(case, zone_of(mirrors, "a"))
    assert reasons(mirrors, "a") == ([] if counts else [(Reason.NOT_EXPORTED, "b")])


def test_a_slice_with_both_labels_is_imported() -> None:
    """A slice that carries the multicluster label is imported, whatever else it carries."""
    labels = {SERVICE_NAME: "db", SOURCE_CLUSTER: "c", NATIVE_SERVICE: "derived-db-4f2"}
    mirrors = clusterset({"a": together(HEADLESS, endpoint_slice("both", labels, ["db-0=10.0.0.1"]))})
    zone = zone_of(mirrors)
    check(Case("db-0.c.db.test", "A", NOERROR, "10.0.0.1"), zone)
    check(Case("derived-db-4f2.test", "A", NXDOMAIN), zone)


def test_a_source_cluster_label_does_not_make_a_slice_imported() -> None:
    """A native slice speaks for the cluster that holds it, even if it carries a source-cluster label."""
    labels = {NATIVE_SERVICE: "db", SOURCE_CLUSTER: "c"}
    mirrors = clusterset({"a": together(HEADLESS, EXPORT, endpoint_slice("n", labels, ["db-0=10.0.0.1"]))})
    check(Case("db-0.a.db.test", "A", NOERROR, "10.0.0.1"), zone_of(mirrors))


def test_type_ports_and_ips_are_the_views_own() -> None:
    """For a view of V type, ports and IPs come from V's own import; for no cluster, from the first that has it."""
    mirrors = clusterset(
        {
            "a": "",
            "b": service_import("db", ips=["10.42.0.2"], ports=["pg 2/TCP"]),
            "c": together(HEADLESS, imported_slice("db", "c", "db-0=10.0.0.3")),
        }
    )
    check(Case("db.test", "A", NOERROR, "10.42.0.2"), zone_of(mirrors, "b"))
    check(Case("db.test", "A", NOERROR, "10.42.0.2"), zone_of(mirrors))
    check(Case("db.test", "A", NOERROR, "10.0.0.3"), zone_of(mirrors, "c"))
    check(Case("db.test", "A", NXDOMAIN, note="a holds no import of it"), zone_of(mirrors, "a"))
    assert reasons(mirrors, "b") == [(Reason.IMPORT_DIFFERS, "c")]


def test_an_import_that_cannot_be_taken_is_passed_over_by_the_view_of_no_cluster() -> None:
    """A cluster whose import has no valid type has no import: the next one gives the view its type."""
    bad = service_import("db").replace("ClusterSetIP", "ExternalName")
    mirrors = clusterset({"a": bad, "b": service_import("db", ips=["10.42.0.2"])})
    check(Case("db.test", "A", NOERROR, "10.42.0.2"), zone_of(mirrors))
    check(Case("db.test", "A CNAME", NXDOMAIN), zone_of(mirrors, "a"))
    assert reasons(mirrors) == [(Reason.BAD_TYPE, "a")]


@pytest.mark.parametrize(
    ("configured", "held", "expected"),
    [
        (None, None, "b"),
        (None, "b.eu", "b.eu"),
        ("b.us", None, "b.us"),
        ("b.us", "b.eu", "b.us"),
        (None, "Not.An.Id", "b"),
    ],
)
def test_the_cluster_id(configured: str | None, held: str | None, expected: str) -> None:
    """The cluster id is the configured one, else the ClusterProperty's, else the configured name (KEP-2149)."""
    text = together(EXPORT, native_slice("db", "db-0=10.0.0.2"), *([cluster_property(held)] if held else []))
    mirrors = clusterset({"a": HEADLESS, "b": text}, {"b": configured} if configured else {})
    check(Case(f"db-0.{expected}.db.test", "A", NOERROR, "10.0.0.2"), zone_of(mirrors, "a"))
    assert mirrors[1].property_id == (held if held != "Not.An.Id" else None), "so that a disagreement can be told"


def test_status_clusters_holds_cluster_ids() -> None:
    """The import's `status.clusters` names clusters by their ids, not by the names that the configuration gives them."""
    for listed, rcode, answer in (("b.eu", NOERROR, "10.0.0.2"), ("b", NXDOMAIN, "")):
        held = {"a": service_import("db", headless=True, clusters=[listed]), "b": native_slice("db", "db-0=10.0.0.2")}
        check(Case("db.test", "A", rcode, answer), zone_of(clusterset(held, {"b": "b.eu"}), "a"))


def test_another_cluster_property_is_no_id() -> None:
    """Only the property `cluster.clusterset.k8s.io` holds the cluster id."""
    text = together(EXPORT, native_slice("db", "db-0=10.0.0.2"), cluster_property("x", name="clusterset.k8s.io"))
    check(Case("db-0.b.db.test", "A", NOERROR, "10.0.0.2"), zone_of(clusterset({"a": HEADLESS, "b": text}), "a"))


def test_of_two_clusters_with_one_id_the_first_speaks() -> None:
    """A cluster whose id another one before it has says nothing, and that is told."""
    one = together(HEADLESS, EXPORT, native_slice("db", "db-0=10.0.0.1"))
    two = together(EXPORT, native_slice("db", "db-1=10.0.0.2"), service_import("only-two", ips=["10.42.0.2"]))
    mirrors = clusterset({"a": one, "b": two}, {"a": "same", "b": "same"})
    zone = zone_of(mirrors)
    check(Case("db.test", "A", NOERROR, "10.0.0.1"), zone)
    check(Case("db-0.same.db.test", "A", NOERROR, "10.0.0.1"), zone)
    check(Case("only-two.test", "A", NXDOMAIN), zone)
    assert [(refused.cluster, first.cluster) for refused, first in duplicates(mirrors)] == [("b", "a")]


def test_a_cluster_that_has_not_been_heard_takes_no_id() -> None:
    """Until a cluster has been heard it says nothing, and so does not silence another one with its id either."""
    mirrors = clusterset({"a": None, "b": together(HEADLESS, NATIVE)}, {"a": "same", "b": "same"})
    zone = zone_of(mirrors)
    check(Case("db-0.same.db.test", "A", NOERROR, "10.0.0.2"), zone)
    check(Case("nosuch.test", "A", SERVFAIL), zone)


def test_the_example_in_the_view_of_no_cluster() -> None:
    """Without a view, cluster-b's own slices are believed about cluster-b, and about cluster-a those that cluster-a holds."""
    zone = zone_of(example())
    check(Case("my-pet-1.cluster-b.hl.test", "A", NOERROR, "172.16.0.1"), zone)
    check(Case("my-pet-1.cluster-a.hl.test", "A", NOERROR, "10.1.0.1"), zone)
    check(Case("10-2-0-9.cluster-b.hl.test", "A", NXDOMAIN), zone)


def test_a_conflict_of_an_export_is_told() -> None:
    """A ServiceExport's Conflict condition changes no record, but is named."""
    conflict = {"type": "Conflict", "status": "True", "reason": "PortConflict", "message": "ports differ"}
    text = together(HEADLESS, service_export("db", conditions=[conflict]), native_slice("db", "db-0=10.0.0.2"))
    mirrors = clusterset({"a": text})
    check(Case("db.test", "A", NOERROR, "10.0.0.2"), zone_of(mirrors))
    assert [(o.reason, o.detail) for o in service(mirrors).omissions] == [(Reason.EXPORT_CONFLICT, "ports differ")]
