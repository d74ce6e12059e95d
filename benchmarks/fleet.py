"""
Many member clusters in one process: API servers over TLS that have their answers ready, and so cost little beside what is measured.

`python -m benchmarks.fleet FOLDER` serves; `Fleet` runs it and talks to it.

Rules:
1. They answer as a real API server does where it matters to who watches: pages of 500 with continue tokens, compressed as its
   lists are; watches with a bookmark a minute that end after `timeoutSeconds`.
2. The services of a cluster are its own, or the same in every cluster.
3. When it is told to forget, every watch gets 410 at once. Told to change as well, it lists other addresses from then on.

Not here: the objects (`members`), single changes (`writes`), failures (`scripted`).
"""

import argparse
import asyncio
import gzip
import json
import random
import ssl
import sys
import uuid
from collections import Counter
from collections.abc import Awaitable, Callable, Collection
from http.client import HTTPSConnection
from pathlib import Path
from typing import Final

from aiohttp import web

from tests.servers.run import Server
from tests.source.certificates import Authority

from .clusterset import NOERROR, A, Object, Question, services
from .members import KINDS, KUBE_SYSTEM, PAGE, RV, Pages, kube_system, moved, objects, page, paged, space

BOOKMARK_S: Final = 60.0
_OTHERS: Final = (b'["172.', b'["173.')
"""Addresses of endpoints begin so, and so when they have changed."""


