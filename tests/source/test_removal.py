"""
A CRD that is deleted with its objects, told from objects that are deleted: what an API server can do to that, and what follows.

Not here: a real API server (`test_real_crds`). Delays are some thirty times shorter than real ones (`following.FAST`).
"""

from __future__ import annotations

import asyncio
import itertools
import time
from pathlib import Path

import pytest
from msgspec.structs import replace

from mcsdns.source.health import State
from tests.source.fake_api import Answer, FakeApi, answer, encode, hang, refuse, stream
from tests.source.following import EXPORTS, FAST, IMPORTS, SLICES, following, settled, until
from tests.source.test_faults import end_watches

ASKED = "/apis/multicluster.x-k8s.io/v1beta1"
NAMES = ["a", "b", "c"]
LABELS = {"labels": {"multicluster.kubernetes.io/service-name": "a"}}


def doom(api: FakeApi, resource: str = "serviceimports", kept: int = 0) -> None:
    """Begin to delete a CRD: its objects go, but for some that have a finalizer."""
    table = api.tables[resource]
    table.is_doomed = True
    for namespace, name in list(table.objects)[kept:]:
        api.remove(resource, name, namespace)


def remove_crd(api: FakeApi, resource: str = "serviceimports") -> None:
    """Delete the CRD at last: its watches end."""
    api.tables[resource].versions = []
    api.end_watches(resource)


def install_crd(api: FakeApi, resource: str = "serviceimports") -> None:
    """Install it again."""
    api.tables[resource].versions, api.tables[resource].is_doomed = None, False


@pytest.mark.parametrize("resource", ["serviceimports", "serviceexports", "clusterproperties"])
async def test_a_crd_is_deleted(api: FakeApi, tmp_path: Path, resource: str) -> None:
    """Its objects are kept, it is said why, and once it is there again what there is then counts."""
    api.fill(resource, NAMES)
    async with following(api.url, tmp_path) as it:
        await settled(api, it)
        which = next(one for one in it.told.objects if one == resource)
        doom(api, resource)
        await until(lambda: it.health.state is State.STALE)
        assert "is being deleted" in it.health.cause
        assert f"{resource}." in it.health.cause
        assert "what was last heard is served" in it.health.cause
        remove_crd(api, resource)
        await until(lambda: "not served any more" in it.health.cause)
        assert it.told.names(which) == {*NAMES}
        install_crd(api, resource)
        api.put(resource, "new")
        await until(lambda: it.told.names(which) == {"new"})
        await it.synced()


async def test_a_crd_whose_deletion_takes_long(api: FakeApi, tmp_path: Path) -> None:
    """Objects with finalizers stay and the others are gone: no list of such a time counts, not even a second one."""
    api.fill("serviceimports", (f"s{number}" for number in range(60)))
    async with following(api.url, tmp_path) as it:
        await settled(api, it)
        before = it.names
        doom(api, kept=50)
        await until(lambda: it.code("deleted") >= 6)
        assert it.names == before
        assert len(api.requests("list", "serviceimports")) >= 6
        assert it.told.lists[IMPORTS] == 1


async def test_a_crd_that_was_being_deleted_when_the_watch_was_lost(api: FakeApi, tmp_path: Path) -> None:
    """What a list lacks is asked about as well."""
    api.fill("serviceimports", (f"s{number}" for number in range(1200)))
    async with following(api.url, tmp_path) as it:
        await settled(api, it)
        table = api.tables["serviceimports"]
        table.is_doomed, table.objects = True, dict(itertools.islice(table.objects.items(), 1100))
        await end_watches(api, "serviceimports", compact=True)
        await until(lambda: it.code("deleted"))
        assert len(it.names) == 1200


async def test_one_object_is_deleted(api: FakeApi, tmp_path: Path) -> None:
    """It is gone within 50 ms, and nothing is wrong; of a slice nobody asks."""
    api.fill("serviceimports", NAMES)
    api.put("endpointslices", "s", metadata=LABELS)
    async with following(api.url, tmp_path) as it:
        await settled(api, it)
        api.remove("endpointslices", "s")
        await until(lambda: not it.told.names(SLICES))
        assert ASKED not in api.discovered
        started = time.monotonic()
        api.remove("serviceimports", "a")
        await until(lambda: it.names == {"b", "c"})
        assert time.monotonic() - started < 0.05 + 0.05, "the second is for a busy machine"
        assert api.discovered.count(ASKED) == 1
        assert it.health.state is State.SYNCED
        assert not it.health.streams[IMPORTS].errors


async def test_what_comes_behind_a_deletion(api: FakeApi, tmp_path: Path) -> None:
    """It waits for it: an object that is deleted and made again at once is there, and one that is changed is as it is."""
    api.fill("serviceimports", NAMES)
    async with following(api.url, tmp_path) as it:
        await settled(api, it)
        for _ in range(5):
            api.remove("serviceimports", "a")
            api.put("serviceimports", "a", spec={"type": "Headless"})
            api.put("serviceimports", "b", spec={"type": "Headless"})
        api.remove("serviceimports", "c")
        await until(lambda: it.names == {"a", "b"})
        assert {obj.spec.type for obj in it.told.objects[IMPORTS].values()} == {"Headless"}  # type: ignore[union-attr]


