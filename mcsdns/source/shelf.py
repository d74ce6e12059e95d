"""
Which objects of a folder are held: all of its content is at hand, so what fits is worked out anew where not everything does. Pure.

Rules:
1. While everything fits, a change costs by the objects that changed: what there is, is counted, and no more is kept.
2. What is held is the same as of an API server that has the same objects (`mcsdns.source.quota`).
"""

from __future__ import annotations

from collections.abc import Mapping

from mcsdns.config import Quotas
from mcsdns.source.events import Resource
from mcsdns.source.objects import Object, TooLarge
from mcsdns.source.quota import Quota, Tally, Usage, entry_of
from mcsdns.source.table import Table

Key = tuple[Resource, str, str]
"""Resource, namespace and name of an object."""


class Shelf:
    """
    The objects of one folder that are held.

    Args:
        quotas: Of the cluster.

    Attributes:
        usages: What there is of each resource; where not everything fits, what is held, and what is refused.
    """

    def __init__(self, quotas: Quotas) -> None:
        self.quotas = quotas
        self.usages: dict[Resource, Usage] = {}
        self._counts = {resource: Tally(resource, quotas) for resource in Resource}
        self._large = dict.fromkeys(Resource, 0)
        self._refused: set[Key] = set()

    def count(self, resource: Resource, before: Object | None, now: Object | None) -> None:
        """Count a change of an object; None is one that is not there."""
        for obj, sign in ((before, -1), (now, 1)):
            if isinstance(obj, TooLarge):
                self._large[resource] += sign
            elif obj is not None:
                entry = entry_of(obj)
                self._counts[resource].count(sign * entry.weight, entry.service)

    def settle(
        self, objects: Mapping[Key, Object], changed: Mapping[Key, Object | None]
    ) -> Mapping[Key, Object | None]:
        """
        Work out what is held.

        Args:
            objects: All there are.
            changed: What is other than before; None for an object that is gone.

        Returns:
            What of it is to be told, and what else is held now or is so no longer.
        """
        before, self._refused = self._refused, set()
        self.usages = {resource: self._tally(resource, objects).usage() for resource in Resource}
        if not before and not self._refused:
            return changed
        told = {key: None if key in self._refused else obj for key, obj in changed.items()}
        told |= dict.fromkeys(self._refused - before)
        told |= {key: objects[key] for key in before - self._refused if key in objects}
        return told

    def held(self, objects: Mapping[Key, Object]) -> Mapping[Key, Object]:
        """Return those of all objects that are held."""
        if not self._refused:
            return objects
        return {key: obj for key, obj in objects.items() if key not in self._refused}

    def _tally(self, resource: Resource, objects: Mapping[Key, Object]) -> Tally:
        """Return what is held of a resource, and note what is refused."""
        tally = self._counts[resource]
        if not tally.is_over and not self._large[resource]:
            return tally
        table = Table(resource, self.quotas)
        own = {key: obj for key, obj in objects.items() if key[0] is resource}
        for key, obj in own.items():
            if isinstance(obj, TooLarge):
                table.refuse(Quota.OBJECT_BYTES, *key[1:])
            else:
                table.put(entry_of(obj))
        self._refused.update(key for key in own if hash(key[1:]) not in table.entries)
        return table
