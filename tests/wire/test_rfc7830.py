"""RFC 7830 and RFC 8467: padding, which is for encrypted transports."""

from __future__ import annotations

from tests.wire.conftest import Exchange
from tests.wire.messages import NOERROR, WEB, ask, opt, option


def test_nothing_is_padded_in_the_clear(exchange: Exchange) -> None:
    """RFC 8467 §3: Responders SHOULD NOT pad responses over unencrypted transports."""
    for response in exchange(ask(WEB, "A", opt(options=option(12, bytes(64))))):
        assert response.rcode == NOERROR
        assert 12 not in response.options
