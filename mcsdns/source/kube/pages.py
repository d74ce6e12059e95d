"""
The pages of a list, one after the other.

Rules:
1. While a page is decoded the next is already on its way.
2. A list is of the version that is to be preferred among those that are served, and so are the watches after it.

Not here: what is done with the objects (`teller`), and when to list (`reflector`).
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final

from structlog.typing import FilteringBoundLogger

from mcsdns.errors import ApiError, StreamError
from mcsdns.source.kube import discovery, payload
from mcsdns.source.kube.client import BODY_LIMIT, Client
from mcsdns.source.kube.discovery import Kind
from mcsdns.source.pace import turn

PAGE_SIZES: Final = (500, 50, 5, 1)
"""
Objects in a page. The first is what client-go has: some 500 KiB of JSON, decoded in a few milliseconds. Where a page is larger than
`client.BODY_LIMIT` the next list asks for smaller ones, and for larger ones again as soon as those would fit.
"""


class Pages:
    """
    Gets the pages of one resource.

    Args:
        kind: The resource.
        clock: The monotonic clock, in seconds.
        log: Bound to the cluster and the resource.

    Attributes:
        version: Which is read; empty before the first page.
        asked_at: When the request began that is to be vouched for: what the identity check confirms must be no older.
    """

    def __init__(self, kind: Kind, clock: Callable[[], float], log: FilteringBoundLogger) -> None:
        self.version = ""
        self.asked_at = 0.0
        self._kind = kind
        self._clock = clock
        self._log = log
        self._ahead: asyncio.Task[bytes] | None = None
        self._size = 0

    async def get(self, client: Client, token: str, *, is_start: bool) -> payload.ListPage | None:
        """
        Get a page, and send for the one after it.

        Args:
            client: Whom to ask.
            token: Which page; empty for the first.
            is_start: Nothing has been told yet. Such a list must not wait: an answer that was asked for beside it vouches for it.

        Returns:
            None where the server serves none of our versions, by its own word.

        Raises:
            SourceError: As `Client.get`; TooLargeError among them.
        """
        body = await (self._next(client, token, is_start=is_start) if token else self._first(client))
        if body is None:
            return None
        await turn()
        page = payload.read_page(body, self._kind)
        self._fit(len(body))
        following = page.metadata.token or ""
        if following and following == token:
            raise StreamError(f"the list of {self._kind.resource} does not end: a page names itself as the next")
        if following:
            self._ahead = asyncio.create_task(self._ask_next(client, following, is_start=is_start), name=following)
        return page

    def ask_for_smaller(self) -> None:
        """Ask for smaller pages from now on: one was too large."""
        self._size = min(self._size + 1, len(PAGE_SIZES) - 1)

    def drop(self) -> None:
        """Give up a page that nobody waits for any more."""
        task, self._ahead = self._ahead, None
        if task is not None:
            task.cancel()
            task.add_done_callback(lambda done: done.cancelled() or done.exception())

    async def _first(self, client: Client) -> bytes | None:
        """Get the first page, of the version that is to be preferred; None where none is served."""
        self.drop()
        self.asked_at = self._clock()
        version = self._kind.versions[0]
        try:
            body = await self._ask(client, version)
        except ApiError as error:
            if error.status != 404:
                raise
            found = await discovery.find(client.get, self._kind)
            if found is None:
                return None
            if found == version:
                # It is served, and not found: something between says so, and says it again if it is asked again at once.
                raise
            version = found
            body = await self._ask(client, version)
        if version != self.version:
            self._log.info("reading", version=version)
            self.version = version
        return body

    async def _next(self, client: Client, token: str, *, is_start: bool) -> bytes:
        """Get the page that the token names: it is probably on its way already."""
        task, self._ahead = self._ahead, None
        if task is not None and task.get_name() == token:
            return await task
        return await self._ask_next(client, token, is_start=is_start)

    async def _ask_next(self, client: Client, token: str, *, is_start: bool) -> bytes:
        if not is_start:
            self.asked_at = self._clock()
        return await self._ask(client, self.version, token)

    async def _ask(self, client: Client, version: str, token: str = "") -> bytes:
        query = {"limit": str(PAGE_SIZES[self._size])} | ({"continue": token} if token else {})
        return await client.get(self._kind.path(version), query)

    def _fit(self, octets: int) -> None:
        """Ask for larger pages again where they would fit, going by the one that has come."""
        if self._size and octets * PAGE_SIZES[self._size - 1] < BODY_LIMIT // 2 * PAGE_SIZES[self._size]:
            self._size -= 1
