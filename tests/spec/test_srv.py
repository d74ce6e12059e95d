"""SRV records: where they stand, what they point to, and how many there are."""

from __future__ import annotations

import pytest

from mcsdns.zone.snapshot import Snapshot
from tests.clustersets import clusterset, zone_of
from tests.manifests import imported_slice, service_import, together
from tests.spec.cases import NODATA, NOERROR, NXDOMAIN, Case, ask, check

FIVE = ", ".join(
    f"443 {host}.hl.test"
    for host in (
        "my-pet-1.cluster-a",
        "my-pet-2.cluster-a",
        "my-pet-1.cluster-b",
        "10-2-0-9.cluster-b",
        "2001-db8-2--9.cluster-b",
    )
)
GLUE = ", ".join(
    (
        "my-pet-1.cluster-a.hl.test 10.1.0.1",
        "my-pet-2.cluster-a.hl.test 10.1.0.2",
        "my-pet-1.cluster-b.hl.test 10.2.0.1",
        "10-2-0-9.cluster-b.hl.test 10.2.0.9",
        "2001-db8-2--9.cluster-b.hl.test 2001:db8:2::9",
    )
)
CLUSTERSET_IP = [
    Case("_https._tcp.web.test", "SRV", NOERROR, "443 web.test", extra="web.test 10.42.42.42"),
    Case("_http._tcp.web.test", "SRV", NOERROR, "80 web.test"),
    Case("_https._tcp.web6.test", "SRV", NOERROR, "443 web6.test", extra="web6.test 2001:db8::1"),
    Case("_http._tcp.dual.test", "SRV", NOERROR, "80 dual.test", extra="dual.test 10.42.0.7, dual.test 2001:db8::7"),
    Case("_tcp._tcp.hello.test", "SRV", NOERROR, "42 hello.test"),
    Case("_udp._udp.hello.test", "SRV", NOERROR, "42 hello.test"),
]
HEADLESS = [
    Case("_https._tcp.hl.test", "SRV", NOERROR, FIVE, extra=GLUE),
    Case("_http._tcp.hldup.test", "SRV", NOERROR, "80 dup-name.cluster-a.hldup.test"),
    Case(
        "_pg._tcp.hlss.test",
        "SRV",
        NOERROR,
        "5432 db-0.cluster-a.hlss.test",
        extra="db-0.cluster-a.hlss.test 10.1.2.1, db-0.cluster-a.hlss.test 2001:db8:1::21",
    ),
    Case("_tcp._tcp.hl4.test", "SRV", NOERROR, "42 10-1-3-1.cluster-a.hl4.test"),
    Case("_udp._udp.hl4.test", "SRV", NOERROR, "42 10-1-3-1.cluster-a.hl4.test"),
]
BARE_NAME = [
    Case("web.test", "SRV", NOERROR, "443 web.test, 80 web.test"),
    Case("hello.test", "SRV", NOERROR, "42 hello.test", note="one per number and target: not one each for TCP and UDP"),
    Case("hl.test", "SRV", NOERROR, FIVE, extra=GLUE),
    Case("hl4.test", "SRV", NOERROR, "42 10-1-3-1.cluster-a.hl4.test"),
    Case("hlpl.test", "SRV", NODATA, note="no ports"),
    Case("dotted.test", "SRV", NOERROR, "80 web-0.c1.reg1.dotted.test"),
]
UNNAMED = [
    Case("unn.test", "SRV", NOERROR, "8080 unn.test"),
    Case("_8080._tcp.unn.test", "SRV", NXDOMAIN),
    Case("_._tcp.unn.test", "SRV", NXDOMAIN),
    Case("_tcp.unn.test", "SRV", NXDOMAIN),
]
LITERAL = [
    Case("_nosuch._tcp.web.test", "SRV", NXDOMAIN),
    Case("_https._udp.web.test", "SRV", NXDOMAIN),
    Case("_udp.web.test", "SRV", NXDOMAIN, note="no UDP port"),
    Case("https._tcp.web.test", "SRV", NXDOMAIN),
    Case("_https.tcp.web.test", "SRV", NXDOMAIN),
    Case("_443._tcp.web.test", "SRV", NXDOMAIN),
    Case("_._tcp.web.test", "SRV", NXDOMAIN),
    Case("_https.web.test", "SRV", NXDOMAIN),
    Case("_https._tcp.my-pet-1.cluster-a.hl.test", "SRV", NXDOMAIN),
]


@pytest.mark.parametrize("case", CLUSTERSET_IP, ids=str)
def test_a_named_port_of_a_clusterset_ip_service(case: Case, zone: Snapshot) -> None:
    """`_<port>._<proto>.<svc>…` of a ClusterSetIP service: each named port of the import → the service's own name."""
    check(case, zone)


