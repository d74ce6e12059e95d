"""
Answer over UDP: read a datagram, send the response, until there is none left or others shall have a turn.

The sockets are read by a plain callback of the loop. asyncio's own datagram transport reads one datagram for each round of the loop and
keeps a queue for what cannot be sent; a DNS server wants neither.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from time import perf_counter
from typing import Any

from mcsdns.metrics import DURATION_BUCKETS_S
from mcsdns.plane.answers import Answers
from mcsdns.plane.counters import Drop, Totals
from mcsdns.plane.sockets import AnyAddressSocket, dropped

LARGEST_QUERY = 0xFFFF
"""Octets of a datagram that are read: all there can be, so that what stands behind a message is truly ignored."""
BATCH = 64
"""
Datagrams that are answered in one go. 64 take about half a millisecond, which is as long as TCP and the builder then wait. Under
load 16 to 128 measured alike; a round of the loop for each datagram would cost more than the answer.
"""

LAST_BATCHES = 4
"""Batches that are answered at the end. Without a limit a client that goes on asking would keep the server."""


class UdpServer:
    """
    Answers on one UDP socket.

    Args:
        udp: Bound, not blocking. It is closed by `stop`.
        answers: What is answered.
        totals: Where it is counted that a response could not be sent.
        is_wildcard: The socket is bound to a wildcard address.
    """

    def __init__(self, udp: socket.socket, answers: Answers, totals: Totals, *, is_wildcard: bool) -> None:
        self._socket = udp
        self._answers = answers
        self._totals = totals
        self._is_wildcard = is_wildcard
        # A peer is whatever `receive` says and `send` wants.
        self._receive: Callable[[int], tuple[bytes, Any]] = udp.recvfrom
        self._send: Callable[[bytes, Any], int] = udp.sendto
        if is_wildcard:
            any_address = AnyAddressSocket(udp)
            self._receive, self._send = any_address.receive, any_address.send

    def start(self) -> None:
        """Answer from now on, in the running loop."""
        asyncio.get_running_loop().add_reader(self._socket.fileno(), self._drain)

    @property
    def overflow(self) -> int:
        """Datagrams that the system has dropped because the socket's buffer was full. Not to be asked after `stop`."""
        return dropped(self._socket)

    def stop(self) -> None:
        """Answer what has come, and close the socket: whoever asks afterwards is refused at once, and nobody waits in vain."""
        asyncio.get_running_loop().remove_reader(self._socket.fileno())
        for _ in range(LAST_BATCHES):
            self._drain()
        self._socket.close()

    def _note(self, query: bytes, response: bytes | None, peer: Any, duration_s: float) -> None:
        """Have a query logged."""
        client, view = str((peer[0] if self._is_wildcard else peer)[0]), self._answers.ledger.view
        self._answers.querylog.note(query, response, view=view, proto="udp", client=client, duration_s=duration_s)

    def _drain(self) -> None:
        receive, send, answer, ledger = self._receive, self._send, self._answers.answer, self._answers.ledger
        is_logged = self._answers.querylog.is_on
        began = then = perf_counter()
        quick = 0
        for _ in range(BATCH):
            try:
                query, peer = receive(LARGEST_QUERY)
            except OSError:
                # None is left; or an ICMP error came back for a response, which reading has now cleared.
                break
            octets = answer(query)
            if octets is None:
                if is_logged:
                    self._note(query, None, peer, perf_counter() - then)
                continue
            try:
                send(octets, peer)
            except OSError:
                self._totals.drops[Drop.UNSENT] += 1
            now = perf_counter()
            if now - then <= DURATION_BUCKETS_S[0]:
                quick += 1
            else:
                ledger.took(now - then)
            if is_logged:
                self._note(query, octets, peer, now - then)
                now = perf_counter()
            then = now
        ledger.durations[0] += quick
        ledger.duration_s += then - began
