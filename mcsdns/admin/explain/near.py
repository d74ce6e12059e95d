"""
What is near: names that were perhaps meant. Pure, and bounded in the work that it does.
"""

from __future__ import annotations

import difflib
import ipaddress
from bisect import insort
from collections.abc import Callable, Iterable
from typing import Any, Generic, TypeVar

MAX_COMPARED = 200
"""Words that are compared letter by letter: about 20 µs each, so 4 ms of the event loop."""
MAX_NEAR = 5
"""Words of a similar spelling that are given."""
MAX_LISTED = 10
"""Words that a list in a sentence holds; more would not be read."""
_CUTOFF = 0.7
"""How alike two words must be, from 0 to 1: one wrong letter in four."""

Word = TypeVar("Word", bound=Any)


class First(Generic[Word]):
    """
    Of many words, each of which comes once, the first in order, and how many there are.

    Attributes:
        count: How many have come.
        words: The first `MAX_LISTED` of them, sorted.
    """

    def __init__(self) -> None:
        self.count = 0
        self.words: list[Word] = []

    def __bool__(self) -> bool:
        """Tell whether any word has come."""
        return self.count > 0

    def take(self, word: Word) -> None:
        """Take in a word."""
        self.count += 1
        _keep(self.words, word, MAX_LISTED)

    def text(self, say: Callable[[Word], str] = str) -> str:
        """Return them as a list in a sentence, as `listed` does."""
        more = self.count - len(self.words)
        return (", ".join(map(say, self.words)) + (f" and {more} more" if more else "")) or "none"


class Near(First[str]):
    """
    As `First`, and those that are spelled nearly like a word.

    Args:
        word: That one.
    """

    def __init__(self, word: str) -> None:
        super().__init__()
        self._word = word
        self._letters = set(word)
        self._limit = max(1, len(word) // 3)
        self._candidates: list[str] = []

    def take(self, word: str) -> None:
        """Take in a word."""
        super().take(word)
        is_long_enough = abs(len(word) - len(self._word)) <= self._limit
        if is_long_enough and word != self._word and len(self._letters ^ set(word)) <= 2 * self._limit:
            _keep(self._candidates, word, MAX_COMPARED)

    def close(self) -> list[str]:
        """Return those that are spelled nearly like the word, the closest first."""
        return difflib.get_close_matches(self._word, self._candidates, n=MAX_NEAR, cutoff=_CUTOFF)


def _keep(words: list[Word], word: Word, most: int) -> None:
    if len(words) < most or word < words[-1]:
        insort(words, word)
        del words[most:]


def close(word: str, words: Iterable[str]) -> list[str]:
    """Return the words that are spelled nearly like `word`, the closest first."""
    near = Near(word)
    for other in set(words):
        near.take(other)
    return near.close()


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
