"""RFC 1034 and 1035: the header, the sections, the sizes."""

from __future__ import annotations

import pytest
from msgspec import Struct

from tests import zones
from tests.wire.conftest import Exchange
from tests.wire.messages import FORMERR, NOERROR, NXDOMAIN, WEB, ask, header, question

ZONE = zones.ZONE


class Case(Struct, frozen=True):
    qname: str
    qtype: str
    rcode: int
    answer: str = ""
    additional: tuple[str, ...] = ()
    soa: bool = False


ANSWERS = [
    Case("web.test.svc", "A", NOERROR, "10.42.42.42"),
    Case("dual.test.svc", "A", NOERROR, "10.42.0.7"),
    Case("dual.test.svc", "AAAA", NOERROR, "2001:db8::7"),
    Case(
        "_http._tcp.dual.test.svc",
        "SRV",
        NOERROR,
        f"0 1 80 dual.test.svc.{ZONE}",
        (f"dual.test.svc.{ZONE} A 10.42.0.7", f"dual.test.svc.{ZONE} AAAA 2001:db8::7"),
    ),
    Case(
        "",
        "NS",
        NOERROR,
        f"ns.dns.{ZONE}",
        (f"ns.dns.{ZONE} A 192.0.2.53", f"ns.dns.{ZONE} AAAA 2001:db8::53"),
    ),
    Case("", "SOA", NOERROR, f"ns.dns.{ZONE} hostmaster.{ZONE} 1 7200 1800 86400 5"),
    Case("dns-version", "TXT", NOERROR, '"1.0.0"'),
    Case("web.test.svc", "AAAA", NOERROR, soa=True),
    Case("nowhere.test.svc", "A", NXDOMAIN, soa=True),
]


@pytest.mark.parametrize("case", ANSWERS, ids=lambda case: f"{case.qname or '@'}-{case.qtype}")
def test_answers_from_the_zone_are_authoritative(exchange: Exchange, case: Case) -> None:
    """§4.1.1: Authoritative Answer - the responding name server is an authority for the domain name in question section."""
    for response in exchange(ask(f"{case.qname}.{ZONE}".removeprefix("."), case.qtype)):
        assert response.rcode == case.rcode
        assert response.is_authoritative
        assert not response.is_truncated
        assert response.answer == ([case.answer] if case.answer else [])
        assert response.additional == list(case.additional)
        assert response.authority == ([f"{ZONE} 5 SOA"] if case.soa else [])


@pytest.mark.parametrize("flags", [0x0000, 0x0100, 0x0400, 0x0200, 0x0080, 0x0070, 0x000F, 0x07FF])
def test_only_opcode_and_rd_are_copied(exchange: Exchange, flags: int) -> None:
    """§4.1.1: RD is set in a query and copied into the response; Z must be zero in all responses."""
    for response in exchange(ask(flags=flags)):
        assert response.flags == 0x8400 | flags & 0x0100


@pytest.mark.parametrize("message_id", [0x0000, 0x0001, 0xFF00, 0xFFFF])
def test_the_id_is_copied(exchange: Exchange, message_id: int) -> None:
    """§4.1.1: ID - this identifier is copied the corresponding reply."""
    for response in exchange(message_id.to_bytes(2, "big") + ask()[2:]):
        assert response.raw[:2] == message_id.to_bytes(2, "big")


def test_udp_carries_512_octets(exchange: Exchange) -> None:
    """§4.2.1: Messages carried by UDP are restricted to 512 bytes; longer messages are truncated and the TC bit is set."""
    udp, tcp = exchange(ask(f"many.test.svc.{ZONE}"))
    assert udp.is_truncated
    assert len(udp.raw) <= 512
    # Whole records while they fit: one more would pass 512.
    assert len(udp.raw) > 512 - 16
    assert len(udp.answer) == udp.counts[1]
    assert not tcp.is_truncated
    assert len(tcp.answer) == 100


def test_the_owner_is_the_pointer_to_the_question(exchange: Exchange) -> None:
    """§4.1.4: the pointer to a prior occurrence; the question's name is at octet 12."""
    for response in exchange(ask()):
        end = 12 + len(question())
        assert response.raw[end : end + 2] == b"\xc0\x0c"


def test_names_in_rdata_are_not_compressed(exchange: Exchange) -> None:
    """RFC 2782, RFC 3597 §4: the target of SRV is written in full."""
    for response in exchange(ask(f"_http._tcp.dual.test.svc.{ZONE}", "SRV")):
        assert zones.name("dual.test.svc") in response.raw[12 + len(question(f"_http._tcp.dual.test.svc.{ZONE}")) :]


MALFORMED_QUESTIONS = [
    b"",
    b"\x03web",
    b"\x03web\x00\x00\x01\x00",
    b"\x40" + b"a" * 64 + b"\x00\x00\x01\x00\x01",
    b"\x80\x01a\x00\x00\x01\x00\x01",
    (b"\x3f" + b"a" * 63) * 4 + b"\x00\x00\x01\x00\x01",
    b"\xc0\x0c\x00\x01\x00\x01",
    b"\x03web\xc0\x0c\x00\x01\x00\x01",
]


@pytest.mark.parametrize("octets", MALFORMED_QUESTIONS, ids=range(8))
def test_a_question_that_cannot_be_parsed_is_a_format_error(exchange: Exchange, octets: bytes) -> None:
    """§4.1.1: Format error - the name server was unable to interpret the query. The response is the header alone."""
    for response in exchange(header() + octets):
        assert response.rcode == FORMERR
        assert response.counts == (0, 0, 0, 0)
        assert len(response.raw) == 12


def test_the_longest_name_is_parsed(exchange: Exchange) -> None:
    """§2.3.4: names - 255 octets or less; labels - 63 octets or less."""
    tail = zones.name("web.test.svc")
    left = 255 - len(tail)
    labels = b"\x3f" + b"a" * 63
    name = labels * (left // 64) + bytes((left % 64 - 1,)) + b"b" * (left % 64 - 1) + tail
    assert len(name) == 255
    for response in exchange(ask(name)):
        assert response.rcode == NXDOMAIN
    for response in exchange(ask(bytes((name[0],)) + name[1:64] + b"\x01c" + name[64:])):
        assert response.rcode == FORMERR


def test_answers_move_round(exchange: Exchange) -> None:
    """Address order: the start moves with each answer, and each answer holds all."""
    query = ask(f"hl.test.svc.{ZONE}")
    for proto in (0, 1):
        seen = [exchange(query)[proto].answer for _ in range(3)]
        assert {answer[0] for answer in seen} == {"10.1.0.1", "10.1.0.2", "10.2.0.1"}
        for answer in seen:
            assert sorted(answer) == ["10.1.0.1", "10.1.0.2", "10.2.0.1"]


def test_a_name_that_is_asked_with_0x20_of_its_own_is_web(exchange: Exchange) -> None:
    """§2.3.3: comparisons are done in a case-insensitive manner."""
    for response in exchange(ask(WEB.upper())):
        assert response.answer == ["10.42.42.42"]
