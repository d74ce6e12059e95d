"""RFC 9619: QDCOUNT is one."""

from __future__ import annotations

import pytest

from tests.wire.conftest import Exchange
from tests.wire.messages import FORMERR, header, opt, question


@pytest.mark.parametrize("count", [2, 3, 65535])
def test_more_than_one_question_is_a_format_error(exchange: Exchange, count: int) -> None:
    """§4: A DNS message with OPCODE 0 and QDCOUNT > 1 MUST be treated as an incorrectly formatted message: FORMERR."""
    for response in exchange(header(counts=(count, 0, 0, 0)) + question() * min(count, 3)):
        assert response.rcode == FORMERR
        assert len(response.raw) == 12


def test_no_question_is_a_format_error(exchange: Exchange) -> None:
    """§4: a query asks something (cookies aside, RFC 7873 §5.4)."""
    for additional in ((), (opt(),)):
        for response in exchange(header(counts=(0, 0, 0, len(additional))) + b"".join(additional)):
            assert response.rcode == FORMERR
            assert response.counts == (0, 0, 0, len(additional))
