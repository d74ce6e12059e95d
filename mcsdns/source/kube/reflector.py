"""
Follows one resource of one cluster: asks, lets the sink be told, and does what the state machine says.

Rules:
1. What to do next is decided by `watch.step` alone; here it is done.
2. Nothing that a server says or fails to say ends a reflector. Only cancellation does.
3. While a page is decoded the next is already on its way.

Not here: the cluster as a whole (`cluster`), objects (`teller`), a watch under way (`reader`), requests (`client`).
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from random import Random
from typing import Final

import structlog

from mcsdns.errors import ApiError, GoneError, SourceError, StreamError
from mcsdns.source.events import Sink
from mcsdns.source.health import Health
from mcsdns.source.kube import discovery, payload
from mcsdns.source.kube.backoff import Backoff
from mcsdns.source.kube.client import Client
from mcsdns.source.kube.connection import Connection
from mcsdns.source.kube.discovery import Kind
from mcsdns.source.kube.link import Link
from mcsdns.source.kube.reader import Outcome, WatchReader
from mcsdns.source.kube.settings import Timing
from mcsdns.source.kube.teller import Teller
from mcsdns.source.kube.watch import (
    START,
    Absent,
    After,
    CheckDue,
    Denied,
    Emit,
    Ended,
    Failed,
    Gone,
    List,
    Page,
    Told,
    Turn,
    Watch,
    step,
)
from mcsdns.source.objects import Object

PAGE_SIZE: Final = 500
"""Objects in a page, as client-go has it: some 500 KiB of JSON, decoded in a few milliseconds."""


class Reflector:
    """
    Args:
        kind: The resource.
        cluster: The configured name.
        link: The connection.
        sink: Takes the events.
        health: Takes the facts.
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
        timing: Timing,
        clock: Callable[[], float] = time.monotonic,
        rng: Random,
    ) -> None:
        self._kind = kind
        self._link = link
        self._health = health
        self._timing = timing
        self._clock = clock
        self._rng = rng
        self._teller = Teller(kind, cluster, sink, health)
        self._backoff = Backoff(
            rng,
            first_s=timing.backoff_first_s,
            most_s=timing.backoff_most_s,
            reset_s=timing.backoff_reset_s,
            burst_s=timing.burst_s,
        )
        self._log = structlog.get_logger().bind(cluster=cluster, resource=str(kind.resource))
        self._state = START
        self._version: str | None = None
        self._objects: list[Object] = []
        self._ahead: asyncio.Task[bytes] | None = None
        self._was_refused = False
        self._check_at = float("inf")

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
            self._drop_ahead()

    async def _perform(self, do: List | Watch) -> Outcome:
        """Make the request, and turn whatever comes of it into something that the state machine knows."""
        try:
            client = await self._link.client()
        except SourceError as error:
            return Outcome(Failed(), "credentials", str(error))
        connection = client.connection
        try:
            outcome = await (self._list(client, do.token) if isinstance(do, List) else self._watch(client, do.rv))
        except GoneError as error:
            self._health.erred(self._kind.resource, "gone")
            return Outcome(Gone(), problem=str(error))
        except ApiError as error:
            return await self._refused(error, connection, is_watch=isinstance(do, Watch))
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
        body = await (self._next_page(client, token) if token else self._first_page(client))
        if body is None:
            return Outcome(Absent(), "deleted", f"{self._kind.resource}.{self._kind.group} is not served any more")
        page = payload.read_page(body, self._kind)
        self._accepted()
        following = page.metadata.token or ""
        if following and following == token:
            raise StreamError(f"the list of {self._kind.resource} does not end: a page names itself as the next")
        if following:
            self._ahead = asyncio.create_task(self._get(client, following), name=following)
        self._objects = await self._teller.decode(page)
        had = len(self._teller.ledger)
        return Outcome(Page(page.metadata.resource_version, following, len(self._objects), had))

    async def _first_page(self, client: Client) -> bytes | None:
        """
        Get the first page, of the version that is to be preferred.

        Returns:
            None where the server serves none of our versions, by its own word.
        """
        self._drop_ahead()
        version = self._kind.versions[0]
        try:
            body = await self._get(client, version=version)
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
            body = await self._get(client, version=version)
        if version != self._version:
            self._log.info("reading", version=version)
            self._version = version
        return body

    async def _next_page(self, client: Client, token: str) -> bytes:
        """Get the page that the token names: it is probably on its way already."""
        task, self._ahead = self._ahead, None
        if task is not None and task.get_name() == token:
            return await task
        return await self._get(client, token)

    async def _get(self, client: Client, token: str = "", version: str | None = None) -> bytes:
        """Get a page."""
        query = {"limit": str(PAGE_SIZE)} | ({"continue": token} if token else {})
        return await client.get(self._kind.path(version or self._version or ""), query)

    def _drop_ahead(self) -> None:
        """Give up a page that nobody waits for any more."""
        task, self._ahead = self._ahead, None
        if task is not None:
            task.cancel()
            task.add_done_callback(lambda done: done.cancelled() or done.exception())

    async def _watch(self, client: Client, rv: str) -> Outcome:
        """Watch, until something else than events comes of it."""
        query = {
            "watch": "1",
            "allowWatchBookmarks": "true",
            "resourceVersion": rv,
            "timeoutSeconds": str(self._rng.randint(*self._timing.watch_limit_s)),
        }
        stream = await client.watch(self._kind.path(self._version or ""), query)
        reader = WatchReader(
            self._kind.resource,
            self._teller,
            self._health,
            self._state,
            check_at=self._check_at,
            timing=self._timing,
            clock=self._clock,
        )
        try:
            self._accepted()
            outcome = await reader.read(stream)
            # We ended it ourselves, for another connection: go on there at once.
            return Outcome(Ended(is_early=False)) if client.is_retired else outcome
        finally:
            self._state = reader.state
            stream.close()

    async def _apply(self, turn: Turn, outcome: Outcome) -> None:
        """Tell the sink what the step concluded, and then health."""
        before, self._state = self._state, turn.state
        objects, self._objects = self._objects, []
        # Where time has passed since the watch, what is other may be news.
        is_check = before.reason == "check" and not before.is_confirming
        await self._teller.tell(turn.emits, objects, before.rv, is_check=is_check)
        resource, health = self._kind.resource, self._health
        if isinstance(outcome.seen, CheckDue) or turn.state.told is not before.told:
            # From when it begins, and not from when it ends: one that fails must not be due again at once.
            self._check_at = self._clock() + self._timing.recheck_s * self._rng.uniform(0.8, 1.2)
        if Emit.DONE in turn.emits:
            health.listed(resource, before.reason)
        elif Emit.PARTIAL in turn.emits:
            health.partial(resource, outcome.code, outcome.problem)
        elif isinstance(outcome.seen, Absent) and turn.state.told is Told.ABSENT:
            health.alive(resource)
        elif outcome.code:
            health.broken(resource, outcome.code, outcome.problem)

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
