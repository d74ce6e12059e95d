"""
Answer a query: the first rule that applies, from the top.

| the query                                          | response                  | with                                    |
|----------------------------------------------------|---------------------------|-----------------------------------------|
| no whole header, or itself a response              | none                      |                                         |
| an opcode other than QUERY                         | NOTIMP                    | question and OPT if it parses, else neither |
| malformed                                          | FORMERR                   | question and OPT as far as understood   |
| signed                                             | NOTAUTH                   | TSIG with BADKEY                        |
| EDNS version above 0                               | BADVERS                   |                                         |
| class other than IN, or a name outside the zone    | REFUSED                   | EDE 20                                  |
| AXFR, IXFR                                         | REFUSED                   | EDE 18                                  |
| the name has the type; ANY: has any, the first one | NOERROR, AA               | the RRset, rotated; glue                |
| the name has it not                                | NOERROR, AA (NODATA)      | SOA                                     |
| the name does not exist                            | NXDOMAIN, AA              | SOA                                     |
| …and a member cluster has not been heard yet       | SERVFAIL                  | EDE 14                                  |

Every type is like any other but for this table (RFC 3597, RFC 6895): an unknown one, 0 or 65535 finds no RRset, and that is all.

Source: RFC 1035, 2308, 6891, 8020, 8482, 8906, 8914, 8945, 9619; KEP-1645 for what the names are.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from mcsdns.errors import WireError
from mcsdns.wire import tsig
from mcsdns.wire.codes import Class, Ede, Opcode, Rcode
from mcsdns.wire.edns import Transport
from mcsdns.wire.names import compress, pointer_to, pointers_to
from mcsdns.wire.query import Query, Question, parse
from mcsdns.wire.reply import Content, Reply, compose, records
from mcsdns.zone.rrset import Node, RRset, Type
from mcsdns.zone.snapshot import Snapshot

_TO_QUESTION = b"\xc0\x0c"
"""The pointer to the name of the question, which is at octet 12."""
_TARGET: Mapping[int, int] = {Type.NS: 0, Type.SRV: 6}
"""Where the target begins in the RDATA of the types whose targets' addresses go into the additional section."""
TRANSFERS = (Type.AXFR, Type.IXFR)
_ADDRESSES = (Type.A, Type.AAAA)


def answer(query: bytes, transport: Transport, snapshot: Snapshot, turn: int) -> bytes | None:
    """
    Answer one query.

    The same arguments give the same octets, in every plane. Nothing is raised, whatever the query.

    Args:
        query: The message, without the length that precedes it over TCP.
        transport: How it came.
        snapshot: The zone, in the view of the listener.
        turn: Which record of the answer comes first, counted round.

    Returns:
        The response, or None where there must be silence.
    """
    reply = respond(query, transport, snapshot)
    return None if reply is None else reply.octets(query[:2], turn)


def respond(message: bytes, transport: Transport, snapshot: Snapshot) -> Reply | None:
    """
    Answer one query, but for its id and the turn.

    Args: As `answer`.

    Returns:
        A reply that answers every query that differs in the id alone, for as long as what it was made from stays (`Reply.service`).
    """
    try:
        query = parse(message)
    except WireError:
        return None
    refusal = _refusal(query, snapshot)
    if refusal is not None:
        return compose(_repeated(query), transport, refusal)
    assert query.question is not None  # noqa: S101 (`_refusal` has seen to it)
    return compose(query, transport, _lookup(query.question, snapshot))


def _refusal(query: Query, snapshot: Snapshot) -> Content | None:
    question = query.question
    if query.opcode != Opcode.QUERY:
        return Content(Rcode.NOTIMP)
    if query.fault is not None or question is None:
        return Content(Rcode.FORMERR)
    if query.tsig is not None:
        return Content(Rcode.NOTAUTH, signature=tsig.refuse(query.tsig))
    if query.opt is not None and query.opt.version:
        return Content(Rcode.BADVERS)
    if question.rrclass != Class.IN or not snapshot.holds(question.name):
        return Content(Rcode.REFUSED, ede=Ede.NOT_AUTHORITATIVE)
    if question.type in TRANSFERS:
        return Content(Rcode.REFUSED, ede=Ede.PROHIBITED)
    return None


def _repeated(query: Query) -> Query:
    # What another opcode means by its sections is not known here, so where they do not even parse as a query's, nothing is repeated.
    is_foreign = query.opcode != Opcode.QUERY and query.fault is not None
    return Query(query.flags, fault=query.fault) if is_foreign else query


def _lookup(question: Question, snapshot: Snapshot) -> Content:
    node = snapshot.find(question.name)
    if node is None:
        if not snapshot.complete:
            return Content(Rcode.SERVFAIL, ede=Ede.NOT_READY)
        return _negative(Rcode.NXDOMAIN, question, snapshot)
    rrset = choose(node, question.type)
    if rrset is None:
        return _negative(Rcode.NOERROR, question, snapshot)
    return _positive(rrset, question, snapshot)


def choose(node: Node, qtype: int) -> RRset | None:
    """Return the RRset of a node that answers a type; for ANY the first one (RFC 8482 §4.1); None for NODATA."""
    for rrset in node:
        if qtype in (rrset.type, Type.ANY):
            return rrset
    return None


def _positive(rrset: RRset, question: Question, snapshot: Snapshot) -> Content:
    nodes: Mapping[bytes, Node] = snapshot.apex.nodes
    owner = None
    if question.name not in nodes:
        owner = snapshot.service_of(question.name)
        nodes = snapshot.services[owner].nodes if owner is not None else nodes
    return Content(
        Rcode.NOERROR,
        is_authoritative=True,
        answer=records(_TO_QUESTION, rrset),
        glue=_glue(rrset, question, nodes),
        service=owner,
    )


def _glue(rrset: RRset, question: Question, nodes: Mapping[bytes, Node]) -> Iterator[tuple[int, bytes]]:
    pointers = pointers_to(question.name)
    for target, found in addresses_of_targets(rrset, nodes):
        yield len(found.rdata), b"".join(records(compress(target, pointers), found))


def addresses_of_targets(rrset: RRset, nodes: Mapping[bytes, Node]) -> Iterator[tuple[bytes, RRset]]:
    """
    Give the address RRsets of the targets of SRV and NS, with their owner names, in the order of the targets; nothing for other types.

    Args:
        rrset: The answer.
        nodes: Of the service it is from, or of the apex, and no others: so that all is of one generation.
    """
    at = _TARGET.get(rrset.type)
    if at is None:
        return
    for target in dict.fromkeys([rdata[at:].lower() for rdata in rrset.rdata]):
        for found in nodes.get(target, ()):
            if found.type in _ADDRESSES:
                yield target, found


def _negative(rcode: Rcode, question: Question, snapshot: Snapshot) -> Content:
    (soa,) = records(pointer_to(snapshot.apex.zone, question.name), snapshot.apex.soa)
    return Content(rcode, is_authoritative=True, authority=soa)
