"""
One test for each row of the failure table in watching.md: what an API server can do, and what must follow.

Rows with files of their own: another cluster at the address (`test_identity`), clock jumps (`test_clock`).
Delays are some thirty times shorter than real ones (`following.FAST`), so budgets of requests are too.
"""

from __future__ import annotations

import asyncio
import gzip
import itertools
from pathlib import Path

import pytest
from msgspec.structs import replace

from mcsdns.config import Quotas
from mcsdns.source.events import Apply
from mcsdns.source.health import State
from mcsdns.source.objects import Malformed, ServiceImport
from tests.source.fake_api import FakeApi, Seen, answer, encode, hang, refuse, stream
from tests.source.following import (
    EXPORTS,
    FAST,
    IMPORTS,
    PROPERTIES,
    SLICES,
    following,
    settled,
    until,
    write_kubeconfig,
)

LABELS = {"labels": {"multicluster.kubernetes.io/service-name": "a"}}


def queries(seen: list[Seen], name: str) -> list[str | None]:
    return [one.query.get(name) for one in seen]


async def test_gone_as_a_status(api: FakeApi, tmp_path: Path) -> None:
    """410: one new list; the old data serves until it is whole; then replaced at once."""
    api.fill("serviceimports", ["a", "b"])
    async with following(api.url, tmp_path) as it:
        await settled(api, it)
        api.faults["watch serviceimports"] = [refuse(410, reason="Expired")]
        await end_watches(api, "serviceimports")
        await until(lambda: it.relists("gone"))
        assert it.names == {"a", "b"}
        assert len(api.requests("list", "serviceimports")) == 2
        assert it.health.state is State.SYNCED


async def test_gone_as_an_event(api: FakeApi, tmp_path: Path) -> None:
    """410 in an ERROR event, after changes that the watch never told."""
    api.fill("serviceimports", ["a", "b"])
    async with following(api.url, tmp_path) as it:
        await settled(api, it)
        api.fill("serviceimports", ["c"])
        del api.tables["serviceimports"].objects["demo", "a"]
        await end_watches(api, "serviceimports", compact=True)
        await until(lambda: it.names == {"b", "c"})
        assert len(api.requests("list", "serviceimports")) == 2


async def test_gone_on_a_continue_token(api: FakeApi, tmp_path: Path) -> None:
    """A 410 on a continue token starts the list again."""
    api.fill("serviceimports", (f"s{number}" for number in range(1200)))
    first_page = None
    api.faults["list serviceimports"] = [first_page, refuse(410, reason="Expired")]
    async with following(api.url, tmp_path) as it:
        await it.synced()
        assert len(it.names) == 1200
        assert queries(api.requests("list", "serviceimports"), "limit") == ["500"] * 5


async def test_a_stream_cut_in_the_middle_of_a_line(api: FakeApi, tmp_path: Path) -> None:
    """Resume at the last RV; the partial line is dropped; it is no outage."""
    api.put("serviceimports", "a")
    whole = event("ADDED", "b", 2000)
    api.faults["watch serviceimports"] = [stream(whole + event("ADDED", "half", 2001)[:60], is_cut=True, hold_s=0.1)]
    async with following(api.url, tmp_path) as it:
        await until(lambda: it.names == {"a", "b"})
        await until(lambda: it.code("cut"))
        await until(lambda: len(api.requests("watch", "serviceimports")) >= 2)
        assert queries(api.requests("watch", "serviceimports"), "resourceVersion")[1] == "2000"
        assert it.names == {"a", "b"}


async def test_a_compressed_list_that_is_cut(api: FakeApi, tmp_path: Path) -> None:
    """A gzip body that ends too soon is an outage, not a short list."""
    api.fill("serviceimports", ["a", "b"])
    body = b'{"kind":"ServiceImportList","apiVersion":"multicluster.x-k8s.io/v1beta1","metadata":{"resourceVersion":"1"},"items":[]}'
    cut = gzip.compress(body + b" " * 5000)[:-30]
    api.faults["list serviceimports"] = [answer(cut, headers={"Content-Encoding": "gzip"})]
    async with following(api.url, tmp_path) as it:
        await it.synced()
        assert it.names == {"a", "b"}
        assert it.code("stream") == 1


