"""
From Kubernetes objects to the model: the only place that reads labels, annotations and conditions.

Rules:
1. Each entry is judged alone. A wrong address, port or endpoint is left out and named; the rest of its object counts.
2. An object of which nothing can count is `Rejected`, with a reason.
3. What is not about DNS (a slice of no service, a property that is no cluster id) is None: not even worth a word.

Source: KEP-1645 and its specification.md; mcs-api v0.5.2 types; discovery.k8s.io/v1; KEP-2149.
"""

from __future__ import annotations

import functools
import ipaddress
import re
import sys
from collections.abc import Iterable
from datetime import datetime

from mcsdns.clusterset.model import (
    Endpoint,
    Export,
    Import,
    Port,
    Property,
    Reason,
    Rejected,
    ServiceKey,
    ServiceType,
    Slice,
    is_cluster_id,
    is_label,
)
from mcsdns.source import objects

PROTOCOLS = ("tcp", "udp", "sctp")
_FAMILIES = {"IPv4": 4, "IPv6": 6}
_OCTET = r"(25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])"
_IPV4 = re.compile(rf"{_OCTET}(\.{_OCTET}){{3}}")
_TYPES = {str(service_type): service_type for service_type in ServiceType}

Omitted = list[tuple[Reason, str]]
Value = Import | Export | Slice | Property | Rejected


def intake(obj: objects.Object) -> Value | None:
    """
    Take in one object.

    Args:
        obj: As it was decoded.

    Returns:
        Its value; `Rejected` where nothing of it counts; None where it does not concern the zone.
    """
    match obj:
        case objects.EndpointSlice():
            return _slice(obj)
        case objects.ServiceImport():
            return _import(obj)
        case objects.ServiceExport():
            return _export(obj)
        case objects.ClusterProperty():
            return _property(obj)
        case objects.Malformed():
            return Rejected(_service_of(obj.metadata), Reason.MALFORMED, obj.problem)


def changed_at(obj: objects.Object) -> float | None:
    """Return when the change happened that led to this version of a slice, in seconds since the epoch, or None if it does not say."""
    annotations = obj.metadata.annotations
    if annotations is None or annotations.last_change is None:
        return None
    try:
        return datetime.fromisoformat(annotations.last_change).timestamp()
    except ValueError:
        return None


def _import(obj: objects.ServiceImport) -> Import | Rejected:
    key = _key(obj.metadata.namespace, obj.metadata.name)
    problem = _name_problem(key)
    if problem:
        return Rejected(key, Reason.BAD_NAME, problem)
    spec = obj.spec or objects.ImportSpec()
    service_type = _TYPES.get(spec.type or "")
    if service_type is None:
        found = "nothing" if spec.type is None else repr(spec.type[:64])
        return Rejected(key, Reason.BAD_TYPE, f"spec.type is {found}; expected ClusterSetIP or Headless")
    omitted: Omitted = [(Reason.MALFORMED, problem) for problem in obj.problems]
    ips: set[bytes] = set()
    for text in spec.ips or ():
        address = _address(text)
        if address is None:
            omitted.append(
                (Reason.BAD_ADDRESS, f"spec.ips holds {text[:64]!r}; expected one plain IPv4 or IPv6 address")
            )
        else:
            ips.add(address)
    ports = _ports(spec.ports or (), omitted)
    clusters = obj.status.clusters if obj.status is not None else None
    return Import(
        key,
        service_type,
        tuple(sorted(ips, key=_family_first)),
        ports,
        tuple(sorted({sys.intern(entry.cluster) for entry in clusters or ()})),
        tuple(omitted),
    )


def _export(obj: objects.ServiceExport) -> Export | Rejected:
    key = _key(obj.metadata.namespace, obj.metadata.name)
    problem = _name_problem(key)
    if problem:
        return Rejected(key, Reason.BAD_NAME, problem)
    conditions = {c.type: c for c in (obj.status.conditions if obj.status else None) or ()}
    valid, conflict = conditions.get("Valid"), conditions.get("Conflict")
    is_conflict = conflict is not None and conflict.status == "True"
    message = (
        ((conflict.message or conflict.reason or "no message") if conflict is not None else "") if is_conflict else ""
    )
    return Export(key, valid is None or valid.status != "False", message[:256])


def _slice(obj: objects.EndpointSlice) -> Slice | Rejected | None:
    labels = obj.metadata.labels
    key = _service_of(obj.metadata)
    if labels is None or key is None:
        return None
    problem = _name_problem(key)
    if problem:
        return Rejected(key, Reason.BAD_NAME, problem)
    family = _FAMILIES.get(obj.address_type)
    if family is None:
        found = obj.address_type[:64]
        return Rejected(key, Reason.BAD_TYPE, f"addressType is {found!r}; only IPv4 and IPv6 have address records")
    omitted: Omitted = [(Reason.MALFORMED, problem) for problem in obj.problems]
    is_imported = labels.imported_service is not None
    endpoints = _endpoints(obj.endpoints or (), family, omitted)
    return Slice(
        obj.metadata.name,
        key,
        is_imported,
        _source_cluster(labels.source_cluster, omitted) if is_imported else None,
        endpoints,
        _ports(obj.ports or (), omitted),
        tuple(omitted),
        tuple(sorted(_waiting(obj.endpoints or ()))),
    )


