"""Names that were perhaps meant."""

from __future__ import annotations

import pytest

from mcsdns.admin.explain.near import MAX_COMPARED, MAX_LISTED, First, Near, address, close, listed

SERVICES = ["web", "web6", "webhook", "db", "payments", "shop"]


@pytest.mark.parametrize(
    ("word", "near"),
    [
        ("webb", ["web", "web6"]),
        ("paymnets", ["payments"]),
        ("shpo", ["shop"]),
        ("web", ["web6"]),
        ("zzzzz", []),
        ("", []),
    ],
)
def test_close_spelling(word: str, near: list[str]) -> None:
    """One letter in four may be wrong; the word itself is not near."""
    assert close(word, SERVICES) == near


def test_the_work_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """In a zone of many similar names only so many are compared letter by letter."""
    compared: list[str] = []

    def get_close_matches(word: str, words: list[str], **_: float) -> list[str]:
        compared.extend(words)
        return words[:1]

    monkeypatch.setattr("difflib.get_close_matches", get_close_matches)
    close("service-0000x", [f"service-{number:05}" for number in range(5000)])
    assert len(compared) == MAX_COMPARED


@pytest.mark.parametrize(
    ("words", "text"),
    [
        ([], "none"),
        (["b", "a", "a"], "a, b"),
        ([f"c{n:02}" for n in range(12)], "c00, c01, c02, c03, c04, c05, c06, c07, c08, c09 and 2 more"),
    ],
)
def test_lists_in_sentences(words: list[str], text: str) -> None:
    """Sorted, each once, cut after ten."""
    assert listed(words) == text


@pytest.mark.parametrize(
    ("label", "packed"),
    [
        ("10-1-0-1", bytes((10, 1, 0, 1))),
        ("2001-db8--0", bytes.fromhex("20010db8000000000000000000000000")),
        ("2001-db8--", bytes.fromhex("20010db8000000000000000000000000")),
        ("web-0", None),
        ("10-1-0-300", None),
    ],
)
def test_addresses_as_labels(label: str, packed: bytes | None) -> None:
    """An address with `-` for `.` or `:`, with or without the `0` that a trailing `-` gets."""
    assert address(label) == packed


def test_what_is_kept_of_many() -> None:
    """Of words in any order the first are kept, as a sorted list has them, and how many there are."""
    words = [f"service-{number * 7919 % 1000:04}" for number in range(1000)]
    near, first = Near("service-0007"), First[str]()
    for word in words:
        near.take(word)
        first.take(word)
    assert first.words == sorted(words)[:MAX_LISTED]
    assert first.text() == near.text() == listed(words)
    assert near.close() == close("service-0007", words)
    assert First[str]().text() == "none"
    assert not First[str]()
