"""
The Kubernetes objects, as narrow structs: only the fields that are used, so that decoding is quick and memory small.

Rules:
1. What the API may leave out or send as null has a default.
2. One bad item never costs its neighbours. An object that cannot be read becomes `Malformed`; a bad entry in one of its lists
   is left out, and told in `problems`.
3. No value is judged here beyond its JSON type: what a port number or an address may be is for `mcsdns.clusterset.intake`.
4. Lists are read as tuples: the garbage collector looks at a tuple of such structs once, and at a list again and again.

Source: KEP-1645 and mcs-api v0.5.2 (ServiceImport, ServiceExport); discovery.k8s.io/v1 (EndpointSlice); KEP-2149 (ClusterProperty).
"""

from __future__ import annotations

from typing import Any, Generic, TypeVar

import msgspec
from msgspec import Struct, field


class Labels(Struct, frozen=True, gc=False):
    """The labels of an EndpointSlice that say whose it is."""

    imported_service: str | None = field(default=None, name="multicluster.kubernetes.io/service-name")
    source_cluster: str | None = field(default=None, name="multicluster.kubernetes.io/source-cluster")
    native_service: str | None = field(default=None, name="kubernetes.io/service-name")


class Annotations(Struct, frozen=True, gc=False):
    """The one annotation that is read: when the change happened that led to this version of the object (RFC 3339)."""

    last_change: str | None = field(default=None, name="endpoints.kubernetes.io/last-change-trigger-time")


class Metadata(Struct, frozen=True, gc=False):
    """What every object carries."""

    name: str
    namespace: str = ""
    resource_version: str = field(default="", name="resourceVersion")
    created: str | None = field(default=None, name="creationTimestamp")
    labels: Labels | None = None
    annotations: Annotations | None = None


class Port(Struct, frozen=True, gc=False):
    """A port of a ServiceImport or an EndpointSlice."""

    name: str | None = None
    protocol: str | None = None
    port: int | None = None


class ImportSpec(Struct, frozen=True, gc=False):
    """`spec` of a ServiceImport. Neither `type` nor `ips` is validated by older API servers."""

    type: str | None = None
    ips: tuple[str, ...] | None = None
    ports: tuple[Port, ...] | None = None


class ImportedFrom(Struct, frozen=True, gc=False):
    """One entry of `status.clusters`."""

    cluster: str


class ImportStatus(Struct, frozen=True, gc=False):
    """`status` of a ServiceImport."""

    clusters: tuple[ImportedFrom, ...] | None = None


class ServiceImport(Struct, frozen=True, gc=False):
    """multicluster.x-k8s.io ServiceImport, v1beta1 or v1alpha1."""

    metadata: Metadata
    spec: ImportSpec | None = None
    status: ImportStatus | None = None
    problems: tuple[str, ...] = field(default=(), name=".problems")


class Condition(Struct, frozen=True, gc=False):
    """A condition of a ServiceExport: Valid, Ready or Conflict."""

    type: str
    status: str
    reason: str | None = None
    message: str | None = None


class ExportStatus(Struct, frozen=True, gc=False):
    """`status` of a ServiceExport."""

    conditions: tuple[Condition, ...] | None = None


class ServiceExport(Struct, frozen=True, gc=False):
    """multicluster.x-k8s.io ServiceExport, v1beta1 or v1alpha1."""

    metadata: Metadata
    status: ExportStatus | None = None
    problems: tuple[str, ...] = field(default=(), name=".problems")


class EndpointConditions(Struct, frozen=True, gc=False):
    """Only readiness matters; absent means ready."""

    ready: bool | None = None


class Endpoint(Struct, frozen=True, gc=False):
    """One backend: all of its addresses count."""

    addresses: tuple[str, ...] | None = None
    hostname: str | None = None
    conditions: EndpointConditions | None = None


class EndpointSlice(Struct, frozen=True, gc=False):
    """discovery.k8s.io/v1 EndpointSlice, imported or native."""

    metadata: Metadata
    address_type: str = field(default="", name="addressType")
    endpoints: tuple[Endpoint, ...] | None = None
    ports: tuple[Port, ...] | None = None
    problems: tuple[str, ...] = field(default=(), name=".problems")


CLUSTER_ID_PROPERTY = "cluster.clusterset.k8s.io"
"""The ClusterProperty that holds the cluster id (KEP-2149)."""


class PropertySpec(Struct, frozen=True, gc=False):
    """`spec` of a ClusterProperty."""

    value: str


class ClusterProperty(Struct, frozen=True, gc=False):
    """about.k8s.io ClusterProperty; cluster-scoped."""

    metadata: Metadata
    spec: PropertySpec
    problems: tuple[str, ...] = field(default=(), name=".problems")


class Named(Struct, frozen=True, gc=False):
    """An object of which only the metadata is read."""

    metadata: Metadata


