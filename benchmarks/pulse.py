"""
Feels a server's pulse from outside, a thousand times a second: how long a query waits, and how long its event loop was held.

Rules:
1. A query goes out each millisecond, answered or not: whoever waits for an answer before the next question does not see a long wait
   as often as clients do.
2. /healthz is asked on one connection, again some milliseconds after it has answered. It is answered in the event loop, so the
   longest wait for it is how long the loop was held: some tenths of a millisecond more, and at most `LOOK_S` less.
"""

import select
import socket
import time
from collections.abc import Callable, Sequence
from contextlib import closing
from statistics import quantiles
from typing import Final, NamedTuple

from .asker import query
from .clusterset import Question
from .servers import kept_awake

EVERY_S: Final = 0.001
LOOK_S: Final = 0.003
_GRACE_S: Final = 2.0
"""For the last answers."""
_ASK: Final = b"GET /healthz HTTP/1.1\r\nHost: it\r\n\r\n"


class Pulse(NamedTuple):
    """What was felt, all in seconds: the wait of each query, the wait of each look at /healthz, queries without an answer."""

    waits: list[float]
    looks: list[float]
    lost: int

    def at(self, percent: int) -> float:
        """Return a percentile of the waits of queries."""
        return quantiles(self.waits, n=100, method="inclusive")[percent - 1]

    @property
    def held(self) -> float:
        """Return the longest wait of /healthz."""
        return max(self.looks)

    def holds(self, longer_than_s: float) -> int:
        """Count the waits of /healthz that were longer."""
        return sum(look > longer_than_s for look in self.looks)


def feel(port: int, admin_port: int, questions: Sequence[Question], is_over: Callable[[], bool]) -> Pulse:
    """
    Ask until it is over.

    Args:
        port: Where DNS is on 127.0.0.1.
        admin_port: Where HTTP is.
        questions: What is asked, in turns.
        is_over: Asked every millisecond.
    """
    asked = [query(0, question.name, question.type)[2:] for question in questions]
    with closing(socket.socket(type=socket.SOCK_DGRAM)) as dns, closing(socket.socket()) as admin, kept_awake({1}):
        dns.connect(("127.0.0.1", port))
        admin.connect(("127.0.0.1", admin_port))
        for one in (dns, admin):
            one.setblocking(False)
        return _Feeler(dns, admin, asked).run(is_over)


class _Feeler:
    """Two sockets, and what is under way on them."""

    def __init__(self, dns: socket.socket, admin: socket.socket, asked: Sequence[bytes]) -> None:
        self._dns = dns
        self._admin = admin
        self._asked = asked
        self._sent_at: dict[bytes, float] = {}
        self._looked_at = 0.0  # when the question under way was asked, or 0
        self._look_at = 0.0
        self._waits: list[float] = []
        self._looks: list[float] = []
        self._lost = 0

    def run(self, is_over: Callable[[], bool]) -> Pulse:
        number, due = 0, time.monotonic()
        while not is_over():
            if (now := time.monotonic()) >= due:
                self._ask(number)
                number, due = number + 1, max(due + EVERY_S, now - EVERY_S)
            if not self._looked_at and now >= self._look_at:
                self._looked_at = time.monotonic()
                self._admin.send(_ASK)
            self._take(due - time.monotonic())
        end = time.monotonic() + _GRACE_S
        while self._sent_at and time.monotonic() < end:
            self._take(0.05)
        return Pulse(self._waits, self._looks, self._lost + len(self._sent_at))

    def _ask(self, number: int) -> None:
        number_octets = (number & 0xFFFF).to_bytes(2, "big")
        # A query whose answer has not come by the time that its id is used again is lost.
        self._lost += self._sent_at.pop(number_octets, None) is not None
        self._sent_at[number_octets] = time.monotonic()
        self._dns.send(number_octets + self._asked[number % len(self._asked)])

    def _take(self, wait_s: float) -> None:
        for readable in select.select([self._dns, self._admin], [], [], max(0.0, wait_s))[0]:
            octets = readable.recv(4096)
            now = time.monotonic()
            if readable is self._admin:
                if not octets:
                    raise ConnectionError("the admin address closed the connection")
                self._looks.append(now - self._looked_at)
                self._looked_at, self._look_at = 0.0, now + LOOK_S
            elif (sent_at := self._sent_at.pop(octets[:2], None)) is not None:
                self._waits.append(now - sent_at)
