"""
The row of the failure table in watching.md: the same address is now another cluster (the UID of kube-system is another).

Must follow: it is not used, the data are kept, and it is said. Delays are those of `following.FAST`.
"""

from __future__ import annotations

import asyncio
import itertools
from pathlib import Path

import pytest
from msgspec.structs import replace

from mcsdns.source.health import State
from mcsdns.source.kube.settings import KubeconfigSettings
from tests.source.fake_api import Answer, FakeApi, answer, hang, refuse, stream
from tests.source.following import FAST, IMPORTS, Following, following, settled, until, write_kubeconfig
from tests.source.test_faults import end_watches, event, queries

SLOW_BACKOFF = replace(FAST, burst_s=10.0)
"""As it really is: five tries in ten seconds."""


def become_another(api: FakeApi) -> None:
    """Let another cluster take the address: other objects, and resource versions of its own."""
    api.uid = "uid-of-east"
    for table in api.tables.values():
        table.objects.clear()
        table.log.clear()
    api.rv += 5000
    api.fill("serviceimports", ["of-the-other"])


async def known(it: Following) -> None:
    """Wait until the UID is known."""
    await until(lambda: it.health.uid)


async def test_another_cluster_where_watches_are_opened_again(api: FakeApi, tmp_path: Path) -> None:
    """Not one event of it is told; the outage names both UIDs; data stay; when the first is back, it recovers by itself."""
    api.fill("serviceimports", ["a", "b"])
    async with following(api.url, tmp_path) as it:
        await settled(api, it)
        await known(it)
        mine, rv = dict(api.tables["serviceimports"].objects), api.rv
        become_another(api)
        await end_watches(api, "serviceimports")
        await until(lambda: it.code("other_cluster"))
        api.put("serviceimports", "of-the-other")
        await until(lambda: it.code("other_cluster") >= 3)
        assert it.health.state is State.STALE
        assert "uid-of-west" in it.health.cause
        assert "uid-of-east" in it.health.cause
        assert it.names == {"a", "b"}
        assert it.told.lists[IMPORTS] == 1
        assert it.health.uid == "uid-of-west"
        api.uid, api.rv = "uid-of-west", rv
        api.tables["serviceimports"].objects, api.tables["serviceimports"].log = mine, []
        api.put("serviceimports", "c")
        await it.synced()
        await until(lambda: it.names == {"a", "b", "c"})


async def test_another_cluster_where_the_past_is_gone(api: FakeApi, tmp_path: Path) -> None:
    """Its list is asked for and not taken."""
    api.fill("serviceimports", ["a", "b"])
    async with following(api.url, tmp_path) as it:
        await settled(api, it)
        await known(it)
        become_another(api)
        api.faults["watch serviceimports"] = itertools.cycle([refuse(410, reason="Expired")])
        await end_watches(api, "serviceimports")
        await until(lambda: it.code("other_cluster") >= 2)
        assert it.names == {"a", "b"}
        assert len(api.requests("list", "serviceimports")) >= 2
        assert it.told.lists[IMPORTS] == 1


async def test_another_cluster_found_by_the_list_that_checks(api: FakeApi, tmp_path: Path) -> None:
    """Watches that live on a connection of their own go on, the list goes elsewhere: the list is not taken."""
    api.fill("serviceimports", (f"s{number}" for number in range(600)))
    async with following(api.url, tmp_path, timing=replace(FAST, recheck_s=0.4)) as it:
        await it.synced()
        await known(it)
        become_another(api)
        await until(lambda: it.code("other_cluster"))
        await asyncio.sleep(0.5)
        assert "s599" in it.names
        assert it.health.streams[IMPORTS].drift == 0


async def test_another_cluster_without_our_crds(api: FakeApi, tmp_path: Path) -> None:
    """That it serves no ServiceImports says nothing of the first."""
    api.fill("serviceimports", ["a"])
    async with following(api.url, tmp_path) as it:
        await settled(api, it)
        await known(it)
        become_another(api)
        api.tables["serviceimports"].versions = []
        await end_watches(api, "serviceimports")
        await until(lambda: it.code("other_cluster"))
        assert it.names == {"a"}
        assert it.code("deleted") == 0


async def test_another_cluster_costs_few_requests(api: FakeApi, tmp_path: Path) -> None:
    """At most 5 tries of each resource in the first 10 s, and one question for all of them."""
    async with following(api.url, tmp_path, timing=SLOW_BACKOFF) as it:
        await settled(api, it)
        await known(it)
        before = len(api.seen)
        become_another(api)
        for resource in api.tables:
            api.end_watches(resource)
        await asyncio.sleep(2.0)
        asked = api.seen[before:]
        assert it.code("other_cluster") >= 2
        for resource in api.tables:
            assert sum(1 for one in asked if one.resource == resource) <= 5
        assert sum(1 for one in asked if one.resource == "namespaces") <= 20


