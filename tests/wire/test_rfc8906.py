"""RFC 8906 §8: the queries that tell whether a server answers everything."""

from __future__ import annotations

import pytest
from msgspec import Struct

from tests import zones
from tests.wire.conftest import Exchange
from tests.wire.messages import BADVERS, NOERROR, NOTIMP, Response, ask, header, opt, option


class Case(Struct, frozen=True):
    section: str
    query: bytes
    rcode: int
    has_opt: bool = False
    has_soa: bool = False
    is_do: bool = False
    is_authoritative: bool = True


ZONE = zones.ZONE
OPCODE_15 = 15 << 11
SEVERAL = option(3) + option(8, b"\0\1\0\0") + option(9) + option(10, bytes(8))


def plain(section: str, flags: int, qtype: str | int = "SOA") -> Case:
    return Case(section, ask(ZONE, qtype, flags=flags), NOERROR, has_soa=qtype == "SOA")


def edns(section: str, flags: int = 0, options: bytes = b"") -> Case:
    query = ask(ZONE, "SOA", opt(flags=flags, options=options), flags=0)
    return Case(section, query, NOERROR, has_opt=True, has_soa=True, is_do=flags == 0x8000)


def edns_1(section: str, flags: int = 0, options: bytes = b"") -> Case:
    query = ask(ZONE, "SOA", opt(version=1, flags=flags, options=options), flags=0)
    return Case(section, query, BADVERS, has_opt=True, is_do=flags == 0x8000, is_authoritative=False)


CASES = [
    plain("8.1.1 SOA", 0),
    plain("8.1.2 an unknown type", 0, 1000),
    plain("8.1.3.1 CD=1", 0x0010),
    plain("8.1.3.2 AD=1", 0x0020),
    plain("8.1.3.3 the last Z bit", 0x0040),
    plain("8.1.3.4 RD=1", 0x0100),
    Case("8.1.4 an unknown opcode", header(OPCODE_15, (0, 0, 0, 0)), NOTIMP, is_authoritative=False),
    edns("8.2.1 EDNS"),
    edns_1("8.2.2 EDNS 1"),
    edns("8.2.3 an unknown option", options=option(100)),
    edns("8.2.4 unknown flags", flags=0x0040),
    edns_1("8.2.5 EDNS 1, unknown flags", flags=0x0040),
    edns_1("8.2.6 EDNS 1, an unknown option", options=option(100)),
    edns("8.2.7 DO=1", flags=0x8000),
    edns_1("8.2.8 EDNS 1, DO=1", flags=0x8000),
    edns("8.2.9 several options", options=SEVERAL),
]


@pytest.mark.parametrize("case", CASES, ids=[case.section for case in CASES])
def test_every_query_has_the_expected_answer(exchange: Exchange, case: Case) -> None:
    """§8: expect the rcode, the SOA where asked for, an OPT of version 0 where one was sent, and nothing that is unknown echoed."""
    for response in exchange(case.query):
        assert response.rcode == case.rcode
        assert response.is_authoritative == case.is_authoritative
        assert response.has_opt == case.has_opt
        assert bool(response.answer) == case.has_soa
        check_opt(response, case)


def check_opt(response: Response, case: Case) -> None:
    if case.has_opt:
        assert response.message.edns == 0
        assert response.message.ednsflags & 0xFFFF == (0x8000 if case.is_do else 0)
        assert set(response.options) <= {3, 11}


@pytest.mark.parametrize("opcode", range(1, 16))
@pytest.mark.parametrize("additional", [(), (opt(),)], ids=["plain", "EDNS"])
def test_other_opcodes_are_not_implemented(exchange: Exchange, opcode: int, additional: tuple[bytes, ...]) -> None:
    """§8.1.4: the opcode is copied, AA is not set, and nothing but the question comes back."""
    for response in exchange(ask(ZONE, "SOA", *additional, flags=opcode << 11)):
        assert response.rcode == NOTIMP
        assert not response.is_authoritative
        assert response.counts == (1, 0, 0, len(additional))


def test_another_opcode_that_does_not_parse_as_a_query_is_not_implemented(exchange: Exchange) -> None:
    """Its sections mean something else: 12 octets say that it is not known."""
    for octets in (b"", b"\xff", b"\x03abc\x00\x00"):
        for response in exchange(header(OPCODE_15, (1, 1, 1, 1)) + octets):
            assert response.rcode == NOTIMP
            assert len(response.raw) == 12
