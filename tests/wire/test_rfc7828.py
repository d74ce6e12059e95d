"""RFC 7828: the edns-tcp-keepalive option."""

from __future__ import annotations

import pytest

from tests.wire.conftest import Exchange
from tests.wire.messages import WEB, ask, opt, option


@pytest.mark.parametrize(
    "options", [b"", option(11), option(11, b"\x00\x64")], ids=["none", "empty", "with a time-out"]
)
def test_tcp_tells_how_long_it_waits(exchange: Exchange, options: bytes) -> None:
    """§3.3.2: A DNS server MAY send the option in a response sent using TCP transport, to a query with an OPT; units of 100 ms."""
    udp, tcp = exchange(ask(WEB, "A", opt(options=options)))
    assert int.from_bytes(tcp.options[11], "big") == 300
    assert 11 not in udp.options


def test_without_opt_there_is_none(exchange: Exchange) -> None:
    """§3.3.2: only if the query carried an OPT RR."""
    for response in exchange(ask()):
        assert response.options == {}
