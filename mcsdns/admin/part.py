"""
One page of many rows, in order, without keeping the event loop from others.

Rules:
1. Rows are filtered and sorted in runs that take a few milliseconds, with a rest between them; 50,000 are filtered, and only what is
   shown is merged out of the runs.
2. A page beyond the last one is the last one.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterable
from typing import Any, Generic, TypeVar

from msgspec import Struct

from mcsdns.source.pace import Pace

ROWS = 100
"""Rows of a page: what a person looks through, and what is merged in a few milliseconds."""

_RUN = 500
"""Rows that are sorted at once: a millisecond or two, if they are omissions."""

Row = TypeVar("Row", bound=Any)


class Part(Struct, Generic[Row], frozen=True):
    """
    One page.

    Args:
        number: Which, from 1.
        pages: How many there are; 1 where there are no rows.
        total: How many rows there are, on all pages.
        rows: Those of this page.
    """

    number: int
    pages: int
    total: int
    rows: tuple[Row, ...]

    @property
    def first(self) -> int:
        """The number of the first row, from 1; 0 where there is none."""
        return (self.number - 1) * ROWS + 1 if self.rows else 0

    @property
    def last(self) -> int:
        """The number of the last row."""
        return self.first + len(self.rows) - 1 if self.rows else 0


async def part(every: Iterable[Row], is_wanted: Callable[[Row], bool], number: int) -> Part[Row]:
    """
    Filter and sort rows, and return one page of them.

    Args:
        every: All rows; they are copied before the first rest.
        is_wanted: Which of them to show; it must hold whatever changes while it is asked.
        number: Of the page, from 1.
    """
    pace = Pace()
    runs: list[list[Row]] = []
    run: list[Row] = []
    for row in list(every):
        if is_wanted(row):
            run.append(row)
        if len(run) == _RUN:
            runs.append(sorted(run))
            run = []
        if pace.is_due:
            await pace.rest()
    runs.append(sorted(run))
    total = sum(map(len, runs))
    pages = max(1, -(-total // ROWS))
    number = min(number, pages)
    rows: list[Row] = []
    for position, row in enumerate(heapq.merge(*runs)):
        if position >= number * ROWS:
            break
        if position >= (number - 1) * ROWS:
            rows.append(row)
        if pace.is_due:
            await pace.rest()
    return Part(number, pages, total, tuple(rows))
