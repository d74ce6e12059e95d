"""
Reads, of one cluster, what serves DNS there and where mcsdns is.

| object                                                    | for                                                            |
|-----------------------------------------------------------|----------------------------------------------------------------|
| `/apis`                                                   | is there a ServiceImport, is this OpenShift                     |
| ConfigMaps of kube-system: `coredns`, `coredns-custom`    | CoreDNS, and what AKS and k3s let it import                     |
| `rke2-coredns-rke2-coredns`                               | CoreDNS of RKE2                                                 |
| `node-local-dns`                                          | NodeLocal DNSCache                                              |
| `kube-dns`, and the Deployment of that name               | kube-dns; NodeLocal DNSCache reads the ConfigMap too            |
| DNS `default` of operator.openshift.io                    | OpenShift                                                       |
| Services labelled k8s-app=kube-dns, and `dns-default`     | where pods ask                                                  |
| where none of those is there: Services of CoreDNS         | CoreDNS under another name: its ConfigMap has that of its Service |
| Services labelled app.kubernetes.io/name=mcsdns           | where mcsdns is; their EndpointSlices: its replicas             |
| the Namespace of the name                                 | without it nothing can be imported                              |

Rules:
1. What is refused or cannot be read is `Unseen`, with what would let us; the rest is read all the same.

Not here: what follows from it (`wires`).
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import TypeVar

import msgspec

from mcsdns.doctor import corefile
from mcsdns.doctor.corefile import Block, Corefile, Directive
from mcsdns.doctor.facts import Cluster, Nameserver, Plan, Service, Unseen, with_port
from mcsdns.doctor.objects import ConfigMap, Metadata, Operator, ServiceList, ServiceObject, SliceList
from mcsdns.errors import ApiError, SourceError
from mcsdns.source.kube.client import Client
from mcsdns.source.kube.discovery import versions_served

SYSTEM = "kube-system"
_MCS, _OPENSHIFT = "multicluster.x-k8s.io", "operator.openshift.io"
_MAY = "let this identity `get` it, or run doctor with the --kubeconfig of somebody who may"
_LABEL = "app.kubernetes.io/name=mcsdns"
_COREDNS = "k8s-app in (kube-dns, coredns)"
"""The labels that CoreDNS's own chart gives its Service, whatever the release is called and wherever it is."""
_CUSTOM = "coredns-custom"


Shape = TypeVar("Shape")


