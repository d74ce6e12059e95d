"""mcsdns.wire.answer: what depends on the snapshot. What a message says is in tests/wire."""

from __future__ import annotations

import pytest

from mcsdns.wire.answer import answer, respond
from mcsdns.wire.edns import Transport
from tests import zones
from tests.wire.messages import Response, ask, judge

TCP = Transport(is_tcp=True)
ZONE = zones.ZONE

TARGETS = """
_p._tcp.two.test.svc    SRV  0 1 80 b.c.two.test.svc
_p._tcp.two.test.svc    SRV  0 1 81 b.c.two.test.svc
_p._tcp.two.test.svc    SRV  0 1 80 a.c.two.test.svc
_p._tcp.two.test.svc    SRV  0 1 80 other.test.svc
_p._tcp.two.test.svc    SRV  0 1 80 nowhere.c.two.test.svc
b.c.two.test.svc        A    10.0.0.2
b.c.two.test.svc        A    10.0.0.3
b.c.two.test.svc        AAAA 2001:db8::2
a.c.two.test.svc        AAAA 2001:db8::1
a.c.two.test.svc        A    10.0.0.1
other.test.svc          A    10.0.0.9
"""


def look_up(text: str, qname: str, qtype: str, turn: int = 0) -> Response:
    query = ask(f"{qname}.{ZONE}".removeprefix("."), qtype)
    return judge(query, "tcp", answer(query, TCP, zones.snapshot(text), turn) or b"")


@pytest.mark.parametrize("turn", range(3))
def test_glue_is_in_the_order_of_the_targets_and_not_of_the_turn(turn: int) -> None:
    """Each target once, A before AAAA, whole, from the same service alone."""
    b, a = f"b.c.two.test.svc.{ZONE}", f"a.c.two.test.svc.{ZONE}"
    assert look_up(TARGETS, "_p._tcp.two.test.svc", "SRV", turn).additional == [
        f"{b} A 10.0.0.2",
        f"{b} A 10.0.0.3",
        f"{b} AAAA 2001:db8::2",
        f"{a} A 10.0.0.1",
        f"{a} AAAA 2001:db8::1",
    ]


@pytest.mark.parametrize(
    ("qname", "qtype", "service"),
    [
        ("web.test.svc", "A", "web.test.svc"),
        ("_http._tcp.web.test.svc", "SRV", "web.test.svc"),
        ("web.test.svc", "AAAA", None),
        ("nowhere.test.svc", "A", None),
        ("", "NS", None),
        ("ns.dns", "A", None),
        ("test.svc", "A", None),
    ],
)
def test_a_reply_names_the_service_it_is_made_from(qname: str, qtype: str, service: str | None) -> None:
    """A negative one names none: it holds the serial, which every publish changes."""
    reply = respond(ask(f"{qname}.{ZONE}".removeprefix("."), qtype), TCP, zones.snapshot(zones.RECORDS))
    assert reply is not None
    assert reply.service == (zones.name(service) if service is not None else None)


def test_any_is_the_first_rrset() -> None:
    """RFC 8482: ANY is the first RRset, which is that of the smallest type."""
    assert look_up(TARGETS, "a.c.two.test.svc", "ANY").answer == ["10.0.0.1"]
