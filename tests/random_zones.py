"""Random zones and random queries from a seeded generator: quick enough for millions of packets."""

from __future__ import annotations

import random
from collections.abc import Sequence

from mcsdns.zone.names import ROOT, parent, suffixes
from mcsdns.zone.rrset import Node, RRset, ServiceRecords, Type, Update
from mcsdns.zone.snapshot import Snapshot
from tests import zones
from tests.wire.messages import ask, header, opt, option, question, record, tsig
from tests.wire.test_hostile import mutated

NAMESPACES = ("test", "n1", "n-2")
NAMES = ("web", "db", "hl", "x" * 63, "b")
PORTS = ("_http._tcp", "_p._udp")
TYPES = (1, 28, 33, 2, 6, 16, 255, 251, 252, 0, 41, 250, 5, 65, 65535)


def random_update(rng: random.Random, serial: int) -> Update:
    """Make an update of a few services: built anew, or gone."""
    base = zones.update(serial=serial, complete=rng.random() < 0.8)
    changes: dict[bytes, ServiceRecords | None] = {}
    for _ in range(rng.randrange(8)):
        owner = zones.name(f"{rng.choice(NAMES)}.{rng.choice(NAMESPACES)}.svc")
        changes[owner] = None if rng.random() < 0.3 else ServiceRecords(owner, _nodes(rng, owner))
    return Update("any", serial, base.complete, base.apex, changes)


def random_queries(rng: random.Random, snapshot: Snapshot) -> Sequence[bytes]:
    """Give the names that are worth asking for: those that exist, their ancestors, their neighbours."""
    names = {*snapshot.apex.nodes, ROOT, zones.name("nowhere.test.svc"), zones.name("svc")}
    for records in snapshot.services.values() if snapshot.services else ():
        names.update(records.nodes)
        names.update(suffixes(records.owner))
        names.add(b"\x05below" + records.owner)
    names |= {b"\x01x" + name for name in rng.sample(sorted(names), min(4, len(names)))}
    return sorted(name for name in names if len(name) <= 255)


def random_query(rng: random.Random, names: Sequence[bytes]) -> bytes:
    """Make a query: a plain one, one with odd parts, or one with octets changed."""
    kind = rng.random()
    if kind < 0.15:
        return mutated(rng)
    qname = rng.choice(names)
    if rng.random() < 0.3:
        qname = bytes(octet ^ 0x20 if 0x61 <= octet <= 0x7A and rng.random() < 0.5 else octet for octet in qname)
    qtype = rng.choice(TYPES[:5]) if rng.random() < 0.7 else rng.choice(TYPES)
    qclass = 1 if rng.random() < 0.95 else rng.choice((0, 3, 255))
    flags = rng.choice((0, 0x0100, 0x0100, 0x07F0, rng.randrange(0x8000)))
    packet = ask(qname, qtype, *_additional(rng), qclass=qclass, flags=flags) + (
        b"tail" if rng.random() < 0.05 else b""
    )
    if kind < 0.25:
        counts = [rng.choice((0, 1, 1, 2)), *(rng.choice((0, 0, 1, 2, 65535)) for _ in range(3))]
        packet = header(flags, counts) + question(qname, qtype, qclass) + b"".join(_additional(rng))
    if kind < 0.4:
        at = rng.randrange(len(packet))
        packet = packet[:at] + bytes((rng.choice((0, 1, 0xC0, 0xFF, rng.randrange(256))),)) + packet[at + 1 :]
    return packet if kind > 0.18 else packet[: rng.randrange(len(packet))]


def _additional(rng: random.Random) -> list[bytes]:
    kind = rng.random()
    if kind < 0.3:
        return []
    options = rng.choice((b"", b"", option(3), option(10, bytes(8)), option(3) + option(65001, bytes(5)), b"\x00"))
    version = 0 if rng.random() < 0.95 else rng.randrange(256)
    owner = rng.choice((b"\x00",) * 9 + (b"\x01x\x00", b"\xc0\x0c"))
    payload = rng.choice((0, 511, 512, 600, 1232, 1400, 4096, 65535))
    found = opt(payload, version=version, flags=rng.choice((0, 0x8000, 0xFFFF)), options=options, owner=owner)
    if kind < 0.85:
        return [found]
    signed = tsig(mac=bytes(rng.randrange(40)), rrclass=rng.choice((255, 255, 1)), ttl=rng.choice((0, 0, 5)))
    compressed = record(b"\xc0\x0c", 250, 255, 0, b"\x00" + bytes(10) + bytes(6))
    other = record(rng.choice((b"\xc0\x0c", b"\x01a\xc0\x0c", b"\x00")), rng.choice((1, 99)), 1, 0, bytes(4))
    many = record(b"\xc0\x0c", 1, 1, 0, b"") * rng.choice((63, 64, 65, 70))
    return rng.choice(
        ([found, signed], [signed], [compressed], [other, found], [found, found], [signed, other], [many, found])
    )


def _nodes(rng: random.Random, owner: bytes) -> dict[bytes, Node]:
    if rng.random() < 0.1:
        return {}
    pods = rng.choice((0, 1, 2, 3, 12, 40, 200))
    targets = [_pod(rng, owner, number) for number in range(pods)] or [owner]
    nodes: dict[bytes, Node] = {owner: _addresses(rng, max(1, pods), owner, targets)}
    for target in targets[:40]:
        if target != owner and target.endswith(owner):
            nodes[target] = _addresses(rng, 1, target, [])
            nodes.setdefault(parent(target), ())
    for port in PORTS[: rng.randrange(3)]:
        name = owner
        for label in reversed(port.split(".")):
            name = bytes((len(label),)) + label.encode() + name
            nodes.setdefault(name, ())
        nodes[name] = (_srv(rng, targets),)
    return {name: node for name, node in nodes.items() if len(name) <= 255}


def _pod(rng: random.Random, owner: bytes, number: int) -> bytes:
    label = f"pod-{'x' * rng.randrange(8)}{number}".encode()
    cluster = rng.choice((b"\x01a", b"\x02c1\x04reg1"))
    below = rng.choice((owner, owner, owner, zones.name("dns"), b"\x07example\x00"))
    return bytes((len(label),)) + label + cluster + below


def _addresses(rng: random.Random, count: int, owner: bytes, targets: list[bytes]) -> Node:
    ttl = rng.choice((0, 5, 86400, 2**32 - 1))
    node = []
    if rng.random() < 0.9:
        node.append(RRset(Type.A, ttl, tuple(bytes((10, 0, n >> 8, n & 255)) for n in range(count))))
    if rng.random() < 0.3:
        node.append(RRset(16, ttl, tuple(rng.randbytes(rng.randrange(1, 60)) for _ in range(rng.randrange(1, 5)))))
    if rng.random() < 0.4:
        node.append(RRset(Type.AAAA, ttl, tuple(bytes(14) + bytes((n >> 8, n & 255)) for n in range(count))))
    if targets and rng.random() < 0.5:
        node.append(_srv(rng, targets))
    return tuple(node)


def _srv(rng: random.Random, targets: list[bytes]) -> RRset:
    spelled = [target.upper() if rng.random() < 0.1 else target for target in targets]
    return RRset(
        Type.SRV, 5, tuple(b"\x00\x00\x00\x64" + (80 + n % 2).to_bytes(2, "big") + t for n, t in enumerate(spelled))
    )
