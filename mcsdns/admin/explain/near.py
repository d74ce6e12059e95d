"""
What is near: names that were perhaps meant. Pure, and bounded in the work that it does.
"""

from __future__ import annotations

import difflib
import ipaddress
from collections.abc import Iterable

MAX_COMPARED = 200
"""Words that are compared letter by letter: about 20 µs each, so 4 ms of the event loop."""
MAX_NEAR = 5
"""Words of a similar spelling that are given."""
MAX_LISTED = 10
"""Words that a list in a sentence holds; more would not be read."""
_CUTOFF = 0.7
"""How alike two words must be, from 0 to 1: one wrong letter in four."""


def close(word: str, words: Iterable[str]) -> list[str]:
    """Return the words that are spelled nearly like `word`, the closest first."""
    limit = max(1, len(word) // 3)
    letters = set(word)
    candidates = [
        other
        for other in set(words)
        if other != word and abs(len(other) - len(word)) <= limit and len(letters ^ set(other)) <= 2 * limit
    ]
    return difflib.get_close_matches(word, sorted(candidates)[:MAX_COMPARED], n=MAX_NEAR, cutoff=_CUTOFF)


def listed(words: Iterable[str]) -> str:
    """Return words as a list in a sentence, cut where it would be long; `none` where there are none."""
    every = sorted(set(words))
    shown = every[:MAX_LISTED]
    more = len(every) - len(shown)
    return (", ".join(shown) + (f" and {more} more" if more else "")) or "none"


def address(label: str) -> bytes | None:
    """Return the packed address that a label stands for, if it is one with `-` for `.` or `:`."""
    for separator in (".", ":"):
        try:
            return ipaddress.ip_address(label.replace("-", separator)).packed
        except ValueError:
            continue
    return None