async def test_a_storm_of_deletions(api: FakeApi, tmp_path: Path) -> None:
    """A thousand deletions in a second cost ten questions and are followed as they come; a marker in two chunks is found."""
    api.fill("serviceimports", (f"s{number}" for number in range(1000)))
    async with following(api.url, tmp_path) as it:
        await settled(api, it)
        started = time.monotonic()
        for number in range(1000):
            api.remove("serviceimports", f"s{number}")
            await asyncio.sleep(max(0.0, started + number / 1000 - time.monotonic()))
        took_s = time.monotonic() - started
        await until(lambda: not it.names, 0.5)
        assert api.discovered.count(ASKED) <= 10 * took_s + 3


async def test_a_mark_in_two_chunks(api: FakeApi, tmp_path: Path) -> None:
    """However the bytes are cut, a deletion is asked about."""
    api.fill("serviceimports", ["a"])
    metadata = {"name": "a", "namespace": "demo", "resourceVersion": "2000"}
    obj = {"apiVersion": "multicluster.x-k8s.io/v1beta1", "kind": "ServiceImport", "metadata": metadata}
    line = encode({"type": "DELETED", "object": obj}) + b"\n"

    def cut(at: int) -> Answer:
        async def give(request):  # type: ignore[no-untyped-def]
            api.tables["serviceimports"].is_doomed = True
            return await stream(line[:at], line[at:], hold_s=0.2)(request)

        return give

    api.faults["watch serviceimports"] = [cut(at) for at in (3, 9, 10, 14, 17, 18, 40)]
    async with following(api.url, tmp_path) as it:
        for count in range(1, 8):
            await until(lambda count=count: it.code("deleted") >= count)  # type: ignore[misc]
            assert it.names == {"a"}
            api.tables["serviceimports"].is_doomed = False


UNSURE = {
    "500": refuse(500),
    "429": refuse(429),
    "401": refuse(401),
    "hangs": hang,
    "is a page": answer(b"<html>", content_type="text/html"),
    "is of another version": answer(b'{"kind":"APIResourceList","groupVersion":"v1","resources":[]}'),
}


@pytest.mark.parametrize("what", UNSURE)
async def test_discovery_fails(api: FakeApi, tmp_path: Path, what: str) -> None:
    """Deletions wait and it is said so, with few questions; other resources are followed; then all is as the server has it."""
    api.fill("serviceimports", NAMES)
    async with following(api.url, tmp_path, timing=replace(FAST, removal_limit_s=0.2)) as it:
        await settled(api, it)
        api.faults[f"discover {ASKED}"] = itertools.cycle([UNSURE[what]])
        api.remove("serviceimports", "a")
        api.put("serviceimports", "d")
        api.put("endpointslices", "s", metadata=LABELS)
        await until(lambda: it.health.state is State.STALE)
        await asyncio.sleep(1.0)
        assert it.names == {*NAMES}
        assert it.told.names(SLICES) == {"s"}
        assert "deletions wait" in it.health.cause
        assert it.health.transitions[State.STALE, next(iter(it.health.streams[IMPORTS].errors))] == 1
        assert api.discovered.count(ASKED) <= 5 + 15, "as often as the back-off of these tests allows"
        watches = len(api.requests("watch", "serviceimports"))
        assert watches == 1, "there is no watch before there is an answer"
        del api.faults[f"discover {ASKED}"]
        await until(lambda: it.names == {"b", "c", "d"})
        await it.synced()


@pytest.mark.parametrize("status", [403, 404])
async def test_there_is_no_discovery(api: FakeApi, tmp_path: Path, status: int) -> None:
    """Where nobody may read it, or nothing there knows it, nobody could ever tell: a deletion counts."""
    api.fill("serviceimports", NAMES)
    async with following(api.url, tmp_path) as it:
        await settled(api, it)
        for path in ("/apis", ASKED):
            api.faults[f"discover {path}"] = itertools.cycle([refuse(status)])
        api.remove("serviceimports", "a")
        await until(lambda: it.names == {"b", "c"})
        assert it.health.state is State.SYNCED


async def test_the_last_version_is_removed_with_its_objects(api: FakeApi, tmp_path: Path) -> None:
    """The CRD is gone by the time that discovery is asked: that is no deletion of objects either."""
    api.fill("serviceimports", NAMES)
    api.fill("serviceexports", NAMES)
    async with following(api.url, tmp_path) as it:
        await settled(api, it)
        for resource in ("serviceimports", "serviceexports"):
            doom(api, resource)
            api.tables[resource].versions = []
        await until(lambda: it.code("deleted") and it.code("deleted", EXPORTS))
        assert it.names == it.told.names(EXPORTS) == {*NAMES}


async def test_what_can_only_be_read(api: FakeApi, tmp_path: Path) -> None:
    """A server that offers neither `create` nor `delete`, such as an aggregated one, has nothing that is being deleted."""
    api.fill("serviceimports", NAMES)
    resources = [{"name": "serviceimports", "verbs": ["get", "list", "watch"]}]
    body = encode({"kind": "APIResourceList", "groupVersion": "multicluster.x-k8s.io/v1beta1", "resources": resources})
    api.faults[f"discover {ASKED}"] = itertools.cycle([answer(body)])
    async with following(api.url, tmp_path) as it:
        await settled(api, it)
        api.remove("serviceimports", "a")
        await until(lambda: it.names == {"b", "c"})
