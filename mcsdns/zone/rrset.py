"""
RRsets, and what crosses the arrow from a view of the zone to a plane.

Rules:
1. RDATA is bytes in wire format, names in it uncompressed (RFC 3597 §4). A plane copies it; only the target of SRV and NS is read.
2. A node is the RRsets of one owner name in the order of their type. No RRset means an empty non-terminal (RFC 8020).
3. `ServiceRecords` is built as a whole and replaced as a whole: every answer about a service comes from one generation.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import IntEnum

from msgspec import Struct

from mcsdns.clusterset.model import Omission


class Type(IntEnum):
    """RR types that mcsdns owns or treats in a way of their own (IANA, DNS parameters)."""

    A = 1
    NS = 2
    SOA = 6
    TXT = 16
    AAAA = 28
    SRV = 33
    OPT = 41
    TSIG = 250
    IXFR = 251
    AXFR = 252
    ANY = 255


class RRset(Struct, frozen=True, gc=False, array_like=True):
    """
    The records of one owner name and type (RFC 2181 §5).

    Args:
        type: The RR type.
        ttl: Seconds, one for all (RFC 2181 §5.2).
        rdata: Each once, in the order in which they are answered before rotation.
    """

    type: int
    ttl: int
    rdata: tuple[bytes, ...]


Node = tuple[RRset, ...]


class ServiceRecords(Struct, frozen=True, gc=False):
    """
    Everything at and below `<svc>.<ns>.svc.<zone>`.

    Args:
        owner: That name, in wire format.
        nodes: Every name that exists at or below it. None at all: the service is imported, but its name does not exist
            (headless without a ready endpoint).
        omissions: Everything of the service that was left out, on the way here and before.
    """

    owner: bytes
    nodes: Mapping[bytes, Node]
    omissions: tuple[Omission, ...] = ()


class Apex(Struct, frozen=True, gc=False):
    """
    What the zone holds beside services.

    Args:
        zone: Its name, in wire format.
        soa: The SOA of this serial; also at `nodes[zone]`. Its TTL is its MINIMUM, so that it serves negative answers as it is
            (RFC 2308 §3).
        nodes: The zone's name, `svc`, `dns`, `ns.dns` and `dns-version` below it.
    """

    zone: bytes
    soa: RRset
    nodes: Mapping[bytes, Node]


class Update(Struct, frozen=True, gc=False):
    """
    One change of one view, taken over by a plane as a whole.

    Args:
        view: The view's name.
        serial: The SOA serial: every published change has a greater one than the last (RFC 1982).
        complete: Every member cluster has been heard. While it is False, a name that is not found is SERVFAIL.
        apex: Replaces the last one.
        services: By owner name: the records that replace what was there, or None where the service is gone.
    """

    view: str
    serial: int
    complete: bool
    apex: Apex
    services: Mapping[bytes, ServiceRecords | None]
