"""The TCP limits of protocol.md (RFC 7766 §6.2.3, RFC 9210 §4): who takes too long or too much goes, and the others do not notice."""

from __future__ import annotations

import socket
import time
from contextlib import ExitStack, suppress

import pytest

from mcsdns.plane.base import Limits
from tests import zones
from tests.planes import Served, framed, read_frame, serving, tcp_client, udp_client
from tests.wire.messages import WEB, ask, judge

TOLERANCE_S = 1.0
"""How late a limit may be kept, seconds: the sweep of the Python plane, and as much again for a busy machine."""
MANY = f"many.test.svc.{zones.ZONE}"


def asks(client: socket.socket) -> bool:
    """Tell whether the connection still answers."""
    client.sendall(framed(ask(WEB)))
    return bool(judge(ask(WEB), "tcp", read_frame(client) or b"").answer)


def ends_after(client: socket.socket) -> float:
    """Wait for the end of a connection, and tell the seconds."""
    began = time.monotonic()
    try:
        while client.recv(65535):
            pass
    except ConnectionResetError:
        pass
    return time.monotonic() - began


def serve(name: str, limits: Limits, stack: ExitStack) -> Served:
    return stack.enter_context(serving(name, [zones.update(zones.TEST_ZONE)], limits=limits))


def test_an_idle_connection_is_closed(plane_name: str) -> None:
    """Idle 30 s (here 0.5): closed, counted from the last whole message."""
    with ExitStack() as stack:
        served = serve(plane_name, Limits(tcp_idle_s=0.5), stack)
        client = stack.enter_context(tcp_client(served.port()))
        for _ in range(3):
            time.sleep(0.3)
            assert asks(client)
        assert 0.4 <= ends_after(client) <= 0.5 + TOLERANCE_S
        assert served.counters().tcp_closed == {"idle": 1}


def test_octets_that_make_no_message_do_not_keep_it_open(plane_name: str) -> None:
    """A message complete within 2 s (here 0.5) of its first octet: dripping does not help."""
    with ExitStack() as stack:
        served = serve(plane_name, Limits(tcp_message_s=0.5), stack)
        client = stack.enter_context(tcp_client(served.port()))
        assert asks(client)
        began = time.monotonic()
        client.settimeout(0.05)
        try:
            # A length that promises more octets than come before the limit, one every 50 ms.
            for octet in b"\x01\x00" + ask(WEB):
                client.send(bytes((octet,)))
                with suppress(TimeoutError):
                    assert client.recv(1) == b""
                    break
        except (ConnectionResetError, BrokenPipeError):
            pass
        assert 0.4 <= time.monotonic() - began <= 0.5 + TOLERANCE_S + 0.1
        assert served.counters().tcp_closed == {"slow-message": 1}


def test_the_second_message_has_its_own_time(plane_name: str) -> None:
    """The time of a message begins with its first octet, not with the connection's."""
    with ExitStack() as stack:
        served = serve(plane_name, Limits(tcp_message_s=0.6), stack)
        client = stack.enter_context(tcp_client(served.port()))
        octets = framed(ask(WEB))
        for _ in range(3):
            client.sendall(octets[:7])
            time.sleep(0.35)
            client.sendall(octets[7:])
            assert read_frame(client)


def test_who_never_reads_is_cut_off(plane_name: str) -> None:
    """A write stalled for 2 s (here 0.5) closes, and until then nothing more is read from that client."""
    with ExitStack() as stack:
        served = serve(plane_name, Limits(tcp_write_s=0.5), stack)
        hog = stack.enter_context(tcp_client(served.port(), receive_buffer=4096))
        other = stack.enter_context(tcp_client(served.port()))
        flood = framed(ask(MANY)) * 1000
        hog.setblocking(False)
        began = time.monotonic()
        sent = 0
        while time.monotonic() - began < 3 and not served.counters().tcp_closed:
            try:
                sent += hog.send(flood)
            except BlockingIOError:
                time.sleep(0.02)
            except (ConnectionResetError, BrokenPipeError):
                break
            assert asks(other)
        assert served.counters().tcp_closed == {"slow-reader": 1}
        assert time.monotonic() - began <= 0.5 + TOLERANCE_S + 1
        # What was answered is what the system's buffers held, not what was asked.
        assert served.counters().requests["any", "tcp", "1", "A"] < 100_000


