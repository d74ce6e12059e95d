"""
The mirror of one watched cluster: what it last said, folded into the model.

Rules:
1. One writer feeds it; everyone else only reads. There is no lock.
2. A list is staged between init and init-done and replaces the old state in one step.
3. The cluster counts from the moment when every one of its resources has been listed once: before that nothing of it is
   visible, because imports without their slices would be a false NXDOMAIN.
4. An object that comes again as it was marks nothing dirty.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from mcsdns.clusterset.intake import Value, changed_at, intake
from mcsdns.clusterset.model import Export, Import, ObjectRef, Omission, Property, Rejected, ServiceKey, Slice
from mcsdns.source.events import Apply, Delete, Event, Init, InitApply, InitDone, InitDrop, Resource
from mcsdns.source.objects import CLUSTER_ID_PROPERTY, Object

ObjectKey = tuple[str, str]
"""Namespace and name of an object."""

KINDS = {
    Resource.SERVICE_IMPORTS: "ServiceImport",
    Resource.SERVICE_EXPORTS: "ServiceExport",
    Resource.ENDPOINT_SLICES: "EndpointSlice",
    Resource.CLUSTER_PROPERTIES: "ClusterProperty",
}


class _Held:
    """The objects of one resource, and the resource version that each had."""

    __slots__ = ("values", "versions")

    def __init__(self) -> None:
        self.values: dict[ObjectKey, Value] = {}
        self.versions: dict[ObjectKey, str] = {}


class Mirror:
    """
    What one watched cluster last said.

    Args:
        cluster: Its configured name.
        configured_id: The cluster id that the configuration gives it, or None.
    """

    def __init__(self, cluster: str, configured_id: str | None = None) -> None:
        self.cluster = cluster
        self.configured_id = configured_id
        self.triggers: list[tuple[str, float]] = []
        self._held = {resource: _Held() for resource in Resource}
        self._staged: dict[Resource, _Held] = {}
        self._listed: dict[Resource, bool] = {}
        self._slices: dict[ServiceKey, dict[str, Slice]] = {}
        self._rejected: dict[ServiceKey | None, set[tuple[Resource, ObjectKey]]] = {}

    @property
    def is_heard(self) -> bool:
        """Whether every resource has been listed once."""
        return len(self._listed) == len(Resource)

    @property
    def is_whole(self) -> bool:
        """Whether absence proves something: the cluster is heard, and nothing that exists could not be read."""
        return self.is_heard and all(self._listed.values())

    @property
    def is_silent(self) -> bool:
        """Whether nothing at all has been read of it: no resource was listed whole, because it was not reached or denies everything."""
        return not any(self._listed.values())

    @property
    def cluster_id(self) -> str:
        """The configured id, else what the cluster's ClusterProperty says, else the configured name (KEP-2149)."""
        return self.configured_id or self.property_id or self.cluster

    @property
    def property_id(self) -> str | None:
        """The id that the cluster's ClusterProperty holds, or None."""
        value = self._held[Resource.CLUSTER_PROPERTIES].values.get(("", CLUSTER_ID_PROPERTY))
        return value.cluster_id if isinstance(value, Property) else None

    def feed(self, event: Event) -> Iterable[ServiceKey]:
        """
        Take in one event.

        Args:
            event: Of this cluster.

        Returns:
            The services that may have changed by it; each may be named more than once.
        """
        match event:
            case Apply(resource=resource, obj=obj):
                return self._visible(self._put(resource, obj))
            case Delete(resource=resource, namespace=namespace, name=name):
                return self._visible(self._drop(resource, (namespace, name)))
            case InitApply(resource=resource, obj=obj):
                self._stage(resource, obj)
            case InitDrop(resource=resource, namespace=namespace, name=name):
                self._unstage(resource, (namespace, name))
            case Init(resource=resource):
                self._staged[resource] = _Held()
            case InitDone(resource=resource, whole=whole):
                return self._replace(resource, whole)
        return ()

    def keys(self) -> set[ServiceKey]:
        """Return every service that this cluster says anything about, heard or not."""
        keys = set(self._slices) | {key for key in self._rejected if key is not None}
        for resource in (Resource.SERVICE_IMPORTS, Resource.SERVICE_EXPORTS):
            keys.update(ServiceKey(*key) for key in self._held[resource].values)
        return keys

    def import_of(self, key: ServiceKey) -> Import | None:
        """Return the ServiceImport of a service, or None."""
        value = self._held[Resource.SERVICE_IMPORTS].values.get(key)
        return value if isinstance(value, Import) else None

    def export_of(self, key: ServiceKey) -> Export | None:
        """Return the ServiceExport of a service, or None."""
        value = self._held[Resource.SERVICE_EXPORTS].values.get(key)
        return value if isinstance(value, Export) else None

    def slices_of(self, key: ServiceKey) -> Mapping[str, Slice]:
        """Return the slices of a service by name."""
        return self._slices.get(key, {})

    def rejected_of(self, key: ServiceKey | None) -> Iterator[Omission]:
        """Give the objects about a service of which nothing counts; None: those that are about no service that can be told."""
        for resource, object_key in self._rejected.get(key, ()):
            value = self._held[resource].values[object_key]
            if isinstance(value, Rejected):
                yield Omission(value.reason, self.cluster, self._text(resource, object_key), value.detail)

    def rejected(self) -> Iterator[Omission]:
        """Give every object of which nothing counts."""
        for key in self._rejected:
            yield from self.rejected_of(key)

    def ref(self, resource: Resource, namespace: str, name: str, note: str) -> ObjectRef:
        """Return a reference to an object that is here."""
        version = self._held[resource].versions.get((namespace, name), "")
        return ObjectRef(self.cluster, KINDS[resource], namespace, name, version, note)

    def count(self, resource: Resource) -> int:
        """Return how many objects of a resource are held."""
        return len(self._held[resource].values)

    @property
    def size(self) -> int:
        """How many objects are held, or have come so far in lists that are under way."""
        return sum(len(self._staged.get(resource, held).values) for resource, held in self._held.items())

    def _text(self, resource: Resource, key: ObjectKey) -> str:
        return f"{KINDS[resource]} {'/'.join(part for part in key if part)}"

    def _visible(self, keys: Iterable[ServiceKey]) -> Iterable[ServiceKey]:
        return keys if self.is_heard else ()

    def _stage(self, resource: Resource, obj: Object) -> None:
        key, value = self._take_in(resource, obj)
        staged = self._staged.get(resource)
        if staged is None:
            return
        if value is None:
            staged.values.pop(key, None)
            return
        old = self._held[resource].values.get(key)
        staged.values[key] = old if old is not None and old == value else value
        staged.versions[key] = obj.metadata.resource_version

    def _unstage(self, resource: Resource, key: ObjectKey) -> None:
        staged = self._staged.get(resource)
        if staged is not None:
            staged.values.pop(key, None)
            staged.versions.pop(key, None)

    def _take_in(self, resource: Resource, obj: Object) -> tuple[ObjectKey, Value | None]:
        key = (obj.metadata.namespace, obj.metadata.name)
        value = intake(obj)
        match value:
            case Import(key=service) | Export(key=service):
                return service, value
            case Rejected() if resource in (Resource.SERVICE_IMPORTS, Resource.SERVICE_EXPORTS):
                return key, Rejected(ServiceKey(*key), value.reason, value.detail)
        return key, value

    def _put(self, resource: Resource, obj: Object) -> Iterable[ServiceKey]:
        key, value = self._take_in(resource, obj)
        if value is None:
            return self._drop(resource, key)
        held = self._held[resource]
        old = held.values.get(key)
        held.versions[key] = obj.metadata.resource_version
        at = changed_at(obj)
        if old == value:
            return ()
        if at is not None and isinstance(value, Slice) and self.is_heard:
            self.triggers.append((value.source_cluster or self.cluster_id, at))
        held.values[key] = value
        return self._index(resource, key, old, value)

    def _drop(self, resource: Resource, key: ObjectKey) -> Iterable[ServiceKey]:
        held = self._held[resource]
        held.versions.pop(key, None)
        return self._index(resource, key, held.values.pop(key, None), None)

    def _replace(self, resource: Resource, whole: bool) -> Iterable[ServiceKey]:
        was_heard = self.is_heard
        old, new = self._held[resource], self._staged.pop(resource, _Held())
        self._held[resource] = new
        self._listed[resource] = whole
        dirty: set[ServiceKey] = set()
        for key in old.values.keys() - new.values.keys():
            dirty.update(self._index(resource, key, old.values[key], None))
        for key, value in new.values.items():
            before = old.values.get(key)
            if before is not value:
                dirty.update(self._index(resource, key, before, value))
        if was_heard:
            return dirty
        return self.keys() if self.is_heard else ()

    def _index(self, resource: Resource, key: ObjectKey, old: Value | None, new: Value | None) -> Iterable[ServiceKey]:
        """Keep the indexes by service, and return the services that the change concerns."""
        dirty: set[ServiceKey] = set()
        for value, is_new in ((old, False), (new, True)):
            match value:
                case Slice(key=service, name=name):
                    self._index_slice(service, name, value if is_new else None)
                    dirty.add(service)
                case Import(key=service) | Export(key=service):
                    dirty.add(service)
                case Rejected(key=service):
                    self._index_rejected(service, resource, key, is_new)
                    if service is not None:
                        dirty.add(service)
                case Property():
                    dirty |= self.keys()
        return dirty

    def _index_slice(self, service: ServiceKey, name: str, value: Slice | None) -> None:
        slices = self._slices.setdefault(service, {})
        if value is not None:
            slices[name] = value
        else:
            slices.pop(name, None)
            if not slices:
                del self._slices[service]

    def _index_rejected(self, service: ServiceKey | None, resource: Resource, key: ObjectKey, is_new: bool) -> None:
        rejected = self._rejected.setdefault(service, set())
        if is_new:
            rejected.add((resource, key))
        else:
            rejected.discard((resource, key))
            if not rejected:
                del self._rejected[service]
