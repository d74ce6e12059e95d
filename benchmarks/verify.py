"""
Whether a server's answers are right: each is read by dnspython and compared with what the clusterset says.
"""

from collections.abc import Iterable
from typing import Final

import dns.flags
import dns.message
import dns.query
import dns.rdatatype
import dns.rdtypes.IN.A
import dns.rdtypes.IN.SRV

from .clusterset import Question

_LIMIT_S: Final = 5.0


def wrong_answers(port: int, questions: Iterable[Question]) -> list[str]:
    """
    Ask 127.0.0.1 over UDP with EDNS, and over TCP what does not fit, one question after the other.

    Args:
        port: Where the server is.
        questions: With what is right.

    Returns:
        What is wrong, in words: nothing where all is right.
    """
    wrong: list[str] = []
    for question in questions:
        kind = dns.rdatatype.RdataType(question.type)
        query = dns.message.make_query(question.name, kind, use_edns=True)
        reply, _ = dns.query.udp_with_fallback(query, "127.0.0.1", _LIMIT_S, port)
        found = _answer(reply)
        if (reply.rcode(), found) != (question.rcode, question.answer) or not reply.flags & dns.flags.AA:
            wrong.append(
                f"{question.name} {kind.name}: expected {question.rcode} {sorted(map(str, question.answer))}, found {reply}"
            )
    return wrong


def _answer(reply: dns.message.Message) -> frozenset[bytes] | frozenset[tuple[int, str]]:
    records = [rdata for rrset in reply.answer for rdata in rrset]
    srvs = [r for r in records if isinstance(r, dns.rdtypes.IN.SRV.SRV)]
    if srvs:
        return frozenset((r.port, r.target.to_text(omit_final_dot=True).lower()) for r in srvs)
    return frozenset(bytes(map(int, r.address.split("."))) for r in records if isinstance(r, dns.rdtypes.IN.A.A))
