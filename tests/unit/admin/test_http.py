"""The admin address, asked over HTTP."""

from __future__ import annotations

import asyncio
import re
import socket
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import quote

import msgspec
import pytest
from aiohttp import ClientSession, ClientTimeout
from hypothesis import given
from hypothesis import strategies as st
from structlog.testing import capture_logs
from yarl import URL

from mcsdns.admin import http
from mcsdns.admin.explain import Explanation
from mcsdns.admin.http import start
from mcsdns.admin.pages import Pages, explained
from mcsdns.admin.status import Status
from mcsdns.errors import ConfigError
from mcsdns.source.events import Resource
from tests.manifests import service_import
from tests.unit.admin.servers import FakeServer

WEB = "web.test.svc.clusterset.local"


class Answer(NamedTuple):
    """What came back."""

    status: int
    body: bytes
    headers: dict[str, str]

    @property
    def text(self) -> str:
        return self.body.decode()


Ask = Callable[..., Coroutine[Any, Any, Answer]]


@pytest.fixture
def server() -> FakeServer:
    return FakeServer(
        {"west": service_import("web", ips=["10.1.1.1"]), "east": service_import("web", ips=["10.2.2.2"])}
    )


@asynccontextmanager
async def serving(server: FakeServer) -> AsyncIterator[Ask]:
    """Serve on a free port, and give what asks there."""
    admin = await start(server.state, "127.0.0.1", 0)
    async with ClientSession(f"http://127.0.0.1:{admin.port}", timeout=ClientTimeout(10)) as session:

        async def ask(path: str, method: str = "GET", **headers: str) -> Answer:
            async with session.request(method, URL(path, encoded=True), headers=headers) as response:
                return Answer(response.status, await response.read(), dict(response.headers))

        yield ask
    await admin.close()


@pytest.mark.parametrize(
    ("path", "status", "content_type", "text"),
    [
        ("/", 200, "text/plain; charset=utf-8", "/explain?name=NAME"),
        ("/healthz", 200, "text/plain; charset=utf-8", "alive"),
        ("/readyz", 200, "text/plain; charset=utf-8", "ready: every cluster has been heard"),
        ("/metrics", 200, "text/plain; version=", "mcsdns_ready 1.0"),
        ("/status", 200, "application/json", '"ready":true'),
        (f"/explain?name={WEB}", 200, "application/json", '"outcome":"NOERROR"'),
        ("/services", 200, "application/json", '"total":1'),
        ("/omissions", 200, "application/json", '"total":0'),
        ("/nosuch", 404, "text/plain; charset=utf-8", "no such page"),
    ],
)
async def test_paths(server: FakeServer, path: str, status: int, content_type: str, text: str) -> None:
    """Each path with its status, its type and what it tells; HEAD says the same without a body."""
    async with serving(server) as ask:
        found, head = await ask(path), await ask(path, "HEAD")
    assert found.status == head.status == status
    assert found.headers["Content-Type"].startswith(content_type)
    assert text in found.text
    assert head.body == b""


BROWSER = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"


@pytest.mark.parametrize(
    ("path", "status", "text"),
    [
        ("/", 200, "<title>clusterset.local: ready – mcsdns</title>"),
        ("/status", 200, "<title>clusterset.local: ready – mcsdns</title>"),
        ("/explain", 200, "<h1>Why does a name answer what it does?</h1>"),
        (f"/explain?name={WEB}&type=A&view=", 200, '<td class="long">10.1.1.1</td>'),
        ("/explain?name=nosuch.test.svc.clusterset.local", 200, '<span class="mark bad">NXDOMAIN</span>'),
        ("/explain?name=a..b", 400, "holds a label of 0 octets"),
        ("/explain?name=", 400, "the parameter name is missing"),
        ("/services", 200, ">test/web</a>"),
        ("/services?q=nosuch", 200, "<p>There is none.</p>"),
        ("/services?page=x", 400, "expected a number from 1"),
        ("/omissions?reason=no-address", 200, "0 left out."),
        ("/nosuch", 404, "There is no page /nosuch."),
    ],
)
async def test_pages_for_people(server: FakeServer, path: str, status: int, text: str) -> None:
    """A browser gets HTML at the paths where machines get JSON, with a policy; HEAD says the same without a body."""
    async with serving(server) as ask:
        found, head = await ask(path, Accept=BROWSER), await ask(path, "HEAD", Accept=BROWSER)
    assert found.status == head.status == status
    assert found.headers["Content-Type"] == "text/html; charset=utf-8"
    assert text in found.text
    assert found.headers["Content-Security-Policy"].startswith("default-src 'none'; style-src 'sha256-")
    assert head.body == b""


