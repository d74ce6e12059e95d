"""
The pages with 50,000 services: they come quickly and keep the event loop from nobody, which may have queries to answer.

What is measured is the CPU time of the loop's thread between two of its turns: other processes have no part in it.
"""

from __future__ import annotations

import asyncio
import gc
import sys
import time

import pytest

from mcsdns.admin.pages import Page, Pages
from mcsdns.clusterset.model import Omission, Reason, ServiceKey
from mcsdns.source import objects
from mcsdns.source.events import Init, InitApply, InitDone, Resource
from mcsdns.zone.view import Built
from tests.unit.admin.servers import FakeServer

SERVICES = 50_000
LONGEST_HOLD_S = 0.020
BROWSER = "text/html"


@pytest.fixture(scope="module")
def server() -> FakeServer:
    """Two clusters that both import 50,000 services, of which one in ten lacks something; for east all are in one namespace."""
    made = FakeServer({"west": "", "east": ""})
    keys = [ServiceKey(f"team-{number % 97:02}", f"service-{number:05}") for number in range(SERVICES)]
    for mirror in made.state.mirrors:
        mirror.feed(Init(mirror.cluster, Resource.SERVICE_IMPORTS))
        for key in keys:
            metadata = objects.Metadata(namespace=key.namespace, name=key.name)
            spec = objects.ImportSpec(type="ClusterSetIP", ips=("10.3.0.1",))
            obj = objects.ServiceImport(metadata=metadata, spec=spec)
            mirror.feed(InitApply(mirror.cluster, Resource.SERVICE_IMPORTS, obj))
        mirror.feed(InitDone(mirror.cluster, Resource.SERVICE_IMPORTS, True))
    for view in made.state.views:
        for number, key in enumerate(keys):
            lack = Omission(
                Reason.NOT_READY, "west", f"EndpointSlice {'/'.join(key)}", f"a 10.0.0.{number} is not ready"
            )
            at = key if view.view.name == "west" else ServiceKey("crowd", key.name)
            view.services[at] = Built(bytes(16), (lack,) if number % 10 == 0 else ())
    return made


PATHS = [
    ("/", {}),
    ("/services", {}),
    ("/services", {"q": "service-0777"}),
    ("/services", {"page": "500"}),
    ("/services", {"cluster": "west", "page": "250"}),
    ("/services", {"cluster": "nosuch"}),
    ("/metrics", {}),
    ("/omissions", {}),
    ("/omissions", {"reason": "not-ready", "page": "50"}),
    ("/explain", {"name": "service-00005.team-05.svc.clusterset.local"}),
    ("/explain", {"name": "servcie-00005.team-05.svc.clusterset.local"}),
    ("/explain", {"name": "service-00005.taem-05.svc.clusterset.local"}),
    ("/explain", {"name": "servcie-00005.crowd.svc.clusterset.local", "view": "east"}),
    ("/explain", {"name": "nosuch.crowd.svc.clusterset.local", "view": "east"}),
    ("/explain", {"name": "service-00005.svc.clusterset.local"}),
    ("/explain", {"name": "team-05.service-00005.svc.clusterset.local"}),
    ("/explain", {"name": "a.service-00005.team-05.svc.cluster.local"}),
    ("/explain", {"name": "service-00005.team-05"}),
    ("/explain", {"name": "team-05.svc.clusterset.local"}),
]


@pytest.mark.parametrize(("path", "parameters"), PATHS, ids=str)
@pytest.mark.parametrize("accept", ["application/json", BROWSER])
async def test_the_event_loop_is_not_held(
    server: FakeServer, path: str, parameters: dict[str, str], accept: str
) -> None:
    """Whatever page is asked for, the loop goes round at least every 20 ms of its own time."""
    pages = Pages(server.state)
    await pages.get(
        "/explain", [("name", "x.clusterset.local")], accept
    )  # what is imported at first is not what is measured
    path = "/status" if path == "/" else path
    holds: list[float] = []

    async def beat() -> None:
        before = time.thread_time()
        while True:
            await asyncio.sleep(0)
            now = time.thread_time()
            holds.append(now - before)
            before = now

    gc.collect()
    gc.disable()  # a server's collector is tuned elsewhere
    beating = asyncio.create_task(beat())
    await asyncio.sleep(0)
    found = await pages.get(path, list(parameters.items()), accept)
    await asyncio.sleep(0)
    beating.cancel()
    gc.enable()
    assert found.status == 200
    sys.stdout.write(f"{path} {parameters} {accept}: longest {max(holds) * 1e3:.1f} ms, {len(found.body)} octets\n")
    assert max(holds) < LONGEST_HOLD_S


async def test_what_is_shown_of_many(server: FakeServer) -> None:
    """The last page is the end of the list, and the counts are those of all of it."""
    last: Page = await Pages(server.state).get("/services", [("page", "500")], BROWSER)
    text = last.body.decode()
    assert "50,000 services" in text
    assert "Page 500 of 500" in text
    assert text.count('<th scope="row"') == 100
    assert "team-96/service-49" in text
    left_out: Page = await Pages(server.state).get("/omissions", [("page", "50")], BROWSER)
    assert "5,000 left out." in left_out.body.decode()
