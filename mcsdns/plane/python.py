"""
The plane in Python: the executable specification, readable first.

It runs in the event loop that starts it, in one thread: `publish` is a plain call between two answers, so a snapshot needs no lock.
It is what serves where the native plane could not be built, and what the native plane is tested against.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence

from msgspec import structs

from mcsdns.metrics import Counters
from mcsdns.plane.accept import Acceptor
from mcsdns.plane.answers import Answers, Published
from mcsdns.plane.base import Limits, Listener
from mcsdns.plane.counters import Ledger, Totals, summarize
from mcsdns.plane.generations import Generations
from mcsdns.plane.sockets import Bound, bind_all, is_wildcard, receive_buffer
from mcsdns.plane.tcp import Connections
from mcsdns.plane.udp import UdpServer
from mcsdns.querylog import QueryLog
from mcsdns.wire.edns import Transport
from mcsdns.zone.rrset import ServiceRecords, Update

RENDERED_ROOM = 48 << 20
"""
Octets for rendered replies, shared out between the sockets: some 40,000 for each of the two of one listener, which is A, AAAA and
SRV of 10,000 services and as many negatives. A query without a rendered reply costs about 10 µs more.
"""


class PythonPlane:
    """
    Answers on sockets of the running event loop.

    Args:
        limits: What it allows.
        nsid: The identifier that it tells to those who ask for it, or None.

    Attributes:
        querylog: Writes lines for queries, while it is on.
    """

    name = "python"

    def __init__(self, limits: Limits, nsid: bytes | None = None) -> None:
        self._limits = limits
        self._nsid = nsid
        self.querylog = QueryLog()
        self._published: dict[str, Published] = {}
        self._staged: dict[str, dict[bytes, ServiceRecords | None]] = {}
        self._ledgers: list[Ledger] = []
        self._totals = Totals()
        self._generations = Generations()
        self._receive_buffer = 0
        self._overflow = 0
        self._connections = Connections(limits, self._totals)
        self._udp: list[UdpServer] = []
        self._tcp: list[Acceptor] = []

    def stage(self, view: str, services: Mapping[bytes, ServiceRecords | None]) -> None:
        """Prepare a part of the next update of a view, unseen."""
        self._staged.setdefault(view, {}).update(services)

    def publish(self, update: Update) -> None:
        """Take over an update and what was staged for it, at once: the next answer of that view comes from it."""
        if staged := self._staged.pop(update.view, None):
            update = structs.replace(update, services={**staged, **update.services})
        published = self._published.get(update.view)
        if published is None:
            self._published[update.view] = Published(update)
        else:
            published.apply(update)
        self._generations.count(update.view)

    async def start(self, listeners: Sequence[Listener]) -> Sequence[Listener]:
        """
        Bind and serve.

        Returns:
            The listeners with the ports that were bound.

        Raises:
            PlaneError: An address cannot be bound, or nothing was ever published of a listener's view. Nothing stays bound.
        """
        bound = bind_all(listeners, self._published)
        self._receive_buffer = receive_buffer(bound)
        room = RENDERED_ROOM // max(1, 2 * len(bound))
        for one in bound:
            self._serve(one, room)
        self._connections.start()
        return [one.listener for one in bound]

    async def stop(self) -> None:
        """Close every socket."""
        self.querylog.stop("the server stops")
        self._overflow += sum(udp.overflow for udp in self._udp)
        for udp in self._udp:
            udp.stop()
        for tcp in self._tcp:
            await tcp.stop()
        self._connections.stop()
        self._tcp.clear()
        self._udp.clear()
        # One round of the loop, in which the connections are let go.
        await asyncio.sleep(0)

    def counters(self) -> Counters:
        """Return what was counted since the plane was made."""
        overflow = self._overflow + sum(udp.overflow for udp in self._udp)
        return summarize(self._ledgers, self._totals, self._generations, overflow, self._receive_buffer)

    def _serve(self, bound: Bound, room: int) -> None:
        over_udp = self._answers(bound.listener, room, is_tcp=False)
        over_tcp = self._answers(bound.listener, room, is_tcp=True)
        udp = UdpServer(bound.udp, over_udp, self._totals, is_wildcard=is_wildcard(bound.listener.host))
        tcp = Acceptor(bound.tcp, over_tcp, self._connections, self._totals)
        udp.start()
        tcp.start()
        self._udp.append(udp)
        self._tcp.append(tcp)

    def _answers(self, listener: Listener, room: int, *, is_tcp: bool) -> Answers:
        ledger = Ledger(listener.view, "tcp" if is_tcp else "udp", "2" if ":" in listener.host else "1")
        self._ledgers.append(ledger)
        transport = Transport(
            is_tcp=is_tcp,
            udp_payload=self._limits.udp_payload,
            keepalive=min(0xFFFF, round(self._limits.tcp_idle_s * 10)),
            nsid=self._nsid,
        )
        return Answers(self._published[listener.view], transport, ledger, self._totals, room, querylog=self.querylog)
