"""
What one member cluster uses of its quotas and what is refused, for people: the log, `/status`, metrics, `explain`.

Rules:
1. The log gets one line when a quota begins to refuse, and one when it ends.
2. What is shown is read where it is counted, at that moment.

Not here: what is refused (`mcsdns.source.quota`).
"""

from __future__ import annotations

from collections.abc import Iterator

import structlog
from msgspec import Struct

from mcsdns.config import Quotas
from mcsdns.source.events import Resource
from mcsdns.source.quota import Quota, Tally, Usage


class Refusal(Struct, frozen=True):
    """
    What a quota refuses of one resource.

    Args:
        cluster: The configured name.
        resource: Of what.
        quota: By which.
        limit: As configured.
        refused: How many objects.
        shown: A few of them, as `namespace/name`.
    """

    cluster: str
    resource: Resource
    quota: Quota
    limit: int
    refused: int
    shown: tuple[str, ...]


class Refusals:
    """
    The quotas of one member cluster.

    Args:
        cluster: The configured name.
        quotas: As configured.
    """

    def __init__(self, cluster: str, quotas: Quotas) -> None:
        self.cluster = cluster
        self.quotas = quotas
        self._tallies: dict[Resource, Tally | Usage] = {one: Tally(one, quotas) for one in Resource}
        self._refusing: set[Quota] = set()
        self._log = structlog.get_logger().bind(cluster=cluster)

    def take(self, tally: Tally | Usage) -> None:
        """Take what counts of a resource from now on, or look at it again, and say what has changed."""
        self._tallies[tally.resource] = tally
        refusing = {quota for one in self._tallies.values() for quota, count in one.refused.items() if count}
        for quota in sorted(refusing - self._refusing):
            first = next(one for one in self if one.quota is quota)
            self._log.warning(
                "quota exceeded",
                quota=quota.value,
                limit=first.limit,
                resource=first.resource.value,
                refused=first.refused,
                among=first.shown[:3],
                fix=f"remove objects from the cluster, or raise quotas.{quota.value}",
            )
        for quota in sorted(self._refusing - refusing):
            self._log.info("quota kept again", quota=quota.value, limit=self.limit(quota))
        self._refusing = refusing

    def limit(self, quota: Quota) -> int:
        """Return what a quota allows."""
        limit: int = getattr(self.quotas, quota.value)
        return limit

    def used(self, quota: Quota) -> int | None:
        """Return how much of a quota is used, by the resource or the service that uses most; None where that is not counted."""
        if quota is Quota.OBJECT_BYTES:
            return None
        if quota is Quota.ENDPOINTS_PER_NAME:
            return max(tally.most for tally in self._tallies.values())
        return max(tally.used for tally in self._tallies.values() if tally.quota is quota)

    def refused(self, quota: Quota) -> int:
        """Return how many objects a quota refuses."""
        return sum(tally.refused.get(quota, 0) for tally in self._tallies.values())

    def __iter__(self) -> Iterator[Refusal]:
        """Give what is refused, by resource and quota."""
        for resource, tally in self._tallies.items():
            for quota, count in tally.refused.items():
                if count:
                    shown = tuple(tally.shown.get(quota, ()))
                    yield Refusal(self.cluster, resource, quota, self.limit(quota), count, shown)
