"""RFC 7766: DNS over TCP. Limits in time are in tests/plane."""

from __future__ import annotations

import socket

import pytest

from tests import zones
from tests.planes import Served, framed, read_frame, tcp_client
from tests.wire.messages import FORMERR, WEB, ask, judge


def numbered(count: int) -> list[bytes]:
    return [number.to_bytes(2, "big") + ask()[2:] for number in range(count)]


def test_queries_are_pipelined(served: Served) -> None:
    """§6.2.1.1: clients SHOULD pipeline their queries; servers SHOULD process them concurrently. Each is answered once."""
    queries = numbered(500)
    with tcp_client(served.port()) as client:
        client.sendall(b"".join(map(framed, queries)))
        answers = [read_frame(client) for _ in queries]
    assert {answer[:2] for answer in answers if answer} == {query[:2] for query in queries}


@pytest.mark.parametrize("size", [1, 2, 3, 11])
def test_a_message_may_come_in_pieces(served: Served, size: int) -> None:
    """§8: the length and the message may be split over any number of segments."""
    octets = framed(ask()) * 2
    with tcp_client(served.port()) as client:
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for at in range(0, len(octets), size):
            client.send(octets[at : at + size])
        for _ in range(2):
            assert judge(ask(), "tcp", read_frame(client) or b"").answer == ["10.42.42.42"]


def test_a_half_closed_connection_is_answered(served: Served) -> None:
    """§6.2.4: a server must answer what was asked before the client's FIN, and closes then."""
    queries = numbered(20)
    with tcp_client(served.port()) as client:
        client.sendall(b"".join(map(framed, queries)))
        client.shutdown(socket.SHUT_WR)
        for query in queries:
            assert (read_frame(client) or b"")[:2] == query[:2]
        assert client.recv(1) == b""


def test_length_and_message_leave_in_one_write(served: Served) -> None:
    """§8: the two-octet length field and the message SHOULD be sent in one write, so that they are in one segment."""
    with tcp_client(served.port()) as client:
        client.sendall(framed(ask()))
        octets = client.recv(65535)
        assert len(octets) == 2 + int.from_bytes(octets[:2], "big")


def test_a_connection_is_kept(served: Served) -> None:
    """§6.2.1: connections SHOULD be reused."""
    with tcp_client(served.port()) as client:
        for _ in range(20):
            client.sendall(framed(ask()))
            assert read_frame(client)


def test_a_large_answer_is_whole(served: Served) -> None:
    """§5: TCP carries what UDP does not."""
    query = ask(f"many.test.svc.{zones.ZONE}")
    with tcp_client(served.port()) as client:
        client.sendall(framed(query))
        assert len(judge(query, "tcp", read_frame(client) or b"").answer) == 100


def test_the_largest_answer_is_truncated_to_65535_octets(served: Served) -> None:
    """§8: the length field has 16 bits. As many whole records as fit, and TC."""
    query = ask(f"huge.test.svc.{zones.ZONE}")
    with tcp_client(served.port()) as client:
        client.sendall(framed(query))
        response = judge(query, "tcp", read_frame(client) or b"")
    assert response.is_truncated
    assert 65535 - 16 < len(response.raw) <= 65535
    assert len(response.answer) == response.counts[1]


def test_a_frame_that_does_not_parse_is_answered_and_the_next_one_read(served: Served) -> None:
    """The choice: FORMERR and go on; close after three on one connection."""
    bad = ask()[:-1]
    with tcp_client(served.port()) as client:
        for query in (bad, ask(WEB), bad, ask(WEB)):
            client.sendall(framed(query))
            answer = read_frame(client) or b""
            assert (answer[3] & 0xF == FORMERR) == (query is bad)
        client.sendall(framed(bad))
        assert (read_frame(client) or b"")[3] & 0xF == FORMERR
        assert client.recv(1) == b""


@pytest.mark.parametrize("silent", [b"x", b"x" * 11, ask(flags=0x8000)], ids=["one octet", "11 octets", "a response"])
def test_frames_without_an_answer_count_as_not_parsing(served: Served, silent: bytes) -> None:
    """The choice: silence, and close after three."""
    with tcp_client(served.port()) as client:
        client.sendall(framed(silent) * 2 + framed(ask()) + framed(silent))
        assert judge(ask(), "tcp", read_frame(client) or b"").answer
        assert client.recv(1) == b""


def test_a_length_of_zero_closes(served: Served) -> None:
    """The choice: a frame of no octets is no message; what was asked before is answered."""
    with tcp_client(served.port()) as client:
        client.sendall(framed(ask()) + b"\x00\x00")
        assert read_frame(client)
        assert client.recv(1) == b""
