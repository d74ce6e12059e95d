"""
Isolation: one member that floods, hangs or lies harms neither the others' answers nor the process.

What it costs is measured on this very loop: API server, source and builder share it, so every figure is an upper bound. A step of the
loop is measured in CPU time of the thread, because the wall time of a busy machine says nothing about us.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import itertools
import os
import resource
import time
import zlib
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from aiohttp import web
from msgspec.structs import replace
from structlog.testing import capture_logs

from mcsdns.assembly import Assembly
from mcsdns.builder import Builder
from mcsdns.clusterset.model import ServiceKey
from mcsdns.config import Quotas
from mcsdns.configfile import parse
from mcsdns.source.health import State
from mcsdns.source.quota import Quota
from mcsdns.zone.rrset import Update
from tests.source.fake_api import Answer, FakeApi, encode, fake_api
from tests.source.following import EXPORTS, FAST, IMPORTS, SLICES, following, settled, until, write_kubeconfig

HELD_S = 0.05
"""How long anything may hold the event loop."""
HEAD = b'{"kind":"ServiceImportList","apiVersion":"multicluster.x-k8s.io/v1beta1","metadata":'
SPEC = {"type": "ClusterSetIP", "ips": ["10.0.0.1"], "ports": [{"port": 80}]}
SMALL = Quotas(names=10, endpoints_per_name=6, endpoints=20, object_bytes=2_000)


class Steps:
    """Measures the longest step of the event loop, in seconds of CPU time."""

    def __init__(self) -> None:
        self.longest = 0.0

    async def run(self) -> None:
        """Measure, until cancelled: between two turns of this task every other one has had one step at most."""
        before = time.thread_time()
        while True:
            await asyncio.sleep(0)
            now = time.thread_time()
            self.longest, before = max(self.longest, now - before), now


@contextlib.asynccontextmanager
async def measured() -> AsyncIterator[Steps]:
    """Measure the steps of the loop in the block. As in the daemon, the collector does not look at what was there before."""
    gc.collect()
    gc.freeze()
    steps = Steps()
    task = asyncio.create_task(steps.run())
    try:
        yield steps
    finally:
        task.cancel()
        gc.unfreeze()


def rss() -> int:
    """Return the memory of this process now, in octets."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()


class Server:
    """Two member clusters, `flood` and `well`, followed and built as the daemon does it."""

    def __init__(self, flood: FakeApi, well: FakeApi, folder: Path, quotas: str) -> None:
        for name, api in (("flood", flood), ("well", well)):
            write_kubeconfig(folder / name, api.url)
        text = f"quotas: {{{quotas}}}\nclusters:\n" + "".join(
            f"  - {{name: {name}, kubeconfig: {{path: {name}, insecure: true}}}}\n" for name in ("flood", "well")
        )
        self.assembly = Assembly(parse(text, folder / "mcsdns.yaml"))
        self.updates: list[Update] = []
        self.builder = Builder(
            self.assembly.mirrors, (), self.assembly.views, self.updates.append, lambda cluster, seconds: None
        )
        self.flood, self.well = self.assembly.members

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[Server]:
        """Run it, with the garbage collector off as in the daemon until every cluster has been heard."""
        gc.disable()
        tasks = [asyncio.create_task(member.run(self.builder.sink)) for member in self.assembly.members]
        tasks.append(asyncio.create_task(self.builder.run()))
        try:
            yield self
        finally:
            gc.enable()
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    @property
    def names(self) -> set[str]:
        """Return the names of the services that are answered."""
        return {key.name for key in self.assembly.views[0].services}


async def answered(server: Server, name: str, limit_s: float) -> None:
    """Wait until a service is answered."""
    await until(lambda: name in server.names, limit_s)


def flood(total: int, page: int = 500) -> tuple[Answer, list[int]]:
    """Make an answer that lists this many ServiceImports, each page made when it is asked for; and where it notes how far it came."""
    listed: list[int] = []

    async def give(request: web.Request) -> web.StreamResponse:
        first = int(request.query.get("continue", "0"))
        last = min(first + page, total)
        listed.append(last)
        head = HEAD + encode({"resourceVersion": "1000"} | ({"continue": str(last)} if last < total else {}))
        items = b",".join(
            b'{"metadata":{"name":"f%07d","namespace":"demo","resourceVersion":"%d","creationTimestamp":"2026-01-%02dT00:00:00Z"},'
            b'"spec":{"type":"ClusterSetIP","ips":["10.0.0.1"],"ports":[{"port":80}]}}'
            % (number, number + 1, 28 - number % 28)
            for number in range(first, last)
        )
        return web.Response(body=head + b',"items":[' + items + b"]}", content_type="application/json")

    return give, listed


