"""RFC 8914: extended DNS errors."""

from __future__ import annotations

import pytest

from tests import zones
from tests.wire.conftest import Exchange
from tests.wire.messages import NOERROR, NXDOMAIN, REFUSED, SERVFAIL, ask, opt

CASES = [
    #  view       qname                      qtype  class rcode     EDE
    ("any",     f"web.test.svc.{zones.ZONE}",  "A",    1, NOERROR,  None),
    ("any",     f"x.test.svc.{zones.ZONE}",    "A",    1, NXDOMAIN, None),
    ("any",     "example.",                    "A",    1, REFUSED,  20),
    ("any",     f"web.test.svc.{zones.ZONE}",  "A",    3, REFUSED,  20),
    ("any",     zones.ZONE,                    "AXFR", 1, REFUSED,  18),
    ("unheard", f"x.test.svc.{zones.ZONE}",    "A",    1, SERVFAIL, 14),
]  # fmt: skip


@pytest.mark.parametrize(("view", "qname", "qtype", "qclass", "rcode", "ede"), CASES)
def test_an_error_says_why(
    exchange: Exchange, view: str, qname: str, qtype: str, qclass: int, rcode: int, ede: int | None
) -> None:
    """§2: the INFO-CODE and a text for people, to who sent an OPT."""
    for response in exchange(ask(qname, qtype, opt(), qclass=qclass), view=view):
        assert (response.rcode, response.ede) == (rcode, ede)
        assert ede is None or response.options[15][2:].decode("utf-8")
    for response in exchange(ask(qname, qtype, qclass=qclass), view=view):
        assert (response.rcode, response.has_opt) == (rcode, False)
