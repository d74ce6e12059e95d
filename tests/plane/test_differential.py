"""
Both planes say the same, octet for octet, whatever they are asked (design.md §5).

Random zones × random queries × transports × sizes × turns, and queries with a few octets changed. `MCSDNS_PACKETS` sets how many
packets are compared; 10⁷ take some ten minutes.
"""

from __future__ import annotations

import os
import random
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mcsdns.wire.answer import answer
from mcsdns.wire.edns import Transport
from mcsdns.zone.rrset import RRset, Update
from mcsdns.zone.snapshot import Snapshot
from tests import zones
from tests.planes import native_extension
from tests.random_zones import random_queries, random_query, random_update
from tests.wire.messages import ask, opt
from tests.wire.test_hostile import SEEDS, mutated

if TYPE_CHECKING:
    from mcsdns._plane import Zone

PACKETS = int(os.environ.get("MCSDNS_PACKETS") or 200_000)
"""Packets in all."""
ROUND = 2_500
"""Packets asked of one random zone, a fifth of them after each of its updates."""


class Pair:
    """One view, kept by both planes."""

    def __init__(self, update: Update) -> None:
        self.native: Zone = native_extension().Zone()
        self.python = Snapshot(update)
        self.native.publish(update)

    def apply(self, update: Update) -> None:
        self.python.apply(update)
        self.native.publish(update)

    def compare(self, query: bytes, transport: Transport, turn: int) -> None:
        """Ask both, and say what differs."""
        expected = answer(query, transport, self.python, turn)
        got = self.native.answer(
            query,
            is_tcp=transport.is_tcp,
            udp_payload=transport.udp_payload,
            keepalive=transport.keepalive,
            nsid=transport.nsid,
            turn=turn,
        )
        assert got == expected, f"query={query!r} transport={transport!r} turn={turn}"


def random_transport(rng: random.Random) -> Transport:
    return Transport(
        is_tcp=rng.random() < 0.35,
        udp_payload=rng.choice((512, 1232, 1232, 4096, rng.randrange(512, 4097))),
        keepalive=rng.choice((0, 300, 65535)),
        nsid=rng.choice((None, b"", b"here", bytes(rng.randrange(600)))),
    )


@pytest.mark.timeout(3600)
def test_both_planes_say_the_same() -> None:
    """Random zones that change, asked random and mutated queries."""
    rng = random.Random(20250202)
    done = 0
    while done < PACKETS:
        pair = Pair(random_update(rng, serial=1))
        for serial in range(2, 7):
            queries = random_queries(rng, pair.python)
            for _ in range(ROUND // 5):
                query = random_query(rng, queries)
                pair.compare(query, random_transport(rng), rng.choice((0, 1, 2, rng.randrange(2**64))))
                done += 1
            pair.apply(random_update(rng, serial=serial))


def test_both_planes_say_the_same_of_the_test_zone() -> None:
    """The zone of the other tests, with answers too large for UDP and for TCP, asked every seed and hostile packets."""
    rng = random.Random(20250203)
    pair, unheard = Pair(zones.update(zones.TEST_ZONE)), Pair(zones.update(zones.RECORDS, complete=False))
    for number, query in enumerate([*SEEDS, *(mutated(rng) for _ in range(20_000))]):
        (unheard if number % 5 == 0 else pair).compare(query, random_transport(rng), number)


@given(
    rdata=st.lists(st.binary(max_size=40), max_size=40, unique=True),
    rrtype=st.sampled_from([1, 2, 16, 28, 33, 65280]),
    payload=st.integers(0, 65535),
    turn=st.integers(0, 2**64 - 1),
)
def test_any_rdata_is_answered_alike(rdata: list[bytes], rrtype: int, payload: int, turn: int) -> None:
    """RDATA is opaque (RFC 3597): of any size, too short for its type, of no record at all."""
    owner = zones.name("x.test.svc")
    made = zones.update("x.test.svc A 10.0.0.1")
    records = made.services[owner]
    assert records is not None
    nodes = {**records.nodes, owner: (RRset(rrtype, 5, tuple(rdata)),)}
    pair = Pair(Update("any", 1, True, made.apex, {owner: type(records)(owner, nodes)}))
    for is_tcp in (False, True):
        pair.compare(ask(owner, rrtype, opt(payload)), Transport(is_tcp=is_tcp, udp_payload=4096), turn)


@pytest.mark.parametrize(
    ("problem", "change"),
    [
        ("expected services two labels below", {zones.name("svc"): None}),
        ("expected services two labels below", {zones.name("a.b.c.d.svc"): None}),
        ("expected services two labels below", {b"\x09cut": None}),
    ],
)
def test_what_cannot_stand_in_a_zone_is_not_taken_over(problem: str, change: dict[bytes, None]) -> None:
    """An update is taken over whole or not at all."""
    pair = Pair(zones.update(zones.RECORDS))
    made = zones.update("web.test.svc A 10.9.9.9", serial=2)
    with pytest.raises(ValueError, match=problem):
        pair.native.publish(Update("any", 2, True, made.apex, {**made.services, **change}))
    pair.compare(SEEDS[0], Transport(is_tcp=False), 0)
