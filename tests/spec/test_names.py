"""Owner names at their limits: dotted cluster ids, long labels and names, names that could be two things."""

from __future__ import annotations

import ipaddress

import pytest

from mcsdns.clusterset.mirror import Mirror
from mcsdns.clusterset.model import Reason
from mcsdns.zone.build import Options
from mcsdns.zone.names import from_text
from mcsdns.zone.snapshot import Snapshot
from tests.clustersets import Live, clusterset, listing, zone_of
from tests.manifests import cluster_property, imported_slice, service_import, together
from tests.spec.cases import NODATA, NOERROR, NXDOMAIN, Case, ask, check

DOTTED = [
    Case("web-0.c1.reg1.dotted.test", "A", NOERROR, "10.3.0.1"),
    Case("_http._tcp.dotted.test", "SRV", NOERROR, "80 web-0.c1.reg1.dotted.test"),
    Case("c1.reg1.dotted.test", "A SRV", NODATA),
    Case("reg1.dotted.test", "A SRV", NODATA),
    Case("web-0.reg1.dotted.test", "A", NXDOMAIN),
    Case("web-0.c1.dotted.test", "A", NXDOMAIN),
]
SPELLINGS = [
    #  the address as its slice spells it, its host label
    ("10.2.0.9", "10-2-0-9"),
    ("2001:db8::", "2001-db8--0"),
    ("::", "--0"),
    ("2001:DB8::9", "2001-db8--9"),
    ("2001:0db8:0000:0000:0000:0000:0000:0009", "2001-0db8-0000-0000-0000-0000-0000-0009"),
    ("::1", "--1"),
    ("::ffff:10.0.0.1", "--ffff-10-0-0-1"),
]
LONG = "x" * 63


@pytest.mark.parametrize("case", DOTTED, ids=str)
def test_a_dotted_cluster_id_is_two_labels(case: Case, zone: Snapshot) -> None:
    """A cluster id of two labels makes two labels of the name, each an empty non-terminal."""
    check(case, zone)


@pytest.mark.parametrize(("spelling", "label"), SPELLINGS)
def test_an_address_as_host_name_is_spelled_as_in_its_slice(spelling: str, label: str) -> None:
    """Missing hostname → the address with `.` or `:` replaced by `-`, as the slice spells it, with a `0` after a last `-`."""
    text = together(service_import("db", headless=True), imported_slice("db", "cluster-a", spelling))
    address = ipaddress.ip_address(spelling)
    canonical = str(address) if "ffff" not in spelling else "::ffff:10.0.0.1"
    case = Case(f"{label}.cluster-a.db.test", "A" if address.version == 4 else "AAAA", NOERROR, canonical)
    check(case, zone_of(clusterset({"cluster-a": text})))


def test_a_host_equal_to_a_dotted_cluster_id_owns_nothing() -> None:
    """`<clusterid>.<svc>…` never has a record, so host `c1` of cluster `reg1` gives way to the cluster `c1.reg1`."""
    text = together(
        service_import("db", headless=True),
        imported_slice("db", "reg1", "c1=10.0.0.1", "ok=10.0.0.2", ports=["pg 5432/TCP"]),
        imported_slice("db", "c1.reg1", "db-0=10.0.0.3", ports=["pg 5432/TCP"]),
    )
    mirrors = clusterset({"cluster-a": text})
    zone = zone_of(mirrors)
    check(Case("c1.reg1.db.test", "A SRV", NODATA), zone)
    check(Case("db-0.c1.reg1.db.test", "A", NOERROR, "10.0.0.3"), zone)
    check(Case("ok.reg1.db.test", "A", NOERROR, "10.0.0.2"), zone)
    check(Case("db.test", "A", NOERROR, "10.0.0.1 10.0.0.2 10.0.0.3", note="its address still counts"), zone)
    check(Case("db.test", "SRV", NOERROR, "5432 db-0.c1.reg1.db.test, 5432 ok.reg1.db.test"), zone)
    (records,) = zone_of(mirrors).services.values()
    assert [omission.reason for omission in records.omissions] == [Reason.NAME_TAKEN]


def test_the_id_of_any_member_cluster_owns_nothing() -> None:
    """`<clusterid>.<svc>…` never has a record, though that cluster has no part in the service; and it has when the cluster is gone."""
    text = together(service_import("db", headless=True), imported_slice("db", "reg1", "c1=10.0.0.1"))
    live = Live([Mirror("reg1"), Mirror("c1.reg1")], [None])
    live.list("reg1", text)
    live.list("c1.reg1", "")
    check(Case("c1.reg1.db.test", "A", NXDOMAIN), live.zones[None])
    check(Case("db.test", "A", NOERROR, "10.0.0.1"), live.zones[None])
    live.tell(*listing("c1.reg1", cluster_property("far.away")))
    check(Case("c1.reg1.db.test", "A", NOERROR, "10.0.0.1"), live.zones[None])


def test_readiness_in_one_cluster_does_not_name_hosts_in_another() -> None:
    """`<clusterid>.<svc>…` never has a record, whether that cluster has a ready endpoint just now or not."""
    text = together(
        service_import("db", headless=True),
        imported_slice("db", "reg1", "c1=10.0.0.1", "ok=10.0.0.2"),
        imported_slice("db", "c1.reg1", "db-0=10.0.0.3 !ready"),
    )
    zone = zone_of(clusterset({"cluster-a": text}))
    check(Case("c1.reg1.db.test", "A", NXDOMAIN), zone)
    check(Case("db.test", "A", NOERROR, "10.0.0.1 10.0.0.2"), zone)


