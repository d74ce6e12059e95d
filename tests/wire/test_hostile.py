"""
Hostile packets, straight into `answer`: whatever comes, it is answered properly or not at all.

The invariant: parse raises nothing but `WireError`, answering raises nothing; every response can be parsed, keeps to the size of its
transport and repeats id, opcode, RD and the question.
"""

from __future__ import annotations

import random
import struct
from contextlib import suppress

import dns.message
import dns.name
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mcsdns.errors import WireError
from mcsdns.wire.answer import answer
from mcsdns.wire.edns import Transport
from mcsdns.wire.query import parse
from tests import zones
from tests.wire.messages import ask, header, judge, name, opt, option, question, record, tsig

SNAPSHOT = zones.snapshot()
UNHEARD = zones.snapshot(zones.RECORDS, complete=False)
UDP = Transport(is_tcp=False, nsid=b"here")
TCP = Transport(is_tcp=True, nsid=b"here")
PACKETS = 120_000
OTHER = record(b"\0", 1, 1, 0, b"")

NAMES = [
    *(
        "web.test.svc",
        "dual.test.svc",
        "_https._tcp.hl.test.svc",
        "many.test.svc",
        "_p._tcp.pods.test.svc",
        "nowhere.test.svc",
    ),
    *("", "svc", "dns-version"),
]
SEEDS = [
    query
    for qname in NAMES
    for qtype in ("A", "AAAA", "SRV", "ANY", "SOA", "AXFR", 65535)
    for query in (
        ask(f"{qname}.{zones.ZONE}".removeprefix("."), qtype),
        ask(f"{qname}.{zones.ZONE}".removeprefix("."), qtype, opt(4096, flags=0x8000, options=option(3) + option(10, bytes(8)))),
    )
] + [
    ask(".", "NS"),
    ask("web.test.svc.clusterset.local.", "A", opt(), tsig()),
    header(4 << 11, (1, 1, 0, 0)) + question() + record(name(zones.ZONE), 6, 1, 0, bytes(22)),
    header(counts=(1, 0, 1, 0)) + question(zones.ZONE, "IXFR") + record(name(zones.ZONE), 6, 1, 0, bytes(22)),
    ask("x.test.svc.clusterset.local.", "A", record(b"\xc0\x0c", 1, 1, 0, bytes(4)), opt()),
]  # fmt: skip


def mutated(rng: random.Random) -> bytes:
    """Make a packet: noise, or a query with a few octets changed, left out, doubled or put in."""
    kind = rng.random()
    if kind < 0.05:
        return rng.randbytes(rng.randrange(0, 80))
    if kind < 0.15:
        # Noise with a header that looks like a query's.
        return header(counts=(1, 0, 0, rng.randrange(3))) + rng.randbytes(rng.randrange(0, 60))
    packet = bytearray(rng.choice(SEEDS))
    for _ in range(rng.randrange(4)):
        at = rng.randrange(len(packet)) if packet else 0
        match rng.randrange(6):
            case 0 | 1:
                packet[at : at + 1] = bytes(
                    (rng.choice((0, 1, 0x29, 0x3F, 0x40, 0x80, 0xC0, 0xFF, rng.randrange(256))),)
                )
            case 2:
                del packet[at : at + rng.randrange(1, 5)]
            case 3:
                packet[at:at] = packet[at : at + rng.randrange(1, 20)]
            case 4:
                packet[at:at] = rng.randbytes(rng.randrange(1, 5))
            case _:
                del packet[at:]
    return bytes(packet)


def check(query: bytes, transport: Transport, response: bytes | None, *, strictly: bool) -> None:
    """Check the invariant of the module for one packet."""
    is_query = len(query) >= 12 and not query[2] & 0x80
    assert (response is not None) == is_query
    if response is None:
        return
    assert len(response) <= (65535 if transport.is_tcp else 1232)
    assert response[:2] == query[:2]
    assert response[2] & 0xF9 == query[2] & 0x79 | 0x80
    assert not response[3] & 0xF0
    has_question = response[4:6] == b"\x00\x01"
    if strictly:
        judge(query, "tcp" if transport.is_tcp else "udp", response)
    else:
        walk(response)
    assert not has_question or response[12:14] == query[12:14]


