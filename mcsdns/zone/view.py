"""
One view of the zone as it grows: dirty services in, updates for the plane out.

Rules:
1. A service is built from the mirrors as they are at that moment; what was built goes out with the next `take`.
2. Records that come out as they were are no change: they are not published and move no serial. What is left out is not a record.
3. Every update has a greater serial than the last (RFC 1982).

Not here: when to build. That is for `mcsdns.builder`.
"""

from __future__ import annotations

from collections.abc import Sequence

from mcsdns.clusterset.merge import merge
from mcsdns.clusterset.mirror import Mirror
from mcsdns.clusterset.model import Omission, ServiceKey, View
from mcsdns.zone.apex import apex
from mcsdns.zone.build import Options, build
from mcsdns.zone.rrset import ServiceRecords, Update


class ZoneView:
    """
    What has been built of one view.

    Args:
        view: Whose.
        options: Zone name and TTLs.
        serial: The first serial: seconds since the epoch, so that a restart does not go back.
    """

    def __init__(self, view: View, options: Options, serial: int) -> None:
        self.view = view
        self.options = options
        self.serial = serial
        self.complete = False
        self.services: dict[ServiceKey, ServiceRecords] = {}
        self._built: dict[bytes, ServiceRecords | None] = {}
        self._told = False

    def build(self, key: ServiceKey, mirrors: Sequence[Mirror]) -> None:
        """Build one service again from what the mirrors say now."""
        service = merge(key, mirrors, self.view)
        records = build(service, self.options) if service is not None else None
        old = self.services.get(key)
        if records is not None:
            self.services[key] = records
            if old is None or old.nodes != records.nodes:
                self._built[records.owner] = records
        elif old is not None:
            del self.services[key]
            self._built[old.owner] = None

    def take(self, complete: bool) -> Update | None:
        """
        Return what has changed since the last call.

        Args:
            complete: Every member cluster has been heard, and heard whole.

        Returns:
            The update to publish, or None where nothing changed. The first call always returns one.
        """
        if self._told and not self._built and complete == self.complete:
            return None
        self._told = True
        self.complete = complete
        self.serial += 1
        built, self._built = self._built, {}
        return Update(self.view.name, self.serial, complete, apex(self.options, self.serial), built)

    def omissions(self, key: ServiceKey) -> tuple[Omission, ...]:
        """Return what is left out of one service; nothing where the view does not hold it."""
        records = self.services.get(key)
        return records.omissions if records is not None else ()
