"""
Why a name that exists answers what it does: with records, or without (NODATA).
"""

from __future__ import annotations

from mcsdns.admin.explain import holdings
from mcsdns.admin.explain.near import listed
from mcsdns.admin.explain.rules import Rule
from mcsdns.admin.explain.scene import Finding, Lookup, Scene
from mcsdns.clusterset.model import Reason, Service, ServiceType
from mcsdns.zone.masterfile import type_text
from mcsdns.zone.names import to_text
from mcsdns.zone.rrset import Type

_FAMILIES = {int(Type.A): "IPv4", int(Type.AAAA): "IPv6"}


def found(scene: Scene, lookup: Lookup) -> Finding:
    """Explain the answer of a name that exists."""
    if scene.service is not None:
        if not scene.below:
            return _service(scene, scene.service, lookup)
        if not scene.node:
            return _empty(scene, scene.service)
        if scene.below[0].startswith("_"):
            return _port(scene, scene.service, lookup)
        return _host(scene, scene.service, lookup)
    if scene.namespace is not None:
        cause = f"the namespace {scene.namespace} holds imported services; its own name has no records"
        return Finding(cause, Rule.NAMESPACE, objects=())
    return _apex(scene, lookup)


def _apex(scene: Scene, lookup: Lookup) -> Finding:
    rules = {
        "": (Rule.APEX, "the name of the zone itself"),
        "ns.dns": (Rule.NAME_SERVER, "the name of the name server"),
        "dns-version": (Rule.SCHEMA_VERSION, "the name of the schema version"),
    }
    place = ".".join(scene.path)
    if place not in rules:
        return Finding(f"{scene.name} only leads to the names below it", Rule.EMPTY_NON_TERMINAL, objects=())
    rule, what = rules[place]
    cause = f"{scene.name} is {what}"
    if lookup.outcome == "NODATA":
        cause += f", and has no {_type(scene)}; it has {_types(scene)}"
    return Finding(cause, rule, objects=())


def _service(scene: Scene, service: Service, lookup: Lookup) -> Finding:
    text = f"{service.key.namespace}/{service.key.name}"
    is_headless = service.type is ServiceType.HEADLESS
    if not is_headless and not service.ips:
        return Finding(f"the import of {text} has no valid address yet", Rule.NO_ADDRESS)
    rule = Rule.HEADLESS if is_headless else Rule.CLUSTERSET_IP
    asked = Type.SRV if lookup.answer and lookup.answer[0].split("\t")[3] == "SRV" else scene.question.type
    if lookup.outcome == "NOERROR":
        if asked == Type.SRV:
            return Finding(f"the ports of {text}: {holdings.ports_text(scene)}", Rule.SERVICE_SRV)
        return Finding(f"{text} is {_what(scene, service)}", rule, _short(scene))
    if asked == Type.SRV:
        return _no_srv(scene, service, text)
    if asked in _FAMILIES:
        family = _FAMILIES[asked]
        cause = (
            f"{text} has no {'ready endpoint with an ' if is_headless else ''}{family} address; it has {_types(scene)}"
        )
        return Finding(cause, rule, _short(scene))
    return Finding(f"{text} has no {_type(scene)}; it has {_types(scene)}", Rule.SERVICE_TYPES)


def _no_srv(scene: Scene, service: Service, text: str) -> Finding:
    every = holdings.ports(service)
    if not every:
        whose = "its EndpointSlices have" if service.type is ServiceType.HEADLESS else "its ServiceImport has"
        return Finding(f"{text} has no ports: {whose} none with a number", Rule.SERVICE_SRV)
    cause = f"{text} has ports, but no endpoint with a host name that SRV could point to"
    return Finding(cause, Rule.SERVICE_SRV, (f"ports of the service: {holdings.ports_text(scene)}",))


def _empty(scene: Scene, service: Service) -> Finding:
    """Explain an empty non-terminal below a service."""
    path, text = scene.below, f"{service.key.namespace}/{service.key.name}"
    place = ".".join(path)
    if path[0].startswith("_"):
        names = [f"_{p}._{t}" for p, t in holdings.named(scene) if f"_{t}" == path[0]]
        return Finding(f"{place} only leads to ports of {text}: {listed(names)}", Rule.EMPTY_NON_TERMINAL)
    known = holdings.hosts(service)
    if place in known:
        cause = f"{place} is a cluster id; hosts of {text} are below it, and it must have no records"
        hints = (f"hosts in {place}: {listed(known[place])}",)
        return Finding(cause, Rule.CLUSTER_ID, hints, holdings.objects(scene, place, None))
    ids = [cluster_id for cluster_id in known if cluster_id.endswith(f".{place}")]
    cause = f"{place} is the last label of a cluster id, and only leads to the hosts below it"
    return Finding(cause, Rule.EMPTY_NON_TERMINAL, (f"cluster ids that end in it: {listed(ids)}",))


def _port(scene: Scene, service: Service, lookup: Lookup) -> Finding:
    text = f"{service.key.namespace}/{service.key.name}"
    place = ".".join(scene.below)
    if lookup.outcome == "NODATA":
        cause = f"{place} of {text} has SRV and no other type"
        return Finding(cause, Rule.SRV, ("ask for SRV, or for the A and AAAA of its targets",))
    targets = len(lookup.answer)
    return Finding(f"{place} is a named port of {text}, with {targets} target{'s'[: targets != 1]}", Rule.SRV)


def _host(scene: Scene, service: Service, lookup: Lookup) -> Finding:
    host, cluster_id = scene.below[0], ".".join(scene.below[1:])
    text = f"{host} is the host of a ready endpoint of {service.key.namespace}/{service.key.name} in {cluster_id}"
    objects = holdings.objects(scene, cluster_id, host)
    if lookup.outcome == "NOERROR":
        return Finding(text, Rule.HOST, objects=objects)
    rule = Rule.HOST if scene.question.type in _FAMILIES else Rule.HOST_TYPES
    what = f"{_FAMILIES[scene.question.type]} address" if scene.question.type in _FAMILIES else _type(scene)
    hints: tuple[str, ...] = ()
    if scene.question.type == Type.SRV:
        hints = (f"SRV stands at the service: {to_text(scene.records.owner) if scene.records else ''}",)
    return Finding(f"{text}, and has no {what}; it has {_types(scene)}", rule, hints, objects)


def _what(scene: Scene, service: Service) -> str:
    holder = scene.source.cluster if scene.source is not None else ""
    if service.type is ServiceType.CLUSTERSET_IP:
        return f"a ClusterSetIP service, imported by {holder}"
    ids = {backends.cluster_id or "a cluster that is not named" for backends in service.backends if backends.endpoints}
    count = len({endpoint.address for backends in service.backends for endpoint in backends.endpoints})
    return f"a headless service with {count} ready address{'es' if count != 1 else ''} in {listed(ids)}"


def _short(scene: Scene) -> tuple[str, ...]:
    """Return a hint on endpoints that are not among the answer, or nothing."""
    if scene.service is None or scene.service.type is not ServiceType.HEADLESS:
        return ()
    # Slices that are outranked are no loss: others speak for their cluster. `omissions` names them all.
    count = holdings.left_out(scene)[Reason.NOT_READY]
    return (f"{count} endpoint{'s'[: count != 1]} left out: not ready",) if count else ()


def _type(scene: Scene) -> str:
    return type_text(scene.question.type)


def _types(scene: Scene) -> str:
    return listed(type_text(rrset.type) for rrset in scene.node or ()) if scene.node else "no records"
