"""
What a plane is: the part that answers DNS queries on sockets.

Rules:
1. Both planes implement `answer(query, transport, snapshot, turn)` and agree byte for byte (design.md §5).
2. A plane takes updates and queries. It does not know where objects come from, nor what a service is.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from msgspec import Struct

from mcsdns.zone.rrset import Update


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


class Limits(Struct, frozen=True, kw_only=True):
    """
    What a plane allows; the configuration's `limits` (values and reasons there).

    Args:
        udp_payload: Largest UDP response, octets.
        tcp_connections: Connections at once, over all listeners.
        tcp_connections_per_client: Connections at once from one address.
        tcp_idle_s: Seconds without a whole message before a connection is closed.
        tcp_message_s: Seconds in which a message must be complete, from its first octet.
        tcp_write_s: Seconds that a write may stall.
        tcp_in_flight: Queries in flight on one connection.
    """

    udp_payload: int = 1232
    tcp_connections: int = 4096
    tcp_connections_per_client: int = 512
    tcp_idle_s: float = 30.0
    tcp_message_s: float = 2.0
    tcp_write_s: float = 2.0
    tcp_in_flight: int = 1000


class Plane(Protocol):
    """Answers on sockets from what was published."""

    @property
    def name(self) -> str:
        """`native` or `python`."""

    def publish(self, update: Update) -> None:
        """Take over an update at once: the next answer of that view comes from it."""

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
