"""Long work takes turns, so that the event loop looks at its sockets between any two."""

from __future__ import annotations

import asyncio
import contextlib

from mcsdns.source.pace import turn


async def _rounds(seen: list[str]) -> None:
    """Note each round of the event loop."""
    while True:
        seen.append("round")
        await asyncio.sleep(0)


async def _work(name: str, times: int, seen: list[str]) -> None:
    for _ in range(times):
        await turn()
        seen.append(name)


async def test_one_goes_on_in_each_round_of_the_loop() -> None:
    """Twenty lists at once hold the loop no longer than one does."""
    seen: list[str] = []
    rounds = asyncio.create_task(_rounds(seen))
    await asyncio.gather(*(_work(f"list {number}", 3, seen) for number in range(20)))
    rounds.cancel()
    works = [[name for name in between.split(",") if name] for between in ",".join(seen).split("round")]
    assert sum(map(len, works)) == 60
    assert max(map(len, works)) == 1


async def test_turns_go_round() -> None:
    """Nobody has a second turn before everybody had one."""
    seen: list[str] = []
    await asyncio.gather(*(_work(name, 3, seen) for name in "abc"))
    assert "".join(seen) == "abcabcabc"


async def test_who_is_cancelled_takes_no_turn() -> None:
    """A cluster that is given up while its list waits holds no other up."""
    seen: list[str] = []
    tasks = [asyncio.create_task(_work(name, 2, seen)) for name in "abc"]
    await asyncio.sleep(0)
    tasks[1].cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await asyncio.gather(*tasks)
    await asyncio.gather(tasks[0], tasks[2])
    assert seen == ["a", "c", "a", "c"]


def test_each_loop_has_its_own() -> None:
    """A loop that ended with somebody waiting leaves nothing to the next."""

    async def left() -> None:
        task = asyncio.create_task(turn())
        await asyncio.sleep(0)
        task.cancel()

    seen: list[str] = []
    asyncio.run(left())
    asyncio.run(_work("a", 2, seen))
    assert seen == ["a", "a"]
