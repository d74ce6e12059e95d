"""
A view of the zone as a master file (RFC 1035 §5), readable by BIND, NSD and Knot.

Rules:
1. Every line stands alone: full owner name, TTL, class, type, RDATA. The SOA comes first; the rest is sorted.
2. A service without records and a name without records cannot be written; they are not lost, they just have no line.

RDATA's text form is dnslib's.
"""

from __future__ import annotations

from collections.abc import Iterator

from dnslib import QTYPE, RDMAP, DNSBuffer

from mcsdns.zone.names import labels, to_text
from mcsdns.zone.rrset import Apex, Node, RRset, ServiceRecords, Type


def lines(apex: Apex, services: Iterator[ServiceRecords]) -> Iterator[str]:
    """
    Give the lines of the master file, without line ends.

    Args:
        apex: What the zone holds beside services.
        services: In any order.
    """
    yield f"$ORIGIN {to_text(apex.zone)}"
    yield record(apex.zone, apex.soa, apex.soa.rdata[0])
    nodes: dict[bytes, Node] = dict(apex.nodes)
    for records in services:
        nodes.update(records.nodes)
    for owner in sorted(nodes, key=lambda name: tuple(labels(name))[::-1]):
        for rrset in nodes[owner]:
            if rrset.type != Type.SOA:
                for rdata in sorted(rrset.rdata):
                    yield record(owner, rrset, rdata)


def record(owner: bytes, rrset: RRset, rdata: bytes) -> str:
    """Return one record in presentation form."""
    return f"{to_text(owner)}\t{rrset.ttl}\tIN\t{type_text(rrset.type)}\t{rdata_text(rrset.type, rdata)}"


def type_text(rr_type: int) -> str:
    """Return the mnemonic of a type, or `TYPE<n>` (RFC 3597 §5)."""
    name = QTYPE.forward.get(rr_type)
    return str(name) if name is not None else f"TYPE{rr_type}"


def rdata_text(rr_type: int, rdata: bytes) -> str:
    """Return RDATA in presentation form."""
    return str(RDMAP[type_text(rr_type)].parse(DNSBuffer(rdata), len(rdata)))
