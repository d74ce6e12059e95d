"""RFC 9210: TCP is no second choice."""

from __future__ import annotations

import pytest

from tests import zones
from tests.wire.conftest import Exchange
from tests.wire.messages import ask

QUERIES = [
    ask(f"{qname}.{zones.ZONE}", qtype)
    for qname in ("web.test.svc", "dual.test.svc", "nowhere.test.svc", "test.svc", "_http._tcp.dual.test.svc")
    for qtype in ("A", "AAAA", "SRV", "SOA", "ANY")
]


@pytest.mark.parametrize("query", QUERIES)
def test_tcp_and_udp_answer_alike(exchange: Exchange, query: bytes) -> None:
    """§4: authoritative servers MUST service TCP queries so that they do not limit the size of responses."""
    udp, tcp = exchange(query)
    assert sorted(udp.answer) == sorted(tcp.answer)
    assert udp.raw[:12] == tcp.raw[:12]
    assert (udp.authority, udp.additional) == (tcp.authority, tcp.additional)
