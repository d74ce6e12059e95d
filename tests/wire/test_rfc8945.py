"""RFC 8945: TSIG, for which no key is known."""

from __future__ import annotations

import dns.rdtypes.ANY.TSIG
import pytest

from tests.wire.conftest import Exchange
from tests.wire.messages import FORMERR, ID, NOTAUTH, WEB, ask, header, opt, question, record, tsig


@pytest.mark.parametrize("additional", [(tsig(),), (opt(), tsig()), (tsig(mac=b""),)], ids=["plain", "EDNS", "no MAC"])
def test_an_unknown_key_is_badkey(exchange: Exchange, additional: tuple[bytes, ...]) -> None:
    """§5.2.1: the server MUST generate an error response with RCODE 9 (NOTAUTH) and TSIG ERROR 17 (BADKEY)."""
    for response in exchange(ask(WEB, "A", *additional)):
        assert response.rcode == NOTAUTH
        assert not response.is_authoritative
        assert response.has_opt == (len(additional) == 2)
        signature = response.message.tsig
        assert signature is not None
        assert signature.name.to_text() == "Key."
        rdata = signature[0]
        assert isinstance(rdata, dns.rdtypes.ANY.TSIG.TSIG)
        assert rdata.error == 17
        assert rdata.mac == b""
        assert rdata.algorithm.to_text() == "hmac-sha256."
        assert (rdata.time_signed, rdata.fudge, rdata.original_id) == (1_700_000_000, 300, ID)


MALFORMED = [
    ("not last", ask(WEB, "A", tsig(), opt())),
    ("twice", ask(WEB, "A", tsig(), tsig())),
    ("in the answer section", header(counts=(1, 1, 0, 0)) + question() + tsig()),
    ("class IN", ask(WEB, "A", tsig(rrclass=1))),
    ("TTL 1", ask(WEB, "A", tsig(ttl=1))),
    ("RDATA cut short", ask(WEB, "A", record(b"\x00", 250, 255, 0, b"\x00\x00\x00"))),
    ("no RDATA", ask(WEB, "A", record(b"\x00", 250, 255, 0, b""))),
    ("a MAC that runs over the end", ask(WEB, "A", record(b"\x00", 250, 255, 0, b"\x00" + bytes(8) + b"\xff\xff"))),
    ("octets behind its end", ask(WEB, "A", record(b"\x00", 250, 255, 0, bytes(1 + 10 + 6 + 1)))),
    ("a compressed algorithm", ask(WEB, "A", record(b"\x00", 250, 255, 0, b"\xc0\x0c" + bytes(16)))),
]


@pytest.mark.parametrize(("why", "query"), MALFORMED, ids=[why for why, _ in MALFORMED])
def test_a_malformed_tsig_is_a_format_error(exchange: Exchange, why: str, query: bytes) -> None:
    """§5.1: more than one TSIG record, or one that is not the last, is a FORMERR; so is one that cannot be read."""
    for response in exchange(query):
        assert response.rcode == FORMERR, why
        assert response.message.tsig is None


def test_a_tsig_that_does_not_fit_is_truncation(exchange: Exchange) -> None:
    """§5.3.1: what is required and does not fit is TC. Only names of over 200 octets come to that."""
    long = (b"\x3f" + b"a" * 63) * 3 + b"\x01b\x00"
    rdata = long + bytes(6) + bytes(2) + bytes(2) + bytes(6)
    udp, tcp = exchange(ask(long, "A", record(long, 250, 255, 0, rdata)))
    assert udp.rcode == tcp.rcode == NOTAUTH
    assert udp.is_truncated
    assert len(udp.raw) <= 512
    assert tcp.message.tsig is not None
