"""RFC 5001: the name server identifier."""

from __future__ import annotations

import pytest

from tests.wire.conftest import NSID, Exchange
from tests.wire.messages import NOERROR, WEB, ask, opt, option


@pytest.mark.parametrize("payload", [b"", b"whatever"])
def test_who_asks_is_told(exchange: Exchange, payload: bytes) -> None:
    """§2.1: the name server MUST ignore any payload of an NSID option in a query, and includes its own identifier."""
    for response in exchange(ask(WEB, "A", opt(options=option(3, payload)))):
        assert response.options[3] == NSID


def test_who_does_not_ask_is_not_told(exchange: Exchange) -> None:
    """§2.2: A name server MUST NOT send an NSID option back to a resolver which did not request it."""
    for response in exchange(ask(WEB, "A", opt())):
        assert 3 not in response.options


def test_it_stands_once(exchange: Exchange) -> None:
    """Asked twice, answered once."""
    for response in exchange(ask(WEB, "A", opt(options=option(3) + option(3)))):
        assert response.rcode == NOERROR
        assert [int(found.otype) for found in response.message.options].count(3) == 1
