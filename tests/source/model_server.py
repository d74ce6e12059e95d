"""
The API server of the model test: bytes in and out, in virtual time, with troubles that are switched on and off.

Rules:
1. Without a trouble it is a good server: pages of one moment, continue tokens, watches that tell everything after their resource
   version and nothing twice, bookmarks each minute, 410 for what is compacted.
2. A trouble meets every request of its kind and its resource while it lasts. What it does to watches that are open is said apart.
3. Every request is counted with its time.

Not here: the objects (`model_store`), open watches and how an answer becomes an error (`model_client`).
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from random import Random
from typing import Any, Final, NamedTuple

import msgspec

from mcsdns.errors import SourceError, StreamError
from mcsdns.source.events import Resource
from mcsdns.source.kube.payload import error_of
from mcsdns.source.objects import Object
from tests.source.model_bodies import WRONG, document
from tests.source.model_objects import EXPORTS, IMPORTS, PROPERTIES, SLICES, ObjectKey, Shape
from tests.source.model_store import GROUPS, NAMES, Change, Store
from tests.source.model_stream import ModelStream

encode = msgspec.json.encode
LATENCY_S: Final = 0.004
VERBS: Final = ("list", "watch")
VERSIONS: Final[dict[Resource, tuple[str, ...]]] = {
    IMPORTS: ("v1beta1", "v1alpha1"),
    EXPORTS: ("v1beta1", "v1alpha1"),
    SLICES: ("v1",),
    PROPERTIES: ("v1alpha1",),
}


class Trouble(NamedTuple):
    """What is wrong with a kind of requests."""

    what: str
    more: Any


class Listed(NamedTuple):
    """A list that a reader began: what there was at its moment, and whether it was told otherwise."""

    moment: int
    truth: Mapping[ObjectKey, Object]
    is_lie: bool


class ModelServer:
    """
    One API server.

    Attributes:
        store: What it holds.
        troubles: By verb and resource.
        asked: For each verb and resource: when a list was begun, or a watch.
        lists: The last list of each resource that was begun.
        doomed: The resources whose CRDs are being deleted.
        known: How many objects of a resource its reader knows.
        uid: Of its namespace kube-system: here is the place for a server that turns into another cluster's.
    """

    def __init__(self, cluster: str, store: Store, rng: Random, *, page: int) -> None:
        self.cluster, self.store, self.rng = cluster, store, rng
        self.versions = dict(VERSIONS)
        self.troubles: dict[tuple[str, Resource], Trouble] = {}
        self.asked: dict[tuple[str, Resource], list[float]] = {(v, r): [] for v in VERBS for r in Resource}
        self.lists: dict[Resource, Listed] = {}
        self.lies: dict[Resource, int] = {}
        self.streams: set[ModelStream] = set()
        self.doomed: set[Resource] = set()
        self.token = self.accepted = self.identity = 0
        self.uid = f"uid-{cluster}"
        self.known: Callable[[Resource], int] = lambda resource: 0
        self._page, self._is_frank = page, rng.random() < 0.5
        self._pages: dict[str, tuple[int, list[bytes]]] = {}

    # What happens in it.

    def put(self, resource: Resource, key: ObjectKey, shape: Shape) -> int:
        """Create or replace an object, and tell its epoch."""
        epoch, change = self.store.put(resource, key, shape)
        self._tell(change)
        return epoch

    def remove(self, resource: Resource, key: ObjectKey, *, shows_old: bool) -> None:
        """Delete an object."""
        change = self.store.remove(resource, key, shows_old=shows_old)
        if change is not None:
            self._tell(change)

    def serve(self, resource: Resource, versions: tuple[str, ...]) -> None:
        """Serve a resource in these versions alone; in none: its CRD is not installed."""
        gone = set(self.versions[resource]) - set(versions)
        if resource in self.doomed:
            self.doom(resource, 0)
            self.doomed.discard(resource)
        self.versions[resource] = versions
        self.store.hide(resource, is_hidden=not versions)
        for stream in self.open(resource):
            if stream.version in gone:
                stream.finish()

    def doom(self, resource: Resource, kept: int) -> None:
        """Begin to delete a CRD, and with it all objects but so many, which have a finalizer: they go when it goes."""
        self.doomed.add(resource)
        for key in list(self.store.objects[resource])[kept:]:
            self.remove(resource, key, shows_old=False)

    def restore(self, back: int) -> None:
        """Restart on an older state."""
        self.store.restore(back)
        for stream in list(self.streams):
            stream.fail("restarted")

    @property
    def discovery_trouble(self) -> Trouble | None:
        """Return what ails discovery: what ails all resources alike."""
        first, *others = {self.troubles.get(("list", resource)) for resource in Resource}
        is_its = not others and first is not None and first.what in ("refused", "status", "wrong", "hang")
        return first if is_its else None

    def open(self, resource: Resource) -> list[ModelStream]:
        """Return the watches of a resource that are open."""
        return [stream for stream in self.streams if stream.resource is resource]

    def _tell(self, change: Change) -> None:
        if change.resource not in self.store.hidden:
            for stream in self.open(change.resource):
                stream.offer(change)

    # How it answers.

    async def get(self, path: str, query: Mapping[str, str], authorization: str | None) -> bytes:
        """Answer a GET, or raise what its answer stands for."""
        parts = path.strip("/").split("/")
        if path == "/api/v1/namespaces/kube-system":
            return encode(
                {"kind": "Namespace", "apiVersion": "v1", "metadata": {"name": "kube-system", "uid": self.uid}}
            )
        resource = next((r for r in Resource if parts[-1] == r), None)
        if resource is None:
            return await self._discover(parts)
        token, key = query.get("continue", ""), ("list", resource)
        trouble = self.troubles.get(key)
        if not token and parts[2] in self.versions[resource]:
            self.asked[key].append(self.store._clock())
        listed, is_served = None if token else self._begin(resource), parts[2] in self.versions[resource]
        await asyncio.sleep(LATENCY_S)
        self._authorize(authorization)
        if trouble is not None:
            await self._list_in_trouble(trouble, resource, is_first=not token)
        if not is_served:
            raise error_of(404, b"404 page not found\n")
        if listed is not None:
            self.lists[resource], token = listed
        return self._give_page(resource, parts[2], token)

    def _begin(self, resource: Resource) -> tuple[Listed, str]:
        """Take what there is at this moment, for the pages of a list."""
        store = self.store
        raws = [held.raw for held in store.objects[resource].values()]
        lie = self.lies.pop(resource, None)
        was_lie = resource in self.lists and self.lists[resource].is_lie
        # Only a lie that is told once, and of which a reader can know that it is one.
        is_lie = lie is not None and not was_lie and self.known(resource) > (20 if lie else 0)
        if lie is not None and is_lie:
            raws = raws[: len(raws) * lie // 100]
        name = f"{store.generation}.{store.moment}.{store.revision}.{is_lie:d}"
        self._pages[f"{resource}.{name}"] = (store.revision, raws)
        return Listed(store.moment, store.truth(resource, store.moment), is_lie), f"{name}.0"

    def _give_page(self, resource: Resource, version: str, token: str) -> bytes:
        name, _, at = token.rpartition(".")
        found = self._pages.get(f"{resource}.{name}")
        first, is_restored = int(at), name.partition(".")[0] != str(self.store.generation)
        if found is None or is_restored or (first and found[0] < self.store.compacted):
            raise error_of(410, encode({"kind": "Status", "code": 410, "reason": "Expired", "message": "too old"}))
        revision, raws = found
        items = raws[first : first + self._page]
        metadata: dict[str, Any] = {"resourceVersion": str(revision)}
        rest = len(raws) - first - len(items)
        if rest:
            metadata |= {"continue": f"{name}.{first + len(items)}", "remainingItemCount": rest}
        api_version = f"{GROUPS[resource]}/{version}"
        head = encode({"kind": f"{NAMES[resource]}List", "apiVersion": api_version, "metadata": metadata})
        return head[:-1] + b',"items":[' + b",".join(items) + b"]}"

    async def watch(self, path: str, query: Mapping[str, str], authorization: str | None) -> ModelStream:
        """Open a watch, or raise what the answer stands for."""
        _, _, version, name = path.strip("/").split("/")
        resource, revision, store = Resource(name), int(query["resourceVersion"]), self.store
        self.asked["watch", resource].append(store._clock())
        trouble = self.troubles.get(("watch", resource))
        await asyncio.sleep(LATENCY_S)
        self._authorize(authorization)
        stream = ModelStream(self, resource, version, revision, float(query["timeoutSeconds"]))
        if trouble is not None:
            await self._watch_in_trouble(trouble, stream)
        if version not in self.versions[resource]:
            raise error_of(404, b"404 page not found\n")
        gone = encode({"kind": "Status", "code": 410, "reason": "Expired", "message": "too old resource version"})
        if revision < store.compacted:
            if self.rng.random() < 0.5:
                raise error_of(410, gone)
            stream.write(b'{"type":"ERROR","object":%s}\n' % gone)
            stream.finish()
            return stream
        # Of a revision that is to come, some servers say so and others wait for what comes after it.
        if revision > store.revision and self._is_frank:
            causes = [{"reason": "ResourceVersionTooLarge", "message": "Too large resource version"}]
            raise error_of(504, encode({"kind": "Status", "code": 504, "details": {"causes": causes}}))
        for change in store.changes:
            if change.resource is resource:
                stream.offer(change)
        self.streams.add(stream)
        return stream

    async def _discover(self, parts: list[str]) -> bytes:
        trouble = self.discovery_trouble
        await asyncio.sleep(LATENCY_S)
        if trouble is not None:
            await self._list_in_trouble(trouble, IMPORTS)
        return document(parts, self.versions, self.doomed)

    def _authorize(self, authorization: str | None) -> None:
        if authorization != f"Bearer {self.accepted}":
            raise error_of(401, encode({"kind": "Status", "code": 401, "reason": "Unauthorized"}))

    async def _list_in_trouble(self, trouble: Trouble, resource: Resource, *, is_first: bool = True) -> None:
        """Raise what a list in trouble leads to. From a slow server it comes at last."""
        match trouble.what:
            case "tail" if is_first:
                return
            case "slow":
                await asyncio.sleep(trouble.more)
            case "wrong":
                body = WRONG[trouble.more]
                names = (NAMES[resource].encode(), GROUPS[resource].encode())[: body.count(b"%s")]
                raise Answered(body % names if names else body)
            case "cut" | "ends":
                raise StreamError("the body was cut")
            case "gone":
                raise error_of(410, encode({"kind": "Status", "code": 410, "message": "too old"}))
            case _:
                await _refuse(trouble)

    async def _watch_in_trouble(self, trouble: Trouble, stream: ModelStream) -> None:
        """Do to a watch what its trouble is, or raise what it leads to."""
        match trouble.what:
            case "slow":
                await asyncio.sleep(trouble.more)
            case "wrong":
                stream.write(WRONG[trouble.more].replace(b"%s", b"") + b"\n")
            case "ends":
                stream.finish()
            case "cut":
                stream.cut_next()
            case "silent":
                stream.freeze()
            case "gone" | "tail":
                raise error_of(410, encode({"kind": "Status", "code": 410, "message": "too old"}))
            case "doubles":
                stream.double()
            case _:
                await _refuse(trouble)


class Answered(Exception):  # noqa: N818 - it is no error: it is an answer
    """A body that is given with status 200."""

    def __init__(self, body: bytes) -> None:
        super().__init__()
        self.body = body


async def _refuse(trouble: Trouble) -> None:
    match trouble.what:
        case "refused":
            raise SourceError("cannot connect: connection refused")
        case "hang":
            await asyncio.sleep(30.0)
            raise StreamError("the server fell silent")
        case "status" | "tail":
            code, retry_after_s = trouble.more
            body = b"upstream" if code == 502 else encode({"kind": "Status", "code": code, "message": "no"})
            raise error_of(code, body, retry_after_s)
