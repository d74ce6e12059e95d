"""
A watch that is open, as the reader of the model test sees it: chunks of bytes that end anywhere.

Not here: who opens it and why it is in trouble (`model_server`).
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

from mcsdns.errors import StreamError
from mcsdns.source.events import Resource
from tests.source.model_store import GROUPS, NAMES, Change

if TYPE_CHECKING:
    from tests.source.model_server import ModelServer

BOOKMARK_S: Final = 60.0


class ModelStream:
    """
    One watch.

    Args:
        server: Whose.
        resource: What is watched.
        version: In which version.
        revision: What came later than this is told.
        limit_s: After so long the server ends it.
    """

    def __init__(self, server: ModelServer, resource: Resource, version: str, revision: int, limit_s: float) -> None:
        self.resource, self.version = resource, version
        self._server, self._revision = server, revision
        self._loop = asyncio.get_running_loop()
        self._end_at = self._loop.time() + limit_s
        self._bookmark_at = self._loop.time() + BOOKMARK_S
        self._buffer = b""
        self._problem: str | None = None
        self._is_over = self._is_frozen = self._is_double = self._is_cut_next = False
        self._wake = asyncio.Event()

    async def chunk(self) -> bytes:
        """Wait for bytes; none at the end."""
        while True:
            if self._buffer and not self._is_frozen:
                return self._take()
            if self._problem is not None:
                raise StreamError(self._problem)
            if self._is_over:
                return b""
            if self._is_frozen:
                await self._wait(None)
                continue
            due = min(self._end_at, self._bookmark_at)
            if not await self._wait(due):
                # A timer may be early by the resolution of the clock.
                self._pass_time(max(self._loop.time(), due))

    def close(self) -> None:
        """End it, from the reader's side."""
        self._server.streams.discard(self)

    # What the server does to it.

    def offer(self, change: Change) -> None:
        """Tell a change, if it is news here."""
        if change.revision <= self._revision:
            return
        if self._is_cut_next:
            self._revision = change.revision
            size = self._server.rng.choice((1, len(change.line) // 2, len(change.line) - 1))
            self.write(change.line[:size])
            self.fail("cut") if self._server.rng.random() < 0.5 else self.finish()
            return
        self._revision = change.revision
        self.write(change.line * (1 + self._is_double))

    def write(self, octets: bytes) -> None:
        """Send bytes."""
        if not self._is_over and self._problem is None:
            self._buffer += octets
            self._wake.set()

    def finish(self) -> None:
        """End it as a server does that has nothing more to say."""
        self._is_over = True
        self._leave()

    def fail(self, problem: str) -> None:
        """Break it."""
        self._problem = problem
        self._leave()

    def suffer(self, how: str) -> None:
        """Take what a script does to open watches."""
        match how:
            case "end":
                self.finish()
            case "fail":
                self.fail("cut")
            case "cut":
                self.cut_next()
            case "freeze":
                self.freeze()

    def freeze(self) -> None:
        """Fall silent for good: what is sent does not arrive any more."""
        self._is_frozen = True

    def cut_next(self) -> None:
        """Break in the middle of the next change."""
        self._is_cut_next = True

    def double(self) -> None:
        """Tell every change twice from now on."""
        self._is_double = True

    end = finish
    """As `mcsdns.source.kube.client.Stream.end`."""

    def _leave(self) -> None:
        self._server.streams.discard(self)
        self._wake.set()

    def _take(self) -> bytes:
        octets, rng = self._buffer, self._server.rng
        size = len(octets) if rng.random() < 0.7 else rng.randint(1, len(octets))
        self._buffer = octets[size:]
        return octets[:size]

    async def _wait(self, until: float | None) -> bool:
        """Wait for something to happen, and tell whether it did."""
        self._wake.clear()
        try:
            async with asyncio.timeout_at(until):
                await self._wake.wait()
        except TimeoutError:
            return False
        return True

    def _pass_time(self, now: float) -> None:
        if now >= self._end_at:
            self.finish()
        elif now >= self._bookmark_at:
            self._bookmark_at = now + BOOKMARK_S
            head = f'"kind":"{NAMES[self.resource]}","apiVersion":"{GROUPS[self.resource]}/{self.version}"'
            revision = self._server.store.revision
            self.write(
                f'{{"type":"BOOKMARK","object":{{{head},"metadata":{{"resourceVersion":"{revision}"}}}}}}\n'.encode()
            )
