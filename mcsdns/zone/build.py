"""
From a service to its records: the multicluster DNS rules (KEP-1645 specification.md 1.0.0, Kubernetes DNS specification 1.1.0).

Rules, for S = `<svc>.<ns>.svc.<zone>`:
1. ClusterSetIP: A and AAAA at S from the import's IPs, whatever its ports or backends. Nothing below S but its SRV names.
2. Headless: A and AAAA at S from every ready endpoint, and at `<host>.<clusterid>.S` from those of that host.
   No ready endpoint: S does not exist.
3. SRV at `_<port>._<proto>.S` for each named port, and at S for every port, one for each port number and target. Priority 0,
   equal weights, the target in full.
4. A SRV record is made only where its target has an address (RFC 2782).
5. Names between S and a name that has records exist without records (RFC 8020).
6. A record that cannot be made (its name is too long, or belongs to a cluster id) is left out alone, and named.
7. An RRset that no DNS message can carry is cut, with every cluster keeping its share (docs/decisions/0002).
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from itertools import zip_longest

from msgspec import Struct

from mcsdns.clusterset.model import Endpoint, Omission, Port, Reason, Service, ServiceKey, ServiceType, is_label
from mcsdns.zone.names import MAX_NAME, below, child, parent
from mcsdns.zone.rrset import Node, RRset, ServiceRecords, Type

SRV_WEIGHT = 100
"""The weight of every SRV record. Equal for all, and the same whatever their number, so that one endpoint changes one record."""

_MESSAGE = 65535
"""Largest message, octets (RFC 1035 §4.2.2)."""
_OVERHEAD = 12 + MAX_NAME + 4 + 128
"""Octets of a message that are no answers: header, the longest question, an OPT record with every option of ours."""
_RR_FIXED = 12
"""Octets of a RR beside its RDATA: compressed owner 2, type 2, class 2, TTL 4, RDLENGTH 2 (RFC 1035 §4.1.3)."""
_A, _AAAA, _SRV = int(Type.A), int(Type.AAAA), int(Type.SRV)
"""As plain numbers: looking up a member of an enumeration costs more than adding a record."""


class Options(Struct, frozen=True):
    """
    What the configuration says of the zone.

    Args:
        zone: Its name, wire format.
        ttl: Seconds, of address and SRV records.
        negative_ttl: Seconds, of the SOA and its MINIMUM.
        advertise: Packed addresses of the name server's own name.
    """

    zone: bytes
    ttl: int = 5
    negative_ttl: int = 5
    advertise: tuple[bytes, ...] = ()


def service_owner(key: ServiceKey, zone: bytes) -> bytes:
    """
    Return `<svc>.<ns>.svc.<zone>`. It always fits: the configuration refuses a longer zone.
    """
    return child(key.name, child(key.namespace, child("svc", zone)))


def build(service: Service, options: Options) -> ServiceRecords:
    """
    Make every record of one service.

    Args:
        service: As merged for a view.
        options: Zone name and TTLs.

    Source: KEP-1645 specification.md; the rules above.
    """
    draft = _Draft(service_owner(service.key, options.zone), options.ttl, service)
    if service.type is ServiceType.HEADLESS:
        _headless(service, draft)
    else:
        _clusterset_ip(service, draft)
    return draft.records()


class _Draft:
    """The records of one service while they are collected. RDATA is kept in the order in which it is added, each once."""

    def __init__(self, owner: bytes, ttl: int, service: Service) -> None:
        self.owner = owner
        self._ttl = ttl
        self._omissions = list(service.omissions)
        self._cluster = service.cluster
        self._object = f"ServiceImport {service.key.namespace}/{service.key.name}"
        self._nodes: dict[bytes, dict[int, dict[bytes, None]]] = {}
        self._port_names: dict[Port, bytes | None] = {}

    def exist(self, name: bytes) -> None:
        """Make a name exist, and every name between it and the service's own."""
        while name not in self._nodes:
            self._nodes[name] = {}
            if name == self.owner:
                break
            name = parent(name)

    def add(self, name: bytes, rr_type: int, rdata: bytes) -> None:
        """Add one record."""
        if name not in self._nodes:
            self.exist(name)
        self._nodes[name].setdefault(rr_type, {})[rdata] = None

    def address(self, name: bytes, address: bytes) -> None:
        """Add one A or AAAA record."""
        self.add(name, _A if len(address) == 4 else _AAAA, address)

    def services(self, port: Port, target: bytes) -> None:
        """Add the SRV records of one port: at its own name where it has one, and at the service's."""
        rdata = struct.pack("!HHH", 0, SRV_WEIGHT, port.number) + target
        self.add(self.owner, _SRV, rdata)
        if port not in self._port_names:
            self._port_names[port] = self._port_name(port)
        name = self._port_names[port]
        if name is not None:
            self.add(name, _SRV, rdata)

    def _port_name(self, port: Port) -> bytes | None:
        """Return the name that the SRV records of a port have of their own, or None where there is none."""
        if not port.name:
            return None
        if not is_label(port.name):
            self.omit(Reason.BAD_PORT, f"no SRV name for port {port.name[:80]!r}: it is not one DNS label")
            return None
        try:
            return child(f"_{port.name}", child(f"_{port.protocol}", self.owner))
        except ValueError as error:
            self.omit(Reason.NAME_TOO_LONG, f"no SRV name for port {port.name!r}: {error}")
            return None

    def omit(self, reason: Reason, detail: str) -> None:
        """Name something that could not be made."""
        self._omissions.append(Omission(reason, self._cluster, self._object, detail))

    def records(self) -> ServiceRecords:
        """Return what was collected."""
        nodes = {name: self._node(rrsets) for name, rrsets in self._nodes.items()}
        return ServiceRecords(self.owner, nodes, tuple(sorted(set(self._omissions))))

    def _node(self, rrsets: dict[int, dict[bytes, None]]) -> Node:
        return tuple(
            RRset(rr_type, self._ttl, self._fitting(rr_type, tuple(rrsets[rr_type]))) for rr_type in sorted(rrsets)
        )

    def _fitting(self, rr_type: int, rdata: tuple[bytes, ...]) -> tuple[bytes, ...]:
        """Return as many records as one message carries (rule 7)."""
        room = _MESSAGE - _OVERHEAD
        for fitting, one in enumerate(rdata):
            room -= _RR_FIXED + len(one)
            if room < 0:
                self.omit(
                    Reason.ANSWER_TOO_LARGE,
                    f"{fitting} of {len(rdata)} {Type(rr_type).name} records fit into one answer",
                )
                return rdata[:fitting]
        return rdata


