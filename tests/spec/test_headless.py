"""Headless services: every ready address of every cluster, and host names below cluster ids."""

from __future__ import annotations

import pytest

from mcsdns.zone.snapshot import Snapshot
from tests.clustersets import clusterset, zone_of
from tests.manifests import imported_slice, service_import, together
from tests.spec.cases import NODATA, NOERROR, NXDOMAIN, Case, check

SERVICE_NAME = [
    Case("hl.test", "A", NOERROR, "10.1.0.1 10.1.0.2 10.2.0.1 10.2.0.9", note="absent `ready` means ready"),
    Case("hl.test", "AAAA", NOERROR, "2001:db8:2::9"),
    Case("hl.test", "TXT MX CNAME", NODATA),
    Case("hl4.test", "A", NOERROR, "10.1.3.1"),
    Case("hl4.test", "AAAA", NODATA, note="ready IPv4 only"),
    Case("hlpl.test", "A", NOERROR, "10.1.4.20", note="no ports"),
    Case("hldup.test", "A", NOERROR, "10.1.1.4 10.1.1.5"),
]
HOST_NAMES = [
    Case("my-pet-1.cluster-a.hl.test", "A", NOERROR, "10.1.0.1"),
    Case("my-pet-1.cluster-a.hl.test", "AAAA SRV TXT", NODATA),
    Case("my-pet-2.cluster-a.hl.test", "A", NOERROR, "10.1.0.2"),
    Case("my-pet-1.cluster-b.hl.test", "A", NOERROR, "10.2.0.1"),
    Case("dup-name.cluster-a.hldup.test", "A", NOERROR, "10.1.1.4 10.1.1.5", note="both addresses of one hostname"),
    Case("db-0.cluster-a.hlss.test", "A", NOERROR, "10.1.2.1"),
    Case("db-0.cluster-a.hlss.test", "AAAA", NOERROR, "2001:db8:1::21", note="one hostname in two slices"),
]
NO_HOSTNAME = [
    Case("10-2-0-9.cluster-b.hl.test", "A", NOERROR, "10.2.0.9"),
    Case("2001-db8-2--9.cluster-b.hl.test", "AAAA", NOERROR, "2001:db8:2::9"),
    Case("10-1-4-20.cluster-a.hlpl.test", "A", NOERROR, "10.1.4.20"),
    Case("2001-db8--0.cluster-a.zeros.test", "AAAA", NOERROR, "2001:db8::", note="no label ends in `-`"),
    Case("2001-db8--.cluster-a.zeros.test", "AAAA", NXDOMAIN),
    Case("10-1-0-1.cluster-a.hl.test", "A", NXDOMAIN, note="that one has a hostname"),
]
NOT_THERE = [
    Case("my-pet-3.cluster-a.hl.test", "A", NXDOMAIN, note="not ready"),
    Case("cluster-zzz.hl.test", "A", NXDOMAIN),
    Case("my-pet-2.cluster-b.hl.test", "A", NXDOMAIN, note="that host is in cluster-a"),
    Case("my-pet-1.hl.test", "A", NXDOMAIN, note="no host name without its cluster"),
    Case("x.my-pet-1.cluster-a.hl.test", "A", NXDOMAIN),
]
NONE_READY = [
    Case("hlx.test", "A AAAA SRV TXT", NXDOMAIN),
    Case("cluster-a.hlx.test", "A", NXDOMAIN),
    Case("hlx-0.cluster-a.hlx.test", "A", NXDOMAIN),
    Case("_http._tcp.hlx.test", "SRV", NXDOMAIN),
]


@pytest.mark.parametrize("case", SERVICE_NAME, ids=str)
def test_the_service_has_every_ready_address(case: Case, zone: Snapshot) -> None:
    """A headless service's A and AAAA are the addresses of every ready endpoint of all clusters, without duplicates."""
    check(case, zone)


@pytest.mark.parametrize("case", HOST_NAMES, ids=str)
def test_a_hostname_is_found_below_its_cluster(case: Case, zone: Snapshot) -> None:
    """`<hostname>.<clusterid>.<svc>.<ns>.svc.Z` has that hostname's ready addresses in that cluster."""
    check(case, zone)


@pytest.mark.parametrize("case", NO_HOSTNAME, ids=str)
def test_an_address_serves_where_no_hostname_is(case: Case, zone: Snapshot) -> None:
    """Missing hostname → the address with `-`; a result that ends in `-` gets a `0` appended."""
    check(case, zone)


