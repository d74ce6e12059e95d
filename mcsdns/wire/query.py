"""
Parse a query (RFC 1035 §4.1, RFC 9619).

```
header ──► question ──► records of all sections, one after the other ──► Query
```

Rules:
1. Whatever the input, a query is parsed or `WireError` is raised; nothing else is.
2. The message bounds everything. Counts of the header only say when to stop: nothing is allocated from them.
3. The work is linear in the message: at most `MAX_POINTERS` pointers are followed.
4. What was understood before the fault is kept, because the answer repeats it.
5. Octets after the message are ignored.
"""

from __future__ import annotations

import struct

from msgspec import Struct

from mcsdns.errors import WireError
from mcsdns.wire import edns, tsig
from mcsdns.wire.codes import Opcode
from mcsdns.wire.edns import Opt
from mcsdns.wire.faults import Fault, MalformedError
from mcsdns.wire.names import HEADER, expand
from mcsdns.wire.names import read as read_name
from mcsdns.wire.tsig import Tsig
from mcsdns.zone.names import ROOT
from mcsdns.zone.rrset import Type

MAX_POINTERS = 64
"""
Compression pointers that one message may follow outside RDATA. A query has a record or two behind its question, hence as many
pointers; the bound keeps a 64 KiB message of pointers to long names from costing more than its own length (RFC 9267 §2).
"""

_COUNTS = struct.Struct("!2xHHHHH")
_TYPE_CLASS = struct.Struct("!HH")
_RECORD = struct.Struct("!HHIH")


class Question(Struct, frozen=True, gc=False):
    """
    The question.

    Args:
        name: Lower case, wire format.
        type: QTYPE.
        rrclass: QCLASS.
        octets: All of it, as spelled.
    """

    name: bytes
    type: int
    rrclass: int
    octets: bytes


class Query(Struct, frozen=True, gc=False):
    """
    What was understood of a query.

    Args:
        flags: The second 16 bits of the header: QR, opcode, flags, RCODE.
        question: None where there is none, or none that can be read.
        opt: The EDNS part.
        tsig: The signature.
        fault: What is malformed, or None.
    """

    flags: int
    question: Question | None = None
    opt: Opt | None = None
    tsig: Tsig | None = None
    fault: Fault | None = None

    @property
    def opcode(self) -> int:
        """The opcode."""
        return self.flags >> 11 & 15


def parse(message: bytes) -> Query:
    """
    Read a query.

    Args:
        message: From its id on.

    Returns:
        The query. Where it is malformed, `fault` names the part, and what comes after it is not there.

    Raises:
        WireError: It must not be answered at all: no header, or itself a response. `rcode` is None.
    """
    if len(message) < HEADER:
        raise WireError(None, f"{len(message)} octets are no header")
    flags, qdcount, *counts = _COUNTS.unpack_from(message)
    if flags & 0x8000:
        raise WireError(None, "a response")
    if qdcount > 1:
        return Query(flags, fault=Fault.COUNTS)
    question: Question | None = None
    at = HEADER
    if qdcount:
        try:
            question, at = _question(message)
        except MalformedError as error:
            return Query(flags, fault=error.fault)
    return _records(message, at, Query(flags, question), counts)


def _question(message: bytes) -> tuple[Question, int]:
    # A pointer has nothing to point to here: no name stands before the question.
    name, at = read_name(message, HEADER, Fault.QUESTION)
    end = at + _TYPE_CLASS.size
    if end > len(message):
        raise MalformedError(Fault.QUESTION, "no QTYPE and QCLASS")
    qtype, qclass = _TYPE_CLASS.unpack_from(message, at)
    return Question(name.lower(), qtype, qclass, message[HEADER:end]), end


def _records(message: bytes, at: int, head: Query, counts: list[int]) -> Query:
    answers, authorities, additionals = counts
    fault = _count_fault(head, answers, authorities)
    seen = _Seen()
    try:
        _walk(message, at, answers + authorities, additionals, seen)
    except MalformedError as error:
        fault = fault or error.fault
    return Query(head.flags, head.question, seen.opt, seen.tsig, fault)


class _Seen(Struct, gc=False):
    opt: Opt | None = None
    tsig: Tsig | None = None


def _walk(message: bytes, at: int, outside: int, additionals: int, seen: _Seen) -> None:
    pointers = 0
    for index in range(outside + additionals):
        owner, at, followed = (ROOT, at + 1, 0) if message[at : at + 1] == ROOT else expand(message, at)
        pointers += followed
        if pointers > MAX_POINTERS:
            raise MalformedError(Fault.RECORD, "too many compression pointers")
        rrtype, rrclass, ttl, rdata, at = _record(message, at)
        if seen.tsig is not None:
            raise MalformedError(Fault.TSIG, "TSIG is not the last record")
        if rrtype == Type.OPT:
            if index < outside or seen.opt is not None:
                raise MalformedError(Fault.OPT, "OPT outside the additional section, or more than one")
            seen.opt = edns.read(owner, rrclass, ttl, rdata)
        elif rrtype == Type.TSIG:
            if index < outside:
                raise MalformedError(Fault.TSIG, "TSIG outside the additional section")
            seen.tsig = tsig.read(owner, rrclass, ttl, rdata)


def _record(message: bytes, at: int) -> tuple[int, int, int, bytes, int]:
    start = at + _RECORD.size
    if start > len(message):
        raise MalformedError(Fault.RECORD, "a record without its fixed part")
    rrtype, rrclass, ttl, size = _RECORD.unpack_from(message, at)
    end = start + size
    if end > len(message):
        raise MalformedError(Fault.RECORD, "RDATA that runs over the end of the message")
    return rrtype, rrclass, ttl, message[start:end], end


def _count_fault(head: Query, answers: int, authorities: int) -> Fault | None:
    # Other opcodes than QUERY put records there. So does IXFR: the SOA that the asker has (RFC 1995 §3).
    if head.opcode != Opcode.QUERY:
        return None
    if head.question is None or answers:
        return Fault.COUNTS
    if authorities and not (head.question.type == Type.IXFR and authorities == 1):
        return Fault.COUNTS
    return None
