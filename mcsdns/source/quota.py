"""
Quotas: how much of one member cluster is taken in, so that one that floods harms no other.

| quota                | bounds                                                         | of                                    |
|----------------------|----------------------------------------------------------------|---------------------------------------|
| `names`              | objects                                                        | each other resource apart             |
| `endpoints_per_name` | addresses in the slices of one service                         | EndpointSlices                        |
| `endpoints`          | addresses in all slices (one without any counts one)           | EndpointSlices                        |
| `object_bytes`       | the JSON of one object                                         | every resource                        |

Rules:
1. An object is held or refused whole, before anything is kept of it. A refusal is a policy, not a lack: it makes no zone incomplete.
2. The newest are refused: what is held is the longest row of objects, the oldest first, that fits. Age is `creationTimestamp`, of equal
   ones the namespace and name; an object without one is the oldest.
3. So what is held follows from the set of objects, and not from the order in which they came: replicas agree.
4. For that, a service over its own quota counts against `endpoints` with the whole of it from its first refused slice on.
5. Refused objects are counted, not kept, but for the names of a few. Where room comes while there are any, only a new list
   tells which of them fit: `wants_list`.

Pure. Not here: what is held at any time (`mcsdns.source.table`, `mcsdns.source.shelf`), reading and counting octets
(`mcsdns.source.kube.teller`, `mcsdns.source.manifests`), what is shown (`mcsdns.source.refusals`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import StrEnum
from sys import intern
from typing import Final

from msgspec import Struct

from mcsdns.config import Quotas
from mcsdns.source.events import Resource
from mcsdns.source.objects import EndpointSlice, Object

MAX_SHOWN: Final = 20
"""Refused objects of one quota that are kept by name: enough for people to see which controller floods."""


_NO_DIGITS: Final = {ord(sign): None for sign in "-T:Z.+ "}


class Quota(StrEnum):
    """The quotas, named as in the configuration."""

    NAMES = "names"
    ENDPOINTS_PER_NAME = "endpoints_per_name"
    ENDPOINTS = "endpoints"
    OBJECT_BYTES = "object_bytes"


class Entry(Struct, gc=False, eq=False):
    """
    What is remembered of an object that is held. Newer ones sort first.

    Args:
        namespace: Of the object.
        name: Of the object.
        created: When, to the second: the digits of year to second as one number; 0 where it does not tell.
        version: Its resource version, for whoever compares.
        weight: What it counts.
        service: The hash of the service that a slice belongs to; None for other objects.
    """

    namespace: str
    name: str
    created: int
    version: int = 0
    weight: int = 1
    service: int | None = None

    @property
    def key(self) -> int:
        """A hash of the name: two objects that share one (1 in 2^64) count as one."""
        return hash((self.namespace, self.name))

    def __lt__(self, other: Entry) -> bool:
        if self.created != other.created:
            return self.created > other.created
        return (self.namespace, self.name) > (other.namespace, other.name)


class Usage(Struct, frozen=True):
    """What a `Tally` tells, as it was at one moment: for another thread."""

    resource: Resource
    quota: Quota
    used: int
    most: int
    refused: Mapping[Quota, int]
    shown: Mapping[Quota, Sequence[str]]


class Tally:
    """
    How much there is of one resource.

    Args:
        resource: Which.
        quotas: Of the cluster.

    Attributes:
        used: What counts against the quota of the whole resource.
        refused: How many objects are refused, by quota.
        shown: A few of them, as `namespace/name`.
    """

    def __init__(self, resource: Resource, quotas: Quotas) -> None:
        self.resource = resource
        self.is_slices = resource is Resource.ENDPOINT_SLICES
        self.quota = Quota.ENDPOINTS if self.is_slices else Quota.NAMES
        self.limit = quotas.endpoints if self.is_slices else quotas.names
        self.limit_of_name = quotas.endpoints_per_name
        self.used = 0
        self.sums: dict[int, int] = {}
        self.refused: dict[Quota, int] = {}
        self.shown: dict[Quota, list[str]] = {}

    def count(self, weight: int, service: int | None) -> None:
        """Count what an object weighs; less than nothing where it is gone."""
        self.used += weight
        if service is not None:
            total = self.sums.get(service, 0) + weight
            if total:
                self.sums[service] = total
            else:
                del self.sums[service]

    @property
    def is_over(self) -> bool:
        """Whether not everything fits. It looks at every service."""
        return self.used > self.limit or self.most > self.limit_of_name

    @property
    def most(self) -> int:
        """What the largest service counts."""
        return max(self.sums.values(), default=0)

    def usage(self) -> Usage:
        """Return what it tells, as it is now."""
        shown = {quota: tuple(names) for quota, names in self.shown.items()}
        return Usage(self.resource, self.quota, self.used, self.most, dict(self.refused), shown)

    def refuse(self, quota: Quota, namespace: str, name: str) -> None:
        """Count a refused object."""
        self.refused[quota] = self.refused.get(quota, 0) + 1
        shown = self.shown.setdefault(quota, [])
        if len(shown) < MAX_SHOWN:
            shown.append(_text(namespace, name))

    def forget(self, quota: Quota, namespace: str, name: str) -> None:
        """Count a refused object that is gone."""
        self.refused[quota] = max(0, self.refused.get(quota, 0) - 1)
        shown, text = self.shown.get(quota, []), _text(namespace, name)
        if text in shown:
            shown.remove(text)


def entry_of(obj: Object, version: int = 0) -> Entry:
    """Return what is remembered of an object."""
    metadata = obj.metadata
    labels, namespace = metadata.labels, intern(metadata.namespace)
    weight, service = 1, None
    if labels is not None:
        label = labels.native_service if labels.imported_service is None else labels.imported_service
        service = None if label is None else hash((namespace, label))
    if type(obj) is EndpointSlice and obj.endpoints:
        weight = sum([len(endpoint.addresses or ()) for endpoint in obj.endpoints]) or 1
    created = 0 if metadata.created is None else _digits(metadata.created)
    # The names of services are interned in the mirror as well; those of slices are kept there as they came.
    name = metadata.name if service is not None else intern(metadata.name)
    return Entry(namespace, name, created, version, weight, service)


def _digits(created: str) -> int:
    """Read a time (RFC 3339, UTC) as the number that its digits are: they compare as the text does. 0 where there are none."""
    try:
        return int(created[:19].translate(_NO_DIGITS))
    except ValueError:
        return 0


def _text(namespace: str, name: str) -> str:
    return "/".join(part for part in (namespace, name) if part)
