"""What is the Python plane's own: rendered replies, the stream of a connection, failures, descriptors."""

from __future__ import annotations

import socket
import time
from contextlib import ExitStack

import pytest
import structlog.testing

from mcsdns.metrics import DURATION_BUCKETS_S, SIZE_BUCKETS
from mcsdns.plane import accept, answers
from mcsdns.plane.answers import Answers, Published
from mcsdns.plane.counters import TYPE_LABELS, Ledger, Totals
from mcsdns.plane.stream import MALFORMED_LIMIT, WRITE_SIZE, Stream
from mcsdns.wire.answer import answer
from mcsdns.wire.edns import Transport
from tests import zones
from tests.planes import framed, read_frame, serving, tcp_client, udp_client
from tests.wire.messages import SERVFAIL, WEB, ask, judge, opt

ZONE = zones.ZONE
TCP = Transport(is_tcp=True)
UPDATE = zones.update(zones.TEST_ZONE)
SNAPSHOT = zones.snapshot()


def answering(room: int = 1 << 20, transport: Transport = TCP) -> tuple[Answers, Totals]:
    totals = Totals()
    return Answers(Published(UPDATE), transport, Ledger("any", "tcp", "1"), totals, room), totals


def test_a_kept_reply_is_what_answer_says() -> None:
    """The kept reply and the pure function give the same octets for the same turn."""
    made, _ = answering()
    for qname in ("web.test.svc", "hl.test.svc", "nowhere.test.svc", "_https._tcp.hl.test.svc"):
        query = ask(f"{qname}.{ZONE}", "ANY", opt())
        got = [made.answer(query) for _ in range(6)]
        assert set(got) == {answer(query, TCP, SNAPSHOT, turn) for turn in range(6)}


def test_a_reply_is_kept_for_the_very_query() -> None:
    """Another id is the same query; another spelling, flag or option is another one."""
    made, _ = answering()
    for query in (ask(), b"\xff\xff" + ask()[2:]):
        assert (made.answer(query) or b"")[:2] == query[:2]
    assert made.ledger.cache_misses == 1
    for query in (ask(WEB.upper()), ask(flags=0), ask(WEB, "A", opt()), ask(WEB, "A", opt(513))):
        response = judge(query, "tcp", made.answer(query) or b"")
        assert response.answer == ["10.42.42.42"]
    assert made.ledger.cache_misses == 5


def test_what_is_kept_is_bounded() -> None:
    """Octets bound it: the least recently used goes, and what is larger than all is not kept."""
    made, _ = answering(room=5000)
    for number in range(100):
        made.answer(ask(f"n{number}.test.svc.{ZONE}"))
    made.answer(ask(f"n99.test.svc.{ZONE}"))
    assert made.ledger.cache_misses == 100
    made.answer(ask(f"n0.test.svc.{ZONE}"))
    assert made.ledger.cache_misses == 101
    tiny, _ = answering(room=10)
    assert tiny.answer(ask()) == answer(ask(), TCP, SNAPSHOT, 1)


@pytest.mark.parametrize(
    "query",
    [ask()[:-1], ask(flags=0x2000), ask(f"huge.test.svc.{ZONE}"), ask() + bytes(5000)],
    ids=["malformed", "NOTIFY", "large", "padded"],
)
def test_junk_and_large_replies_are_not_kept(query: bytes) -> None:
    """They would push out what honest clients ask again."""
    made, _ = answering()
    for _ in range(3):
        made.answer(query)
    assert made.ledger.cache_misses == 3


