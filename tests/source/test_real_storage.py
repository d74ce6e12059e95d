"""
The source and the answers against a real kube-apiserver and etcd that forget, go back in time, die, freeze and starve.

What is published is held to the objects, before, during and after each fault (`answering`). Delays are those of `REAL`: an
API server that is back is followed within `BACK_S`, most of which it needs itself (403 and 429 while it starts).
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Iterator, Mapping
from contextlib import closing
from pathlib import Path

import pytest
from msgspec.structs import replace

from mcsdns.source.events import Resource
from mcsdns.source.health import State
from mcsdns.source.kube.client import Client
from tests import manifests
from tests.e2e.real import USER, Audited
from tests.servers.run import Api
from tests.source.answering import REAL, Answering, answering, member
from tests.source.following import IMPORTS, SLICES, until

pytestmark = pytest.mark.servers

MCS = "multicluster.x-k8s.io/v1beta1"
BACK_S = 20.0
KEPT = ("kept.test", "pods.test", "db-0.north.pods.test", "db-0.west.pods.test")
"""What nothing here removes. The watch of no test may ever miss one of them."""
PORTS = ["pg 5432/TCP"]


@pytest.fixture(scope="module")
def west(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Audited]:
    """A member cluster whose pages come from etcd and not from the API server's memory, so that a compaction is felt."""
    with member(tmp_path_factory.mktemp("west"), flags=["--feature-gates=ListFromCacheSnapshot=false"]) as cluster:
        cluster.apply(
            manifests.service_import("kept", ips=["10.0.0.1"]),
            manifests.service_import("pods", headless=True, ports=PORTS),
            manifests.service_export("pods"),
            manifests.native_slice("pods", "db-0=10.1.0.1", ports=PORTS),
        )
        yield cluster


@pytest.fixture
def api(west: Audited) -> Iterator[Api]:
    """A client that may do anything, once the objects are as every test finds them."""
    west.apply(
        manifests.service_import("old", ips=["10.0.0.2"]),
        manifests.service_import("moved", ips=["10.0.0.3"]),
        manifests.imported_slice("pods", "north", "db-0=10.2.0.1", ports=PORTS),
    )
    west.delete(manifests.service_import("new"))
    with closing(west.api()) as client:
        yield client


def change(west: Audited) -> None:
    """Create, change and delete something of each kind."""
    west.delete(manifests.service_import("old"))
    west.apply(
        manifests.service_import("new", ips=["10.0.0.4"]),
        manifests.service_import("moved", ips=["10.0.0.5"]),
        manifests.imported_slice("pods", "north", "db-0=10.2.0.1", "db-1=10.2.0.2", ports=PORTS),
    )


def version_of_moved(api: Api) -> int:
    """Give the resource version of an object that `change` changes."""
    return int(api.get(MCS, "serviceimports", manifests.NAMESPACE, "moved")["metadata"]["resourceVersion"])


def tries(it: Answering, before: Mapping[Resource, int]) -> int:
    """Give how often the resource that failed most has failed since."""
    return max(it.errors(resource) - before[resource] for resource in Resource)


def budget(outage_s: float) -> float:
    """Give how often a resource may be asked for in vain: five times in a burst, then the full back-off, jittered."""
    return 5 + 4 * (outage_s + 1.0) / REAL.backoff_most_s


async def test_history_that_was_compacted_while_cut_off(west: Audited, api: Api) -> None:
    """410 as an ERROR event of the watch: one new list, and what was deleted, changed and created meanwhile is so."""
    with west.relay() as relay:
        timing = replace(REAL, recheck_soon_s=60.0)  # so that it is the 410 that leads to the list
        async with answering(relay.through(west.cluster.kubeconfig(USER)), timing, KEPT) as it:
            await it.agrees(api)
            relay.cut()
            await it.is_(State.STALE)
            known = it.records()
            change(west)
            west.cluster.api_server.kill()
            west.cluster.etcd.compact()
            await asyncio.to_thread(west.cluster.api_server.start)
            assert it.records() == known
            assert it.ask("old.test") == "10.0.0.2", "the last known data"
            relay.mend()
            await it.agrees(api, BACK_S)
            await it.is_(State.SYNCED, BACK_S)
            for resource in (IMPORTS, SLICES):
                stream = it.health.streams[resource]
                assert (stream.errors["gone"], stream.relists, stream.drift) == (1, {"gone": 1}, 0)


