"""
The Kubernetes objects that `cluster` reads, with only the fields that it uses.
"""

from __future__ import annotations

from msgspec import Struct, field


class Metadata(Struct):
    """Name and namespace."""

    name: str = ""
    namespace: str = ""


class ConfigMap(Struct):
    """A ConfigMap."""

    data: dict[str, str] = {}
    immutable: bool = False


class ServicePort(Struct):
    """A port of a Service or of an EndpointSlice."""

    port: int = 0
    protocol: str = "TCP"


class ServiceSpec(Struct):
    """Where a Service is."""

    cluster_ips: list[str] = field(name="clusterIPs", default_factory=list)
    ports: list[ServicePort] = []


class ServiceObject(Struct):
    """A Service."""

    metadata: Metadata
    spec: ServiceSpec


class ServiceList(Struct):
    """Services."""

    items: list[ServiceObject] = []


class SliceEndpoint(Struct):
    """An endpoint."""

    addresses: list[str] = []


class SliceObject(Struct):
    """An EndpointSlice."""

    endpoints: list[SliceEndpoint] | None = None
    ports: list[ServicePort] | None = None


class SliceList(Struct):
    """EndpointSlices."""

    items: list[SliceObject] = []


class Forward(Struct):
    """`forwardPlugin` of the DNS operator."""

    upstreams: list[str] = []


class Server(Struct):
    """An entry of `servers` of the DNS operator."""

    zones: list[str] = []
    forward: Forward = field(name="forwardPlugin", default_factory=Forward)


class OperatorSpec(Struct):
    """What the DNS operator is told."""

    servers: list[Server] = []


class Operator(Struct):
    """DNS of operator.openshift.io."""

    spec: OperatorSpec = field(default_factory=OperatorSpec)
