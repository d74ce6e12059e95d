"""
How much is left out of the zone, by cluster and reason. Each thing counts once, whatever number of views leave it out.

The counts are kept from one reading to the next, so that a scrape of 10,000 services costs a comparison for each and not a walk
through everything that is left out of them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from mcsdns.clusterset.merge import duplicates
from mcsdns.clusterset.mirror import Mirror
from mcsdns.clusterset.model import Omission, Reason, ServiceKey
from mcsdns.zone.view import Built, ZoneView

Omitted = Mapping[tuple[str, str], int]
"""How many, by cluster and reason."""


class Omissions:
    """What is left out of views, as it was at the last reading."""

    def __init__(self) -> None:
        self._seen: dict[str, dict[ServiceKey, Built]] = {}
        self._uses: Counter[Omission] = Counter()
        self._counts: Counter[tuple[str, str]] = Counter()

    def count(self, views: Iterable[ZoneView], mirrors: Sequence[Mirror]) -> Omitted:
        """Count what is left out of these views, what never came as far as a service, and clusters that are refused."""
        for view in views:
            self._follow(self._seen.setdefault(view.view.name, {}), view.services)
        counts = self._counts.copy()
        apart = {omission for mirror in mirrors for omission in mirror.rejected()}
        counts.update(_label(omission) for omission in apart if omission not in self._uses)
        counts.update((refused.cluster, Reason.DUPLICATE_CLUSTER_ID.value) for refused, _ in duplicates(mirrors))
        return counts

    def _follow(self, seen: dict[ServiceKey, Built], services: Mapping[ServiceKey, Built]) -> None:
        """Take over what has changed since the last reading: what is kept of a service is replaced as a whole, so identity tells."""
        for key in seen.keys() - services.keys():
            self._drop(seen.pop(key).omissions)
        for key, built in services.items():
            before = seen.get(key)
            if before is not built:
                seen[key] = built
                self._add(built.omissions)
                self._drop(before.omissions if before is not None else ())

    def _add(self, omissions: Iterable[Omission]) -> None:
        for omission in omissions:
            self._uses[omission] += 1
            if self._uses[omission] == 1:
                self._counts[_label(omission)] += 1

    def _drop(self, omissions: Iterable[Omission]) -> None:
        for omission in omissions:
            self._uses[omission] -= 1
            if not self._uses[omission]:
                del self._uses[omission]
                self._counts[_label(omission)] -= 1
                if not self._counts[_label(omission)]:
                    del self._counts[_label(omission)]


def in_view(view: ZoneView) -> dict[str, int]:
    """Count what is left out of the services of one view, by reason."""
    reasons = Counter(one.reason.value for built in view.services.values() for one in built.omissions)
    return dict(sorted(reasons.items()))


def of_cluster(cluster: str, omitted: Omitted) -> dict[str, int]:
    """Return what is left out of what one cluster says, by reason."""
    return {reason: count for (name, reason), count in sorted(omitted.items()) if name == cluster}


def _label(omission: Omission) -> tuple[str, str]:
    return omission.cluster, omission.reason.value
