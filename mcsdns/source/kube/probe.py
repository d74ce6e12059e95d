"""
What `mcsdns check` asks of a cluster, once and read-only.

Rules:
1. Nothing is raised: what does not work is part of the answer.
2. Permissions are asked for by SelfSubjectAccessReview, so that one that is missing is named before it is missed.

Not here: what of it is good enough (`mcsdns.cli`).
"""

from __future__ import annotations

import asyncio
import time
from typing import Final

import msgspec
from msgspec import Struct, field

from mcsdns.errors import ApiError, SourceError, StreamError
from mcsdns.source.events import Resource
from mcsdns.source.kube import certificate, identity, payload
from mcsdns.source.kube.client import Client
from mcsdns.source.kube.discovery import KINDS, Kind, find_in, versions_served
from mcsdns.source.kube.link import Link
from mcsdns.source.objects import CLUSTER_ID_PROPERTY, ClusterProperty

VERBS: Final = ("get", "list", "watch")
_DAY_S: Final = 86_400.0


class ResourceProbe(Struct, frozen=True):
    """
    How it stands with one resource.

    Attributes:
        resource: Which.
        served: The versions of its API group that the server has.
        version: The one that would be used; None where none can be: nothing of it is in the cluster.
        allowed: Whether each of `get`, `list` and `watch` is allowed; a verb is left out where the server did not say.
        objects: How many there are, or None where that is not known.
        problem: What went wrong, or None.
    """

    resource: Resource
    served: tuple[str, ...] = ()
    version: str | None = None
    allowed: dict[str, bool] = {}
    objects: int | None = None
    problem: str | None = None


class Probe(Struct, frozen=True):
    """
    How it stands with one cluster.

    Attributes:
        is_reachable: The API server answered, and knows us.
        problem: Why it did not, or None.
        server_version: Such as `v1.37.2`.
        resources: One for each watched resource; empty where the server is not reachable.
        server_certificate_days: Until its certificate ends; None over plain http.
        client_certificate_days: Until ours ends; None where we use none.
        cluster_id: As the cluster's ClusterProperty says, or None.
        uid: That of its namespace kube-system, which tells it apart for life; or None.
        uid_problem: Why that is not known, or None.
        discovery_problem: Why we may not ask which API versions there are, or None.
    """

    is_reachable: bool
    problem: str | None = None
    server_version: str | None = None
    resources: tuple[ResourceProbe, ...] = ()
    server_certificate_days: float | None = None
    client_certificate_days: float | None = None
    cluster_id: str | None = None
    uid: str | None = None
    uid_problem: str | None = None
    discovery_problem: str | None = None


class _Version(Struct):
    version: str = field(name="gitVersion")


class _ReviewStatus(Struct):
    allowed: bool = False


class _Review(Struct):
    kind: str
    status: _ReviewStatus


async def probe(link: Link) -> Probe:
    """
    Ask everything.

    Args:
        link: The connection.

    Returns:
        What was found. Nothing is raised.
    """
    try:
        client = await link.client()
        version = await _version(client)
        server = await client.certificate()
        groups, discovery_problem = await _groups(client)
        resources = await asyncio.gather(*(_probe_resource(client, kind, groups) for kind in KINDS))
        cluster_id = await _cluster_id(client, resources)
        uid, uid_problem = await _uid(client)
    except SourceError as error:
        return Probe(is_reachable=False, problem=str(error))
    except msgspec.MsgspecError:
        return Probe(is_reachable=False, problem="what answers there is no API server: /version is not as one has it")
    ours = certificate.from_pem(client.connection.client_certificate or "")
    return Probe(
        is_reachable=True,
        server_version=version,
        resources=tuple(resources),
        server_certificate_days=_days_left(server),
        client_certificate_days=_days_left(ours),
        cluster_id=cluster_id,
        uid=uid,
        uid_problem=uid_problem,
        discovery_problem=discovery_problem,
    )


async def _probe_resource(client: Client, kind: Kind, groups: bytes | None) -> ResourceProbe:
    """Ask about one resource."""
    served: tuple[str, ...] = ()
    version, objects, allowed = None, None, {}
    try:
        if groups is None:
            version = kind.versions[0]
        else:
            served = versions_served(groups, kind.group)
            version = await find_in(client.get, kind, served)
        for verb in VERBS:
            allowed[verb] = await _is_allowed(client, kind, verb)
        if version is not None and allowed["list"]:
            page = payload.read_page(await client.get(kind.path(version), {"limit": "1"}), kind)
            objects = len(page.items or ()) + (page.metadata.remaining or 0)
    except SourceError as error:
        return ResourceProbe(kind.resource, served, version, allowed, objects, str(error))
    return ResourceProbe(kind.resource, served, version, allowed, objects)


async def _is_allowed(client: Client, kind: Kind, verb: str) -> bool:
    """Ask whether we may."""
    review = {
        "apiVersion": "authorization.k8s.io/v1",
        "kind": "SelfSubjectAccessReview",
        "spec": {"resourceAttributes": {"group": kind.group, "resource": str(kind.resource), "verb": verb}},
    }
    body = await client.post("/apis/authorization.k8s.io/v1/selfsubjectaccessreviews", msgspec.json.encode(review))
    try:
        return msgspec.json.decode(body, type=_Review).status.allowed
    except msgspec.MsgspecError as error:
        raise StreamError(f"expected a SelfSubjectAccessReview, found something else: {error}") from error


async def _cluster_id(client: Client, resources: list[ResourceProbe]) -> str | None:
    """Read the cluster id, where the cluster has one and we may."""
    kind = next(kind for kind in KINDS if kind.resource is Resource.CLUSTER_PROPERTIES)
    found = next(entry for entry in resources if entry.resource is kind.resource)
    if found.version is None:
        return None
    try:
        body = await client.get(f"{kind.path(found.version)}/{CLUSTER_ID_PROPERTY}")
        return msgspec.json.decode(body, type=ClusterProperty).spec.value
    except (ApiError, msgspec.MsgspecError):
        return None


async def _version(client: Client) -> str | None:
    """Read the server's version, where we may."""
    try:
        return msgspec.json.decode(await client.get("/version"), type=_Version).version
    except ApiError as error:
        if error.status == 403:
            return None
        raise


async def _groups(client: Client) -> tuple[bytes | None, str | None]:
    """Get the list of API groups, or find out that we may not (a cluster without the role system:discovery)."""
    try:
        return await client.get("/apis"), None
    except ApiError as error:
        if error.status == 403:
            return None, str(error)
        raise


async def _uid(client: Client) -> tuple[str | None, str | None]:
    """Read the UID that tells the cluster apart, or find out why that cannot be."""
    try:
        return identity.read_uid(await client.get(identity.PATH)), None
    except SourceError as error:
        return None, str(error)


def _days_left(der: bytes | None) -> float | None:
    """Return the days until a certificate ends."""
    end = certificate.not_after(der) if der else None
    return None if end is None else (end.timestamp() - time.time()) / _DAY_S