async def test_a_continue_token_that_expired_between_two_pages(
    west: Audited, api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    """410 as the status of a page: the list begins again, and half a list is never published."""
    many = [json.loads(manifests.service_import(f"s{n}", ips=["10.0.9.1"], namespace="many")) for n in range(520)]
    for manifest in many:
        del manifest["status"]  # which would be a request more
    await asyncio.to_thread(api.bulk, many, 8)
    get = Client.get
    expired: list[str] = []

    async def compacted_first(self: Client, path: str, query: Mapping[str, str] | None = None) -> bytes:
        if "continue" in (query or {}) and not expired:
            expired.append(path)
            await asyncio.to_thread(west.apply, manifests.service_import("moved", ips=["10.0.0.6"]))
            await asyncio.to_thread(west.cluster.etcd.compact)
        return await get(self, path, query)

    monkeypatch.setattr(Client, "get", compacted_first)
    try:
        async with answering(west.cluster.kubeconfig(USER), keep=KEPT) as it:
            await it.agrees(api)
            assert expired
            assert it.health.streams[IMPORTS].errors == {"gone": 1}
            sizes = {len(update.services) for update in it.updates if update.complete}
            assert all(size == 0 or size >= len(many) for size in sizes)
    finally:
        api.delete_all(MCS, "serviceimports", "many")


@pytest.mark.parametrize("is_overtaken", [False, True], ids=["behind", "overtaken"])
async def test_an_etcd_restored_from_an_older_snapshot(
    west: Audited, api: Api, tmp_path: Path, is_overtaken: bool
) -> None:
    """
    Objects and resource versions go back: so do the answers, soon after the API server is back.

    It takes the watch from its own future without a word, and then tells nothing (behind), or what comes after that only
    (overtaken: by then it has given out the same numbers again).
    """
    async with answering(west.cluster.kubeconfig(USER), keep=KEPT) as it:
        await it.agrees(api)
        west.cluster.etcd.save(tmp_path / "copy")
        change(west)
        await it.agrees(api)
        known, version = it.records(), version_of_moved(api)
        west.cluster.kill()
        west.cluster.etcd.restore(tmp_path / "copy")
        await it.is_(State.STALE)
        assert it.records() == known, "the last known data"
        await asyncio.to_thread(west.cluster.etcd.start)
        await asyncio.to_thread(west.cluster.api_server.start)
        for number in range(40 if is_overtaken else 1):
            await asyncio.to_thread(west.apply, manifests.service_import("moved", ips=[f"10.0.7.{number}"]))
        assert (version_of_moved(api) > version) == is_overtaken
        await it.agrees(api, BACK_S)
        await it.is_(State.SYNCED, BACK_S)
        assert it.ask("old.test") == "10.0.0.2"
        assert it.ask("new.test") == "NXDOMAIN"
        west.apply(manifests.service_import("new", ips=["10.0.0.8"]))
        await until(lambda: it.ask("new.test") == "10.0.0.8", 1.0)
        assert sum(stream.drift for stream in it.health.streams.values()) > 0, "it is counted: the watch had not told"


async def test_an_api_server_that_is_killed_and_comes_back(west: Audited, api: Api) -> None:
    """Served from what is known, asked for within the budget, and followed again."""
    async with answering(west.cluster.kubeconfig(USER), keep=KEPT) as it:
        await it.agrees(api)
        known, updates = it.records(), len(it.updates)
        before = {resource: it.errors(resource) for resource in Resource}
        killed_at = time.monotonic()
        west.cluster.api_server.kill()
        await it.is_(State.STALE, 2.0)
        assert "cannot connect" in it.problems() or "cut" in it.problems()
        await asyncio.sleep(2.0)
        assert tries(it, before) <= budget(time.monotonic() - killed_at)
        assert (it.records(), len(it.updates)) == (known, updates)
        await asyncio.to_thread(west.cluster.api_server.start)
        change(west)
        await it.agrees(api, BACK_S)
        await it.is_(State.SYNCED, BACK_S)
        assert tries(it, before) <= budget(time.monotonic() - killed_at)


async def test_an_api_server_frozen_for_longer_than_the_idle_limit(west: Audited, api: Api) -> None:
    """Connections stay open and nothing is said (SIGSTOP): noticed, served stale, and nothing is lost when it thaws."""
    timing = replace(REAL, idle_limit_s=3.0, read_limit_s=1.0)  # 90 s and 30 s, made short: it is frozen for some 5 s
    async with answering(west.cluster.kubeconfig(USER), timing, KEPT) as it:
        await it.agrees(api)
        known, frozen_at = it.records(), time.monotonic()
        west.cluster.api_server.freeze()
        try:
            pending = asyncio.create_task(asyncio.to_thread(change, west))  # done when it thaws
            await it.is_(State.STALE, 3.0 + 1.0 + 1.0)
            assert time.monotonic() - frozen_at > 2.5, "not before the idle limit"
            assert all(it.health.streams[resource].errors["silent"] == 1 for resource in (IMPORTS, SLICES))
            age_s = it.health.age_s(SLICES)
            assert age_s is not None
            assert age_s > 2.5
            await asyncio.sleep(1.0)
            assert it.records() == known
        finally:
            west.cluster.api_server.thaw()
        await pending
        await it.agrees(api, BACK_S)
        await it.is_(State.SYNCED, BACK_S)
        assert sum(stream.drift for stream in it.health.streams.values()) == 0


async def test_an_etcd_that_is_stopped_under_a_living_api_server(west: Audited, api: Api) -> None:
    """Who was synced serves on; who comes now is unsynced and keeps its negatives back; both are right once etcd is back."""
    timing = replace(REAL, read_limit_s=2.0)
    with west.relay() as relay:
        path = relay.through(west.cluster.kubeconfig(USER))
        async with answering(path, timing, KEPT) as it:
            await it.agrees(api)
            known = it.records()
            before, asked = {resource: it.errors(resource) for resource in Resource}, sum(1 for _ in west.asked())
            west.cluster.etcd.kill()
            relay.cut()
            relay.mend()
            stopped_at = time.monotonic()
            new = Answering(path, timing)
            task = asyncio.create_task(new.run())
            try:
                await asyncio.sleep(4.0)
                assert new.health.state is State.UNSYNCED
                assert new.ask("kept.test") == new.ask("nosuch.test") == "SERVFAIL"
                assert it.records() == known
                outage_s = time.monotonic() - stopped_at
                assert sum(1 for _ in west.asked()) - asked <= 2 * len(Resource) * budget(outage_s)
                assert tries(it, before) <= budget(outage_s)
                await asyncio.to_thread(west.cluster.etcd.start)
                await asyncio.to_thread(change, west)
                await it.agrees(api, BACK_S)
                await new.is_(State.SYNCED, BACK_S)
                await new.agrees(api, BACK_S)
            finally:
                task.cancel()
                await asyncio.wait([task])


async def test_a_burst_of_slices(west: Audited, api: Api) -> None:
    """2,000 slices as fast as the API server takes them, the mirror ends equal, and builds coalesce."""
    services = [f"b{number}" for number in range(20)]
    west.apply(*(manifests.service_import(name, headless=True, ports=PORTS, namespace="burst") for name in services))
    slices = [
        json.loads(
            manifests.imported_slice(
                services[number % 20],
                f"c{number // 20}",
                f"10.{number // 200}.{number % 200}.1",
                ports=PORTS,
                namespace="burst",
            )
        )
        for number in range(2000)
    ]
    async with answering(west.cluster.kubeconfig(USER), keep=KEPT) as it:
        await it.agrees(api)
        before = len(it.updates)
        await asyncio.to_thread(api.bulk, slices, 16)
        await it.agrees(api, 2.0)
        assert not [*it.mirror.rejected()]
        assert len(it.updates) - before < len(slices) / 2, "builds coalesce"
        assert {stream.drift for stream in it.health.streams.values()} == {0}
        assert it.health.streams[SLICES].relists == {}
