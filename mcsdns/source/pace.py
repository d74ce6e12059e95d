"""Long work in the event loop gives way to others every few milliseconds."""

from __future__ import annotations

import asyncio
import time

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
        await asyncio.sleep(0)
        self._due = time.perf_counter() + SLICE_S