def _property(obj: objects.ClusterProperty) -> Property | Rejected | None:
    if obj.metadata.name != objects.CLUSTER_ID_PROPERTY:
        return None
    cluster_id = obj.spec.value
    if not is_cluster_id(cluster_id):
        return Rejected(
            None, Reason.BAD_CLUSTER_ID, f"{cluster_id[:64]!r} is no cluster id: one DNS label, or two with a dot"
        )
    return Property(sys.intern(cluster_id))


@functools.lru_cache(maxsize=4096)
def _key(namespace: str, name: str) -> ServiceKey:
    """Return one key for all slices of a service, which come together: keys are what the garbage collector would look at most."""
    return ServiceKey(sys.intern(namespace), sys.intern(name))


def _service_of(metadata: objects.Metadata) -> ServiceKey | None:
    """Return the service an EndpointSlice is about, or, of another object, the one it is named after."""
    labels = metadata.labels
    if labels is None or (labels.imported_service is None and labels.native_service is None):
        return None
    service = labels.imported_service if labels.imported_service is not None else labels.native_service
    return _key(metadata.namespace, service or "")


def _name_problem(key: ServiceKey) -> str:
    for what, name in (("namespace", key.namespace), ("service name", key.name)):
        if not is_label(name):
            return f"the {what} {name[:80]!r} is not one RFC 1123 label"
    return ""


def _source_cluster(label: str | None, omitted: Omitted) -> str | None:
    if label is None:
        omitted.append(
            (Reason.NO_SOURCE_CLUSTER, "the slice has no source-cluster label: its addresses get no host names")
        )
    elif not is_cluster_id(label):
        omitted.append(
            (Reason.BAD_CLUSTER_ID, f"source-cluster {label[:64]!r} is no cluster id: its addresses get no host names")
        )
    else:
        return sys.intern(label)
    return None


def _endpoints(entries: Iterable[objects.Endpoint], family: int, omitted: Omitted) -> tuple[Endpoint, ...]:
    found: set[Endpoint] = set()
    for entry in entries:
        addresses = entry.addresses or ()
        if entry.conditions is not None and entry.conditions.ready is False:
            omitted.append(
                (Reason.NOT_READY, f"{entry.hostname or 'endpoint'} {' '.join(addresses)[:80]} is not ready")
            )
            continue
        hostname = _hostname(entry.hostname, omitted)
        for text in addresses:
            address = _address(text, family)
            if address is None:
                omitted.append((Reason.BAD_ADDRESS, f"{text[:64]!r} is not one plain IPv{family} address"))
            else:
                found.add(Endpoint(address, _host_of(text) if hostname is None else hostname))
    return tuple(sorted(found))


def _waiting(entries: Iterable[objects.Endpoint]) -> set[str]:
    """Return the host labels of endpoints that are not ready: those that they would have."""
    found: set[str] = set()
    for entry in entries:
        if entry.conditions is not None and entry.conditions.ready is False:
            hostname = _hostname(entry.hostname, [])
            found.update(_host_of(text) for text in entry.addresses or ()) if hostname is None else found.add(hostname)
    return found - {""}


def _hostname(hostname: str | None, omitted: Omitted) -> str | None:
    """Return the host label: None where the address is to serve as one, empty where there may be none."""
    if not hostname:
        return None
    lowered = hostname.lower()
    if is_label(lowered):
        return sys.intern(lowered)
    omitted.append(
        (Reason.BAD_HOSTNAME, f"the hostname {hostname[:80]!r} is not one RFC 1123 label: its address has no host name")
    )
    return ""


def _host_of(address: str) -> str:
    """Return the host label of an endpoint without hostname: its address as its slice spells it, with `-` for `.` and `:`."""
    label = address.replace(".", "-").replace(":", "-").lower()
    return label + "0" if label.endswith("-") else label


def _address(text: str, family: int | None = None) -> bytes | None:
    """Return the packed octets of one plain address, or None where it is none, or not of the family that is asked for."""
    if ":" not in text:
        # A start takes in tens of thousands of these: `ipaddress` would be a tenth of it.
        if family == 6 or not _IPV4.fullmatch(text):
            return None
        return bytes(map(int, text.split(".")))
    if family == 4 or "%" in text:
        return None
    try:
        return ipaddress.IPv6Address(text).packed
    except ValueError:
        return None


def _family_first(address: bytes) -> tuple[int, bytes]:
    return len(address), address


def _ports(entries: Iterable[objects.Port], omitted: Omitted) -> tuple[Port, ...]:
    found: set[Port] = set()
    for entry in entries:
        if entry.port is None:
            continue  # "all ports" of a slice: there is no number to publish
        port = _port(entry.name or "", entry.protocol or "TCP", entry.port)
        if isinstance(port, Port):
            found.add(port)
        else:
            omitted.append((Reason.BAD_PORT, port))
    return _shared(tuple(sorted(found)))


@functools.lru_cache(maxsize=4096)
def _port(name: str, protocol: str, number: int) -> Port | str:
    """Return the port, or why it is left out."""
    if protocol.lower() not in PROTOCOLS:
        return f"port {number} has protocol {protocol[:32]!r}; expected TCP, UDP or SCTP"
    if not 1 <= number <= 65535:
        return f"port {number} is outside 1-65535"
    return Port(sys.intern(name.lower()), sys.intern(protocol.lower()), number)


@functools.lru_cache(maxsize=4096)
def _shared(ports: tuple[Port, ...]) -> tuple[Port, ...]:
    """Return one tuple for all slices that have the same ports: most have."""
    return ports
