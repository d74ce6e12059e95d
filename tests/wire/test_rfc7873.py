"""RFC 7873 and RFC 9018: cookies, which this plane does not know yet; an option that is not understood is ignored (RFC 6891 §6.1.2)."""

from __future__ import annotations

import pytest

from tests.wire.conftest import Exchange
from tests.wire.messages import NOERROR, WEB, ask, opt, option


@pytest.mark.parametrize("cookie", [bytes(8), bytes(16), bytes(40)])
def test_a_cookie_never_costs_the_answer(exchange: Exchange, cookie: bytes) -> None:
    """RFC 7873 §5.2.3: never BADCOOKIE by default: forwarders pass it on to pods."""
    for response in exchange(ask(WEB, "A", opt(options=option(10, cookie)))):
        assert response.rcode == NOERROR
        assert response.answer == ["10.42.42.42"]
        assert 10 not in response.options
