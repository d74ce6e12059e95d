"""mcsdns.wire.tsig: read and refuse."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mcsdns.wire import tsig
from mcsdns.wire.faults import MalformedError

ALGORITHM = b"\x0bhmac-sha256\x00"
RDATA = ALGORITHM + (1_700_000_000).to_bytes(6, "big") + b"\x01\x2c" + b"\x00\x04abcd" + b"\x12\x34" + bytes(4)


def test_what_is_read_is_repeated() -> None:
    """RFC 8945 §5.3.2: no MAC; error 17; time, fudge and original id as they were."""
    asked = tsig.read(b"\x03key\x00", 255, 0, RDATA)
    rdata = (
        ALGORITHM
        + (1_700_000_000).to_bytes(6, "big")
        + b"\x01\x2c"
        + b"\x00\x00"
        + b"\x12\x34"
        + b"\x00\x11"
        + bytes(2)
    )
    assert tsig.refuse(asked) == b"\x03key\x00" + b"\x00\xfa\x00\xff" + bytes(4) + len(rdata).to_bytes(2, "big") + rdata


@pytest.mark.parametrize("size", range(len(RDATA)))
def test_rdata_cut_short_raises(size: int) -> None:
    with pytest.raises(MalformedError):
        tsig.read(b"\x00", 255, 0, RDATA[:size])


@given(st.binary(max_size=60))
def test_any_rdata_is_read_or_malformed(rdata: bytes) -> None:
    try:
        found = tsig.read(b"\x00", 255, 0, rdata)
    except MalformedError:
        return
    assert rdata.startswith(found.algorithm)
