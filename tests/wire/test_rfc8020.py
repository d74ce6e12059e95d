"""RFC 8020: NXDOMAIN means that there is nothing underneath."""

from __future__ import annotations

import pytest

from tests import zones
from tests.wire.conftest import Exchange
from tests.wire.messages import NOERROR, NXDOMAIN, ask

NON_TERMINALS = ["", "svc", "dns", "test.svc", "_tcp.web.test.svc", "cluster-a.hl.test.svc"]
BELOW_NOTHING = ["x.web.test.svc", "a.b.c.web.test.svc", "x.nowhere.test.svc", "pod", "x.dns", "cluster-c.hl.test.svc"]


@pytest.mark.parametrize("qname", NON_TERMINALS)
@pytest.mark.parametrize("qtype", ["A", "TXT"])
def test_an_empty_non_terminal_is_nodata(exchange: Exchange, qname: str, qtype: str) -> None:
    """§2: NXDOMAIN denies every name below, so a name with names below it is never NXDOMAIN."""
    for response in exchange(ask(f"{qname}.{zones.ZONE}".removeprefix("."), qtype)):
        assert response.rcode == NOERROR
        assert response.answer == []
        assert len(response.authority) == 1


@pytest.mark.parametrize("qname", BELOW_NOTHING)
def test_a_name_without_names_below_is_nxdomain(exchange: Exchange, qname: str) -> None:
    """§2: the name does not exist, and nothing does below it."""
    for response in exchange(ask(f"{qname}.{zones.ZONE}")):
        assert response.rcode == NXDOMAIN
