"""mcsdns.wire.query: parse."""

from __future__ import annotations

import pytest

from mcsdns.errors import WireError
from mcsdns.wire.edns import Opt
from mcsdns.wire.faults import Fault
from mcsdns.wire.query import MAX_POINTERS, Query, Question, parse
from mcsdns.zone.names import from_text
from tests.wire.messages import WEB, ask, header, opt, option, question, record, tsig


def test_a_plain_query() -> None:
    asked = parse(ask("WeB.Test.SVC.clusterset.local.", "AAAA"))
    assert asked == Query(
        0x0100, Question(from_text(WEB), 28, 1, question("WeB.Test.SVC.clusterset.local.", "AAAA")), None, None, None
    )
    assert asked.opcode == 0


def test_a_query_with_everything() -> None:
    asked = parse(ask(WEB, "A", opt(4096, flags=0x8000, options=option(10, bytes(8)) + option(3)), tsig()))
    assert asked.fault is None
    assert asked.opt == Opt(payload=4096, version=0, is_do=True, wants_nsid=True)
    assert asked.tsig is not None
    assert (asked.tsig.key, asked.tsig.fudge) == (b"\x03Key\x00", 300)


@pytest.mark.parametrize("message", [b"", bytes(11), header(0x8000)])
def test_what_must_not_be_answered_raises(message: bytes) -> None:
    with pytest.raises(WireError) as caught:
        parse(message)
    assert caught.value.rcode is None


FAULTS = [
    (header(counts=(0, 0, 0, 0)), Fault.COUNTS),
    (header(counts=(2, 0, 0, 0)) + question() * 2, Fault.COUNTS),
    (header(counts=(1, 1, 0, 0)) + question(), Fault.COUNTS),
    (header() + b"\x03web", Fault.QUESTION),
    (header(counts=(1, 0, 0, 1)) + question(), Fault.RECORD),
    (ask(WEB, "A", *[record(b"\xc0\x0c", 1, 1, 0, b"")] * (MAX_POINTERS + 1)), Fault.RECORD),
    (ask(WEB, "A", opt(), opt()), Fault.OPT),
    (ask(WEB, "A", tsig(), opt()), Fault.TSIG),
]


@pytest.mark.parametrize(("message", "fault"), FAULTS)
def test_the_part_at_fault_is_named(message: bytes, fault: Fault) -> None:
    assert parse(message).fault is fault


def test_what_was_understood_before_the_fault_is_kept() -> None:
    asked = parse(ask(WEB, "A", opt(700), b"\xff"))
    assert asked.fault is Fault.RECORD
    assert asked.question is not None
    assert asked.opt is not None
    assert asked.opt.payload == 700


def test_another_opcode_may_have_records_anywhere() -> None:
    message = header(5 << 11, (1, 1, 1, 1)) + question() + record(b"\x00", 1, 1, 0, bytes(4)) * 2 + opt()
    asked = parse(message)
    assert (asked.opcode, asked.fault) == (5, None)
    assert asked.opt is not None
