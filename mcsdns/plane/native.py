"""
The native plane: threads in Rust (`rust/`) that answer without the GIL. Here is what ties them to the server: views, sockets, counters.

```
publish ───────────────► _plane.Zone        (an atomic swap; packet threads never wait)
start   ──► sockets ───► _plane.Server      (threads: UDP as configured, one for TCP)
counters ◄─ summary ◄─── _plane.Server      (each thread counts for itself; added up here)
querylog ◄─ recording ◄─ _plane.QueryLog    (while it is on, each socket has a queue of what is wanted)
```

A panic in a packet thread ends the process; so does the watchdog, where the threads hang. Hence there is no count of panics.
"""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Mapping, Sequence

from mcsdns import _plane
from mcsdns.errors import PlaneError
from mcsdns.metrics import Counters
from mcsdns.plane.base import Limits, Listener
from mcsdns.plane.generations import Generations
from mcsdns.plane.recording import Recording
from mcsdns.plane.shortage import tell_shortage
from mcsdns.plane.sockets import Bound, bind_all, is_wildcard, receive_buffer
from mcsdns.plane.summary import summarize
from mcsdns.querylog import QueryLog
from mcsdns.zone.rrset import ServiceRecords, Update


class NativePlane:
    """
    Answers on threads of its own.

    Args:
        limits: What it allows.
        nsid: The identifier that it tells to those who ask for it, or None.
        threads: How many threads answer over UDP; None: one for each core that the process may use.
        pin: Let each of these threads run on one core alone.

    Attributes:
        querylog: Writes lines for queries, while it is on.
    """

    name = "native"

    def __init__(
        self, limits: Limits, nsid: bytes | None = None, threads: int | None = None, *, pin: bool = False
    ) -> None:
        self._limits = limits
        self._nsid = nsid
        cores = sorted(os.sched_getaffinity(0))
        self._threads = threads or len(cores)
        self._cores = cores if pin else ()
        self._zones: dict[str, _plane.Zone] = {}
        self._generations = Generations()
        self._listeners: Sequence[Listener] = ()
        self._recording = Recording()
        self.querylog = QueryLog(recorder=self._recording)
        self._receive_buffer = 0
        self._server: _plane.Server | None = None
        self._shortage: asyncio.Task[None] | None = None

    def stage(self, view: str, services: Mapping[bytes, ServiceRecords | None]) -> None:
        """
        Prepare a part of the next update of a view, unseen.

        Raises:
            PlaneError: It holds what cannot stand in a zone, or the view was never published, by a defect of ours.
        """
        zone = self._zones.get(view) or _plane.Zone()
        try:
            zone.stage(dict(services))
        except ValueError as error:
            raise PlaneError(f"services of the view {view!r} cannot be taken over: {error}") from error

    def publish(self, update: Update) -> None:
        """
        Take over an update and what was staged for it at once: the next answer of that view comes from it.

        Raises:
            PlaneError: It holds what cannot stand in a zone, by a defect of ours.
        """
        zone = self._zones.get(update.view) or _plane.Zone()
        try:
            zone.publish(update)
        except ValueError as error:
            raise PlaneError(
                f"the update {update.serial} of the view {update.view!r} cannot be taken over: {error}"
            ) from error
        self._zones[update.view] = zone
        self._generations.count(update.view)

    async def start(self, listeners: Sequence[Listener]) -> Sequence[Listener]:
        """
        Bind and serve.

        Returns:
            The listeners with the ports that were bound.

        Raises:
            PlaneError: An address cannot be bound, or nothing was ever published of a listener's view. Nothing stays bound.
        """
        bound = bind_all(listeners, self._zones, self._threads)
        self._listeners = [one.listener for one in bound]
        self._recording.views = [listener.view for listener in self._listeners]
        self._receive_buffer = receive_buffer(bound)
        self._server = self._serve(bound)
        self._shortage = asyncio.create_task(tell_shortage(self._server.tcp_is_resting), name="tell shortage")
        return self._listeners

    async def stop(self) -> None:
        """Close every socket. What was counted can still be read."""
        self.querylog.stop("the server stops")
        if self._shortage is not None:
            self._shortage.cancel()
        if self._server is not None:
            await asyncio.to_thread(self._server.stop)

    def counters(self) -> Counters:
        """Return what was counted since the plane was made."""
        return summarize(self._listeners, self._server, self._generations, self._receive_buffer)

    def _serve(self, bound: Sequence[Bound]) -> _plane.Server:
        limits = self._limits
        try:
            return _plane.Server(
                [self._hand_over(one) for one in bound],
                self._recording.threads,
                udp_payload=limits.udp_payload,
                keepalive=min(0xFFFF, round(limits.tcp_idle_s * 10)),
                nsid=self._nsid,
                cores=self._cores,
                connections=limits.tcp_connections,
                per_client=limits.tcp_connections_per_client,
                idle_s=limits.tcp_idle_s,
                message_s=limits.tcp_message_s,
                write_s=limits.tcp_write_s,
                in_flight=limits.tcp_in_flight,
            )
        except OSError as error:
            raise PlaneError(f"cannot start {self._threads} threads: {error}; set `threads` to fewer") from error

    def _hand_over(self, bound: Bound) -> tuple[_plane.Zone, list[int], int, bool]:
        # A thread that waits for one socket alone waits in the reading itself.
        for udp in (bound.udp, *bound.more_udp):
            udp.setblocking(True)
        # Inherited by what is accepted: answers to pipelined queries are not held back for an acknowledgement.
        bound.tcp.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        udp_sockets = [udp.detach() for udp in (bound.udp, *bound.more_udp)]
        host = bound.listener.host
        return self._zones[bound.listener.view], udp_sockets, bound.tcp.detach(), is_wildcard(host)
