"""
What a plane is: the part that answers DNS queries on sockets.

Rules:
1. Both planes implement `answer(query, transport, snapshot, turn)` and agree byte for byte (design.md §5).
2. A plane takes updates and queries. It does not know where objects come from, nor what a service is.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from msgspec import Struct

from mcsdns.config import Limits
from mcsdns.metrics import Counters
from mcsdns.querylog import QueryLog
from mcsdns.zone.rrset import ServiceRecords, Update

__all__ = ["Limits", "Listener", "Plane"]


class Listener(Struct, frozen=True):
    """
    An address that is served over UDP and TCP.

    Args:
        host: An IPv4 or IPv6 address, or a wildcard address.
        port: 0 lets the system choose one, the same for UDP and TCP.
        view: The name of the view that it serves.
    """

    host: str
    port: int
    view: str


class Plane(Protocol):
    """Answers on sockets from what was published."""

    @property
    def name(self) -> str:
        """`native` or `python`."""

    @property
    def querylog(self) -> QueryLog:
        """What logs queries, while it is on."""

    def stage(self, view: str, services: Mapping[bytes, ServiceRecords | None]) -> None:
        """
        Prepare a part of the next update of a view that was published before, so that no call takes long.

        Nothing is seen of it until `publish` brings it with its update. What a later part or the update says of a service counts.

        Args:
            view: The view's name.
            services: As in `Update`; some hundred take the native plane a millisecond.
        """

    def publish(self, update: Update) -> None:
        """Take over an update and what was staged for it, at once: the next answer of that view comes from it."""

    def counters(self) -> Counters:
        """Return what was counted since the plane was made: one consistent set."""

    async def start(self, listeners: Sequence[Listener]) -> Sequence[Listener]:
        """
        Bind and serve.

        Returns:
            The listeners with the ports that were bound.

        Raises:
            PlaneError: An address cannot be bound; the message names it and the reason. Nothing stays bound.
        """

    async def stop(self) -> None:
        """Close every socket."""
