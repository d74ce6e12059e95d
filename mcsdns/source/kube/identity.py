"""
Is it still the same cluster? An address can pass to another one, and what that says must not be taken for news of the first.

A cluster is known by the UID of its namespace `kube-system`, which it has for life.

Rules:
1. What a list or a watch says counts once the UID is known to be the first one, by an answer that was asked for after that list or
   watch began.
2. The first UID is learned beside the first lists. They do not wait for it: there is nothing to compare it with.
3. One answer serves every reflector whose request began before it was asked for. There are at most two in `identity_gap_s`.
4. Another UID is accepted where the connection leads to another URL or trusts another CA, because that is an operator's doing.
   Everything is listed anew then. A token proves nothing: it is renewed without anybody's doing.
5. Where the question is not allowed, the cluster is followed without it, and that is said.

Not here: what a reflector does about it (`reflector`).

Source: watching.md, the failure table; docs/decisions/0007.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from random import Random
from typing import Final, Protocol

import msgspec
import structlog
from msgspec import Struct

from mcsdns.errors import ApiError, GoneError, OtherClusterError, SourceError, StreamError
from mcsdns.source.health import Health
from mcsdns.source.kube.backoff import Backoff
from mcsdns.source.kube.connection import Connection
from mcsdns.source.kube.payload import shown
from mcsdns.source.kube.settings import Timing
from mcsdns.source.kube.watch import DENIED_AT_FIRST

NAMESPACE: Final = "kube-system"
PATH: Final = f"/api/v1/namespaces/{NAMESPACE}"


class Known(Struct, frozen=True):
    """Which cluster is followed: its UID, and where it was found (`Connection.place`)."""

    uid: str
    place: bytes


class Asked(Protocol):
    """One API server, as `client.Client` asks it."""

    connection: Connection

    async def get(self, path: str) -> bytes:
        """Get a body. Raises SourceError."""


class Connected(Protocol):
    """The connection as it is now, as `link.Link` has it."""

    async def client(self) -> Asked:
        """Return what to ask with. Raises SourceError."""

    async def pause(self, delay_s: float) -> None:
        """Wait so long, or until the credentials have changed."""


class _Meta(Struct):
    name: str
    uid: str


class _Namespace(Struct):
    kind: str
    metadata: _Meta


def read_uid(body: bytes) -> str:
    """
    Read the UID.

    Args:
        body: What the server said to `PATH`, with status 200.

    Raises:
        StreamError: It is not that namespace.
    """
    try:
        found = msgspec.json.decode(body, type=_Namespace)
    except msgspec.MsgspecError as error:
        raise StreamError(f"expected the namespace {NAMESPACE}, found {shown(body)!r}: {error}") from error
    if found.kind != "Namespace" or found.metadata.name != NAMESPACE or not 0 < len(found.metadata.uid) <= 64:
        raise StreamError(f"expected the namespace {NAMESPACE} with its UID, found {shown(body)!r}")
    return found.metadata.uid


def judge(known: Known | None, found: Known) -> Known:
    """
    Decide which cluster is followed from now on.

    Args:
        known: The one so far; None at first.
        found: The one that answers now.

    Raises:
        OtherClusterError: It is another, and nobody has pointed us there.
    """
    if known is not None and found.uid != known.uid and found.place == known.place:
        raise OtherClusterError(known.uid, found.uid)
    return found


class Identity:
    """
    Which cluster one connection leads to.

    Args:
        cluster: The configured name, for the log.
        link: The connection.
        health: Takes the UID, or why it is not known.
        timing: The delays.
        clock: The monotonic clock, in seconds.
        rng: Draws jitter.

    Attributes:
        generation: Grows when another cluster has been accepted: what was heard before is of no use then.
    """

    def __init__(
        self,
        cluster: str,
        link: Connected,
        health: Health,
        *,
        timing: Timing,
        clock: Callable[[], float],
        rng: Random,
    ) -> None:
        self.generation = 0
        self._link = link
        self._health = health
        self._timing = timing
        self._clock = clock
        self._backoff = Backoff.of(timing, rng)
        self._log = structlog.get_logger().bind(cluster=cluster)
        self._known: Known | None = None
        self._asking = asyncio.Lock()
        self._asked_at: deque[float] = deque([float("-inf")] * 2, maxlen=2)
        self._verdict: SourceError | None = None
        self._other: str | None = None
        self._not_before = float("-inf")
        self._denied_place: bytes | None = None

    async def run(self) -> None:
        """Learn which cluster it is. Ends when that is known; from then on there is something to `confirm`."""
        refusals = 0
        while self._known is None:
            floor_s = None
            try:
                await self._ask(await self._link.client())
            except SourceError as error:
                self._health.unidentified(str(error))
                if isinstance(error, ApiError):
                    floor_s = error.retry_after_s
                    refusals += error.status in {403, 404}
                if refusals >= DENIED_AT_FIRST:
                    self._say_unknown(error)
                    await self._link.pause(self._timing.recheck_s)
                else:
                    await self._link.pause(self._backoff.fail(self._clock(), floor_s))

    async def confirm(self, client: Asked, since: float) -> int:
        """
        Make sure that requests are answered by the cluster that is followed, as far as that is known.

        Args:
            client: What was asked.
            since: When, on the clock. An answer that was asked for later counts; without one, it is asked for now.

        Returns:
            The generation.

        Raises:
            OtherClusterError: It is another cluster.
            SourceError: The server gives no answer. (A role that does not allow the question is no error.)
        """
        if self._known is not None:
            async with self._asking:
                is_waived = self._clock() < self._not_before and client.connection.place == self._denied_place
                if self._asked_at[-1] < since and not is_waived:
                    self._verdict = await self._outcome(client)
            if self._verdict is not None:
                raise self._verdict.with_traceback(None)
        return self.generation

    async def _outcome(self, client: Asked) -> SourceError | None:
        """Ask, and return what is wrong."""
        try:
            await self._ask(client)
        except ApiError as error:
            if error.status == 403:
                # The list or watch was allowed, so the server has read its roles: ours lacks this.
                self._say_unknown(error)
                self._not_before = self._clock() + self._timing.recheck_s
                self._denied_place = client.connection.place
                return None
            if error.status == 404:
                # No cluster can lose it: this one is new, and has not made it yet. (A 404 as such is a word about a watched resource.)
                return StreamError(f"the API server has no namespace {NAMESPACE}: is it that of a new cluster?")
            return ApiError(error.status, f"namespace {NAMESPACE}: {error.reason}", error.retry_after_s)
        except GoneError as error:
            return StreamError(f"namespace {NAMESPACE}: {error}")
        except SourceError as error:
            return error
        return None

    async def _ask(self, client: Asked) -> None:
        """Ask for the UID, and take it."""
        await asyncio.sleep(max(0.0, self._asked_at[0] + self._timing.identity_gap_s - self._clock()))
        self._asked_at.append(self._clock())
        self._take(Known(read_uid(await client.get(PATH)), client.connection.place))

    def _take(self, found: Known) -> None:
        """Take the UID that a server gave."""
        known = self._known
        try:
            self._known = judge(known, found)
        except OtherClusterError as error:
            if self._other != found.uid:
                self._log.warning("another cluster at this address", error=str(error), serving="last known data")
            self._other = found.uid
            raise
        if known is not None and known.uid != found.uid:
            self.generation += 1
            self._log.warning("another cluster accepted", was=known.uid, uid=found.uid, cause="another URL or CA")
        elif self._health.uid_problem is not None or known is None:
            self._log.info("cluster identified", uid=found.uid)
        self._other = None
        self._health.identified(found.uid)

    def _say_unknown(self, error: SourceError) -> None:
        """Say, once, that the cluster is followed without knowing which it is."""
        problem = f"{error}; apply deploy/rbac.yaml, so that another cluster at this address is noticed"
        if self._health.uid_problem != problem:
            self._log.info("cluster identity unknown", error=problem)
        self._health.unidentified(problem)