def test_who_reads_slowly_is_served(plane_name: str) -> None:
    """A client that takes its answers, if slowly, gets all of them."""
    with ExitStack() as stack:
        served = serve(plane_name, Limits(tcp_write_s=0.5), stack)
        client = stack.enter_context(tcp_client(served.port(), receive_buffer=4096))
        count = 3000
        client.sendall(framed(ask(MANY)) * count)
        for number in range(count):
            if number % 300 == 0:
                time.sleep(0.1)
            assert read_frame(client)
        assert served.counters().tcp_closed == {}


def test_one_address_has_its_share(plane_name: str) -> None:
    """512 from one address (here 3): the next is refused, whoever else is there, until one of them is closed."""
    with ExitStack() as stack:
        served = serve(plane_name, Limits(tcp_connections_per_client=3), stack)
        clients = [stack.enter_context(tcp_client(served.port())) for _ in range(3)]
        assert all(asks(client) for client in clients)
        refused = stack.enter_context(tcp_client(served.port()))
        assert ends_after(refused) < 1
        assert all(asks(client) for client in clients)
        assert served.counters().tcp_refused == {"per-client": 1}
        clients[0].close()
        wait_for_open(served, 2)
        assert asks(stack.enter_context(tcp_client(served.port())))


def test_the_oldest_idle_makes_room(plane_name: str) -> None:
    """4,096 connections (here 3): a new one evicts the one that has been idle longest."""
    with ExitStack() as stack:
        served = serve(plane_name, Limits(tcp_connections=3), stack)
        first, second, third = (stack.enter_context(tcp_client(served.port())) for _ in range(3))
        for client in (first, second, third, first):
            assert asks(client)
        fourth = stack.enter_context(tcp_client(served.port()))
        assert asks(fourth)
        assert ends_after(second) < 1
        assert asks(first)
        assert asks(third)
        assert served.counters().tcp_closed == {"evicted": 1}
        assert served.counters().tcp_open == 3


def test_a_busy_one_does_not_make_room(plane_name: str) -> None:
    """Where all are within a message, a new connection is refused."""
    with ExitStack() as stack:
        served = serve(plane_name, Limits(tcp_connections=2), stack)
        busy = [stack.enter_context(tcp_client(served.port())) for _ in range(2)]
        for client in busy:
            assert asks(client)
            client.sendall(b"\x00")
        # The octets are read before the next connection is accepted: they came on sockets that were ready before.
        time.sleep(0.1)
        assert ends_after(stack.enter_context(tcp_client(served.port()))) < 1
        assert served.counters().tcp_refused == {"full": 1}
        for client in busy:
            client.sendall(framed(ask(WEB))[1:])
            assert read_frame(client)


def test_a_flood_on_one_connection_does_not_hold_up_udp(plane_name: str) -> None:
    """1,000 queries in flight per connection (here 10): the others have their turn in between."""
    with ExitStack() as stack:
        served = serve(plane_name, Limits(tcp_in_flight=10), stack)
        flood = stack.enter_context(tcp_client(served.port()))
        count = 2000
        flood.sendall(framed(ask(WEB)) * count)
        with udp_client(served.port()) as client:
            client.send(ask(WEB))
            assert client.recv(512)
        for _ in range(count):
            assert read_frame(flood)


@pytest.mark.parametrize(
    "last", [b"", b"\x00", framed(ask(WEB))[:-1]], ids=["nothing", "half a length", "half a message"]
)
def test_after_the_clients_fin_all_that_is_due_is_sent(plane_name: str, last: bytes) -> None:
    """RFC 7766 §6.2.4: half-close, with more answers than one write holds; what is not whole is not waited for."""
    with ExitStack() as stack:
        served = serve(plane_name, Limits(), stack)
        client = stack.enter_context(tcp_client(served.port()))
        count = 1500
        client.sendall(framed(ask(MANY)) * count + last)
        client.shutdown(socket.SHUT_WR)
        for _ in range(count):
            assert read_frame(client)
        assert client.recv(1) == b""
        wait_for_open(served, 0)


def test_a_client_that_goes_is_forgotten(plane_name: str) -> None:
    """A reset connection leaves nothing behind."""
    with ExitStack() as stack:
        served = serve(plane_name, Limits(), stack)
        for _ in range(20):
            client = tcp_client(served.port())
            client.sendall(framed(ask(MANY)) * 50)
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\x00\x00\x00\x00\x00\x00\x00")
            client.close()
        wait_for_open(served, 0)
        assert served.counters().panics == 0


def wait_for_open(served: Served, count: int) -> None:
    """Wait until so many connections are open."""
    deadline = time.monotonic() + 3
    while served.counters().tcp_open != count:
        assert time.monotonic() < deadline, served.counters().tcp_open
        time.sleep(0.01)
