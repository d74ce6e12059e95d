"""
Combining what the member clusters say: what is kept, what is left out, and that both can be told.

Not here: the order of belief (tests/spec/test_whose_word_counts.py).
"""

from __future__ import annotations

import itertools

from mcsdns.clusterset.merge import duplicates, importer, merge, speaking
from mcsdns.clusterset.model import Backends, Endpoint, Port, Reason, ServiceKey, ServiceType, View
from tests.clustersets import clusterset
from tests.manifests import (
    cluster_property,
    imported_slice,
    native_slice,
    service_export,
    service_import,
    together,
)

DB = ServiceKey("test", "db")
HEADLESS = service_import("db", headless=True)


def test_no_import_no_service() -> None:
    """None where the view holds no import, whatever else is known."""
    mirrors = clusterset({"a": together(native_slice("db", "10.0.0.1"), service_export("db")), "b": HEADLESS})
    assert merge(DB, mirrors, View("a")) is None
    assert merge(DB, mirrors, View("b")) is not None
    assert merge(ServiceKey("test", "other"), mirrors, View()) is None
    assert merge(DB, mirrors, View("nosuch")) is None
    assert merge(DB, [], View()) is None


def test_a_clusterset_ip_service_has_no_backends() -> None:
    """What slices say does not matter to a ClusterSetIP service."""
    text = together(
        service_import("db", ips=["10.42.0.1"], ports=["pg 5432/TCP"]), imported_slice("db", "a", "10.0.0.1")
    )
    service = merge(DB, clusterset({"a": text}), View())
    assert service is not None
    assert service.type is ServiceType.CLUSTERSET_IP
    assert (service.ips, service.ports, service.backends) == ((bytes((10, 42, 0, 1)),), (Port("pg", "tcp", 5432),), ())
    assert [ref.kind for ref in service.objects] == ["ServiceImport"]


def test_backends_are_sorted_by_cluster_and_address() -> None:
    """Endpoints are sorted by cluster id and address; those that no cluster is named for come first."""
    slices = [
        imported_slice("db", "z", "x=10.0.0.9", name="1"),
        imported_slice("db", "b", "x=10.0.0.2", "y=10.0.0.1", name="2"),
        imported_slice("db", None, "10.0.0.5", name="3"),
        imported_slice("db", "b", "x=2001:db8::1", name="4"),
    ]
    service = merge(DB, clusterset({"a": together(HEADLESS, *slices)}), View())
    assert service is not None
    assert [backends.cluster_id for backends in service.backends] == [None, "b", "b", "z"]
    assert service.backends[1] == Backends(
        "b", (Endpoint(bytes((10, 0, 0, 1)), "y"), Endpoint(bytes((10, 0, 0, 2)), "x")), ()
    )


def test_every_object_that_had_a_part_is_named() -> None:
    """`objects` names the import, the slices that are believed and the export that lets them count."""
    mirrors = clusterset(
        {
            "a": together(HEADLESS, imported_slice("db", "c", "10.0.0.1", name="of-c")),
            "b": together(service_export("db"), native_slice("db", "10.0.0.2", name="own")),
        }
    )
    service = merge(DB, mirrors, View("a"))
    assert service is not None
    assert [(ref.cluster, ref.kind, ref.name) for ref in service.objects] == [
        ("a", "EndpointSlice", "of-c"),
        ("a", "ServiceImport", "db"),
        ("b", "EndpointSlice", "own"),
        ("b", "ServiceExport", "db"),
    ]