async def test_the_start_does_not_wait(api: FakeApi, tmp_path: Path) -> None:
    """Lists are told while the UID is still being asked for; it is asked for once, beside the first lists."""
    api.faults["get namespaces"] = [hang]
    api.fill("serviceimports", (f"s{number}" for number in range(600)))
    async with following(api.url, tmp_path, timing=replace(FAST, read_limit_s=30.0)) as it:
        await settled(api, it)
        assert len(it.names) == 600
        assert it.health.uid is None
        assert len(api.requests("get", "namespaces")) == 1


async def test_one_question_for_four_lists(api: FakeApi, tmp_path: Path) -> None:
    """A healthy start asks once, and four watches that end together ask at most twice."""
    async with following(api.url, tmp_path) as it:
        await settled(api, it)
        await known(it)
        await asyncio.sleep(FAST.early_end_s * 2)
        assert len(api.requests("get", "namespaces")) == 1
        for resource in api.tables:
            api.end_watches(resource)
        await until(lambda: all(len(api.requests("watch", resource)) == 2 for resource in api.tables))
        await asyncio.sleep(0.3)
        assert 2 <= len(api.requests("get", "namespaces")) <= 3
        assert it.health.state is State.SYNCED


UNKNOWN: dict[str, tuple[str | None, set[str], str]] = {
    "not allowed": ("uid-of-west", {"namespaces"}, "HTTP 403"),
    "not there": (None, set(), "HTTP 404"),
}


@pytest.mark.parametrize("why", UNKNOWN)
async def test_unknown(api: FakeApi, tmp_path: Path, why: str) -> None:
    """Without the permission, or the namespace, the cluster is followed as before; it is said; it is not asked again and again."""
    api.uid, api.denied, words = UNKNOWN[why]
    api.put("serviceimports", "a")
    async with following(api.url, tmp_path) as it:
        await settled(api, it)
        await until(lambda: "deploy/rbac.yaml" in (it.health.uid_problem or ""))
        assert words in (it.health.uid_problem or "")
        asked = len(api.requests("get", "namespaces"))
        for _ in range(3):
            await end_watches(api, "serviceimports", compact=True)
        api.put("serviceimports", "b")
        await until(lambda: it.names == {"a", "b"})
        assert len(api.requests("get", "namespaces")) == asked
        assert (it.health.state, it.health.uid) == (State.SYNCED, None)


async def test_unknown_at_first(api: FakeApi, tmp_path: Path) -> None:
    """The permission comes later: it is asked for again, rarely, and compared from then on."""
    api.denied = {"namespaces"}
    async with following(api.url, tmp_path, timing=replace(FAST, recheck_s=0.3)) as it:
        await until(lambda: "deploy/rbac.yaml" in (it.health.uid_problem or ""))
        api.denied = set()
        await known(it)
        assert it.health.uid_problem is None


async def test_the_permission_is_taken_away(api: FakeApi, tmp_path: Path) -> None:
    """The cluster is followed on, and it is said; the question comes back with the permission, not at each list."""
    async with following(api.url, tmp_path) as it:
        await settled(api, it)
        await known(it)
        api.denied = {"namespaces"}
        await end_watches(api, "serviceimports")
        await until(lambda: "HTTP 403" in (it.health.uid_problem or ""))
        asked = len(api.requests("get", "namespaces"))
        for _ in range(3):
            await end_watches(api, "serviceimports")
        assert len(api.requests("get", "namespaces")) == asked
        assert (it.health.state, it.health.uid) == (State.SYNCED, "uid-of-west")


async def test_a_new_cluster_that_has_no_namespaces_yet(api: FakeApi, tmp_path: Path) -> None:
    """A cluster cannot lose kube-system: one without is another that has just been made, and it is not believed."""
    api.fill("serviceimports", ["a"])
    async with following(api.url, tmp_path) as it:
        await settled(api, it)
        await known(it)
        become_another(api)
        api.uid = None
        await end_watches(api, "serviceimports", compact=True)
        await until(lambda: it.health.state is State.STALE)
        await asyncio.sleep(0.5)
        assert it.names == {"a"}
        assert "kube-system" in it.health.cause