@pytest.mark.parametrize("path", ["/healthz", "/readyz", "/metrics"])
async def test_what_stays_as_it_is_for_a_browser(server: FakeServer, path: str) -> None:
    """Probes and metrics have one form."""
    async with serving(server) as ask:
        assert (await ask(path, Accept=BROWSER)).headers["Content-Type"].startswith("text/plain")


@pytest.mark.parametrize("path", ["/", "/status", "/healthz", "/metrics", "/nosuch", "/explain"])
async def test_headers_of_every_response(server: FakeServer, path: str) -> None:
    """Nothing is kept, guessed or told to other sites, whoever asks and whatever comes of it."""
    async with serving(server) as ask:
        for found in (await ask(path), await ask(path, Accept=BROWSER), await ask(path, "POST")):
            assert found.headers["Cache-Control"] == "no-store"
            assert found.headers["X-Content-Type-Options"] == "nosniff"
            assert found.headers["Referrer-Policy"] == "no-referrer"
            assert found.headers["Vary"] == "Accept"


async def test_readiness(server: FakeServer) -> None:
    """503 and the reason while it is not ready; the process lives all the same."""
    server.ready = (False, "not heard yet: east")
    async with serving(server) as ask:
        found = await ask("/readyz")
        assert (found.status, found.text) == (503, "not ready: not heard yet: east\n")
        assert (await ask("/healthz")).status == 200


async def test_status(server: FakeServer) -> None:
    """The body is `Status`."""
    async with serving(server) as ask:
        found = msgspec.json.decode((await ask("/status")).body, type=Status)
    assert [cluster.name for cluster in found.clusters] == ["west", "east"]


async def test_metrics_in_the_format_that_is_asked_for(server: FakeServer) -> None:
    """Prometheus asks for OpenMetrics."""
    async with serving(server) as ask:
        found = await ask("/metrics", Accept="application/openmetrics-text; version=1.0.0")
    assert found.headers["Content-Type"].startswith("application/openmetrics-text")
    assert found.text.endswith("# EOF\n")


@pytest.mark.parametrize(
    ("query", "outcome", "answer"),
    [
        (f"name={WEB}", "NOERROR", ["10.1.1.1"]),
        (f"name={WEB}&type=AAAA", "NODATA", []),
        (f"name={WEB}&view=east", "NOERROR", ["10.2.2.2"]),
        (f"name={WEB}&type=&view=", "NOERROR", ["10.1.1.1"]),
        ("name=nosuch.test.svc.clusterset.local", "NXDOMAIN", []),
        ("name=example.com", "REFUSED", []),
        ("name=.", "REFUSED", []),
    ],
)
async def test_explain(server: FakeServer, query: str, outcome: str, answer: list[str]) -> None:
    """200 whatever the outcome: a name that does not exist is a fact about it, not about the path."""
    async with serving(server) as ask:
        found = await ask(f"/explain?{query}")
    assert found.status == 200
    explanation = msgspec.json.decode(found.body, type=Explanation)
    assert explanation.outcome == outcome
    assert [line.split("\t")[-1] for line in explanation.answer] == answer