async def test_a_frozen_server(api: FakeApi, tmp_path: Path) -> None:
    """Noticed within the idle limit; the data is still served; the age grows."""
    api.put("serviceimports", "a")
    async with following(api.url, tmp_path, timing=replace(FAST, idle_limit_s=0.3, read_limit_s=0.2)) as it:
        await it.synced()
        for verb, resource in itertools.product(("list", "watch"), api.tables):
            api.faults[f"{verb} {resource}"] = itertools.cycle([hang])
        await until(lambda: it.health.state is State.STALE)
        assert it.names == {"a"}
        await until(lambda: (it.health.age_s(IMPORTS) or 0) > 0.6)


async def test_the_idle_limit_is_no_error(api: FakeApi, tmp_path: Path) -> None:
    """Silence: reconnect from the last RV; not an outage, and no list."""
    api.put("serviceimports", "a")
    async with following(api.url, tmp_path, timing=replace(FAST, idle_limit_s=0.2)) as it:
        await it.synced()
        api.put("serviceimports", "b")
        await until(lambda: len(api.requests("watch", "serviceimports")) >= 3)
        assert queries(api.requests("watch", "serviceimports"), "resourceVersion")[-1] == str(api.rv)
        assert len(api.requests("list", "serviceimports")) == 1
        assert it.health.state is State.SYNCED
        assert it.code("silent") >= 2


async def test_bookmarks_move_the_rv_and_keep_it_alive(api: FakeApi, tmp_path: Path) -> None:
    """A bookmark is a sign of life, and the place from where to resume."""
    api.put("serviceimports", "a")
    api.bookmark_s = 0.1
    async with following(api.url, tmp_path, timing=replace(FAST, idle_limit_s=0.4)) as it:
        await settled(api, it)
        api.rv += 50
        await asyncio.sleep(0.8)
        assert len(api.requests("watch", "serviceimports")) == 1
        await end_watches(api, "serviceimports")
        assert queries(api.requests("watch", "serviceimports"), "resourceVersion")[1] == str(api.rv)
        assert queries(api.requests("watch", "serviceimports"), "allowWatchBookmarks") == ["true"] * 2


@pytest.mark.parametrize("code", [429, 500, 502, 503, 504])
async def test_overload(api: FakeApi, tmp_path: Path, code: int) -> None:
    """429, 500, 502, 503, 504: few requests, data still served, and back when the server is."""
    api.put("serviceimports", "a")
    async with following(api.url, tmp_path) as it:
        await settled(api, it)
        for verb in ("list", "watch"):
            api.faults[f"{verb} serviceimports"] = itertools.cycle([refuse(code)])
        await end_watches(api, "serviceimports")
        before = len(api.seen)
        await until(lambda: it.health.state is State.STALE)
        await asyncio.sleep(1.0)
        # The real numbers, 0.8 s to 30 s, are tested in virtual time; here at most one in 100 ms on average.
        assert len(api.seen) - before <= 22
        assert it.names == {"a"}
        api.faults.clear()
        await it.synced()
        assert it.code(f"http_{code}") >= 2
        assert len(api.requests("list", "serviceimports")) == 1


async def test_retry_after_is_a_floor(api: FakeApi, tmp_path: Path) -> None:
    """The wait that the server asks for is kept."""
    api.faults["list serviceimports"] = [refuse(429, {"Retry-After": "1"})]
    async with following(api.url, tmp_path) as it:
        await it.synced()
        first, second = (seen.at for seen in api.requests("list", "serviceimports"))
        assert 1.0 <= second - first < 1.5


