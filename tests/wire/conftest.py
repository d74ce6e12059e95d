"""The one place where messages are exchanged with a plane. Every case below runs over UDP and over TCP, in every plane."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from tests import zones
from tests.planes import PLANES, Served, framed, read_frame, serving, tcp_client, udp_client
from tests.wire.messages import Response, ask, judge

NSID = b"here"
_SENTINEL = b"\xbe\xef" + ask(".", "NS")[2:]

Exchange = Callable[..., list[Response]]
"""Takes a query, and by keyword a view; gives the response over UDP and the one over TCP."""
Silence = Callable[[bytes], bool]
"""Takes a query; tells whether it was answered with silence, over UDP and over TCP."""


@pytest.fixture(scope="session", params=PLANES)
def served(request: pytest.FixtureRequest) -> Iterator[Served]:
    """A plane with the test zone, whole in the view `any`; in the view `unheard` one cluster has not been heard yet."""
    updates = [zones.update(zones.TEST_ZONE), zones.update(zones.RECORDS, view="unheard", complete=False)]
    with serving(request.param, updates, nsid=NSID) as plane:
        yield plane


@pytest.fixture
def exchange(served: Served) -> Exchange:
    """Send a query over UDP and over TCP; there must be a response to both."""

    def exchange(query: bytes, *, view: str = "any") -> list[Response]:
        port = served.port(view)
        raw = {"udp": _over_udp(port, query), "tcp": _over_tcp(port, query)}
        responses = [judge(query, proto, octets) for proto, octets in raw.items() if octets is not None]
        assert len(responses) == 2
        return responses

    return exchange


@pytest.fixture
def silence(served: Served) -> Silence:
    """Send a query over UDP and over TCP, and tell whether neither is answered."""

    def silence(query: bytes) -> bool:
        return _over_udp(served.port(), query) is None and _over_tcp(served.port(), query) is None

    return silence


# What tells silence from delay is a second query behind the first on the same socket: it is answered. Over TCP answers come in order.
# Over UDP those to queries that came together may change places, so that a third query is sent when one of them is answered.


def _over_udp(port: int, query: bytes) -> bytes | None:
    with udp_client(port) as client:
        client.send(query)
        for _ in range(2):
            client.send(_SENTINEL)
            octets = client.recv(65535)
            if octets[:2] != _SENTINEL[:2]:
                return octets
        return None


def _over_tcp(port: int, query: bytes) -> bytes | None:
    with tcp_client(port) as client:
        client.sendall(framed(query) + framed(_SENTINEL))
        octets = read_frame(client)
        assert octets is not None
        return None if octets[:2] == _SENTINEL[:2] else octets