@pytest.mark.parametrize(
    ("query", "problem"),
    [
        ("", "the parameter name is missing; expected /explain?name=NAME&type=A"),
        ("type=A", "the parameter name is missing"),
        ("name=a..b", "holds a label of 0 octets"),
        ("name=%C3%A4.b", "not ASCII"),
        ("name=%FF.b", "not ASCII"),
        (f"name={WEB}&type=NOSUCH", "'NOSUCH' is no record type"),
        (f"name={WEB}&view=north", "no listener serves the view 'north'; served: west, east"),
        (f"name={WEB}&name={WEB}", "the parameter name stands twice"),
        (f"name={WEB}&nmae=x", "unknown parameter 'nmae'; expected name, type, view"),
        (f"name={'a' * 3000}", "3000 characters"),
    ],
)
async def test_explain_with_wrong_parameters(server: FakeServer, query: str, problem: str) -> None:
    """400, and one line that tells what is wrong."""
    async with serving(server) as ask:
        found = await ask(f"/explain?{query}")
    assert (found.status, found.text.count("\n")) == (400, 1)
    assert problem in found.text


@given(st.lists(st.tuples(st.sampled_from(["name", "type", "view", "x"]), st.text(max_size=40)), max_size=4))
def test_no_parameters_break_it(parameters: list[tuple[str, str]]) -> None:
    """Whatever is asked, it is explained, or refused with one line that can be sent."""
    server = FakeServer({"west": service_import("web", ips=["10.1.1.1"]), "east": None})
    page = asyncio.run(Pages(server.state).get("/explain", parameters))
    assert page.status in (200, 400)
    assert page.body.decode().count("\n") == 1


async def test_octets_that_are_no_text_break_nothing(server: FakeServer) -> None:
    """Percent-encoded octets, controls and surrogates in every parameter: 200 or 400, never 500."""
    odd = ["%00", "%ff%fe", "%ed%a0%80", quote("\u2028☃"), "%", "%zz", "+", "a%0d%0ab", "%22%5c"]
    async with serving(server) as ask:
        for text in odd:
            for query in (f"name={text}", f"name={WEB}&type={text}", f"name={WEB}&view={text}", f"{text}={text}"):
                assert (await ask(f"/explain?{query}")).status in (200, 400), query


async def test_a_cluster_that_is_not_well_is_a_hint(server: FakeServer) -> None:
    """A stale cluster's data is served; who looks at an answer is told."""
    server.state.health["east"].broken(Resource.ENDPOINT_SLICES, "timeout", "no byte for 90 s")
    server.clock.now += 91
    found = await explained(server.state, [("name", WEB)])
    assert found.hints[-1] == "east is stale for 91 s (endpointslices: no byte for 90 s): what it last said is served"
    assert not (await explained(server.state, [("name", "example.com")])).hints[1:]


async def test_a_cluster_that_is_not_heard_is_a_hint() -> None:
    """The cause of the silence is the source's."""
    server = FakeServer({"west": "", "east": None})
    server.state.health["east"].broken(Resource.SERVICE_IMPORTS, "connect", "connection refused")
    found = await explained(server.state, [("name", WEB)])
    assert found.outcome == "SERVFAIL"
    assert found.hints[-1] == "east is unsynced for 0 s: serviceimports: connection refused"


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE"])
async def test_only_get_and_head(server: FakeServer, method: str) -> None:
    """Nothing here changes anything."""
    async with serving(server) as ask:
        found = await ask("/status", method)
    assert (found.status, found.headers["Allow"]) == (405, "GET, HEAD")


NO_HTTP = [
    b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n",
    b"BREW / HTTP/1.1\r\n\r\n",
    b"GET / HTTP/1.1\r\nBad Header\r\n\r\n",
    b"GET /" + b"a" * 20_000 + b" HTTP/1.1\r\n\r\n",
    b"GET /explain?name=\xff HTTP/1.1\r\nHost: x\r\n\r\n",
]