class Malformed(Struct, frozen=True, gc=False):
    """An object that exists under this name but cannot be read."""

    metadata: Metadata
    problem: str


class TooLarge(Malformed, frozen=True, gc=False):
    """An object of more octets than the quota of its cluster allows: it is not read."""


Object = ServiceImport | ServiceExport | EndpointSlice | ClusterProperty | Malformed

Kind = TypeVar("Kind", ServiceImport, ServiceExport, EndpointSlice, ClusterProperty)

_LISTS: dict[type[Any], tuple[tuple[str, str, type[Any]], ...]] = {
    ServiceImport: (("spec", "ips", str), ("spec", "ports", Port), ("status", "clusters", ImportedFrom)),
    ServiceExport: (("status", "conditions", Condition),),
    EndpointSlice: (("", "endpoints", Endpoint), ("", "ports", Port)),
    Endpoint: (("", "addresses", str),),
    ClusterProperty: (),
}
"""The lists of which a bad entry is left out alone: the part that holds it, its field, what an entry is."""

# msgspec looks at a Struct when it is first decoded, and two threads that are first at once end the process (SIGSEGV): folders are
# read in threads. So all of them are looked at here, where there is one.
for _kind in _LISTS:
    msgspec.json.Decoder(_kind)


def convert(kind: type[Kind], content: Any) -> Kind | Malformed | None:
    """
    Make an object from plain values, as JSON or YAML gives them, with as much of it as can be read.

    Args:
        kind: What it is to be.
        content: A mapping with `metadata`, `spec` and so on.

    Returns:
        The object; `Malformed` where something outside its lists is wrong; None where it has not even a name.
    """
    try:
        return msgspec.convert(content, kind)
    except msgspec.ValidationError as error:
        problem = str(error)
    metadata = _metadata(content)
    if metadata is None:
        return None
    pruned, problems = _prune(kind, content)
    try:
        made = msgspec.convert(pruned, kind)
    except msgspec.ValidationError:
        return Malformed(metadata, problem)
    return msgspec.structs.replace(made, problems=tuple(problems))


class Decoder(Generic[Kind]):
    """Decodes objects of one kind from JSON bytes. Reused, because making one costs more than an object."""

    def __init__(self, kind: type[Kind]) -> None:
        self._kind: type[Kind] = kind
        self._strict: msgspec.json.Decoder[Kind] = msgspec.json.Decoder(kind)

    def decode(self, raw: bytes | msgspec.Raw) -> Object | None:
        """
        Decode one object.

        Args:
            raw: One JSON object.

        Returns:
            As `convert`.

        Raises:
            msgspec.DecodeError: `raw` is not JSON.
        """
        try:
            try:
                return self._strict.decode(raw)
            except msgspec.ValidationError:
                return convert(self._kind, msgspec.json.decode(raw))
        except (UnicodeDecodeError, RecursionError) as error:  # msgspec finds these itself, but names them so
            raise msgspec.DecodeError(str(error)) from error


def _metadata(content: Any) -> Metadata | None:
    """Read the name and namespace, whatever else is wrong."""
    found = content.get("metadata") if isinstance(content, dict) else None
    if not isinstance(found, dict):
        return None
    parts = ("name", "namespace", "resourceVersion", "creationTimestamp")
    name, namespace, rv, created = (found.get(part) for part in parts)
    if not isinstance(name, str):
        return None
    labels = found.get("labels")
    known = {n: v for n, v in labels.items() if isinstance(v, str)} if isinstance(labels, dict) else {}
    return Metadata(
        name=name,
        namespace=namespace if isinstance(namespace, str) else "",
        resource_version=rv if isinstance(rv, str) else "",
        created=created if isinstance(created, str) else None,
        labels=msgspec.convert(known, Labels),
    )


def _prune(kind: type[Any], content: dict[str, Any]) -> tuple[dict[str, Any], list[str]]:
    """Copy `content` without the entries of its lists that cannot be read, and say which."""
    pruned = dict(content)
    problems: list[str] = []
    for part, name, entry in _LISTS[kind]:
        holder = dict(pruned[part]) if part and isinstance(pruned.get(part), dict) else pruned
        entries = holder.get(name)
        if not isinstance(entries, list):
            continue
        good = []
        for index, value in enumerate(entries):
            place = f"{part}.{name}[{index}]".lstrip(".")
            kept, inner = _prune(entry, value) if entry in _LISTS and isinstance(value, dict) else (value, [])
            try:
                msgspec.convert(kept, entry)
            except msgspec.ValidationError as error:
                problems.append(f"{place}: {error}")
            else:
                good.append(kept)
                problems += (f"{place}.{problem}" for problem in inner)
        holder[name] = good
        if part and holder is not pruned:
            pruned[part] = holder
    return pruned, problems
