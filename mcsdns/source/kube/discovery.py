"""
Where each resource is in an API server: which versions we read, which come first, and which one a server serves.

Rules:
1. The first of the versions is tried without asking: in the common case discovery costs nothing.
2. A 404 alone proves nothing: a load balancer says it too. What is absent is absent by the server's own list of what it serves.
3. The versions of ServiceImport and ServiceExport are chosen apart, because their CRDs are installed apart.

Not here: when to look (`mcsdns.source.kube.reflector`).

Source: Kubernetes API discovery (`/apis`, `/apis/<group>/<version>`); mcs-api (v1beta1, v1alpha1); KEP-2149 (ClusterProperty).
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from typing import Any, Final, TypeVar

import msgspec
from msgspec import Struct, field

from mcsdns.errors import ApiError, StreamError
from mcsdns.source.events import Resource
from mcsdns.source.objects import ClusterProperty, EndpointSlice, ServiceExport, ServiceImport


class Kind(Struct, frozen=True):
    """
    A watched resource.

    Attributes:
        resource: Its name in URLs.
        group: Its API group.
        versions: Those we can read, the preferred one first.
        name: Its `kind`; that of its lists ends in `List`.
        type: What one object is decoded to.
        is_custom: It has a CRD, which can be deleted.
    """

    resource: Resource
    group: str
    versions: tuple[str, ...]
    name: str
    type: type[Any]
    is_custom: bool = True

    @property
    def crd(self) -> str:
        """Return the name of its CRD."""
        return f"{self.resource}.{self.group}"

    def path(self, version: str) -> str:
        """Return the path of all objects of this kind, in every namespace."""
        return f"/apis/{self.group}/{version}/{self.resource}"


_MCS: Final = "multicluster.x-k8s.io"

KINDS: Final = (
    Kind(Resource.SERVICE_IMPORTS, _MCS, ("v1beta1", "v1alpha1"), "ServiceImport", ServiceImport),
    Kind(Resource.SERVICE_EXPORTS, _MCS, ("v1beta1", "v1alpha1"), "ServiceExport", ServiceExport),
    Kind(Resource.ENDPOINT_SLICES, "discovery.k8s.io", ("v1",), "EndpointSlice", EndpointSlice, is_custom=False),
    Kind(
        Resource.CLUSTER_PROPERTIES, "about.k8s.io", ("v1", "v1beta1", "v1alpha1"), "ClusterProperty", ClusterProperty
    ),
)
"""What is watched in each cluster. RBAC is `get, list, watch` on these. Beside them only one UID is ever read (`identity`)."""

Get = Callable[[str], Awaitable[bytes]]
"""Gets the body of a path, or raises an ApiError."""


class _GroupVersion(Struct):
    version: str


class _Group(Struct):
    name: str
    versions: list[_GroupVersion]


class _Groups(Struct):
    kind: str
    groups: list[_Group]


class _Resource(Struct):
    name: str
    verbs: list[str]


class _Resources(Struct):
    kind: str
    group_version: str = field(name="groupVersion")
    resources: list[_Resource]


async def find(get: Get, kind: Kind) -> str | None:
    """
    Ask an API server which version of `kind` to use.

    Args:
        get: How to ask.
        kind: What is looked for.

    Returns:
        The first of our versions that can be listed and watched, or None where none can.

    Raises:
        SourceError: The server gave no trustworthy answer. An ApiError 403 tells what cannot be found out because of it.
    """
    try:
        groups = await get("/apis")
    except ApiError as error:
        if error.status != 403:
            raise
        problem = (
            f"{kind.resource} are not served as {kind.group}/{kind.versions[0]}, and /apis, which tells as what else, may"
            f" not be read: bind the ClusterRole system:discovery ({error.reason})"
        )
        raise ApiError(403, problem) from error
    return await find_in(get, kind, versions_served(groups, kind.group))


async def find_in(get: Get, kind: Kind, served: Iterable[str]) -> str | None:
    """As `find`, where the versions that the server has of the group are known."""
    known = set(served)
    for version in kind.versions:
        if version not in known:
            continue
        try:
            body = await get(f"/apis/{kind.group}/{version}")
        except ApiError as error:
            if error.status == 404:
                continue
            raise
        if kind.resource in resources_served(body, f"{kind.group}/{version}"):
            return version
    return None


async def verbs_served(get: Get, kind: Kind, version: str) -> frozenset[str] | None:
    """
    Ask an API server what can be done with `kind` in one version.

    Returns:
        The verbs, or None where the server does not serve it so, by its own word.

    Raises:
        SourceError: The server gave no trustworthy answer. An ApiError 404 tells that discovery is not there at all.
    """
    group_version = f"{kind.group}/{version}"
    try:
        body = await get(f"/apis/{group_version}")
    except ApiError as error:
        if error.status != 404:
            raise
        versions_served(await get("/apis"), kind.group)
        return None
    found = _resources(body, group_version)
    return next((frozenset(entry.verbs) for entry in found if entry.name == kind.resource), None)


def versions_served(body: bytes, group: str) -> tuple[str, ...]:
    """
    Read `/apis`.

    Args:
        body: What the server said.
        group: An API group.

    Returns:
        The versions of this group that are served, in the server's order; none where it has no such group.

    Raises:
        StreamError: It is not a list of API groups.
    """
    groups = _decode(body, _Groups, "APIGroupList")
    return tuple(entry.version for found in groups.groups if found.name == group for entry in found.versions)


def resources_served(body: bytes, group_version: str) -> frozenset[str]:
    """
    Read `/apis/<group>/<version>`.

    Args:
        body: What the server said.
        group_version: What was asked for.

    Returns:
        The resources that can be listed and watched.

    Raises:
        StreamError: It is not the list of resources of this version.
    """
    return frozenset(entry.name for entry in _resources(body, group_version) if {"list", "watch"} <= set(entry.verbs))


def _resources(body: bytes, group_version: str) -> list[_Resource]:
    """Decode the list of resources of a version, and make sure that it is of this one."""
    found = _decode(body, _Resources, "APIResourceList")
    if found.group_version != group_version:
        raise StreamError(f"expected the resources of {group_version}, found those of {found.group_version[:64]!r}")
    return found.resources


_Document = TypeVar("_Document", _Groups, _Resources)


def _decode(body: bytes, shape: type[_Document], kind: str) -> _Document:
    """Decode a discovery document and make sure that it is one."""
    try:
        document = msgspec.json.decode(body, type=shape)
    except msgspec.MsgspecError as error:
        raise StreamError(f"expected {kind}, found something else: {error}") from error
    if document.kind != kind:
        raise StreamError(f"expected {kind}, found {document.kind[:64]!r}")
    return document
