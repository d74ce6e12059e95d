"""
The answers of one socket: rendered replies, kept for as long as they are right, and what is counted of them.

Rules:
1. A rendered reply is kept under the octets of its query behind the id: a query that differs in one bit is a query of its own.
2. It is checked when it is used, not cleared when something is published. At 1,000 publishes a second a cache that each of them cleared
   would never be warm, and one that knew which replies a publish touches would cost the publish more than the check costs the query.
3. It is bounded in octets; the least recently used goes first.
4. Every query that may have an answer gets one, even where answering fails through an error of ours: SERVFAIL, counted, logged once.
"""

from __future__ import annotations

import structlog
from cachetools import LRUCache
from msgspec import Struct

from mcsdns.errors import WireError
from mcsdns.plane.counters import Drop, Ledger, Tally, Totals
from mcsdns.querylog import QueryLog
from mcsdns.wire.answer import respond
from mcsdns.wire.codes import Rcode
from mcsdns.wire.edns import Transport
from mcsdns.wire.names import HEADER
from mcsdns.wire.query import Query, parse
from mcsdns.wire.reply import Content, Reply, compose
from mcsdns.zone.rrset import Update
from mcsdns.zone.snapshot import Snapshot

LARGEST_KEPT = 4096
"""
Most octets of a reply that is kept, with its query. One above it is rarely asked for, and would push out dozens that are asked for
often; a query this long is padded with what stands behind the message.
"""
_OVERHEAD = 400
"""Octets that a kept reply costs beside its query and its own octets: the objects around them."""
_KEPT = frozenset({Rcode.NOERROR, Rcode.NXDOMAIN, Rcode.REFUSED, Rcode.SERVFAIL})
"""What honest clients ask again. Junk is rendered each time and so pushes nothing out."""

log = structlog.get_logger()


class Published:
    """
    What is published of one view, and when each service last changed.

    Attributes:
        snapshot: The zone.
        generations: By owner name of a service, the number of the publish that last changed it; under None, that of the last
            publish of all.
    """

    __slots__ = ("generations", "snapshot")

    def __init__(self, first: Update) -> None:
        self.snapshot = Snapshot(first)
        self.generations: dict[bytes | None, int] = {None: 0}
        self._count(first)

    def apply(self, update: Update) -> None:
        """Take over an update: no reply that was made from what it changes is used again."""
        self.snapshot.apply(update)
        self._count(update)

    def _count(self, update: Update) -> None:
        generation = self.generations[None] + 1
        self.generations[None] = generation
        for owner, records in update.services.items():
            if records is None:
                self.generations.pop(owner, None)
            else:
                self.generations[owner] = generation


class _Rendered(Struct, gc=False):
    reply: Reply
    service: bytes | None
    generation: int
    turn: int
    tally: Tally
    weight: int


class Answers:
    """
    Answers the queries that come over one transport to one listener.

    Args:
        published: The listener's view.
        transport: How the queries come.
        ledger: What is counted here.
        totals: What is counted for the plane.
        room: Octets for rendered replies.
        querylog: Writes lines for queries, while it is on; None: nothing ever does.
    """

    __slots__ = (
        "_generations",
        "_kept",
        "_logged",
        "_published",
        "_totals",
        "_transport",
        "_turn",
        "ledger",
        "querylog",
    )

    def __init__(
        self,
        published: Published,
        transport: Transport,
        ledger: Ledger,
        totals: Totals,
        room: int,
        *,
        querylog: QueryLog | None = None,
    ) -> None:
        self.ledger = ledger
        self.querylog = querylog or QueryLog()
        self._published = published
        self._generations = published.generations
        self._transport = transport
        self._totals = totals
        self._kept: LRUCache[bytes, _Rendered] = LRUCache(room, getsizeof=_weight)
        self._turn = 0
        self._logged: set[tuple[str, int]] = set()

    def answer(self, query: bytes) -> bytes | None:
        """Answer one query as `wire.answer.answer` does. Each answer from the same reply begins with the next record."""
        try:
            rendered = self._kept[query[2:]]
        except KeyError:
            return self._render(query)
        if self._generations.get(rendered.service) != rendered.generation:
            return self._render(query)
        # The turn is the reply's own. Clients ask A and AAAA in pairs: a common count would give each of them every second turn only.
        rendered.turn = turn = rendered.turn + 1
        octets = rendered.reply.octets(query[:2], turn)
        tally = rendered.tally
        tally.queries += 1
        tally.request_octets += len(query)
        tally.response_octets += len(octets)
        return octets

    def _render(self, query: bytes) -> bytes | None:
        try:
            reply = respond(query, self._transport, self._published.snapshot)
        except Exception as error:  # noqa: BLE001 (rule 4)
            return self._fail(query, error)
        if reply is None:
            self._totals.drops[Drop.NO_HEADER if len(query) < HEADER else Drop.RESPONSE] += 1
            return None
        if reply.fault is not None:
            self._totals.malformed[reply.fault] += 1
        self._turn = turn = self._turn + 1
        octets = reply.octets(query[:2], turn)
        tally = self._count(reply, query, octets)
        weight = _OVERHEAD + len(query) + len(octets)
        if reply.rcode in _KEPT and len(query) + len(octets) <= LARGEST_KEPT and weight <= self._kept.maxsize:
            generation = self._generations[reply.service]
            self._kept[query[2:]] = _Rendered(reply, reply.service, generation, turn, tally, weight)
        return octets

    def _count(self, reply: Reply, query: bytes, octets: bytes) -> Tally:
        self.ledger.cache_misses += 1
        tally = self.ledger.tally(reply.qtype, reply.rcode, len(query), len(octets), reply.is_truncated)
        tally.queries += 1
        tally.request_octets += len(query)
        tally.response_octets += len(octets)
        return tally

    def _fail(self, query: bytes, error: Exception) -> bytes | None:
        self._totals.panics += 1
        traceback = error.__traceback__
        while traceback is not None and traceback.tb_next is not None:
            traceback = traceback.tb_next
        kind = type(error).__name__, traceback.tb_lineno if traceback is not None else 0
        if kind not in self._logged:
            self._logged.add(kind)
            log.error("answer failed", view=self.ledger.view, serving="SERVFAIL", exc_info=error)
        try:
            asked = parse(query)
        except WireError:
            return None
        except Exception:  # noqa: BLE001 (rule 4: the parser itself may be what fails)
            asked = Query(int.from_bytes(query[2:4], "big"))
        reply = compose(Query(asked.flags, asked.question), self._transport, Content(Rcode.SERVFAIL))
        octets = reply.octets(query[:2], 0)
        self._count(reply, query, octets)
        return octets


def _weight(rendered: _Rendered) -> int:
    return rendered.weight