async def test_a_million_objects(tmp_path: Path) -> None:
    """
    A member that lists a million ServiceImports beside a healthy one, whose changes are answered in time all the while. Of the million
    its quota is held, the oldest; the loop is never held over 50 ms, and memory grows by what the quota holds.
    """
    total = int(os.environ.get("MCSDNS_FLOOD", "1000000"))
    async with fake_api() as bad, fake_api() as good:
        answer, listed = flood(total)
        bad.faults["list serviceimports"] = itertools.cycle([answer])
        good.put("serviceimports", "w0", spec=SPEC)
        server = Server(bad, good, tmp_path, "names: 20000")
        async with server.running():
            await until(lambda: "w0" in server.names and listed, 30)
            before, most, late, last = rss(), 0, 0.0, 0.0
            async with measured() as steps:
                for number in itertools.count(1):
                    good.put("serviceimports", f"w{number}", spec=SPEC)
                    began = time.monotonic()
                    await answered(server, f"w{number}", 60)
                    late, last = max(late, last), time.monotonic() - began
                    most = max(most, rss())
                    if server.flood.health.state is State.SYNCED:
                        break  # the last change had to wait until the whole quota was built
                    await asyncio.sleep(0.05)
            held = server.flood.mirror.count(IMPORTS)
            assert (held, server.flood.health.refusals.refused(Quota.NAMES)) == (20_000, total - 20_000)
            assert server.flood.mirror.import_of(ServiceKey("demo", "f0000027")) is not None, "the oldest"
            assert server.flood.mirror.import_of(ServiceKey("demo", "f0000000")) is None, "the newest"
            print(f"\nheld {steps.longest * 1e3:.0f} ms, grew {(most - before) / 1e6:.0f} MB")
            print(f"late {late * 1e3:.0f} ms, at the end {last:.1f} s")
            assert steps.longest < HELD_S
            assert late < 1.0
            assert last < 15.0
            assert most - before < 100e6


def endless(head: bytes, block: bytes, headers: dict[str, str] | None = None) -> tuple[Answer, list[int]]:
    """Make an answer whose body does not end, and where it notes how much was taken of it."""
    sent: list[int] = []

    async def give(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "application/json"} | (headers or {}))
        await response.prepare(request)
        await response.write(head)
        sent.append(0)
        while sent[-1] < 1 << 30:
            await response.write(block)
            sent[-1] += len(block)
        return response

    return give, sent


def items(count: int) -> bytes:
    """Write objects of a list, each followed by a comma."""
    return b"".join(
        b'{"metadata":{"name":"x%d","namespace":"demo","resourceVersion":"7"}},' % number for number in range(count)
    )


LIST = HEAD + b'{"resourceVersion":"1000"},"items":['


async def refused(api: FakeApi, folder: Path, wrong: Answer, code: str, grown: float = 60e6) -> str:
    """
    Let lists go wrong beside what is known: it is an outage, what was said goes on to be served, the loop is not held, memory does not
    grow, and when the server is right again so are we. Returns what was said to be wrong.
    """
    api.fill("serviceimports", ["a", "b"])
    async with following(api.url, folder, timing=replace(FAST, read_limit_s=3.0)) as it:
        await settled(api, it)
        before, most = rss(), 0
        api.faults["list serviceimports"] = itertools.cycle([wrong])
        async with measured() as steps:
            api.compact("serviceimports")
            api.end_watches("serviceimports")
            end = time.monotonic() + 20
            while it.code(code) < 3:
                assert time.monotonic() < end, it.health.streams[IMPORTS].errors
                most = max(most, rss())
                await asyncio.sleep(0.01)
        assert it.health.state is State.STALE
        problem = it.health.streams[IMPORTS].problem or ""
        assert it.names == {"a", "b"}
        print(f"\nheld {steps.longest * 1e3:.0f} ms, grew {(most - before) / 1e6:.0f} MB")
        assert steps.longest < HELD_S
        assert most - before < grown
        del api.faults["list serviceimports"]
        await until(lambda: it.health.state is State.SYNCED)
        assert it.names == {"a", "b"}
    return problem


async def test_a_list_of_200_mb_in_one_page(api: FakeApi, tmp_path: Path) -> None:
    """A server that ignores `limit` and sends 200 MB: no more than 16 MiB of it is taken, and the next list asks for smaller pages."""
    block = items(20_000)
    answer, sent = endless(LIST, block)
    await refused(api, tmp_path, answer, "too_large")
    assert max(sent) < 60e6, "what was in the sockets' buffers apart"
    limits = [seen.query["limit"] for seen in api.requests("list", "serviceimports")]
    assert limits[:5] == ["500", "500", "50", "5", "1"]