async def test_a_token_rotated(api: FakeApi, tmp_path: Path) -> None:
    """401, token rotated: credentials re-read; recovered, no restart, no new list."""
    api.put("serviceimports", "a")
    api.tokens = {"t0"}
    async with following(api.url, tmp_path) as it:
        await settled(api, it)
        api.tokens = {"t1"}
        await end_watches(api, "serviceimports")
        await until(lambda: it.health.state is State.STALE)
        write_kubeconfig(it.path, api.url, {"token": "t1"})
        await it.synced()
        api.put("serviceimports", "b")
        await until(lambda: it.names == {"a", "b"})
        assert len(api.requests("list", "serviceimports")) == 1


async def test_a_token_that_was_rotated_before_it_was_refused(api: FakeApi, tmp_path: Path) -> None:
    """A 401 reads the credentials again at once: nobody waits for the next look at the files."""
    api.tokens = {"t0"}
    async with following(api.url, tmp_path, timing=replace(FAST, poll_s=60.0, backoff_first_s=30.0)) as it:
        await settled(api, it)
        api.tokens = {"t1"}
        write_kubeconfig(it.path, api.url, {"token": "t1"})
        await end_watches(api, "serviceimports")
        await until(lambda: api.requests("watch", "serviceimports")[-1].authorization == "Bearer t1", 2.0)


async def test_a_wrong_token(api: FakeApi, tmp_path: Path) -> None:
    """401 for good: an outage with few requests."""
    api.tokens = {"other"}
    async with following(api.url, tmp_path) as it:
        await until(lambda: it.code("http_401") >= 2)
        await asyncio.sleep(0.5)
        assert it.health.state is State.UNSYNCED
        assert len(api.requests("list", "serviceimports")) <= 16


async def test_forbidden(api: FakeApi, tmp_path: Path) -> None:
    """403 on one resource: that resource degraded and named; others go on; tried again."""
    api.put("serviceimports", "a")
    api.put("endpointslices", "a-1", metadata=LABELS)
    api.denied = {"endpointslices"}
    async with following(api.url, tmp_path) as it:
        await until(lambda: it.health.state is State.STALE)
        assert it.names == {"a"}
        assert it.told.whole == {IMPORTS: True, EXPORTS: True, PROPERTIES: True, SLICES: False}
        assert "endpointslices is forbidden" in (it.health.streams[SLICES].problem or "")
        assert [stream.problem for name, stream in it.health.streams.items() if name is not SLICES] == [None] * 3
        api.denied = set()
        await it.synced()
        assert it.told.whole[SLICES]
        assert it.told.names(SLICES) == {"a-1"}


async def test_forbidden_later(api: FakeApi, tmp_path: Path) -> None:
    """403 after a list: the data is kept."""
    api.put("serviceimports", "a")
    async with following(api.url, tmp_path) as it:
        await settled(api, it)
        api.denied = {"serviceimports"}
        await end_watches(api, "serviceimports")
        await until(lambda: it.code("http_403") >= 2)
        assert it.names == {"a"}
        api.denied = set()
        await it.synced()
        assert it.told.lists[IMPORTS] == 1


async def test_no_crd(api: FakeApi, tmp_path: Path) -> None:
    """CRD absent (404): nothing imported yet, ready is not blocked; installed later; deleted: keep the data, say so."""
    for resource in ("serviceimports", "serviceexports", "clusterproperties"):
        api.tables[resource].versions = []
    async with following(api.url, tmp_path) as it:
        await settled(api, it)
        assert it.told.whole[IMPORTS]
        assert it.code("deleted") == 0
        api.tables["serviceimports"].versions = ["v1beta1"]
        api.put("serviceimports", "a")
        await until(lambda: it.names == {"a"})
        await until(lambda: api.tables["serviceimports"].watching)
        api.tables["serviceimports"].versions = []
        await end_watches(api, "serviceimports")
        await until(lambda: it.code("deleted"))
        assert it.names == {"a"}
        assert it.health.state is State.STALE
        assert "not served any more" in it.health.cause or "404" in it.health.cause