class ClusterReader:
    """
    Reads one cluster.

    Args:
        client: Of its API server.
        plan: What to look at.

    Attributes:
        unseen: What could not be looked at.
    """

    def __init__(self, client: Client, plan: Plan) -> None:
        self._client = client
        self._plan = plan
        self.unseen: list[Unseen] = []
        self._is_dns_known = True

    async def read(self) -> Cluster:
        """Read everything."""
        groups = await self._get("/apis", "what the API server serves")
        if groups is None:
            return Cluster(url=self._client.connection.url)
        nameservers, ips, (services, replicas), namespace = await asyncio.gather(
            self._nameservers(bool(versions_served(groups, _OPENSHIFT))),
            self._dns_ips(),
            self._mcsdns(),
            self._namespace(),
        )
        return Cluster(
            url=self._client.connection.url,
            is_read=True,
            import_versions=versions_served(groups, _MCS),
            nameservers=tuple(nameservers),
            is_dns_known=self._is_dns_known,
            dns_ips=ips,
            services=services,
            replicas=replicas,
            namespace=namespace,
        )

    async def _nameservers(self, is_openshift: bool) -> list[Nameserver]:
        if is_openshift:
            return await self._operator()
        names = ("coredns", "rke2-coredns-rke2-coredns", _CUSTOM, "node-local-dns", "kube-dns")
        maps = await asyncio.gather(*(self._config_map(SYSTEM, name) for name in names))
        custom, local, kube_dns = maps[2:]
        is_custom_known = not any(one.what == f"ConfigMap {SYSTEM}/{_CUSTOM}" for one in self.unseen)
        files = custom.data if custom is not None else {}
        pairs = [(f"{SYSTEM}/{name}", one) for name, one in zip(names[:2], maps, strict=False) if one is not None]
        is_kube_dns = not pairs and await self._deployment("kube-dns")
        if not pairs and not is_kube_dns:
            pairs = await self._under_another_name()
        found = [_coredns(where, config, files if is_custom_known else None) for where, config in pairs]
        if is_kube_dns:
            found.append(_stub_domains(kube_dns or ConfigMap()))
        if local is not None:
            found.append(_local(local, kube_dns))
        return found

    async def _operator(self) -> list[Nameserver]:
        body = await self._dns(f"/apis/{_OPENSHIFT}/v1/dnses/default", "the DNS operator's DNS default")
        operator = _decoded(body, Operator)
        if operator is None:
            return []
        blocks = (_forwarding(server.zones, server.forward.targets) for server in operator.spec.servers)
        where = "DNS default of operator.openshift.io"
        read = Corefile(tuple(blocks))
        return [Nameserver(kind="the DNS operator", platform="openshift", where=where, corefile=read)]

    async def _under_another_name(self) -> list[tuple[str, ConfigMap]]:
        """Look for CoreDNS as its chart installs it: the ConfigMap has the name of the Service."""
        query = {"labelSelector": _COREDNS}
        body = await self._get("/api/v1/services", "the Services of CoreDNS under any name", query)
        found: list[tuple[str, ConfigMap]] = []
        for one in (_decoded(body, ServiceList) or ServiceList()).items:
            config = await self._config_map(one.metadata.namespace, one.metadata.name)
            if config is not None and "Corefile" in config.data:
                found.append((f"{one.metadata.namespace}/{one.metadata.name}", config))
        return found

    async def _config_map(self, namespace: str, name: str) -> ConfigMap | None:
        path = f"/api/v1/namespaces/{namespace}/configmaps/{name}"
        return _decoded(await self._dns(path, f"ConfigMap {namespace}/{name}"), ConfigMap)

    async def _deployment(self, name: str) -> bool:
        path = f"/apis/apps/v1/namespaces/{SYSTEM}/deployments/{name}"
        return await self._dns(path, f"Deployment {SYSTEM}/{name}") is not None

    async def _dns_ips(self) -> tuple[str, ...]:
        path = f"/api/v1/namespaces/{SYSTEM}/services"
        body = await self._get(path, "the Services of the cluster's DNS", {"labelSelector": "k8s-app=kube-dns"})
        found = _decoded(body, ServiceList) or ServiceList()
        if not found.items:
            body = await self._get(
                "/api/v1/namespaces/openshift-dns/services/dns-default", "Service openshift-dns/dns-default"
            )
            one = _decoded(body, ServiceObject)
            found = ServiceList([one] if one is not None else [])
        return tuple(ip for service in found.items for ip in service.spec.cluster_ips if ip != "None")

    async def _mcsdns(self) -> tuple[tuple[Service, ...], tuple[str, ...]]:
        body = await self._get("/api/v1/services", f"the Services with the label {_LABEL}", {"labelSelector": _LABEL})
        services = [
            one
            for one in (_decoded(body, ServiceList) or ServiceList()).items
            if any(port.port == corefile.PORT for port in one.spec.ports)
        ]
        told = tuple(
            Service(
                f"Service {one.metadata.namespace}/{one.metadata.name}",
                tuple(ip for ip in one.spec.cluster_ips if ip != "None"),
                tuple(port.protocol for port in one.spec.ports if port.port == corefile.PORT),
                one.outer,
            )
            for one in services
        )
        replicas = await asyncio.gather(*(self._replicas(one.metadata) for one in services))
        return told, tuple(dict.fromkeys(address for some in replicas for address in some))

    async def _replicas(self, service: Metadata) -> list[str]:
        path = f"/apis/discovery.k8s.io/v1/namespaces/{service.namespace}/endpointslices"
        query = {"labelSelector": f"kubernetes.io/service-name={service.name}"}
        body = await self._get(path, f"the EndpointSlices of {service.namespace}/{service.name}", query)
        found: list[str] = []
        for piece in (_decoded(body, SliceList) or SliceList()).items:
            port = next((one.port for one in piece.ports or () if one.protocol == "UDP"), 5353)
            staying = (one for one in piece.endpoints or () if not one.conditions.terminating)
            found += (with_port(text, port) for one in staying for text in one.addresses)
        return found

    async def _namespace(self) -> bool | None:
        namespace = self._plan.namespace
        if namespace is None:
            return None
        what, seen = f"Namespace {namespace}", len(self.unseen)
        body = await self._get(f"/api/v1/namespaces/{namespace}", what)
        return None if len(self.unseen) > seen and self.unseen[-1].what == what else body is not None

    async def _dns(self, path: str, what: str) -> bytes | None:
        """As `_get`, for what may hold the configuration of DNS: what is not seen there is missed."""
        seen = len(self.unseen)
        body = await self._get(path, what)
        self._is_dns_known &= not any(one.what == what for one in self.unseen[seen:])
        return body

    async def _get(self, path: str, what: str, query: Mapping[str, str] | None = None) -> bytes | None:
        """Read an object. None where there is none, or where it cannot be read: that is noted."""
        try:
            async with asyncio.timeout(self._plan.limit_s):
                return await self._client.get(path, query)
        except ApiError as error:
            if error.status != 404:
                fix = _MAY if error.status == 403 else ""
                self.unseen.append(Unseen(what, str(error), fix))
        except (SourceError, TimeoutError) as error:
            self.unseen.append(Unseen(what, str(error) or f"no answer within {self._plan.limit_s:g} s"))
        return None


