"""RFC 4592: wildcards, of which this zone has none."""

from __future__ import annotations

import pytest

from tests import zones
from tests.wire.conftest import Exchange
from tests.wire.messages import NXDOMAIN, ask


@pytest.mark.parametrize("qname", ["*.test.svc", "*.web.test.svc", "*", "x.*.test.svc", "web.*.svc"])
def test_an_asterisk_is_a_label_like_any_other(exchange: Exchange, qname: str) -> None:
    """§2.1.1: an asterisk label in a query has no special effect: it is matched as it stands."""
    for response in exchange(ask(f"{qname}.{zones.ZONE}")):
        assert response.rcode == NXDOMAIN
