"""A reflector over hours of virtual time, against a server that does one thing wrong: its budget of requests."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from random import Random
from typing import Any, cast

import msgspec
import pytest

from mcsdns.errors import ApiError, GoneError, SourceError, StreamError
from mcsdns.source.health import Health
from mcsdns.source.kube.connection import Connection
from mcsdns.source.kube.discovery import KINDS
from mcsdns.source.kube.identity import Identity
from mcsdns.source.kube.link import Link
from mcsdns.source.kube.reflector import Reflector
from mcsdns.source.kube.settings import Timing
from tests.unit.source.kube.virtual_time import run

IMPORTS = next(kind for kind in KINDS if kind.name == "ServiceImport")
HOUR_S = 3600.0


def page(rv: int = 7) -> bytes:
    """Make a list without objects."""
    head = {"kind": "ServiceImportList", "apiVersion": "multicluster.x-k8s.io/v1beta1"}
    return msgspec.json.encode(head | {"metadata": {"resourceVersion": str(rv)}, "items": []})


class Stream:
    """A watch that tells a bookmark at times, and ends after a while."""

    def __init__(self, every_s: float, ends_after_s: float) -> None:
        self._every_s = every_s
        self._end_at = asyncio.get_running_loop().time() + ends_after_s

    async def chunk(self) -> bytes:
        loop = asyncio.get_running_loop()
        if loop.time() + self._every_s >= self._end_at:
            await asyncio.sleep(self._end_at - loop.time())
            return b""
        await asyncio.sleep(self._every_s)
        bookmark = {"kind": "ServiceImport", "metadata": {"resourceVersion": "8"}}
        return msgspec.json.encode({"type": "BOOKMARK", "object": bookmark}) + b"\n"

    def close(self) -> None:
        """Nothing is open."""


Behaviour = Callable[[], Awaitable[Any]]


class Server:
    """Stands for the link and the client, and notes when it is asked."""

    def __init__(self, listing: Behaviour, watching: Behaviour) -> None:
        self._listing, self._watching = listing, watching
        self.connection, self.is_retired = Connection(url="http://127.0.0.1"), False
        self.lists: list[float] = []
        self.watches: list[float] = []
        self.limits: list[int] = []

    async def client(self) -> Server:
        return self

    async def get(self, path: str, query: object = None) -> bytes:
        if path == "/apis":
            return b'{"kind":"APIGroupList","groups":[]}'
        self.lists.append(asyncio.get_running_loop().time())
        return cast("bytes", await self._listing())

    async def watch(self, path: str, query: dict[str, str]) -> Stream:
        self.watches.append(asyncio.get_running_loop().time())
        self.limits.append(int(query["timeoutSeconds"]))
        return cast("Stream", await self._watching())

    async def refused(self, used: Connection) -> bool:
        return True

    def accepted(self) -> None:
        """No credentials to think of."""

    async def pause(self, delay_s: float) -> None:
        await asyncio.sleep(delay_s)


def follow(listing: Behaviour, watching: Behaviour, for_s: float = HOUR_S) -> tuple[Server, Health]:
    """Run a reflector for so long."""

    async def main() -> tuple[Server, Health]:
        clock = asyncio.get_running_loop().time
        server, health = Server(listing, watching), Health("west", clock)
        link = cast("Link", server)
        identity = Identity("west", server, health, timing=Timing(), clock=clock, rng=Random(5))
        reflector = Reflector(
            IMPORTS,
            "west",
            link,
            lambda event: None,
            health,
            identity=identity,
            timing=Timing(),
            clock=clock,
            rng=Random(5),
        )
        task = asyncio.create_task(reflector.run())
        await asyncio.sleep(for_s)
        assert not task.done()
        task.cancel()
        return server, health

    return run(main())


def failing(error: SourceError) -> Behaviour:
    async def give() -> Any:
        raise error

    return give


async def good_list() -> bytes:
    return page()


async def good_watch() -> Stream:
    return Stream(60.0, 400.0)


def out_of_reach(start_s: float, for_s: float) -> Behaviour:
    async def give() -> Stream:
        now = asyncio.get_running_loop().time()
        if start_s <= now < start_s + for_s:
            raise SourceError("connection refused")
        return Stream(60.0, start_s - now if now < start_s else 1e9)

    return give


async def silent_watch() -> Stream:
    return Stream(1e6, 1e9)


async def short_watch() -> Stream:
    return Stream(1e6, 0.01)


async def wrong_list() -> bytes:
    return b"<html>"


FAILURES: dict[str, tuple[Behaviour, Behaviour]] = {
    "503 on lists": (failing(ApiError(503, "overloaded")), good_watch),
    "503 on watches": (good_list, failing(ApiError(503, "overloaded"))),
    "429 without Retry-After": (failing(ApiError(429, "slow down")), good_watch),
    "unreachable": (failing(SourceError("connection refused")), good_watch),
    "cut lists": (failing(StreamError("cut")), good_watch),
    "wrong bodies": (wrong_list, good_watch),
    "watches that end at once": (good_list, short_watch),
    "watches that are always gone": (good_list, failing(GoneError("too old"))),
    "watches that are not served": (good_list, failing(ApiError(404, "no"))),
    "lists that are always gone": (failing(GoneError("too old")), good_watch),
    "401, with new credentials each time": (failing(ApiError(401, "no")), good_watch),
    "401 on watches": (good_list, failing(ApiError(401, "no"))),
}


@pytest.mark.parametrize("failure", FAILURES)
def test_the_budget(failure: str) -> None:
    """At most 5 requests of a kind in the first 10 s, and at most 0.25 requests/s in the long run, whatever fails."""
    server, _ = follow(*FAILURES[failure])
    for asked in (server.lists, server.watches):
        # Trying at once after a 401 with new credentials is one more.
        assert sum(1 for at in asked if at < 10.0) <= (6 if "401" in failure else 5)
    assert len(server.lists) + len(server.watches) <= 0.25 * HOUR_S
    assert len(server.lists) + len(server.watches) >= 10


def test_a_healthy_hour() -> None:
    """A list each ten minutes ± 20 % to check, and a watch each 290–580 s; both with nothing to say."""
    server, health = follow(good_list, good_watch)
    gaps = [later - earlier for earlier, later in zip(server.lists, server.lists[1:], strict=False)]
    assert all(480.0 <= gap <= 721.0 for gap in gaps)
    assert 5 <= len(gaps) <= 7
    assert all(290 <= limit <= 580 for limit in server.limits)
    assert len(set(server.limits)) > 3
    assert health.streams[IMPORTS.resource].relists == {"check": len(gaps)}
    assert health.streams[IMPORTS.resource].errors == {}


def test_which_version_is_read() -> None:
    """It is told once the first page is there, and not before."""
    _, health = follow(good_list, good_watch)
    assert health.streams[IMPORTS.resource].version == "multicluster.x-k8s.io/v1beta1"
    _, health = follow(failing(ApiError(503, "no")), good_watch)
    assert health.streams[IMPORTS.resource].version is None


def test_silence_is_noticed_within_90_s() -> None:
    """A watch without a byte is opened anew after 90 s: bookmarks come each minute."""
    server, health = follow(good_list, silent_watch, for_s=400.0)
    assert [round(at) for at in server.watches] == [0, 90, 180, 270, 360]
    assert health.streams[IMPORTS.resource].errors == {"silent": 4}


@pytest.mark.parametrize(("outage_s", "from_s", "until_s"), [(1.0, 8.0, 12.0), (200.0, 201.0, 231.0)])
def test_an_outage_is_followed_by_a_list(outage_s: float, from_s: float, until_s: float) -> None:
    """
    Some 10 s after it began or, where it lasted longer, once the watch has had a second to catch up.

    An API server that is back with an older etcd takes a watch from its future without a word: a list alone finds that out.
    """
    server, health = follow(good_list, out_of_reach(300.0, outage_s), for_s=1000.0)
    first, second, third = server.lists
    assert first < 1.0
    assert 300.0 + from_s <= second <= 300.0 + until_s
    assert third - second >= 480.0
    assert health.streams[IMPORTS.resource].relists == {"check": 2}


def test_forbidden_is_tried_each_30_to_60_s() -> None:
    """RBAC is repaired by people, in minutes; but an API server that starts denies for seconds, so the first tries come sooner."""
    server, _ = follow(failing(ApiError(403, "no")), good_watch)
    gaps = [later - earlier for earlier, later in zip(server.lists, server.lists[1:], strict=False)]
    assert sum(gaps[:4]) <= 15.0
    assert len(gaps) > 10
    assert all(30.0 <= gap <= 60.001 for gap in gaps[4:])


def test_an_absent_crd_is_looked_for_each_30_s() -> None:
    """Nothing is wrong, and nobody waits."""
    server, health = follow(failing(ApiError(404, "no")), good_watch)
    gaps = {round(later - earlier, 3) for earlier, later in zip(server.lists, server.lists[1:], strict=False)}
    assert gaps == {30.0}
    assert health.streams[IMPORTS.resource].is_listed
    assert health.streams[IMPORTS.resource].problem is None
    assert health.streams[IMPORTS.resource].version is None


def test_a_404_that_discovery_does_not_confirm_is_asked_for_once_a_try(monkeypatch: pytest.MonkeyPatch) -> None:
    """Something between says 404 of what is served: that is a failure like any other, within the same budget."""
    served = {
        "/apis": b'{"kind":"APIGroupList","groups":[{"name":"multicluster.x-k8s.io","versions":[{"version":"v1beta1"}]}]}',
        "/apis/multicluster.x-k8s.io/v1beta1": b'{"kind":"APIResourceList","groupVersion":"multicluster.x-k8s.io/v1beta1",'
        b'"resources":[{"name":"serviceimports","verbs":["list","watch"]}]}',
    }
    plain = Server.get

    async def get(self: Server, path: str, query: object = None) -> bytes:
        return served[path] if path in served else await plain(self, path, query)

    monkeypatch.setattr(Server, "get", get)
    server, health = follow(failing(ApiError(404, "no")), good_watch)
    assert sum(1 for at in server.lists if at < 10.0) <= 5
    assert 10 <= len(server.lists) <= 0.25 * HOUR_S
    assert not health.streams[IMPORTS.resource].is_listed


def test_retry_after_is_kept() -> None:
    """A floor of a minute is a minute at least."""
    server, _ = follow(failing(ApiError(429, "slow down", 60.0)), good_watch)
    gaps = [later - earlier for earlier, later in zip(server.lists, server.lists[1:], strict=False)]
    assert min(gaps) >= 59.999