async def test_a_404_that_is_not_the_api_servers(api: FakeApi, tmp_path: Path) -> None:
    """A 404 of a load balancer proves nothing: it is an outage."""
    for resource in api.tables:
        api.faults[f"list {resource}"] = itertools.cycle([answer(b"404 page not found\n", 404, "text/plain")])
    api.put("serviceimports", "a")
    async with following(api.url, tmp_path) as it:
        await until(lambda: it.code("http_404"))
        assert IMPORTS not in it.told.whole
        assert it.health.state is State.UNSYNCED


@pytest.mark.parametrize(
    ("served", "used"),
    [(["v1alpha1"], "v1alpha1"), (["v1beta1"], "v1beta1"), (["v1alpha1", "v1beta1"], "v1beta1")],
)
async def test_versions(api: FakeApi, tmp_path: Path, served: list[str], used: str) -> None:
    """v1alpha1 alone, v1beta1 alone, both: prefer v1beta1; one watch."""
    api.tables["serviceimports"].versions = served
    api.put("serviceimports", "a")
    async with following(api.url, tmp_path) as it:
        await it.synced()
        await until(lambda: api.requests("watch", "serviceimports"))
        assert {seen.version for seen in api.requests("watch", "serviceimports")} == {used}
        assert it.names == {"a"}


@pytest.mark.parametrize(("before", "after"), [("v1alpha1", "v1beta1"), ("v1beta1", "v1alpha1")])
async def test_a_version_switch(api: FakeApi, tmp_path: Path, before: str, after: str) -> None:
    """A switch of versions lists anew without a gap."""
    api.tables["serviceimports"].versions = [before]
    api.fill("serviceimports", ["a", "b"])
    async with following(api.url, tmp_path) as it:
        await settled(api, it)
        api.tables["serviceimports"].versions = [after]
        await end_watches(api, "serviceimports")
        await until(lambda: it.relists("version"))
        assert it.names == {"a", "b"}
        assert api.requests("list", "serviceimports")[-1].version == after
        await it.synced()


async def test_a_restored_etcd(api: FakeApi, tmp_path: Path) -> None:
    """RV goes back, "too large resource version": list at "", full replacement."""
    api.fill("serviceimports", ["a", "b"])
    async with following(api.url, tmp_path) as it:
        await settled(api, it)
        api.rv -= 500
        del api.tables["serviceimports"].objects["demo", "a"]
        await end_watches(api, "serviceimports")
        await until(lambda: it.names == {"b"})
        assert "resourceVersion" not in api.requests("list", "serviceimports")[-1].query


async def test_a_bookmark_from_the_past(api: FakeApi, tmp_path: Path) -> None:
    """A restored etcd behind a watch that goes on: the bookmark gives it away."""
    api.fill("serviceimports", ["a", "b"])
    bookmark = {"kind": "ServiceImport", "metadata": {"resourceVersion": "5"}}
    api.faults["watch serviceimports"] = [stream(encode({"type": "BOOKMARK", "object": bookmark}) + b"\n", hold_s=9)]
    async with following(api.url, tmp_path) as it:
        await until(lambda: it.relists("restored"))
        assert it.names == {"a", "b"}


WRONG = {
    "an HTML page": answer(b"<html><body>Please log in</body></html>", content_type="text/html"),
    "an empty object": answer(b"{}"),
    "nothing": answer(b""),
    "another kind": answer(b'{"kind":"PodList","apiVersion":"v1","metadata":{"resourceVersion":"1"},"items":[]}'),
    "no resource version": answer(
        b'{"kind":"ServiceImportList","apiVersion":"multicluster.x-k8s.io/v1beta1","metadata":{},"items":[]}'
    ),
    "no items": answer(
        b'{"kind":"ServiceImportList","apiVersion":"multicluster.x-k8s.io/v1beta1","metadata":{"resourceVersion":"1"}}'
    ),
    "a redirect": answer(b"", 302, headers={"Location": "/login"}),
}


