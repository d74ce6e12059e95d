"""
What the imported services have near a name that does not exist: the one walk through all of them, for hints. Pure.

Rules:
1. Whoever has an event loop to share walks in pieces: `take` one service after the other, with rests between, and hands the result to
   `explain`. Who has none lets `explain` walk.
2. What is kept of the walk is small: there may be tens of thousands in one namespace, and nothing is sorted at its end.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from mcsdns.admin.explain.near import First, Near
from mcsdns.clusterset.model import ServiceKey


class Around:
    """
    What is near.

    Args:
        path: The labels of the name above the zone, from the left: `[…, service, namespace, "svc"]` or `[namespace, "svc"]`.
        keys: Services to take in at once.

    Attributes:
        namespaces: Those that hold an imported service.
        service: One of the name's namespace; None: it holds none.
        names: The services of that namespace.
        same: The services of the name's own, in other namespaces.
        titled: The services that are called like the name's namespace.
        above: A service that a label too many stands before, or None.
    """

    def __init__(self, path: Sequence[str], keys: Iterable[ServiceKey] = ()) -> None:
        self._namespace = path[-2] if len(path) > 1 else ""
        self._name = path[-3] if len(path) > 2 else None
        self._below = frozenset(path[:-3])
        self._seen: set[str] = set()
        self.namespaces = Near(self._namespace)
        self.names = Near(self._name or "")
        self.same: First[ServiceKey] = First()
        self.titled: First[ServiceKey] = First()
        self.service: ServiceKey | None = None
        self.above: ServiceKey | None = None
        for key in keys:
            self.take(key)

    def take(self, key: ServiceKey) -> None:
        """Take in one imported service."""
        namespace, name = key
        if namespace not in self._seen:
            self._seen.add(namespace)
            self.namespaces.take(namespace)
        if namespace == self._namespace:
            self.service = self.service or key
            self.names.take(name)
        elif name == self._name:
            self.same.take(key)
        if name == self._namespace:
            self.titled.take(key)
        if namespace == self._name and name in self._below:
            self.above = self.above or key
