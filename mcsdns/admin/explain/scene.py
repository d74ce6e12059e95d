"""
What a question meets: the service that the name belongs to, merged and built anew, and what is looked up there.

Rules:
1. The answer comes from `merge`, `build`, `apex` and `Snapshot.find`: the code that the server answers with.
2. Only the service of the name is built. Of the others it matters whether they are imported, and no more.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from enum import StrEnum
from typing import Literal

from msgspec import Struct
from msgspec.structs import replace

from mcsdns.admin.explain.around import Around
from mcsdns.admin.explain.question import Question
from mcsdns.admin.explain.rules import Rule
from mcsdns.clusterset.merge import duplicates, importer, merge, speaking
from mcsdns.clusterset.mirror import Mirror
from mcsdns.clusterset.model import ObjectRef, Omission, Reason, Service, ServiceKey, View
from mcsdns.wire.answer import TRANSFERS, addresses_of_targets, choose
from mcsdns.zone.apex import apex
from mcsdns.zone.build import Options, build, service_owner
from mcsdns.zone.masterfile import record
from mcsdns.zone.names import is_within, labels, to_text
from mcsdns.zone.rrset import Node, RRset, ServiceRecords, Update
from mcsdns.zone.snapshot import Snapshot

Outcome = Literal["NOERROR", "NODATA", "NXDOMAIN", "SERVFAIL", "REFUSED"]
"""The response code, with NODATA for a NOERROR that carries no answer (RFC 2308 §2)."""


class Hop(StrEnum):
    """The links on the way from an export to an answer, in order (`mcsdns.admin.explain.chain`)."""

    ZONE = "zone"
    CLUSTERS = "clusters"
    VIEW = "view"
    EXPORTED = "exported"
    IMPORTED = "imported"
    ADDRESSES = "addresses"
    ENDPOINTS = "endpoints"
    READY = "ready"
    NAME = "name"
    RECORD = "record"
    CACHE = "cache"


class Finding(Struct, frozen=True):
    """
    Why the answer is what it is.

    Args:
        cause: What decided, about this very name.
        rule: The clause behind it.
        hints: What is missing, and what is near.
        objects: What had a part in it; None: all objects of the service.
        omissions: What was left out, beside the omissions of the service.
        hop: Where the way to an answer breaks; None: as the rule says.
    """

    cause: str
    rule: Rule
    hints: tuple[str, ...] = ()
    objects: tuple[ObjectRef, ...] | None = None
    omissions: tuple[Omission, ...] = ()
    hop: Hop | None = None


class Lookup(Struct, frozen=True):
    """What the server answers: the outcome and the records in presentation form."""

    outcome: Outcome
    answer: tuple[str, ...] = ()
    additional: tuple[str, ...] = ()


class Scene:
    """
    What a question meets.

    Attributes:
        question: What is asked.
        view: In which view.
        mirrors: All of them, in the order of the configuration.
        heard: Those that count.
        options: Zone name and TTLs.
        path: The labels of the name above the zone, from the left; empty outside the zone.
        key: The service that the name belongs to, or None where it can belong to none.
        below: The labels between the name and its service, from the left.
        source: The mirror whose ServiceImport counts, or None.
        service: As merged, or None where it is not imported.
        records: As built, or None.
        snapshot: The zone as far as it matters to the name.
        node: What the name owns; None where it does not exist.
    """

    def __init__(
        self,
        question: Question,
        view: View,
        mirrors: Sequence[Mirror],
        options: Options,
        *,
        complete: bool,
        serial: int = 0,
        imported: Collection[ServiceKey] | None = None,
        around: Around | None = None,
    ) -> None:
        self.question = question
        self.view = view
        self.mirrors = mirrors
        self.heard = speaking(mirrors)
        self.options = options
        self._imported = imported
        self._around = around
        self.path = path_of(question.name, options.zone)
        is_service = len(self.path) >= 3 and self.path[-1] == "svc"
        self.key = ServiceKey(self.path[-2], self.path[-3]) if is_service else None
        self.below = self.path[:-3] if is_service else []
        self.source = importer(self.key, mirrors, view) if self.key is not None else None
        self.service: Service | None = None
        self.records: ServiceRecords | None = None
        if self.key is not None:
            self.service = merge(self.key, mirrors, view)
        if self.service is not None:
            self.records = build(self.service, options)
        self.snapshot = Snapshot(Update(view.name, serial, complete, apex(options, serial), self._services()))
        self.node = self.snapshot.find(question.name) if self.snapshot.holds(question.name) else None

    @property
    def name(self) -> str:
        """The name that is asked for, as text."""
        return to_text(self.question.name)

    @property
    def zone(self) -> str:
        """The zone's name, as text."""
        return to_text(self.options.zone)

    @property
    def namespace(self) -> str | None:
        """The namespace that the name is, or is below of."""
        return self.path[-2] if len(self.path) >= 2 and self.path[-1] == "svc" else None

    def look_up(self) -> Lookup:
        """Return what the server answers (the table of `mcsdns.wire.answer`, from REFUSED on)."""
        if not self.snapshot.holds(self.question.name) or self.question.type in TRANSFERS:
            return Lookup("REFUSED")
        if self.node is None:
            return Lookup("NXDOMAIN" if self.snapshot.complete else "SERVFAIL")
        rrset = choose(self.node, self.question.type)
        if rrset is None:
            return Lookup("NODATA")
        answer = tuple(record(self.question.name, rrset, rdata) for rdata in rrset.rdata)
        return Lookup("NOERROR", answer, tuple(self._additional(rrset)))

    @property
    def imported(self) -> Collection[ServiceKey]:
        """Every service that the view imports."""
        if self._imported is None:
            of_view = [mirror for mirror in self.heard if self.view.cluster in (None, mirror.cluster)]
            self._imported = {
                key for mirror in of_view for key in mirror.each_key() if mirror.import_of(key) is not None
            }
        return self._imported

    @property
    def around(self) -> Around:
        """What the imported services have near the name."""
        if self._around is None:
            self._around = Around(self.path, self.imported)
        return self._around

    def omissions(self) -> tuple[Omission, ...]:
        """Return what was left out of the service on any way: in merge, in build, or with a whole cluster."""
        found = set(self.records.omissions if self.records is not None else ())
        if self.key is not None and self.service is None:
            found.update(omission for mirror in self.heard for omission in mirror.rejected_of(self.key))
        if self.key is not None:
            for refused, other in duplicates(self.mirrors):
                if _says_anything(refused, self.key):
                    detail = (
                        f"its cluster id {other.cluster_id} belongs to {other.cluster}: nothing that it says counts"
                    )
                    about = f"cluster {refused.cluster}"
                    found.add(Omission(Reason.DUPLICATE_CLUSTER_ID, refused.cluster, about, detail))
        holder = self.source.cluster if self.source is not None else ""
        return tuple(sorted(replace(one, cluster=holder) if not one.cluster else one for one in found))

    def unheard(self) -> list[str]:
        """Return the clusters whose silence proves nothing: not heard yet, or less than whole."""
        return [mirror.cluster for mirror in self.mirrors if not mirror.is_whole]

    def _services(self) -> Mapping[bytes, ServiceRecords]:
        if self.records is not None:
            return {self.records.owner: self.records}
        if len(self.path) == 2 and self.path[-1] == "svc":
            # The name of a namespace exists by any service in it: the first that is found stands for all.
            key = self.around.service
            if key is not None:
                owner = service_owner(key, self.options.zone)
                return {owner: ServiceRecords(owner, {})}
        return {}

    def _additional(self, rrset: RRset) -> Iterator[str]:
        nodes: Mapping[bytes, Node] = self.snapshot.apex.nodes
        if self.question.name not in nodes and self.records is not None:
            nodes = self.records.nodes
        for target, found in addresses_of_targets(rrset, nodes):
            yield from (record(target, found, rdata) for rdata in found.rdata)


def _says_anything(mirror: Mirror, key: ServiceKey) -> bool:
    return bool(mirror.import_of(key) or mirror.export_of(key) or mirror.slices_of(key))


def path_of(name: bytes, zone: bytes) -> list[str]:
    """Return the labels of a name above the zone, nothing for one outside; octets outside ASCII stay one character each."""
    if not is_within(name, zone):
        return []
    count = len(list(labels(name))) - len(list(labels(zone)))
    return [label.decode("latin-1") for label in list(labels(name))[:count]]
