"""RFC 6891: EDNS(0)."""

from __future__ import annotations

import pytest

from tests import zones
from tests.wire.conftest import Exchange
from tests.wire.messages import (
    BADVERS,
    FORMERR,
    NOERROR,
    NOWHERE,
    WEB,
    ask,
    header,
    name,
    opt,
    option,
    question,
    record,
)

BIG = f"many.test.svc.{zones.ZONE}"


def test_opt_in_opt_out(exchange: Exchange) -> None:
    """§6.1.1: If an OPT record is present in a received request, compliant responders MUST include an OPT record in their responses."""
    for qname in (WEB, NOWHERE, "example."):
        for response in exchange(ask(qname, "A", opt())):
            assert response.has_opt
            assert response.message.payload == 1232


def test_no_opt_in_no_opt_out(exchange: Exchange) -> None:
    """§7: Lack of presence of an OPT record in a request MUST be taken as an indication that the requestor does not implement EDNS."""
    for qname in (WEB, NOWHERE, "example."):
        for response in exchange(ask(qname, "A")):
            assert not response.has_opt


SIZES = [
    (0, 512),
    (511, 512),
    (512, 512),
    (513, 513),
    (700, 700),
    (1232, 1232),
    (1233, 1232),
    (4096, 1232),
    (65535, 1232),
]


@pytest.mark.parametrize(("offered", "limit"), SIZES)
def test_the_response_keeps_to_the_size_that_is_offered(exchange: Exchange, offered: int, limit: int) -> None:
    """§6.2.3: Values lower than 512 MUST be treated as equal to 512."""
    udp, tcp = exchange(ask(BIG, "A", opt(offered)))
    assert limit - 16 < len(udp.raw) <= limit
    assert udp.is_truncated
    assert udp.has_opt
    assert not tcp.is_truncated
    assert len(tcp.answer) == 100


MALFORMED = [
    ("two OPTs", ask(WEB, "A", opt(), opt()), True),
    ("an owner other than root", ask(WEB, "A", opt(owner=name("example."))), False),
    ("an owner that points to the question", ask(WEB, "A", opt(owner=b"\xc0\x0c")), False),
    ("OPT in the answer section", header(counts=(1, 1, 0, 0)) + question() + opt(), False),
    ("OPT in the authority section", header(counts=(1, 0, 1, 0)) + question() + opt(), False),
    ("an option that runs over the end", ask(WEB, "A", opt(options=b"\x00\x03\x00\x05abc")), False),
    ("an option without a length", ask(WEB, "A", opt(options=b"\x00\x03\x00")), False),
    ("RDLENGTH that runs over the end", ask(WEB, "A", opt()[:-2] + b"\x00\x09"), False),
    ("cut short", ask(WEB, "A", opt()[:-1]), False),
]


@pytest.mark.parametrize(("why", "query", "has_opt"), MALFORMED, ids=[why for why, *_ in MALFORMED])
def test_a_malformed_opt_is_a_format_error(exchange: Exchange, why: str, query: bytes, has_opt: bool) -> None:
    """§6.1.1: If a query message with more than one OPT RR is received, a FORMERR MUST be returned."""
    for response in exchange(query):
        assert response.rcode == FORMERR, why
        assert response.counts[0] == 1
        assert response.has_opt == has_opt


@pytest.mark.parametrize("version", [1, 2, 100, 255])
@pytest.mark.parametrize("qname", [WEB, NOWHERE, "example."])
def test_a_version_that_is_not_ours_is_badvers(exchange: Exchange, version: int, qname: str) -> None:
    """§6.1.3: If a responder does not implement the VERSION level of the request, it MUST respond with RCODE=BADVERS."""
    for response in exchange(ask(qname, "A", opt(version=version, options=option(3)))):
        assert response.rcode == BADVERS
        assert response.message.edns == 0
        assert not response.is_authoritative
        assert response.counts == (1, 0, 0, 1)
        assert 3 not in response.options


def test_the_options_of_another_version_are_not_read(exchange: Exchange) -> None:
    """§6.1.3: what the RDATA of a later version looks like is not known here, so it cannot be malformed."""
    for response in exchange(ask(WEB, "A", opt(version=1, options=b"\x00\x03\x00\x05abc"))):
        assert response.rcode == BADVERS


@pytest.mark.parametrize("code", [0, 4, 5, 9, 14, 16, 26946, 65001, 65535])
def test_unknown_options_are_ignored(exchange: Exchange, code: int) -> None:
    """§6.1.2: Any OPTION-CODE values not understood by a responder or requestor MUST be ignored."""
    for response in exchange(ask(WEB, "A", opt(options=option(code, b"x" * 9)))):
        assert response.rcode == NOERROR
        assert set(response.options) <= {11}


@pytest.mark.parametrize(("flags", "expected"), [(0x8000, 0x8000), (0x7FFF, 0), (0xFFFF, 0x8000)])
def test_do_is_copied_and_no_other_flag(exchange: Exchange, flags: int, expected: int) -> None:
    """§6.1.4: Z is set to zero by senders and ignored by receivers; RFC 3225 §3: DO is copied."""
    for response in exchange(ask(WEB, "A", opt(flags=flags))):
        assert response.rcode == NOERROR
        assert response.message.ednsflags == expected


def test_the_extended_rcode_of_a_query_is_ignored(exchange: Exchange) -> None:
    """§6.1.3: the upper bits of the RCODE mean something in a response only."""
    for response in exchange(ask(WEB, "A", record(b"\x00", 41, 1232, 0xFF000000, b""))):
        assert response.rcode == NOERROR


def test_opt_may_stand_behind_other_records(exchange: Exchange) -> None:
    """§6.1.1: The OPT RR MAY be placed anywhere within the additional data section."""
    other = record(name("x."), 1, 1, 0, bytes(4))
    for response in exchange(ask(WEB, "A", other, opt(), other)):
        assert response.rcode == NOERROR
        assert response.has_opt
