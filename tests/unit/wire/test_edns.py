"""mcsdns.wire.edns: OPT."""

from __future__ import annotations

import pytest

from mcsdns.wire import edns
from mcsdns.wire.codes import Ede, Rcode
from mcsdns.wire.edns import Opt, Transport
from mcsdns.wire.faults import MalformedError

ASKED = Opt(payload=4096, version=0, is_do=True, wants_nsid=True)
TCP = Transport(is_tcp=True, udp_payload=1400, keepalive=50, nsid=b"me")


def test_the_options_stand_in_their_order() -> None:
    """NSID, keepalive, EDE; our own payload; DO copied."""
    octets = edns.write(ASKED, TCP, Rcode.REFUSED, Ede.PROHIBITED, 1000)
    text = edns.EXTRA_TEXT[Ede.PROHIBITED]
    options = b"\x00\x03\x00\x02me\x00\x0b\x00\x02\x00\x32\x00\x0f\x00" + bytes((2 + len(text),)) + b"\x00\x12" + text
    assert octets == b"\x00\x00\x29\x05\x78\x00\x00\x80\x00" + len(options).to_bytes(2, "big") + options


def test_the_upper_bits_of_the_rcode_stand_in_opt() -> None:
    assert edns.write(ASKED, Transport(is_tcp=False), Rcode.BADVERS, None, 100)[5] == 1


@pytest.mark.parametrize(("room", "size"), [(11, 11), (16, 11), (17, 17), (22, 17), (23, 23), (1000, 62)])
def test_an_option_is_there_only_if_it_fits(room: int, size: int) -> None:
    """RFC 6891 §7: the record itself always is."""
    found = edns.write(ASKED, TCP, Rcode.REFUSED, Ede.PROHIBITED, room)
    assert len(found) <= room
    assert len(found) == size or room == 1000


@pytest.mark.parametrize(("offered", "limit"), [(None, 512), (0, 512), (513, 513), (1232, 1232), (65535, 1232)])
def test_the_largest_response_over_udp(offered: int | None, limit: int) -> None:
    asked = None if offered is None else Opt(offered, 0, is_do=False, wants_nsid=False)
    assert edns.largest(asked, Transport(is_tcp=False)) == limit
    assert edns.largest(asked, Transport(is_tcp=True)) == 65535


@pytest.mark.parametrize(
    ("owner", "rdata"), [(b"\x01x\x00", b""), (b"\x00", b"\x00"), (b"\x00", b"\x00\x03\x00\x01"), (b"\x00", bytes(5))]
)
def test_a_malformed_opt_raises(owner: bytes, rdata: bytes) -> None:
    with pytest.raises(MalformedError):
        edns.read(owner, 1232, 0, rdata)
