"""
Serve TCP connections (RFC 7766, RFC 9210) within limits.

| a connection                                   | is                                                    |
|------------------------------------------------|-------------------------------------------------------|
| without a whole message for `tcp_idle_s`       | closed                                                |
| whose message is not whole after `tcp_message_s` | closed                                              |
| whose client takes nothing for `tcp_write_s`   | not read from meanwhile, then aborted                 |
| whose stream has ended (`Stream.is_ended`)     | closed, after what was answered                       |
| whose client has sent its FIN                  | closed, after the last answer                         |
| new, from an address that has its share        | refused                                               |
| new, when all are taken                        | let in for the one that is idle longest, else refused |

Rules:
1. What is in flight is what was asked and not yet taken. While the client takes nothing, nothing more is read from it.
2. At most `tcp_in_flight` messages of one connection are answered before the others have their turn.
3. One timer looks at all connections, twice a second: a limit is kept to within half a second, and no message costs a timer.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections import Counter, OrderedDict
from typing import cast

from mcsdns.plane.answers import Answers
from mcsdns.plane.base import Limits
from mcsdns.plane.counters import Closed, Refused, Totals
from mcsdns.plane.stream import Stream

SWEEP_S = 0.5
"""Seconds between two looks at all connections; a quarter of the smallest limit where that is less."""


class Connections:
    """
    All connections of a plane.

    Args:
        limits: How many there may be, and for how long.
        totals: Where they are counted.
    """

    def __init__(self, limits: Limits, totals: Totals) -> None:
        self.limits = limits
        self._totals = totals
        self._all: set[Connection] = set()
        self._idle: OrderedDict[Connection, None] = OrderedDict()
        """The one that is idle longest first."""
        self._by_client: Counter[str] = Counter()
        self._timer: asyncio.TimerHandle | None = None

    def start(self) -> None:
        """Look at the limits from now on, in the running loop."""
        shortest = min(self.limits.tcp_idle_s, self.limits.tcp_message_s, self.limits.tcp_write_s)
        self._sweep_later(asyncio.get_running_loop(), min(SWEEP_S, shortest / 4))

    def stop(self) -> None:
        """Close all of them; answers that a client does not take are lost. Each client sees an end, and none a reset."""
        if self._timer is not None:
            self._timer.cancel()
        for connection in self._all:
            connection.end()
        for connection in self._all:
            connection.abort()

    def admit(self, connection: Connection) -> bool:
        """Take a new connection in, if there is room."""
        if self._by_client[connection.client] >= self.limits.tcp_connections_per_client:
            return self._refuse(Refused.PER_CLIENT)
        if len(self._all) >= self.limits.tcp_connections:
            if not self._idle:
                return self._refuse(Refused.FULL)
            longest_idle = next(iter(self._idle))
            self.count_closed(Closed.EVICTED)
            longest_idle.abort()
            self.forget(longest_idle)
        self._all.add(connection)
        self._idle[connection] = None
        self._by_client[connection.client] += 1
        self._totals.tcp_open = len(self._all)
        return True

    def forget(self, connection: Connection) -> None:
        """Take a connection out. One that is not there was refused, or taken out before."""
        if connection not in self._all:
            return
        self._all.remove(connection)
        self._idle.pop(connection, None)
        self._by_client[connection.client] -= 1
        if not self._by_client[connection.client]:
            del self._by_client[connection.client]
        self._totals.tcp_open = len(self._all)

    def mark(self, connection: Connection, *, is_idle: bool) -> None:
        """Note whether a connection may be evicted. One that is idle has just become so, or has just been served."""
        if not is_idle:
            self._idle.pop(connection, None)
        elif connection in self._all:
            self._idle[connection] = None
            self._idle.move_to_end(connection)

    def count_closed(self, why: Closed) -> None:
        """Count a connection that we close."""
        self._totals.tcp_closed[why] += 1

    def _refuse(self, why: Refused) -> bool:
        self._totals.tcp_refused[why] += 1
        return False

    def _sweep_later(self, loop: asyncio.AbstractEventLoop, every_s: float) -> None:
        self._timer = loop.call_later(every_s, self._sweep, loop, every_s)

    def _sweep(self, loop: asyncio.AbstractEventLoop, every_s: float) -> None:
        self._sweep_later(loop, every_s)
        now = loop.time()
        for connection in list(self._all):
            reason = connection.overdue(now)
            if reason is not None:
                self.count_closed(reason)
                connection.abort()
                self.forget(connection)


class Connection(asyncio.Protocol):
    """
    One connection.

    Args:
        answers: What is answered.
        connections: All there are.

    Attributes:
        client: The address of the client.
    """

    __slots__ = (
        "_connections",
        "_is_blocked",
        "_is_half_closed",
        "_loop",
        "_message_since",
        "_served_at",
        "_stream",
        "_taken",
        "_taken_at",
        "_transport",
        "_written",
        "client",
    )

    def __init__(self, answers: Answers, connections: Connections) -> None:
        self.client = ""
        self._connections = connections
        self._stream = Stream(answers)
        self._loop = asyncio.get_running_loop()
        self._served_at = self._loop.time()
        self._message_since: float | None = None
        self._is_half_closed = False
        # Octets written and octets that the client has taken, and since when the latter has not grown.
        self._is_blocked = False
        self._written = self._taken = 0
        self._taken_at = 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take part, if there is room."""
        self._transport = cast("asyncio.Transport", transport)
        # There is no peer where the client has already gone.
        self.client = (transport.get_extra_info("peername") or ("",))[0]
        self._stream.client = self.client
        # Whatever the system does not take at once counts as blocked: its own buffer is large enough.
        self._transport.set_write_buffer_limits(high=0)
        if not self._connections.admit(self):
            self._transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 (asyncio's signature)
        """Make room for others."""
        self._connections.forget(self)

    def data_received(self, data: bytes) -> None:
        """Answer what is whole, keep what is not."""
        self._stream.feed(data)
        self._serve()

    def eof_received(self) -> bool:
        """Survive the client's FIN for as long as answers are due (RFC 7766 §6.2.4)."""
        self._is_half_closed = True
        self._serve()
        return True

    def pause_writing(self) -> None:
        """Read nothing while the client does not take its answers."""
        self._is_blocked = True
        self._taken_at = self._loop.time()

    def resume_writing(self) -> None:
        """Go on with what was asked before: the client has taken all."""
        self._is_blocked = False
        self._serve()

    def end(self) -> None:
        """
        Tell the client that nothing more comes.

        To close a socket with queries in it resets the connection, which a forwarder takes for a failure; after a FIN it asks again.
        """
        with contextlib.suppress(OSError):  # the client may have gone
            self._transport.get_extra_info("socket").shutdown(socket.SHUT_WR)

    def abort(self) -> None:
        """Close it at once."""
        self._transport.abort()

    def overdue(self, now: float) -> Closed | None:
        """
        Tell which limit has passed.

        Args:
            now: On the loop's clock, seconds.
        """
        limits = self._connections.limits
        if self._is_blocked:
            taken = self._written - self._transport.get_write_buffer_size()
            if taken > self._taken:
                self._taken, self._taken_at = taken, now
            return Closed.SLOW_READER if now - self._taken_at >= limits.tcp_write_s else None
        if self._message_since is not None:
            return Closed.SLOW_MESSAGE if now - self._message_since >= limits.tcp_message_s else None
        return Closed.IDLE if now - self._served_at >= limits.tcp_idle_s else None

    def _serve(self) -> None:
        """Answer as much as this turn allows, and see to what is left."""
        transport, stream = self._transport, self._stream
        if self._is_blocked or transport.is_closing():
            return
        octets, read = stream.respond(self._connections.limits.tcp_in_flight)
        if octets:
            self._written += len(octets)
            transport.write(octets)
        now = self._loop.time()
        if read:
            self._served_at = now
        if stream.is_ended:
            self._connections.count_closed(Closed.MALFORMED)
            transport.close()
        elif stream.has_message:
            self._message_since = None
            transport.pause_reading()
            self._connections.mark(self, is_idle=False)
            # Blocked, it goes on when writing does.
            self._loop.call_soon(self._serve)
        else:
            self._wait(now, began=read > 0)

    def _wait(self, now: float, *, began: bool) -> None:
        """No whole message is left: wait for octets, or, after the client's FIN, no longer."""
        if self._is_half_closed:
            self._transport.close()
            return
        if not self._stream.is_within_message:
            self._message_since = None
        elif began or self._message_since is None:
            self._message_since = now
        if self._is_blocked:
            self._transport.pause_reading()
        else:
            self._transport.resume_reading()
        self._connections.mark(self, is_idle=not self._is_blocked and self._message_since is None)
