"""
Turns what an API server sends about one resource into events for the sink.

Rules:
1. An object that cannot be decoded costs no other. Without even a name it is counted, and cannot be told.
2. An EndpointSlice with neither of the labels that say whose it is, is not told. One that had a label and lost it is gone.
3. Decoding yields to the event loop every few milliseconds, because DNS may be answered in the same loop.

Not here: requests, and what comes next (`reflector`, `watch`).
"""

from __future__ import annotations

import msgspec

from mcsdns.errors import StreamError
from mcsdns.source.events import Apply, Delete, Init, InitApply, InitDone, Sink
from mcsdns.source.health import Health
from mcsdns.source.kube import payload
from mcsdns.source.kube.discovery import Kind
from mcsdns.source.kube.ledger import Ledger
from mcsdns.source.kube.turn import Bookmark, Emit, Progress
from mcsdns.source.objects import Decoder, EndpointSlice, Object
from mcsdns.source.pace import Pace


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
        self.ledger = Ledger()

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
                    drift = self.ledger.end(rv)
                    self._stream.drift += drift if is_check else 0
                    self._sink(InitDone(cluster, resource, whole=emit is Emit.DONE))

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
                self._tell_change(obj, is_gone=event.type == "DELETED")
                return Progress(obj.metadata.resource_version)
            case "BOOKMARK":
                return Bookmark(payload.read_bookmark(event))
            case "ERROR":
                raise payload.error_of(None, event.object)
            case unknown:
                raise StreamError(f"expected a watch event, found one of type {unknown[:64]!r}")

    def _decode(self, raw: msgspec.Raw) -> Object | None:
        """Decode one object, or count it as skipped."""
        try:
            obj = self._decoder.decode(raw)
        except msgspec.DecodeError:
            obj = None
        if obj is None:
            self._stream.skipped += 1
        return obj

    async def _tell_items(self, objects: list[Object]) -> None:
        """Tell the objects of a page."""
        cluster, resource, sink, note = self._cluster, self._kind.resource, self._sink, self.ledger.list
        pace = Pace()
        for obj in objects:
            note(obj.metadata)
            sink(InitApply(cluster, resource, obj))
            if pace.is_due:
                await pace.rest()

    def _tell_change(self, obj: Object, *, is_gone: bool) -> None:
        """Tell what a watch says of one object."""
        cluster, resource, metadata = self._cluster, self._kind.resource, obj.metadata
        if self._is_ours(obj) and not is_gone:
            self.ledger.apply(metadata)
            self._sink(Apply(cluster, resource, obj))
        elif self.ledger.delete(metadata):
            self._sink(Delete(cluster, resource, metadata.namespace, metadata.name))

    def _is_ours(self, obj: Object) -> bool:
        """Tell whether an object is to be told: any but an EndpointSlice that belongs to no service."""
        if self._kind.type is not EndpointSlice:
            return True
        labels = obj.metadata.labels
        return labels is not None and not (labels.imported_service is None and labels.native_service is None)
