"""Which queries get a line, how many lines there are, and when they end."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from ipaddress import ip_network
from random import Random
from typing import Any

import dns.message
import pytest
from hypothesis import given
from hypothesis import strategies as st
from structlog.testing import capture_logs

from mcsdns.querylog import RATE, TAKE_S, Noted, QueryLog, Wanted
from mcsdns.zone.names import from_text


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def query(name: str = "Web.test.example.", qtype: str = "A", **edns: Any) -> bytes:
    return dns.message.make_query(name, qtype, **edns).to_wire()


def response(asked: bytes, rcode: int = 0) -> bytes:
    return asked[:2] + bytes((0x84, rcode)) + asked[4:]


def note(log: QueryLog, asked: bytes, client: str = "10.1.2.3", answered: bytes | None = None) -> None:
    log.note(asked, answered, view="west", proto="udp", client=client, duration_s=0.000_25)


async def lines(wanted: Wanted, *asked: tuple[bytes, str]) -> list[dict[str, Any]]:
    """Give the lines that a log writes of queries."""
    log = QueryLog(Clock(), Random(1))
    with capture_logs() as said:
        log.start(wanted)
        for one, client in asked:
            note(log, one, client, response(one))
        log.stop("done")
    return [dict(line) for line in said if line["event"] == "query"]


async def test_a_line() -> None:
    """It holds who asked what, over which transport, and what they got."""
    before = datetime.now(UTC) - timedelta(milliseconds=1)
    (line,) = await lines(Wanted(seconds=60), (query(), "10.1.2.3"))
    assert before <= datetime.fromisoformat(line.pop("timestamp")) <= datetime.now(UTC)
    assert line == {
        "event": "query",
        "log_level": "warning",
        "view": "west",
        "client": "10.1.2.3",
        "proto": "udp",
        "name": "web.test.example.",
        "type": "A",
        "rcode": "NOERROR",
        "size": len(query()),
        "duration_ms": 0.25,
    }


async def test_what_has_no_answer_or_no_name() -> None:
    """A query without a response has no rcode, one that cannot be read no name; the rcode above 15 is told."""
    log = QueryLog(Clock())
    with capture_logs() as said:
        log.start(Wanted(seconds=60))
        note(log, b"x")
        note(log, bytes(12), answered=response(bytes(12), 1))
        note(log, query(use_edns=1), answered=response(query(use_edns=1)))
        note(log, query(qtype="TYPE65280"), answered=response(query(), 3))
        log.stop("done")
    found = [(line["name"], line["type"], line["rcode"], line["size"]) for line in said[1:-1]]
    size = len(query())
    assert found == [
        (None, None, None, 0),
        (None, None, "FORMERR", 12),
        ("web.test.example.", "A", "BADVERS", size + 11),
        ("web.test.example.", "TYPE65280", "NXDOMAIN", size),
    ]


@pytest.mark.parametrize(
    ("suffix", "name", "is_wanted"),
    [
        ("test.example", "web.test.example.", True),
        ("test.example", "WEB.TEST.EXAMPLE.", True),
        ("test.example", "test.example.", True),
        ("test.example", "webtest.example.", False),
        ("test.example", "example.", False),
        (".", "example.", True),
    ],
)
async def test_a_suffix_is_of_labels(suffix: str, name: str, is_wanted: bool) -> None:
    """Names at or below it, in any case, label by label."""
    found = await lines(Wanted(seconds=60, suffix=from_text(suffix)), (query(name), "::1"), (b"x", "::1"))
    assert len(found) == is_wanted


@pytest.mark.parametrize(
    ("network", "client", "is_wanted"),
    [
        ("10.0.0.0/8", "10.1.2.3", True),
        ("10.0.0.0/8", "11.1.2.3", False),
        ("10.0.0.0/8", "::ffff:10.1.2.3", True),
        ("10.0.0.0/8", "::1", False),
        ("fe80::/10", "fe80::1%eth0", True),
        ("10.0.0.0/8", "", False),
    ],
)
async def test_a_network(network: str, client: str, is_wanted: bool) -> None:
    """Clients of the network alone; an IPv4 address in IPv6 is what it is."""
    assert len(await lines(Wanted(seconds=60, client=ip_network(network)), (query(), client))) == is_wanted


async def test_a_sample() -> None:
    """About so large a share of the queries."""
    found = await lines(Wanted(seconds=60, sample=0.1), *[(query(), "::1")] * 500)
    assert 25 <= len(found) <= 75


async def test_lines_are_bounded() -> None:
    """At most so many a second; the others are counted, and the count is told at the end."""
    clock = Clock()
    log = QueryLog(clock)
    with capture_logs() as said:
        log.start(Wanted(seconds=60))
        for _ in range(RATE + 5):
            note(log, query())
        clock.now = 1.5
        note(log, query())
        assert (log.status().written, log.status().suppressed) == (RATE + 1, 5)
        log.stop("done")
    assert len(said) == RATE + 3
    assert (said[-1]["written"], said[-1]["suppressed"]) == (RATE + 1, 5)


async def test_it_ends_by_itself() -> None:
    """After the time that was asked for, also if nobody asks anything; another start counts anew."""
    log = QueryLog()
    with capture_logs() as said:
        log.start(Wanted(seconds=0.05, sample=0.5, suffix=from_text("a.b")))
        assert log.is_on
        assert (log.status().sample, log.status().suffix) == (0.5, "a.b.")
        log.start(Wanted(seconds=0.05))
        await asyncio.sleep(0.15)
        assert not log.is_on
        assert log.status().left_s == 0.0
        log.stop("nothing happens")
    told = [(line["event"], line.get("why")) for line in said]
    over = ("query log off", "the time is over")
    assert told == [("query log on", None), ("query log off", "replaced"), ("query log on", None), over]


@given(st.binary(max_size=80))
def test_anything_can_be_noted(octets: bytes) -> None:
    """What a client sends never makes it fail: it is called while others wait for their answers."""

    async def run() -> None:
        log = QueryLog()
        with capture_logs() as said:
            log.start(Wanted(seconds=60))
            note(log, octets)
            note(log, query()[:12] + octets, "fe80::1%x")
            log.stop("done")
        assert len(said) == 4

    asyncio.run(run())


class FakeRecorder:
    """A recorder that has recorded a query more each time that it is asked."""

    def __init__(self) -> None:
        self.wanted: Wanted | None = None
        self.asked: list[int] = []

    def start(self, wanted: Wanted) -> None:
        assert self.wanted is None, "it was stopped before"
        self.wanted = wanted

    def stop(self) -> None:
        self.wanted = None

    def take(self, most: int) -> tuple[Sequence[Noted], int]:
        self.asked.append(most)
        line = Noted(
            view="west",
            proto="tcp",
            client="::1",
            name=b"\x01a\x00",
            type=1,
            rcode=16,
            size=9,
            duration_s=0.5,
            ago_s=3600,
        )
        return [line][:most], 2


async def test_what_a_recorder_has_is_written() -> None:
    """Again and again while it is on, what is left at the end before it is said, and never once it is off."""
    recorder = FakeRecorder()
    log = QueryLog(recorder=recorder)
    with capture_logs() as said:
        wanted = Wanted(seconds=60, sample=0.5)
        log.start(wanted)
        assert recorder.wanted is wanted
        await asyncio.sleep(2.5 * TAKE_S)
        log.stop("done")
        assert recorder.wanted is None
        taken = len(recorder.asked)
        await asyncio.sleep(2 * TAKE_S)
    assert len(recorder.asked) == taken >= 3
    assert [line["event"] for line in said] == ["query log on", *["query"] * taken, "query log off"]
    assert (said[-1]["written"], said[-1]["suppressed"]) == (taken, 2 * taken)
    ago = datetime.now(UTC) - datetime.fromisoformat(said[1].pop("timestamp"))
    assert timedelta(hours=1) <= ago < timedelta(hours=1, seconds=10), "when it was asked, not when it is written"
    assert said[1] == {
        "event": "query",
        "log_level": "warning",
        "view": "west",
        "client": "::1",
        "proto": "tcp",
        "name": "a.",
        "type": "A",
        "rcode": "BADVERS",
        "size": 9,
        "duration_ms": 500.0,
    }


async def test_a_recorder_is_told_how_many_lines_there_may_be() -> None:
    """What is left of the second: it need not hand over what would not be written."""
    recorder = FakeRecorder()
    log = QueryLog(Clock(), recorder=recorder)
    with capture_logs():
        log.start(Wanted(seconds=60))
        for _ in range(RATE):
            note(log, query())
        log.stop("done")
        assert recorder.asked == [RATE, 0]
        assert (log.written, log.suppressed) == (RATE, 5)
