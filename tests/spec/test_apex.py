"""What is in the zone beside services."""

from __future__ import annotations

import msgspec
import pytest

from mcsdns.zone.build import Options
from mcsdns.zone.names import from_text
from mcsdns.zone.snapshot import Snapshot
from tests.clustersets import OPTIONS, SERIAL, clusterset, zone_of
from tests.manifests import service_import
from tests.spec.cases import NODATA, NOERROR, Case, ask, check

SERVER = "ns.dns.clusterset.local."
APEX = [
    Case("clusterset.local.", "NS", NOERROR, SERVER, extra=f"{SERVER} 127.0.0.53"),
    Case(
        "clusterset.local.",
        "SOA",
        NOERROR,
        f"{SERVER} hostmaster.clusterset.local. {SERIAL + 1} 7200 1800 86400 5",
        extra="",
    ),
    Case("clusterset.local.", "A AAAA TXT SRV", NODATA),
    Case(SERVER, "A", NOERROR, "127.0.0.53"),
    Case(SERVER, "AAAA TXT NS", NODATA),
    Case("dns-version.clusterset.local.", "TXT", NOERROR, '"1.0.0"'),
    Case("dns-version.clusterset.local.", "A AAAA SRV", NODATA),
]


@pytest.mark.parametrize("case", APEX, ids=str)
def test_the_apex_is_always_there(case: Case, zone: Snapshot) -> None:
    """Z has SOA and NS; `ns.dns.Z` has the addresses to advertise; `dns-version.Z` is TXT "1.0.0" with TTL 28800."""
    check(case, zone)


@pytest.mark.parametrize("case", APEX, ids=str)
def test_the_apex_does_not_depend_on_services(case: Case) -> None:
    """The apex exists in a zone without a single service, too."""
    check(case, zone_of(clusterset({"cluster-a": ""})))


@pytest.mark.parametrize("name", ["svc", "dns"])
def test_the_frame_of_the_zone_never_becomes_nxdomain(name: str) -> None:
    """`svc.Z` and `dns.Z` are NODATA even in an empty zone."""
    check(Case(f"{name}.clusterset.local.", "A AAAA", NODATA), zone_of(clusterset({"cluster-a": ""})))


def test_the_name_server_has_every_advertised_address() -> None:
    """`ns.dns.Z` has the addresses of `advertise`, each once, of both families."""
    addresses = (bytes((10, 0, 0, 2)), bytes((10, 0, 0, 1)), bytes((10, 0, 0, 2)), bytes(15) + b"\x01")
    zone = zone_of(clusterset({"cluster-a": ""}), options=msgspec.structs.replace(OPTIONS, advertise=addresses))
    check(Case(SERVER, "A", NOERROR, "10.0.0.1 10.0.0.2"), zone)
    check(Case(SERVER, "AAAA", NOERROR, "::1"), zone)


def test_the_zone_can_have_another_name() -> None:
    """Z is configurable: the same services stand below another name, and the old one is not ours."""
    options = Options(from_text("Mesh.Example."), ttl=7, negative_ttl=3)
    zone = zone_of(
        clusterset({"cluster-a": service_import("web", ips=["10.0.0.1"], ports=["http 80/TCP"])}), options=options
    )
    (rrset,) = ask("web.test.svc.mesh.example.", "A", zone).answer
    assert (rrset.ttl, [rdata.address for rdata in rrset]) == (7, ["10.0.0.1"])
    (srv,) = ask("_http._tcp.web.test.svc.mesh.example.", "SRV", zone).answer
    assert srv[0].target.to_text() == "web.test.svc.mesh.example."
    (soa,) = ask("nosuch.test.svc.mesh.example.", "A", zone).authority
    assert (soa.name.to_text(), soa.ttl, soa[0].minimum) == ("mesh.example.", 3, 3)
    assert ask("web.test", "A", zone).rcode().name == "REFUSED"


def test_an_empty_advertise_leaves_the_name_server_without_address() -> None:
    """Where there is nothing to advertise, `ns.dns.Z` exists without records."""
    zone = zone_of(clusterset({"cluster-a": ""}), options=msgspec.structs.replace(OPTIONS, advertise=()))
    check(Case(SERVER, "A AAAA", NODATA), zone)
    check(Case("clusterset.local.", "NS", NOERROR, SERVER, extra=""), zone)
