"""Which cluster answers: what is compared, who is asked how often, over hours of virtual time."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from random import Random

import msgspec
import pytest

from mcsdns.errors import ApiError, OtherClusterError, SourceError, StreamError
from mcsdns.source.health import Health
from mcsdns.source.kube.connection import Connection
from mcsdns.source.kube.identity import PATH, Identity, Known, judge, read_uid
from mcsdns.source.kube.settings import Timing
from tests.unit.source.kube.virtual_time import run

WEST = Known("west", b"here")


def namespace(uid: str, **other: object) -> bytes:
    """Make what a server answers."""
    return msgspec.json.encode({"kind": "Namespace", "metadata": {"name": "kube-system", "uid": uid}} | other)


class Server:
    """Stands for the link and the client. `says` is a UID or an error; it takes `delay_s` to say it."""

    def __init__(self, says: str | SourceError = "west", delay_s: float = 0.01) -> None:
        self.says, self.delay_s = says, delay_s
        self.connection = Connection(url="https://127.0.0.1", place=b"here")
        self.asked: list[float] = []

    async def client(self) -> Server:
        return self

    async def pause(self, delay_s: float) -> None:
        await asyncio.sleep(delay_s)

    async def get(self, path: str) -> bytes:
        assert path == PATH
        self.asked.append(now())
        says = self.says
        await asyncio.sleep(self.delay_s)
        if isinstance(says, SourceError):
            raise says
        return namespace(says)


def now() -> float:
    return asyncio.get_running_loop().time()


def follow(server: Server, main: Callable[[Identity, Health], Awaitable[object]]) -> Health:
    """Learn the UID, and do what `main` does beside."""

    async def both() -> Health:
        health = Health("west", now)
        identity = Identity("west", server, health, timing=Timing(), clock=now, rng=Random(5))
        task = asyncio.create_task(identity.run())
        await main(identity, health)
        task.cancel()
        return health

    return run(both())


async def learned(identity: Identity, health: Health) -> None:
    await asyncio.sleep(10.0)
    assert health.uid == "west"


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{}",
        b"<html>",
        namespace(""),
        namespace("x" * 65),
        namespace("west", kind="Pod"),
        namespace("west", metadata={"name": "default", "uid": "west"}),
        namespace("west", metadata={"name": "kube-system", "uid": 7}),
    ],
)
def test_what_is_no_answer(body: bytes) -> None:
    """Whatever is not exactly the namespace kube-system with its UID says nothing."""
    with pytest.raises(StreamError, match="kube-system"):
        read_uid(body)


def test_an_answer() -> None:
    """The UID is `metadata.uid`."""
    assert read_uid(namespace("west", status={"phase": "Active"})) == "west"


@pytest.mark.parametrize(
    ("known", "found", "is_taken"),
    [
        (None, Known("west", b"here"), True),
        (WEST, Known("west", b"here"), True),
        (WEST, Known("west", b"there"), True),
        (WEST, Known("east", b"there"), True),
        (WEST, Known("east", b"here"), False),
    ],
)
def test_which_cluster_is_taken(known: Known | None, found: Known, is_taken: bool) -> None:
    """The first; the same, wherever; another only where an operator has led us to another URL or CA."""
    if is_taken:
        assert judge(known, found) == found
        return
    with pytest.raises(OtherClusterError, match=r"expected UID west .* found east; .* restart mcsdns"):
        judge(known, found)


def test_the_question_costs_little_while_it_fails() -> None:
    """An hour of failures: back-off as for everything else; an hour without the permission: a question each ten minutes."""
    for says, most in ((ApiError(503, "no"), 240), (ApiError(403, "no"), 4 + 6), (ApiError(404, "no"), 4 + 6)):
        server = Server(says)
        health = follow(server, lambda identity, health: asyncio.sleep(3600.0))
        assert sum(1 for at in server.asked if at < 10.0) <= 5
        assert 5 <= len(server.asked) <= most
        assert health.uid is None
        assert str(says) in (health.uid_problem or "")


def test_retry_after_is_kept() -> None:
    """A floor of a minute is a minute at least."""
    server = Server(ApiError(429, "slow down", 60.0))
    follow(server, lambda identity, health: asyncio.sleep(300.0))
    assert all(later - earlier >= 59.9 for earlier, later in zip(server.asked, server.asked[1:], strict=False))


def test_nothing_waits_at_first() -> None:
    """While the first UID is on its way there is nothing to compare with."""

    async def main(identity: Identity, health: Health) -> None:
        await asyncio.sleep(0.001)
        assert await identity.confirm(server, now()) == 0
        assert now() < 0.01

    server = Server(delay_s=5.0)
    follow(server, main)
    assert len(server.asked) == 1


def test_one_answer_for_all_whose_requests_began_before_it() -> None:
    """Four at once share; one that began after the question gets another; nobody gets an answer from before its request."""

    async def main(identity: Identity, health: Health) -> None:
        await learned(identity, health)
        assert len(server.asked) == 1
        await asyncio.gather(*(identity.confirm(server, now()) for _ in range(4)))
        assert len(server.asked) == 2
        await identity.confirm(server, server.asked[-1])
        assert len(server.asked) == 2
        await identity.confirm(server, now())
        assert len(server.asked) == 3

    server = Server()
    follow(server, main)


def test_at_most_two_questions_in_two_seconds() -> None:
    """However often watches break."""

    async def main(identity: Identity, health: Health) -> None:
        await learned(identity, health)
        for _ in range(50):
            await identity.confirm(server, now())

    server = Server()
    follow(server, main)
    assert all(third - first >= 1.999 for first, third in zip(server.asked, server.asked[2:], strict=False))


def test_another_cluster_and_the_first_again() -> None:
    """Everyone who waits is refused, by one question; once the first answers again, it is well."""

    async def main(identity: Identity, health: Health) -> None:
        await learned(identity, health)
        server.says = "east"
        outcomes = await asyncio.gather(*(identity.confirm(server, now()) for _ in range(4)), return_exceptions=True)
        assert [type(outcome) for outcome in outcomes] == [OtherClusterError] * 4
        assert len(server.asked) == 2
        assert health.uid == "west"
        server.says = "west"
        assert await identity.confirm(server, now()) == 0

    server = Server()
    follow(server, main)


def test_an_operator_leads_elsewhere() -> None:
    """The generation grows, so that everyone lists anew; and from then on it is that cluster that is expected."""

    async def main(identity: Identity, health: Health) -> None:
        await learned(identity, health)
        server.says, server.connection = "east", Connection(url="https://127.0.0.2", place=b"there")
        assert await identity.confirm(server, now()) == 1
        assert health.uid == "east"
        server.says = "west"
        with pytest.raises(OtherClusterError):
            await identity.confirm(server, now())

    server = Server()
    follow(server, main)


def test_the_permission_is_lost_and_given_back() -> None:
    """Asked again after ten minutes, or at once where the connection leads elsewhere; compared with the first again."""

    async def main(identity: Identity, health: Health) -> None:
        await learned(identity, health)
        server.says = ApiError(403, "forbidden")
        for _ in range(9):
            assert await identity.confirm(server, now()) == 0
            await asyncio.sleep(60.0)
        assert len(server.asked) == 2
        assert "deploy/rbac.yaml" in (health.uid_problem or "")
        server.says = "east"
        await asyncio.sleep(120.0)
        with pytest.raises(OtherClusterError):
            await identity.confirm(server, now())
        server.says = ApiError(403, "forbidden")
        await identity.confirm(server, now())
        server.says, server.connection = "east", Connection(url="https://127.0.0.2", place=b"there")
        assert await identity.confirm(server, now()) == 1

    server = Server()
    health = follow(server, main)
    assert health.uid_problem is None


def test_a_lost_namespace_is_a_new_cluster() -> None:
    """A 404 where there was a UID is an outage, and no word about the resource that was asked for."""

    async def main(identity: Identity, health: Health) -> None:
        await learned(identity, health)
        server.says = ApiError(404, "not found")
        with pytest.raises(StreamError, match="new cluster"):
            await identity.confirm(server, now())

    server = Server()
    follow(server, main)
