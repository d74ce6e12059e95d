"""
Reads one watch from its opening to its end.

Rules:
1. A watch is sound once it has told something, or has lived longer than one that fails at once. Only then is what was
   broken before whole again.
2. It is left after `idle_limit_s` without a byte, and when it is time to check it by a list.
3. What it has told counts, whatever comes after: `state` is up to date at any end, by an exception too.

Not here: opening it, and what comes after it (`reflector`).
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from typing import NamedTuple, Protocol

from mcsdns.errors import StreamError
from mcsdns.source.events import Resource
from mcsdns.source.health import Health
from mcsdns.source.kube.lines import LineSplitter
from mcsdns.source.kube.settings import Timing
from mcsdns.source.kube.teller import Teller
from mcsdns.source.kube.turn import CheckDue, Ended, Phase, Seen, Silent, State, Unreadable
from mcsdns.source.kube.watch import step
from mcsdns.source.pace import Pace, turn


class Outcome(NamedTuple):
    """What came of a request: for the state machine, for health (code and words), and what wait the server asked for."""

    seen: Seen
    code: str = ""
    problem: str = ""
    floor_s: float | None = None


class Chunks(Protocol):
    """The bytes of a watch, as `client.Stream` gives them."""

    async def chunk(self) -> bytes:
        """Wait for bytes; none at the end. Raises StreamError."""


class WatchReader:
    """
    Reads one watch.

    Args:
        resource: What is watched.
        teller: Takes the events.
        health: Takes the facts.
        state: The reflector's, which is Watching.
        check_at: When it is time to check, on the clock.
        room_at: When it is, if room has come for what a quota refuses.
        timing: The limits.
        clock: The monotonic clock, in seconds.
    """

    def __init__(
        self,
        resource: Resource,
        teller: Teller,
        health: Health,
        state: State,
        *,
        check_at: float,
        room_at: float,
        timing: Timing,
        clock: Callable[[], float],
    ) -> None:
        self.state = state
        self._resource = resource
        self._teller = teller
        self._health = health
        self._check_at = check_at
        self._room_at = min(check_at, room_at)
        self._timing = timing
        self._clock = clock
        self._splitter = LineSplitter()
        self._lines: deque[bytes] = deque()
        self._heard_at = clock()
        self._sound_at = clock() + timing.early_end_s
        self._has_told = False

    async def read(self, stream: Chunks) -> Outcome:
        """
        Read until something else than events comes.

        Raises:
            ApiError, GoneError: The server ended the watch with an ERROR event.
        """
        now = self._heard_at = self._clock()
        while True:
            check_at = self._room_at if self._teller.wants_list else self._check_at
            if now >= check_at:
                return Outcome(CheckDue())
            silent_at = self._heard_at + self._timing.idle_limit_s
            if now >= silent_at:
                self._health.erred(self._resource, "silent")
                return Outcome(Silent())
            until = min(silent_at, check_at)
            if self._has_told or now >= self._sound_at:
                self._note_sound()
            else:
                until = min(until, self._sound_at)
            try:
                async with asyncio.timeout(until - now):
                    outcome = await self._read_on(stream)
            except TimeoutError:
                now = max(self._clock(), until)
                continue
            while outcome is None and self._lines:
                await turn()
                outcome = self._tell()
            if outcome is not None:
                return outcome
            now = self._heard_at

    async def _read_on(self, stream: Chunks) -> Outcome | None:
        """
        Tell what comes, until something else than events does.

        The limit around it is not set anew for each event, which would cost as much as some of the rest: where it is over, `read`
        sees what has come meanwhile. It must not strike between two lines, so nothing else is waited for here.

        Returns:
            What ends the watch; None where others must run before the rest of the lines, or it may be time for a list.
        """
        while True:
            try:
                chunk = await stream.chunk()
            except StreamError as error:
                self._health.erred(self._resource, "cut")
                return self._end(str(error))
            if not chunk:
                return self._end("the server ended the watch")
            self._heard_at = self._clock()
            try:
                self._lines += self._splitter.feed(chunk)
            except StreamError as error:
                return Outcome(Unreadable(), "stream", str(error))
            outcome = self._tell()
            if outcome is not None or self._lines or self._teller.wants_list:
                return outcome

    def _note_sound(self) -> None:
        """Say that what was broken is whole again."""
        if self._health.streams[self._resource].problem is not None:
            self._health.alive(self._resource)

    def _end(self, problem: str) -> Outcome:
        """Take the end of the watch: no failure, unless it came at once."""
        is_early = self._clock() < self._sound_at
        if is_early and not self._has_told:
            return Outcome(Ended(is_early=True), "early_end", f"{problem} at once")
        return Outcome(Ended(is_early=is_early))

    def _tell(self) -> Outcome | None:
        """
        Tell the events that have come, in order, but no longer than others can wait.

        Returns:
            What ends the watch, or None.
        """
        pace, has_lines = Pace(), bool(self._lines)
        while self._lines:
            try:
                seen = self._teller.take(self._lines.popleft(), is_first=not self._has_told)
            except StreamError as error:
                return Outcome(Unreadable(), "stream", str(error))
            self._has_told = True
            if seen is not None:
                state = step(self.state, seen).state
                if state.phase is not Phase.WATCHING:
                    return Outcome(seen)
                self.state = state
            if pace.is_due:
                break
        if has_lines:
            self._health.alive(self._resource)
        return None
