"""RFC 8482: minimal-sized responses to ANY."""

from __future__ import annotations

from tests import zones
from tests.wire.conftest import Exchange
from tests.wire.messages import NOERROR, NOWHERE, NXDOMAIN, ask


def test_any_is_one_rrset(exchange: Exchange) -> None:
    """§4.1: A DNS responder that receives an ANY query MAY decline to provide a conventional ANY response, and answers one RRset."""
    for response in exchange(ask(f"dual.test.svc.{zones.ZONE}", "ANY")):
        assert response.answer == ["10.42.0.7"]
        assert response.is_authoritative


def test_any_of_a_name_without_records_is_nodata(exchange: Exchange) -> None:
    """§4: a name that exists and has nothing is NODATA; one that does not is NXDOMAIN."""
    for response in exchange(ask(f"test.svc.{zones.ZONE}", "ANY")):
        assert (response.rcode, response.answer) == (NOERROR, [])
    for response in exchange(ask(NOWHERE, "ANY")):
        assert response.rcode == NXDOMAIN
