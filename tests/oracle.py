"""
The records of a clusterset in the plainest reading of the rules: from the objects straight to text, once for each view.

It shares nothing with the product but the structs of the objects. Sets stand for RRsets, strings for names, `ipaddress` for addresses.
Sources: KEP-1645 specification.md; design.md §4. Names so long that they cannot be are left out by their length in text.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Collection, Iterator, Mapping

from mcsdns.source.events import Resource
from mcsdns.source.objects import ClusterProperty, Endpoint, EndpointSlice, Port, ServiceExport, ServiceImport
from tests.strategies import State

Record = tuple[str, ...]
"""Owner, TTL, class, type, RDATA."""
ZONE = "clusterset.local."
LABEL = r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?"
PROPERTY = ("", "cluster.clusterset.k8s.io")


def expected_records(state: State, ids: Mapping[str, str], view: str | None) -> set[Record]:
    """
    Work out every record of every service.

    Args:
        state: What each watched cluster holds, in the order of the configuration.
        ids: Configured cluster ids.
        view: The consuming cluster's name, or None.
    """
    speaking: dict[str, str] = {}
    for cluster, resources in state.items():
        cluster_id = ids.get(cluster) or _property(state, cluster) or cluster
        if len(resources) == len(Resource) and cluster_id not in speaking.values():
            speaking[cluster] = cluster_id
    records: set[Record] = set()
    importers = [cluster for cluster in speaking if view in (None, cluster)]
    imports: dict[tuple[str, str], ServiceImport] = {}
    for cluster in importers:
        for key, obj in state[cluster][Resource.SERVICE_IMPORTS].items():
            is_type = isinstance(obj, ServiceImport) and obj.spec and obj.spec.type in ("ClusterSetIP", "Headless")
            if is_type and all(re.fullmatch(LABEL, part) for part in key):
                assert isinstance(obj, ServiceImport)
                imports.setdefault(key, obj)
    for (namespace, name), imported in imports.items():
        owner = f"{name}.{namespace}.svc.{ZONE}"
        assert imported.spec is not None
        if imported.spec.type == "ClusterSetIP":
            records |= set(_clusterset_ip(owner, imported))
        else:
            records |= set(
                _headless(owner, list(_backends(state, speaking, view, (namespace, name), imported)), speaking.values())
            )
    return records


def _property(state: State, cluster: str) -> str | None:
    found = state[cluster].get(Resource.CLUSTER_PROPERTIES, {}).get(PROPERTY)
    value = found.spec.value if isinstance(found, ClusterProperty) else ""
    return value if _is_id(value) else None


def _is_id(text: str | None) -> bool:
    return re.fullmatch(rf"{LABEL}(\.{LABEL})?", text or "") is not None


def _backends(
    state: State, speaking: dict[str, str], view: str | None, key: tuple[str, str], imported: ServiceImport
) -> Iterator[tuple[str | None, EndpointSlice]]:
    """Give the slices that are believed, with the id of their source cluster."""
    named = {entry.cluster for entry in (imported.status and imported.status.clusters) or ()}
    claims: list[tuple[int, str | None, EndpointSlice]] = []
    for place, (cluster, cluster_id) in enumerate(speaking.items()):
        export = state[cluster][Resource.SERVICE_EXPORTS].get(key)
        is_exported = isinstance(export, ServiceExport) and not any(
            condition.type == "Valid" and condition.status == "False"
            for condition in list({c.type: c for c in (export.status and export.status.conditions) or ()}.values())
        )
        for (namespace, _), obj in state[cluster][Resource.ENDPOINT_SLICES].items():
            labels = obj.metadata.labels
            if not isinstance(obj, EndpointSlice) or labels is None or obj.address_type not in ("IPv4", "IPv6"):
                continue
            is_imported = labels.imported_service is not None
            if (namespace, labels.imported_service if is_imported else labels.native_service) != key:
                continue
            if is_imported:
                source = labels.source_cluster if _is_id(labels.source_cluster) else None
                claims.append((0 if cluster == view else 2 + place, source, obj))
            elif is_exported or cluster_id in named:
                claims.append((1, cluster_id, obj))
    for rank, source, obj in claims:
        if rank == min(other for other, about, _ in claims if about == source):
            yield source, obj


def _clusterset_ip(owner: str, imported: ServiceImport) -> Iterator[Record]:
    assert imported.spec is not None
    addresses = {address for text in imported.spec.ips or () if (address := _address(text))}
    for address in addresses:
        yield _address_record(owner, address)
    for port in imported.spec.ports or () if addresses else ():
        yield from _srv(owner, port, owner)


def _headless(
    owner: str, backends: list[tuple[str | None, EndpointSlice]], members: Collection[str]
) -> Iterator[Record]:
    pairs = [(source, obj, endpoint) for source, obj in backends for endpoint in obj.endpoints or ()]
    ready = [
        (source, obj, endpoint, text, address)
        for source, obj, endpoint in pairs
        if endpoint.conditions is None or endpoint.conditions.ready is not False
        for text in endpoint.addresses or ()
        if (address := _address(text)) and f"IPv{address.version}" == obj.address_type
    ]
    cluster_ids = {source for source, _ in backends} | set(members)
    for source, obj, endpoint, text, address in ready:
        yield _address_record(owner, address)
        host = _host(endpoint, text)
        target = f"{host}.{source}.{owner}"
        if source is None or host is None or f"{host}.{source}" in cluster_ids or len(target) > 254:
            continue
        yield _address_record(target, address)
        for port in obj.ports or ():
            yield from _srv(owner, port, target)


def _host(endpoint: Endpoint, text: str) -> str | None:
    if endpoint.hostname:
        return endpoint.hostname.lower() if re.fullmatch(LABEL, endpoint.hostname.lower()) else None
    host = re.sub("[.:]", "-", text).lower()
    return f"{host}0" if host.endswith("-") else host


def _srv(owner: str, port: Port, target: str) -> Iterator[Record]:
    protocol, name = (port.protocol or "TCP").lower(), (port.name or "").lower()
    if protocol not in ("tcp", "udp", "sctp") or port.port is None or not 0 < port.port < 65536:
        return
    rdata = f"0 100 {port.port} {target}"
    yield owner, "5", "IN", "SRV", rdata
    if re.fullmatch(LABEL, name) and len(name) < 63:
        yield f"_{name}._{protocol}.{owner}", "5", "IN", "SRV", rdata


def _address(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(text)
    except ValueError:
        return None


def _address_record(owner: str, address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> Record:
    return owner, "5", "IN", "A" if address.version == 4 else "AAAA", str(address)
