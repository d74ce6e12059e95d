"""
Bind the sockets of a listener: UDP and TCP on one address and port.

Rules:
1. An IPv6 socket serves IPv6 alone (RFC 3493 §5.3), so that `0.0.0.0` and `::` can stand side by side.
2. The path MTU that ICMP claims is ignored: responses are small, and forged ICMP would make them fragment (RFC 9715 §3.1).
3. What fails is named with the address and the reason, and nothing stays bound.
"""

from __future__ import annotations

import errno
import ipaddress
import os
import socket
import struct
from collections.abc import Container, Iterable
from typing import NamedTuple

from mcsdns.errors import PlaneError
from mcsdns.plane.base import Listener

BACKLOG = 1024
"""Connections that wait to be accepted: CoreDNS opens one for each query in flight. `net.core.somaxconn` may allow fewer."""
UDP_BUFFER = 4 << 20
"""
Octets of queries that wait while the loop builds and publishes, and of responses that wait for the network card. `net.core.rmem_max`
and `net.core.wmem_max` may allow fewer.
"""
_PORT_TRIES = 32
"""How often a port is chosen that is free over TCP before one is free over UDP too."""

# Of Linux, not in Python's socket module before 3.14 (linux/in.h, linux/in6.h).
_IP_PKTINFO = 8
_IP_MTU_DISCOVER = 10
_IPV6_MTU_DISCOVER = 23
_PMTUDISC_OMIT = 5
_PKTINFO_SIZE = 20
# asm-generic/socket.h, linux/sock_diag.h: nine numbers, the last of them datagrams that were dropped.
_SO_MEMINFO = 55
_MEMINFO = struct.Struct("=9I")
_MEMINFO_DROPS = 8

Control = list[tuple[int, int, bytes]]
Peer = tuple[str, int] | tuple[str, int, int, int]


class Bound(NamedTuple):
    """
    The sockets of one listener.

    Args:
        listener: With the port that it has.
        udp: The UDP socket.
        tcp: The TCP socket, listening.
        more_udp: Further UDP sockets of the same address, between which the system shares out the clients.
    """

    listener: Listener
    udp: socket.socket
    tcp: socket.socket
    more_udp: tuple[socket.socket, ...] = ()

    def close(self) -> None:
        """Close all."""
        for one in (self.udp, *self.more_udp, self.tcp):
            one.close()


def bind_all(listeners: Iterable[Listener], published: Container[str], udp_sockets: int = 1) -> list[Bound]:
    """
    Bind the sockets of every listener, or of none.

    Args:
        listeners: Where.
        published: The names of the views that have a snapshot: a listener without one would have nothing to answer from.
        udp_sockets: As for `bind`.

    Raises:
        PlaneError: A view was never published, or an address cannot be bound. Nothing stays bound.
    """
    wanted = list(listeners)
    for listener in wanted:
        if listener.view not in published:
            raise PlaneError(
                f"the view {listener.view!r} has no snapshot: publish one, even an incomplete one, before start"
            )
    bound: list[Bound] = []
    try:
        bound.extend(bind(listener, udp_sockets) for listener in wanted)
    except PlaneError:
        for one in bound:
            one.close()
        raise
    return bound


def bind(listener: Listener, udp_sockets: int = 1) -> Bound:
    """
    Bind all sockets and begin to listen.

    Args:
        listener: Where.
        udp_sockets: How many UDP sockets. From two on they share the port (SO_REUSEPORT); that nobody else has it, TCP has seen to.

    Raises:
        PlaneError: One of them cannot be bound.
    """
    is_shared = udp_sockets > 1
    for attempt in range(_PORT_TRIES):
        tcp = _open(listener, socket.SOCK_STREAM, listener.port)
        port = tcp.getsockname()[1]
        try:
            udp = _open(listener, socket.SOCK_DGRAM, port, is_shared=is_shared)
        except PlaneError as error:
            tcp.close()
            cause = error.__cause__
            is_taken = isinstance(cause, OSError) and cause.errno == errno.EADDRINUSE
            if listener.port or not is_taken or attempt == _PORT_TRIES - 1:
                raise
            continue
        bound = Bound(Listener(listener.host, port, listener.view), udp, tcp)
        return _with_more(bound, udp_sockets - 1) if is_shared else bound
    raise AssertionError("the last attempt returns or raises")


def family_of(host: str) -> socket.AddressFamily:
    """Return the address family of a host."""
    return socket.AF_INET6 if ipaddress.ip_address(host).version == 6 else socket.AF_INET