@pytest.mark.parametrize("case", NOT_THERE, ids=str)
def test_unknown_hosts_and_clusters_do_not_exist(case: Case, zone: Snapshot) -> None:
    """Unknown cluster, unknown host, a host that is not ready, a host name without cluster: NXDOMAIN."""
    check(case, zone)


@pytest.mark.parametrize("case", NONE_READY, ids=str)
def test_no_ready_endpoint_is_nxdomain(case: Case, zone: Snapshot) -> None:
    """A headless service with no ready endpoint: NXDOMAIN for every type; its namespace still exists."""
    check(case, zone)


def test_a_namespace_with_only_a_service_that_is_not_ready_exists() -> None:
    """`<ns>.svc.Z` with an import is NODATA, even if no service in it has a name of its own."""
    text = together(
        service_import("hlx", headless=True, namespace="quiet"),
        imported_slice("hlx", "cluster-a", "hlx-0=10.1.5.1 !ready", namespace="quiet"),
    )
    zone = zone_of(clusterset({"cluster-a": text}))
    check(Case("quiet", "A", NODATA), zone)
    check(Case("hlx.quiet", "A", NXDOMAIN), zone)


def test_all_addresses_of_an_endpoint_count() -> None:
    """`endpoints[].addresses`: all of them count, not the first alone."""
    text = together(
        service_import("db", headless=True),
        imported_slice("db", "cluster-a", "db-0=10.0.0.1+10.0.0.2", "10.0.0.3+10.0.0.4"),
    )
    zone = zone_of(clusterset({"cluster-a": text}))
    check(Case("db.test", "A", NOERROR, "10.0.0.1 10.0.0.2 10.0.0.3 10.0.0.4"), zone)
    check(Case("db-0.cluster-a.db.test", "A", NOERROR, "10.0.0.1 10.0.0.2"), zone)
    check(Case("10-0-0-4.cluster-a.db.test", "A", NOERROR, "10.0.0.4"), zone)


def test_an_endpoint_in_two_slices_is_one_record() -> None:
    """The same endpoint may stand in two slices for a while: each record is there once."""
    slices = [
        imported_slice("db", "cluster-a", "db-0=10.0.0.1", ports=["pg 5432/TCP"], name=name) for name in ("old", "new")
    ]
    zone = zone_of(clusterset({"cluster-a": together(service_import("db", headless=True), *slices)}))
    check(Case("db.test", "A", NOERROR, "10.0.0.1"), zone)
    check(Case("db-0.cluster-a.db.test", "A", NOERROR, "10.0.0.1"), zone)
    check(Case("db.test", "SRV", NOERROR, "5432 db-0.cluster-a.db.test"), zone)


def test_one_ready_of_two_slices_is_ready() -> None:
    """An endpoint that one slice calls ready and another does not is ready."""
    text = together(
        service_import("db", headless=True),
        imported_slice("db", "cluster-a", "db-0=10.0.0.1 !ready", name="old"),
        imported_slice("db", "cluster-a", "db-0=10.0.0.1", name="new"),
    )
    check(Case("db.test", "A", NOERROR, "10.0.0.1"), zone_of(clusterset({"cluster-a": text})))


def test_serving_and_terminating_do_not_matter() -> None:
    """Only `ready` decides: `serving` and `terminating` do not matter."""
    text = together(
        service_import("db", headless=True),
        """
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata:
  name: odd
  namespace: test
  labels: {multicluster.kubernetes.io/service-name: db, multicluster.kubernetes.io/source-cluster: cluster-a}
addressType: IPv4
endpoints:
  - {addresses: [10.0.0.1], hostname: leaving, conditions: {ready: true, serving: false, terminating: true}}
  - {addresses: [10.0.0.2], hostname: drained, conditions: {ready: false, serving: true, terminating: true}}
  - {addresses: [10.0.0.3], hostname: silent, conditions: {ready: null}}
""",
    )
    check(Case("db.test", "A", NOERROR, "10.0.0.1 10.0.0.3"), zone_of(clusterset({"cluster-a": text})))


def test_an_fqdn_slice_is_ignored() -> None:
    """`addressType` FQDN has no address records, and never a CNAME."""
    text = together(
        service_import("db", headless=True),
        imported_slice("db", "cluster-a", "db-0=10.0.0.1"),
        imported_slice("db", "cluster-a", "cdn=cdn.example.com", family="FQDN", name="fqdn"),
    )
    zone = zone_of(clusterset({"cluster-a": text}))
    check(Case("db.test", "A", NOERROR, "10.0.0.1"), zone)
    check(Case("db.test", "CNAME", NODATA), zone)
    check(Case("cdn.cluster-a.db.test", "CNAME", NXDOMAIN), zone)
