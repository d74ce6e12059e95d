"""
A view of the zone as a plane keeps it: where a name is looked up.

Rules:
1. It changes in `apply` alone, by one whole `Update`. The cost is that of what changed, not of the zone.
2. A name exists if it has a node, or names a namespace that holds an import (an empty non-terminal, RFC 8020).
"""

from __future__ import annotations

from mcsdns.zone.names import child, is_within, parent, suffixes
from mcsdns.zone.rrset import Apex, Node, ServiceRecords, Update


class Snapshot:
    """
    What is published of one view.

    Attributes:
        apex: What the zone holds beside services.
        serial: The serial of the last update.
        complete: As in `Update`.
        services: By owner name.
    """

    __slots__ = ("_depth", "_namespaces", "_services_owner", "apex", "complete", "serial", "services")

    def __init__(self, first: Update) -> None:
        self.services: dict[bytes, ServiceRecords] = {}
        self._namespaces: dict[bytes, int] = {}
        self._depth = sum(1 for _ in suffixes(first.apex.zone))
        self._services_owner = child("svc", first.apex.zone)
        self.apply(first)

    def apply(self, update: Update) -> None:
        """Take over one update: readers see all of it or, before the call, nothing."""
        self.apex: Apex = update.apex
        self.serial = update.serial
        self.complete = update.complete
        for owner, records in update.services.items():
            namespace = parent(owner)
            was_there = owner in self.services
            if records is not None:
                self.services[owner] = records
                self._namespaces[namespace] = self._namespaces.get(namespace, 0) + (not was_there)
            elif was_there:
                del self.services[owner]
                self._namespaces[namespace] -= 1
                if not self._namespaces[namespace]:
                    del self._namespaces[namespace]

    def holds(self, name: bytes) -> bool:
        """Tell whether a name (lower case, wire format) is in the zone, existing or not."""
        return is_within(name, self.apex.zone)

    def service_of(self, name: bytes) -> bytes | None:
        """Return the owner name of the service at or above a name in the zone, or None where no service could be."""
        ancestors = list(suffixes(name))
        at = len(ancestors) - self._depth - 3
        return ancestors[at] if at >= 0 and ancestors[at + 2] == self._services_owner else None

    def find(self, name: bytes) -> Node | None:
        """
        Look up a name in the zone.

        Args:
            name: Lower case, wire format.

        Returns:
            Its RRsets; empty for an empty non-terminal; None where the name does not exist.
        """
        node = self.apex.nodes.get(name)
        if node is not None:
            return node
        if name in self._namespaces:
            return ()
        owner = self.service_of(name)
        records = self.services.get(owner) if owner is not None else None
        return records.nodes.get(name) if records is not None else None
