"""
TSIG: no key is known here, so every signed query is told so (RFC 8945 §5.2.1).

Rules:
1. The answer is not signed: its TSIG has no MAC and says BADKEY. Time, fudge and original id are the query's: no clock is needed.
2. The key's and the algorithm's names are written in full, as the asker spelled them.
"""

from __future__ import annotations

import struct

from msgspec import Struct

from mcsdns.wire.codes import Class, TsigError
from mcsdns.wire.faults import Fault, MalformedError
from mcsdns.wire.names import read as read_name
from mcsdns.zone.rrset import Type

_FIXED = struct.Struct("!HHIH")
_TIMES = struct.Struct("!6sHH")
_AFTER_MAC = struct.Struct("!HHH")


class Tsig(Struct, frozen=True, gc=False):
    """
    A TSIG record, as far as the answer repeats it (RFC 8945 §4.2).

    Args:
        key: The name of the key.
        algorithm: The name of the algorithm.
        time: Seconds since the epoch, 48 bits as they stand.
        fudge: Seconds.
        original_id: The id of the message when it was signed.
    """

    key: bytes
    algorithm: bytes
    time: bytes
    fudge: int
    original_id: int


def read(owner: bytes, rrclass: int, ttl: int, rdata: bytes) -> Tsig:
    """
    Read a TSIG record.

    Raises:
        MalformedError: CLASS is not ANY, TTL is not 0, or the RDATA does not end where its lengths say.
    """
    if rrclass != Class.ANY or ttl:
        raise MalformedError(Fault.TSIG, "CLASS is not ANY or TTL is not 0")
    algorithm, at = read_name(rdata, 0, Fault.TSIG)
    try:
        time, fudge, mac_size = _TIMES.unpack_from(rdata, at)
        at += _TIMES.size + mac_size
        original_id, _, other_size = _AFTER_MAC.unpack_from(rdata, at)
    except struct.error:
        raise MalformedError(Fault.TSIG, "RDATA is cut short") from None
    if at + _AFTER_MAC.size + other_size != len(rdata):
        raise MalformedError(Fault.TSIG, "RDATA does not end where its lengths say")
    return Tsig(owner, algorithm, time, fudge, original_id)


def refuse(asked: Tsig) -> bytes:
    """Write the TSIG record that says that the key is not known (RFC 8945 §5.2.1, §5.3.2)."""
    rdata = (
        asked.algorithm
        + _TIMES.pack(asked.time, asked.fudge, 0)
        + _AFTER_MAC.pack(asked.original_id, TsigError.BADKEY, 0)
    )
    return asked.key + _FIXED.pack(Type.TSIG, Class.ANY, 0, len(rdata)) + rdata