@pytest.mark.parametrize("wrong", WRONG)
async def test_a_wrong_body(api: FakeApi, tmp_path: Path, wrong: str) -> None:
    """Treated as an outage: a wrong body never empties the zone, neither in a list nor in a watch."""
    api.put("serviceimports", "a")
    async with following(api.url, tmp_path) as it:
        await settled(api, it)
        for verb in ("list", "watch"):
            api.faults[f"{verb} serviceimports"] = itertools.cycle([WRONG[wrong]])
        await end_watches(api, "serviceimports")
        await until(lambda: it.health.state is State.STALE)
        await asyncio.sleep(0.3)
        assert it.names == {"a"}
        assert it.told.lists[IMPORTS] == 1
        api.faults.clear()
        await it.synced()


@pytest.mark.parametrize("wrong", WRONG)
async def test_a_wrong_body_at_start(api: FakeApi, tmp_path: Path, wrong: str) -> None:
    """A cluster that never gave a right body has not been heard."""
    api.faults["list serviceimports"] = itertools.cycle([WRONG[wrong]])
    async with following(api.url, tmp_path) as it:
        await until(lambda: it.health.streams[IMPORTS].errors)
        assert it.health.state is State.UNSYNCED
        assert IMPORTS not in it.told.whole


async def test_events_of_another_kind(api: FakeApi, tmp_path: Path) -> None:
    """A watch that tells of Pods is no watch of ServiceImports."""
    pod = {"kind": "Pod", "apiVersion": "v1", "metadata": {"name": "p", "namespace": "demo", "resourceVersion": "9000"}}
    api.faults["watch serviceimports"] = [stream(encode({"type": "ADDED", "object": pod}) + b"\n", hold_s=9)]
    async with following(api.url, tmp_path) as it:
        await until(lambda: it.relists("unreadable"))
        assert it.names == set()


async def test_a_list_that_is_suddenly_empty(api: FakeApi, tmp_path: Path) -> None:
    """Confirmed by a second list before it counts: a blip empties nothing, the truth does."""
    api.fill("serviceimports", ["a", "b"])
    empty = b'{"kind":"ServiceImportList","apiVersion":"multicluster.x-k8s.io/v1beta1","metadata":{"resourceVersion":"1"},"items":[]}'
    async with following(api.url, tmp_path) as it:
        await settled(api, it)
        api.faults["list serviceimports"] = [answer(empty)]
        await end_watches(api, "serviceimports", compact=True)
        await until(lambda: it.relists("gone"))
        assert it.names == {"a", "b"}
        first, second = api.requests("list", "serviceimports")[1:]
        assert second.at - first.at >= FAST.confirm_s
        api.tables["serviceimports"].objects.clear()
        await end_watches(api, "serviceimports", compact=True)
        await until(lambda: not it.names)
        assert len(api.requests("list", "serviceimports")) == 5


async def test_over_half_is_missing(api: FakeApi, tmp_path: Path) -> None:
    """Missing over half of more than 20 services: a second list decides."""
    api.fill("serviceimports", (f"s{number}" for number in range(30)))
    async with following(api.url, tmp_path) as it:
        await settled(api, it)
        table = api.tables["serviceimports"]
        table.objects = dict(list(table.objects.items())[:10])
        await end_watches(api, "serviceimports", compact=True)
        await until(lambda: len(it.names) == 10)
        assert len(api.requests("list", "serviceimports")) == 3


