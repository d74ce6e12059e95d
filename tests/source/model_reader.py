"""
Those who ask: every name of every service after each publish, as a client would, and what no answer may be.

Rules, of answers alone (from a record one can tell which write made it, `model_objects`):
1. What is answered of a service comes from one generation: of each object one version.
2. Of no object an older version follows a newer one.
3. Nothing of a cluster that has not been heard is answered, and while one that is waited for has not been, nothing is NXDOMAIN.
4. A name that a heard cluster has had all the time is never NXDOMAIN.
5. Serials grow, and negative answers carry the one that was published.

Not here: whether the answers are right (`model_world`).
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Mapping
from typing import Final, NamedTuple, Protocol

from mcsdns.clusterset.model import ServiceKey
from mcsdns.plane.answers import Answers, Published
from mcsdns.plane.counters import Ledger, Totals
from mcsdns.wire.edns import Transport
from mcsdns.zone.build import service_owner
from mcsdns.zone.names import below
from mcsdns.zone.rrset import Type, Update
from tests.clustersets import OPTIONS
from tests.source.model_objects import IDS, SERVICES, epoch_of_address, epoch_of_port

NOERROR, SERVFAIL, NXDOMAIN = 0, 2, 3
TYPES: Final = (Type.A, Type.AAAA, Type.SRV)
_BELOW = ("_http._tcp", "_tcp", "a", "d", *(f"h1.{cluster_id}" for cluster_id in IDS))
OWNERS: Final = {key: service_owner(key, OPTIONS.zone) for key in SERVICES}
NAMES: Final = {owner: [owner, *(below(text, owner) for text in _BELOW)] for owner in OWNERS.values()}
"""Names that may exist, by the service that they belong to."""
_QUERIES: dict[tuple[bytes, int], bytes] = {}

Record = tuple[bytes, int, bytes]
"""Owner, type, RDATA."""


class Answer(NamedTuple):
    """A response."""

    rcode: int
    answer: tuple[Record, ...]
    authority: tuple[Record, ...]
    additional: tuple[Record, ...]


class Facts(Protocol):
    """What is known of the clusters."""

    def versions(self, epoch: int) -> tuple[str, object, list[int]]:
        """Return of which cluster and object an epoch is, and which versions of it those are."""

    def is_heard(self, cluster: str) -> bool:
        """Tell whether a cluster has told everything once."""

    def waits_for(self) -> list[str]:
        """Return the clusters for which negatives are held back."""

    def is_steady(self, key: ServiceKey, view: str | None) -> bool:
        """Tell whether a heard cluster has had a name that exists whatever else is so, and had it all the time."""


class Reader:
    """
    Asks one view.

    Args:
        view: Whose view: a configured name or None.
        facts: What is known of the clusters.

    Attributes:
        published: What the plane answers from; None before the first publish.
        wrong: The answers that may not be.
        count: How much was published.
    """

    def __init__(self, view: str | None, facts: Facts) -> None:
        self.view = view
        self.published: Published | None = None
        self.wrong: list[str] = []
        self.count = 0
        self.totals = Totals()
        self._facts = facts
        self._answers: Answers | None = None
        self._floor: dict[tuple[bytes, object], int] = {}
        self._names: dict[bytes, list[bytes]] = {owner: list(names) for owner, names in NAMES.items()}

    def publish(self, update: Update) -> None:
        """Take an update over, and ask everything that may be other by it."""
        self.count += 1
        was_complete = update.complete
        if self.published is None or self._answers is None:
            self.published = Published(update)
            ledger = Ledger("any", "udp", "1")
            self._answers = Answers(self.published, Transport(is_tcp=True), ledger, self.totals, 1 << 20)
        else:
            snapshot = self.published.snapshot
            was_complete = snapshot.complete
            if update.serial <= snapshot.serial:
                self.wrong.append(f"serial {update.serial} after {snapshot.serial}")
            self.published.apply(update)
        for owner, records in update.services.items():
            former = self._names[owner]
            self._names[owner] = list(dict.fromkeys([*NAMES[owner], *(records.nodes if records else ()), *former]))[:40]
        waits_for = self._facts.waits_for()
        if update.complete and waits_for:
            self.wrong.append(f"the zone is complete, but {waits_for} must be waited for")
        for owner in NAMES if was_complete != update.complete else update.services:
            self._read(owner)

    def read_all(self) -> dict[tuple[bytes, int], Answer]:
        """Ask everything."""
        return {pair: answer for owner in NAMES for pair, answer in self._read(owner).items()}

    def ask(self, name: bytes, rrtype: int) -> Answer:
        """Ask one name."""
        query = _QUERIES.get((name, rrtype))
        if query is None:
            query = struct.pack("!6H", 7, 0x0100, 1, 0, 0, 0) + name + struct.pack("!HH", rrtype, 1)
            if name in _FIXED:
                _QUERIES[name, rrtype] = query
        assert self._answers is not None
        octets = self._answers.answer(query)
        assert octets is not None
        return parse(octets)

    def _read(self, owner: bytes) -> Mapping[tuple[bytes, int], Answer]:
        """Ask everything of one service, and judge it."""
        found: dict[tuple[bytes, int], Answer] = {
            (name, rrtype): self.ask(name, rrtype) for name in self._names[owner] for rrtype in TYPES
        }
        self._judge_generation(owner, found.values())
        is_waiting = bool(self._facts.waits_for())
        for (name, rrtype), answer in found.items():
            if answer.rcode == NXDOMAIN and is_waiting:
                self.wrong.append(f"{name!r} {rrtype} is NXDOMAIN though a cluster has not been heard")
            if answer.rcode not in (NOERROR, NXDOMAIN, SERVFAIL):
                self.wrong.append(f"{name!r} {rrtype} is rcode {answer.rcode}")
            if answer.authority and answer.authority[0][2][-20:-16] != self._serial():
                self.wrong.append(f"{name!r} {rrtype}: another serial than the published one")
        key = next(key for key, known in OWNERS.items() if known == owner)
        if found[owner, Type.A].rcode == NXDOMAIN and self._facts.is_steady(key, self.view):
            self.wrong.append(f"{owner!r} is NXDOMAIN though a heard cluster had it all the time")
        return found

    def _judge_generation(self, owner: bytes, answers: Iterable[Answer]) -> None:
        epochs = {_epoch(record) for answer in answers for record in (*answer.answer, *answer.additional)}
        seen: dict[object, int] = {}
        for epoch in epochs:
            cluster, about, versions = self._facts.versions(epoch)
            if not self._facts.is_heard(cluster):
                self.wrong.append(f"{about} is answered though {cluster} has not been heard")
            if seen.setdefault(about, epoch) != epoch:
                self.wrong.append(f"two generations of {about} at once: {seen[about]} and {epoch}")
            floor = self._floor.get((owner, about), -1)
            later = [version for version in versions if version >= floor]
            if not later:
                self.wrong.append(f"{about}: version {versions} after {floor}")
            self._floor[owner, about] = min(later, default=floor)

    def _serial(self) -> bytes:
        assert self.published is not None
        return (self.published.snapshot.serial % 2**32).to_bytes(4, "big")


_FIXED = {name for names in NAMES.values() for name in names}


def _epoch(record: Record) -> int:
    if record[1] == Type.SRV:
        return epoch_of_port(int.from_bytes(record[2][4:6], "big"))
    return epoch_of_address(record[2])


def parse(octets: bytes) -> Answer:
    """Read a response of which only owner names are compressed."""
    counts = struct.unpack("!4H", octets[4:12])
    _, at = _name(octets, 12)
    at += 4
    sections: list[tuple[Record, ...]] = []
    for count in counts[1:]:
        records = []
        for _ in range(count):
            owner, at = _name(octets, at)
            rrtype, _, _, size = struct.unpack_from("!HHIH", octets, at)
            at += 10 + size
            records.append((owner, rrtype, octets[at - size : at]))
        sections.append(tuple(records))
    return Answer(octets[3] & 15, *sections)


def _name(octets: bytes, at: int) -> tuple[bytes, int]:
    begin = at
    while size := octets[at]:
        if size >= 0xC0:
            rest, _ = _name(octets, int.from_bytes(octets[at : at + 2], "big") & 0x3FFF)
            return octets[begin:at] + rest, at + 2
        at += 1 + size
    return octets[begin : at + 1], at + 1
