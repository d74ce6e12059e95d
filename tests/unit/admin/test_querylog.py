"""`/querylog`: who may switch the query log on, and what may be asked for."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import msgspec
import pytest
from aiohttp import ClientSession, TCPConnector

from mcsdns.admin.http import start
from mcsdns.admin.querylog import wanted
from mcsdns.querylog import QueryLogStatus
from tests.unit.admin.servers import FakeServer

ASKED = {"Mcsdns-Request": "1"}


@pytest.fixture
async def server() -> AsyncIterator[tuple[FakeServer, int]]:
    """A server whose plane can log, on 127.0.0.1."""
    fake = FakeServer({"west": "", "east": ""})
    admin = await start(fake.state, "127.0.0.1", 0)
    try:
        yield fake, admin.port
    finally:
        fake.plane.querylog.stop("the test is over")
        await admin.close()


async def ask(method: str, port: int, query: str = "", source: str = "127.0.0.1", **headers: str) -> tuple[int, bytes]:
    """Ask, from an address."""
    connector = TCPConnector(local_addr=(source, 0))
    async with ClientSession(connector=connector) as session:
        url = f"http://127.0.0.1:{port}/querylog{query}"
        async with session.request(method, url, headers={"Host": "localhost"} | headers) as answer:
            assert answer.headers["Server"] == "mcsdns"
            return answer.status, await answer.read()


def status(body: bytes) -> QueryLogStatus:
    return msgspec.json.decode(body, type=QueryLogStatus)


async def test_on_and_off(server: tuple[FakeServer, int]) -> None:
    """POST switches on what was asked for, GET shows it and changes nothing, DELETE ends it."""
    _, port = server
    assert not status((await ask("GET", port))[1]).on
    code, body = await ask("POST", port, "?seconds=30&sample=0.5&suffix=Test.svc&client=10.0.0.0/8", **ASKED)
    assert code == 200
    found = status(body)
    assert (found.on, found.sample, found.suffix, found.client) == (True, 0.5, "test.svc.", "10.0.0.0/8")
    assert 29 < found.left_s <= 30
    assert status((await ask("GET", port))[1]).on
    assert not status((await ask("DELETE", port, **ASKED))[1]).on


@pytest.mark.parametrize("method", ["GET", "POST", "DELETE"])
async def test_from_this_machine_alone(server: tuple[FakeServer, int], method: str) -> None:
    """Neither from another address (also not a mesh's proxy on another loopback one) nor by a name that leads here."""
    fake, port = server
    assert (await ask(method, port, source="127.0.0.6", **ASKED))[0] == 403
    for host in ("attacker.example", "127.0.0.1.attacker.example", "localhost.attacker.example:9153"):
        assert (await ask(method, port, Host=host, **ASKED))[0] == 403
    for host in ("localhost:9153", "127.0.0.1", "[::1]:9153", "LOCALHOST"):
        assert (await ask(method, port, Host=host, **ASKED))[0] == 200
    fake.plane.querylog.stop("tried")


@pytest.mark.parametrize("method", ["POST", "DELETE"])
async def test_not_from_another_site(server: tuple[FakeServer, int], method: str) -> None:
    """Without the header, as a form or an image of any page would ask, nothing changes; the answer shows how to ask."""
    fake, port = server
    code, body = await ask(method, port)
    assert code == 403
    assert b"Mcsdns-Request" in body
    assert not fake.plane.querylog.is_on


async def test_other_methods(server: tuple[FakeServer, int]) -> None:
    """OPTIONS, by which a browser asks whether it may, is refused like any other."""
    assert (await ask("OPTIONS", server[1], Origin="http://attacker.example"))[0] == 405


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("?seconds=0", "seconds"),
        ("?seconds=601", "at most 600"),
        ("?seconds=nan", "seconds"),
        ("?sample=1.5", "sample"),
        ("?sample=x", "sample"),
        ("?suffix=a..b", "label"),
        ("?suffix=%F0%9F%98%80", "ASCII"),
        ("?client=10.0.0.1/8", "10.0.0.0/8"),
        ("?client=x", "network"),
        ("?nosuch=1", "nosuch"),
        ("?sample=1&sample=1", "twice"),
    ],
)
async def test_what_is_wrong_is_refused(server: tuple[FakeServer, int], query: str, said: str) -> None:
    """The message names the parameter and what is expected, and nothing is switched on."""
    code, body = await ask("POST", server[1], query, **ASKED)
    assert code == 400
    assert said in body.decode()
    assert not server[0].plane.querylog.is_on


def test_defaults() -> None:
    """A minute, everything."""
    found: Any = wanted([])
    assert (found.seconds, found.sample, found.suffix, found.client) == (60, 1, None, None)


async def test_it_ends_with_its_time(server: tuple[FakeServer, int]) -> None:
    """Nobody has to remember it."""
    await ask("POST", server[1], "?seconds=0.05", **ASKED)
    await asyncio.sleep(0.15)
    assert not status((await ask("GET", server[1]))[1]).on
