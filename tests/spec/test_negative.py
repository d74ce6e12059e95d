"""NXDOMAIN or NODATA: an empty non-terminal is never NXDOMAIN (RFC 8020)."""

from __future__ import annotations

import dns.flags
import dns.rcode
import pytest

from mcsdns.zone.snapshot import Snapshot
from tests.spec.cases import NODATA, NXDOMAIN, REFUSED, Case, ask, check

EMPTY_NON_TERMINALS = [
    Case("svc.clusterset.local.", "A AAAA TXT NS SOA", NODATA),
    Case("test.svc.clusterset.local.", "A AAAA SRV NS SOA", NODATA),
    Case("dns.clusterset.local.", "A AAAA NS", NODATA),
    Case("_tcp.web.test", "A SRV TXT", NODATA),
    Case("_udp.hello.test", "SRV", NODATA),
    Case("_tcp.hl.test", "SRV", NODATA),
    Case("cluster-a.hl.test", "A AAAA SRV TXT", NODATA),
    Case("cluster-b.hl.test", "A", NODATA),
    Case("c1.reg1.dotted.test", "A AAAA SRV", NODATA, note="a dotted cluster id"),
    Case("reg1.dotted.test", "A AAAA SRV", NODATA, note="its last label"),
]
OTHER_TYPES = [
    Case("_https._tcp.web.test", "A AAAA TXT CNAME", NODATA),
    Case("_https._tcp.hl.test", "A AAAA", NODATA),
    Case("my-pet-1.cluster-a.hl.test", "AAAA SRV TXT TYPE65280", NODATA),
    Case("web.test", "HTTPS SVCB CAA DS DNSKEY NSEC", NODATA),
]
UNKNOWN = [
    Case("nosuch.test", "A", NXDOMAIN),
    Case("web.nosuch", "A", NXDOMAIN),
    Case("nosuch", "A", NXDOMAIN, note="a namespace without any import"),
    Case("foo.clusterset.local.", "A", NXDOMAIN),
    Case("pod.clusterset.local.", "A", NXDOMAIN),
    Case("10-1-0-1.test.pod.clusterset.local.", "A", NXDOMAIN),
    Case("web.test.clusterset.local.", "A", NXDOMAIN, note="without `svc`"),
    Case("*.test", "A", NXDOMAIN, note="no wildcards: `*` is a label like any other"),
    Case("*.hl.test", "A", NXDOMAIN),
    Case("_nosuch._tcp.web.test", "SRV", NXDOMAIN),
    Case("_https._udp.web.test", "SRV", NXDOMAIN),
    Case("_udp.web.test", "SRV", NXDOMAIN),
    Case("cluster-zzz.hl.test", "A", NXDOMAIN),
    Case("nosuch.cluster-a.hl.test", "A", NXDOMAIN),
    Case("test.test.svc.svc.clusterset.local.", "A", NXDOMAIN),
    Case("reg1.c1.dotted.test", "A", NXDOMAIN, note="the labels of a dotted id in the wrong order"),
]
OUTSIDE = [
    ".",
    "local.",
    "example.com.",
    "xclusterset.local.",
    "web.test.svc.xclusterset.local.",
    "web.test.svc.cluster.local.",
    "clusterset.local.example.",
    "clusterset.",
]


@pytest.mark.parametrize("case", EMPTY_NON_TERMINALS, ids=str)
def test_an_empty_non_terminal_is_nodata(case: Case, zone: Snapshot) -> None:
    """NXDOMAIN denies everything below, so an empty non-terminal is always NODATA (RFC 8020)."""
    check(case, zone)


@pytest.mark.parametrize("case", OTHER_TYPES, ids=str)
def test_another_type_of_an_existing_name_is_nodata(case: Case, zone: Snapshot) -> None:
    """A name that exists answers any type that it has not with NODATA, known or unknown (RFC 3597)."""
    check(case, zone)


@pytest.mark.parametrize("case", UNKNOWN, ids=str)
def test_what_nothing_makes_does_not_exist(case: Case, zone: Snapshot) -> None:
    """Unknown names, `pod.Z`, wildcards, and a namespace without any import with all below it: NXDOMAIN."""
    check(case, zone)


@pytest.mark.parametrize("qname", OUTSIDE)
def test_a_name_outside_the_zone_is_refused(qname: str, zone: Snapshot) -> None:
    """Not in Z: REFUSED with EDE 20, by label and not by string."""
    check(Case(qname, "A NS SOA", REFUSED), zone)


@pytest.mark.parametrize("spelling", ["WEB.TEST.SVC.CLUSTERSET.LOCAL.", "wEb.TesT.sVc.ClUsTeRsEt.LoCaL."])
def test_queries_match_in_any_case(spelling: str, zone: Snapshot) -> None:
    """Queries match case-insensitively; the question is echoed byte for byte, and the answer bears its spelling."""
    response = ask(spelling, "A", zone)
    assert [rdata.address for rdata in response.answer[0]] == ["10.42.42.42"]
    assert response.answer[0].name.to_text() == spelling


def test_negative_answers_match_in_any_case(zone: Snapshot) -> None:
    """NXDOMAIN and NODATA do not depend on the spelling either."""
    assert ask("NOSUCH.test", "A", zone).rcode() == dns.rcode.NXDOMAIN
    response = ask("WEB.TEST", "AAAA", zone)
    assert (response.rcode(), response.answer) == (dns.rcode.NOERROR, [])
    assert response.flags & dns.flags.AA
