"""
TCP clients that mean no good, and an honest one beside them.

Rules:
1. Connections that stay come from as many addresses of 127.0.0.0/8 as the limit for one address demands.
2. The flood comes from one address, in a process of its own: it connects as fast as it can, asks nothing, and keeps its last
   connections open (`python -m benchmarks.crowd PORT SECONDS` prints how many were made).
3. The honest client asks one question at a time: over UDP from a new socket, over TCP on a new connection.
"""

import contextlib
import socket
import sys
import time
from collections import deque
from collections.abc import Iterator
from statistics import quantiles
from typing import Final

from .clusterset import ZONE

FLOODER: Final = "127.99.99.99"
_HELD: Final = 4096
"""Connections that the flood keeps open: many times what one address may have."""
_PER_ADDRESS: Final = 400
"""Connections from one address: below the limit of mcsdns, 512."""
_PATIENCE: Final = 10
"""Connections that may fail or wait for a second before no more are tried: the server's table is full, and stays so."""
_NAME: Final = b"".join(bytes((len(label),)) + label.encode() for label in ZONE.split(".")) + b"\x00"
_MESSAGE: Final = b"\x12\x34\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00" + _NAME + b"\x00\x06\x00\x01"
QUERY: Final = len(_MESSAGE).to_bytes(2, "big") + _MESSAGE
"""The SOA of the zone, framed for TCP."""


class Honest:
    """
    The honest client, and what it met.

    Args:
        port: Of the server.

    Attributes:
        udp, tcp: Seconds that each answer took.
        refused: Questions over TCP without an answer.
    """

    def __init__(self, port: int) -> None:
        self.udp: list[float] = []
        self.tcp: list[float] = []
        self.refused = 0
        self._port = port

    def ask(self) -> None:
        """Ask once over UDP and once over TCP."""
        self.udp.append(_ask_udp(self._port))
        took = _ask_tcp(self._port)
        if took is None:
            self.refused += 1
        else:
            self.tcp.append(took)

    def figures(self) -> list[str]:
        """Give p50 and p99 over UDP, the same over TCP, and how many were refused."""
        return [_p50_p99(self.udp), _p50_p99(self.tcp), f"{self.refused} of {self.refused + len(self.tcp)}"]


def connections(port: int, wanted: int, stack: contextlib.ExitStack) -> Iterator[socket.socket]:
    """Connect as often as wanted, or until the server has let the tenth of them wait; `stack` closes them."""
    waited = 0
    for number in range(wanted):
        client = stack.enter_context(socket.socket())
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        client.settimeout(1)
        try:
            client.bind((f"127.0.{1 + number // _PER_ADDRESS}.1", 0))
            client.connect(("127.0.0.1", port))
        except OSError:
            waited += 1
            if waited == _PATIENCE:
                return
            continue
        client.setblocking(False)
        yield client


def push(client: socket.socket, octets: bytes) -> None:
    """Send what the server takes."""
    with contextlib.suppress(OSError):
        client.send(octets)


def flood(port: int, seconds: float) -> int:
    """Connect again and again from one address, and return how often it worked."""
    made, held = 0, deque[socket.socket]()
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        client = socket.socket()
        client.settimeout(1)
        # A closed connection leaves nothing behind at our end, or source ports would run out.
        client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\x00\x00\x00\x00\x00\x00\x00")
        try:
            client.bind((FLOODER, 0))
            client.connect(("127.0.0.1", port))
        except OSError:
            client.close()
            continue
        made += 1
        held.append(client)
        if len(held) > _HELD:
            held.popleft().close()
    for client in held:
        client.close()
    return made


def _ask_udp(port: int) -> float:
    began = time.perf_counter()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client, contextlib.suppress(TimeoutError):
        client.settimeout(2)
        client.sendto(_MESSAGE, ("127.0.0.1", port))
        client.recv(512)
    return time.perf_counter() - began


def _ask_tcp(port: int) -> float | None:
    began = time.perf_counter()
    try:
        with socket.create_connection(("127.0.0.1", port), 2) as client:
            client.sendall(QUERY)
            return time.perf_counter() - began if client.recv(512) else None
    except OSError:
        return None


def _p50_p99(seconds: list[float]) -> str:
    if len(seconds) < 2:
        return "none"
    cut = quantiles(seconds, n=100, method="inclusive")
    return f"{cut[49] * 1000:.2f} / {cut[98] * 1000:.2f}"


if __name__ == "__main__":
    print(flood(int(sys.argv[1]), float(sys.argv[2])))
