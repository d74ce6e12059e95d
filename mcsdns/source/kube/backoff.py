"""
How long to wait after a failure.

Rules:
1. The n-th failure in a row waits a random time between 0 and `first_s * 2**(n-1)`, at most `most_s` ("full jitter"),
   so that many servers that lost one API server do not come back to it together.
2. What the server asks for (`Retry-After`) is a floor.
3. There are at most `BURST` tries within `burst_s`, whatever the jitter draws.
4. After `reset_s` without a failure the waits begin anew.

Pure but for the random numbers, which are injected; the time is told by the caller.

Source: client-go's reflector back-off (0.8 s to 30 s, reset after 2 min); watching.md.
"""

from __future__ import annotations

from collections import deque
from random import Random
from typing import Final, Self

from mcsdns.source.kube.settings import Timing

BURST: Final = 5
"""Tries in the first `burst_s`, the first one included."""


class Backoff:
    """
    The waits of one reflector.

    Args:
        rng: Where the jitter comes from.
        first_s: The upper bound of the first wait.
        most_s: The upper bound of any wait that the server did not ask for.
        reset_s: Health that makes the waits begin anew.
        burst_s: The window of rule 3.
    """

    def __init__(
        self, rng: Random, *, first_s: float = 0.8, most_s: float = 30.0, reset_s: float = 120.0, burst_s: float = 10.0
    ) -> None:
        self._rng = rng
        self._first_s = first_s
        self._most_s = most_s
        self._reset_s = reset_s
        self._burst_s = burst_s
        self._bound_s = first_s
        self._due_at: float | None = None
        self._failed_at: deque[float] = deque(maxlen=BURST)

    @classmethod
    def of(cls, timing: Timing, rng: Random) -> Self:
        """Make one with the delays of a cluster."""
        return cls(
            rng,
            first_s=timing.backoff_first_s,
            most_s=timing.backoff_most_s,
            reset_s=timing.backoff_reset_s,
            burst_s=timing.burst_s,
        )

    def fail(self, now: float, floor_s: float | None = None) -> float:
        """
        Note a failure.

        Args:
            now: The monotonic clock, in seconds.
            floor_s: The least wait that the server asked for, or None.

        Returns:
            The seconds to wait before the next try.
        """
        if self._due_at is not None and now - self._due_at > self._reset_s:
            self._bound_s = self._first_s
            self._failed_at.clear()
        self._failed_at.append(now)
        wait_s = max(self._rng.uniform(0.0, self._bound_s), floor_s or 0.0)
        if len(self._failed_at) == BURST:
            wait_s = max(wait_s, self._failed_at[0] + self._burst_s - now)
        self._bound_s = min(self._bound_s * 2.0, self._most_s)
        self._due_at = now + wait_s
        return wait_s
