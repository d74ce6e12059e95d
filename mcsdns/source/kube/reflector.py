"""
Follows one resource of one cluster: asks, lets the sink be told, and does what the state machine says.

Rules:
1. What to do next is decided by `watch.step` alone; here it is done.
2. Nothing that a server says or fails to say ends a reflector. Only cancellation does.
3. After an outage a watch is resumed where it was, and checked by a list soon: an API server whose etcd was restored
   takes a resource version of its future without a word, and tells nothing until it gets there.

Not here: the cluster as a whole (`cluster`), pages (`pages`), objects (`teller`), a watch under way (`reader`), requests (`client`).
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from contextlib import closing
from random import Random

import structlog

from mcsdns.errors import (
    ApiError,
    CrdDeletedError,
    GoneError,
    OtherClusterError,
    SourceError,
    StreamError,
    TooLargeError,
)
from mcsdns.source.events import Sink
from mcsdns.source.health import OTHER_CLUSTER, Health
from mcsdns.source.kube.backoff import Backoff
from mcsdns.source.kube.client import Client
from mcsdns.source.kube.connection import Connection
from mcsdns.source.kube.discovery import Kind
from mcsdns.source.kube.identity import Identity
from mcsdns.source.kube.link import Link
from mcsdns.source.kube.pages import Pages
from mcsdns.source.kube.reader import Outcome, WatchReader
from mcsdns.source.kube.removal import Removal
from mcsdns.source.kube.settings import Timing
from mcsdns.source.kube.teller import Teller
from mcsdns.source.kube.turn import (
    START,
    Absent,
    After,
    CheckDue,
    Denied,
    Doomed,
    Emit,
    Ended,
    Failed,
    Gone,
    List,
    Page,
    Phase,
    Told,
    Turn,
    Watch,
)
from mcsdns.source.kube.watch import step
from mcsdns.source.objects import Object


class Reflector:
    """
    Args:
        kind: The resource.
        cluster: The configured name.
        link: The connection.
        sink: Takes the events.
        health: Takes the facts.
        identity: Which cluster the connection leads to.
        timing: The delays.
        clock: The monotonic clock, in seconds.
        rng: Draws jitter and time limits.
    """

    def __init__(
        self,
        kind: Kind,
        cluster: str,
        link: Link,
        sink: Sink,
        health: Health,
        *,
        identity: Identity,
        timing: Timing,
        clock: Callable[[], float] = time.monotonic,
        rng: Random,
    ) -> None:
        self._kind = kind
        self._link = link
        self._identity = identity
        self._health = health
        self._timing = timing
        self._clock = clock
        self._rng = rng
        self._teller = Teller(kind, cluster, sink, health)
        self._backoff = Backoff.of(timing, rng)
        self._log = structlog.get_logger().bind(cluster=cluster, resource=str(kind.resource))
        self._state = START
        self._removal = Removal(kind, timing, clock)
        self._pages = Pages(kind, clock, self._log)
        self._objects: list[Object] = []
        self._was_refused = False
        self._check_at = self._room_at = float("inf")
        self._generation, self._is_sure = 0, False

    async def run(self) -> None:
        """Follow the resource, until cancelled."""
        do: List | Watch = List()
        try:
            while True:
                outcome = await self._perform(do)
                turn = step(self._state, outcome.seen)
                await self._apply(turn, outcome)
                self._log.debug("step", seen=type(outcome.seen).__name__, after=turn.after.name, then=str(turn.then))
                await self._pause(turn.after, outcome.floor_s)
                do = turn.then
        finally:
            self._pages.drop()

    async def _perform(self, do: List | Watch) -> Outcome:
        """Make the request, and turn whatever comes of it into something that the state machine knows."""
        is_sure, self._is_sure = self._is_sure, False
        try:
            client = await self._link.client()
        except SourceError as error:
            return Outcome(Failed(), "credentials", str(error))
        connection = client.connection
        try:
            asks = self._list(client, do.token) if isinstance(do, List) else self._watch(client, do.rv, is_sure=is_sure)
            outcome = await asks
        except GoneError as error:
            self._health.erred(self._kind.resource, "gone")
            return Outcome(Gone(), problem=str(error))
        except ApiError as error:
            return await self._refused(error, connection, is_watch=isinstance(do, Watch))
        except TooLargeError as error:
            self._pages.ask_for_smaller()
            return Outcome(Failed(), "too_large", str(error))
        except CrdDeletedError as error:
            return Outcome(Doomed(), "deleted", str(error))
        except OtherClusterError as error:
            return Outcome(Failed(), OTHER_CLUSTER, str(error))
        except StreamError as error:
            if client.is_retired:
                return Outcome(Failed(is_worth_trying_at_once=True))
            return Outcome(Failed(), "stream", str(error))
        except SourceError as error:
            return Outcome(Failed(), "unreachable", str(error))
        return outcome

    async def _refused(self, error: ApiError, used: Connection, *, is_watch: bool) -> Outcome:
        """Take an answer that is not a success."""
        code = f"http_{error.status}"
        match error.status:
            case 401:
                is_new = await self._link.refused(used)
                at_once, self._was_refused = is_new and not self._was_refused, True
                return Outcome(Failed(is_worth_trying_at_once=at_once), code, str(error))
            case 403:
                return Outcome(Denied(), code, str(error))
            case 404 if is_watch:
                return Outcome(Absent(), code, str(error))
            case _:
                return Outcome(Failed(), code, str(error), error.retry_after_s)

    async def _list(self, client: Client, token: str) -> Outcome:
        """Get a page and decode it."""
        if not token:
            self._generation = self._identity.generation
        page = await self._pages.get(client, token, is_start=self._state.told is Told.NOTHING)
        if page is None:
            self._health.reads(self._kind.resource, None)
            await self._make_sure(client, self._pages.asked_at)
            problem = f"{self._kind.crd} is not served any more: what was last heard is served until it is there again"
            return Outcome(Absent(), "deleted", problem)
        self._health.reads(self._kind.resource, f"{self._kind.group}/{self._pages.version}")
        self._accepted()
        following = page.metadata.token or ""
        if not following:
            await self._make_sure(client, self._pages.asked_at)
        self._objects = await self._teller.decode(page)
        had, is_first = len(self._teller.ledger), self._state.phase is Phase.EMPTY
        if not following and had and self._teller.ledger.misses(self._objects, is_first=is_first):
            await self._removal.check(client, self._pages.version)
        return Outcome(Page(page.metadata.resource_version, following, len(self._objects), had))

    async def _watch(self, client: Client, rv: str, *, is_sure: bool) -> Outcome:
        """Watch, until something else than events comes of it."""
        query = {
            "watch": "1",
            "allowWatchBookmarks": "true",
            "resourceVersion": rv,
            "timeoutSeconds": str(self._rng.randint(*self._timing.watch_limit_s)),
        }
        if self._removal.is_open:
            await self._removal.check(client, self._pages.version)
        asked_at = self._clock()
        with closing(await client.watch(self._kind.path(self._pages.version), query)) as stream:
            self._accepted()
            if not is_sure:
                await self._make_sure(client, asked_at)
            reader = WatchReader(
                self._kind.resource,
                self._teller,
                self._health,
                self._state,
                # It has to catch up first.
                check_at=max(self._check_at, self._clock() + self._timing.early_end_s),
                room_at=max(self._room_at, self._clock() + self._timing.early_end_s),
                timing=self._timing,
                clock=self._clock,
            )
            try:
                outcome = await reader.read(self._removal.guard(stream, client, self._pages.version))
                # We ended it ourselves, for another connection: go on there at once.
                return Outcome(Ended(is_early=False)) if client.is_retired else outcome
            finally:
                self._state = reader.state

    async def _make_sure(self, client: Client, asked_at: float) -> None:
        """Make sure that the cluster which answers is the one that was listed, before what it says is told."""
        if await self._identity.confirm(client, asked_at) != self._generation:
            raise GoneError("this is another cluster than was listed: its resource versions are others")
        self._is_sure = True

    async def _apply(self, turn: Turn, outcome: Outcome) -> None:
        """Tell the sink what the step concluded, and then health."""
        before, self._state = self._state, turn.state
        objects, self._objects = self._objects, []
        # Where time has passed since the watch, what is other may be news.
        is_check = before.reason == "check" and not before.is_confirming
        await self._teller.tell(turn.emits, objects, before.rv, is_check=is_check)
        resource, health = self._kind.resource, self._health
        if isinstance(outcome.seen, CheckDue) or Emit.DONE in turn.emits:
            # From when it begins too, and not only from when it ends: one that fails must not be due again at once.
            self._check_at = self._in_about(self._timing.recheck_s)
            self._room_at = self._clock() + self._timing.room_s
        elif turn.state.phase is Phase.WATCHING and isinstance(outcome.seen, Failed):
            self._check_at = min(self._check_at, self._in_about(self._timing.recheck_soon_s))
        if Emit.DONE in turn.emits:
            health.listed(resource, before.reason)
        elif Emit.PARTIAL in turn.emits:
            health.partial(resource, outcome.code, outcome.problem)
        elif isinstance(outcome.seen, Absent) and turn.state.told is Told.ABSENT:
            health.alive(resource)
        elif outcome.code:
            health.broken(resource, outcome.code, outcome.problem)

    def _in_about(self, delay_s: float) -> float:
        """Return the time so long from now, ± 20 %, so that what began together does not go on together."""
        return self._clock() + delay_s * self._rng.uniform(0.8, 1.2)

    def _accepted(self) -> None:
        """Note that the server took our credentials."""
        self._was_refused = False
        self._link.accepted()

    async def _pause(self, after: After, floor_s: float | None) -> None:
        """Wait as the state machine says, but no longer than until the credentials change."""
        match after:
            case After.NOW:
                return
            case After.BACKOFF:
                await self._link.pause(self._backoff.fail(self._clock(), floor_s))
            case After.CONFIRM:
                await asyncio.sleep(self._timing.confirm_s)
            case After.ABSENT:
                await self._link.pause(self._timing.absent_s)
            case After.DENIED:
                await self._link.pause(self._rng.uniform(*self._timing.denied_s))
