"""The numbers of DNS messages that are used here, by their IANA mnemonics. RR types are in `mcsdns.zone.rrset`."""

from __future__ import annotations

from enum import IntEnum


class Opcode(IntEnum):
    """The opcode that is served (RFC 1035 §4.1.1); every other one is not implemented."""

    QUERY = 0


class Rcode(IntEnum):
    """Response codes (IANA, DNS RCODEs). Those above 15 need an OPT record for their upper bits (RFC 6891 §6.1.3)."""

    NOERROR = 0
    FORMERR = 1
    SERVFAIL = 2
    NXDOMAIN = 3
    NOTIMP = 4
    REFUSED = 5
    NOTAUTH = 9
    BADVERS = 16


class Class(IntEnum):
    """Classes (RFC 1035 §3.2.4)."""

    IN = 1
    ANY = 255


class Option(IntEnum):
    """EDNS option codes."""

    NSID = 3
    """RFC 5001."""
    KEEPALIVE = 11
    """edns-tcp-keepalive, RFC 7828."""
    EDE = 15
    """Extended DNS Error, RFC 8914."""


class Ede(IntEnum):
    """Extended DNS Error codes (RFC 8914 §4)."""

    NOT_READY = 14
    PROHIBITED = 18
    NOT_AUTHORITATIVE = 20


class TsigError(IntEnum):
    """Errors inside a TSIG record (RFC 8945 §3)."""

    BADKEY = 17
