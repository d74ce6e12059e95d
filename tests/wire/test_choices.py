"""Where trusted servers disagree: the choices of the table "case | choice"."""

from __future__ import annotations

import pytest

from tests import zones
from tests.wire.conftest import Exchange, Silence
from tests.wire.messages import FORMERR, NOERROR, REFUSED, WEB, ask, header, name, opt, question, record

SILENT = {
    "empty": b"",
    "one octet": b"\x00",
    "11 octets": header()[:11],
    "a response": ask(flags=0x8180),
    "a response without a question": header(0x8000, (0, 0, 0, 0)),
    "a response with an opcode": header(0xA800, (0, 0, 0, 0)),
}


@pytest.mark.parametrize(
    "query", [query for query in SILENT.values() if query], ids=[why for why in SILENT if why != "empty"]
)
def test_what_is_no_query_gets_silence(silence: Silence, query: bytes) -> None:
    """QR=1, shorter than 12 octets, empty: silence. (Over TCP a frame of no octets closes: test_rfc7766.py.)"""
    assert silence(query)


@pytest.mark.parametrize("counts", [(1, 1, 0, 0), (1, 0, 1, 0), (1, 1, 1, 0)])
def test_records_in_answer_or_authority_of_a_query_are_a_format_error(
    exchange: Exchange, counts: tuple[int, ...]
) -> None:
    """ANCOUNT or NSCOUNT > 0 in a query: FORMERR, with OPT if one was understood."""
    some = record(name("x."), 1, 1, 0, bytes(4)) * (counts[1] + counts[2])
    for response in exchange(header(counts=counts) + question() + some):
        assert (response.rcode, response.counts) == (FORMERR, (1, 0, 0, 0))
    for response in exchange(header(counts=(*counts[:3], 1)) + question() + some + opt()):
        assert (response.rcode, response.counts) == (FORMERR, (1, 0, 0, 1))


@pytest.mark.parametrize("trailing", [b"\x00", b"garbage", bytes(1000)])
def test_octets_after_the_message_are_ignored(exchange: Exchange, trailing: bytes) -> None:
    """Bytes after the message: ignored."""
    for query in (ask(), ask(WEB, "A", opt())):
        for response in exchange(query + trailing):
            assert (response.rcode, response.answer) == (NOERROR, ["10.42.42.42"])


@pytest.mark.parametrize("qclass", [0, 2, 3, 4, 254, 255, 65535])
def test_another_class_is_refused(exchange: Exchange, qclass: int) -> None:
    """Class other than IN: REFUSED."""
    for response in exchange(ask(qclass=qclass)):
        assert (response.rcode, response.is_authoritative) == (REFUSED, False)
        assert response.counts == (1, 0, 0, 0)


OUTSIDE = [
    (".", "NS"),
    (".", "A"),
    ("local.", "SOA"),
    ("xclusterset.local.", "A"),
    ("web.test.svc.xclusterset.local.", "A"),
    ("clusterset.local.example.", "A"),
    ("web.test.svc.cluster.local.", "A"),
]


@pytest.mark.parametrize("view", ["any", "unheard"])
@pytest.mark.parametrize(("qname", "qtype"), OUTSIDE)
def test_what_is_out_of_the_zone_is_refused(exchange: Exchange, qname: str, qtype: str, view: str) -> None:
    """Out of zone, `. NS` (CoreDNS's health check), `xclusterset.local`: REFUSED, heard or not."""
    for response in exchange(ask(qname, qtype), view=view):
        assert (response.rcode, response.is_authoritative) == (REFUSED, False)
        assert response.counts == (1, 0, 0, 0)


@pytest.mark.parametrize(("qname", "least"), [("many.test.svc", 70), ("huge.test.svc", 70)])
def test_an_answer_too_large_for_udp_holds_what_fits(exchange: Exchange, qname: str, least: int) -> None:
    """Whole RRs while they fit, TC=1: old musl never retries over TCP."""
    udp, _ = exchange(ask(f"{qname}.{zones.ZONE}", "A", opt()))
    assert udp.is_truncated
    assert len(udp.answer) >= least
    assert udp.rcode == NOERROR
    assert udp.is_authoritative


def test_a_truncated_answer_moves_round_too(exchange: Exchange) -> None:
    """Order of addresses: rotated, so that those that do not fit are others each time."""
    query = ask(f"many.test.svc.{zones.ZONE}")
    first, second = (exchange(query)[0].raw for _ in range(2))
    end = 12 + len(question(f"many.test.svc.{zones.ZONE}"))
    assert first[end + 12 : end + 16] != second[end + 12 : end + 16]


def test_corednss_loop_probe_does_not_exist(exchange: Exchange) -> None:
    """`<n>.<n>.<zone> HINFO`, which CoreDNS's `loop` sends: NXDOMAIN, so that it sees no loop."""
    for response in exchange(ask(f"4711.815.{zones.ZONE}", "HINFO")):
        assert response.rcode == 3
