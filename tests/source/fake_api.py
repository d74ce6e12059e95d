"""
An API server that misbehaves on purpose: enough of one to be listed and watched, with faults that a test scripts.

Rules:
1. Without a fault it behaves as a real one: pages, continue tokens, resource versions, bookmarks, 410 after compaction.
2. A fault meets exactly the requests that the test names; every request is counted with its time.

Not here: RBAC, validation, any other resource.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import ssl
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

import msgspec
from aiohttp import web

GROUPS = {
    "multicluster.x-k8s.io": ["v1beta1", "v1alpha1"],
    "discovery.k8s.io": ["v1"],
    "about.k8s.io": ["v1alpha1"],
}
RESOURCES = {
    "serviceimports": ("multicluster.x-k8s.io", "ServiceImport"),
    "serviceexports": ("multicluster.x-k8s.io", "ServiceExport"),
    "endpointslices": ("discovery.k8s.io", "EndpointSlice"),
    "clusterproperties": ("about.k8s.io", "ClusterProperty"),
}

DOOMED = ["delete", "deletecollection", "get", "list", "watch"]
VERBS = [*DOOMED, "patch", "create", "update"]
"""What discovery offers of a custom resource; of one whose CRD is being deleted, less."""

Answer = Callable[[web.Request], Awaitable[web.StreamResponse]]
encode = msgspec.json.encode


@dataclass
class Seen:
    """A request that came."""

    at: float
    verb: str
    resource: str
    version: str
    query: dict[str, str]
    authorization: str | None


@dataclass
class Table:
    """The objects of one resource, as JSON, and what happened to them."""

    objects: dict[tuple[str, str], bytes] = field(default_factory=dict)
    log: list[tuple[int, bytes]] = field(default_factory=list)
    compacted: int = 0
    versions: list[str] | None = None
    ended: int = 0
    watching: int = 0
    is_doomed: bool = False
    changed: asyncio.Event = field(default_factory=asyncio.Event)


class FakeApi:
    """
    One API server on 127.0.0.1.

    Attributes:
        seen: Every request for a resource.
        discovered: The path of every request for discovery.
        tokens: The bearer tokens that are taken; empty takes anyone.
        denied: The resources that nobody may read; `/apis` and `/version` stand for discovery.
        faults: Answers by `list <resource>`, `watch <resource>`, or `discover <path>`, used up one a request; an endless iterator
            is a lasting one.
        bookmark_s: Between bookmarks; None sends none.
        uid: That of the namespace kube-system; None: it is not there. It is asked for as `get namespaces`.
    """

    def __init__(self, tls: ssl.SSLContext | None = None) -> None:
        self.tables = {resource: Table() for resource in RESOURCES}
        self.seen: list[Seen] = []
        self.discovered: list[str] = []
        self.tokens: set[str] = set()
        self.denied: set[str] = set()
        self.faults: dict[str, list[Answer | None] | itertools.cycle[Answer]] = {}
        self.bookmark_s: float | None = None
        self.uid: str | None = "uid-of-west"
        self.rv = 1000
        self.url = ""
        self._tls = tls
        self._runner: web.AppRunner | None = None
        self._port = 0

    async def start(self) -> None:
        """Listen, on the port that it had before."""
        app = web.Application()
        app.router.add_route("*", "/{path:.*}", self._answer)
        self._runner = web.AppRunner(app, handler_cancellation=True, access_log=None, shutdown_timeout=0.05)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", self._port, ssl_context=self._tls, reuse_address=True)
        await site.start()
        self._port = self._runner.addresses[0][1]
        self.url = f"{'https' if self._tls else 'http'}://127.0.0.1:{self._port}"

    async def stop(self) -> None:
        """Close every connection."""
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None

    # What is in it.

    def put(self, resource: str, name: str, namespace: str = "demo", **content: Any) -> None:
        """Create or replace an object."""
        table, known = self.tables[resource], (namespace, name) in self.tables[resource].objects
        self.rv += 1
        obj = self._object(resource, name, namespace, content)
        table.objects[namespace, name] = encode(obj)
        self._tell(table, "MODIFIED" if known else "ADDED", obj)

    def remove(self, resource: str, name: str, namespace: str = "demo", **content: Any) -> None:
        """Delete an object; `content` is what the event shows of it."""
        table = self.tables[resource]
        del table.objects[namespace, name]
        self.rv += 1
        self._tell(table, "DELETED", self._object(resource, name, namespace, content))

    def fill(self, resource: str, names: Iterable[str], **content: Any) -> None:
        """Put many objects without events."""
        table = self.tables[resource]
        for name in names:
            self.rv += 1
            table.objects["demo", name] = encode(self._object(resource, name, "demo", content))

    def raw(self, resource: str, line: bytes) -> None:
        """Send a line to whoever watches."""
        table = self.tables[resource]
        self.rv += 1
        table.log.append((self.rv, line))
        self._wake(table)

    def compact(self, resource: str) -> None:
        """Forget the past: a watch from before now is gone."""
        self.rv += 1
        table = self.tables[resource]
        table.compacted, table.log = self.rv, []

    def end_watches(self, resource: str) -> None:
        """End every watch, as a server does after `timeoutSeconds`."""
        self.tables[resource].ended += 1
        self._wake(self.tables[resource])

    def requests(self, verb: str, resource: str) -> list[Seen]:
        """Return the requests of one kind."""
        return [seen for seen in self.seen if (seen.verb, seen.resource) == (verb, resource)]

    def _object(self, resource: str, name: str, namespace: str, content: dict[str, Any]) -> dict[str, Any]:
        group, kind = RESOURCES[resource]
        content = dict(content)
        metadata = {"name": name, "namespace": namespace, "resourceVersion": str(self.rv)}
        metadata |= content.pop("metadata", {})
        return {"apiVersion": f"{group}/{self._versions(resource)[0]}", "kind": kind, "metadata": metadata} | content

    def _tell(self, table: Table, what: str, obj: dict[str, Any]) -> None:
        table.log.append((self.rv, encode({"type": what, "object": obj})))
        self._wake(table)

    def _wake(self, table: Table) -> None:
        table.changed.set()
        table.changed = asyncio.Event()

    def _versions(self, resource: str) -> list[str]:
        found = self.tables[resource].versions
        return GROUPS[RESOURCES[resource][0]] if found is None else found

    # How it answers.

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        parts = request.path.strip("/").split("/")
        authorization = request.headers.get("Authorization")
        is_known = not self.tokens or (authorization or "").removeprefix("Bearer ") in self.tokens
        if parts == ["api", "v1", "namespaces", "kube-system"]:
            self.seen.append(Seen(time.monotonic(), "get", "namespaces", "v1", {}, authorization))
            fault = self._fault("get namespaces")
            return await fault(request) if fault else self._namespace(is_known)
        if len(parts) < 4 or parts[0] != "apis":
            if is_known and f"/{parts[0]}" in self.denied:
                return status(403, message=f'forbidden: cannot get path "{request.path}"')
            fault = self._fault(f"discover {request.path}")
            if fault is not None:
                self.discovered.append(request.path)
                return await fault(request)
            return status(401) if not is_known else self._discover(parts)
        _, group, version, resource = parts[:4]
        if resource == "selfsubjectaccessreviews":
            asked = (await request.json())["spec"]["resourceAttributes"]
            is_allowed = asked["resource"] not in self.denied
            return web.json_response({"kind": "SelfSubjectAccessReview", "status": {"allowed": is_allowed}}, status=201)
        verb = "watch" if "watch" in request.query else "list"
        self.seen.append(Seen(time.monotonic(), verb, resource, version, dict(request.query), authorization))
        fault = self._fault(f"{verb} {resource}")
        if fault is not None:
            return await fault(request)
        if not is_known:
            return status(401)
        if resource in self.denied:
            return status(403, message=f"{resource} is forbidden")
        if version not in self._versions(resource) or RESOURCES[resource][0] != group:
            return web.Response(status=404, text="404 page not found\n")
        if len(parts) == 5:
            return web.Response(body=self.tables[resource].objects["", parts[4]], content_type="application/json")
        return await (self._watch if verb == "watch" else self._list)(request, resource, version)

    def _fault(self, key: str) -> Answer | None:
        faults = self.faults.get(key)
        if isinstance(faults, itertools.cycle):
            return next(faults)
        return faults.pop(0) if faults else None

    def _namespace(self, is_known: bool) -> web.Response:
        if not is_known:
            return status(401)
        if "namespaces" in self.denied:
            return status(403, message='namespaces "kube-system" is forbidden')
        if self.uid is None:
            return status(404, reason="NotFound", message='namespaces "kube-system" not found')
        metadata = {"name": "kube-system", "uid": self.uid}
        return web.json_response({"kind": "Namespace", "apiVersion": "v1", "metadata": metadata})

    def _discover(self, parts: list[str]) -> web.Response:
        self.discovered.append("/" + "/".join(parts))
        served = {
            (RESOURCES[resource][0], version): [*self._served(RESOURCES[resource][0], version)]
            for resource in RESOURCES
            for version in self._versions(resource)
        }
        if parts == ["version"]:
            return web.json_response({"gitVersion": "v1.37.2-fake"})
        if parts == ["apis"]:
            groups: dict[str, list[dict[str, str]]] = {}
            for group, version in served:
                groups.setdefault(group, []).append({"groupVersion": f"{group}/{version}", "version": version})
            return web.json_response(
                {"kind": "APIGroupList", "groups": [{"name": name, "versions": at} for name, at in groups.items()]}
            )
        if len(parts) == 3 and (parts[1], parts[2]) in served:
            resources = [
                {"name": name, "verbs": DOOMED if self.tables[name].is_doomed else VERBS}
                for name in served[parts[1], parts[2]]
            ]
            group_version = f"{parts[1]}/{parts[2]}"
            return web.json_response({"kind": "APIResourceList", "groupVersion": group_version, "resources": resources})
        return web.Response(status=404, text="404 page not found\n")

    def _served(self, group: str, version: str) -> Iterable[str]:
        return (name for name in RESOURCES if RESOURCES[name][0] == group and version in self._versions(name))

    async def _list(self, request: web.Request, resource: str, version: str) -> web.StreamResponse:
        group, kind = RESOURCES[resource]
        table, limit = self.tables[resource], int(request.query.get("limit", "0"))
        rv, _, start = request.query.get("continue", f"{self.rv}:0").partition(":")
        if int(rv) < table.compacted:
            return status(410, reason="Expired")
        objects, first = list(table.objects.values()), int(start)
        items = objects[first : first + limit] if limit else objects
        metadata: dict[str, Any] = {"resourceVersion": rv}
        if first + len(items) < len(objects):
            metadata |= {
                "continue": f"{rv}:{first + len(items)}",
                "remainingItemCount": len(objects) - first - len(items),
            }
        head = encode({"apiVersion": f"{group}/{version}", "kind": f"{kind}List", "metadata": metadata})
        body = head[:-1] + b',"items":[' + b",".join(items) + b"]}"
        response = web.Response(body=body, content_type="application/json")
        if len(body) > 128 * 1024:
            response.enable_compression()
        return response

    async def _watch(self, request: web.Request, resource: str, version: str) -> web.StreamResponse:
        group, kind = RESOURCES[resource]
        table, rv = self.tables[resource], int(request.query["resourceVersion"])
        if rv > self.rv:
            causes = {"causes": [{"reason": "ResourceVersionTooLarge", "message": "Too large resource version"}]}
            return status(504, reason="Timeout", message="Too large resource version", details=causes)
        response = web.StreamResponse(headers={"Content-Type": "application/json"})
        await response.prepare(request)
        if rv < table.compacted:
            gone = {"kind": "Status", "status": "Failure", "code": 410, "reason": "Expired", "message": "too old"}
            await response.write(encode({"type": "ERROR", "object": gone}) + b"\n")
            return response
        table.watching += 1
        try:
            async with asyncio.timeout(float(request.query["timeoutSeconds"])):
                ended = table.ended
                while ended == table.ended:
                    changed = table.changed
                    lines = [line for at, line in table.log if at > rv]
                    if lines:
                        await response.write(b"".join(line + b"\n" for line in lines))
                        rv = table.log[-1][0]
                        continue
                    try:
                        await asyncio.wait_for(changed.wait(), self.bookmark_s)
                    except TimeoutError:
                        rv = self.rv
                        obj = {
                            "kind": kind,
                            "apiVersion": f"{group}/{version}",
                            "metadata": {"resourceVersion": str(rv)},
                        }
                        await response.write(encode({"type": "BOOKMARK", "object": obj}) + b"\n")
        except (TimeoutError, ConnectionError):
            pass
        finally:
            table.watching -= 1
        return response


def status(code: int, headers: dict[str, str] | None = None, **more: Any) -> web.Response:
    """Answer as an API server refuses."""
    body = {"kind": "Status", "apiVersion": "v1", "status": "Failure", "code": code} | more
    return web.json_response(body, status=code, headers=headers)


def answer(
    body: bytes, code: int = 200, content_type: str = "application/json", headers: dict[str, str] | None = None
) -> Answer:
    """Make a fault that answers with a body."""

    async def give(_: web.Request) -> web.StreamResponse:
        return web.Response(body=body, status=code, content_type=content_type, headers=headers)

    return give


def refuse(code: int, headers: dict[str, str] | None = None, **more: Any) -> Answer:
    """Make a fault that answers with a Status."""

    async def give(_: web.Request) -> web.StreamResponse:
        return status(code, headers, **more)

    return give


def stream(*chunks: bytes, is_cut: bool = False, hold_s: float = 0.0) -> Answer:
    """Make a fault that answers a watch with these bytes, and ends it or breaks it."""

    async def give(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "application/json"})
        await response.prepare(request)
        for chunk in chunks:
            await response.write(chunk)
        await asyncio.sleep(hold_s)
        if is_cut and request.transport is not None:
            request.transport.abort()
        return response

    return give


async def hang(_: web.Request) -> web.StreamResponse:
    """Never answer."""
    await asyncio.sleep(3600)
    return web.Response()


@contextlib.asynccontextmanager
async def fake_api(tls: ssl.SSLContext | None = None) -> AsyncIterator[FakeApi]:
    """Run an API server."""
    api = FakeApi(tls)
    await api.start()
    try:
        yield api
    finally:
        await api.stop()