def test_everything_that_is_left_out_is_named() -> None:
    """`omissions` names what is left out, with cluster, object and reason, each once."""
    mirrors = clusterset(
        {
            "a": together(
                service_import("db", headless=True, ips=["x"]),
                imported_slice("db", "b", "h=10.0.0.1 !ready", "bad.name=10.0.0.2", "10.0.0.256", name="own"),
                imported_slice("db", "x", "a.example", family="FQDN", name="fqdn"),
            ),
            "b": together(native_slice("db", "10.0.0.3", name="native"), service_import("db", ips=["10.42.0.1"])),
            "c": imported_slice("db", "b", "10.0.0.4", name="hearsay"),
        }
    )
    service = merge(DB, mirrors, View("a"))
    assert service is not None
    assert sorted((o.reason, o.cluster, o.object) for o in service.omissions) == sorted(
        [
            (Reason.BAD_ADDRESS, "a", "ServiceImport test/db"),
            (Reason.BAD_ADDRESS, "a", "EndpointSlice test/own"),
            (Reason.NOT_READY, "a", "EndpointSlice test/own"),
            (Reason.BAD_HOSTNAME, "a", "EndpointSlice test/own"),
            (Reason.BAD_TYPE, "a", "EndpointSlice test/fqdn"),
            (Reason.NOT_EXPORTED, "b", "EndpointSlice test/native"),
            (Reason.IMPORT_DIFFERS, "b", "ServiceImport test/db"),
            (Reason.OUTRANKED, "c", "EndpointSlice test/hearsay"),
        ]
    )
    assert len(set(service.omissions)) == len(service.omissions)


def test_an_import_that_differs_is_named() -> None:
    """Another cluster's import that differs in type or ports is named; other addresses are what KEP-1645 allows."""
    own = service_import("db", ips=["10.42.0.1"], ports=["pg 5432/TCP"])
    others = {
        service_import("db", ips=["10.42.0.2"], ports=["pg 5432/TCP"]): [],
        service_import("db", ips=["10.42.0.1"], ports=["pg 5433/TCP"]): [Reason.IMPORT_DIFFERS],
        service_import("db", headless=True, ports=["pg 5432/TCP"]): [Reason.IMPORT_DIFFERS],
    }
    for other, reasons in others.items():
        service = merge(DB, clusterset({"a": own, "b": other}), View("a"))
        assert service is not None
        assert [omission.reason for omission in service.omissions] == reasons


def test_omissions_are_sorted_and_each_once() -> None:
    """Equal facts are told equally: sorted, and each once, however often a slice repeats them."""
    text = together(HEADLESS, imported_slice("db", "a", "z=10.0.0.1 !ready", "a=x", "b=x", "a=10.0.0.2 !ready"))
    service = merge(DB, clusterset({"a": text}), View())
    assert service is not None
    assert [omission.reason for omission in service.omissions] == [
        Reason.BAD_ADDRESS,
        Reason.NOT_READY,
        Reason.NOT_READY,
    ]
    assert list(service.omissions) == sorted(service.omissions)


def test_the_omissions_of_slices_that_are_not_believed_are_not_told() -> None:
    """Of an outranked slice it is enough to know that it is."""
    mirrors = clusterset(
        {
            "a": together(HEADLESS, imported_slice("db", "x", "10.0.0.1")),
            "b": imported_slice("db", "x", "10.0.0.2 !ready"),
        }
    )
    service = merge(DB, mirrors, View("a"))
    assert service is not None
    assert [omission.reason for omission in service.omissions] == [Reason.OUTRANKED]


def test_the_order_of_mirrors_beside_the_rules_does_not_matter() -> None:
    """Where no rule goes by the order of the configuration, it does not show."""
    manifests = {
        "a": HEADLESS,
        "b": together(service_export("db"), native_slice("db", "x=10.0.0.2")),
        "c": together(service_export("db"), native_slice("db", "x=10.0.0.3")),
    }
    services = [
        merge(DB, clusterset({name: manifests[name] for name in order}), View("a"))
        for order in itertools.permutations("abc")
    ]
    assert all(service == services[0] for service in services)


def test_speaking_and_duplicates() -> None:
    """A cluster speaks when it has been heard and is the first to have its id; the refused one is named with the first."""
    mirrors = clusterset({"a": None, "b": cluster_property("x"), "c": cluster_property("x"), "d": ""}, {"a": "x"})
    assert [mirror.cluster for mirror in speaking(mirrors)] == ["b", "d"]
    assert [(refused.cluster, first.cluster) for refused, first in duplicates(mirrors)] == [("c", "b")]


def test_the_importer() -> None:
    """The importer is the view's own cluster, else the first that has the import; a refused cluster is none."""
    mirrors = clusterset({"a": "", "b": HEADLESS, "c": HEADLESS, "d": HEADLESS}, {"d": "c"})
    for view, expected in ((None, "b"), ("a", None), ("b", "b"), ("c", "c"), ("d", None)):
        found = importer(DB, mirrors, View(view))
        assert (found.cluster if found else None) == expected
