"""How many updates of each view a plane has taken over, and when the last: counted at the publish, alike for both planes."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Mapping


class Generations:
    """
    What was published.

    Args:
        clock: Seconds, from any time on, never going back.

    Attributes:
        publishes: Updates that were taken over, by view.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._last: dict[str, float] = {}
        self.publishes: Counter[str] = Counter()

    def count(self, view: str) -> None:
        """Count an update that was taken over just now."""
        self.publishes[view] += 1
        self._last[view] = self._clock()

    def ages_s(self) -> Mapping[str, float]:
        """Return how old the generation that is answered from is, in seconds, by view."""
        now = self._clock()
        return {view: now - last for view, last in self._last.items()}
