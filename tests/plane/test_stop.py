"""The end of a plane, as its clients see it: what came in time is answered, and nobody waits in vain or takes the end for a failure."""

from __future__ import annotations

import socket
from contextlib import ExitStack

import pytest

from tests import zones
from tests.planes import Served, framed, read_frame, serving, tcp_client, udp_client
from tests.wire.messages import ask, judge

CLIENTS = 100


async def _ask_and_stop(served: Served, clients: list[socket.socket], octets: bytes) -> None:
    """Ask from every client, and stop the plane at once; in its loop, so that the Python plane has no turn in between."""
    for client in clients:
        client.send(octets)
    await served.plane.stop()


def test_what_came_over_udp_is_answered_and_the_rest_is_refused(plane_name: str) -> None:
    """A query that waits when the plane stops is answered: a forwarder would wait 2 s for it. The next one is refused at once."""
    with ExitStack() as stack:
        served = stack.enter_context(serving(plane_name, [zones.update(zones.TEST_ZONE)]))
        clients = [stack.enter_context(udp_client(served.port())) for _ in range(CLIENTS)]
        served.run(_ask_and_stop(served, clients, ask()))
        for client in clients:
            assert judge(ask(), "udp", client.recv(512)).answer
        clients[0].send(ask())
        with pytest.raises(ConnectionRefusedError):
            clients[0].recv(512)


def test_no_connection_is_reset(plane_name: str) -> None:
    """A client with a query under way reads its answer or the end of the connection, never a reset (RFC 7766 §6.2.4)."""
    with ExitStack() as stack:
        served = stack.enter_context(serving(plane_name, [zones.update(zones.TEST_ZONE)]))
        clients = [stack.enter_context(tcp_client(served.port())) for _ in range(CLIENTS)]
        for client in clients:
            client.sendall(framed(ask()))
            assert read_frame(client)
        served.run(_ask_and_stop(served, clients, framed(ask())))
        for client in clients:
            reply = read_frame(client)
            assert reply is None or judge(ask(), "tcp", reply).answer
