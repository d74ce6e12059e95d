"""
Services that are to be built again, and in what order.

Rules:
1. Each stands here once, however often it was marked.
2. Who marks takes turns: each cluster, and whatever marks many at once (the end of a list, a cluster that comes). So what one
   cluster changes waits for one service of each other, and not for all that another one has changed.
3. Many are worked out in small steps (`gather`), because the event loop cannot wait for all of them.

Pure. Not here: when they are built (`mcsdns.builder`).
"""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Iterable, Iterator
from typing import Final

from mcsdns.clusterset.model import ServiceKey

_MANY: Final = ""
"""Who marks many at once: no cluster has this name."""


class Dirty:
    """What is to be built again."""

    def __init__(self) -> None:
        self._queues: OrderedDict[str, OrderedDict[ServiceKey, None]] = OrderedDict()
        self._coming: deque[Iterator[ServiceKey]] = deque()

    def __bool__(self) -> bool:
        return bool(self._queues or self._coming)

    def __contains__(self, key: ServiceKey) -> bool:
        return any(key in queue for queue in self._queues.values())

    @property
    def has_many(self) -> bool:
        """Whether anything that was marked by `mark_many` is left."""
        return bool(self._coming) or _MANY in self._queues

    def mark(self, cluster: str, keys: Iterable[ServiceKey]) -> None:
        """Mark what one object of a cluster concerns."""
        for key in keys:
            self._put(cluster, key)

    def mark_many(self, keys: Iterable[ServiceKey]) -> None:
        """Mark as many as there may be. They are gone through by `gather`."""
        self._coming.append(iter(keys))

    def gather(self) -> Iterator[None]:
        """Go through what was marked by `mark_many`, one service before each step."""
        while self._coming:
            for key in self._coming[0]:
                self._put(_MANY, key)
                yield
            self._coming.popleft()

    def take(self) -> ServiceKey | None:
        """Return the service whose turn it is, which is marked no longer; None where there is none, or `gather` must find it."""
        if not self._queues:
            return None
        name, queue = self._queues.popitem(last=False)
        key, _ = queue.popitem(last=False)
        if queue:
            self._queues[name] = queue
        for other, marked in [*self._queues.items()]:
            if key in marked:
                del marked[key]
                if not marked:
                    del self._queues[other]
        return key

    def _put(self, who: str, key: ServiceKey) -> None:
        queue = self._queues.get(who)
        if queue is None:
            queue = self._queues[who] = OrderedDict()
        queue[key] = None
