"""
Why a name with underscores does not exist: a port without a name, another protocol, or no such port.
"""

from __future__ import annotations

from collections.abc import Iterator

from mcsdns.admin.explain import holdings
from mcsdns.admin.explain.near import close, listed
from mcsdns.admin.explain.rules import Rule
from mcsdns.admin.explain.scene import Finding, Scene
from mcsdns.clusterset.intake import PROTOCOLS
from mcsdns.clusterset.model import Port, Service, ServiceType
from mcsdns.zone.names import to_text


def port(scene: Scene, service: Service) -> Finding:
    """Explain why no SRV name is at the labels below an imported service."""
    text = f"{service.key.namespace}/{service.key.name}"
    if service.type is ServiceType.CLUSTERSET_IP and not service.ips:
        return Finding(f"the import of {text} has no valid address yet", Rule.NO_ADDRESS)
    path, known = scene.below, holdings.named(scene)
    hints = (f"ports of the service: {holdings.ports_text(scene)}",)
    if len(path) > 2:
        if (path[-2][1:], path[-1][1:]) in known and path[-1].startswith("_") and path[-2].startswith("_"):
            return Finding(f"{path[-2]}.{path[-1]} is a port of {text}; nothing can be below it", Rule.NOTHING_BELOW)
        cause = f"{'.'.join(path)} is not of the form _<port>._<proto>: SRV stands at the service, not at its hosts"
        return Finding(cause, Rule.SRV, hints)
    if not all(label.startswith("_") and len(label) > 1 for label in path):
        return _malformed(scene, path, known)
    if len(path) == 1:
        return _protocol(scene, path[0][1:], known, text)
    return _port(scene, service, path[0][1:], path[1][1:])


def _malformed(scene: Scene, path: list[str], known: list[tuple[str, str]]) -> Finding:
    bare = tuple(label.removeprefix("_") for label in path)
    hints = [f"ports of the service: {holdings.ports_text(scene)}"]
    if bare in known:
        hints.insert(0, f"the full name is _{bare[0]}._{bare[1]}.{_owner(scene)}")
    if "_" in path:
        cause = "labels are literal: _ stands for no port and no protocol"
    else:
        cause = f"{'.'.join(path)} lacks an underscore: both labels, _<port> and _<proto>, begin with one"
    return Finding(cause, Rule.SRV, tuple(hints))


def _protocol(scene: Scene, protocol: str, known: list[tuple[str, str]], text: str) -> Finding:
    hints = [f"ports of the service: {holdings.ports_text(scene)}"]
    hints[:0] = [f"the full name is _{p}._{t}.{_owner(scene)}" for p, t in known if p == protocol]
    if protocol in PROTOCOLS:
        return Finding(f"{text} has no named {protocol.upper()} port", Rule.SRV, tuple(hints))
    return Finding(f"_{protocol} is no protocol: expected _tcp, _udp or _sctp", Rule.SRV, tuple(hints))


def _port(scene: Scene, service: Service, name: str, protocol: str) -> Finding:
    text, every = f"{service.key.namespace}/{service.key.name}", holdings.ports(service)
    hints = tuple(_port_hints(scene, name, protocol))
    others = sorted({port.protocol for port in every if port.name == name})
    if protocol in others:
        return Finding(f"the port {name}/{protocol} of {text} has no SRV name: {_why_unnamed(scene)}", Rule.SRV, hints)
    if others:
        cause = f"the port {name} of {text} is {' and '.join(o.upper() for o in others)}, not {protocol.upper()}"
        return Finding(cause, Rule.SRV, hints)
    for port in every:
        if str(port.number) == name and port.protocol == protocol:
            return _by_number(scene, service, port, hints)
    if protocol not in PROTOCOLS:
        return Finding(f"_{protocol} is no protocol: expected _tcp, _udp or _sctp", Rule.SRV, hints)
    return Finding(f"{text} has no port named {name}", Rule.SRV, hints)


def _by_number(scene: Scene, service: Service, port: Port, hints: tuple[str, ...]) -> Finding:
    text = f"{service.key.namespace}/{service.key.name}"
    if port.name:
        cause = f"ports are found by name, not by number: {port.number}/{port.protocol} of {text} is named {port.name}"
        return Finding(cause, Rule.SRV, hints)
    cause = (
        f"the port {port.number}/{port.protocol} of {text} is unnamed, and an unnamed port has no SRV name of its own"
    )
    return Finding(cause, Rule.SRV, (f"SRV of {_owner(scene)} holds all ports, named or not", *hints))


def _port_hints(scene: Scene, name: str, protocol: str) -> Iterator[str]:
    known = holdings.named(scene)
    if (protocol, name) in known:
        yield f"port and protocol are the other way round: _{protocol}._{name}.{_owner(scene)}"
    names = {port for port, _ in known}
    near = close(name, names) if name not in names else []
    if near:
        yield f"ports of a similar name: {listed(near)}"
    yield f"ports of the service: {holdings.ports_text(scene)}"


def _why_unnamed(scene: Scene) -> str:
    service = scene.service
    if service is not None and service.type is ServiceType.HEADLESS and not holdings.hosts(service):
        return "no endpoint has a host name that it could point to"
    return "what was left out says why"


def _owner(scene: Scene) -> str:
    return to_text(scene.records.owner) if scene.records is not None else ""
