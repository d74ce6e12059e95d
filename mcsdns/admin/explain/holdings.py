"""
What an imported service has to offer below its name: ports, clusters, hosts; and which of its endpoints are left out.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from mcsdns.admin.explain.near import listed
from mcsdns.admin.explain.scene import Scene
from mcsdns.clusterset.mirror import Mirror
from mcsdns.clusterset.model import ObjectRef, Omission, Port, Reason, Service, ServiceType, Slice
from mcsdns.zone.names import labels
from mcsdns.zone.rrset import Type

ENDPOINT_REASONS = {
    Reason.NOT_READY: "not ready",
    Reason.BAD_ADDRESS: "with an address that is none",
    Reason.NOT_EXPORTED: "slice of a cluster that does not export the service",
    Reason.OUTRANKED: "slice that is outranked",
    Reason.MALFORMED: "malformed",
    Reason.BAD_TYPE: "slice of another address type",
    Reason.BAD_NAME: "slice with a wrong service name",
    Reason.DUPLICATE_CLUSTER_ID: "cluster whose id another cluster has",
}
"""Why endpoints may be missing, in words that follow a number."""


def ports(service: Service) -> list[Port]:
    """Return the ports of a service, sorted: the import's of a ClusterSetIP one, the slices' of a headless one."""
    if service.type is ServiceType.CLUSTERSET_IP:
        return list(service.ports)
    return sorted({port for backends in service.backends for port in backends.ports})


def named(scene: Scene) -> list[tuple[str, str]]:
    """Return the port and protocol of each SRV name that exists, without underscores, sorted."""
    found: set[tuple[str, str]] = set()
    if scene.records is not None:
        depth = len(list(labels(scene.records.owner)))
        for name, node in scene.records.nodes.items():
            path = [label.decode("latin-1") for label in labels(name)][:-depth]
            if len(path) == 2 and any(rrset.type == Type.SRV for rrset in node):
                found.add((path[0][1:], path[1][1:]))
    return sorted(found)


def ports_text(scene: Scene) -> str:
    """Return the ports that have names, and those that have none, as a list in a sentence."""
    texts = [f"_{port}._{protocol}" for port, protocol in named(scene)]
    if scene.service is not None:
        texts += [f"{port.number}/{port.protocol} (unnamed)" for port in ports(scene.service) if not port.name]
    return listed(texts)


def hosts(service: Service) -> dict[str, set[str]]:
    """Return the host labels below each cluster id."""
    found: dict[str, set[str]] = {}
    for backends in service.backends:
        if backends.cluster_id is not None:
            labelled = {endpoint.host for endpoint in backends.endpoints if endpoint.host}
            if labelled:
                found.setdefault(backends.cluster_id, set()).update(labelled)
    return found


def left_out(scene: Scene, cluster_id: str | None = None) -> Counter[Reason]:
    """Count, by reason, what was left out and could have held an endpoint: of one cluster, or of all."""
    return Counter(
        omission.reason
        for omission in scene.omissions()
        if omission.reason in ENDPOINT_REASONS and cluster_id in (None, _speaks_for(scene, omission))
    )


def left_out_text(scene: Scene, cluster_id: str | None = None) -> str:
    """Tell how many were left out and why: `left out: 2 not ready, 1 malformed`; empty where none was."""
    parts = [f"{count} {ENDPOINT_REASONS[reason]}" for reason, count in left_out(scene, cluster_id).most_common()]
    return f"left out: {', '.join(parts)}" if parts else ""


def is_waiting(scene: Scene, cluster_id: str, host: str) -> bool:
    """Tell whether a host is there in a cluster, but not ready."""
    return any(host in piece.waiting for piece in believed(scene, cluster_id))


def believed(scene: Scene, cluster_id: str | None = None) -> Iterator[Slice]:
    """Give the EndpointSlices that count for a headless service: those that speak for a cluster, or all."""
    for ref in scene.service.objects if scene.service is not None else ():
        piece = _slice(scene, ref.cluster, ref.name) if ref.kind == "EndpointSlice" else None
        if piece is not None and cluster_id in (None, _source_of(scene, ref.cluster, piece)):
            yield piece


def objects(scene: Scene, cluster_id: str, host: str | None) -> tuple[ObjectRef, ...]:
    """Return, of the objects of a headless service, the import and those slices that speak for a cluster and, if named, hold a host."""
    service = scene.service
    if service is None:
        return ()
    kept: list[ObjectRef] = []
    for ref in service.objects:
        piece = _slice(scene, ref.cluster, ref.name) if ref.kind == "EndpointSlice" else None
        if piece is None:
            kept += [ref] if ref.kind == "ServiceImport" or _mirror(scene, ref.cluster).cluster_id == cluster_id else []
        elif _source_of(scene, ref.cluster, piece) == cluster_id and (
            host is None or any(endpoint.host == host for endpoint in piece.endpoints)
        ):
            kept.append(ref)
    return tuple(kept)


def _speaks_for(scene: Scene, omission: Omission) -> str | None:
    kind, _, name = omission.object.partition(" ")
    piece = _slice(scene, omission.cluster, name.rpartition("/")[2]) if kind == "EndpointSlice" else None
    return None if piece is None else _source_of(scene, omission.cluster, piece)


def _source_of(scene: Scene, cluster: str, piece: Slice) -> str | None:
    """Return the id of the cluster that a slice speaks for."""
    return piece.source_cluster if piece.is_imported else _mirror(scene, cluster).cluster_id


def _slice(scene: Scene, cluster: str, name: str) -> Slice | None:
    return _mirror(scene, cluster).slices_of(scene.key).get(name) if scene.key is not None else None


def _mirror(scene: Scene, cluster: str) -> Mirror:
    return next(mirror for mirror in scene.mirrors if mirror.cluster == cluster)
