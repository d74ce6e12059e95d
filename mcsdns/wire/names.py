"""
Domain names inside a message: read with and without compression, written with pointers into the question.

Rules:
1. A pointer leads strictly backwards: to before the label sequence that it ends (RFC 1035 §4.1.4, RFC 9267 §2). So no loop can be.
2. A label has at most 63 octets, a name at most 255 when written out; the label types 0x40 and 0x80 are malformed.
3. Owner names are compressed against the question only, and nothing else is (design.md §5).
"""

from __future__ import annotations

from mcsdns.wire.faults import Fault, MalformedError
from mcsdns.zone.names import MAX_LABEL, MAX_NAME, ROOT, suffixes

HEADER = 12
"""Octets before the first name of a message (RFC 1035 §4.1.1)."""
POINTER = 0xC0
"""The two upper bits of a length octet that make it a pointer (RFC 1035 §4.1.4)."""


def read(message: bytes, at: int, fault: Fault) -> tuple[bytes, int]:
    """
    Read a name in which no pointer may stand.

    Args:
        message: The message.
        at: Where the name begins.
        fault: What is at fault if it cannot be read.

    Returns:
        The name as spelled, wire format, and where it ends.

    Raises:
        MalformedError: It is longer than a name may be or than the message is, or holds a pointer or an unknown label type.
    """
    start = at
    limit = min(len(message), start + MAX_NAME)
    while at < limit:
        size = message[at]
        at += 1 + size
        if not size:
            return message[start:at], at
        if size > MAX_LABEL:
            raise MalformedError(fault, f"a label of type or length {size:#x}")
    raise MalformedError(fault, "a name without an end")


def expand(message: bytes, at: int) -> tuple[bytes, int, int]:
    """
    Read the owner name of a record, following its pointers.

    Args:
        message: The message.
        at: Where the name begins.

    Returns:
        The name written out, where it ends in place, and how many pointers were followed.

    Raises:
        MalformedError: As `read`; or a pointer does not lead backwards, or leads into the header.
    """
    name = b""
    end = pointers = 0
    first = at
    while at < len(message):
        size = message[at]
        if size >= POINTER:
            end = end or at + 2
            target = int.from_bytes(message[at : at + 2], "big") & 0x3FFF
            if at + 2 > len(message) or not HEADER <= target < first:
                raise MalformedError(Fault.RECORD, "a pointer that does not lead backwards to a name")
            at = first = target
            pointers += 1
            continue
        name += message[at : at + 1 + size]
        at += 1 + size
        if size > MAX_LABEL or len(name) > MAX_NAME:
            raise MalformedError(Fault.RECORD, "a label or a name that is too long")
        if not size:
            return name, end or at, pointers
    raise MalformedError(Fault.RECORD, "a name without an end")


def pointer_to(suffix: bytes, qname: bytes) -> bytes:
    """Return the pointer to a suffix of the question's name, other than the root. The question stands right behind the header."""
    return (POINTER << 8 | HEADER + len(qname) - len(suffix)).to_bytes(2, "big")


def pointers_to(qname: bytes) -> dict[bytes, bytes]:
    """
    Give what owner names are compressed against.

    Args:
        qname: The name of the question, lower case, wire format.

    Returns:
        The pointer to each of its suffixes, by suffix.
    """
    return {suffix: pointer_to(suffix, qname) for suffix in suffixes(qname) if suffix != ROOT}


def compress(owner: bytes, pointers: dict[bytes, bytes]) -> bytes:
    """Write an owner name (lower case) with the longest suffix that it shares with the question as a pointer, from `pointers_to`."""
    for suffix in suffixes(owner):
        pointer = pointers.get(suffix)
        if pointer is not None:
            return owner[: len(owner) - len(suffix)] + pointer
    return owner
