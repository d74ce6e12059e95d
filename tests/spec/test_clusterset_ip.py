"""ClusterSetIP services: A and AAAA from the import's IPs, and nothing from endpoints."""

from __future__ import annotations

import pytest

from mcsdns.zone.snapshot import Snapshot
from tests.clustersets import clusterset, zone_of
from tests.manifests import imported_slice, service_import, together
from tests.spec.cases import NODATA, NOERROR, NXDOMAIN, Case, check

ADDRESSES = [
    #    qname           qtype       rcode     answer
    Case("web.test", "A", NOERROR, "10.42.42.42"),
    Case("web.test", "AAAA TXT MX PTR NS SOA CNAME", NODATA),
    Case("web6.test", "AAAA", NOERROR, "2001:db8::1"),
    Case("web6.test", "A", NODATA),
    Case("dual.test", "A", NOERROR, "10.42.0.7"),
    Case("dual.test", "AAAA", NOERROR, "2001:db8::7"),
]
INDEPENDENT = [
    Case("noports.test", "A", NOERROR, "10.42.0.9", note="no ports"),
    Case("noports.test", "SRV AAAA", NODATA),
    Case("unn.test", "A", NOERROR, "10.42.0.10"),
    Case("vipeps.test", "A", NOERROR, "10.42.0.12", note="not the endpoint's 10.1.9.1"),
]
PENDING = [
    Case("pend.test", "A AAAA SRV", NODATA),
    Case("_http._tcp.pend.test", "SRV A", NXDOMAIN, note="RFC 2782 wants an address behind each target"),
    Case("_tcp.pend.test", "SRV", NXDOMAIN),
]
NOTHING_BELOW = [
    Case("cluster-a.web.test", "A", NXDOMAIN),
    Case("ep1a.cluster-a.vipeps.test", "A", NXDOMAIN),
    Case("cluster-a.vipeps.test", "A", NXDOMAIN),
    Case("ep1a.vipeps.test", "A", NXDOMAIN),
    Case("10-1-9-1.cluster-a.vipeps.test", "A", NXDOMAIN),
]


@pytest.mark.parametrize("case", ADDRESSES, ids=str)
def test_addresses_are_those_of_the_import(case: Case, zone: Snapshot) -> None:
    """An A or AAAA record exists at `<svc>.<ns>.svc.Z` for each address of its family in `spec.ips`."""
    check(case, zone)


@pytest.mark.parametrize("case", INDEPENDENT, ids=str)
def test_addresses_do_not_depend_on_ports_or_backends(case: Case, zone: Snapshot) -> None:
    """A ClusterSetIP service has its addresses whatever its ports or backends."""
    check(case, zone)


@pytest.mark.parametrize("case", PENDING, ids=str)
def test_no_address_yet_is_nodata_and_has_no_srv(case: Case, zone: Snapshot) -> None:
    """A ClusterSetIP import with no valid address yet: its name is NODATA, its SRV names are left out until it has one."""
    check(case, zone)


@pytest.mark.parametrize("case", NOTHING_BELOW, ids=str)
def test_no_host_names_below(case: Case, zone: Snapshot) -> None:
    """A ClusterSetIP service has no host names and no cluster names below it, whatever slices there are."""
    check(case, zone)


def test_the_same_address_twice_is_one_record() -> None:
    """An RRset holds no duplicates (RFC 2181 §5), however often and however spelled `spec.ips` lists an address."""
    text = service_import("web", ips=["2001:db8::1", "2001:DB8:0::1", "10.0.0.1", "10.0.0.1"])
    zone = zone_of(clusterset({"cluster-a": text}))
    check(Case("web.test", "AAAA", NOERROR, "2001:db8::1"), zone)
    check(Case("web.test", "A", NOERROR, "10.0.0.1"), zone)


def test_slices_alone_make_nothing() -> None:
    """A service exists by its ServiceImport: slices without one make no name."""
    text = together(service_import("web", ips=["10.0.0.1"]), imported_slice("ghost", "cluster-a", "h=10.1.0.1"))
    zone = zone_of(clusterset({"cluster-a": text}))
    check(Case("ghost.test", "A", NXDOMAIN), zone)
    check(Case("h.cluster-a.ghost.test", "A", NXDOMAIN), zone)
