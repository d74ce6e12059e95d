"""
Long work in the event loop gives way to others every few milliseconds.

Rules:
1. Work that has to give way waits for its turn: in one round of the loop one of all that wait goes on. So sockets are looked at
   every few milliseconds, whether one cluster is listed or twenty are at once.
2. Turns go round in the order in which they were asked for.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from weakref import WeakKeyDictionary

SLICE_S = 0.005
"""Longest time in seconds that work holds the event loop: a query waits no longer than this for it."""


class Pace:
    """Keeps a long loop from holding the event loop: `if pace.is_due: await pace.rest()`."""

    def __init__(self) -> None:
        self._due = time.perf_counter() + SLICE_S

    @property
    def is_due(self) -> bool:
        """Tell whether it is time to rest. As cheap as that can be: it is asked for every object."""
        return time.perf_counter() >= self._due

    async def rest(self) -> None:
        """Let others run."""
        await turn()
        self._due = time.perf_counter() + SLICE_S


async def turn() -> None:
    """Wait for a turn: for what begins long work, and for what goes on with it."""
    loop = asyncio.get_running_loop()
    turns = _turns.get(loop)
    if turns is None:
        turns = _turns[loop] = _Turns()
    await turns.take(loop)


class _Turns:
    """Those that wait for their turn in one event loop."""

    def __init__(self) -> None:
        self._waiting: deque[asyncio.Future[None]] = deque()
        self._is_going_round = False

    async def take(self, loop: asyncio.AbstractEventLoop) -> None:
        mine = loop.create_future()
        self._waiting.append(mine)
        if not self._is_going_round:
            self._is_going_round = True
            loop.call_soon(self._next, loop)
        await mine

    def _next(self, loop: asyncio.AbstractEventLoop) -> None:
        """Let one go on, and come again in the next round while any waits."""
        while self._waiting:
            first = self._waiting.popleft()
            if not first.done():  # a task that was cancelled takes no turn
                first.set_result(None)
                break
        self._is_going_round = bool(self._waiting)
        if self._waiting:
            loop.call_soon(self._next, loop)


_turns: WeakKeyDictionary[asyncio.AbstractEventLoop, _Turns] = WeakKeyDictionary()
