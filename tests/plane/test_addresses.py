"""Which addresses are served, and from which one a response leaves."""

from __future__ import annotations

import socket

import pytest

from mcsdns.errors import PlaneError
from mcsdns.plane.base import Limits, Listener
from tests import zones
from tests.planes import PLANES, framed, read_frame, serving, tcp_client, udp_client
from tests.servers.run import free_port
from tests.wire.messages import WEB, ask, judge

UPDATE = zones.update(zones.RECORDS)


def has_ipv6() -> bool:
    """Tell whether the host has ::1."""
    try:
        with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as probe:
            probe.bind(("::1", 0))
    except OSError:
        return False
    return True


needs_ipv6 = pytest.mark.skipif(not has_ipv6(), reason="this host has no ::1; enable IPv6 on its loopback interface")


@pytest.mark.parametrize("asked", ["127.0.0.1", "127.0.0.2", "127.9.9.9"])
def test_a_response_leaves_from_the_address_that_was_asked(plane_name: str, asked: str) -> None:
    """RFC 1035 §4.2.1, RFC 2181 §4: the source of a response is the address that the query was sent to, on a wildcard socket too."""
    with (
        serving(plane_name, [UPDATE], hosts=["0.0.0.0"]) as served,
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client,
    ):
        client.settimeout(5)
        client.sendto(ask(), (asked, served.port()))
        octets, source = client.recvfrom(512)
        assert source == (asked, served.port())
        assert judge(ask(), "udp", octets).answer == ["10.42.42.42"]


@needs_ipv6
@pytest.mark.parametrize("host", ["::1", "::"])
def test_ipv6_is_served(plane_name: str, host: str) -> None:
    """An IPv6 address and the IPv6 wildcard, over UDP and TCP."""
    with serving(plane_name, [UPDATE], hosts=[host]) as served:
        with udp_client(served.port(), "::1") as client:
            client.send(ask())
            assert judge(ask(), "udp", client.recv(512)).answer == ["10.42.42.42"]
        with tcp_client(served.port(), "::1") as client:
            client.sendall(framed(ask()))
            assert judge(ask(), "tcp", read_frame(client) or b"").answer == ["10.42.42.42"]
        assert {family for _, _, family, _ in served.counters().requests} == {"2"}


@needs_ipv6
def test_both_wildcards_stand_side_by_side(plane_name: str) -> None:
    """`0.0.0.0` and `::` on one port: an IPv6 socket serves IPv6 alone."""
    with serving(plane_name, [UPDATE], hosts=["0.0.0.0"]) as first:
        second = PLANES[plane_name](Limits(), None)
        second.publish(UPDATE)
        first.run(second.start([Listener("::", first.port(), "any")]))
        first.run(second.stop())


@pytest.mark.parametrize("kind", [socket.SOCK_STREAM, socket.SOCK_DGRAM], ids=["TCP", "UDP"])
def test_a_port_in_use_is_named(plane_name: str, kind: socket.SocketKind) -> None:
    """Unbindable address, port in use: the error has the address, the transport and the reason, and nothing stays bound."""
    with serving(plane_name, [UPDATE]) as served, socket.socket(socket.AF_INET, kind) as taken:
        # Free over both: otherwise the other transport may be what is in use.
        port = free_port()
        taken.bind(("127.0.0.1", port))
        if kind == socket.SOCK_STREAM:
            taken.listen()
        plane = PLANES[plane_name](Limits(), None)
        plane.publish(UPDATE)
        over = "TCP" if kind == socket.SOCK_STREAM else "UDP"
        with pytest.raises(
            PlaneError, match=f"cannot listen on 127.0.0.1:{port} over {over}: Address already in use; "
        ):
            served.run(plane.start([Listener("127.0.0.3", 0, "any"), Listener("127.0.0.1", port, "any")]))
        with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
            if kind == socket.SOCK_DGRAM:
                probe.bind(("127.0.0.1", port))


def test_an_address_of_another_host_is_named(plane_name: str) -> None:
    """RFC 5737: 192.0.2.1 is nobody's."""
    with serving(plane_name, [UPDATE]) as served:
        plane = PLANES[plane_name](Limits(), None)
        plane.publish(UPDATE)
        with pytest.raises(
            PlaneError, match=r"cannot listen on 192\.0\.2\.1:5300 over TCP: .*; use an address of this host"
        ):
            served.run(plane.start([Listener("192.0.2.1", 5300, "any")]))


def test_a_view_without_a_snapshot_cannot_be_served(plane_name: str) -> None:
    """A listener without a zone would have nothing to say."""
    with serving(plane_name, [UPDATE]) as served, pytest.raises(PlaneError, match="'west' has no snapshot"):
        served.run(served.plane.start([Listener("127.0.0.1", 0, "west")]))


def test_udp_and_tcp_have_one_port(plane_name: str) -> None:
    """Port 0 lets the system choose one, the same for both."""
    with serving(plane_name, [UPDATE], hosts=["127.0.0.1", "127.0.0.2"]) as served:
        assert all(listener.port for listener in served.listeners)
        for listener in served.listeners:
            with udp_client(listener.port, listener.host) as client:
                client.send(ask(WEB))
                assert client.recv(512)
            with tcp_client(listener.port, listener.host) as client:
                client.sendall(framed(ask(WEB)))
                assert read_frame(client)
