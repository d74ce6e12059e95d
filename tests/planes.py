"""The planes under test, each on free ports of 127.0.0.1 in a thread with an event loop of its own. A new plane joins in `PLANES`."""

from __future__ import annotations

import asyncio
import importlib
import socket
import threading
from collections.abc import Callable, Coroutine, Iterator, Mapping, Sequence
from contextlib import contextmanager
from types import ModuleType
from typing import Any, Protocol, TypeVar

from mcsdns.metrics import Counters
from mcsdns.plane.base import Limits, Listener
from mcsdns.plane.choice import EXTENSION, has_extension
from mcsdns.plane.python import PythonPlane
from mcsdns.querylog import QueryLog
from mcsdns.wire.edns import Transport
from mcsdns.zone.rrset import ServiceRecords, Update
from mcsdns.zone.snapshot import Snapshot
from tests.servers.tools import Missing

T = TypeVar("T")


class CountingPlane(Protocol):
    """What the tests need of a plane: `mcsdns.plane.base.Plane` and its counters."""

    name: str
    querylog: QueryLog

    def stage(self, view: str, services: Mapping[bytes, ServiceRecords | None]) -> None: ...
    def publish(self, update: Update) -> None: ...
    async def start(self, listeners: Sequence[Listener]) -> Sequence[Listener]: ...
    async def stop(self) -> None: ...
    def counters(self) -> Counters: ...


def _native(limits: Limits, nsid: bytes | None) -> CountingPlane:
    native_extension()
    from mcsdns.plane.native import NativePlane  # noqa: PLC0415 - it is not everywhere

    # One thread, so that answers move round in an order that can be foretold; more of them are test_native_plane's.
    return NativePlane(limits, nsid, threads=1)


PLANES: dict[str, Callable[[Limits, bytes | None], CountingPlane]] = {"python": PythonPlane, "native": _native}
"""Every plane there may be. One that is not built is skipped, and with `CI=true` it fails where it could have been built."""


def native_extension() -> ModuleType:
    """
    Give the extension of the native plane.

    Raises:
        Missing: It is not built: no Rust toolchain was there when mcsdns was installed.
    """
    if not has_extension():
        raise Missing("the native plane is not built: install Rust (cargo), then `make` builds it")
    return importlib.import_module(EXTENSION)


class Served:
    """A plane that serves. Every call is carried out in its loop, as the daemon's would be."""

    def __init__(self, plane: CountingPlane, loop: asyncio.AbstractEventLoop, listeners: Sequence[Listener]) -> None:
        self.plane = plane
        self.listeners = listeners
        self._loop = loop

    def publish(self, update: Update) -> None:
        """Publish, and return when it is done."""
        self.run(self._publish(update))

    def stage(self, update: Update) -> None:
        """Stage the services of an update for its view."""
        self.run(self._stage(update))

    def counters(self) -> Counters:
        """Read the counters."""
        return self.run(self._counters())

    def port(self, view: str = "any") -> int:
        """Return the port of the first listener of a view."""
        return next(listener.port for listener in self.listeners if listener.view == view)

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Carry something out in the plane's loop."""
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(10)

    async def _publish(self, update: Update) -> None:
        self.plane.publish(update)

    async def _stage(self, update: Update) -> None:
        self.plane.stage(update.view, update.services)

    async def _counters(self) -> Counters:
        return self.plane.counters()


@contextmanager
def serving(
    name: str,
    updates: Sequence[Update],
    *,
    limits: Limits | None = None,
    nsid: bytes | None = None,
    hosts: Sequence[str] = ("127.0.0.1",),
) -> Iterator[Served]:
    """
    Serve views, each on every host, until the end of the block.

    Args:
        name: A plane of `PLANES`.
        updates: What is published first; their views are served.
        limits: The plane's.
        nsid: The plane's.
        hosts: Addresses to listen on.
    """
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    plane = PLANES[name](limits or Limits(), nsid)
    served = Served(plane, loop, ())
    try:
        for update in updates:
            served.publish(update)
        views = dict.fromkeys(update.view for update in updates)
        served.listeners = served.run(plane.start([Listener(host, 0, view) for view in views for host in hosts]))
        yield served
    finally:
        served.run(plane.stop())
        loop.call_soon_threadsafe(loop.stop)
        thread.join(10)
        loop.close()


def native_answer(query: bytes, transport: Transport, snapshot: Snapshot, turn: int) -> bytes | None:
    """Answer as the native plane does, from what a snapshot holds."""
    zone = native_extension().Zone()
    zone.publish(Update("any", snapshot.serial, snapshot.complete, snapshot.apex, snapshot.services))
    octets: bytes | None = zone.answer(
        query,
        is_tcp=transport.is_tcp,
        udp_payload=transport.udp_payload,
        keepalive=transport.keepalive,
        nsid=transport.nsid,
        turn=turn,
    )
    return octets


def udp_client(port: int, host: str = "127.0.0.1") -> socket.socket:
    """Open a UDP socket to a listener."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    client = socket.socket(family, socket.SOCK_DGRAM)
    client.settimeout(5)
    client.connect((host, port))
    return client


def tcp_client(port: int, host: str = "127.0.0.1", *, receive_buffer: int | None = None) -> socket.socket:
    """Open a TCP connection to a listener."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    client = socket.socket(family, socket.SOCK_STREAM)
    if receive_buffer is not None:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
    client.settimeout(5)
    client.connect((host, port))
    return client


def framed(message: bytes) -> bytes:
    """Put the length before a message (RFC 1035 §4.2.2)."""
    return len(message).to_bytes(2, "big") + message


def read_frame(client: socket.socket) -> bytes | None:
    """Read one message from a TCP connection, or None at its end."""
    size = _read(client, 2)
    return None if size is None else _read(client, int.from_bytes(size, "big"))


def _read(client: socket.socket, size: int) -> bytes | None:
    octets = b""
    while len(octets) < size:
        more = client.recv(size - len(octets))
        if not more:
            return None
        octets += more
    return octets