async def test_unreachable_at_start(api: FakeApi, tmp_path: Path) -> None:
    """Unsynced, retried, and there when the server is."""
    api.put("serviceimports", "a")
    await api.stop()
    async with following(api.url, tmp_path) as it:
        await until(lambda: it.code("unreachable") >= 2)
        assert it.health.state is State.UNSYNCED
        assert not it.told.events
        await api.start()
        await it.synced()
        assert it.names == {"a"}


async def test_a_restarted_server(api: FakeApi, tmp_path: Path) -> None:
    """What happened while it was away comes from the watch, without a list."""
    api.put("serviceimports", "a")
    async with following(api.url, tmp_path) as it:
        await it.synced()
        await api.stop()
        await until(lambda: it.health.state is State.STALE)
        api.put("serviceimports", "b")
        await api.start()
        await until(lambda: it.names == {"a", "b"})
        await it.synced()
        assert len(api.requests("list", "serviceimports")) == 1


async def test_malformed_objects(api: FakeApi, tmp_path: Path) -> None:
    """A malformed object is left out and told as such; its neighbours and the next event are applied."""
    api.put("serviceimports", "a")
    api.put("serviceimports", "bad", spec={"ports": "x"})
    async with following(api.url, tmp_path) as it:
        await it.synced()
        assert it.names == {"a", "bad"}
        assert isinstance(it.told.objects[IMPORTS]["demo", "bad"], Malformed)
        api.raw(
            "serviceimports",
            b'{"type":"ADDED","object":{"kind":"ServiceImport","apiVersion":"multicluster.x-k8s.io/v1beta1"}}',
        )
        api.put("serviceimports", "worse", status=7)
        api.put("serviceimports", "big", metadata={"annotations": {"x": "y" * 1_000_000}})
        api.put("serviceimports", "good")
        await until(lambda: "good" in it.names)
        assert it.names == {"a", "bad", "worse", "big", "good"}
        assert it.health.streams[IMPORTS].skipped == 1
        assert len(api.requests("watch", "serviceimports")) == 1


async def test_level_triggered(api: FakeApi, tmp_path: Path) -> None:
    """DELETED with an old object, ADDED for a known one, duplicates: state is what the objects say."""
    api.fill("serviceimports", ["a", "b"])
    async with following(api.url, tmp_path) as it:
        await it.synced()
        rv = api.rv
        api.remove("serviceimports", "a", metadata={"resourceVersion": "1"})
        api.raw("serviceimports", event("ADDED", "b", rv + 3, type="Headless"))
        api.raw("serviceimports", event("ADDED", "b", rv + 3, type="Headless"))
        api.raw("serviceimports", event("DELETED", "never-heard-of", rv + 4))
        api.put("serviceimports", "c")
        await until(lambda: it.names == {"b", "c"})
        b = it.told.objects[IMPORTS]["demo", "b"]
        assert isinstance(b, ServiceImport)
        assert b.spec is not None
        assert b.spec.type == "Headless"
        assert len(api.requests("watch", "serviceimports")) == 1


async def test_a_slice_of_no_service(api: FakeApi, tmp_path: Path) -> None:
    """A slice with neither label is not told; one that loses its label is gone; one that gains it is there."""
    api.put("endpointslices", "mine", metadata=LABELS)
    api.put("endpointslices", "native", metadata={"labels": {"kubernetes.io/service-name": "a"}})
    api.put("endpointslices", "nobodys")
    async with following(api.url, tmp_path) as it:
        await it.synced()
        assert it.told.names(SLICES) == {"mine", "native"}
        api.put("endpointslices", "mine")
        api.put("endpointslices", "nobodys", metadata=LABELS)
        await until(lambda: it.told.names(SLICES) == {"nobodys", "native"})