class Fleet(Server):
    """
    The process.

    Args:
        folder: Where its kubeconfigs are.
        clusters: How many.
        services: In each.
        slices: Of each service.
        cpus: Numbers of the cores to run on.
        shares: The services are the same in every cluster.

    Attributes:
        clusters: How many.
        pages: In the list of EndpointSlices of each.
    """

    start_limit_s = 300.0

    def __init__(
        self, folder: Path, clusters: int, services: int, slices: int, cpus: Collection[int], *, shares: bool = False
    ) -> None:
        super().__init__("fleet", folder, cpus)
        self.clusters = clusters
        self.pages = -(-services * slices // PAGE)
        self._size = (clusters, services, slices)
        self._shares = shares

    @property
    def sources(self) -> list[dict[str, object]]:
        """Where each cluster is, as in `clusters` of mcsdns's configuration."""
        return [{"kubeconfig": {"path": str(_kubeconfig(self.folder, number))}} for number in range(self.clusters)]

    def questions(self, clusters: int) -> list[Question]:
        """Return the question for the address of each service that has one, in the first clusters."""
        spaces = range(1 if self._shares else clusters)
        return [
            Question(
                service.owner.replace("team", space(number, shares=self._shares)),
                A,
                NOERROR,
                frozenset([service.address]),
            )
            for number in spaces
            for service in services(self._size[1])
            if not service.is_headless
        ]

    def command(self) -> list[str]:
        """Take away what the last run left."""
        (self.folder / "ready").unlink(missing_ok=True)
        size = [str(number) for number in self._size]
        shares = ["--shares"] if self._shares else []
        # It runs in a folder of its own, where Python would not find this package.
        found = f"PYTHONPATH={Path(__file__).parents[1]}"
        return ["env", found, sys.executable, "-m", "benchmarks.fleet", str(self.folder), *size, *shares]

    def is_ready(self) -> bool:
        """Look for what it writes last."""
        return (self.folder / "ready").exists()

    def tell(self, what: str) -> Counter[str]:
        """
        Talk to it.

        Args:
            what: `forget`, `change` (and forget) or `count`.

        Returns:
            The requests so far, by verb and resource, and under `watching` the watches that are open.
        """
        port = int((self.folder / "ready").read_text())
        connection = HTTPSConnection("127.0.0.1", port, timeout=30, context=self._trust())
        try:
            connection.request("POST", f"/{what}")
            return Counter(json.loads(connection.getresponse().read()))
        finally:
            connection.close()

    def _trust(self) -> ssl.SSLContext:
        return ssl.create_default_context(cafile=str(self.folder / "ca.crt"))


class _Past:
    """What all clusters share: what they have forgotten and changed, and what was asked of them."""

    def __init__(self) -> None:
        self.is_changed = False
        self.forgotten = asyncio.Event()
        self.seen: Counter[str] = Counter()

    async def tell(self, request: web.BaseRequest) -> web.Response:
        """Do as `Fleet.tell` asks."""
        if request.path != "/count":
            self.is_changed ^= request.path == "/change"
            self.forgotten.set()
            self.forgotten = asyncio.Event()
        return web.json_response(self.seen)


class _Cluster:
    """One API server. `space` is where its namespaces are, and `pages` what every cluster has."""

    def __init__(self, space: str, pages: dict[str, Pages], past: _Past) -> None:
        self._uid = str(uuid.uuid4())
        self._space = space
        self._pages = pages
        self._past = past
        self._ready: dict[tuple[str, int, bool], bytes] = {}

    def prepare(self, *, is_changed: bool) -> None:
        """Make every page, compressed."""
        for resource, pages in self._pages.items():
            for number, (token, items) in enumerate(pages):
                mine = moved(items, self._space)
                body = page(resource, token, mine.replace(*_OTHERS) if is_changed else mine)
                self._ready[resource, number, is_changed] = gzip.compress(body, 1)

    async def answer(self, request: web.BaseRequest) -> web.StreamResponse:
        """Answer a request."""
        resource = request.path.rpartition("/")[2]
        if request.path == KUBE_SYSTEM:
            return web.Response(body=kube_system(self._uid), content_type="application/json")
        if resource not in KINDS or request.path != f"/apis/{KINDS[resource][0]}/{resource}":
            return web.json_response({"kind": "Status", "status": "Failure", "code": 404}, status=404)
        is_watch = "watch" in request.query
        self._past.seen[f"{'watch' if is_watch else 'list'} {resource}"] += 1
        if is_watch:
            return await self._watch(request, resource)
        body = self._ready[resource, int(request.query.get("continue", "0")), self._past.is_changed]
        return web.Response(body=body, headers={"Content-Type": "application/json", "Content-Encoding": "gzip"})

    async def _watch(self, request: web.BaseRequest, resource: str) -> web.StreamResponse:
        version, kind = KINDS[resource]
        forgotten = self._past.forgotten
        response = web.StreamResponse(headers={"Content-Type": "application/json"})
        await response.prepare(request)
        bookmark = {"kind": kind, "apiVersion": version, "metadata": {"resourceVersion": RV}}
        wait_s = random.uniform(0.0, BOOKMARK_S)
        self._past.seen["watching"] += 1
        try:
            async with asyncio.timeout(float(request.query["timeoutSeconds"])):
                while not forgotten.is_set():
                    try:
                        await asyncio.wait_for(forgotten.wait(), wait_s)
                    except TimeoutError:
                        wait_s = BOOKMARK_S
                        await response.write(_line("BOOKMARK", bookmark))
            await response.write(_line("ERROR", {"kind": "Status", "status": "Failure", "code": 410}))
        except (TimeoutError, ConnectionError):
            pass
        finally:
            self._past.seen["watching"] -= 1
        return response


async def _serve(folder: Path, clusters: int, count: int, slices: int, shares: bool) -> None:
    authority, past = Authority(folder), _Past()
    tls = authority.server()
    pages = {resource: paged(found) for resource, found in objects(count, slices).items()}
    for number in range(clusters):
        member = _Cluster(space(number, shares=shares), pages, past)
        for is_changed in (False, True):
            member.prepare(is_changed=is_changed)
        port = await _listen(member.answer, tls)
        _kubeconfig(folder, number).write_text(json.dumps(_access(port, authority.path)))
    (folder / "writing").write_text(str(await _listen(past.tell, tls)))
    (folder / "writing").rename(folder / "ready")
    await asyncio.Event().wait()


async def _listen(answer: Callable[[web.BaseRequest], Awaitable[web.StreamResponse]], tls: ssl.SSLContext) -> int:
    runner = web.ServerRunner(web.Server(answer, access_log=None))
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=tls).start()
    return int(runner.addresses[0][1])


def _line(what: str, obj: Object) -> bytes:
    return json.dumps({"type": what, "object": obj}).encode() + b"\n"


def _kubeconfig(folder: Path, number: int) -> Path:
    return folder / f"kubeconfig-{number:02}"


def _access(port: int, authority: Path) -> Object:
    """Make a kubeconfig (JSON is YAML)."""
    server = {"server": f"https://127.0.0.1:{port}", "certificate-authority": str(authority)}
    return {
        "current-context": "it",
        "clusters": [{"name": "it", "cluster": server}],
        "users": [{"name": "me", "user": {"token": "of-the-fleet"}}],
        "contexts": [{"name": "it", "context": {"cluster": "it", "user": "me"}}],
    }


def main() -> None:
    """Serve."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.fleet", description=main.__doc__)
    parser.add_argument("folder", type=Path)
    for name in ("clusters", "services", "slices"):
        parser.add_argument(name, type=int)
    parser.add_argument("--shares", action="store_true")
    options = parser.parse_args()
    asyncio.run(_serve(options.folder, options.clusters, options.services, options.slices, options.shares))


if __name__ == "__main__":
    main()
