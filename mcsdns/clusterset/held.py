"""
The objects of one resource of one cluster, found by name and by service.

Rules:
1. What is indexed by service follows each object that comes and goes. So a list that is collected here is ready to be read when it is
   whole, and takes the place of the one before by being looked at instead of it.
2. While a list comes, it is noted what it changes (`Listing`). So its end is one step, and what follows from it is done in small ones.

Pure. Not here: what an object says (`intake`), and when a list counts (`mirror`).
"""

from __future__ import annotations

from collections.abc import Iterator

from mcsdns.clusterset.intake import Value
from mcsdns.clusterset.model import Rejected, ServiceKey, Slice

ObjectKey = tuple[str, str]
"""Namespace and name of an object."""


class Held:
    """
    Objects of one resource.

    Attributes:
        values: What they say, by name. Changed by `put` alone.
        versions: The resource version that each had.
        slices: EndpointSlices by service and name.
        rejected: Names of objects of which nothing counts, by service; None: those that are about no service that can be told.
    """

    __slots__ = ("rejected", "slices", "values", "versions")

    def __init__(self) -> None:
        self.values: dict[ObjectKey, Value] = {}
        self.versions: dict[ObjectKey, str] = {}
        self.slices: dict[ServiceKey, dict[str, Slice]] = {}
        self.rejected: dict[ServiceKey | None, set[ObjectKey]] = {}

    def put(self, key: ObjectKey, value: Value | None) -> Value | None:
        """
        Let an object say this from now on; None: it is gone.

        Returns:
            What it said before, or None.
        """
        old = self.values.pop(key, None) if value is None else self.values.get(key)
        if old is value:
            return old
        if old is not None:
            self._index_out(key, old)
        if value is not None:
            self.values[key] = value
            if isinstance(value, Slice):
                self.slices.setdefault(value.key, {})[value.name] = value
            elif isinstance(value, Rejected):
                self.rejected.setdefault(value.key, set()).add(key)
        return old

    def _index_out(self, key: ObjectKey, old: Value) -> None:
        if isinstance(old, Slice):
            slices = self.slices[old.key]
            del slices[old.name]
            if not slices:
                del self.slices[old.key]
        elif isinstance(old, Rejected):
            rejected = self.rejected[old.key]
            rejected.discard(key)
            if not rejected:
                del self.rejected[old.key]

    def keys(self) -> Iterator[ServiceKey]:
        """Give every service that something is about that is here as this is called; some more than once."""
        # Copies of tables cost little, and whoever goes through them may take his time.
        parts = ([*self.slices], [*self.rejected], [] if self.slices else [*self.values])
        return (key for part in parts for key in part if isinstance(key, ServiceKey))


class Listing:
    """
    A list that comes, and what it changes.

    Args:
        before: What it is to replace.

    Attributes:
        now: What has come.
    """

    __slots__ = ("_before", "_changed", "_missing", "now")

    def __init__(self, before: Held) -> None:
        self.now = Held()
        self._before = before
        self._missing = before.values.copy()
        self._changed: set[ObjectKey] = set()

    def put(self, key: ObjectKey, value: Value | None, version: str) -> None:
        """Take an object of the list. One that is equal to what was held stays the same value, which saves memory."""
        if key in self.now.values:
            self.drop(key)
        if value is None:
            return
        old = self._missing.pop(key, None)
        if old is not None and old == value:
            value = old
        else:
            self._changed.add(key)
        self.now.put(key, value)
        self.now.versions[key] = version

    def drop(self, key: ObjectKey) -> None:
        """Take an object back that was listed."""
        self.now.versions.pop(key, None)
        if self.now.put(key, None) is not None:
            self._changed.discard(key)
            if key in self._before.values:
                self._missing[key] = self._before.values[key]

    def touch(self, key: ObjectKey) -> None:
        """Note that an object of what is to be replaced is another by now."""
        self._changed.add(key)

    def changes(self) -> Iterator[Value]:
        """
        Give what objects said and say that differ, once the list is whole. What was replaced is freed on the way: to free it in one go
        would take as long as to make it.
        """
        before, now = self._before, self.now
        for keys in (self._changed, self._missing):
            for key in keys:
                value = before.put(key, None)
                if value is not None:
                    yield value
                    del value
                value = now.values.get(key)
                if value is not None:
                    yield value
