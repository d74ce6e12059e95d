"""
How much is left out of the zone, by cluster and reason. Each thing counts once, whatever number of views leave it out.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence

from mcsdns.clusterset.merge import duplicates
from mcsdns.clusterset.mirror import Mirror
from mcsdns.clusterset.model import Omission, Reason
from mcsdns.zone.view import ZoneView

Omitted = Counter[tuple[str, str]]
"""
How many, by cluster and reason. The cluster is empty where no single one is to blame: a record could not be made of what several say.
"""


def in_views(views: Iterable[ZoneView]) -> Omitted:
    """Count what is left out of the services of these views: a walk over every service, without building any."""
    return _count(_of_views(views))


def in_all(views: Iterable[ZoneView], mirrors: Sequence[Mirror]) -> Omitted:
    """Count what is left out of these views, what never came as far as a service, and clusters that are refused."""
    found = _of_views(views)
    for mirror in mirrors:
        found.update(_of_mirror(mirror))
    counts = _count(found)
    counts.update((refused.cluster, Reason.DUPLICATE_CLUSTER_ID.value) for refused, _ in duplicates(mirrors))
    return counts


def _of_views(views: Iterable[ZoneView]) -> set[Omission]:
    found: set[Omission] = set()
    for view in views:
        for records in view.services.values():
            if records.omissions:
                found.update(records.omissions)
    return found


def _of_mirror(mirror: Mirror) -> Iterator[Omission]:
    yield from mirror.unattributed()
    for key in mirror.keys():  # noqa: SIM118 - no dict
        yield from mirror.rejected_of(key)


def _count(found: Iterable[Omission]) -> Omitted:
    return Counter((omission.cluster, omission.reason.value) for omission in found)