NO_ANSWER: dict[str, tuple[Answer, str]] = {
    "503": (refuse(503), "http_503"),
    "silence": (hang, "stream"),
    "a login page": (answer(b"<html>Log in", content_type="text/html"), "stream"),
    "another object": (answer(b'{"kind":"Namespace","metadata":{"name":"demo","uid":"x"}}'), "stream"),
    "no UID": (answer(b'{"kind":"Namespace","metadata":{"name":"kube-system","uid":""}}'), "stream"),
    "gone": (refuse(410, reason="Expired"), "stream"),
}


@pytest.mark.parametrize("why", NO_ANSWER)
async def test_it_cannot_be_asked(api: FakeApi, tmp_path: Path, why: str) -> None:
    """While lists work: an outage with back-off, never another cluster; nothing is told meanwhile, and all of it afterwards."""
    fault, code = NO_ANSWER[why]
    api.put("serviceimports", "a")
    async with following(api.url, tmp_path, timing=replace(FAST, read_limit_s=0.2)) as it:
        await settled(api, it)
        await known(it)
        api.faults["get namespaces"] = itertools.cycle([fault])
        await end_watches(api, "serviceimports")
        await until(lambda: it.health.state is State.STALE)
        api.put("serviceimports", "b")
        before = len(api.seen)
        await asyncio.sleep(1.0)
        # A watch and a question each time: twice the requests of a watch that is refused (`test_overload`).
        assert len(api.seen) - before <= 44
        assert it.names == {"a"}
        assert it.code(code)
        assert it.code("other_cluster") == 0
        api.faults.clear()
        await it.synced()
        await until(lambda: it.names == {"a", "b"})


@pytest.mark.parametrize("fault", [refuse(500), answer(b"{}")])
async def test_it_cannot_be_asked_at_first(api: FakeApi, tmp_path: Path, fault: Answer) -> None:
    """Lists are told; the UID is learned when there is an answer, and asked for with back-off until then."""
    api.faults["get namespaces"] = itertools.cycle([fault])
    async with following(api.url, tmp_path) as it:
        await settled(api, it)
        await asyncio.sleep(0.5)
        assert len(api.requests("get", "namespaces")) <= 14
        assert it.health.state is State.SYNCED
        assert it.health.uid_problem
        api.faults.clear()
        await known(it)


async def test_an_operator_leads_elsewhere(api: FakeApi, tmp_path: Path) -> None:
    """Another `server` in the kubeconfig: the new cluster is accepted, listed anew and followed."""
    api.fill("serviceimports", ["a", "b"])
    async with following(api.url, tmp_path) as it:
        await settled(api, it)
        await known(it)
        become_another(api)
        write_kubeconfig(it.path, api.url.replace("127.0.0.1", "localhost"))
        await until(lambda: it.names == {"of-the-other"})
        await it.synced()
        assert it.health.uid == "uid-of-east"
        api.put("serviceimports", "more")
        await until(lambda: it.names == {"of-the-other", "more"})
        assert it.code("other_cluster") == 0


async def test_a_new_token_is_not_enough(api: FakeApi, tmp_path: Path) -> None:
    """Tokens are renewed by machines."""
    api.fill("serviceimports", ["a"])
    async with following(api.url, tmp_path) as it:
        await settled(api, it)
        await known(it)
        become_another(api)
        write_kubeconfig(it.path, api.url, {"token": "t1"})
        await end_watches(api, "serviceimports")
        await until(lambda: it.code("other_cluster") >= 2)
        assert it.names == {"a"}


async def test_a_restart_accepts(api: FakeApi, tmp_path: Path) -> None:
    """What was first seen is not kept on a disk."""
    for uid in ("uid-of-west", "uid-of-east"):
        api.uid = uid
        settings = KubeconfigSettings(write_kubeconfig(tmp_path / "kubeconfig", api.url), allow_insecure=True)
        async with following(api.url, tmp_path, settings=settings) as it:
            await it.synced()
            await until(lambda it=it, uid=uid: it.health.uid == uid)  # type: ignore[misc]


async def test_a_watch_that_brings_events_at_once(api: FakeApi, tmp_path: Path) -> None:
    """Another cluster's events come with the head of the watch, before it is known who speaks: they wait, and are dropped."""
    api.put("serviceimports", "a")
    async with following(api.url, tmp_path) as it:
        await settled(api, it)
        await known(it)
        api.uid = "uid-of-east"
        api.faults["watch serviceimports"] = [stream(event("ADDED", "foreign", 9000), hold_s=9)]
        await end_watches(api, "serviceimports")
        await until(lambda: it.code("other_cluster"))
        api.uid = "uid-of-west"
        api.faults.clear()
        await it.synced()
        assert it.names == {"a"}
        assert queries(api.requests("watch", "serviceimports"), "resourceVersion")[-1] == str(api.rv)
