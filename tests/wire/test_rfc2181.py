"""RFC 2181: clarifications."""

from __future__ import annotations

import pytest

from tests import zones
from tests.wire.conftest import Exchange
from tests.wire.messages import NOERROR, NXDOMAIN, ask, opt

ZONE = zones.ZONE

LABELS = [b"\x00", b"\xff", b"a.b", b"\x07", b" ", b"web\x00", b"*", b"\\", b'"']


@pytest.mark.parametrize("label", LABELS)
def test_labels_are_eight_bit_clean(exchange: Exchange, label: bytes) -> None:
    """§11: Any binary string whatever can be used as the label of any resource record."""
    for response in exchange(ask(bytes((len(label),)) + label + zones.name("test.svc"))):
        assert response.rcode == NXDOMAIN


def test_a_dot_in_a_label_is_no_separator(exchange: Exchange) -> None:
    """§11: `web.test` as one label is not `web` and `test`."""
    for response in exchange(ask(b"\x08web.test" + zones.name("svc"))):
        assert response.rcode == NXDOMAIN


@pytest.mark.parametrize("qname", ["hl.test.svc", "_p._tcp.pods.test.svc", "many.test.svc"])
def test_the_ttls_of_an_rrset_are_the_same(exchange: Exchange, qname: str) -> None:
    """§5.2: The TTLs of all RRs in an RRSet must be the same."""
    for response in exchange(ask(f"{qname}.{ZONE}", "ANY", opt())):
        end = 12 + len(zones.name(qname)) + 4
        at, ttls = end, set()
        for _ in range(response.counts[1]):
            ttls.add(response.raw[at + 6 : at + 10])
            at += 12 + int.from_bytes(response.raw[at + 10 : at + 12], "big")
        assert ttls == {(5).to_bytes(4, "big")}


def test_tc_is_not_set_for_the_additional_section(exchange: Exchange) -> None:
    """§9: The TC bit should not be set merely because some extra information could have been included, for lack of room."""
    udp, tcp = exchange(ask(f"_p._tcp.pods.test.svc.{ZONE}", "SRV", opt(1232)))
    assert not udp.is_truncated
    assert len(udp.answer) == len(tcp.answer) == 12
    assert 0 < len(udp.additional) < len(tcp.additional) == 24
    assert len(udp.raw) <= 1232


def test_an_rrset_of_the_additional_section_is_whole(exchange: Exchange) -> None:
    """§9: The set is left out as a whole, and the first that does not fit is the last that was tried."""
    udp, tcp = exchange(ask(f"_p._tcp.pods.test.svc.{ZONE}", "SRV", opt(1232)))
    assert udp.additional == tcp.additional[: len(udp.additional)]


def test_tc_means_that_what_is_required_is_missing(exchange: Exchange) -> None:
    """§9: TC is set where a required RRSet does not fit; the additional section is then empty."""
    udp, _ = exchange(ask(f"_p._tcp.pods.test.svc.{ZONE}", "SRV"))
    assert udp.is_truncated
    assert udp.rcode == NOERROR
    assert 0 < len(udp.answer) < 12
    assert udp.additional == []
