"""The native plane's extension, in Rust (`rust/`). It is there where a Rust toolchain was when mcsdns was installed."""

from collections.abc import Sequence

Records = tuple[int, int, Sequence[bytes]]
"""Type, TTL in seconds, and RDATA of an RRset."""
Nodes = Sequence[tuple[bytes, Sequence[Records]]]
"""Owner names and their RRsets in the order of their type; none for an empty non-terminal."""

class Zone:
    """A view of the zone, published by one thread and read by any."""

    def publish(
        self,
        complete: bool,
        zone: bytes,
        soa: Records,
        apex: Nodes,
        services: Sequence[tuple[bytes, Nodes | None]],
    ) -> None:
        """
        Take over an update: readers see all of it or, before the call, nothing.

        Args:
            complete: As in `mcsdns.zone.rrset.Update`.
            zone: The zone's name, the same in every update.
            soa: What negative answers carry.
            apex: What the zone holds beside services.
            services: By owner name, what replaces a service, or None where it is gone.

        Raises:
            ValueError: Something in it cannot stand in a zone; nothing was taken over.
        """

    def answer(
        self,
        query: bytes,
        *,
        is_tcp: bool,
        udp_payload: int,
        keepalive: int,
        nsid: bytes | None,
        turn: int,
    ) -> bytes | None:
        """
        Answer one query, octet for octet as `mcsdns.wire.answer.answer` does.

        Args: As there and in `mcsdns.wire.edns.Transport`; `turn` below 2**64.

        Raises:
            ValueError: Nothing was published yet.
        """
