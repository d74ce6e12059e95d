"""
The objects of the model test: few names, so that they collide, and in each what tells which write it is from.

Every write has an epoch, a number of its own. It stands in each address and in each port that the write puts into an object, so that
of any record in any answer it can be told which version of which object it is from.

Not here: where the objects are kept (`model_store`).
"""

from __future__ import annotations

import ipaddress
from collections.abc import Callable
from typing import Any, Final

from mcsdns.clusterset.model import ServiceKey
from mcsdns.source.events import Resource
from mcsdns.source.objects import CLUSTER_ID_PROPERTY
from mcsdns.zone.names import from_text

CLUSTERS: Final = ("a", "b", "c")
"""Configured names, in the order of the configuration."""
IMPORTS, EXPORTS = Resource.SERVICE_IMPORTS, Resource.SERVICE_EXPORTS
SLICES, PROPERTIES = Resource.ENDPOINT_SLICES, Resource.CLUSTER_PROPERTIES
SERVICES: Final = (ServiceKey("n1", "web"), ServiceKey("n1", "db"), ServiceKey("n2", "web"))
IDS: Final = ("a", "b", "c", "d", "c1.reg1")
"""Cluster ids that slices and properties name: those of watched clusters, of one that is not, and one of two labels."""

ObjectKey = tuple[str, str]
KEYS: Final[dict[Resource, tuple[ObjectKey, ...]]] = {
    IMPORTS: SERVICES,
    EXPORTS: SERVICES,
    SLICES: tuple((namespace, name) for namespace in ("n1", "n2") for name in ("s1", "s2", "s3")),
    PROPERTIES: (("", CLUSTER_ID_PROPERTY),),
}
"""Namespace and name of every object that there may be."""

_FIRST_PORT = 1024
_V6 = int(ipaddress.IPv6Address("2001:db8::"))

Shape = Callable[[int], dict[str, Any]]
"""Makes the content of an object from its epoch."""


def v4(epoch: int, which: int = 0) -> str:
    """Give an IPv4 address of this epoch."""
    return str(ipaddress.IPv4Address((10 << 24) + epoch * 4 + which))


def v6(epoch: int, which: int = 0) -> str:
    """Give an IPv6 address of this epoch."""
    return str(ipaddress.IPv6Address(_V6 + epoch * 4 + which))


def epoch_of_address(octets: bytes) -> int:
    """Tell of which epoch an address is."""
    return (int.from_bytes(octets, "big") - (10 << 24 if len(octets) == 4 else _V6)) // 4


def epoch_of_port(port: int) -> int:
    """Tell of which epoch a port is."""
    return port - _FIRST_PORT


def _port(epoch: int, name: str | None = "http", protocol: str | None = "TCP") -> dict[str, Any]:
    return {"port": _FIRST_PORT + epoch, "protocol": protocol} | ({"name": name} if name else {})


def _import(kind: str, *more: str) -> Shape:
    def make(epoch: int) -> dict[str, Any]:
        ips = [v4(epoch)] * ("v4" in more) + [v6(epoch)] * ("v6" in more) + ["text"] * ("text" in more)
        ports = [_port(epoch)] + [_port(epoch, None)] * ("unnamed" in more)
        clusters = [{"cluster": name} for name in more if name in IDS]
        return {"spec": {"type": kind, "ips": ips, "ports": ports}, "status": {"clusters": clusters}}

    return make


def _fixed(content: dict[str, Any]) -> Shape:
    return lambda epoch: content


def _slice(labels: dict[str, str], body: Shape) -> Shape:
    return lambda epoch: {"metadata": {"labels": labels}} | body(epoch)


def _body(family: str, *endpoints: str) -> Shape:
    """Make a slice of endpoints in short: `h1`, `-` without a host name, `h1!` not ready, `5` which is no endpoint."""

    def make(epoch: int) -> dict[str, Any]:
        found: list[Any] = []
        for which, text in enumerate(endpoints):
            if text == "5":
                found.append(5)
                continue
            one: dict[str, Any] = {"addresses": [(v4 if family == "IPv4" else v6)(epoch, which)]}
            host = text.rstrip("!")
            one |= {"hostname": host} if host != "-" else {}
            found.append(one | ({"conditions": {"ready": False}} if "!" in text else {}))
        return {"addressType": family, "endpoints": found, "ports": [_port(epoch)]}

    return make


_BODIES: Final = (
    _body("IPv4", "h1"),
    _body("IPv4", "-"),
    _body("IPv4", "h1", "h2"),
    _body("IPv6", "h1"),
    _body("IPv4", "h1!"),
    _body("IPv4", "5", "h1"),
    _fixed({"addressType": "IPv4", "endpoints": None, "ports": None}),
    _fixed({"addressType": "FQDN", "endpoints": [{"addresses": ["x"]}]}),
    _fixed({"addressType": 5}),
)


def _labels() -> list[dict[str, str]]:
    found: list[dict[str, str]] = []
    for service in ("web", "db"):
        imported = {"multicluster.kubernetes.io/service-name": service}
        found += [{"kubernetes.io/service-name": service}] * 3
        found += [imported | {"multicluster.kubernetes.io/source-cluster": name} for name in IDS]
        found.append(imported)
    return [*found, {}]


SHAPES: Final[dict[Resource, tuple[Shape, ...]]] = {
    IMPORTS: (
        _import("Headless", *IDS),
        _import("ClusterSetIP", "v4"),
        _import("Headless"),
        _import("ClusterSetIP", "v4", "v6", "unnamed"),
        _import("ClusterSetIP", "text"),
        _import("ExternalName", "v4"),
        _fixed({"spec": 5}),
    ),
    EXPORTS: (
        _fixed({}),
        _fixed({"status": {"conditions": [{"type": "Valid", "status": "False"}]}}),
        _fixed({"status": {"conditions": [{"type": "Conflict", "status": "True", "message": "ports"}]}}),
        _fixed({"status": 5}),
    ),
    SLICES: tuple(_slice(labels, body) for body in _BODIES for labels in _labels()),
    PROPERTIES: tuple(_fixed({"spec": {"value": value}}) for value in (*IDS, "No.Such.Id", 5)),
}
"""What an object may hold, plain ones first."""

NATIVE: Final = {
    service: index
    for index, service in enumerate(label.get("kubernetes.io/service-name") for label in _labels())
    if service
}
"""For each service name a shape of a slice that is its cluster's own."""


def octets(rrtype: str, rdata: str) -> bytes:
    """Give RDATA, as the oracle writes it, in wire format."""
    if rrtype != "SRV":
        return ipaddress.ip_address(rdata).packed
    *numbers, target = rdata.split()
    return b"".join(int(number).to_bytes(2, "big") for number in numbers) + from_text(target)