def receive_buffer(bound: Iterable[Bound]) -> int:
    """Return the octets of the smallest receive buffer of the UDP sockets, as the system counts them: with its own part in it."""
    sockets = (udp for one in bound for udp in (one.udp, *one.more_udp))
    return min((udp.getsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF) for udp in sockets), default=0)


def dropped(udp: socket.socket) -> int:
    """Return how many datagrams the system has dropped because the socket's receive buffer was full."""
    counts = udp.getsockopt(socket.SOL_SOCKET, _SO_MEMINFO, _MEMINFO.size)
    return int(_MEMINFO.unpack(counts)[_MEMINFO_DROPS])


def is_wildcard(host: str) -> bool:
    """Tell whether a host stands for every address."""
    return ipaddress.ip_address(host).is_unspecified


def _with_more(bound: Bound, count: int) -> Bound:
    for _ in range(count):
        try:
            one = _open(bound.listener, socket.SOCK_DGRAM, bound.listener.port, is_shared=True)
        except PlaneError:
            bound.close()
            raise
        bound = bound._replace(more_udp=(*bound.more_udp, one))
    return bound


def _open(listener: Listener, kind: socket.SocketKind, port: int, *, is_shared: bool = False) -> socket.socket:
    family = family_of(listener.host)
    try:
        opened = socket.socket(family, kind | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC)
    except OSError as error:
        raise _unbindable(listener, kind, port, error) from error
    try:
        if family == socket.AF_INET6:
            opened.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        if kind == socket.SOCK_STREAM:
            opened.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        else:
            _tune_udp(opened, listener.host)
            opened.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, is_shared)
        opened.bind((listener.host, port))
        if kind == socket.SOCK_STREAM:
            # Here and not later: only then is it known that nobody else listens.
            opened.listen(BACKLOG)
    except OSError as error:
        opened.close()
        raise _unbindable(listener, kind, port, error) from error
    return opened


def _tune_udp(opened: socket.socket, host: str) -> None:
    opened.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, UDP_BUFFER)
    opened.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, UDP_BUFFER)
    if opened.family == socket.AF_INET6:
        opened.setsockopt(socket.IPPROTO_IPV6, _IPV6_MTU_DISCOVER, _PMTUDISC_OMIT)
        opened.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_RECVPKTINFO, is_wildcard(host))
    else:
        opened.setsockopt(socket.IPPROTO_IP, _IP_MTU_DISCOVER, _PMTUDISC_OMIT)
        opened.setsockopt(socket.IPPROTO_IP, _IP_PKTINFO, is_wildcard(host))


def _unbindable(listener: Listener, kind: socket.SocketKind, port: int, error: OSError) -> PlaneError:
    where = f"[{listener.host}]:{port}" if ":" in listener.host else f"{listener.host}:{port}"
    over = "TCP" if kind == socket.SOCK_STREAM else "UDP"
    what_to_do = {
        errno.EADDRINUSE: "stop what listens there, or choose another port",
        errno.EADDRNOTAVAIL: "use an address of this host",
        errno.EACCES: "use a port above 1023, or grant CAP_NET_BIND_SERVICE",
    }.get(error.errno or 0, "check `listen` in the configuration")
    reason = os.strerror(error.errno) if error.errno else str(error)
    return PlaneError(f"cannot listen on {where} over {over}: {reason}; {what_to_do}")


class AnyAddressSocket:
    """
    A UDP socket bound to a wildcard address: a response leaves from the address that was asked.

    It stands in for `recvfrom` and `sendto`, where the peer becomes the peer and the address asked.
    """

    __slots__ = ("_receive", "_send")

    def __init__(self, udp: socket.socket) -> None:
        self._receive = udp.recvmsg
        self._send = udp.sendmsg

    def receive(self, size: int) -> tuple[bytes, tuple[Peer, Control]]:
        """Read a datagram of at most `size` octets."""
        octets, asked, _, peer = self._receive(size, socket.CMSG_SPACE(_PKTINFO_SIZE))
        return octets, (peer, [_source(*item) for item in asked])

    def send(self, octets: bytes, where: tuple[Peer, Control]) -> int:
        """Send a datagram to where one came from."""
        peer, source = where
        return self._send((octets,), source, 0, peer)


def _source(level: int, kind: int, info: bytes) -> tuple[int, int, bytes]:
    # The interface is left to routing, unless the address means nothing without it.
    if level == socket.IPPROTO_IP:
        return level, kind, bytes(4) + info[4:8] + bytes(4)
    is_link_local = info[0] == 0xFE and info[1] & 0xC0 == 0x80
    return level, kind, info if is_link_local else info[:16] + bytes(4)
