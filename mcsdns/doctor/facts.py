"""
What was seen, without a conclusion: the value between looking and judging.

An address is `host:port`, IPv6 in brackets, port 53 written out.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from ipaddress import ip_address
from pathlib import Path
from typing import Literal

from msgspec import Struct

from mcsdns.admin.explain import Explanation
from mcsdns.admin.status import Status
from mcsdns.doctor.corefile import PORT, Corefile

Transport = Literal["UDP", "TCP"]
TRANSPORTS: tuple[Transport, ...] = ("UDP", "TCP")


def with_port(host: str, port: int | str = PORT) -> str:
    """Return an address as `Facts` spells it: IPv6 in its shortest form (RFC 5952)."""
    with suppress(ValueError):
        host = str(ip_address(host))
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


class Plan(Struct, frozen=True, kw_only=True):
    """
    What to look at.

    Args:
        zone: Its name, without the last dot.
        servers: Addresses of mcsdns; empty: what the cluster has.
        resolvers: Addresses of what pods ask; empty: /etc/resolv.conf and, inside a cluster, what it has.
        admins: URLs of admin addresses; empty: inside a cluster, those of the replicas.
        name: One that does not resolve, or None.
        view: The view in which it is explained, or None.
        kubeconfig: The file, or None.
        context: Of the file.
        is_inside: This runs in a pod: the addresses of Services and pods can be asked, and its service account read.
        limit_s: Seconds to wait for each answer.
    """

    zone: str
    servers: tuple[str, ...] = ()
    resolvers: tuple[str, ...] = ()
    admins: tuple[str, ...] = ()
    name: str | None = None
    view: str | None = None
    kubeconfig: Path | None = None
    context: str | None = None
    is_inside: bool = False
    limit_s: float = 5.0

    @property
    def namespace(self) -> str | None:
        """The namespace of the name, or None where it is of another form."""
        labels = (self.name or "").rstrip(".").lower().removesuffix(f".{self.zone}").split(".")
        return labels[-2] if len(labels) > 2 and labels[-1] == "svc" else None


class Reply(Struct, frozen=True, kw_only=True):
    """
    What came of one query.

    Args:
        rcode: Its mnemonic; empty where nothing came.
        records: The answer section's RDATA, in presentation form, sorted.
        soa: The owner of the SOA in the authority section, lower case, without the last dot; None where there is none.
        ttl_s: For how long it may be kept: the least TTL of the answer, or that of the SOA; None where it has neither.
        problem: Why nothing came, or nothing that can be read.
    """

    rcode: str = ""
    records: tuple[str, ...] = ()
    soa: str | None = None
    ttl_s: int | None = None
    problem: str = ""


class Asked(Struct, frozen=True, kw_only=True):
    """
    One address and what it answers.

    Args:
        address: Where.
        origin: Where the address comes from, such as `--server` or `Service mcsdns/mcsdns`.
        version: `dns-version.<zone>` TXT, by transport.
        fresh: A name of the zone that nobody has asked for, so that no cache has it: A, by transport.
        named: The name that does not resolve, or None.
    """

    address: str
    origin: str
    version: Mapping[Transport, Reply]
    fresh: Mapping[Transport, Reply]
    named: Reply | None = None


class Nameserver(Struct, frozen=True, kw_only=True):
    """
    Something that serves DNS in the cluster, by its configuration.

    Args:
        kind: What it is, for people: `CoreDNS`, `NodeLocal DNSCache`, `kube-dns`, `the DNS operator`.
        platform: How `mcsdns wiring --for` calls it.
        where: The object that holds its configuration.
        corefile: What that says; of stub domains, the blocks that they come to.
        is_immutable: The object cannot be changed.
    """

    kind: str
    platform: str
    where: str
    corefile: Corefile
    is_immutable: bool = False


class Service(Struct, frozen=True):
    """A Service of mcsdns: where it is, the protocols of its port 53, and the addresses that lead to it from outside the cluster."""

    where: str
    ips: tuple[str, ...]
    protocols: tuple[str, ...]
    outer: tuple[str, ...] = ()


class Unseen(Struct, frozen=True):
    """What could not be looked at, why, and what would let us."""

    what: str
    why: str
    fix: str = ""


class Cluster(Struct, frozen=True, kw_only=True):
    """
    What was read of the cluster.

    Args:
        url: Its API server.
        is_read: The API server has said what it serves.
        import_versions: The versions of ServiceImport's API group that it serves.
        nameservers: What serves DNS.
        is_dns_known: Every place where a DNS configuration may be was looked at.
        dns_ips: ClusterIPs of the cluster's DNS.
        services: Of mcsdns.
        replicas: Addresses of mcsdns's pods.
        namespace: Of the name: it exists or not; None where that was not asked or cannot be told.
    """

    url: str
    is_read: bool = False
    import_versions: tuple[str, ...] = ()
    nameservers: tuple[Nameserver, ...] = ()
    is_dns_known: bool = False
    dns_ips: tuple[str, ...] = ()
    services: tuple[Service, ...] = ()
    replicas: tuple[str, ...] = ()
    namespace: bool | None = None


class Facts(Struct, frozen=True, kw_only=True):
    """
    All that was seen.

    Args:
        plan: What was to be looked at.
        cluster: What was read of the cluster; None where none was.
        servers: What mcsdns answers, directly.
        resolvers: What the paths that pods take answer.
        status: `/status` by admin URL.
        moving: The views whose records changed while they were looked at.
        explanation: Of the name, or None.
        unseen: What could not be looked at.
    """

    plan: Plan
    cluster: Cluster | None = None
    servers: tuple[Asked, ...] = ()
    resolvers: tuple[Asked, ...] = ()
    status: Mapping[str, Status] = {}
    moving: frozenset[str] = frozenset()
    explanation: Explanation | None = None
    unseen: tuple[Unseen, ...] = ()