async def test_the_server_does_not_name_its_parts(server: FakeServer) -> None:
    """No versions of aiohttp or Python, for pages that are there and for those that are not."""
    async with serving(server) as ask:
        for path in ("/", "/status", "/nosuch", "/explain"):
            assert (await ask(path)).headers["Server"] == "mcsdns"
        assert (await ask("/", "POST")).headers["Server"] == "mcsdns"


@pytest.mark.parametrize("octets", NO_HTTP, ids=lambda octets: repr(octets[:20]))
async def test_what_is_no_http(server: FakeServer, octets: bytes) -> None:
    """400 without a traceback, a version or a line above DEBUG; the next request is served."""
    admin = await start(server.state, "127.0.0.1", 0)
    with capture_logs() as logs:
        reader, writer = await asyncio.open_connection("127.0.0.1", admin.port)
        writer.write(octets)
        async with asyncio.timeout(5):
            answer = await reader.read()
        writer.close()
    await admin.close()
    assert answer.startswith(b"HTTP/1.0 400 Bad Request\r\n")
    assert b"\r\nServer: mcsdns\r\n" in answer
    assert b"aiohttp" not in answer
    assert {(line["event"], line["log_level"]) for line in logs} == {("admin request malformed", "debug")}


async def test_no_line_is_logged_for_a_request(server: FakeServer, caplog: pytest.LogCaptureFixture) -> None:
    """Probes come every few seconds."""
    caplog.set_level("DEBUG")
    async with serving(server) as ask:
        with capture_logs() as logs:
            await ask("/healthz")
            await ask("/nosuch")
    assert logs == []
    assert [record for record in caplog.records if record.name.startswith("aiohttp")] == []


async def test_a_defect_of_ours_is_an_error_in_the_log(server: FakeServer) -> None:
    """What must not happen is 500, is logged once with its traceback, and the next request is served."""

    def is_ready() -> tuple[bool, str]:
        raise ZeroDivisionError

    async with serving(server) as ask:
        server.state.is_ready = is_ready
        with capture_logs() as logs:
            assert (await ask("/readyz")).status == 500
            assert (await ask("/healthz")).status == 200
    (line,) = logs
    assert (line["event"], line["log_level"]) == ("admin request failed", "error")
    assert isinstance(line["exc_info"], ZeroDivisionError)


async def test_a_port_in_use() -> None:
    """One error, with the address, the reason and what to do; nothing stays bound."""
    server = FakeServer({"west": "", "east": ""})
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(ConfigError) as caught:
            await start(server.state, "127.0.0.1", port)
    assert str(caught.value) == (
        f"admin: cannot listen on 127.0.0.1:{port}: Address already in use; stop what listens there, or set another `admin` address"
    )


async def test_closing_does_not_wait_for_idle_connections(server: FakeServer) -> None:
    """A Prometheus that keeps its connection does not hold up the end of the process."""
    admin = await start(server.state, "127.0.0.1", 0)
    reader, writer = await asyncio.open_connection("127.0.0.1", admin.port)
    writer.write(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
    assert await reader.readline() == b"HTTP/1.1 200 OK\r\n"
    async with asyncio.timeout(http.CLOSE_S + 1):
        await admin.close()
    writer.close()


async def test_every_path_is_listed(server: FakeServer) -> None:
    """`/` as text and the README's table name the same paths, and each is there."""
    readme = (Path(__file__).parents[3] / "README.md").read_text()
    _, _, table = readme.partition("\n| `/` |")
    rows = [row.split("|")[1] for row in table.partition("\n\n")[0].splitlines()[1:]]
    async with serving(server) as ask:
        listed = re.findall(r"^(/\w+)", (await ask("/")).text, re.MULTILINE)
        assert sorted(listed) == sorted(path for row in rows for path in re.findall(r"`(/\w+)", row))
        for path in listed:
            assert (await ask(path, Host="localhost")).status in (200, 400)
