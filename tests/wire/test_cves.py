"""What other servers have fallen to, and must stay impossible here."""

from __future__ import annotations

import time
import tracemalloc

import pytest

from mcsdns.wire.answer import answer
from mcsdns.wire.edns import Transport
from tests import zones
from tests.wire.conftest import Exchange, Silence
from tests.wire.messages import FORMERR, NOERROR, NXDOMAIN, REFUSED, ask, header, name, question, record

SNAPSHOT = zones.snapshot(zones.RECORDS)
TCP = Transport(is_tcp=True)


def costs(query: bytes) -> tuple[float, int]:
    """Tell the seconds and the octets that one answer takes: the least of three, since both count all threads of the process."""
    return min(_seconds(query) for _ in range(3)), min(_peak(query) for _ in range(3))


def _seconds(query: bytes) -> float:
    began = time.process_time()
    answer(query, TCP, SNAPSHOT, 0)
    return time.process_time() - began


def _peak(query: bytes) -> int:
    tracemalloc.start()
    answer(query, TCP, SNAPSHOT, 0)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return peak


def test_counts_of_65535_allocate_nothing() -> None:
    """CVE-2026-123570: a header of 12 octets with counts of 65535 made a server allocate 18 MB."""
    for counts in ((65535,) * 4, (1, 65535, 65535, 65535), (0, 65535, 65535, 65535)):
        _, peak = costs(header(counts=counts) + question())
        assert peak < 20_000


def test_compressed_names_cost_no_more_than_their_message() -> None:
    """CVE-2026-123608: each of thousands of records pointed to the same long name, which was written out for each."""
    long = b"\x01a" * 126 + b"\x00"
    records = record(b"\xc0\x0c", 1, 1, 0, b"") * 5000
    seconds, peak = costs(header(counts=(1, 0, 0, 5000)) + question(long) + records)
    assert seconds < 0.05
    assert peak < 200_000


def test_chained_pointers_cost_no_more_than_their_message() -> None:
    """CVE-2026-96405: pointers that point to pointers, each one octet pair before the last."""
    at = 12 + len(question()) + 11
    chain = b"\xc0\x0c" + b"".join((0xC000 | at + 2 * link).to_bytes(2, "big") for link in range(7000))
    first = record(b"\x00", 1, 1, 0, chain)
    last = (0xC000 | at + 2 * 7000).to_bytes(2, "big")
    seconds, _ = costs(header(counts=(1, 0, 0, 401)) + question() + first + record(last, 1, 1, 0, b"") * 400)
    assert seconds < 0.05


def test_a_chain_of_pointers_is_a_format_error(exchange: Exchange) -> None:
    """CVE-2026-96405: more pointers than a query can have use for."""
    records = record(b"\xc0\x0c", 1, 1, 0, b"")
    for count, rcode in ((64, NOERROR), (65, FORMERR)):
        for response in exchange(header(counts=(1, 0, 0, count)) + question() + records * count):
            assert response.rcode == rcode


def test_answers_are_not_answered(silence: Silence) -> None:
    """RUSTSEC-2023-0041: two servers that answer each other's answers never stop."""
    for flags in (0x8000, 0x8180, 0x8400, 0xF800):
        assert silence(ask(flags=flags))


def test_qtype_65535_is_a_type(exchange: Exchange) -> None:
    """CVE-2021-36754: a query for type 65535 ended the process."""
    for response in exchange(ask(zones.ZONE, 65535)):
        assert response.rcode == NOERROR


def test_a_headless_endpoint_without_ports_is_answered(exchange: Exchange) -> None:
    """CVE-2026-62994: a headless endpoint without ports ended the process when its SRV was asked for."""
    for response in exchange(ask(f"noports.test.svc.{zones.ZONE}", "SRV")):
        assert (response.rcode, response.answer) == (NOERROR, [])
    for response in exchange(ask(f"_http._tcp.noports.test.svc.{zones.ZONE}", "SRV")):
        assert response.rcode == NXDOMAIN


@pytest.mark.parametrize(
    "qname", ["xclusterset.local.", "web.test.svc.xclusterset.local.", "a\\.clusterset.local.", "local."]
)
def test_the_zone_is_matched_by_label(exchange: Exchange, qname: str) -> None:
    """CVE-2026-33489: a zone matched as a string served what only ends like it."""
    for response in exchange(ask(name(qname))):
        assert response.rcode == REFUSED
