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
from itertools import chain

from mcsdns.clusterset.held import Held, Listing, ObjectKey
from mcsdns.clusterset.intake import Value, changed_at, intake
from mcsdns.clusterset.model import Export, Import, ObjectRef, Omission, Property, Rejected, ServiceKey, Slice
from mcsdns.source.events import Apply, Delete, Event, Init, InitApply, InitDone, InitDrop, Resource
from mcsdns.source.objects import CLUSTER_ID_PROPERTY, Object

KINDS = {
    Resource.SERVICE_IMPORTS: "ServiceImport",
    Resource.SERVICE_EXPORTS: "ServiceExport",
    Resource.ENDPOINT_SLICES: "EndpointSlice",
    Resource.CLUSTER_PROPERTIES: "ClusterProperty",
}


class Mirror:
    """
    What one watched cluster last said.

    Args:
        cluster: Its configured name.
        configured_id: The cluster id that the configuration gives it, or None.

    Attributes:
        triggers: Of slices that have changed: the service, the source cluster, and when what led to it happened, in seconds since
            1970. For whoever measures, and clears it.
    """

    def __init__(self, cluster: str, configured_id: str | None = None) -> None:
        self.cluster = cluster
        self.configured_id = configured_id
        self.triggers: list[tuple[ServiceKey, str, float]] = []
        self._held = {resource: Held() for resource in Resource}
        self._staged: dict[Resource, Listing] = {}
        self._listed: dict[Resource, bool] = {}

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
            The services that may have changed by it; each may be named more than once. At the end of a list they can be many: they
            are worked out, and what was replaced is freed, as they are gone through.
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
                self._staged[resource] = Listing(self._held[resource])
            case InitDone(resource=resource, whole=whole):
                return self._replace(resource, whole)
        return ()

    def keys(self) -> set[ServiceKey]:
        """Return every service that this cluster says anything about, heard or not."""
        return set(self.each_key())

    def each_key(self) -> Iterator[ServiceKey]:
        """Give what `keys` returns, as it is when this is called, but some more than once: to be gone through in small steps."""
        return chain.from_iterable([held.keys() for held in self._held.values()])

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
        return self._held[Resource.ENDPOINT_SLICES].slices.get(key, {})

    def rejected_of(self, key: ServiceKey | None) -> Iterator[Omission]:
        """Give the objects about a service of which nothing counts; None: those that are about no service that can be told."""
        for resource, held in self._held.items():
            for object_key in held.rejected.get(key, ()):
                value = held.values[object_key]
                if isinstance(value, Rejected):
                    yield Omission(value.reason, self.cluster, self._text(resource, object_key), value.detail)

    def rejected(self) -> Iterator[Omission]:
        """Give every object of which nothing counts."""
        for key in {key for held in self._held.values() for key in held.rejected}:
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
        held = [
            self._staged[resource].now if resource in self._staged else held for resource, held in self._held.items()
        ]
        return sum(len(one.values) for one in held)

    def _text(self, resource: Resource, key: ObjectKey) -> str:
        return f"{KINDS[resource]} {'/'.join(part for part in key if part)}"

    def _visible(self, keys: Iterable[ServiceKey]) -> Iterable[ServiceKey]:
        return keys if self.is_heard else ()

    def _stage(self, resource: Resource, obj: Object) -> None:
        key, value = self._take_in(resource, obj)
        staged = self._staged.get(resource)
        if staged is not None:
            staged.put(key, value, obj.metadata.resource_version)

    def _unstage(self, resource: Resource, key: ObjectKey) -> None:
        staged = self._staged.get(resource)
        if staged is not None:
            staged.drop(key)

    def _take_in(self, resource: Resource, obj: Object) -> tuple[ObjectKey, Value | None]:
        key = (obj.metadata.namespace, obj.metadata.name)
        value = intake(obj)
        match value:
            case Import(key=service) | Export(key=service):
                return service, value
            case Rejected() if resource in (Resource.SERVICE_IMPORTS, Resource.SERVICE_EXPORTS):
                service = ServiceKey(*key)
                return service, Rejected(service, value.reason, value.detail)
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
            self.triggers.append((value.key, value.source_cluster or self.cluster_id, at))
        return self._set(resource, key, value)

    def _drop(self, resource: Resource, key: ObjectKey) -> Iterable[ServiceKey]:
        self._held[resource].versions.pop(key, None)
        return self._set(resource, key, None)

    def _set(self, resource: Resource, key: ObjectKey, value: Value | None) -> Iterable[ServiceKey]:
        staged = self._staged.get(resource)
        if staged is not None:
            staged.touch(key)
        old = self._held[resource].put(key, value)
        changed = [one for one in (old, value) if one is not None]
        if any(isinstance(one, Property) for one in changed):
            return self.each_key()
        return {service for one in changed for service in self._concerned(one)}

    def _replace(self, resource: Resource, whole: bool) -> Iterable[ServiceKey]:
        was_heard = self.is_heard
        staged = self._staged.pop(resource, None) or Listing(self._held[resource])
        self._held[resource] = staged.now
        self._listed[resource] = whole
        if was_heard:
            return (service for value in staged.changes() for service in self._concerned(value))
        return self.each_key() if self.is_heard else ()

    def _concerned(self, value: Value) -> Iterable[ServiceKey]:
        """Return the services that an object concerns: the one it is about, or all, where it is the id of the cluster."""
        match value:
            case Property():
                return self.each_key()
            case Rejected(key=service):
                return () if service is None else (service,)
            case _:
                return (value.key,)
