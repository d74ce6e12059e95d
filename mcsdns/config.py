"""
The settings: every key with its type, its default and its bounds. What each is for stands in `config/mcsdns.yaml`.

Rules:
1. A setting is declared here, once. Tests hold `config/mcsdns.yaml` to it.
2. What follows from settings alone (which view a listener serves, which addresses are advertised) is worked out here, and nowhere else.

Not here: reading the file (`mcsdns.configfile`).
"""

from __future__ import annotations

import ipaddress
from pathlib import Path
from typing import Annotated, Literal

import msgspec
from msgspec import Meta, Struct, field

from mcsdns.errors import ConfigError

Seconds = Annotated[float, Meta(ge=0, le=3600)]
Ttl = Annotated[int, Meta(ge=0, le=86400)]


class Address:
    """
    An address and port to listen on. No Struct: in the file it is one string, which the decoder hands to `parse_address`.

    Args:
        host: IPv4 or IPv6, without brackets.
        port: 0 lets the system choose.
    """

    __slots__ = ("host", "port")

    def __init__(self, host: str, port: int) -> None:
        self.host = host
        self.port = port

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Address) and (self.host, self.port) == (other.host, other.port)

    def __hash__(self) -> int:
        return hash((self.host, self.port))

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    @property
    def is_wildcard(self) -> bool:
        """Whether it stands for every address of the host."""
        return ipaddress.ip_address(self.host).is_unspecified


class Limits(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """
    What a plane allows.

    Args:
        udp_payload: Largest UDP response, octets (RFC 9715, DNS flag day 2020).
        tcp_connections: Connections at once, over all listeners.
        tcp_connections_per_client: Connections at once from one address.
        tcp_idle_s: Seconds without a whole message before a connection is closed; CoreDNS reuses one for 10 s.
        tcp_message_s: Seconds in which a message must be complete, from its first octet.
        tcp_write_s: Seconds that a write may stall.
        tcp_in_flight: Queries in flight on one connection.
    """

    udp_payload: Annotated[int, Meta(ge=512, le=4096)] = 1232
    tcp_connections: Annotated[int, Meta(ge=1, le=1_000_000)] = 4096
    tcp_connections_per_client: Annotated[int, Meta(ge=1, le=1_000_000)] = 512
    tcp_idle_s: Annotated[float, Meta(gt=0, le=3600)] = 30.0
    tcp_message_s: Annotated[float, Meta(gt=0, le=60)] = 2.0
    tcp_write_s: Annotated[float, Meta(gt=0, le=60)] = 2.0
    tcp_in_flight: Annotated[int, Meta(ge=1, le=65536)] = 1000


Names = Annotated[int, Meta(ge=1, le=1_000_000)]
Endpoints = Annotated[int, Meta(ge=1, le=10_000_000)]
Bytes = Annotated[int, Meta(ge=1_000, le=2_000_000)]
"""Octets of one object. An event of a watch is read up to 2 MiB."""


class Quotas(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """
    How much of each member cluster is taken in.

    Args:
        names: ServiceImports; ServiceExports; ClusterProperties.
        endpoints_per_name: Addresses in the EndpointSlices of one service.
        endpoints: Addresses in all EndpointSlices.
        object_bytes: Octets of one object as JSON; etcd keeps 1.5 MiB at most, all managed fields included.
    """

    names: Names = 20_000
    endpoints_per_name: Endpoints = 4_000
    endpoints: Endpoints = 200_000
    object_bytes: Bytes = 1_500_000


class ClusterQuotas(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The quotas that are others for one cluster; None: as for all."""

    names: Names | None = None
    endpoints_per_name: Endpoints | None = None
    endpoints: Endpoints | None = None
    object_bytes: Bytes | None = None

    def over(self, base: Quotas) -> Quotas:
        """Return the quotas of the cluster, where `base` are those of all."""
        own = {name: value for name, value in msgspec.structs.asdict(self).items() if value is not None}
        return msgspec.structs.replace(base, **own)


class Metrics(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """
    What `/metrics` shows.

    Args:
        coredns_names: Show what CoreDNS counts too under its names as well.
    """

    coredns_names: bool = True


class Listen(Struct, frozen=True, forbid_unknown_fields=True):
    """An address served over UDP and TCP, and the view it serves (None: see `Config.view_of`)."""

    address: Address
    view: str | None = None


class Kubeconfig(Struct, frozen=True, forbid_unknown_fields=True):
    """
    A kubeconfig file.

    Args:
        path: The file.
        context: The context in it; None: its current one.
        insecure: Accept plain http and `insecure-skip-tls-verify`.
    """

    path: Path
    context: str | None = None
    insecure: bool = False


class Cluster(Struct, frozen=True, forbid_unknown_fields=True):
    """A member cluster to watch, from exactly one of `kubeconfig`, `in_cluster`, `manifests`."""

    name: str
    kubeconfig: Kubeconfig | None = None
    in_cluster: bool = False
    manifests: Path | None = None
    id: str | None = None
    optional: bool = False
    quotas: ClusterQuotas = field(default_factory=ClusterQuotas)


class Config(Struct, frozen=True, forbid_unknown_fields=True):
    """The configuration as a whole."""

    clusters: list[Cluster]
    zone: str = "clusterset.local"
    ttl: Ttl = 5
    negative_ttl: Ttl = 5
    plane: Literal["auto", "native", "python"] = "auto"
    threads: Annotated[int, Meta(ge=1, le=256)] | None = None
    pin: bool = False
    listen: list[Listen] = field(default_factory=lambda: [Listen(Address("127.0.0.1", 5300))])
    advertise: list[str] | None = None
    admin: Address = field(default_factory=lambda: Address("127.0.0.1", 9153))
    metrics: Metrics = field(default_factory=Metrics)
    nsid: str | None = None
    sync_deadline_s: Seconds = 30.0
    lameduck_s: Seconds = 5.0
    limits: Limits = field(default_factory=Limits)
    quotas: Quotas = field(default_factory=Quotas)

    def view_of(self, listen: Listen) -> str | None:
        """Return the cluster whose view a listener serves: its own, else the only cluster, else none in particular."""
        if listen.view is not None:
            return listen.view
        return self.clusters[0].name if len(self.clusters) == 1 else None

    def viewed(self, view: str | None) -> Config:
        """
        Return this configuration with one view alone.

        Args:
            view: A cluster's name; None: the first listener's view.

        Raises:
            ConfigError: No cluster has that name.
        """
        if view is not None and view not in {cluster.name for cluster in self.clusters}:
            known = ", ".join(cluster.name for cluster in self.clusters)
            raise ConfigError("", "view", f"no cluster is named {view!r}; known: {known}")
        first = self.listen[0]
        return msgspec.structs.replace(self, listen=[msgspec.structs.replace(first, view=view or first.view)])

    @property
    def views(self) -> list[str | None]:
        """The views that are served, each once, in the order of the listeners."""
        return list(dict.fromkeys(self.view_of(listen) for listen in self.listen))

    @property
    def advertised(self) -> tuple[bytes, ...]:
        """The packed addresses of the name server: `advertise`, else the listen addresses that are not wildcards."""
        if self.advertise is not None:
            return tuple(ipaddress.ip_address(text).packed for text in self.advertise)
        hosts = dict.fromkeys(listen.address.host for listen in self.listen if not listen.address.is_wildcard)
        return tuple(ipaddress.ip_address(host).packed for host in hosts)
