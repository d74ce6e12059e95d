"""
EDNS(0): the OPT record of a query is read, ours is written (RFC 6891).

Rules:
1. OPT in, OPT out; none in, none out.
2. Unknown options and flags are ignored and not echoed; DO is copied.
3. A version above 0 is not ours to read: its options are skipped, so that it gets BADVERS and not FORMERR.
4. An option is written only where it fits; the record itself always does.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator

from msgspec import Struct

from mcsdns.wire.codes import Ede, Option, Rcode
from mcsdns.wire.faults import Fault, MalformedError
from mcsdns.zone.names import ROOT
from mcsdns.zone.rrset import Type

LEAST_PAYLOAD = 512
"""What every asker takes over UDP, whatever it offers, octets (RFC 1035 §4.2.1, RFC 6891 §6.2.3)."""
DO = 0x8000
"""DNSSEC OK, in the lower half of the TTL (RFC 3225 §3)."""

_FIXED = struct.Struct("!xHHBBHH")
_OPTION = struct.Struct("!HH")

EXTRA_TEXT = {
    Ede.NOT_READY: b"a member cluster has not been heard yet",
    Ede.PROHIBITED: b"zone transfers are not offered",
    Ede.NOT_AUTHORITATIVE: b"not authoritative for this name",
}
"""What a person reads beside the code (RFC 8914 §2)."""


class Transport(Struct, frozen=True, gc=False):
    """
    The way a query came, as far as the answer depends on it.

    Args:
        is_tcp: Over TCP.
        udp_payload: Largest UDP response, octets: what our OPT announces, over TCP too. At least 512.
        keepalive: For how long an idle TCP connection is kept, in units of 100 ms (RFC 7828 §3.1).
        nsid: The identifier of this server, or None to keep it back (RFC 5001).
    """

    is_tcp: bool
    udp_payload: int = 1232
    keepalive: int = 300
    nsid: bytes | None = None


class Opt(Struct, frozen=True, gc=False):
    """
    What an OPT record asks for.

    Args:
        payload: Largest UDP response that the asker takes, octets, as it stands there.
        version: The EDNS version.
        is_do: DNSSEC OK.
        wants_nsid: It holds an NSID option; the option's payload is ignored (RFC 5001 §2.1).
    """

    payload: int
    version: int
    is_do: bool
    wants_nsid: bool


def read(owner: bytes, payload: int, ttl: int, rdata: bytes) -> Opt:
    """
    Read an OPT record.

    Args:
        owner: Its owner name, written out.
        payload: Its CLASS.
        ttl: Its TTL: extended RCODE (ignored in a query), version, flags.
        rdata: Its options.

    Raises:
        MalformedError: The owner is not the root, or, in version 0, an option runs over the end.
    """
    if owner != ROOT:
        raise MalformedError(Fault.OPT, "the owner of OPT is not the root")
    version = ttl >> 16 & 0xFF
    wants_nsid = False
    if version == 0 and rdata:
        wants_nsid = Option.NSID in list(_option_codes(rdata))
    return Opt(payload, version, bool(ttl & DO), wants_nsid)


def write(asked: Opt, transport: Transport, rcode: Rcode, ede: Ede | None, room: int) -> bytes:
    """
    Write our OPT record.

    Args:
        asked: The OPT of the query.
        transport: How it came.
        rcode: Of the response; its upper bits stand here.
        ede: The extended error, or None.
        room: Octets that the record may take; at least 11.

    Returns:
        The record, with the options NSID, keepalive and EDE in this order, each if it applies and fits.
    """
    options = b""
    for code, value in _options(asked, transport, ede):
        if _FIXED.size + len(options) + _OPTION.size + len(value) <= room:
            options += _OPTION.pack(code, len(value)) + value
    flags = DO if asked.is_do else 0
    return _FIXED.pack(Type.OPT, transport.udp_payload, rcode >> 4, 0, flags, len(options)) + options


def largest(asked: Opt | None, transport: Transport) -> int:
    """Return the octets that a response may have (RFC 1035 §4.2, RFC 6891 §6.2.5)."""
    if transport.is_tcp:
        return 0xFFFF
    if asked is None:
        return LEAST_PAYLOAD
    return min(max(LEAST_PAYLOAD, asked.payload), transport.udp_payload)


def _option_codes(rdata: bytes) -> Iterator[int]:
    at = 0
    while at < len(rdata):
        if at + _OPTION.size > len(rdata):
            raise MalformedError(Fault.OPT, "an option without a length")
        code, size = _OPTION.unpack_from(rdata, at)
        at += _OPTION.size + size
        if at > len(rdata):
            raise MalformedError(Fault.OPT, "an option that runs over the end of OPT")
        yield code


def _options(asked: Opt, transport: Transport, ede: Ede | None) -> Iterator[tuple[int, bytes]]:
    if asked.wants_nsid and transport.nsid is not None:
        yield Option.NSID, transport.nsid
    if transport.is_tcp:
        yield Option.KEEPALIVE, transport.keepalive.to_bytes(2, "big")
    if ede is not None:
        yield Option.EDE, ede.to_bytes(2, "big") + EXTRA_TEXT[ede]
