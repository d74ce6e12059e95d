"""Names and types as people type them."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mcsdns.admin.explain.question import Question, read, type_number

WEB = b"\x03web\x04test\x00"


@pytest.mark.parametrize("text", ["web.test", "web.test.", "WEB.Test", r"\119eb.test."])
def test_a_name_is_read_in_any_spelling(text: str) -> None:
    """With or without the last dot, in any case, with escapes."""
    assert read(text, "A") == Question(WEB, 1)


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("A", 1),
        ("aaaa", 28),
        ("Srv", 33),
        ("any", 255),
        ("TYPE65", 65),
        ("https", 65),
        ("type0", 0),
        ("TYPE65535", 65535),
    ],
)
def test_a_type_is_a_mnemonic_or_a_number(text: str, number: int) -> None:
    """In any case (RFC 3597 §5)."""
    assert type_number(text) == number


NO_TYPES = ["", "TYPE", "TYPE65536", "TYPE-1", "TYPE000001", "nosuch", "1", "TYPE\N{ARABIC-INDIC DIGIT ONE}", "A "]


@pytest.mark.parametrize("text", NO_TYPES)
def test_what_is_no_type(text: str) -> None:
    """The message says what is expected."""
    with pytest.raises(ValueError, match="expected one such as A, AAAA, SRV or TYPE65"):
        type_number(text)


def test_a_text_that_is_far_too_long_is_not_even_read() -> None:
    """The work is bounded by the length of a name."""
    with pytest.raises(ValueError, match="2000 characters"):
        read("a" * 2000, "A")


@given(st.text(max_size=80), st.text(max_size=10))
def test_any_text_is_read_or_refused(name: str, rr_type: str) -> None:
    """Nothing but ValueError is raised."""
    with contextlib.suppress(ValueError):
        assert read(name, rr_type).name.endswith(b"\0")
