"""From a service to its records. What they are is in tests/spec; here: their form, their order, and their limits."""

from __future__ import annotations

import struct

import pytest

from mcsdns.clusterset.model import Backends, Endpoint, Port, Reason, Service, ServiceKey, ServiceType
from mcsdns.zone.build import SRV_WEIGHT, Options, build, service_owner
from mcsdns.zone.names import from_text
from mcsdns.zone.rrset import ServiceRecords, Type

OPTIONS = Options(from_text("clusterset.local"), ttl=7)
KEY = ServiceKey("test", "db")
OWNER = from_text("db.test.svc.clusterset.local")
PG = Port("pg", "tcp", 5432)


def clusterset_ip(*ips: bytes, ports: tuple[Port, ...] = ()) -> Service:
    return Service(KEY, "cluster-a", ServiceType.CLUSTERSET_IP, ips, ports, (), frozenset(), (), ())


def headless(*backends: Backends) -> Service:
    return Service(KEY, "cluster-a", ServiceType.HEADLESS, (), (), backends, frozenset(), (), ())


def ip(n: int) -> bytes:
    return struct.pack("!I", (10 << 24) + n)


def many(cluster: str | None, first: int, count: int, host: str = "h{}", ports: tuple[Port, ...] = ()) -> Backends:
    return Backends(cluster, tuple(Endpoint(ip(n), host.format(n)) for n in range(first, first + count)), ports)


def rdata(records: ServiceRecords, rr_type: Type, name: bytes = OWNER) -> tuple[bytes, ...]:
    return next((rrset.rdata for rrset in records.nodes.get(name, ()) if rrset.type == rr_type), ())


def below(name: str) -> bytes:
    return from_text(f"{name}.db.test.svc.clusterset.local")


def test_the_owner() -> None:
    """A service's name is `<svc>.<ns>.svc.<zone>`."""
    assert service_owner(KEY, OPTIONS.zone) == OWNER
    assert build(clusterset_ip(), OPTIONS).owner == OWNER


def test_a_node_is_sorted_by_type_and_has_one_ttl() -> None:
    """A node is the RRsets of a name in the order of their type, each with the configured TTL."""
    records = build(clusterset_ip(bytes(16), ip(1), ports=(PG,)), OPTIONS)
    assert [rrset.type for rrset in records.nodes[OWNER]] == [Type.A, Type.AAAA, Type.SRV]
    assert {rrset.ttl for node in records.nodes.values() for rrset in node} == {7}


def test_srv_in_wire_format() -> None:
    """SRV: priority 0, the one weight, the port, the target in full (RFC 2782)."""
    records = build(clusterset_ip(ip(1), ports=(PG,)), OPTIONS)
    assert rdata(records, Type.SRV) == (struct.pack("!HHH", 0, SRV_WEIGHT, 5432) + OWNER,)
    assert rdata(records, Type.SRV, below("_pg._tcp")) == rdata(records, Type.SRV)


def test_empty_non_terminals_are_nodes_without_rrsets() -> None:
    """Names between the service and a name that has records exist without records (RFC 8020)."""
    records = build(headless(Backends("c1.reg1", (Endpoint(ip(1), "db-0"),), (PG,))), OPTIONS)
    empty = {name for name, node in records.nodes.items() if node == ()}
    assert empty == {below("c1.reg1"), below("reg1"), below("_tcp")}
    assert set(records.nodes) - empty == {OWNER, below("db-0.c1.reg1"), below("_pg._tcp")}


def test_no_ready_endpoint_no_node() -> None:
    """Headless without a ready endpoint: the service is imported, but its name does not exist."""
    records = build(headless(Backends("a", (), (PG,))), OPTIONS)
    assert dict(records.nodes) == {}


def test_no_address_is_named() -> None:
    """A ClusterSetIP service without an address exists without records, and that is told."""
    records = build(clusterset_ip(ports=(PG,)), OPTIONS)
    assert dict(records.nodes) == {OWNER: ()}
    assert [omission.reason for omission in records.omissions] == [Reason.NO_ADDRESS]


def test_the_order_is_that_of_clusters_and_addresses() -> None:
    """Where all fit, the records stand one cluster after the other, each sorted."""
    records = build(headless(many("a", 5, 2), many("b", 1, 2)), OPTIONS)
    assert rdata(records, Type.A) == (ip(5), ip(6), ip(1), ip(2))


def test_the_order_does_not_depend_on_slices() -> None:
    """How a cluster cuts its endpoints into slices does not show."""
    one = build(headless(many("a", 1, 4, ports=(PG,))), OPTIONS)
    ends = tuple(Endpoint(ip(n), f"h{n}") for n in (1, 4))
    two = build(headless(Backends("a", ends, (PG,)), many("a", 2, 2, ports=(PG,))), OPTIONS)
    assert one == two


def test_omissions_are_sorted_and_each_once() -> None:
    """The same problem of a hundred endpoints is told once."""
    bad = Port("not a label", "tcp", 1)
    records = build(headless(many("a", 0, 100, ports=(bad, PG))), OPTIONS)
    assert [omission.reason for omission in records.omissions] == [Reason.BAD_PORT]


@pytest.mark.parametrize("count", [4000, 5000, 70000])
def test_an_rrset_that_no_message_carries_is_cut(count: int) -> None:
    """An RRset that no DNS message can carry is cut, with every cluster keeping its share."""
    records = build(headless(many("a", 0, count), many("b", 1 << 20, 100), many("c", 1 << 21, count)), OPTIONS)
    addresses = rdata(records, Type.A)
    assert 12 + 255 + 4 + 128 + len(addresses) * 16 <= 65535
    assert len(addresses) >= 4000, "not cut further than needed"
    values = [struct.unpack("!I", address)[0] - (10 << 24) for address in addresses]
    shares = [sum(1 for n in values if start <= n < start + count) for start in (0, 1 << 20, 1 << 21)]
    assert shares[1] == 100, "a small cluster keeps all"
    assert abs(shares[0] - shares[2]) <= 1
    assert Reason.ANSWER_TOO_LARGE in {omission.reason for omission in records.omissions}


def test_host_names_of_what_was_cut_are_still_there() -> None:
    """Only the RRset that is too large is cut: each host's own name has its address."""
    records = build(headless(many("a", 0, 5000)), OPTIONS)
    assert rdata(records, Type.A, below("h4999.a")) == (ip(4999),)


def test_many_srv_are_cut_with_targets_that_exist() -> None:
    """SRV sets are cut as well, and each target that stays has an address."""
    records = build(headless(many("a", 0, 1500, ports=(PG,)), many("b", 5000, 1500, ports=(PG,))), OPTIONS)
    targets = [one[6:] for one in rdata(records, Type.SRV)]
    assert 12 + 255 + 4 + 128 + sum(12 + len(one) for one in rdata(records, Type.SRV)) <= 65535
    assert 1000 < len(targets) < 3000
    assert all(rdata(records, Type.A, target) for target in targets)
    clusters = [target.count(b"\x01a\x02db") for target in targets]
    assert abs(2 * sum(clusters) - len(clusters)) <= 1, "both clusters alike"


def test_an_address_of_two_clusters_is_one_record() -> None:
    """The same address in two clusters stands once at the service, and under both hosts."""
    records = build(
        headless(Backends("a", (Endpoint(ip(1), "x"),), ()), Backends("b", (Endpoint(ip(1), "x"),), ())), OPTIONS
    )
    assert rdata(records, Type.A) == (ip(1),)
    assert rdata(records, Type.A, below("x.a")) == rdata(records, Type.A, below("x.b")) == (ip(1),)