def test_a_host_may_be_called_as_a_cluster() -> None:
    """A host name that is equal to a cluster id is below that id and in nobody's way."""
    text = together(
        service_import("db", headless=True),
        imported_slice("db", "cluster-a", "cluster-a=10.0.0.1", "cluster-b=10.0.0.2"),
        imported_slice("db", "cluster-b", "cluster-a=10.0.0.3"),
    )
    zone = zone_of(clusterset({"cluster-a": text}))
    check(Case("cluster-a.cluster-a.db.test", "A", NOERROR, "10.0.0.1"), zone)
    check(Case("cluster-b.cluster-a.db.test", "A", NOERROR, "10.0.0.2"), zone)
    check(Case("cluster-a.cluster-b.db.test", "A", NOERROR, "10.0.0.3"), zone)
    check(Case("cluster-a.db.test", "A", NODATA), zone)


def test_labels_of_63_octets_are_names() -> None:
    """Service, namespace and hostname may be 63 octets each (RFC 1035 §2.3.4)."""
    text = together(
        service_import(LONG, headless=True, namespace=LONG),
        imported_slice(LONG, "c1", f"{LONG}=10.0.0.1", namespace=LONG),
    )
    zone = zone_of(clusterset({"cluster-a": text}))
    case = Case(f"{LONG}.c1.{LONG}.{LONG}", "A", NOERROR, "10.0.0.1")
    assert len(from_text(f"{case.qname}.svc.clusterset.local")) <= 255
    check_plain(case, zone)


def test_a_port_name_over_62_octets_has_no_srv_name() -> None:
    """A `_`-label over 63: that record is left out, everything else stays."""
    fits, too_long = "p" * 62, "q" * 63
    text = service_import("web", ips=["10.0.0.1"], ports=[f"{fits} 1/TCP", f"{too_long} 2/TCP"])
    mirrors = clusterset({"cluster-a": text})
    zone = zone_of(mirrors)
    check(Case(f"_{fits}._tcp.web.test", "SRV", NOERROR, "1 web.test"), zone)
    check(Case("web.test", "SRV", NOERROR, "1 web.test, 2 web.test"), zone)
    check(Case("_tcp.web.test", "SRV", NODATA), zone)
    (records,) = zone_of(mirrors).services.values()
    assert [omission.reason for omission in records.omissions] == [Reason.NAME_TOO_LONG]


def test_a_host_name_over_255_octets_is_left_out_alone() -> None:
    """A name over 255 octets: its records are left out, the address stays at the service's name, its neighbours stay."""
    zone_name = f"{'z' * 55}.{'y' * 55}"
    text = together(
        service_import(LONG, headless=True, namespace=LONG),
        imported_slice(
            LONG, "c1", f"{LONG}=10.0.0.1", "db=10.0.0.2", ports=["pg 5432/TCP", "longer 1/TCP"], namespace=LONG
        ),
    )
    options = Options(from_text(zone_name))
    mirrors = clusterset({"cluster-a": text})
    zone = zone_of(mirrors, options=options)
    service = f"{LONG}.{LONG}.svc.{zone_name}."
    (at_service,) = ask(service, "A", zone).answer
    assert sorted(rdata.address for rdata in at_service) == ["10.0.0.1", "10.0.0.2"]
    (at_host,) = ask(f"db.c1.{service}", "A", zone).answer
    assert [rdata.address for rdata in at_host] == ["10.0.0.2"]
    (srv,) = ask(f"_pg._tcp.{service}", "SRV", zone).answer
    assert [rdata.target.to_text() for rdata in srv] == [f"db.c1.{service}"], "no target, no SRV"
    (all_srv,) = ask(service, "SRV", zone).answer
    assert sorted(rdata.port for rdata in all_srv) == [1, 5432], "`_longer._tcp` is too long, its port is not"
    (records,) = zone_of(mirrors, options=options).services.values()
    assert {omission.reason for omission in records.omissions} == {Reason.NAME_TOO_LONG}
    assert len(records.omissions) == 2


def test_a_service_whose_name_is_not_one_label_is_ignored() -> None:
    """A ServiceImport whose name is not one RFC 1123 label is ignored: it makes no name and no namespace."""
    text = together(
        *(service_import(name, ips=["10.0.0.1"], namespace="odd") for name in ("a.b", "Web", "-x", "y" * 64))
    )
    zone = zone_of(clusterset({"cluster-a": text}))
    for name in ("a.b.odd", "b.odd", "web.odd", "-x.odd", "odd"):
        check(Case(name, "A", NXDOMAIN), zone)


@pytest.mark.parametrize("label", ["svc", "dns", "clusterset", "local", "xn--caf-dma", "0", "1-2"])
def test_a_service_may_have_any_label(label: str) -> None:
    """Names that look like parts of the zone are labels like any other."""
    zone = zone_of(clusterset({"cluster-a": service_import(label, ips=["10.0.0.1"], namespace=label)}))
    check(Case(f"{label}.{label}", "A", NOERROR, "10.0.0.1"), zone)
    check(Case(label, "A", NODATA), zone)


def check_plain(case: Case, zone: Snapshot) -> None:
    """Check a name under which there is no room for another."""
    response = ask(case.qname, case.qtype, zone)
    assert [rdata.to_text() for rrset in response.answer for rdata in rrset] == case.answer.split()