def _clusterset_ip(service: Service, draft: _Draft) -> None:
    draft.exist(draft.owner)
    for address in service.ips:
        draft.address(draft.owner, address)
    if not service.ips:
        draft.omit(Reason.NO_ADDRESS, "the import has no valid address yet: the name exists without addresses and SRV")
        return
    for port in service.ports:
        draft.services(port, draft.owner)


def _headless(service: Service, draft: _Draft) -> None:
    taken = {backends.cluster_id for backends in service.backends} | service.reserved
    domains: dict[str, bytes] = {}
    for cluster_id, endpoint, ports in _in_turns(service):
        draft.address(draft.owner, endpoint.address)
        if cluster_id is None or not endpoint.host:
            continue
        host = f"{endpoint.host}.{cluster_id}"
        if host in taken:
            draft.omit(
                Reason.NAME_TAKEN, f"no host name {host}: {host} is the id of a cluster, which may own no records"
            )
            continue
        try:
            if cluster_id not in domains:
                domains[cluster_id] = below(cluster_id, draft.owner)
            target = child(endpoint.host, domains[cluster_id])
        except ValueError as error:
            draft.omit(Reason.NAME_TOO_LONG, f"no host name for {host}: {error}")
            continue
        draft.address(target, endpoint.address)
        for port in ports:
            draft.services(port, target)


_Turn = tuple[str | None, Endpoint, tuple[Port, ...]]


def _in_turns(service: Service) -> Iterator[_Turn]:
    """
    Give the endpoints in the order of every RRset of the service: sorted, one cluster after the other.

    Where there are more than fit into a message, the clusters take turns, so that cutting the end cuts none of them off.
    """
    by_cluster: dict[str | None, list[_Turn]] = {}
    for backends in service.backends:
        turns = by_cluster.setdefault(backends.cluster_id, [])
        turns += ((backends.cluster_id, endpoint, backends.ports) for endpoint in backends.endpoints)
    for turns in by_cluster.values():
        turns.sort(key=_turn_order)
    total = sum(len(turns) for turns in by_cluster.values())
    if total < (_MESSAGE - _OVERHEAD) // (_RR_FIXED + 6 + MAX_NAME):
        for turns in by_cluster.values():
            yield from turns
        return
    for together in zip_longest(*by_cluster.values()):
        yield from (turn for turn in together if turn is not None)


def _turn_order(turn: _Turn) -> tuple[int, Endpoint]:
    return len(turn[1].address), turn[1]
