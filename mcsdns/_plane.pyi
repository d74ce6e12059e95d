"""The native plane's extension, in Rust (`rust/`). It is there where a Rust toolchain was when mcsdns was installed."""

from collections.abc import Mapping, Sequence
from ipaddress import IPv4Address, IPv6Address

from mcsdns.zone.rrset import ServiceRecords, Update

class Zone:
    """A view of the zone, published by one thread and read by any. It renders what it is given, and keeps nothing of Python."""

    def stage(self, services: dict[bytes, ServiceRecords | None]) -> None:
        """
        Prepare a part of the next update, as `mcsdns.plane.base.Plane.stage` does.

        Raises:
            ValueError: Something in it cannot stand in a zone, or nothing was published yet; all that was staged is forgotten.
        """

    def publish(self, update: Update) -> None:
        """
        Take over an update and what was staged for it: readers see all of it or, before the call, nothing.

        Args:
            update: Its apex has the same zone every time; its services are a dict.

        Raises:
            ValueError: Something in it cannot stand in a zone; nothing was taken over, and all that was staged is forgotten.
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

TYPES: Sequence[int]
"""The types that have a label of their own, in the order of `Counted.types`; there, others come last."""
SIZE_BOUNDS: Sequence[int]
"""Upper bounds of the buckets for sizes, octets."""
NAMES: Mapping[str, Sequence[str]]
"""The reasons that are counted: `drops`, `malformed`, `refused`, `closed`."""

class Counted:
    """
    What was counted of one listener over one transport, all threads together.

    Attributes:
        listener: Which one, in the order in which the server was given them.
        is_tcp: Over TCP.
        types: Answered queries by type.
        rcodes: Responses by rcode.
        truncated: Responses with TC.
        request_sizes: Queries by bucket of `SIZE_BOUNDS`, the last for what is above.
        request_octets: Of all queries.
        response_sizes: Likewise.
        response_octets: Likewise.
        durations: By bucket, the last for what is above.
        duration_s: All together, seconds.
        drops: By `mcsdns.plane.counters.Drop`, those that are not zero.
        malformed: By `mcsdns.wire.faults.Fault`, those that are not zero.
    """

    listener: int
    is_tcp: bool
    types: Sequence[int]
    rcodes: Sequence[int]
    truncated: int
    request_sizes: Sequence[int]
    request_octets: int
    response_sizes: Sequence[int]
    response_octets: int
    durations: Sequence[int]
    duration_s: float
    drops: Sequence[tuple[str, int]]
    malformed: Sequence[tuple[str, int]]

class Recorded:
    """
    What was recorded of one query.

    Attributes:
        listener: Which one was asked, in the order in which the server was given them.
        is_tcp: Over TCP.
        client: An address.
        name: As in `mcsdns.querylog.Noted`, and so on.
        qtype: There, `type`.
    """

    listener: int
    is_tcp: bool
    client: str
    name: bytes | None
    qtype: int | None
    rcode: int | None
    size: int
    duration_s: float
    ago_s: float

class QueryLog:
    """What the threads record while it is on: in queues that are bounded, and have no memory while it is off."""

    def start(
        self, *, sample: float, suffix: bytes | None, client: tuple[IPv4Address | IPv6Address, int] | None
    ) -> None:
        """
        Record what is wanted from now on; what was recorded before is forgotten.

        Args: As in `mcsdns.querylog.Wanted`; `client` is the first address of a network and the bits that its addresses share.
        """

    def stop(self) -> None:
        """Record nothing more. What was recorded can be taken once, which releases its memory."""

    def take(self, most: int) -> tuple[Sequence[Recorded], int]:
        """Give what was recorded since the last call, oldest first, at most so much; and how many were wanted beside that."""

class Server:
    """
    The threads that serve, from when it is made until `stop`.

    Args:
        listeners: For each the view (published already), its UDP sockets (one for each thread, blocking), its TCP socket (listening),
            and whether the address is a wildcard. The descriptors are the server's from now on, and closed by it.
        querylog: Where they record queries.
        udp_payload: As in `mcsdns.wire.edns.Transport`.
        keepalive: Likewise.
        nsid: Likewise.
        cores: That the UDP threads are pinned to, in turns; none: they are not.
        connections: As `tcp_connections` in `mcsdns.config.Limits`, and so on.

    Raises:
        OSError: The system has no thread or descriptor left; nothing serves.
    """

    def __init__(
        self,
        listeners: Sequence[tuple[Zone, Sequence[int], int, bool]],
        querylog: QueryLog,
        *,
        udp_payload: int,
        keepalive: int,
        nsid: bytes | None,
        cores: Sequence[int],
        connections: int,
        per_client: int,
        idle_s: float,
        message_s: float,
        write_s: float,
        in_flight: int,
    ) -> None: ...
    def stop(self) -> None:
        """Close every socket; returns when all threads have ended. What was counted stays."""

    def counted(self) -> Sequence[Counted]:
        """Return what was counted, by listener and transport."""

    def dropped(self) -> int:
        """Return how many datagrams the system dropped because a socket's buffer was full."""

    def tcp_open(self) -> int:
        """Return how many connections are open now."""

    def tcp_is_resting(self) -> bool:
        """Tell whether the system had no descriptor or memory for a connection when one was last to be accepted."""

    def tcp_refused(self) -> Sequence[tuple[str, int]]:
        """Return the connections that were not accepted, by `mcsdns.plane.counters.Refused`, those that are not zero."""

    def tcp_closed(self) -> Sequence[tuple[str, int]]:
        """Return the connections that were closed by us, by `mcsdns.plane.counters.Closed`, those that are not zero."""
