"""
Which versions of which objects the sink was told: to compare with a list, and to keep the quotas.

Rules:
1. Of an object there are its name (shared with what the mirror keeps), version, age and weight: about 250 bytes.
   Two names that share a 64-bit hash cost a wrong count, and nothing else.
2. A list is collected apart, and replaces the rest at its end.

Not here: the objects, and what the quotas are (`mcsdns.source.quota`).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from mcsdns.config import Quotas
from mcsdns.source.events import Resource
from mcsdns.source.objects import Object
from mcsdns.source.quota import Entry, entry_of
from mcsdns.source.table import Put, Table


class Ledger:
    """
    What one reflector has told.

    Args:
        resource: Of what.
        quotas: Of the cluster.

    Attributes:
        told: What the sink knows.
        listed: The list under way.
    """

    def __init__(self, resource: Resource, quotas: Quotas) -> None:
        self._resource = resource
        self._quotas = quotas
        self.told = Table(resource, quotas)
        self.listed = self.told

    def __len__(self) -> int:
        return len(self.told.entries)

    def __contains__(self, obj: Object) -> bool:
        return hash((obj.metadata.namespace, obj.metadata.name)) in self.told.entries

    def misses(self, last: Iterable[Object], *, is_first: bool) -> bool:
        """
        Tell whether a list lacks anything that is known.

        Args:
            last: Its last page, which has not been told.
            is_first: There is no other page.
        """
        missing = set(self.told.entries)
        missing.difference_update(hash((obj.metadata.namespace, obj.metadata.name)) for obj in last)
        return bool(missing if is_first else missing - self.listed.entries.keys())

    def begin(self) -> None:
        """Begin to collect a list, and forget one that was not ended."""
        self.listed = Table(self._resource, self._quotas)

    def list(self, obj: Object) -> Put:
        """Note an object of the list. Returns as `Table.put`."""
        return self.listed.put(_entry(obj))

    def apply(self, obj: Object, *, is_new: bool) -> Put:
        """Note what a watch told. Returns as `Table.put`."""
        return self.told.put(_entry(obj), is_new=is_new)

    def delete(self, obj: Object) -> bool:
        """Note that an object is gone, and tell whether it was known."""
        return self.told.drop(_entry(obj))

    def differences(self, rv: str) -> Iterator[bool]:
        """
        Compare the list, which is whole, with what is known, one object before each step.

        Args:
            rv: Up to where the watch had told everything, as it said.

        Returns:
            For each object, whether it differs and the watch should have told it: one of the list that is other than known though
            not newer than `rv`, or one that is known and not in the list. What a quota refused before or refuses now is no
            difference.
        """
        before, now, until = self.told, self.listed, _number(rv)
        for key, entry in now.entries.items():
            old = before.entries.get(key)
            is_other = before.refuses(entry) is None if old is None else old.version != entry.version
            yield is_other and entry.version <= until
        for key, old in before.entries.items():
            yield key not in now.entries and now.refuses(old) is None

    def end(self) -> None:
        """End the list: it is what is known from now on."""
        self.told = self.listed


def _entry(obj: Object) -> Entry:
    return entry_of(obj, _number(obj.metadata.resource_version))


def _number(rv: str) -> int:
    """Return a resource version as a number."""
    return int(rv) if rv.isdecimal() else hash(rv)
