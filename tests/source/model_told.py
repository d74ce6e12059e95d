"""
What one cluster's reader told, held against what was ever so.

Rules:
1. Of each object the reader goes through the versions that it had forwards only, absence included: nothing older comes after
   something newer, and nothing is told that never was.
2. A list that is whole is what there was at its moment, no more and no less.
3. Changes come between lists, and a list ends once.

Not here: what is published of it (`model_reader`).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

from mcsdns.clusterset.mirror import Mirror
from mcsdns.source.events import Apply, Delete, Event, Init, InitApply, InitDone, Resource
from mcsdns.source.objects import Object
from tests.source.model_objects import IMPORTS, ObjectKey
from tests.source.model_server import ModelServer
from tests.source.model_store import Version

UNKNOWN: Final = -1
"""Of this version is an object that the reader has not heard of."""


class Told:
    """
    One cluster, as its reader tells it.

    Attributes:
        objects: What a sink knows, by resource.
        whole: The resources that were listed, and whether as a whole.
        imports_moment: The moment of the first list of ServiceImports, or None before it.
        wrong: What a reader must not do and did.
    """

    def __init__(self, server: ModelServer) -> None:
        self.objects: dict[Resource, dict[ObjectKey, Object]] = {resource: {} for resource in Resource}
        self.whole: dict[Resource, bool] = {}
        self.imports_moment: int | None = None
        self.wrong: list[str] = []
        self._server = server
        self._staged: dict[Resource, dict[ObjectKey, Object] | None] = dict.fromkeys(Resource)
        self._at: dict[Resource, dict[ObjectKey, int]] = {resource: {} for resource in Resource}

    @property
    def is_heard(self) -> bool:
        """Every resource has been listed once."""
        return len(self.whole) == len(Resource)

    @property
    def is_whole(self) -> bool:
        """Absence proves something."""
        return self.is_heard and all(self.whole.values())

    def note(self, event: Event) -> None:
        """Take an event, before the sink does."""
        resource = event.resource
        staged = self._staged[resource]
        match event:
            case Init():
                self._staged[resource] = {}
            case InitApply(obj=obj):
                if staged is None:
                    self._complain(event, "outside a list")
                else:
                    staged[_key(obj)] = obj
            case InitDone(whole=whole):
                if staged is None:
                    self._complain(event, "outside a list")
                else:
                    self._list(event, staged, whole)
            case Apply(obj=obj):
                self._change(event, _key(obj), obj)
            case Delete(namespace=namespace, name=name):
                self._change(event, (namespace, name), None)

    def events(self) -> Iterator[Event]:
        """Give what a reader would say that begins now and reads the same."""
        cluster = self._server.cluster
        for resource, whole in self.whole.items():
            yield Init(cluster, resource)
            for obj in self.objects[resource].values():
                yield InitApply(cluster, resource, obj)
            yield InitDone(cluster, resource, whole)

    def behind(self, resource: Resource, at: float) -> list[ObjectKey]:
        """Return the objects of which the reader does not know what was so at a time, nor anything later."""
        late: list[ObjectKey] = []
        for key, versions in self._server.store.history[resource].items():
            known, true = self._at[resource].get(key, UNKNOWN), self._server.store.index_at(resource, key, at)
            # To have come and gone is to be absent as before.
            if known < true and versions[true].obj != (None if known == UNKNOWN else versions[known].obj):
                late.append(key)
        return late

    def _list(self, event: InitDone, staged: dict[ObjectKey, Object], whole: bool) -> None:
        resource, server = event.resource, self._server
        self._staged[resource] = None
        self.whole[resource] = whole
        listed = server.lists.get(resource)
        is_nothing = not staged and not self.objects[resource]
        is_without_list = (not whole and is_nothing) or (is_nothing and not server.versions[resource])
        if not is_without_list:
            if listed is None or staged != listed.truth:
                true = None if listed is None else sorted(listed.truth)
                self._complain(
                    event, f"{'a lie, ' if listed and listed.is_lie else ''}listed {sorted(staged)}, true was {true}"
                )
            for key in server.store.history[resource]:
                self._move(event, key, server.store.index(resource, key, listed.moment if listed else 0))
        self.objects[resource] = staged
        if self.imports_moment is None and resource is IMPORTS and not is_without_list and listed:
            self.imports_moment = listed.moment

    def _change(self, event: Apply | Delete, key: ObjectKey, obj: Object | None) -> None:
        resource = event.resource
        if self._staged[resource] is not None or resource not in self.whole:
            self._complain(event, "before its list is done")
        versions: Iterable[Version] = self._server.store.history[resource].get(key, [])
        at = self._at[resource].get(key, UNKNOWN)
        found = [index for index, version in enumerate(versions) if version.obj == obj]
        if obj is None and at == UNKNOWN:
            found.append(UNKNOWN)
        later = [index for index in found if index >= at]
        if later:
            self._move(event, key, min(later))
        else:
            self._complain(event, "older after newer" if found else "never was so")
        if obj is None:
            self.objects[resource].pop(key, None)
        else:
            self.objects[resource][key] = obj

    def _move(self, event: Event, key: ObjectKey, index: int) -> None:
        at = self._at[event.resource]
        if index < at.get(key, UNKNOWN):
            self._complain(event, f"older after newer: {key}")
        at[key] = index

    def _complain(self, event: Event, problem: str) -> None:
        self.wrong.append(f"{event}: {problem}")


def mirror_of(cluster: str, events: Iterable[Event]) -> Mirror:
    """Make a mirror that has heard nothing but these events."""
    mirror = Mirror(cluster)
    for event in events:
        mirror.feed(event)
    return mirror


def _key(obj: Object) -> ObjectKey:
    return obj.metadata.namespace, obj.metadata.name
