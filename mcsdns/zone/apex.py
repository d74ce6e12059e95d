"""
What the zone holds beside services: SOA, NS, the name server's own address, the schema version.

Rules:
1. `dns-version.<zone>` says which version of the multicluster DNS schema is served: 1.0.0 (KEP-1645 specification.md).
2. The SOA's TTL is its MINIMUM, so that one record serves positive and negative answers (RFC 2308 §3).
3. `svc`, `dns` and the zone's name always exist: they never become NXDOMAIN, whatever the clusters say.
"""

from __future__ import annotations

import functools
import struct
from collections.abc import Mapping

from mcsdns.zone.build import Options
from mcsdns.zone.names import below
from mcsdns.zone.rrset import Apex, Node, RRset, Type

SCHEMA_VERSION = "1.0.0"
VERSION_TTL = 28800
"""TTL of the schema version, in seconds (KEP-1645 specification.md)."""
REFRESH, RETRY, EXPIRE = 7200, 1800, 86400
"""SOA timers in seconds: read by secondaries alone."""


def apex(options: Options, serial: int) -> Apex:
    """
    Make the records beside services.

    Args:
        options: Zone name, TTLs, addresses of the name server.
        serial: Of the generation that it belongs to, modulo 2**32 (RFC 1982).
    """
    names, ns, nodes = _beside_soa(options)
    timers = struct.pack("!IIIII", serial % 2**32, REFRESH, RETRY, EXPIRE, options.negative_ttl)
    soa = RRset(Type.SOA, options.negative_ttl, (names + timers,))
    return Apex(options.zone, soa, {**nodes, options.zone: (ns, soa)})


@functools.lru_cache(maxsize=4)
def _beside_soa(options: Options) -> tuple[bytes, RRset, Mapping[bytes, Node]]:
    """Return what is the same in every generation: the names in the SOA, the NS, and the nodes, that of the zone to be filled."""
    zone = options.zone
    server, hostmaster = below("ns.dns", zone), below("hostmaster", zone)
    version = bytes((len(SCHEMA_VERSION),)) + SCHEMA_VERSION.encode()
    addresses = tuple(
        RRset(rr_type, options.ttl, rdata)
        for rr_type, size in ((Type.A, 4), (Type.AAAA, 16))
        if (rdata := tuple(sorted({a for a in options.advertise if len(a) == size})))
    )
    nodes: dict[bytes, Node] = {
        zone: (),
        below("svc", zone): (),
        below("dns", zone): (),
        server: addresses,
        below("dns-version", zone): (RRset(Type.TXT, VERSION_TTL, (version,)),),
    }
    return server + hostmaster, RRset(Type.NS, options.ttl, (server,)), nodes
