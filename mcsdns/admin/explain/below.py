"""
Why a name at or below an imported service does not exist: a cluster, a host or a port that is not there.
"""

from __future__ import annotations

from collections.abc import Iterator

from mcsdns.admin.explain import holdings
from mcsdns.admin.explain.near import address, close, listed
from mcsdns.admin.explain.ports import port
from mcsdns.admin.explain.rules import Rule
from mcsdns.admin.explain.scene import Finding, Hop, Scene
from mcsdns.clusterset.intake import PROTOCOLS
from mcsdns.clusterset.model import Service, ServiceType
from mcsdns.zone.names import to_text


def absent(scene: Scene, service: Service) -> Finding:
    """Explain why a name at or below an imported service does not exist."""
    if scene.records is not None and not scene.records.nodes:
        return _no_endpoint(scene, service)
    path = scene.below
    if "*" in path:
        return Finding(f"{scene.name} holds a *, which matches nothing else", Rule.NO_WILDCARD)
    if any(label.startswith("_") for label in path) or path[-1] in PROTOCOLS:
        return port(scene, service)
    if service.type is ServiceType.CLUSTERSET_IP:
        cause = (
            f"{_text(service)} is a ClusterSetIP service: {'.'.join(path)} can be neither a host nor a cluster of it"
        )
        return Finding(cause, Rule.CLUSTERSET_IP_HOSTS, (f"ask for {_owner(scene)} itself",))
    return _host(scene, service)


def _no_endpoint(scene: Scene, service: Service) -> Finding:
    cause = f"the headless service {_text(service)} has no ready endpoint in any cluster"
    left_out = holdings.left_out_text(scene)
    if left_out:
        return Finding(f"{cause}; {left_out}", Rule.NOT_READY)
    if service.backends:
        return Finding(f"{cause}: its EndpointSlices are empty", Rule.NOT_READY, hop=Hop.ENDPOINTS)
    hints = ("no watched cluster holds an EndpointSlice of it; is it exported, and do its Services select pods?",)
    return Finding(f"{cause}: there is no EndpointSlice of it", Rule.NOT_READY, hints, hop=Hop.ENDPOINTS)


def _host(scene: Scene, service: Service) -> Finding:
    """Explain why `<host>.<clusterid>`, or a part or an extension of it, does not exist below a headless service."""
    path, known = scene.below, holdings.hosts(service)
    ids = {backends.cluster_id for backends in service.backends if backends.cluster_id is not None}
    for cluster_id in sorted(ids, key=lambda one: -one.count(".")):
        size = cluster_id.count(".") + 1
        if path[-size:] == cluster_id.split("."):
            return _in_cluster(scene, service, cluster_id, path[:-size])
    if len(path) == 1:
        places = [cluster_id for cluster_id, labels in known.items() if path[0] in labels]
        if places:
            names = (f"{path[0]}.{cluster_id}.{_owner(scene)}" for cluster_id in places)
            cause = f"{path[0]} is a host of {_text(service)}, but the name lacks the cluster id"
            return Finding(cause, Rule.HOST_NEEDS_CLUSTER, (f"the full name: {listed(names)}",))
    return _no_cluster(scene, service, known)


def _in_cluster(scene: Scene, service: Service, cluster_id: str, rest: list[str]) -> Finding:
    """Explain why nothing is at `rest` below a cluster that has endpoints of the service."""
    known = holdings.hosts(service).get(cluster_id, set())
    if len(rest) > 1 and rest[-1] in known:
        cause = f"{rest[-1]}.{cluster_id} is a host of {_text(service)}; nothing can be below it"
        return Finding(cause, Rule.NOTHING_BELOW, objects=holdings.objects(scene, cluster_id, rest[-1]))
    objects = holdings.objects(scene, cluster_id, None)
    if not known or not rest:
        cause = f"no endpoint of {_text(service)} in {cluster_id} is ready and has a host name"
        left_out = holdings.left_out_text(scene, cluster_id)
        return Finding(f"{cause}; {left_out}" if left_out else cause, Rule.HOST, objects=objects)
    host = ".".join(rest)
    if holdings.is_waiting(scene, cluster_id, host):
        cause = f"the endpoint {host} of {_text(service)} in {cluster_id} is not ready"
        return Finding(cause, Rule.HOST, tuple(_elsewhere(scene, service, host)), objects)
    cause = f"{_text(service)} has no ready endpoint with hostname {host} in {cluster_id}"
    return Finding(cause, Rule.HOST, tuple(_near_hosts(scene, service, cluster_id, host)), objects)


def _near_hosts(scene: Scene, service: Service, cluster_id: str, host: str) -> Iterator[str]:
    packed = address(host)
    if packed is not None:
        for backends in service.backends:
            for endpoint in backends.endpoints:
                if backends.cluster_id == cluster_id and endpoint.address == packed and endpoint.host:
                    yield f"the endpoint of that address is {endpoint.host}.{cluster_id}.{_owner(scene)}"
    known = holdings.hosts(service)[cluster_id]
    near = close(host, known)
    if near:
        yield f"hosts of a similar name in {cluster_id}: {listed(near)}"
    else:
        yield f"hosts in {cluster_id}: {listed(known)}"
    yield from _elsewhere(scene, service, host)


def _elsewhere(scene: Scene, service: Service, host: str) -> Iterator[str]:
    places = [cluster_id for cluster_id, labels in holdings.hosts(service).items() if host in labels]
    if places:
        yield f"a host of that name is at: {listed(f'{host}.{place}.{_owner(scene)}' for place in places)}"


def _no_cluster(scene: Scene, service: Service, known: dict[str, set[str]]) -> Finding:
    """Explain why the labels before the service name no cluster that has endpoints of it."""
    path = scene.below
    hints = list(_cluster_hints(scene, known))
    if len(path) > 1:
        hints += _elsewhere(scene, service, path[0])
    if any(backends.cluster_id is None and backends.endpoints for backends in service.backends):
        hints.append("some EndpointSlices name no source cluster: their addresses count, but get no host names")
    text = ".".join(path[1:]) or path[0]
    members = {mirror.cluster_id: mirror.cluster for mirror in scene.heard}
    for size in (1, 2):
        member = ".".join(path[-size:])
        if member in members:
            cause = f"the cluster {member} has no ready endpoint of {_text(service)}"
            left_out = holdings.left_out_text(scene, member)
            return Finding(f"{cause}; {left_out}" if left_out else cause, Rule.HOST, tuple(hints))
    return Finding(f"{text} is no cluster id with a ready endpoint of {_text(service)}", Rule.HOST, tuple(hints))


def _cluster_hints(scene: Scene, known: dict[str, set[str]]) -> Iterator[str]:
    path = scene.below
    for mirror in scene.heard:
        if mirror.cluster_id != mirror.cluster and mirror.cluster in (path[-1], ".".join(path[-2:])):
            yield f"the cluster that the configuration names {mirror.cluster} has the cluster id {mirror.cluster_id}"
    for size in (1, 2):
        near = close(".".join(path[-size:]), known) if len(path) >= size else []
        near += [one for one in known if path[-1] in one.split(".") and one not in near]
        if near and len(near) < len(known):
            yield f"cluster ids of a similar spelling: {listed(near)}"
            break
    yield f"cluster ids with hosts of the service: {listed(known)}"


def _owner(scene: Scene) -> str:
    return to_text(scene.records.owner) if scene.records is not None else ""


def _text(service: Service) -> str:
    return f"{service.key.namespace}/{service.key.name}"