async def test_pages_grow_again(api: FakeApi, tmp_path: Path) -> None:
    """Once pages are small again, a list needs no thousand requests: it asks for more from page to page."""
    api.fill("serviceimports", (f"s{number}" for number in range(1500)))
    answer, _ = endless(LIST, items(20_000))
    api.faults["list serviceimports"] = [answer] * 3
    async with following(api.url, tmp_path) as it:
        await it.synced()
        assert len(it.names) == 1500
    limits = [seen.query["limit"] for seen in api.requests("list", "serviceimports")]
    assert limits[:7] == ["500", "50", "5", "1", "5", "50", "500"]
    assert len(limits) <= 10


async def test_a_body_that_does_not_end(api: FakeApi, tmp_path: Path) -> None:
    """One endless string, of which nothing can be read before its end."""
    answer, sent = endless(LIST + b'{"metadata":{"name":"', b"x" * 1_000_000)
    await refused(api, tmp_path, answer, "too_large")
    assert max(sent) < 60e6


async def test_a_gzip_bomb(api: FakeApi, tmp_path: Path) -> None:
    """A quarter of a megabyte that unpacks to 256 MB: octets are counted as they come out."""
    packer = zlib.compressobj(9, wbits=31)
    bomb = b"".join([packer.compress(LIST), *(packer.compress(bytes(1 << 20)) for _ in range(256)), packer.flush()])

    async def give(_: web.Request) -> web.StreamResponse:
        headers = {"Content-Encoding": "gzip", "Content-Type": "application/json"}
        return web.Response(body=bomb, headers=headers)

    await refused(api, tmp_path, give, "too_large", grown=100e6)


def raw(head: bytes, body: bytes) -> Answer:
    """Make an answer that is written to the socket as it stands."""

    async def give(request: web.Request) -> web.StreamResponse:
        assert request.transport is not None
        request.transport.write(head + b"\r\n\r\n" + body)
        await asyncio.sleep(0.1)
        request.transport.close()
        return web.Response()

    return give


BODY = LIST + items(50)[:-1] + b"]}"


@pytest.mark.parametrize("lie", [-100, 100])
async def test_a_wrong_content_length(api: FakeApi, tmp_path: Path, lie: int) -> None:
    """A length that is too small or too great: an outage, never a shorter list."""
    head = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d" % (len(BODY) + lie)
    await refused(api, tmp_path, raw(head, BODY), "stream")


