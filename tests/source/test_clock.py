"""
The row of the failure table in watching.md: clock jumps. Ages and delays are those of the monotonic clock.

The wall clock jumps by a day, forth or back, as at a first synchronization after a cold start or by a mistake of an operator.
"""

from __future__ import annotations

import asyncio
import datetime
import itertools
import time
from pathlib import Path

import pytest

from mcsdns.source.health import State
from mcsdns.source.kube.settings import KubeconfigSettings
from tests.source.fake_api import FakeApi, refuse
from tests.source.following import IMPORTS, following, settled, until, write_kubeconfig
from tests.source.test_access import credential, plugin
from tests.source.test_faults import end_watches

DAY_S = 86_400.0


class Wall:
    """The wall clock of this process; what the kernel and the API server have is another."""

    def __init__(self) -> None:
        self.offset_s = 0.0
        self._time = time.time

    def __call__(self) -> float:
        return self._time() + self.offset_s


@pytest.fixture
def wall(monkeypatch: pytest.MonkeyPatch) -> Wall:
    """Let everything in this process that asks for the time of the day ask here."""
    clock = Wall()
    monkeypatch.setattr(time, "time", clock)
    return clock


@pytest.mark.parametrize("jump_s", [DAY_S, -DAY_S], ids=["forth", "back"])
async def test_a_jump_changes_nothing(api: FakeApi, tmp_path: Path, wall: Wall, jump_s: float) -> None:
    """No age, no state, no watch and no list is other than without it; events are told on; back-off goes on as it was."""
    api.put("serviceimports", "a")
    async with following(api.url, tmp_path) as it:
        await settled(api, it)
        before = len(api.seen)
        wall.offset_s = jump_s
        api.put("serviceimports", "b")
        await until(lambda: it.names == {"a", "b"})
        await asyncio.sleep(0.4)
        assert len(api.seen) <= before + 1, "the UID may just have been on its way"
        assert it.health.state is State.SYNCED
        assert 0.3 <= (it.health.age_s(IMPORTS) or 0.0) < 2.0
        assert 0.3 <= it.health.for_s() < 5.0
        api.faults["watch serviceimports"] = itertools.cycle([refuse(503)])
        await end_watches(api, "serviceimports")
        before = len(api.seen)
        wall.offset_s = -jump_s
        await asyncio.sleep(1.0)
        assert 2 <= len(api.seen) - before <= 22
        api.faults.clear()
        await it.synced()


@pytest.mark.parametrize("jump_s", [DAY_S, -DAY_S], ids=["forth", "back"])
async def test_a_jump_makes_no_storm_of_credential_reads(
    api: FakeApi, tmp_path: Path, wall: Wall, jump_s: float
) -> None:
    """A plugin's token is good for an hour: after a jump it is neither thrown away nor asked for again."""
    ran, settings = expiring_in(tmp_path, 3600.0, api.url)
    async with following(api.url, tmp_path, settings=settings) as it:
        await settled(api, it)
        assert ran.read_text() == "x"
        wall.offset_s = jump_s
        await asyncio.sleep(1.0)  # ten looks at the files
        assert ran.read_text() == "x"
        assert it.health.state is State.SYNCED


async def test_a_clock_that_is_wrong_from_the_start(api: FakeApi, tmp_path: Path, wall: Wall) -> None:
    """A day ahead: every token looks expired as it comes. It is used all the same, and a plugin is not run again and again."""
    wall.offset_s = DAY_S
    ran, settings = expiring_in(tmp_path, 3600.0, api.url)
    async with following(api.url, tmp_path, settings=settings) as it:
        await settled(api, it)
        await asyncio.sleep(1.0)
        assert len(ran.read_text()) <= 2
        assert it.health.state is State.SYNCED


async def test_a_token_is_replaced_before_its_end(api: FakeApi, tmp_path: Path) -> None:
    """No request is refused, and no reflector notices."""
    ran, settings = expiring_in(tmp_path, 1.5, api.url)
    async with following(api.url, tmp_path, settings=settings) as it:
        await settled(api, it)
        await until(lambda: len(ran.read_text()) >= 2)
        assert len(api.requests("watch", "serviceimports")) == 1
        assert it.code("http_401") == 0


def expiring_in(folder: Path, life_s: float, url: str) -> tuple[Path, KubeconfigSettings]:
    """Write a kubeconfig with a plugin whose tokens live so long by the true clock, and which notes each run in a file."""
    ran = folder / "ran"
    end = datetime.datetime.now(datetime.UTC) + datetime.timedelta(seconds=life_s)
    given = credential(token="p1", expirationTimestamp=f"{end:%Y-%m-%dT%H:%M:%SZ}")
    user = plugin(folder, f"open({str(ran)!r}, 'a').write('x')\nprint({given!r})")
    write_kubeconfig(folder / "kubeconfig", url, user)
    return ran, KubeconfigSettings(folder / "kubeconfig", allow_insecure=True)
