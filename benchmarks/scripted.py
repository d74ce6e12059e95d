"""
API servers without sockets, for virtual time: they answer from what a fleet has, and fail on request in one way.

Rules:
1. What the client would make of a failure is what it is here: an error of `mcsdns.errors`, after as long as that takes.
2. Each request is counted by resource, with its virtual time.

Not here: the client and TLS (`tests.source` has an API server for those), and what is measured (`virtual`).
"""

from __future__ import annotations

import asyncio
import json
import uuid
from collections import defaultdict
from collections.abc import Mapping
from enum import StrEnum
from random import Random
from typing import cast

from mcsdns.errors import ApiError, SourceError, StreamError
from mcsdns.source.events import Sink
from mcsdns.source.health import Health
from mcsdns.source.kube.connection import Connection
from mcsdns.source.kube.discovery import KINDS
from mcsdns.source.kube.identity import Identity
from mcsdns.source.kube.link import Link
from mcsdns.source.kube.reflector import Reflector
from mcsdns.source.kube.settings import Timing

from .fleet import BOOKMARK_S
from .members import KINDS as SERVED
from .members import KUBE_SYSTEM, RV, Pages, kube_system, page


class Fault(StrEnum):
    """A way to fail."""

    UNAVAILABLE = "503"
    BUSY = "429, Retry-After: 1"
    REFUSED = "connection refused"
    SILENT = "accepts and hangs"
    UNKNOWN = "401"
    DENIED = "403"
    HTML = "an HTML page with 200"


class Api:
    """
    One API server, and the link to it.

    Args:
        pages: What it has.

    Attributes:
        fault: How it fails now, or None.
        seen: When each resource was asked for, in virtual seconds.
    """

    def __init__(self, pages: Mapping[str, Pages]) -> None:
        self.fault: Fault | None = None
        self.seen: dict[str, list[float]] = defaultdict(list)
        self.connection, self.is_retired = Connection(url="https://127.0.0.1"), False
        self._uid = str(uuid.uuid4())
        self._timing = Timing()
        self._broken = asyncio.Event()
        self._bodies = {
            (resource, number): page(resource, token, items)
            for resource, found in pages.items()
            for number, (token, items) in enumerate(found)
        }

    def fail(self, fault: Fault | None) -> None:
        """Fail from now on, or cease to. Watches under way break, but for those of a server that hangs."""
        self.fault = fault
        if fault is not Fault.SILENT:
            self._broken.set()
            self._broken = asyncio.Event()

    async def client(self) -> Api:
        """Be the client as well."""
        return self

    async def get(self, path: str, query: Mapping[str, str] | None = None) -> bytes:
        """Give a page, or the namespace by which the cluster is known."""
        resource = self._note(path)
        await self._suffer(is_watch=False)
        if self.fault is Fault.HTML:
            return b"<html><body>Sign in</body></html>"
        if path == KUBE_SYSTEM:
            return kube_system(self._uid)
        return self._bodies[resource, int((query or {}).get("continue", "0"))]

    async def watch(self, path: str, query: Mapping[str, str]) -> _Stream:
        """Open a watch."""
        resource = self._note(path)
        await self._suffer(is_watch=True)
        return _Stream(self, SERVED[resource], float(query["timeoutSeconds"]), self._broken)

    async def refused(self, _used: Connection) -> bool:
        """Read the same credentials again."""
        return False

    def accepted(self) -> None:
        """Nothing is to be done."""

    async def pause(self, delay_s: float) -> None:
        """Wait: credentials do not change."""
        await asyncio.sleep(delay_s)

    def _note(self, path: str) -> str:
        resource = path.rpartition("/")[2]
        self.seen[resource].append(asyncio.get_running_loop().time())
        return resource

    async def _suffer(self, *, is_watch: bool) -> None:
        match self.fault:
            case Fault.UNAVAILABLE:
                raise ApiError(503, "overloaded")
            case Fault.BUSY:
                raise ApiError(429, "slow down", 1.0)
            case Fault.REFUSED:
                raise SourceError("cannot connect")
            case Fault.SILENT:
                await asyncio.sleep(self._timing.read_limit_s)
                raise StreamError("the server fell silent")
            case Fault.UNKNOWN:
                raise ApiError(401, "Unauthorized")
            case Fault.DENIED:
                raise ApiError(403, "forbidden")
            case Fault.HTML if is_watch:
                raise StreamError("expected a watch, found 'text/html'")


class _Stream:
    """A watch with a bookmark a minute."""

    def __init__(self, api: Api, kind: tuple[str, str], limit_s: float, broken: asyncio.Event) -> None:
        self._api = api
        self._broken = broken
        self._end_at = asyncio.get_running_loop().time() + limit_s
        head = {"kind": kind[1], "apiVersion": kind[0], "metadata": {"resourceVersion": RV}}
        self._bookmark = json.dumps({"type": "BOOKMARK", "object": head}).encode() + b"\n"

    async def chunk(self) -> bytes:
        """Wait for a bookmark or the end."""
        left_s = self._end_at - asyncio.get_running_loop().time()
        if self._api.fault is Fault.SILENT:
            await asyncio.sleep(1e9)
        try:
            async with asyncio.timeout(min(BOOKMARK_S, left_s)):
                await self._broken.wait()
        except TimeoutError:
            return b"" if left_s <= BOOKMARK_S else self._bookmark
        raise StreamError("cut")

    def close(self) -> None:
        """Nothing is open."""


async def follow(cluster: str, api: Api, sink: Sink, health: Health, rng: Random) -> None:
    """Follow every resource of one API server, until cancelled."""
    clock = asyncio.get_running_loop().time
    identity = Identity(cluster, api, health, timing=Timing(), clock=clock, rng=rng)
    async with asyncio.TaskGroup() as tasks:
        for kind in KINDS:
            link = cast("Link", api)
            reflector = Reflector(
                kind, cluster, link, sink, health, identity=identity, timing=Timing(), clock=clock, rng=rng
            )
            tasks.create_task(reflector.run())
        tasks.create_task(identity.run())
