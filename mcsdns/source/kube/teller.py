"""
Turns what an API server sends about one resource into events for the sink.

Rules:
1. An object that cannot be decoded costs no other. Without even a name it is counted, and cannot be told.
2. An EndpointSlice with neither of the labels that say whose it is, is not told. One that had a label and lost it is gone.
3. What the quotas refuse costs nothing further on: it is never told, and taken back where it was.
4. Decoding yields to the event loop every few milliseconds, because DNS may be answered in the same loop.

Not here: requests, and what comes next (`reflector`, `watch`).
"""

from __future__ import annotations

import msgspec

from mcsdns.errors import StreamError
from mcsdns.source.events import Apply, Delete, Init, InitApply, InitDone, InitDrop, Sink
from mcsdns.source.health import Health
from mcsdns.source.kube import payload
from mcsdns.source.kube.discovery import Kind
from mcsdns.source.kube.ledger import Ledger
from mcsdns.source.kube.turn import Bookmark, Emit, Progress
from mcsdns.source.objects import Decoder, EndpointSlice, Named, Object, TooLarge
from mcsdns.source.pace import Pace
from mcsdns.source.quota import Quota

_named = msgspec.json.Decoder(Named)


class Teller:
    """
    Tells one sink about one resource of one cluster.

    Args:
        kind: The resource.
        cluster: The configured name.
        sink: Takes the events.
        health: Where counts go.
    """

    def __init__(self, kind: Kind, cluster: str, sink: Sink, health: Health) -> None:
        self._kind = kind
        self._cluster = cluster
        self._sink = sink
        self._stream = health.streams[kind.resource]
        self._decoder = Decoder(kind.type)
        self._refusals = health.refusals
        self._object_bytes = health.refusals.quotas.object_bytes
        self.ledger = Ledger(kind.resource, health.refusals.quotas)

    @property
    def wants_list(self) -> bool:
        """Whether something that a quota refuses may fit by now, which only a list can tell."""
        return self.ledger.told.wants_list

    async def decode(self, page: payload.ListPage) -> list[Object]:
        """Decode the objects of a page that are to be told."""
        pace = Pace()
        objects: list[Object] = []
        for raw in page.items or ():
            obj = self._decode(raw)
            if obj is not None and self._is_ours(obj):
                objects.append(obj)
            if pace.is_due:
                await pace.rest()
        return objects

    async def tell(
        self, emits: tuple[Emit, ...], objects: list[Object], rv: str = "", *, is_check: bool = False
    ) -> None:
        """
        Tell a list, or a part of it.

        Args:
            emits: Which parts.
            objects: The page, for `Emit.ITEMS`.
            rv: Up to where the watch before this list had told everything.
            is_check: What differs is drift.
        """
        cluster, resource = self._cluster, self._kind.resource
        for emit in emits:
            match emit:
                case Emit.INIT:
                    self.ledger.begin()
                    self._sink(Init(cluster, resource))
                case Emit.ITEMS:
                    await self._tell_items(objects)
                case Emit.DONE | Emit.PARTIAL:
                    if is_check:
                        await self._count_drift(rv)
                    self.ledger.end()
                    self._sink(InitDone(cluster, resource, whole=emit is Emit.DONE))
                    self._refusals.take(self.ledger.told)

    def take(self, line: bytes, *, is_first: bool) -> Progress | Bookmark | None:
        """
        Tell one event of a watch.

        Args:
            line: As it came.
            is_first: Whether it is the first of its watch, of which it is checked that it is about our resource.

        Returns:
            How far the watch has come; None where the event does not say.

        Raises:
            StreamError: It is no watch event.
            ApiError, GoneError: It is an ERROR event.
        """
        event = payload.read_line(line)
        match event.type:
            case "ADDED" | "MODIFIED" | "DELETED":
                if is_first:
                    payload.check_head(event, self._kind)
                obj = self._decode(event.object)
                if obj is None:
                    return None
                self._tell_change(obj, event.type)
                return Progress(obj.metadata.resource_version)
            case "BOOKMARK":
                return Bookmark(payload.read_bookmark(event))
            case "ERROR":
                raise payload.error_of(None, event.object)
            case unknown:
                raise StreamError(f"expected a watch event, found one of type {unknown[:64]!r}")

    def _decode(self, raw: msgspec.Raw) -> Object | None:
        """Decode one object, or count it as skipped. Of one that is too large, only its name is read."""
        try:
            if len(raw) > self._object_bytes:
                return TooLarge(_named.decode(raw).metadata, f"{len(raw):,} octets")
            obj = self._decoder.decode(raw)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            obj = None
        if obj is None:
            self._stream.skipped += 1
        return obj

    async def _count_drift(self, rv: str) -> None:
        """Count what a list that checks finds to be other than the watch told."""
        pace = Pace()
        for is_different in self.ledger.differences(rv):
            self._stream.drift += is_different
            if pace.is_due:
                await pace.rest()

    async def _tell_items(self, objects: list[Object]) -> None:
        """Tell the objects of a page."""
        cluster, resource, sink, ledger = self._cluster, self._kind.resource, self._sink, self.ledger
        pace = Pace()
        for obj in objects:
            if type(obj) is TooLarge:
                ledger.listed.refuse(Quota.OBJECT_BYTES, obj.metadata.namespace, obj.metadata.name)
                continue
            is_held, gone = ledger.list(obj)
            for entry in gone:
                sink(InitDrop(cluster, resource, entry.namespace, entry.name))
            if is_held:
                sink(InitApply(cluster, resource, obj))
            if pace.is_due:
                await pace.rest()

    def _tell_change(self, obj: Object, what: str) -> None:
        """Tell what a watch says of one object."""
        cluster, resource, metadata, told = self._cluster, self._kind.resource, obj.metadata, self.ledger.told
        was_refusing = told.is_refusing
        if type(obj) is TooLarge:
            self._tell_too_large(obj, what)
        elif what == "DELETED" or not self._is_ours(obj):
            if self.ledger.delete(obj):
                self._sink(Delete(cluster, resource, metadata.namespace, metadata.name))
        else:
            is_held, gone = self.ledger.apply(obj, is_new=what == "ADDED")
            for entry in gone:
                self._sink(Delete(cluster, resource, entry.namespace, entry.name))
            if is_held:
                self._sink(Apply(cluster, resource, obj))
        if was_refusing or told.is_refusing:
            self._refusals.take(told)

    def _tell_too_large(self, obj: Object, what: str) -> None:
        """Tell that an object is gone that has grown too large, and count it."""
        metadata, is_gone = obj.metadata, what == "DELETED"
        is_known = obj in self.ledger
        if is_known:
            self.ledger.delete(obj)
            self._sink(Delete(self._cluster, self._kind.resource, metadata.namespace, metadata.name))
        if is_gone and not is_known:
            self.ledger.told.forget(Quota.OBJECT_BYTES, metadata.namespace, metadata.name)
        elif not is_gone and (is_known or what == "ADDED"):
            self.ledger.told.refuse(Quota.OBJECT_BYTES, metadata.namespace, metadata.name)

    def _is_ours(self, obj: Object) -> bool:
        """Tell whether an object is to be told: any but an EndpointSlice that belongs to no service."""
        if self._kind.type is not EndpointSlice:
            return True
        labels = obj.metadata.labels
        return labels is not None and not (labels.imported_service is None and labels.native_service is None)
