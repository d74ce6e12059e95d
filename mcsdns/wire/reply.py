"""
Render a response: sections, size, truncation, rotation (RFC 1035 §4.1, RFC 2181 §9).

Rules:
1. A reply is rendered once and sent many times: only the id and the place where the answers begin differ.
2. What is required (the answer, or the SOA of a negative one) and does not fit sets TC. As many whole answers as fit are sent all the
   same, because some stub resolvers never ask again over TCP (musl before 1.2.4).
3. Addresses in the additional section are a courtesy: whole RRsets while they fit, and never TC for their sake (RFC 2181 §9).
4. OPT is always there if it was asked for: its room is kept free first.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable

from msgspec import Struct

from mcsdns.wire import edns
from mcsdns.wire.codes import Class, Ede, Rcode
from mcsdns.wire.edns import Transport
from mcsdns.wire.faults import Fault
from mcsdns.wire.names import HEADER
from mcsdns.wire.query import Query
from mcsdns.zone.rrset import RRset

_QR, _AA, _TC = 0x8000, 0x0400, 0x0200
_REPEATED = 0x7900
"""Opcode and RD: the bits of the header that a response copies (RFC 1035 §4.1.1)."""

_HEAD = struct.Struct("!HHHHH")
_FIXED = struct.Struct("!HHI")


class Content(Struct, frozen=True, gc=False):
    """
    What a response says.

    Args:
        rcode: The response code, up to 12 bits.
        is_authoritative: AA.
        answer: The records of the answer section.
        authority: The one record of the authority section, or nothing.
        glue: RRsets for the additional section: how many records, and their octets.
        signature: The TSIG record, or nothing.
        ede: The extended error, or None.
        service: As in `Reply`.
    """

    rcode: Rcode
    is_authoritative: bool = False
    answer: tuple[bytes, ...] = ()
    authority: bytes = b""
    glue: Iterable[tuple[int, bytes]] = ()
    signature: bytes = b""
    ede: Ede | None = None
    service: bytes | None = None


class Reply(Struct, frozen=True, gc=False):
    """
    A response without its id and its turn.

    Args:
        rcode: The response code, up to 12 bits.
        qtype: The QTYPE, or None where no question was understood.
        fault: What was malformed in the query, or None.
        service: The owner name of the service that it was made from: until that service changes, the reply is right. None: it was
            made from the apex or from what is not there, and is right until anything is published.
        is_truncated: TC.
        head: What comes before the answers, from the flags on; all of it where there are not two answers to rotate.
        answers: The answers.
        starts: Where each of them begins in `answers`; empty where `head` is all.
        tail: What comes after the answers.
        room: Octets for the answers, where they are truncated.
    """

    rcode: Rcode
    qtype: int | None
    fault: Fault | None
    service: bytes | None
    is_truncated: bool
    head: bytes
    answers: bytes = b""
    starts: tuple[int, ...] = ()
    tail: bytes = b""
    room: int = 0

    def octets(self, query_id: bytes, turn: int) -> bytes:
        """
        Make the message.

        Args:
            query_id: The two octets of the query's id.
            turn: Which answer comes first, counted round.
        """
        if not self.starts:
            return query_id + self.head
        first = turn % len(self.starts)
        if self.is_truncated:
            return query_id + self._truncated(first)
        at = self.starts[first]
        return b"".join((query_id, self.head, self.answers[at:], self.answers[:at], self.tail))

    def _truncated(self, first: int) -> bytes:
        spans = list(zip(self.starts, (*self.starts[1:], len(self.answers)), strict=True))
        taken: list[bytes] = []
        room = self.room
        for start, end in spans[first:] + spans[:first]:
            room -= end - start
            if room < 0:
                break
            taken.append(self.answers[start:end])
        return b"".join((self.head[:4], len(taken).to_bytes(2, "big"), self.head[6:], *taken, self.tail))


def records(owner: bytes, rrset: RRset) -> tuple[bytes, ...]:
    """Write the records of an RRset. `owner` is its name as it shall stand there, compressed or not."""
    fixed = owner + _FIXED.pack(rrset.type, Class.IN, rrset.ttl)
    return tuple([fixed + len(rdata).to_bytes(2, "big") + rdata for rdata in rrset.rdata])


def compose(query: Query, transport: Transport, content: Content) -> Reply:
    """
    Render a response.

    Args:
        query: What it answers: its flags, question and OPT are repeated.
        transport: How the query came.
        content: What is to be said.
    """
    question = query.question.octets if query.question is not None else b""
    room = edns.largest(query.opt, transport) - HEADER - len(question)
    opt = b""
    if query.opt is not None:
        opt = edns.write(query.opt, transport, content.rcode, content.ede, room)
        room -= len(opt)
    answers, authority, signature = b"".join(content.answer), content.authority, content.signature
    spare = room - len(answers) - len(authority) - len(signature)
    is_truncated = spare < 0
    if is_truncated:
        authority = signature = b""
    glue, glue_count = _fitting(content.glue, spare)
    head = _head(query, content, is_truncated, bool(authority), glue_count + bool(opt) + bool(signature)) + question
    tail = b"".join((authority, glue, opt, signature))
    if len(content.answer) < 2:
        head += (b"" if is_truncated else answers) + tail
        answers = tail = b""
    return Reply(
        rcode=content.rcode,
        qtype=query.question.type if query.question is not None else None,
        fault=query.fault,
        service=content.service,
        is_truncated=is_truncated,
        head=head,
        answers=answers,
        starts=_starts(content.answer) if answers else (),
        tail=tail,
        room=room,
    )


def _head(query: Query, content: Content, is_truncated: bool, authorities: int, additionals: int) -> bytes:
    flags = _QR | query.flags & _REPEATED | content.rcode & 0xF
    if content.is_authoritative:
        flags |= _AA
    # Of truncated answers it depends on the turn how many fit; one alone that does not fit is none.
    answers = len(content.answer)
    if is_truncated:
        flags |= _TC
        answers = 0
    return _HEAD.pack(flags, query.question is not None, answers, authorities, additionals)


def _fitting(glue: Iterable[tuple[int, bytes]], room: int) -> tuple[bytes, int]:
    taken: list[bytes] = []
    count = 0
    for size, octets in glue if room > 0 else ():
        room -= len(octets)
        if room < 0:
            break
        taken.append(octets)
        count += size
    return b"".join(taken), count


def _starts(answer: tuple[bytes, ...]) -> tuple[int, ...]:
    starts = []
    at = 0
    for record in answer:
        starts.append(at)
        at += len(record)
    return tuple(starts)
