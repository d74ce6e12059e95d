"""
What one member cluster of the model test really holds: an etcd in memory, and everything that was ever so in it.

Rules:
1. A write has a revision, and a moment. Revisions go back where an older state is restored; moments never do.
2. `history` is the truth: for each object its versions in the order of moments, absence being one. What a reader learns of an object
   may lag behind, but goes through its history forwards only.

Not here: requests (`model_server`).
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable
from typing import Any, NamedTuple

import msgspec

from mcsdns.source.events import Resource
from mcsdns.source.kube.discovery import KINDS
from mcsdns.source.objects import Decoder, EndpointSlice, Object
from tests.source.model_objects import ObjectKey, Shape

GROUPS = {kind.resource: kind.group for kind in KINDS}
NAMES = {kind.resource: kind.name for kind in KINDS}
_DECODERS = {kind.resource: Decoder(kind.type) for kind in KINDS}


class Version(NamedTuple):
    """A version of an object: since when, and as it is decoded; None where there is no object, or none that is to be told."""

    moment: int
    at: float
    epoch: int
    obj: Object | None


class Change(NamedTuple):
    """A write, as a watch tells it and as a restore takes it back."""

    revision: int
    resource: Resource
    key: ObjectKey
    before: bytes | None
    line: bytes


class Held(NamedTuple):
    """An object as it is kept."""

    raw: bytes
    obj: Object | None
    epoch: int


class Store:
    """
    One cluster's objects.

    Args:
        clock: Virtual seconds.
        next_epoch: Gives the number of a write, the same count for all clusters.
    """

    def __init__(self, clock: Callable[[], float], next_epoch: Callable[[], int]) -> None:
        self._clock = clock
        self._next_epoch = next_epoch
        self.revision = 100
        self.generation = 0
        self.compacted = 0
        self.moment = 0
        self.objects: dict[Resource, dict[ObjectKey, Held]] = {resource: {} for resource in Resource}
        self.history: dict[Resource, dict[ObjectKey, list[Version]]] = {resource: {} for resource in Resource}
        self.changes: list[Change] = []
        self.hidden: set[Resource] = set()
        self._undone: list[tuple[int, Resource, ObjectKey, Held | None]] = []

    def put(self, resource: Resource, key: ObjectKey, shape: Shape) -> tuple[int, Change]:
        """Create or replace an object. Returns its epoch, and what watches are told."""
        epoch = self._next_epoch()
        self.revision += 1
        content = shape(epoch)
        metadata: dict[str, Any] = {"name": key[1], "resourceVersion": str(self.revision)}
        metadata |= {"namespace": key[0]} if key[0] else {}
        metadata |= content.get("metadata", {})
        head = {"apiVersion": f"{GROUPS[resource]}/v1beta1", "kind": NAMES[resource]}
        raw = msgspec.json.encode(head | content | {"metadata": metadata})
        held = Held(raw, _told(resource, raw), epoch)
        before = self._set(resource, key, held)
        return epoch, self._changed(resource, key, before, "ADDED" if before is None else "MODIFIED", raw)

    def remove(self, resource: Resource, key: ObjectKey, *, shows_old: bool = False) -> Change | None:
        """Delete an object, if it is there. The event shows it with the revision of the delete, or with that of its last write."""
        held = self.objects[resource].get(key)
        if held is None:
            return None
        self.revision += 1
        self._set(resource, key, None)
        raw = held.raw
        if not shows_old:
            obj = msgspec.json.decode(raw)
            obj["metadata"]["resourceVersion"] = str(self.revision)
            raw = msgspec.json.encode(obj)
        return self._changed(resource, key, held, "DELETED", raw)

    def restore(self, back: int) -> None:
        """Go back by so many writes, as an etcd does that is restored from a snapshot. What came after never was."""
        for revision, resource, key, before in reversed(self._undone[-back:] if back else []):
            self._set(resource, key, before, is_write=False)
            self.revision = revision - 1
        self._undone = self._undone[: max(0, len(self._undone) - back)]
        self.changes = [change for change in self.changes if change.revision <= self.revision]
        self.compacted = min(self.compacted, self.revision)
        self.generation += 1

    def hide(self, resource: Resource, *, is_hidden: bool) -> None:
        """Serve a resource no more, or again: to a reader its objects leave and come."""
        if is_hidden == (resource in self.hidden):
            return
        (self.hidden.add if is_hidden else self.hidden.discard)(resource)
        self.moment += 1
        for key, held in self.objects[resource].items():
            self._note(resource, key, None if is_hidden else held)

    def compact(self) -> None:
        """Forget the past."""
        self.compacted = self.revision
        self.changes = []

    def truth(self, resource: Resource, moment: int) -> dict[ObjectKey, Object]:
        """Return what there was to be told at a moment."""
        found = {
            key: versions[at].obj
            for key, versions in self.history[resource].items()
            if (at := _at(versions, moment)) >= 0
        }
        return {key: obj for key, obj in found.items() if obj is not None}

    def index(self, resource: Resource, key: ObjectKey, moment: int) -> int:
        """Return which version an object had at a moment; -1 before its first."""
        return _at(self.history[resource].get(key, []), moment)

    def index_at(self, resource: Resource, key: ObjectKey, at: float) -> int:
        """Return which version an object had at a time; -1 before its first."""
        return bisect_right(self.history[resource].get(key, []), at, key=lambda version: version.at) - 1

    def _set(self, resource: Resource, key: ObjectKey, held: Held | None, *, is_write: bool = True) -> Held | None:
        before = self.objects[resource].pop(key, None)
        if held is not None:
            self.objects[resource][key] = held
        self.moment += 1
        if is_write:
            self._undone.append((self.revision, resource, key, before))
        if resource not in self.hidden:
            self._note(resource, key, held)
        return before

    def _note(self, resource: Resource, key: ObjectKey, held: Held | None) -> None:
        version = Version(self.moment, self._clock(), held.epoch if held else 0, held.obj if held else None)
        self.history[resource].setdefault(key, []).append(version)

    def _changed(self, resource: Resource, key: ObjectKey, before: Held | None, what: str, raw: bytes) -> Change:
        line = b'{"type":"%s","object":%s}\n' % (what.encode(), raw)
        change = Change(self.revision, resource, key, before.raw if before else None, line)
        self.changes.append(change)
        return change


def _at(versions: list[Version], moment: int) -> int:
    return bisect_right(versions, moment, key=lambda version: version.moment) - 1


def _told(resource: Resource, raw: bytes) -> Object | None:
    """Decode an object, or None where it is a slice of no service, which nobody is told of."""
    obj = _DECODERS[resource].decode(raw)
    assert obj is not None
    if GROUPS[resource] != "discovery.k8s.io":
        return obj
    labels = obj.metadata.labels
    is_ours = labels is not None and (labels.imported_service is not None or labels.native_service is not None)
    return obj if is_ours else None


assert {kind.resource for kind in KINDS if kind.type is EndpointSlice} == {Resource.ENDPOINT_SLICES}
