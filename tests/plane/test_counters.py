"""What a plane counts of real queries."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable

from tests import zones
from tests.planes import Served, framed, read_frame, serving, tcp_client, udp_client
from tests.wire.messages import WEB, ask, header, opt, question

UPDATE = zones.update(zones.TEST_ZONE)


def over_udp(served: Served, *queries: bytes) -> None:
    with udp_client(served.port()) as client:
        for query in queries:
            client.send(query)
            client.recv(65535)


def over_tcp(served: Served, *queries: bytes) -> None:
    with tcp_client(served.port()) as client:
        for query in queries:
            client.sendall(framed(query))
            assert read_frame(client)


def wait_until(is_so: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 5
    while not is_so():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_requests_and_responses(plane_name: str) -> None:
    """Requests by view, proto, family and type; responses by view and rcode."""
    with serving(plane_name, [UPDATE]) as served:
        over_udp(served, ask(WEB, "A"), ask(WEB, "A"), ask(WEB, "AAAA"), ask(".", "NS"), ask(WEB, 4711), header())
        over_tcp(served, ask(WEB, "A"), ask(f"x.{zones.ZONE}", "SRV"))
        # A duration is known only when the response has been handed over: after the client has it.
        wait_until(lambda: sum(served.counters().durations["any"].counts) == 8)
        counters = served.counters()
    assert counters.requests == {
        ("any", "udp", "1", "A"): 2,
        ("any", "udp", "1", "AAAA"): 1,
        ("any", "udp", "1", "NS"): 1,
        ("any", "udp", "1", "other"): 2,
        ("any", "tcp", "1", "A"): 1,
        ("any", "tcp", "1", "SRV"): 1,
    }
    assert counters.responses == {
        ("any", "NOERROR"): 5,
        ("any", "NXDOMAIN"): 1,
        ("any", "REFUSED"): 1,
        ("any", "FORMERR"): 1,
    }
    assert counters.durations["any"].sum > 0
    assert counters.malformed == {"question": 1}


def test_sizes(plane_name: str) -> None:
    """Request and response sizes by view and proto: counts by bucket, and the exact sum."""
    with serving(plane_name, [UPDATE]) as served:
        query = ask(f"many.test.svc.{zones.ZONE}", "A", opt())
        over_udp(served, query, query)
        over_tcp(served, query)
        counters = served.counters()
    asked = counters.request_sizes["any", "udp"]
    assert (asked.counts[1], sum(asked.counts), asked.sum) == (2, 2, 2 * len(query))
    sent = counters.response_sizes["any", "udp"]
    assert (sent.counts[7], sum(sent.counts)) == (2, 2)
    assert counters.response_sizes["any", "tcp"].counts[7] == 1
    assert counters.truncated == {("any", "udp"): 2, ("any", "tcp"): 0}


def test_what_gets_no_response(plane_name: str) -> None:
    """Silent drops by reason; they are no requests."""
    with serving(plane_name, [UPDATE]) as served:
        with udp_client(served.port()) as client:
            for silent in (b"", b"x", ask(flags=0x8000), ask(flags=0x8180)):
                client.send(silent)
            client.send(ask())
            client.recv(512)
        counters = served.counters()
    assert counters.drops == {"no-header": 2, "response": 2}
    assert sum(counters.requests.values()) == 1


def test_malformed_by_what_is(plane_name: str) -> None:
    """FORMERR by the part that is at fault: a bounded set."""
    with serving(plane_name, [UPDATE]) as served:
        over_udp(
            served,
            header(counts=(2, 0, 0, 0)) + question() * 2,
            header(counts=(1, 1, 0, 0)) + question(),
            header(),
            header(counts=(1, 0, 0, 1)) + question(),
            ask(WEB, "A", opt(), opt()),
        )
        counters = served.counters()
    assert counters.malformed == {"counts": 2, "question": 1, "record": 1, "opt": 1}


def test_publishes(plane_name: str) -> None:
    """Updates that were taken over, by view, and the seconds since the last; what is staged is none."""
    with serving(plane_name, [UPDATE, zones.update(zones.RECORDS, view="west")]) as served:
        served.stage(zones.update("web.test.svc A 10.0.0.1"))
        served.publish(zones.update(serial=2))
        time.sleep(0.05)
        counters = served.counters()
    assert counters.publishes == {"any": 2, "west": 1}
    ages = counters.generation_ages_s
    assert 0.05 <= ages["any"] <= ages["west"] < 30


def test_queries_that_a_full_buffer_lost(plane_name: str) -> None:
    """The system drops what a socket has no room for; that is counted, and the room there is told."""
    with serving(plane_name, [UPDATE]) as served:
        room = served.counters().receive_buffer
        assert room >= 200_000
        if plane_name == "python":
            with udp_client(served.port()) as client:
                served.run(_flooded(client, room))
            wait_until(lambda: served.counters().drops.get("overflow", 0) > 0)
            before = served.counters().drops
    if plane_name == "python":
        assert served.plane.counters().drops == before, "what was counted stays when the sockets are closed"


async def _flooded(client: socket.socket, room: int) -> None:
    """Send more than there is room for while nobody reads: this runs where the plane does."""
    for _ in range(room // 500 + 100):
        client.send(bytes(500))


def test_connections(plane_name: str) -> None:
    """Open connections are a gauge."""
    with serving(plane_name, [UPDATE]) as served:
        with tcp_client(served.port()) as client:
            client.sendall(framed(ask()))
            assert read_frame(client)
            assert served.counters().tcp_open == 1
        assert served.counters().tcp_refused == {}
