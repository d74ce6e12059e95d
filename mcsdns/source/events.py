"""
What a source says about one member cluster: six events, the same from an API server and from a folder.

Rules:
1. `cluster` is fixed by the connection that brought the event and never read from data.
2. Between `Init` and `InitDone` of a resource the old state stays in force. At `InitDone` what was not re-applied is gone.
3. Outside a list, `Apply` and `Delete` tell what is so now. They are level-triggered: duplicates do no harm.

Not here: what the objects mean (`mcsdns.clusterset`).
"""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum
from typing import Protocol

from msgspec import Struct

from mcsdns.source.objects import Object


class Resource(StrEnum):
    """The kinds of objects that are watched, named as in URLs of the Kubernetes API."""

    SERVICE_IMPORTS = "serviceimports"
    SERVICE_EXPORTS = "serviceexports"
    ENDPOINT_SLICES = "endpointslices"
    CLUSTER_PROPERTIES = "clusterproperties"


class Init(Struct, frozen=True):
    """
    A list of `resource` begins.

    One that follows another without an `InitDone` between discards what was collected since: that list broke off.
    `Apply` and `Delete` never come before the list is done.
    """

    cluster: str
    resource: Resource


class InitApply(Struct, frozen=True):
    """One object of the list that began with `Init`."""

    cluster: str
    resource: Resource
    obj: Object


class InitDrop(Struct, frozen=True):
    """The object of this name, of the list that began with `Init`, is taken back: an older one took its place in a quota."""

    cluster: str
    resource: Resource
    namespace: str
    name: str


class InitDone(Struct, frozen=True):
    """
    The list is whole: it replaces what was there.

    `whole` is False where something that exists could not be read (a file that never parsed, a resource that may not be
    listed): what is here counts, but absence proves nothing.
    """

    cluster: str
    resource: Resource
    whole: bool = True


class Apply(Struct, frozen=True):
    """This object is so now, whether it was known or not."""

    cluster: str
    resource: Resource
    obj: Object


class Delete(Struct, frozen=True):
    """The object of this name is gone."""

    cluster: str
    resource: Resource
    namespace: str
    name: str


Event = Init | InitApply | InitDrop | InitDone | Apply | Delete

Sink = Callable[[Event], None]
"""Takes an event by a plain call: it neither waits nor raises."""


class Source(Protocol):
    """Where one member cluster's objects come from."""

    async def run(self, sink: Sink) -> None:
        """
        Tell `sink` everything, from the first list on, until cancelled.

        An outage is retried and never raised; it shows in the cluster's `mcsdns.source.health.Health`.
        """