def test_a_failure_of_ours_is_servfail(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every query gets an answer. The failure is counted each time and logged once."""
    made, totals = answering()

    def fail(*_: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(answers, "respond", fail)
    with structlog.testing.capture_logs() as logs:
        for query in (ask(), ask(), ask(".", "NS")):
            response = judge(query, "tcp", made.answer(query) or b"")
            assert response.rcode == SERVFAIL
            assert response.counts == (1, 0, 0, 0)
    assert totals.panics == 3
    assert [(line["event"], line["log_level"]) for line in logs] == [("answer failed", "error")]
    assert made.answer(b"x") is None


def test_a_failure_of_the_parser_is_servfail(monkeypatch: pytest.MonkeyPatch) -> None:
    """Even then: 12 octets, with id, opcode and RD."""
    made, _ = answering()

    def fail(*_: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(answers, "respond", fail)
    monkeypatch.setattr(answers, "parse", fail)
    with structlog.testing.capture_logs():
        response = judge(ask(), "tcp", made.answer(ask()) or b"")
    assert (response.rcode, len(response.raw)) == (SERVFAIL, 12)


def test_a_stream_answers_what_is_whole() -> None:
    """However the octets are cut, the same comes out."""
    octets = framed(ask()) + framed(ask(".", "NS")) + framed(ask(WEB, "AAAA"))
    for size in (1, 2, 7, len(octets)):
        stream = Stream(answering()[0])
        out = b""
        read = 0
        for at in range(0, len(octets), size):
            stream.feed(octets[at : at + size])
            more, count = stream.respond(1000)
            out, read = out + more, read + count
        assert read == 3
        assert len(out) == sum(
            2 + len(answering()[0].answer(query) or b"") for query in (ask(), ask(".", "NS"), ask(WEB, "AAAA"))
        )
        assert not stream.is_within_message
        assert not stream.has_message


def test_a_stream_keeps_to_its_bounds() -> None:
    """At most so many messages, and about so many octets, in one write."""
    stream = Stream(answering()[0])
    stream.feed(framed(ask()) * 10)
    assert stream.respond(4)[1] == 4
    assert stream.has_message
    assert stream.respond(100)[1] == 6
    stream.feed(framed(ask(f"huge.test.svc.{ZONE}")) * 3)
    octets, count = stream.respond(100)
    assert count == 2
    assert len(octets) <= WRITE_SIZE + 65537
    stream.feed(b"\x00")
    stream.respond(100)
    assert stream.is_within_message


def test_a_stream_ends_with_the_third_message_that_does_not_parse() -> None:
    """And what comes behind it is not read."""
    stream = Stream(answering()[0])
    stream.feed((framed(ask()[:-1]) + framed(ask())) * (MALFORMED_LIMIT + 1))
    assert stream.respond(100)[1] == 2 * MALFORMED_LIMIT - 1
    assert stream.is_ended
    assert not stream.has_message


def test_every_reply_is_counted_once() -> None:
    """Kept or not."""
    made, _ = answering()
    for _ in range(5):
        made.answer(ask())
        made.answer(ask()[:-1])
    assert sum(tally.queries for tally in made.ledger.tallies.values()) == 10
    assert sum(tally.request_octets for tally in made.ledger.tallies.values()) == 5 * (2 * len(ask()) - 1)


def test_labels_and_buckets_are_corednss() -> None:
    """CoreDNS 1.15, plugin/metrics/vars: existing dashboards go on working."""
    expected = "A AAAA ANY AXFR CNAME DNSKEY DS HTTPS IXFR MX NS NSEC NSEC3 PTR RRSIG SOA SRV SVCB TXT"
    assert " ".join(sorted(TYPE_LABELS.values())) == expected
    assert TYPE_LABELS[255] == "ANY"
    assert (len(DURATION_BUCKETS_S), DURATION_BUCKETS_S[0], DURATION_BUCKETS_S[-1]) == (16, 0.00025, 8.192)
    assert SIZE_BUCKETS == (0, 100, 200, 300, 400, 511, 1023, 2047, 4095, 8291, 16000, 32000, 48000, 64000)


def test_without_descriptors_accepting_rests(monkeypatch: pytest.MonkeyPatch) -> None:
    """EMFILE: no spinning, one line in the log; UDP and what is connected go on; later accepting does."""
    monkeypatch.setattr(accept, "REST_S", 0.2)
    failures = 0
    with ExitStack() as stack:
        logs = stack.enter_context(structlog.testing.capture_logs())
        served = stack.enter_context(serving("python", [zones.update(zones.RECORDS)]))
        before = stack.enter_context(tcp_client(served.port()))
        before.sendall(framed(ask()))
        assert read_frame(before)
        failing = True
        real = socket.socket.accept

        def fail(self: socket.socket) -> tuple[socket.socket, object]:
            nonlocal failures
            if failing:
                failures += 1
                raise OSError(24, "Too many open files")
            return real(self)

        monkeypatch.setattr(socket.socket, "accept", fail)
        waiting = stack.enter_context(tcp_client(served.port()))
        waiting.sendall(framed(ask()))
        time.sleep(0.7)
        assert 2 <= failures <= 4
        before.sendall(framed(ask()))
        assert read_frame(before)
        with udp_client(served.port()) as client:
            client.send(ask())
            assert client.recv(512)
        failing = False
        assert read_frame(waiting)
        assert served.counters().tcp_refused["no-descriptor"] == failures
    assert [line["event"] for line in logs] == ["cannot accept", "accepting again"]