def walk(message: bytes) -> None:
    """Parse a response in the quickest way that sees every octet of its frame: it must end where it says."""
    qdcount, *counts = struct.unpack("!4H", message[4:12])
    at = 12
    for _ in range(qdcount):
        at = skip(message, at) + 4
    for _ in range(sum(counts)):
        at = skip(message, at) + 10
        at += int.from_bytes(message[at - 2 : at], "big")
    assert at == len(message)


def skip(message: bytes, at: int) -> int:
    """Return where a name ends."""
    while size := message[at]:
        if size >= 0xC0:
            assert int.from_bytes(message[at : at + 2], "big") & 0x3FFF < at
            return at + 2
        assert size < 0x40
        at += 1 + size
    return at + 1


def test_any_packet_is_answered_properly_or_not_at_all() -> None:
    """RFC 8906 §2: a server answers every query; design.md: it never panics. Every fifth response is read by dnspython."""
    rng = random.Random(20250101)
    for number in range(PACKETS):
        packet = mutated(rng)
        transport = TCP if number % 3 == 0 else UDP
        response = answer(packet, transport, UNHEARD if number % 7 == 0 else SNAPSHOT, number)
        check(packet, transport, response, strictly=number % 5 == 0)


@given(st.binary(max_size=600))
def test_parse_raises_wire_error_alone(packet: bytes) -> None:
    """Whatever the input, a query is parsed or `WireError` is raised, and nothing else."""
    with suppress(WireError):
        parse(packet)


@given(
    labels=st.lists(st.binary(min_size=1, max_size=63), max_size=5),
    qtype=st.integers(0, 65535),
    qclass=st.sampled_from([0, 1, 1, 1, 3, 254, 255]),
    flags=st.integers(0, 0x7FFF),
    additional=st.lists(
        st.sampled_from([opt(), opt(0), opt(65535, flags=0x8000, options=option(3)), opt(version=1), tsig(), OTHER]), max_size=3
    ),
    tail=st.sampled_from([b"\x00", name(zones.ZONE), name(f"test.svc.{zones.ZONE}"), name(f"web.test.svc.{zones.ZONE}")]),
    is_tcp=st.booleans(),
    turn=st.integers(0, 2**64),
)  # fmt: skip
def test_any_query_that_can_be_made_is_answered(
    labels: list[bytes],
    qtype: int,
    qclass: int,
    flags: int,
    additional: list[bytes],
    tail: bytes,
    is_tcp: bool,
    turn: int,
) -> None:
    """Names, types, classes, flags and additional records, put together in every way."""
    qname = b"".join(bytes((len(label),)) + label for label in labels) + tail
    query = ask(qname, qtype, *additional, qclass=qclass, flags=flags)
    transport = TCP if is_tcp else UDP
    check(query, transport, answer(query, transport, SNAPSHOT, turn), strictly=True)


@pytest.mark.parametrize("turn", range(5))
def test_the_same_arguments_give_the_same_octets(turn: int) -> None:
    """A pure function: two calls in different order give the same, and only the start of the answers depends on the turn."""
    queries = [ask(f"{qname}.{zones.ZONE}", "ANY", opt()) for qname in ("web.test.svc", "hl.test.svc", "many.test.svc")]
    first = [answer(query, UDP, SNAPSHOT, turn) for query in queries]
    second = [answer(query, UDP, SNAPSHOT, turn) for query in reversed(queries)]
    assert first == second[::-1]


def test_dnspython_reads_what_the_walk_reads() -> None:
    """The quick check and the judge agree on every seed."""
    for seed in SEEDS:
        response = answer(seed, TCP, SNAPSHOT, 0)
        assert response is not None
        walk(response)
        dns.message.from_wire(response, keyring=False)
