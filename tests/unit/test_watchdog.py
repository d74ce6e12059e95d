"""The watchdog: silence of our own sockets ends the process, and nothing else does."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress

import pytest

from mcsdns.config import Address
from mcsdns.watchdog import STALL_S, Watchdog
from tests.servers.run import free_port

SLACK_S = 8.0
"""What a busy machine may add to a time limit."""


def test_a_socket_that_never_answers_is_a_stall() -> None:
    """After `STALL_S` of silence over UDP and TCP, `on_stall` is called, once, with the address."""
    with _Peer() as peer:
        told = _watch(peer.address, for_s=STALL_S + 0.5 + SLACK_S)
    assert len(told) == 1
    message, after_s = told[0]
    assert str(peer.address) in message
    assert after_s >= STALL_S, "not sooner: a moment of silence is no stall"


def test_a_socket_that_nobody_listens_on_is_a_stall() -> None:
    """A socket that has been closed refuses at once, again and again; the time still passes."""
    with _Peer() as peer:
        address = peer.address
    assert len(_watch(address, for_s=STALL_S + 0.5 + SLACK_S)) == 1


def test_a_socket_that_answers_is_none() -> None:
    """Any answer with our id will do."""
    with _Peer(answers=("udp", "tcp")) as peer:
        assert _watch(peer.address, for_s=STALL_S + 1.0) == []
        assert peer.asked["udp"] >= 2
        assert peer.asked["tcp"] == 0, "TCP is asked only where UDP is silent"


def test_silence_over_udp_alone_is_none() -> None:
    """A flood that fills the UDP queue is no stall: TCP is asked as well."""
    with _Peer(answers=("tcp",)) as peer:
        assert _watch(peer.address, for_s=STALL_S + 1.0) == []
        assert peer.asked["tcp"] >= 1


def test_one_silent_listener_among_others_is_a_stall() -> None:
    """Every address is asked."""
    with _Peer(answers=("udp",)) as good, _Peer() as bad:
        told = _watch(good.address, bad.address, for_s=STALL_S + 0.5 + SLACK_S)
    assert [str(bad.address) in message for message, _ in told] == [True]


@pytest.mark.parametrize("wildcard", ["0.0.0.0", "::"])
def test_a_wildcard_is_asked_on_the_loopback_address(wildcard: str) -> None:
    """One cannot connect to a wildcard everywhere."""
    try:
        peer = _Peer(answers=("udp",), host=wildcard)
    except OSError as error:
        pytest.skip(f"this machine has no {wildcard}: {error}")
    with peer:
        assert _watch(peer.address, for_s=1.2) == []
        assert peer.asked["udp"] >= 1


def test_it_stops_at_once() -> None:
    """`stop` does not wait for a stall to be certain, and none is told afterwards."""
    with _Peer() as peer:
        told: list[str] = []
        watchdog = Watchdog([peer.address], told.append)
        watchdog.start()
        time.sleep(0.7)
        started = time.monotonic()
        watchdog.stop()
        assert time.monotonic() - started < 0.5
        assert told == []


def _watch(*addresses: Address, for_s: float) -> list[tuple[str, float]]:
    """Watch for some time, or until a stall is told, and give what was told and when."""
    told: list[tuple[str, float]] = []
    is_told = threading.Event()
    started = time.monotonic()

    def on_stall(message: str) -> None:
        told.append((message, time.monotonic() - started))
        is_told.set()

    watchdog = Watchdog(addresses, on_stall)
    watchdog.start()
    is_told.wait(for_s)
    watchdog.stop()
    return told


class _Peer:
    """
    Sockets that listen, and answer or not.

    Args:
        answers: Over which transports it answers.
        host: Where it listens.
    """

    def __init__(self, answers: tuple[str, ...] = (), host: str = "127.0.0.1") -> None:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self.asked = {"udp": 0, "tcp": 0}
        self._answers = answers
        self._is_closed = threading.Event()
        port = free_port()
        with ExitStack() as opened:
            self._udp = opened.enter_context(socket.socket(family, socket.SOCK_DGRAM))
            self._udp.bind((host, port))
            self._tcp = opened.enter_context(socket.create_server((host, port), family=family))
            self._sockets = opened.pop_all()
        self.address = Address(host, port)
        for opened_socket in (self._udp, self._tcp):
            opened_socket.settimeout(0.02)
        self._threads = [threading.Thread(target=work, daemon=True) for work in (self._serve_udp, self._serve_tcp)]

    def __enter__(self) -> _Peer:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._is_closed.set()
        for thread in self._threads:
            thread.join()
        self._sockets.close()

    def _serve_udp(self) -> None:
        while not self._is_closed.is_set():
            with suppress(TimeoutError):
                query, client = self._udp.recvfrom(512)
                self.asked["udp"] += 1
                if "udp" in self._answers:
                    self._udp.sendto(query, client)

    def _serve_tcp(self) -> None:
        with ExitStack() as silent:
            while not self._is_closed.is_set():
                with suppress(TimeoutError):
                    connection, _ = self._tcp.accept()
                    self.asked["tcp"] += 1
                    silent.enter_context(connection)
                    if "tcp" in self._answers:
                        with _unless_gone():
                            connection.sendall(connection.recv(512))


@contextmanager
def _unless_gone() -> Iterator[None]:
    with suppress(ConnectionError, TimeoutError):
        yield
