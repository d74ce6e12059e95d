"""
Tells the deletion of objects from that of their CRD.

Who deletes a CRD has the API server delete its objects, one by one and before it, and watches tell of each as of any other. But
before the first it notes that the CRD is being deleted, and its discovery ceases to offer `create`, while `delete` stays.

Rules:
1. What a watch tells as deleted, and what a list lacks, counts once discovery has been asked after it. What comes behind it waits.
2. One question is for everything that came before it; there is at most one in `removal_gap_s`.
3. Where discovery may not be read (403), or is not there at all (404), deletions count.
4. Where it gives no answer otherwise, they wait: the watch is taken up again before them, with the back-off of any failure.

Not here: what follows (`watch`), and what discovery says (`discovery`).

Source: apiextensions-apiserver, crd_finalizer.go and customresource_discovery_controller.go; docs/decisions/0013.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final

from mcsdns.errors import ApiError, CrdDeletedError, SourceError
from mcsdns.source.kube import discovery
from mcsdns.source.kube.client import Client
from mcsdns.source.kube.discovery import Kind
from mcsdns.source.kube.reader import Chunks
from mcsdns.source.kube.settings import Timing

_MARK: Final = b'"DELETED"'
"""In every event of a deletion. Elsewhere it costs a question too many, and nothing else."""


class Removal:
    """
    Asks, for one resource, whether deletions are to be believed.

    Args:
        kind: The resource.
        timing: The limits.
        clock: The monotonic clock, in seconds.

    Attributes:
        is_open: A question had no answer: ask again before there is a watch.
    """

    def __init__(self, kind: Kind, timing: Timing, clock: Callable[[], float]) -> None:
        self.is_open = False
        self._kind = kind
        self._timing = timing
        self._clock = clock
        self._asked_at = float("-inf")

    async def check(self, client: Client, version: str) -> None:
        """
        Make sure that what has been told as deleted was not deleted with its CRD.

        Args:
            client: Whom to ask.
            version: Which is read.

        Raises:
            CrdDeletedError: It was.
            SourceError: It cannot be told just now. An ApiError 404 says that this version is not served any more.
        """
        if not self._kind.is_custom:
            return
        timing = self._timing
        await asyncio.sleep(max(timing.removal_settle_s, self._asked_at + timing.removal_gap_s - self._clock()))
        self._asked_at, self.is_open = self._clock(), True
        try:
            async with asyncio.timeout(timing.removal_limit_s):
                verbs = await discovery.verbs_served(client.get, self._kind, version)
        except ApiError as error:
            if error.status not in {403, 404}:
                raise ApiError(error.status, self._unsure(error.reason), error.retry_after_s) from error
            verbs = frozenset()
        except TimeoutError:
            raise SourceError(self._unsure(f"no answer within {timing.removal_limit_s:g} s")) from None
        except SourceError as error:
            if client.is_retired:
                raise
            raise SourceError(self._unsure(str(error))) from error
        self.is_open = False
        if verbs is None:
            raise ApiError(404, f"{self._kind.crd} is not served as {version} any more: what was last heard is served")
        if "delete" in verbs and "create" not in verbs:
            raise CrdDeletedError(self._kind.crd)

    def guard(self, stream: Chunks, client: Client, version: str) -> Chunks:
        """Return a watch of which nothing is taken for a deletion unchecked: the same one, where there is no CRD."""
        return _Guarded(stream, self, client, version) if self._kind.is_custom else stream

    def _unsure(self, problem: str) -> str:
        return f"deletions wait: whether {self._kind.crd} itself is being deleted, discovery does not say: {problem}"


class _Guarded:
    """
    The bytes of a watch, of which none that tell a deletion are given out before it is known to be one.

    Args:
        stream: The watch.
        removal: Whom to ask.
        client: Through whom.
        version: Which is watched.
    """

    def __init__(self, stream: Chunks, removal: Removal, client: Client, version: str) -> None:
        self._stream = stream
        self._removal = removal
        self._client = client
        self._version = version
        self._held = b""
        self._tail = b""

    async def chunk(self) -> bytes:
        """
        Wait for the next bytes. Nothing is lost if this is cancelled.

        Raises:
            StreamError: The watch was cut.
            SourceError: As `Removal.check`.
        """
        if not self._held:
            chunk = await self._stream.chunk()
            seen = self._tail + chunk
            self._tail = seen[1 - len(_MARK) :]
            if _MARK not in seen:
                return chunk
            self._held = chunk
        await self._removal.check(self._client, self._version)
        held, self._held = self._held, b""
        return held
