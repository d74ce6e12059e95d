"""Domain names in wire format."""

from __future__ import annotations

import itertools

import dns.name
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mcsdns.zone.names import ROOT, below, child, from_text, is_within, labels, parent, suffixes, to_text
from tests.strategies import wire_names

ZONE = from_text("clusterset.local")


@pytest.mark.parametrize(
    ("text", "wire"),
    [
        ("", ROOT),
        (".", ROOT),
        ("a", b"\x01a\x00"),
        ("a.", b"\x01a\x00"),
        ("A.bC.", b"\x01a\x02bc\x00"),
        (r"a\.b.c", b"\x03a.b\x01c\x00"),
        (r"a\.", b"\x02a.\x00"),
        (r"a\\.", b"\x02a\\\x00"),
        (r"\\", b"\x01\\\x00"),
        (r"\000\255.x", b"\x02\x00\xff\x01x\x00"),
        (r"\065", b"\x01a\x00"),
        ("x" * 63, b"\x3f" + b"x" * 63 + b"\x00"),
        ("_http._tcp", b"\x05_http\x04_tcp\x00"),
        ("*.a", b"\x01*\x01a\x00"),
    ],
)
def test_from_text(text: str, wire: bytes) -> None:
    """A name as people type it: with or without the last dot, any case, with escapes (RFC 1035 §5.1)."""
    assert from_text(text) == wire


@pytest.mark.parametrize(
    "text",
    [
        "..",
        ".a",
        "a..b",
        "a..",
        "x" * 64,
        ".".join(["x" * 63] * 4),
        "\\",
        "a\\",
        r"\25",
        r"\256",
        r"\999",
        r"\2a5",
        "é",
        "\\é",
        "\\\N{ARABIC-INDIC DIGIT ONE}\N{ARABIC-INDIC DIGIT ONE}\N{ARABIC-INDIC DIGIT ONE}",
        "a\N{IDEOGRAPHIC FULL STOP}b",
    ],
)
def test_text_that_is_no_name(text: str) -> None:
    """A label that is empty or too long, a wrong escape, what is not ASCII: ValueError, with a message."""
    with pytest.raises(ValueError, match=r"\w"):
        from_text(text)


def test_the_longest_name() -> None:
    """A name has at most 255 octets (RFC 1035 §2.3.4)."""
    longest = ".".join(["x" * 63, "x" * 63, "x" * 63, "x" * 61])
    assert len(from_text(longest)) == 255
    with pytest.raises(ValueError, match="256 octets"):
        from_text(longest + "x")


@given(wire_names())
def test_names_round_trip(name: bytes) -> None:
    """What `to_text` writes, `from_text` reads back, octet for octet."""
    assert from_text(to_text(name)) == name
    assert from_text(to_text(name).upper()) == name
    assert to_text(name).isascii()


@given(wire_names())
def test_names_are_written_as_dnspython_reads_them(name: bytes) -> None:
    """The presentation form is the standard's (RFC 1035 §5.1)."""
    assert dns.name.from_text(to_text(name)).to_wire() == name


@given(st.text(max_size=20) | st.text("a.\\0123456789é", max_size=12))
def test_from_text_is_total(text: str) -> None:
    """Any text is a name in wire format, or ValueError is raised."""
    try:
        name = from_text(text)
    except ValueError:
        return
    assert name == name.lower()
    assert dns.name.from_wire(name, 0)[1] == len(name) <= 255


@given(wire_names())
def test_labels_parents_and_suffixes_agree(name: bytes) -> None:
    """The suffixes of a name are itself and its parents up to the root; its labels make it up."""
    assert b"".join(bytes((len(label),)) + label for label in labels(name)) + ROOT == name
    found = list(suffixes(name))
    assert (found[0], found[-1]) == (name, ROOT)
    assert all(parent(one) == other for one, other in itertools.pairwise(found))
    assert all(is_within(name, suffix) for suffix in found)


def test_child_and_below() -> None:
    """Labels are put in front, one or several."""
    assert child("a", ZONE) == from_text("a.clusterset.local")
    assert below("a.b", ZONE) == from_text("a.b.clusterset.local")


@pytest.mark.parametrize("label", ["", "x" * 64])
def test_a_label_that_is_empty_or_too_long(label: str) -> None:
    """A label has 1 to 63 octets."""
    with pytest.raises(ValueError, match="1 to 63"):
        child(label, ZONE)


def test_a_child_that_is_too_long() -> None:
    """A name that would pass 255 octets is refused."""
    with pytest.raises(ValueError, match="at most 255"):
        child("x" * 63, from_text(".".join(["x" * 63] * 3)))


@pytest.mark.parametrize(
    ("name", "within"),
    [
        ("clusterset.local", True),
        ("a.clusterset.local", True),
        ("xclusterset.local", False),
        ("local", False),
        (".", False),
        ("clusterset.local.x", False),
        (r"a\.clusterset.local", False),
        # A label that holds the octets of the zone's name in wire format is one label all the same.
        (r"x\010clusterset\005local", False),
    ],
)
def test_is_within_goes_by_label(name: str, within: bool) -> None:
    """A name is in a zone label by label and not as a string (CVE-2026-33489)."""
    assert is_within(from_text(name), ZONE) is within
