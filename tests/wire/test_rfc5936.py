"""RFC 1995, 1996, 2136, 5936: transfers, NOTIFY and UPDATE, until they exist."""

from __future__ import annotations

import pytest

from tests import zones
from tests.wire.conftest import Exchange
from tests.wire.messages import FORMERR, NOTIMP, REFUSED, ask, header, name, opt, question, record

SOA = record(name(zones.ZONE), 6, 1, 0, bytes(2) + bytes(20))


@pytest.mark.parametrize("qtype", ["AXFR", "IXFR"])
def test_transfers_are_refused(exchange: Exchange, qtype: str) -> None:
    """RFC 5936 §2.2.1: a server that does not offer the transfer answers REFUSED."""
    for qname in (zones.ZONE, f"web.test.svc.{zones.ZONE}", f"nowhere.{zones.ZONE}"):
        for response in exchange(ask(qname, qtype, opt())):
            assert response.rcode == REFUSED
            assert not response.is_authoritative
            assert response.ede == 18


def test_the_soa_of_an_ixfr_query_is_no_fault(exchange: Exchange) -> None:
    """RFC 1995 §3: the authority section of the query contains the SOA record of the client's version of the zone."""
    for response in exchange(header(counts=(1, 0, 1, 0)) + question(zones.ZONE, "IXFR") + SOA):
        assert response.rcode == REFUSED
    for response in exchange(header(counts=(1, 0, 2, 0)) + question(zones.ZONE, "IXFR") + SOA + SOA):
        assert response.rcode == FORMERR


@pytest.mark.parametrize(("opcode", "counts"), [(4, (1, 1, 0, 0)), (5, (1, 0, 1, 0))], ids=["NOTIFY", "UPDATE"])
def test_notify_and_update_are_not_implemented(exchange: Exchange, opcode: int, counts: tuple[int, ...]) -> None:
    """RFC 1996 §3.12, RFC 2136 §3.1: NOTIMP, whatever stands in the sections."""
    for response in exchange(header(opcode << 11, counts) + question(zones.ZONE, "SOA") + SOA):
        assert response.rcode == NOTIMP
        assert not response.is_authoritative
        assert response.counts == (1, 0, 0, 0)
