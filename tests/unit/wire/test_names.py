"""mcsdns.wire.names: names in a message."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mcsdns.wire.faults import Fault, MalformedError
from mcsdns.wire.names import compress, expand, pointer_to, pointers_to, read
from mcsdns.zone.names import from_text

HEADER = bytes(12)
QNAME = from_text("web.test.svc.clusterset.local")

OWNERS = [
    ("web.test.svc.clusterset.local", b"\xc0\x0c"),
    ("test.svc.clusterset.local", b"\xc0\x10"),
    ("clusterset.local", b"\xc0\x19"),
    ("db.web.test.svc.clusterset.local", b"\x02db\xc0\x0c"),
    ("ns.dns.clusterset.local", b"\x02ns\x03dns\xc0\x19"),
    ("xweb.test.svc.clusterset.local", b"\x04xweb\xc0\x10"),
    ("xlocal", b"\x06xlocal\x00"),
    ("example", b"\x07example\x00"),
    (".", b"\x00"),
]


@pytest.mark.parametrize(("owner", "expected"), OWNERS)
def test_the_longest_common_suffix_becomes_a_pointer(owner: str, expected: bytes) -> None:
    assert compress(from_text(owner), pointers_to(QNAME)) == expected


def test_the_root_is_never_pointed_to() -> None:
    assert pointers_to(b"\x00") == {}


def test_a_pointer_to_a_suffix() -> None:
    assert pointer_to(QNAME, QNAME) == b"\xc0\x0c"
    assert pointer_to(from_text("local"), QNAME) == b"\xc0\x24"


labels = st.lists(st.binary(min_size=1, max_size=20), max_size=8)


@given(labels, labels)
def test_what_is_compressed_expands_to_itself(qname: list[bytes], owner: list[bytes]) -> None:
    names = [b"".join(bytes((len(label),)) + label.lower() for label in found) + b"\x00" for found in (qname, owner)]
    message = HEADER + names[0] + b"\x00\x01\x00\x01"
    written = compress(names[1], pointers_to(names[0]))
    assert expand(message + written, len(message))[:2] == (names[1], len(message) + len(written))
    assert read(names[1], 0, Fault.QUESTION) == (names[1], len(names[1]))


@given(st.binary(max_size=80), st.integers(0, 90))
def test_any_octets_are_a_name_or_malformed(octets: bytes, at: int) -> None:
    names: list[bytes] = []
    with suppress(MalformedError):
        names.append(expand(octets, at)[0])
    with suppress(MalformedError):
        names.append(read(octets, at, Fault.TSIG)[0])
    for name in names:
        assert 1 <= len(name) <= 255
        assert name.endswith(b"\x00")
