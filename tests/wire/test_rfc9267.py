"""RFC 9267: common implementation anti-patterns. Names in records that nobody asked for."""

from __future__ import annotations

import pytest

from tests.wire.conftest import Exchange
from tests.wire.messages import FORMERR, NOERROR, WEB, ask, header, opt, question, record

END = 12 + len(question())
"""Where the first record begins behind the question of `ask()`."""


def pointer(at: int) -> bytes:
    return (0xC000 | at).to_bytes(2, "big")


OWNERS = [
    ("the question", pointer(12), NOERROR),
    ("a suffix of it", b"\x01x" + pointer(16), NOERROR),
    ("itself", pointer(END), FORMERR),
    ("itself behind a label", b"\x01x" + pointer(END), FORMERR),
    ("forwards", pointer(END + 2), FORMERR),
    ("behind the end", pointer(0x3FFF), FORMERR),
    ("the header", pointer(0), FORMERR),
    ("the octet before the question", pointer(11), FORMERR),
    ("half a pointer", b"\xc0", FORMERR),
    ("label type 0x40", b"\x41" + b"a" * 65 + b"\x00", FORMERR),
    ("label type 0x80", b"\x81" + b"a" * 1 + b"\x00", FORMERR),
    ("255 octets", (b"\x3f" + b"a" * 63) * 3 + b"\x3d" + b"b" * 61 + b"\x00", NOERROR),
    ("257 octets", (b"\x3f" + b"a" * 63) * 4 + b"\x00", FORMERR),
    ("256 octets with what the pointer adds", (b"\x3f" + b"a" * 63) * 3 + b"\x20" + b"b" * 32 + pointer(12), FORMERR),
]


@pytest.mark.parametrize(("why", "owner", "rcode"), OWNERS, ids=[why for why, *_ in OWNERS])
def test_compression_pointers_lead_backwards(exchange: Exchange, why: str, owner: bytes, rcode: int) -> None:
    """§2: A compression pointer must point to a prior occurrence; the name that it makes must not pass 255 octets."""
    for response in exchange(ask(WEB, "A", record(owner, 1, 1, 0, bytes(4)))):
        assert response.rcode == rcode, why
        assert response.counts[0] == 1


def test_a_loop_of_two_pointers_is_a_format_error(exchange: Exchange) -> None:
    """§2: A pointer that leads into RDATA finds another one there, which leads back."""
    rdata_at = END + 1 + 10
    first = record(b"\x00", 1, 1, 0, pointer(rdata_at + 2) + pointer(rdata_at))
    for response in exchange(ask(WEB, "A", first, record(pointer(rdata_at + 2), 1, 1, 0, b""))):
        assert response.rcode == FORMERR


def test_lengths_that_pass_the_end_are_a_format_error(exchange: Exchange) -> None:
    """§5: The value of RDLENGTH must be checked against the octets that are there."""
    whole = ask(WEB, "A", record(b"\x00", 1, 1, 0, bytes(4)))
    for cut in range(1, len(whole) - END + 1):
        for response in exchange(whole[:-cut]):
            assert response.rcode == FORMERR
            assert response.counts == (1, 0, 0, 0)


def test_counts_that_pass_the_end_are_a_format_error(exchange: Exchange) -> None:
    """§6: The counts of the header must be checked against the records that are there."""
    for counts in ((1, 0, 0, 1), (1, 0, 0, 65535), (1, 65535, 65535, 65535)):
        for response in exchange(header(counts=counts) + question()):
            assert response.rcode == FORMERR
            assert response.counts == (1, 0, 0, 0)


def test_what_was_understood_before_the_fault_is_kept(exchange: Exchange) -> None:
    """The choice for garbage later: FORMERR with the question, and OPT if one was understood."""
    for additional, has_opt in (((opt(), b"\xff"), True), ((b"\xff", opt()), False)):
        for response in exchange(ask(WEB, "A", *additional)):
            assert response.rcode == FORMERR
            assert response.counts[0] == 1
            assert response.has_opt == has_opt
