"""
Accept TCP connections.

asyncio's own server is not used: where descriptors run out it tries as often as the backlog is long, and logs each try with a
traceback.

Rule: where the system gives no connection, accepting rests for a second. What is connected goes on; what waits stays in the backlog.
"""

from __future__ import annotations

import asyncio
import socket

import structlog

from mcsdns.plane.answers import Answers
from mcsdns.plane.counters import Refused, Totals
from mcsdns.plane.tcp import Connection, Connections

BATCH = 64
"""Connections accepted in one go, before those that are there have their turn."""
REST_S = 1.0
"""Seconds without accepting after the system had no descriptor or memory for a connection: as asyncio rests."""

log = structlog.get_logger()


class Acceptor:
    """
    Accepts connections on one TCP socket.

    Args:
        tcp: Listening, not blocking. It is closed by `stop`.
        answers: What is answered on the connections.
        connections: Where they are taken in.
        totals: Where it is counted that none could be accepted.
    """

    def __init__(self, tcp: socket.socket, answers: Answers, connections: Connections, totals: Totals) -> None:
        self._socket = tcp
        self._answers = answers
        self._connections = connections
        self._totals = totals
        self._loop = asyncio.get_running_loop()
        self._opening: set[asyncio.Task[object]] = set()
        self._rest: asyncio.TimerHandle | None = None
        self._is_resting = False

    def start(self) -> None:
        """Accept from now on."""
        self._loop.add_reader(self._socket.fileno(), self._accept)

    async def stop(self) -> None:
        """Close the socket. Connections that were accepted are in the table when this returns."""
        if self._rest is not None:
            self._rest.cancel()
        self._loop.remove_reader(self._socket.fileno())
        self._socket.close()
        await asyncio.gather(*self._opening, return_exceptions=True)

    def _accept(self) -> None:
        for _ in range(BATCH):
            try:
                accepted, _peer = self._socket.accept()
            except (BlockingIOError, ConnectionAbortedError, InterruptedError):
                return
            except OSError as error:
                self._take_rest(error)
                return
            if self._is_resting:
                self._is_resting = False
                log.info("accepting again", view=self._answers.ledger.view)
            accepted.setblocking(False)
            opening = self._loop.create_task(self._loop.connect_accepted_socket(self._connection, accepted))
            self._opening.add(opening)
            opening.add_done_callback(self._opening.discard)

    def _connection(self) -> Connection:
        return Connection(self._answers, self._connections)

    def _take_rest(self, error: OSError) -> None:
        self._totals.tcp_refused[Refused.NO_DESCRIPTOR] += 1
        if not self._is_resting:
            self._is_resting = True
            log.warning("cannot accept", view=self._answers.ledger.view, error=str(error), retry_s=REST_S)
        self._loop.remove_reader(self._socket.fileno())
        self._rest = self._loop.call_later(REST_S, self.start)
