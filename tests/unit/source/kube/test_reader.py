"""A watch under way: from the bytes of an event to its publishing."""

from __future__ import annotations

import asyncio
import json
import time

import pytest

from mcsdns.builder import Builder
from mcsdns.clusterset.mirror import Mirror
from mcsdns.clusterset.model import View
from mcsdns.config import Quotas
from mcsdns.source.events import Resource
from mcsdns.source.health import Health
from mcsdns.source.kube.discovery import KINDS
from mcsdns.source.kube.reader import Outcome, WatchReader
from mcsdns.source.kube.settings import Timing
from mcsdns.source.kube.teller import Teller
from mcsdns.source.kube.turn import Ended, Phase, State
from mcsdns.zone.rrset import Update
from mcsdns.zone.view import ZoneView
from tests.clustersets import OPTIONS, SERIAL, hear
from tests.manifests import service_import

IMPORTS = next(kind for kind in KINDS if kind.name == "ServiceImport")
EVENTS = 100


def line(number: int, version: int) -> bytes:
    """Make an event in which a service has another address."""
    obj = json.loads(service_import(f"s{number}", ips=[f"10.0.{version}.{number}"]))
    obj["metadata"]["resourceVersion"] = str(version * EVENTS + number)
    return json.dumps({"type": "MODIFIED", "object": obj}).encode() + b"\n"


class Wire:
    """Bytes that come when they are sent."""

    def __init__(self) -> None:
        self._queue: asyncio.Queue[bytes] = asyncio.Queue()

    def send(self, chunk: bytes) -> None:
        self._queue.put_nowait(chunk)

    async def chunk(self) -> bytes:
        return await self._queue.get()


class Followed:
    """A reader with all that stands behind it, up to what is published."""

    def __init__(self) -> None:
        self.updates: list[Update] = []
        mirror, health = Mirror("a"), Health("a", quotas=Quotas())
        hear(mirror, "")
        view = ZoneView(View(None), OPTIONS, SERIAL)
        self.builder = Builder([mirror], (), [view], self.updates.append, lambda cluster, seconds: None)
        self.wire, teller = Wire(), Teller(IMPORTS, "a", self.builder.sink, health)
        self.reader = WatchReader(
            Resource.SERVICE_IMPORTS,
            teller,
            health,
            State(phase=Phase.WATCHING, rv="1"),
            check_at=float("inf"),
            room_at=float("inf"),
            timing=Timing(),
            clock=time.monotonic,
        )

    async def run(self) -> Outcome:
        """Read what was sent, to its end."""
        building = asyncio.create_task(self.builder.run())
        try:
            return await self.reader.read(self.wire)
        finally:
            building.cancel()


async def test_an_event_is_published_two_rounds_after_its_bytes_came(monkeypatch: pytest.MonkeyPatch) -> None:
    """In the first its line is taken in, in the second its service is built and published."""
    monkeypatch.setattr("mcsdns.source.pace.SLICE_S", 60.0)  # a machine that stalls must not make it give way
    it = Followed()
    reading = asyncio.create_task(it.run())
    it.wire.send(line(0, 1))
    while not it.updates:
        await asyncio.sleep(0)
    rounds = []
    for version in range(2, 12):
        for _ in range(5):
            await asyncio.sleep(0)
        count, passed = len(it.updates), 0
        it.wire.send(line(0, version))
        while len(it.updates) == count:
            await asyncio.sleep(0)
            passed += 1
        rounds.append(passed)
    assert rounds == [2] * 10
    reading.cancel()


async def test_one_limit_serves_many_events(monkeypatch: pytest.MonkeyPatch) -> None:
    """A timer for each event would cost as much as taking it in."""
    limits: list[float | None] = []
    real = asyncio.timeout

    def timeout(delay: float | None) -> asyncio.Timeout:
        limits.append(delay)
        return real(delay)

    monkeypatch.setattr("mcsdns.source.kube.reader.asyncio.timeout", timeout)
    it = Followed()
    reading = asyncio.create_task(it.run())
    for number in range(EVENTS):
        it.wire.send(line(number, 1))
        await asyncio.sleep(0)
    it.wire.send(b"")
    assert (await reading).seen == Ended(is_early=True)
    assert len(limits) == 1


async def test_many_events_in_one_chunk_give_way(monkeypatch: pytest.MonkeyPatch) -> None:
    """Others run between two of them, and all are told before the end of the stream is."""
    monkeypatch.setattr("mcsdns.source.pace.SLICE_S", -1.0)
    it = Followed()
    rounds = 0

    async def beat() -> None:
        nonlocal rounds
        while True:
            await asyncio.sleep(0)
            rounds += 1

    beating, reading = asyncio.create_task(beat()), asyncio.create_task(it.run())
    it.wire.send(b"".join(line(number, 1) for number in range(EVENTS)))
    it.wire.send(b"")
    await reading
    beating.cancel()
    assert rounds >= EVENTS
    assert it.reader.state.rv == str(2 * EVENTS - 1)


async def test_a_watch_that_waits_for_a_list_reads_on() -> None:
    """A quota that refuses something may have room for it: until it is time to look, what comes is told as always."""
    it = Followed()
    teller = it.reader._teller
    teller.ledger.told.wants_list = True
    reading = asyncio.create_task(it.run())
    for number in range(3):
        it.wire.send(line(number, 1))
        await asyncio.sleep(0.01)
    assert it.reader.state.rv == str(EVENTS + 2)
    it.wire.send(b"")
    await asyncio.wait_for(reading, 5)
