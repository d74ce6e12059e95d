"""
What is asked, from text as people type it.

Rules:
1. A name may lack its last dot and be in any case. It is taken as it stands: no search path is applied.
2. A type is a mnemonic in any case, or TYPE<n> (RFC 3597 §5).
3. Whatever the text, it is understood or `ValueError` is raised with words for the one who typed it.
"""

from __future__ import annotations

import re

from dnslib import QTYPE
from msgspec import Struct

from mcsdns.zone.names import from_text

MAX_TEXT = 4 * 255
"""Longest text of a name, characters: 255 octets, each of them escaped."""

_GENERIC = re.compile(r"TYPE(\d{1,5})")


class Question(Struct, frozen=True, gc=False):
    """
    The question.

    Args:
        name: Lower case, wire format.
        type: QTYPE.
    """

    name: bytes
    type: int


def read(name: str, rr_type: str) -> Question:
    """
    Read a question.

    Raises:
        ValueError: The name or the type is none; the message says why.
    """
    if not name:
        raise ValueError("the name is empty; expected one such as web.test.svc.clusterset.local")
    if len(name) > MAX_TEXT:
        raise ValueError(f"the name has {len(name)} characters; a name has at most 255 octets")
    return Question(from_text(name), type_number(rr_type))


def type_number(text: str) -> int:
    """
    Return the number of a RR type.

    Raises:
        ValueError: It is no mnemonic and no TYPE<n>.
    """
    upper = text.upper()
    generic = _GENERIC.fullmatch(upper) if upper.isascii() else None
    number = int(generic[1]) if generic else QTYPE.reverse.get(upper)
    if number is None or not 0 <= number <= 65535:
        raise ValueError(f"{text[:32]!r} is no record type; expected one such as A, AAAA, SRV or TYPE65")
    return int(number)
