"""RFC 9715 and the DNS flag day 2020: no fragmentation."""

from __future__ import annotations

from tests import zones
from tests.wire.conftest import Exchange
from tests.wire.messages import ask, opt


def test_udp_never_passes_1232_octets(exchange: Exchange) -> None:
    """RFC 9715 §3.1: UDP responders should limit the response size to the smallest of what is offered, the interface and 1,400."""
    for qname in ("many.test.svc", "huge.test.svc", "_p._tcp.pods.test.svc"):
        udp, _ = exchange(ask(f"{qname}.{zones.ZONE}", "ANY", opt(65535)))
        assert len(udp.raw) <= 1232
        assert udp.message.payload == 1232