@pytest.mark.parametrize("case", HEADLESS, ids=str)
def test_a_named_port_of_a_headless_service(case: Case, zone: Snapshot) -> None:
    """`_<port>._<proto>.<svc>…` of a headless service: one per ready hostname and slice port → that host's name."""
    check(case, zone)


@pytest.mark.parametrize("case", BARE_NAME, ids=str)
def test_the_service_has_the_union_over_ports(case: Case, zone: Snapshot) -> None:
    """At the service's own name: the union over ports, one per port number and target, equal priority and weight."""
    check(case, zone)


@pytest.mark.parametrize("case", UNNAMED, ids=str)
def test_an_unnamed_port_stands_only_at_the_service(case: Case, zone: Snapshot) -> None:
    """An unnamed port has no `_port._proto` name; at the bare service name it is in the SRV set."""
    check(case, zone)


@pytest.mark.parametrize("case", LITERAL, ids=str)
def test_labels_are_literal(case: Case, zone: Snapshot) -> None:
    """The underscores are required, `_` is not a port, a number is not a port's name, `_nosuch` does not exist."""
    check(case, zone)


def test_weights_do_not_depend_on_how_many_there_are(zone: Snapshot) -> None:
    """The weight is equal for all in a set, and the same in all sets: one endpoint more changes one record."""
    sets = [ask(name, "SRV", zone).answer[0] for name in ("web.test", "hl.test", "_https._tcp.hl.test", "hl4.test")]
    assert len({rdata.weight for rrset in sets for rdata in rrset}) == 1


def test_a_headless_service_takes_ports_from_its_slices() -> None:
    """Headless SRV come from the ports of the slice, not of the import: clusters may differ."""
    text = together(
        service_import("db", headless=True, ports=["pg 1/TCP", "only-import 2/TCP"]),
        imported_slice("db", "cluster-a", "db-0=10.1.0.1", ports=["pg 5432/TCP"]),
        imported_slice("db", "cluster-b", "db-0=10.2.0.1", ports=["pg 6432/TCP", "admin 99/TCP"]),
    )
    zone = zone_of(clusterset({"cluster-a": text}))
    check(Case("_pg._tcp.db.test", "SRV", NOERROR, "5432 db-0.cluster-a.db.test, 6432 db-0.cluster-b.db.test"), zone)
    check(Case("_admin._tcp.db.test", "SRV", NOERROR, "99 db-0.cluster-b.db.test"), zone)
    check(Case("_only-import._tcp.db.test", "SRV", NXDOMAIN), zone)


def test_a_slice_port_without_number_is_skipped() -> None:
    """Ports with no number are skipped: they mean all ports, and nothing can be published."""
    text = together(
        service_import("db", headless=True),
        """
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata:
  name: all-ports
  namespace: test
  labels: {multicluster.kubernetes.io/service-name: db, multicluster.kubernetes.io/source-cluster: cluster-a}
addressType: IPv4
endpoints: [{addresses: [10.0.0.1], hostname: db-0}]
ports: [{name: all, protocol: TCP}, {name: none, port: null}, {name: pg, port: 5432}]
""",
    )
    zone = zone_of(clusterset({"cluster-a": text}))
    check(Case("db.test", "SRV", NOERROR, "5432 db-0.cluster-a.db.test"), zone)
    check(Case("_pg._tcp.db.test", "SRV", NOERROR, "5432 db-0.cluster-a.db.test", note="absent protocol = TCP"), zone)
    check(Case("_all._tcp.db.test", "SRV", NXDOMAIN), zone)


def test_sctp_is_a_protocol_and_case_does_not_matter() -> None:
    """TCP, UDP and SCTP in any case make `_tcp`, `_udp` and `_sctp`."""
    text = service_import("gw", ips=["10.0.0.1"], ports=["sig 2905/SCTP", "dns 53/udp", "Web 80/tcP"])
    zone = zone_of(clusterset({"cluster-a": text}))
    check(Case("_sig._sctp.gw.test", "SRV", NOERROR, "2905 gw.test"), zone)
    check(Case("_dns._udp.gw.test", "SRV", NOERROR, "53 gw.test"), zone)
    check(Case("_web._tcp.gw.test", "SRV", NOERROR, "80 gw.test"), zone)


def test_two_numbers_under_one_port_name() -> None:
    """Two slice ports of one name and protocol are two SRV records of one set."""
    text = together(
        service_import("db", headless=True),
        imported_slice("db", "cluster-a", "db-0=10.1.0.1", ports=["pg 5432/TCP", "pg 5433/TCP"]),
    )
    both = "5432 db-0.cluster-a.db.test, 5433 db-0.cluster-a.db.test"
    check(Case("_pg._tcp.db.test", "SRV", NOERROR, both), zone_of(clusterset({"cluster-a": text})))
