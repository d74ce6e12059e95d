"""One page of many rows."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mcsdns.admin.part import ROWS, Part, part


def shown(rows: list[int], number: int, is_wanted: Callable[[int], bool] = lambda row: True) -> Part[int]:
    return asyncio.run(part(rows, is_wanted, number))


@pytest.mark.parametrize(
    ("count", "number", "first", "last", "pages"),
    [
        (0, 1, 0, 0, 1),
        (1, 1, 1, 1, 1),
        (ROWS, 1, 1, ROWS, 1),
        (ROWS + 1, 2, ROWS + 1, ROWS + 1, 2),
        (3 * ROWS, 2, ROWS + 1, 2 * ROWS, 3),
        (3 * ROWS, 99, 2 * ROWS + 1, 3 * ROWS, 3),
        (0, 7, 0, 0, 1),
    ],
)
def test_pages(count: int, number: int, first: int, last: int, pages: int) -> None:
    """Full pages, a last one that may not be, none beyond it."""
    found = shown(list(range(1, count + 1)), number)
    assert (found.pages, found.total) == (pages, count)
    assert found.rows == tuple(range(first, last + 1) if count else ())


@given(st.lists(st.integers(0, 5000), max_size=3000), st.integers(1, 40))
def test_it_is_a_slice_of_what_is_sorted(rows: list[int], number: int) -> None:
    """However rows come, a page is what a sort of all of them has there."""
    wanted = sorted(row for row in rows if row % 3)
    found = shown(rows, number, lambda row: row % 3 != 0)
    start = (found.number - 1) * ROWS
    assert found.rows == tuple(wanted[start : start + ROWS])
    assert found.total == len(wanted)


async def test_others_have_their_turn() -> None:
    """A million rows do not keep the event loop: something else runs again and again."""
    turns = 0

    async def beat() -> None:
        nonlocal turns
        while True:
            await asyncio.sleep(0)
            turns += 1

    beating = asyncio.create_task(beat())
    await part(range(300_000), lambda row: True, 1)
    beating.cancel()
    assert turns >= 5
