"""RFC 2308: negative answers."""

from __future__ import annotations

import pytest

from tests import zones
from tests.wire.conftest import Exchange
from tests.wire.messages import NOERROR, NXDOMAIN, SERVFAIL, ask, opt

ZONE = zones.ZONE

NEGATIVES = [
    ("nowhere.test.svc", "A", NXDOMAIN),
    ("web.nowhere.svc", "A", NXDOMAIN),
    ("nowhere", "A", NXDOMAIN),
    ("_udp.web.test.svc", "SRV", NXDOMAIN),
    ("web.test.svc", "AAAA", NOERROR),
    ("web.test.svc", "MX", NOERROR),
    ("_http._tcp.web.test.svc", "A", NOERROR),
    ("dns-version", "A", NOERROR),
]


@pytest.mark.parametrize(("qname", "qtype", "rcode"), NEGATIVES)
def test_negatives_carry_the_soa(exchange: Exchange, qname: str, qtype: str, rcode: int) -> None:
    """§3: Name servers authoritative for a zone MUST include the SOA record of the zone in the authority section."""
    for response in exchange(ask(f"{qname}.{ZONE}", qtype)):
        assert response.rcode == rcode
        assert response.is_authoritative
        assert response.answer == []
        assert response.authority == [f"{ZONE} 5 SOA"]


@pytest.mark.parametrize("qname", ["", "nowhere"])
def test_the_ttl_is_the_minimum(exchange: Exchange, qname: str) -> None:
    """§3: The TTL of this record is set from the minimum of the MINIMUM field of the SOA record and the TTL of the SOA itself."""
    for response in exchange(ask(f"{qname}.{ZONE}".removeprefix("."), "MX")):
        (soa,) = response.message.authority
        assert soa.ttl == soa[0].minimum


def test_no_negative_while_a_cluster_has_not_been_heard(exchange: Exchange) -> None:
    """An NXDOMAIN would be a claim about a cluster that nobody has asked yet: SERVFAIL, not authoritative, without SOA."""
    for response in exchange(ask(f"nowhere.test.svc.{ZONE}", "A", opt()), view="unheard"):
        assert response.rcode == SERVFAIL
        assert not response.is_authoritative
        assert response.authority == []
        assert response.ede == 14


def test_what_is_found_is_answered_while_a_cluster_has_not_been_heard(exchange: Exchange) -> None:
    """What is found is answered, and the type that a found name does not have is NODATA."""
    for response in exchange(ask(f"web.test.svc.{ZONE}"), view="unheard"):
        assert response.answer == ["10.42.42.42"]
    for response in exchange(ask(f"web.test.svc.{ZONE}", "AAAA"), view="unheard"):
        assert response.rcode == NOERROR
        assert response.authority == [f"{ZONE} 5 SOA"]
