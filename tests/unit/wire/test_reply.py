"""mcsdns.wire.reply: compose and octets."""

from __future__ import annotations

import dns.message
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mcsdns.wire.codes import Rcode
from mcsdns.wire.edns import Transport
from mcsdns.wire.query import parse
from mcsdns.wire.reply import Content, compose, records
from mcsdns.zone.rrset import RRset
from tests.wire.messages import ask, opt

UDP = Transport(is_tcp=False)
SELF = b"\xc0\x0c"


def addresses(count: int) -> tuple[bytes, ...]:
    return records(SELF, RRset(1, 5, tuple(bytes((10, 0, number // 256, number % 256)) for number in range(count))))


@pytest.mark.parametrize("count", [0, 1, 2, 3, 7])
def test_every_record_comes_first_in_its_turn(count: int) -> None:
    reply = compose(parse(ask()), UDP, Content(Rcode.NOERROR, answer=addresses(count)))
    first = [str(dns.message.from_wire(reply.octets(b"id", turn)).answer[0][0]) for turn in range(count)]
    assert first == [f"10.0.0.{number}" for number in range(count)]
    if count:
        assert reply.octets(b"id", 0) == reply.octets(b"id", count)


@given(st.lists(st.integers(0, 300), min_size=1, max_size=40), st.integers(0, 100), st.integers(0, 1400))
def test_truncation_takes_whole_records_from_the_turn_on(sizes: list[int], turn: int, payload: int) -> None:
    """As many as fit in order from the one whose turn it is, and not one more."""
    query = ask("web.test.svc.clusterset.local.", 65280, opt(payload))
    answer = records(SELF, RRset(65280, 5, tuple(bytes((number,)) * size for number, size in enumerate(sizes))))
    reply = compose(parse(query), UDP, Content(Rcode.NOERROR, answer=answer))
    octets = reply.octets(b"id", turn)
    limit = min(max(512, payload), 1232)
    room = limit - len(query)
    assert len(octets) <= limit
    assert reply.is_truncated == (sum(map(len, answer)) > room)
    start = turn % len(answer)
    expected: list[bytes] = []
    for record in answer[start:] + answer[:start]:
        if len(b"".join(expected)) + len(record) > room:
            break
        expected.append(record)
    if len(answer) == 1 and reply.is_truncated:
        expected = []
    assert int.from_bytes(octets[6:8], "big") == len(expected)
    assert octets == octets[: len(query) - 11] + b"".join(expected) + octets[-11:]
    dns.message.from_wire(octets)


def test_glue_ends_with_the_first_rrset_that_does_not_fit() -> None:
    """Even if a later one would: what is there does not depend on sizes in a way that nobody could tell."""
    glue = [(1, bytes(100)), (1, bytes(2000)), (1, bytes(10))]
    reply = compose(parse(ask()), UDP, Content(Rcode.NOERROR, answer=addresses(1), glue=glue))
    assert reply.octets(b"id", 0)[10:12] == b"\x00\x01"
    assert not reply.is_truncated


def test_the_service_is_told() -> None:
    reply = compose(parse(ask()), UDP, Content(Rcode.NOERROR, answer=addresses(1), service=b"\x03web\x00"))
    assert (reply.service, reply.qtype, reply.rcode) == (b"\x03web\x00", 1, 0)
