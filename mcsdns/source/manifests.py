"""
What a manifest file holds: Kubernetes objects in YAML or JSON, several documents in a file, lists included. Pure.

Rules:
1. Kinds that are not watched are passed over without a word: a folder may hold Services and Namespaces as well.
2. A file is read whole or not at all. One object in it that cannot be read costs that object alone.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec
import yaml
from msgspec import Struct

from mcsdns.source.events import Resource
from mcsdns.source.objects import (
    ClusterProperty,
    EndpointSlice,
    Object,
    ServiceExport,
    ServiceImport,
    TooLarge,
    convert,
)

GROUPS: dict[tuple[str, str], tuple[Resource, Any]] = {
    ("multicluster.x-k8s.io", "ServiceImport"): (Resource.SERVICE_IMPORTS, ServiceImport),
    ("multicluster.x-k8s.io", "ServiceExport"): (Resource.SERVICE_EXPORTS, ServiceExport),
    ("discovery.k8s.io", "EndpointSlice"): (Resource.ENDPOINT_SLICES, EndpointSlice),
    ("about.k8s.io", "ClusterProperty"): (Resource.CLUSTER_PROPERTIES, ClusterProperty),
}
_KINDS = {kind: group for group, kind in GROUPS}
_NAMESPACED = {ServiceImport, ServiceExport, EndpointSlice}

# libyaml where PyYAML was built with it: ten times as fast.
_Fastest: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class _Loader(_Fastest):  # type: ignore[misc]
    """Takes what looks like a time or a number to base 60 as text, as kubectl does: an IPv6 address may look like one."""

    def time(self, node: yaml.ScalarNode) -> str:
        """Return the text of a time."""
        return str(node.value)

    def number(self, node: yaml.ScalarNode) -> int | str:
        """Return a number, or the text of one to base 60."""
        return str(node.value) if ":" in node.value else int(self.construct_yaml_int(node))


_Loader.add_constructor("tag:yaml.org,2002:timestamp", _Loader.time)
_Loader.add_constructor("tag:yaml.org,2002:int", _Loader.number)


class Content(Struct, frozen=True):
    """
    What one file holds.

    Args:
        objects: Those of watched kinds, in the order of the file.
        problems: What in it could not be taken, for people.
    """

    objects: tuple[tuple[Resource, Object], ...]
    problems: tuple[str, ...]


def read(raw: bytes, is_json: bool, object_bytes: int | None = None) -> Content:
    """
    Read the content of one file.

    Args:
        raw: Its octets.
        is_json: JSON; else YAML.
        object_bytes: How many octets an object may have as JSON; a larger one is `TooLarge`. None: any number.

    Raises:
        ValueError: It does not parse; the message says where.
    """
    objects: list[tuple[Resource, Object]] = []
    problems: list[str] = []
    for document in _documents(raw, is_json):
        for item in _items(document):
            found = _object(item)
            if isinstance(found, tuple) and object_bytes is not None and len(raw) > object_bytes:
                found = _bounded(*found, item, object_bytes)
            if isinstance(found, str):
                problems.append(found)
            elif found is not None:
                objects.append(found)
    return Content(tuple(objects), tuple(problems))


def _documents(raw: bytes, is_json: bool) -> list[Any]:
    form = "JSON" if is_json else "YAML"
    try:
        return [msgspec.json.decode(raw)] if is_json else list(yaml.load_all(raw, _Loader))
    except (msgspec.DecodeError, yaml.YAMLError, ValueError) as error:
        raise ValueError(f"not valid {form}: {' '.join(str(error).split())}") from error
    except RecursionError as error:
        raise ValueError(f"not valid {form}: it is nested too deeply") from error


def _items(document: Any) -> Iterator[Any]:
    """Give the objects of a document: itself, or those of the list that it is (`List`, `EndpointSliceList`, …)."""
    if not isinstance(document, dict):
        if document is not None:
            yield document
        return
    kind, items = document.get("kind"), document.get("items")
    if not (isinstance(kind, str) and kind.endswith("List") and isinstance(items, list)):
        yield document
        return
    implied = {"kind": kind.removesuffix("List"), "apiVersion": document.get("apiVersion")} if kind != "List" else {}
    for item in items:
        yield implied | item if isinstance(item, dict) else item


def _bounded(resource: Resource, obj: Object, item: Any, object_bytes: int) -> tuple[Resource, Object]:
    """Return an object that is not too large, or that it is: only a file that is itself so large can hold one."""
    size = len(msgspec.json.encode(item))
    return resource, obj if size <= object_bytes else TooLarge(obj.metadata, f"{size:,} octets")


def _object(item: Any) -> tuple[Resource, Object] | str | None:
    """Return the object, or why there is none, or None where its kind is not watched."""
    if not isinstance(item, dict):
        return f"expected an object with kind and metadata, found {type(item).__name__}"
    kind, version = item.get("kind"), item.get("apiVersion")
    if not isinstance(kind, str) or not isinstance(version, str):
        return "an object has no kind or no apiVersion"
    group = version.partition("/")[0]
    watched = GROUPS.get((group, kind))
    if watched is None:
        wanted = _KINDS.get(kind)
        return None if wanted is None else f"{kind} of group {group!r} is passed over; expected group {wanted!r}"
    resource, form = watched
    if form in _NAMESPACED and isinstance(item.get("metadata"), dict):
        # As kubectl does: an object that names no namespace belongs to `default`.
        metadata = item["metadata"]
        item = item | {"metadata": metadata | {"namespace": metadata.get("namespace") or "default"}}
    found: Object | None = convert(form, item)
    return (resource, found) if found is not None else f"a {kind} has no metadata.name"
