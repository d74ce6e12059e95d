"""
What is left out of the zone, by cluster and reason. Each thing counts once, whatever number of views leave it out.

What was read is kept from one reading to the next, so that a reading of 10,000 services costs a comparison for each and not a walk
through everything that is left out of them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from typing import TypeVar

from mcsdns.clusterset.merge import duplicates
from mcsdns.clusterset.mirror import Mirror
from mcsdns.clusterset.model import Omission, Reason, ServiceKey
from mcsdns.source.pace import Pace
from mcsdns.zone.view import Built, ZoneView

Key = TypeVar("Key", bound=Hashable)

Omitted = Mapping[tuple[str, str], int]
"""How many, by cluster and reason."""


class _Seen:
    """What one view had at the last reading, and how much is left out of it by reason."""

    __slots__ = ("reasons", "services")

    def __init__(self) -> None:
        self.services: dict[ServiceKey, Built] = {}
        self.reasons: Counter[str] = Counter()


class Omissions:
    """What is left out of views, as it was at the last reading."""

    def __init__(self) -> None:
        self._seen: dict[str, _Seen] = {}
        self._uses: Counter[Omission] = Counter()
        self._counts: Counter[tuple[str, str]] = Counter()

    def count(self, views: Iterable[ZoneView], mirrors: Sequence[Mirror]) -> Omitted:
        """Read these views in one go, and count what is left out of them, what never came as far as a service, and refused clusters."""
        for view in views:
            for _ in self._follow(view):
                pass
        return self.counted(mirrors)

    async def read(self, views: Iterable[ZoneView]) -> None:
        """Read these views, giving way to others: tens of thousands of services take longer than the event loop can wait."""
        pace = Pace()
        for view in views:
            for _ in self._follow(view):
                if pace.is_due:
                    await pace.rest()

    def counted(self, mirrors: Sequence[Mirror]) -> Omitted:
        """Count as `count` does, from what was read last."""
        counts = self._counts.copy()
        counts.update(_label(omission) for omission in self._apart(mirrors))
        return counts

    def in_view(self, view: ZoneView) -> dict[str, int]:
        """Count what was left out of the services of one view when it was read last, by reason."""
        seen = self._seen.get(view.view.name)
        return dict(sorted(seen.reasons.items())) if seen is not None else {}

    def listed(self, mirrors: Sequence[Mirror]) -> list[Omission]:
        """Return everything that `counted` counts."""
        return [*self._uses, *self._apart(mirrors)]

    def _apart(self, mirrors: Sequence[Mirror]) -> list[Omission]:
        """Return what never came as far as a service, and clusters that are refused."""
        found = {omission for mirror in mirrors for omission in mirror.rejected() if omission not in self._uses}
        for refused, first in duplicates(mirrors):
            detail = f"its cluster id {first.cluster_id} belongs to {first.cluster}: nothing that it says counts"
            found.add(Omission(Reason.DUPLICATE_CLUSTER_ID, refused.cluster, f"cluster {refused.cluster}", detail))
        return list(found)

    def _follow(self, view: ZoneView) -> Iterator[None]:
        """
        Take over what has changed in a view since the last reading, one service between two yields.

        What is kept of a service is replaced as a whole, so identity tells whether it has changed. Each step looks at the view as it
        is then: it may change between two of them, and another reading may be under way.
        """
        seen = self._seen.setdefault(view.view.name, _Seen())
        for key in list(view.services):
            before, now = seen.services.get(key), view.services.get(key)
            if before is not now and now is not None:
                seen.services[key] = now
                self._add(seen, now.omissions)
                self._drop(seen, before.omissions if before is not None else ())
            yield
        if len(seen.services) != len(view.services):
            for key in list(seen.services):
                if key not in view.services:
                    self._drop(seen, seen.services.pop(key).omissions)
                yield

    def _add(self, seen: _Seen, omissions: Iterable[Omission]) -> None:
        for omission in omissions:
            _more(seen.reasons, omission.reason.value, 1)
            self._uses[omission] += 1
            if self._uses[omission] == 1:
                _more(self._counts, _label(omission), 1)

    def _drop(self, seen: _Seen, omissions: Iterable[Omission]) -> None:
        for omission in omissions:
            _more(seen.reasons, omission.reason.value, -1)
            _more(self._uses, omission, -1)
            if omission not in self._uses:
                _more(self._counts, _label(omission), -1)


def of_cluster(cluster: str, omitted: Omitted) -> dict[str, int]:
    """Return what is left out of what one cluster says, by reason."""
    return {reason: count for (name, reason), count in sorted(omitted.items()) if name == cluster}


def _more(counts: Counter[Key], key: Key, by: int) -> None:
    counts[key] += by
    if not counts[key]:
        del counts[key]


def _label(omission: Omission) -> tuple[str, str]:
    return omission.cluster, omission.reason.value
