"""
`/status`: how it stands with the server, its member clusters and its views, as one value that becomes JSON.

Rules:
1. A duration is in seconds and its name ends in `_s`; an age of None means that nothing has come yet.
2. What is wrong is named in words; what is left out is counted here and explained by `/explain`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

from msgspec import Struct

from mcsdns.admin.omitted import Omitted, of_cluster
from mcsdns.admin.state import ServerState
from mcsdns.clusterset.merge import duplicates
from mcsdns.clusterset.mirror import Mirror
from mcsdns.config import Address, Cluster
from mcsdns.source.events import Resource
from mcsdns.source.health import Health
from mcsdns.source.quota import Quota
from mcsdns.source.refusals import Refusals


class ListenerStatus(Struct, frozen=True):
    """An address that is served over UDP and TCP."""

    address: str
    view: str


class ResourceStatus(Struct, frozen=True):
    """
    The stream of one resource.

    Args:
        objects: How many objects concern the zone.
        version: The API group and version that it is read as, such as `multicluster.x-k8s.io/v1beta1`; None where the API server
            serves none, before that is known, and in a folder, whose objects name theirs themselves.
        listed: It has been listed once.
        age_s: Seconds since the last sign of life.
        problem: Why the stream is broken, or None.
        relists: How often it was listed again, by reason.
        errors: How often it failed, by code.
        drift: How many differences lists found to what the watch had told.
        skipped: How many objects had not even a name.
    """

    objects: int
    version: str | None
    listed: bool
    age_s: float | None
    problem: str | None
    relists: Mapping[str, int]
    errors: Mapping[str, int]
    drift: int
    skipped: int


class QuotaStatus(Struct, frozen=True):
    """
    One quota of a cluster.

    Args:
        limit: What it allows.
        used: How much the resource or service uses that uses most; None where that is not counted.
        refused: How many objects it refuses.
        among: A few of them by name, by resource.
    """

    limit: int
    used: int | None
    refused: int
    among: Mapping[str, Sequence[str]]


class ClusterStatus(Struct, frozen=True):
    """
    One member cluster.

    Args:
        name: As configured.
        source: Where it is heard from: `api-server` or `folder`.
        id: Its cluster id.
        id_source: Where the id comes from: `configured`, `property` (the ClusterProperty) or `name`.
        property_id: What the ClusterProperty says, where there is one; it should be `id`.
        uid: The UID of its namespace kube-system, which tells it apart for life; None where that is not known.
        uid_problem: Why it is not known or cannot be confirmed, or None.
        optional: Negatives are not held back for it after the sync deadline.
        state: `unsynced`, `synced` or `stale`.
        cause: Why.
        for_s: Since when.
        coming: How it stands with the source that the configuration names now and that has not been heard whole yet; None: there is
            no other.
        whole: Everything that exists could be read.
        resources: By resource.
        omissions: What is left out of what it says, by reason.
        problems: What is wrong in what was read, by file or object.
        quotas: How much of it is taken in, by quota.
    """

    name: str
    source: str
    id: str
    id_source: str
    property_id: str | None
    uid: str | None
    uid_problem: str | None
    optional: bool
    state: str
    cause: str
    for_s: float
    coming: str | None
    whole: bool
    resources: Mapping[str, ResourceStatus]
    omissions: Mapping[str, int]
    problems: Mapping[str, str]
    quotas: Mapping[str, QuotaStatus]


class ViewStatus(Struct, frozen=True):
    """
    One view of the zone.

    Args:
        name: The consuming cluster, or `any`.
        serial: The SOA serial that is published.
        hash: Stands for the records: equal in replicas that hold the same, whatever their serials. In hexadecimal.
        complete: Names that are not found are NXDOMAIN, not SERVFAIL.
        services: How many services it imports.
        omissions: What is left out of them, by reason.
    """

    name: str
    serial: int
    hash: str
    complete: bool
    services: int
    omissions: Mapping[str, int]


class Duplicate(Struct, frozen=True):
    """A cluster of which nothing counts, because another one before it has its cluster id."""

    cluster: str
    id: str
    taken_by: str


class ConfigStatus(Struct, frozen=True):
    """
    The configuration file.

    Args:
        path: Where it is; None where none was named.
        loaded: When what is in force was read, RFC 3339.
        error: Why the file as it is now was refused, or None. What was in force goes on.
        waiting_for_restart: The keys of the file that wait for a restart, each with what to do.
    """

    path: str | None
    loaded: str
    error: str | None
    waiting_for_restart: Mapping[str, str]


class Status(Struct, frozen=True, kw_only=True):
    """
    The server as a whole.

    Args:
        version: Of mcsdns.
        plane: `native` or `python`.
        zone: The zone's name.
        ready: As `/readyz` tells it.
        why: Why it is ready, or is not.
        started: When, RFC 3339.
        config: The configuration file.
        listeners: What is bound.
        clusters: In the order of the configuration.
        views: What is served.
        duplicates: Clusters that are refused.
    """

    version: str
    plane: str
    zone: str
    ready: bool
    why: str
    started: str
    config: ConfigStatus
    listeners: tuple[ListenerStatus, ...]
    clusters: tuple[ClusterStatus, ...]
    views: tuple[ViewStatus, ...]
    duplicates: tuple[Duplicate, ...]


def status(state: ServerState, omitted: Omitted | None = None) -> Status:
    """
    Tell how it stands.

    Args:
        state: Of the server.
        omitted: What is left out, where it was counted a moment ago; None: it is counted now, which takes long for many services.
    """
    is_ready, why = state.is_ready()
    file = state.config_file
    if omitted is None:
        omitted = state.omissions.count(state.views, state.mirrors)
    configured = {cluster.name: cluster for cluster in state.config.clusters}
    return Status(
        version=state.version,
        plane=state.plane.name,
        zone=state.config.zone.removesuffix("."),
        ready=is_ready,
        why=why,
        started=_time(state.started_at),
        config=ConfigStatus(file.path, _time(file.loaded_at), file.error, file.waiting),
        listeners=tuple(ListenerStatus(str(Address(one.host, one.port)), one.view) for one in state.listeners),
        clusters=tuple(_cluster(mirror, state, configured[mirror.cluster], omitted) for mirror in state.mirrors),
        views=tuple(
            ViewStatus(
                name=view.view.name,
                serial=view.serial,
                hash=f"{view.hash:013x}",
                complete=view.complete,
                services=len(view.services),
                omissions=state.omissions.in_view(view),
            )
            for view in state.views
        ),
        duplicates=tuple(
            Duplicate(refused.cluster, refused.cluster_id, first.cluster)
            for refused, first in duplicates(state.mirrors)
        ),
    )


def _time(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds")


def _cluster(mirror: Mirror, state: ServerState, cluster: Cluster, omitted: Omitted) -> ClusterStatus:
    health, coming = state.health[mirror.cluster], state.coming.get(mirror.cluster)
    source = "configured" if mirror.configured_id else "property" if mirror.property_id else "name"
    return ClusterStatus(
        name=mirror.cluster,
        source="api-server" if cluster.manifests is None else "folder",
        id=mirror.cluster_id,
        id_source=source,
        property_id=mirror.property_id,
        uid=health.uid,
        uid_problem=health.uid_problem,
        optional=cluster.optional,
        state=health.state.value,
        cause=health.cause,
        for_s=round(health.for_s(), 3),
        coming=f"{coming.state}: {coming.cause}" if coming is not None else None,
        whole=mirror.is_whole,
        resources={resource.value: _resource(mirror, health, resource) for resource in Resource},
        omissions=of_cluster(mirror.cluster, omitted),
        problems=dict(health.problems),
        quotas={quota.value: _quota(health.refusals, quota) for quota in Quota},
    )


def _quota(refusals: Refusals, quota: Quota) -> QuotaStatus:
    among = {one.resource.value: one.shown for one in refusals if one.quota is quota}
    return QuotaStatus(refusals.limit(quota), refusals.used(quota), refusals.refused(quota), among)


def _resource(mirror: Mirror, health: Health, resource: Resource) -> ResourceStatus:
    stream, age_s = health.streams[resource], health.age_s(resource)
    return ResourceStatus(
        objects=mirror.count(resource),
        version=stream.version,
        listed=stream.is_listed,
        age_s=None if age_s is None else round(age_s, 3),
        problem=stream.problem,
        relists=dict(stream.relists),
        errors=dict(stream.errors),
        drift=stream.drift,
        skipped=stream.skipped,
    )