async def test_a_burst(api: FakeApi, tmp_path: Path) -> None:
    """Ten thousand events at once: all are told, in order, and the event loop is never held long."""
    async with following(api.url, tmp_path) as it:
        await it.synced()
        for number in range(10_000):
            api.raw("serviceimports", event("MODIFIED", f"s{number % 100}", 2000 + number))
        held_s, last = 0.0, asyncio.get_running_loop().time()
        while sum(isinstance(told, Apply) for told in it.told.events[-1:]) == 0 or len(it.told.events) < 10_000:
            await asyncio.sleep(0)
            now = asyncio.get_running_loop().time()
            held_s, last = max(held_s, now - last), now
        rvs = [told.obj.metadata.resource_version for told in it.told.events if isinstance(told, Apply)]
        assert rvs == [str(2000 + number) for number in range(10_000)]
        assert len(it.names) == 100


async def test_an_event_longer_than_the_buffer(api: FakeApi, tmp_path: Path) -> None:
    """It would come again and again: the list, which has no such limit, gets past it."""
    api.put("serviceimports", "a")
    async with following(api.url, tmp_path, quotas=Quotas(object_bytes=10**7)) as it:
        await it.synced()
        api.put("serviceimports", "huge", metadata={"annotations": {"x": "y" * 3_000_000}})
        await until(lambda: it.names == {"a", "huge"})
        assert it.relists("unreadable") == 1


async def test_a_watch_that_ends_at_once(api: FakeApi, tmp_path: Path) -> None:
    """It counts as a failure: few requests, and it is said."""
    api.faults["watch serviceimports"] = itertools.cycle([stream()])
    async with following(api.url, tmp_path) as it:
        await until(lambda: it.health.state is State.STALE)
        before = len(api.requests("watch", "serviceimports"))
        await asyncio.sleep(1.0)
        assert len(api.requests("watch", "serviceimports")) - before <= 22
        assert it.code("early_end") > 1
        api.faults.clear()
        await it.synced()


async def test_a_check_repairs(api: FakeApi, tmp_path: Path) -> None:
    """Re-list to check: compare, repair, count the drift."""
    api.fill("serviceimports", ["a", "b", "c"])
    async with following(api.url, tmp_path, timing=replace(FAST, recheck_s=0.3)) as it:
        await it.synced()
        objects = api.tables["serviceimports"].objects
        objects["demo", "missed"] = objects["demo", "a"].replace(b'"a"', b'"missed"')
        del objects["demo", "b"]
        await until(lambda: it.names == {"a", "c", "missed"})
        assert it.relists("check") >= 1
        assert it.health.streams[IMPORTS].drift == 2
        await until(lambda: it.relists("check") >= 4)
        assert it.health.streams[IMPORTS].drift == 2
        assert it.health.state is State.SYNCED


async def test_a_check_that_fails_does_not_stop_the_watch(api: FakeApi, tmp_path: Path) -> None:
    """The stream is well: it goes on while the list is refused."""
    api.put("serviceimports", "a")
    async with following(api.url, tmp_path, timing=replace(FAST, recheck_s=0.3)) as it:
        await it.synced()
        api.faults["list serviceimports"] = itertools.cycle([refuse(503)])
        await until(lambda: it.code("http_503"))
        api.put("serviceimports", "b")
        await until(lambda: it.names == {"a", "b"})


def event(what: str, name: str, rv: int, **spec: object) -> bytes:
    """Make a line of a watch."""
    metadata = {"name": name, "namespace": "demo", "resourceVersion": str(rv)}
    head = {"kind": "ServiceImport", "apiVersion": "multicluster.x-k8s.io/v1beta1", "metadata": metadata}
    return encode({"type": what, "object": head | {"spec": spec}}) + b"\n"


async def end_watches(api: FakeApi, resource: str, *, compact: bool = False) -> None:
    """Let the server end the watches of a resource, once they have lived long enough to be healthy."""
    await asyncio.sleep(FAST.early_end_s * 1.5)
    before = len(api.requests("watch", resource))
    if compact:
        api.compact(resource)
    api.end_watches(resource)
    await until(lambda: len(api.requests("watch", resource)) > before)