async def test_headers_that_do_not_end(api: FakeApi, tmp_path: Path) -> None:
    """Header after header, as fast as they are taken."""

    async def give(request: web.Request) -> web.StreamResponse:
        transport = request.transport
        assert transport is not None
        transport.write(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n")
        end = time.monotonic() + 30
        while not transport.is_closing() and time.monotonic() < end:
            if transport.get_write_buffer_size() < 1_000_000:
                transport.write(b"X-Filler: " + b"y" * 4000 + b"\r\n")
            await asyncio.sleep(0)
        return web.Response()

    problem = await refused(api, tmp_path, give, "stream")
    assert "limit=" not in problem, "no query string stands in a message"


async def test_a_quota_in_a_watch(api: FakeApi, tmp_path: Path) -> None:
    """
    In a watch too the newest are refused, an older object takes the place of the newest, and where room comes a list brings in what
    fits by now: one that counts no drift.
    """
    for number in range(10):
        api.put("serviceimports", f"s{number}", metadata=created(number))
    async with following(api.url, tmp_path, quotas=SMALL, timing=replace(FAST, room_s=0.2)) as it:
        await settled(api, it)
        with capture_logs() as log:
            api.put("serviceimports", "new", metadata=created(20))
            api.put("serviceimports", "newer", metadata=created(21))
            await until(lambda: it.health.refusals.refused(Quota.NAMES) == 2)
            assert it.names == {f"s{number}" for number in range(10)}
            api.put("serviceimports", "old", metadata=created(0))
            await until(lambda: "old" in it.names)
            assert it.names == {"old", *(f"s{number}" for number in range(9))}
            assert it.health.state is State.SYNCED
            for name in ("old", "s0", "s1"):
                api.remove("serviceimports", name, metadata=created(0))
            await until(lambda: {"new", "newer"} <= it.names)
            assert it.names == {"new", "newer", *(f"s{number}" for number in range(2, 10))}
        assert it.health.refusals.refused(Quota.NAMES) == 0
        assert it.health.streams[IMPORTS].drift == 0
        assert it.relists("check") <= 3
        assert [(line["event"], line["log_level"]) for line in log if "quota" in line["event"]] == [
            ("quota exceeded", "warning"),
            ("quota kept again", "info"),
        ]


def created(second: int) -> dict[str, object]:
    """Return metadata of an object that was created at a second of a minute."""
    return {"creationTimestamp": f"2026-01-01T00:00:{second:02d}Z"}


def sliced(service: str, second: int = 0) -> dict[str, object]:
    """Return metadata of a slice of a service."""
    return created(second) | {"labels": {"multicluster.kubernetes.io/service-name": service}}


async def test_quotas_of_endpoints(api: FakeApi, tmp_path: Path) -> None:
    """One service takes no more than its own quota, and all of them no more than that of the cluster; exports are bounded apart."""
    three = [{"addresses": [f"10.0.0.{number}"]} for number in range(3)]
    for number in range(4):
        api.put("endpointslices", f"big-{number}", metadata=sliced("big", number), endpoints=three)
    for number in range(6):
        api.put("endpointslices", f"s{number}", metadata=sliced(f"s{number}", 10 + number), endpoints=three)
    api.fill("serviceexports", (f"e{number:02d}" for number in range(12)))
    async with following(api.url, tmp_path, quotas=SMALL) as it:
        await settled(api, it)
        assert it.told.names(SLICES) == {"big-0", "big-1", "s0", "s1", "s2", "s3"}
        assert it.told.names(EXPORTS) == {f"e{number:02d}" for number in range(10)}
        refusals = it.health.refusals
        assert {quota: refusals.refused(quota) for quota in Quota} == {
            Quota.NAMES: 2,
            Quota.ENDPOINTS_PER_NAME: 2,
            Quota.ENDPOINTS: 2,
            Quota.OBJECT_BYTES: 0,
        }
        api.put("endpointslices", "big-0", metadata=sliced("big", 0), endpoints=three * 2)
        await until(lambda: it.told.names(SLICES) == {"big-0", "s0", "s1", "s2", "s3"})


async def test_an_object_that_is_too_large(api: FakeApi, tmp_path: Path) -> None:
    """It is left out by name, in a list and in a watch; its neighbours are not; when it is small again it is there."""
    large = {"annotations": {"x": "y" * 3_000}}
    api.put("serviceimports", "a")
    api.put("serviceimports", "large", metadata=large)
    async with following(api.url, tmp_path, quotas=SMALL, timing=replace(FAST, room_s=0.2)) as it:
        await settled(api, it)
        assert it.names == {"a"}
        assert [one.shown for one in it.health.refusals] == [("demo/large",)]
        api.put("serviceimports", "a", metadata=large)
        await until(lambda: it.names == set())
        assert it.health.refusals.refused(Quota.OBJECT_BYTES) == 2
        api.remove("serviceimports", "large", metadata=large)
        await until(lambda: it.health.refusals.refused(Quota.OBJECT_BYTES) == 1)
        api.put("serviceimports", "a")
        await until(lambda: it.names == {"a"})
        await until(lambda: it.health.refusals.refused(Quota.OBJECT_BYTES) == 0)
        assert it.health.streams[IMPORTS].skipped == 0


async def test_ten_thousand_events_a_second(tmp_path: Path) -> None:
    """
    A member whose objects change all the time, as fast as they are taken: builds are coalesced, memory stays flat, the
    other is answered.
    """
    async with fake_api() as bad, fake_api() as good:
        lines = b"".join(
            encode({"type": "MODIFIED", "object": imported(f"f{number % 100}", 5000 + number)}) + b"\n"
            for number in range(10_000)
        )
        sent: list[float] = []

        async def give(request: web.Request) -> web.StreamResponse:
            response = web.StreamResponse(headers={"Content-Type": "application/json"})
            await response.prepare(request)
            while True:
                sent.append(time.monotonic())
                await response.write(lines)
                await asyncio.sleep(max(0.0, sent[-1] + 1.0 - time.monotonic()))

        bad.fill("serviceimports", (f"f{number}" for number in range(100)), spec=SPEC)
        bad.faults["watch serviceimports"] = itertools.cycle([give])
        server = Server(bad, good, tmp_path, "names: 20000")
        async with server.running():
            await until(lambda: len(server.names) == 100 and len(sent) > 1, 20)
            gc.enable()
            before, published = rss(), len(server.updates)
            async with measured() as steps:
                for number in range(5):
                    good.put("serviceimports", f"w{number}", spec=SPEC)
                    await answered(server, f"w{number}", 3)
                    await asyncio.sleep(1)
            built = sum(len(update.services) for update in server.updates[published:])
            print(f"\nheld {steps.longest * 1e3:.0f} ms, grew {(rss() - before) / 1e6:.1f} MB, {built} services built")
            assert len(sent) >= 4
            assert steps.longest < HELD_S
            assert rss() - before < 40e6, "what is under way"
            assert built < 10_000 * len(sent)


def imported(name: str, version: int) -> dict[str, object]:
    """Return a ServiceImport whose address follows from its version."""
    return {
        "apiVersion": "multicluster.x-k8s.io/v1beta1",
        "kind": "ServiceImport",
        "metadata": {"name": name, "namespace": "demo", "resourceVersion": str(version)},
        "spec": SPEC | {"ips": [f"10.0.{version // 100 % 100}.{version % 250 + 1}"]},
    }
