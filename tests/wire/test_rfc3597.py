"""RFC 3597 and RFC 6895: types that nobody knows."""

from __future__ import annotations

import pytest

from tests.wire.conftest import Exchange
from tests.wire.messages import NOERROR, NOWHERE, NXDOMAIN, WEB, ask

UNKNOWN = [0, 3, 10, 41, 64, 65, 99, 128, 249, 250, 253, 254, 256, 32768, 65280, 65534, 65535]


@pytest.mark.parametrize("qtype", UNKNOWN)
def test_an_unknown_type_is_like_any_other(exchange: Exchange, qtype: int) -> None:
    """RFC 3597 §3: a server treats an RR of unknown type as it does one of a known type; the name has none of it: NODATA."""
    for response in exchange(ask(WEB, qtype)):
        assert response.rcode == NOERROR
        assert response.answer == []
        assert len(response.authority) == 1
    for response in exchange(ask(NOWHERE, qtype)):
        assert response.rcode == NXDOMAIN
