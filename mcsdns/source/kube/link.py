"""
The connection to one cluster as it is now, shared by its reflectors.

Rules:
1. Credentials are read in a thread with a time limit, so that a plugin that hangs does not hold the event loop; and
   once for all reflectors that need them.
2. The files are compared by content every `poll_s` (a mounted Secret changes by a symlink swap), after a 401 at once
   and then every `refused_poll_s`. Whoever waits is woken when something has changed.
3. Where only the token has changed, requests under way go on. Otherwise they break, and are resumed where they were.
4. A token that is about to expire is replaced before. When that is, is worked out once, as it is read: a wall clock that jumps later
   changes nothing, and one that is wrong costs a read in `RENEW_AGAIN_S` and no storm of them.

Not here: what the files say (`credentials`).
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import suppress
from typing import Final, Protocol, TypeVar

import structlog

from mcsdns.errors import SourceError
from mcsdns.source.kube.client import Client
from mcsdns.source.kube.connection import Connection
from mcsdns.source.kube.expiry import expiries
from mcsdns.source.kube.settings import Timing

RELOAD_S: Final = 2.0
"""Between two reads of credentials: four reflectors that all fail must not start four plugins."""

EARLY_S: Final = 60.0
"""So long before its end a token is replaced, or at a fifth of what is left of it where that is sooner."""

RENEW_AGAIN_S: Final = 60.0
"""After a token came that has expired already, by our clock: a wrong clock must not have a plugin run on and on."""

Result = TypeVar("Result")


class CredentialsReader(Protocol):
    """Reads credentials; its methods block."""

    def load(self) -> Connection:
        """Read everything anew. Raises SourceError."""

    def digest(self) -> bytes:
        """Tell the content of the files apart from what it was. Never raises."""


class Link:
    """
    One cluster's connection.

    Args:
        cluster: The configured name, for the log.
        credentials: Where the connection comes from.
        timing: The delays.
    """

    def __init__(self, cluster: str, credentials: CredentialsReader, timing: Timing) -> None:
        self._credentials = credentials
        self._timing = timing
        self._log = structlog.get_logger().bind(cluster=cluster)
        self._client: Client | None = None
        self._digest = b""
        self._changed = asyncio.Event()
        self._loading = asyncio.Lock()
        self._failure: SourceError | None = None
        self._loaded_at = float("-inf")
        self._renew_at = float("inf")
        self._is_refused = False
        self._worker: threading.Thread | None = None

    async def client(self) -> Client:
        """
        Return the client to ask with.

        Raises:
            SourceError: The credentials cannot be used, and why.
        """
        if self._client is None:
            await self._reload(is_forced=False)
        if self._client is None:
            raise self._failure or SourceError("no credentials")
        return self._client

    async def refused(self, used: Connection) -> bool:
        """
        Note that the server did not take our credentials (401), and read them again.

        Args:
            used: Those that were refused.

        Returns:
            There are others now.
        """
        self._is_refused = True
        if self._client is not None and self._client.connection is used:
            with suppress(SourceError):
                await self._reload(is_forced=False)
        return self._client is not None and self._client.connection.authorization != used.authorization

    def accepted(self) -> None:
        """Note that the server took our credentials."""
        self._is_refused = False

    def expiries(self) -> dict[str, float]:
        """Tell when what the connection rests on ends, in seconds since 1970, by kind (`expiry`)."""
        client = self._client
        return expiries(client.connection, client.server_certificate) if client is not None else {}

    async def pause(self, delay_s: float) -> None:
        """Wait so long, or until the credentials have changed."""
        with suppress(TimeoutError):
            async with asyncio.timeout(delay_s):
                await self._changed.wait()

    async def run(self) -> None:
        """Follow the files, until cancelled."""
        while True:
            poll_s = self._timing.refused_poll_s if self._is_refused else self._timing.poll_s
            await asyncio.sleep(poll_s)
            with suppress(SourceError):
                async with self._loading:
                    digest = await self._in_thread(self._credentials.digest)
                if digest != self._digest or asyncio.get_running_loop().time() >= self._renew_at:
                    await self._reload(is_forced=True)

    async def close(self) -> None:
        """End every connection."""
        if self._client is not None:
            await self._client.close()

    async def _reload(self, *, is_forced: bool) -> None:
        """Read the credentials, unless that has just been done."""
        loop = asyncio.get_running_loop()
        async with self._loading:
            if not is_forced and loop.time() - self._loaded_at < min(RELOAD_S, self._timing.refused_poll_s):
                return
            try:
                digest = await self._in_thread(self._credentials.digest)
                await self._take(await self._in_thread(self._credentials.load))
                self._digest, self._failure = digest, None
            except SourceError as error:
                # What has worked goes on: a file that is half written must not cost a healthy connection.
                self._failure = error
                if self._client is not None:
                    self._log.warning("credentials unreadable", error=str(error), using="those read before")
                raise
            finally:
                self._loaded_at = loop.time()

    async def _take(self, found: Connection) -> None:
        """Use this connection from now on."""
        self._renew_at = asyncio.get_running_loop().time() + renewal_s(found.expires_at, time.time())
        used = self._client
        if used is not None and used.connection.identity == found.identity:
            if used.connection.authorization == found.authorization:
                return
            used.renew(found)
        else:
            self._client = Client(found, self._timing)
            if used is not None:
                await used.close()
        if used is not None:
            self._log.info("credentials replaced")
        self._changed.set()
        self._changed = asyncio.Event()

    async def _in_thread(self, work: Callable[[], Result]) -> Result:
        """
        Run `work` in a thread of its own, which cannot hold up the end of the process.

        Raises:
            SourceError: It takes too long, or one that did still has not ended.
        """
        if self._worker is not None and self._worker.is_alive():
            raise SourceError("an earlier attempt to read the credentials still hangs: is it an exec plugin?")
        outcome: Future[Result] = Future()
        outcome.set_running_or_notify_cancel()
        self._worker = threading.Thread(target=_work, args=(work, outcome), name="credentials", daemon=True)
        self._worker.start()
        limit_s = self._timing.load_limit_s
        try:
            async with asyncio.timeout(limit_s):
                return await asyncio.wrap_future(outcome)
        except TimeoutError:
            raise SourceError(f"the credentials could not be had within {limit_s:g} s") from None
        finally:
            if outcome.done():
                self._worker = None


def renewal_s(expires_at: float | None, now: float) -> float:
    """
    Tell when a token is to be replaced.

    Args:
        expires_at: Its end, in seconds since 1970, or None where that is not known.
        now: The same, for now.

    Returns:
        Seconds from now; infinite where it does not end.
    """
    if expires_at is None:
        return float("inf")
    left_s = expires_at - now
    return left_s - min(EARLY_S, left_s / 5.0) if left_s > 0.0 else RENEW_AGAIN_S


def _work(work: Callable[[], Result], outcome: Future[Result]) -> None:
    """Run in the thread, and hand over what came of it."""
    try:
        outcome.set_result(work())
    except BaseException as error:  # noqa: BLE001 - it is raised again where it is awaited
        outcome.set_exception(error)
