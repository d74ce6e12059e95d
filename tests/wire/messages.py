"""Queries, put together octet by octet, and responses, judged by dnspython and by their raw bits."""

from __future__ import annotations

import struct
from collections.abc import Sequence

import dns.edns
import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.rdatatype
from msgspec import Struct

ID = 0x1234
RD = 0x0100
WEB = "web.test.svc.clusterset.local."
"""A name that is there: A 10.42.42.42, and SRV."""
NOWHERE = "nowhere.test.svc.clusterset.local."
"""A name that is not."""

NOERROR, FORMERR, SERVFAIL, NXDOMAIN, NOTIMP, REFUSED = range(6)
NOTAUTH, BADVERS = 9, 16


def header(flags: int = RD, counts: Sequence[int] = (1, 0, 0, 0), message_id: int = ID) -> bytes:
    """Make a header."""
    return struct.pack("!6H", message_id, flags, *counts)


def name(text: str) -> bytes:
    """Give a name in wire format, its case kept."""
    return dns.name.from_text(text).to_wire() or b""


def question(qname: str | bytes = WEB, qtype: str | int = "A", qclass: int = 1) -> bytes:
    """Make a question; octets are taken as they are."""
    wire = qname if isinstance(qname, bytes) else name(qname)
    return wire + struct.pack("!HH", number(qtype), qclass)


def number(rrtype: str | int) -> int:
    """Give the number of a type."""
    return rrtype if isinstance(rrtype, int) else int(dns.rdatatype.from_text(rrtype))


def record(owner: bytes, rrtype: int, rrclass: int, ttl: int, rdata: bytes) -> bytes:
    """Make a record."""
    return owner + struct.pack("!HHIH", rrtype, rrclass, ttl, len(rdata)) + rdata


def option(code: int, value: bytes = b"") -> bytes:
    """Make an EDNS option."""
    return struct.pack("!HH", code, len(value)) + value


def opt(payload: int = 1232, *, version: int = 0, flags: int = 0, options: bytes = b"", owner: bytes = b"\0") -> bytes:
    """Make an OPT record."""
    return record(owner, 41, payload, version << 16 | flags, options)


def tsig(
    *, mac: bytes = bytes(32), time: int = 1_700_000_000, fudge: int = 300, rrclass: int = 255, ttl: int = 0
) -> bytes:
    """Make a TSIG record of the key `key.` and hmac-sha256."""
    rdata = name("hmac-sha256.") + time.to_bytes(6, "big") + struct.pack("!HH", fudge, len(mac)) + mac
    return record(name("Key."), 250, rrclass, ttl, rdata + struct.pack("!HHH", ID, 0, 0))


def ask(
    qname: str | bytes = WEB, qtype: str | int = "A", *additional: bytes, qclass: int = 1, flags: int = RD
) -> bytes:
    """Make a query with records in its additional section."""
    return header(flags, (1, 0, 0, len(additional))) + question(qname, qtype, qclass) + b"".join(additional)


class Response(Struct, frozen=True):
    """
    A response.

    Args:
        proto: `udp` or `tcp`.
        raw: Its octets.
        message: The same, as dnspython reads it.
    """

    proto: str
    raw: bytes
    message: dns.message.Message

    @property
    def rcode(self) -> int:
        """The response code, all 12 bits."""
        return int(self.message.rcode())

    @property
    def flags(self) -> int:
        """The 16 bits of the header that hold the flags."""
        return int.from_bytes(self.raw[2:4], "big")

    @property
    def is_authoritative(self) -> bool:
        """AA."""
        return bool(self.flags & dns.flags.AA)

    @property
    def is_truncated(self) -> bool:
        """TC."""
        return bool(self.flags & dns.flags.TC)

    @property
    def counts(self) -> tuple[int, ...]:
        """The counts of the header."""
        return struct.unpack("!4H", self.raw[4:12])

    @property
    def answer(self) -> list[str]:
        """The RDATA of the answer section, in its order."""
        return [str(rdata) for rrset in self.message.answer for rdata in rrset]

    @property
    def authority(self) -> list[str]:
        """The records of the authority section: owner, TTL, type."""
        return [f"{rrset.name} {rrset.ttl} {rrset.rdtype.name}" for rrset in self.message.authority]

    @property
    def additional(self) -> list[str]:
        """The records of the additional section without OPT: owner, type, RDATA."""
        return [f"{rrset.name} {rrset.rdtype.name} {rdata}" for rrset in self.message.additional for rdata in rrset]

    @property
    def has_opt(self) -> bool:
        """Whether there is an OPT record."""
        return self.message.edns >= 0

    @property
    def options(self) -> dict[int, bytes]:
        """The EDNS options, by code."""
        return {int(found.otype): found.to_wire() or b"" for found in self.message.options}

    @property
    def ede(self) -> int | None:
        """The extended error, or None."""
        found = self.options.get(15)
        return None if found is None else int.from_bytes(found[:2], "big")


def judge(query: bytes, proto: str, raw: bytes) -> Response:
    """
    Read a response, and check what is true of every one.

    dnspython parses all of it; id, opcode and RD are the query's; QR is set; RA, Z, AD and CD are not (RFC 1035 §4.1.1,
    RFC 4035 §3.1.6); the question, where there is one, is the query's octet for octet.
    """
    # Read as a response to QUERY, because dnspython has opinions on what may be echoed to an UPDATE. Without keys: a TSIG is read only.
    message = dns.message.from_wire(raw[:2] + bytes((raw[2] & 0x87,)) + raw[3:], keyring=False)
    response = Response(proto, raw, message)
    assert raw[:2] == query[:2]
    assert response.flags & 0x8000
    assert response.flags & 0x7900 == int.from_bytes(query[2:4], "big") & 0x7900
    assert not response.flags & 0x00F0
    if response.counts[0]:
        size = len(response.message.question[0].name.to_wire() or b"") + 4
        assert raw[12 : 12 + size] == query[12 : 12 + size]
    return response
