"""RFC 4343: case insensitivity."""

from __future__ import annotations

import pytest

from tests import zones
from tests.wire.conftest import Exchange
from tests.wire.messages import NXDOMAIN, ask

SPELLINGS = [
    "WEB.TEST.SVC.CLUSTERSET.LOCAL.",
    "wEb.tEsT.sVc.ClUsTeRsEt.LoCaL.",
    "web.test.SVC.clusterset.local.",
]


@pytest.mark.parametrize("qname", SPELLINGS)
def test_the_askers_spelling_is_echoed(exchange: Exchange, qname: str) -> None:
    """§4.1: comparison is case insensitive, and the case of the question is kept in the response."""
    for response in exchange(ask(qname)):
        assert response.answer == ["10.42.42.42"]
        assert response.message.question[0].name.to_text() == qname
        # Owner names point to the question, so they are spelled as it is.
        assert response.message.answer[0].name.to_text() == qname


def test_the_zone_is_spelled_as_asked(exchange: Exchange) -> None:
    """§4.1: the owner of the SOA points into the question."""
    for response in exchange(ask("nowhere.Test.Svc.ClusterSet.Local.")):
        assert response.message.authority[0].name.to_text() == "ClusterSet.Local."


def test_only_ascii_letters_have_a_case(exchange: Exchange) -> None:
    """§2.1: octets from 0x41 to 0x5A are equal to those from 0x61 to 0x7A, and no others: `[` is not `{`, É not é."""
    for label in (b"\xc9", b"[", b"@"):
        for response in exchange(ask(bytes((len(label),)) + label + zones.name("test.svc"))):
            assert response.rcode == NXDOMAIN
