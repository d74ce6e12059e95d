"""
Asks one question over TCP again and again, where dnsperf 2.10 cannot: it reads no messages above 16 KiB, and with a connection for each
query it makes some ninety connections a second.
"""

import math
import selectors
import socket
import time
from contextlib import ExitStack
from typing import Final

from tests.servers.run import Server

from .asker import query
from .servers import kept_awake

_CONNECTIONS: Final = 8
_WINDOW: Final = 8
"""Questions under way on each connection."""
_ROOM: Final = 1 << 20


def cost_us(server: Server, port: int, name: str, qtype: int, seconds: float) -> float:
    """
    Ask as fast as the server answers, from core 1.

    Args:
        server: Whose CPU time is counted, children included.
        port: Where it is on 127.0.0.1.
        name: What is asked. The answer is always of the same size, whatever the order of its records.
        qtype: Likewise.
        seconds: How long.

    Returns:
        CPU µs for each answer; not a number where the server has closed a connection, as Knot does with large answers to a client
        that has asked for the next already.

    Raises:
        TimeoutError: An answer did not come within five seconds.
    """
    try:
        return _cost_us(server, port, name, qtype, seconds)
    except ConnectionError:
        return math.nan


def _cost_us(server: Server, port: int, name: str, qtype: int, seconds: float) -> float:
    message = query(1, name, qtype)
    asked = len(message).to_bytes(2, "big") + message
    with ExitStack() as stack, kept_awake({1}), selectors.DefaultSelector() as selector:
        size = 0
        for _ in range(_CONNECTIONS):
            client = stack.enter_context(socket.create_connection(("127.0.0.1", port), 5))
            client.sendall(asked)
            size = 2 + int.from_bytes(client.recv(2, socket.MSG_WAITALL), "big")
            client.recv(size - 2, socket.MSG_WAITALL)
            client.sendall(asked * _WINDOW)
            selector.register(client, selectors.EVENT_READ, [0])
        before, began, answers = server.cpu_seconds(), time.monotonic(), 0
        room = bytearray(_ROOM)
        while time.monotonic() - began < seconds:
            ready = selector.select(5)
            if not ready:
                raise TimeoutError(f"{server.name} has not answered {name} over TCP for five seconds")
            for key, _ in ready:
                connected, rest = key.fileobj, key.data
                assert isinstance(connected, socket.socket)
                whole, rest[0] = divmod(rest[0] + connected.recv_into(room), size)
                answers += whole
                connected.sendall(asked * whole)
        return (server.cpu_seconds() - before) / max(1, answers) * 1e6


def connection_cost_us(server: Server, port: int, name: str, seconds: float) -> float:
    """
    Ask for an address, each time on a new connection, one after the other, from core 1.

    Args:
        server: Whose CPU time is counted, children included.
        port: Where it is on 127.0.0.1.
        name: What is asked.
        seconds: How long.

    Returns:
        CPU µs for each connection, its making and its end included.
    """
    message = query(1, name)
    asked = len(message).to_bytes(2, "big") + message
    with kept_awake({1}):
        before, began, answers = server.cpu_seconds(), time.monotonic(), 0
        while time.monotonic() - began < seconds:
            with socket.create_connection(("127.0.0.1", port), 5) as client:
                client.sendall(asked)
                answers += len(client.recv(4096)) > 2
        return (server.cpu_seconds() - before) / max(1, answers) * 1e6
