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
    external_ips: list[str] = field(name="externalIPs", default_factory=list)
    ports: list[ServicePort] = []


class Ingress(Struct):
    """An address of a load balancer."""

    ip: str = ""


class LoadBalancer(Struct):
    """What a load balancer has been given."""

    ingress: list[Ingress] | None = None


class ServiceStatus(Struct):
    """What has become of a Service."""

    load_balancer: LoadBalancer = field(name="loadBalancer", default_factory=LoadBalancer)


class ServiceObject(Struct):
    """A Service."""

    metadata: Metadata
    spec: ServiceSpec
    status: ServiceStatus = field(default_factory=ServiceStatus)

    @property
    def outer(self) -> tuple[str, ...]:
        """The addresses that lead here from outside the cluster."""
        return (*self.spec.external_ips, *(one.ip for one in self.status.load_balancer.ingress or () if one.ip))


class ServiceList(Struct):
    """Services."""

    items: list[ServiceObject] = []


class Conditions(Struct):
    """Of an endpoint."""

    terminating: bool | None = None


class SliceEndpoint(Struct):
    """An endpoint."""

    addresses: list[str] = []
    conditions: Conditions = field(default_factory=Conditions)


class SliceObject(Struct):
    """An EndpointSlice."""

    endpoints: list[SliceEndpoint] | None = None
    ports: list[ServicePort] | None = None


class SliceList(Struct):
    """EndpointSlices."""

    items: list[SliceObject] = []


class Transport(Struct):
    """How the DNS operator forwards: `TLS`, or plain."""

    transport: str = ""


class Forward(Struct):
    """`forwardPlugin` of the DNS operator."""

    upstreams: list[str] = []
    transport: Transport = field(name="transportConfig", default_factory=Transport)

    @property
    def targets(self) -> list[str]:
        """The upstreams as CoreDNS's `forward` spells them."""
        return [f"tls://{one}" for one in self.upstreams] if self.transport.transport == "TLS" else self.upstreams


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