def _coredns(where: str, config: ConfigMap, files: Mapping[str, str] | None) -> Nameserver:
    text = config.data.get("Corefile", "")
    platform = "rke2" if where.startswith(f"{SYSTEM}/rke2") else "coredns"
    if "/etc/coredns/custom/" in text:
        platform = "k3s"
    elif "custom/" in text:
        platform = "aks"
    return Nameserver(
        kind="CoreDNS",
        platform=platform,
        where=f"ConfigMap {where}",
        corefile=corefile.read(text, files),
        is_immutable=config.immutable,
    )


def _stub_domains(config: ConfigMap) -> Nameserver:
    return Nameserver(
        kind="kube-dns", platform="kube-dns", where=f"ConfigMap {SYSTEM}/kube-dns", corefile=_stubs(config)
    )


def _local(config: ConfigMap, kube_dns: ConfigMap | None) -> Nameserver:
    read = corefile.read(config.data.get("Corefile", ""))
    if kube_dns is not None:
        read = Corefile((*read.blocks, *_stubs(kube_dns).blocks), read.unread)
    return Nameserver(
        kind="NodeLocal DNSCache",
        platform="nodelocal",
        where=f"ConfigMap {SYSTEM}/node-local-dns",
        corefile=read,
        is_immutable=config.immutable,
    )


def _stubs(config: ConfigMap) -> Corefile:
    """Read `stubDomains`: JSON, of each domain the addresses that it is sent to."""
    text = config.data.get("stubDomains", "{}")
    try:
        domains = msgspec.json.decode(text, type=dict[str, list[str]])
    except msgspec.MsgspecError as error:
        return Corefile((), (f"stubDomains {text[:80]!r}: {error}",))
    return Corefile(tuple(_forwarding([zone], upstreams) for zone, upstreams in domains.items()))


def _forwarding(zones: list[str], upstreams: list[str]) -> Block:
    names = tuple(zone.rstrip(".").lower() for zone in zones)
    return Block(names, corefile.PORT, (Directive(("forward", ".", *upstreams)),))


def _decoded(body: bytes | None, shape: type[Shape]) -> Shape | None:
    """Decode an object that the API server has validated; None where there is none, or it is something else."""
    try:
        return None if body is None else msgspec.json.decode(body, type=shape)
    except msgspec.MsgspecError:
        return None
