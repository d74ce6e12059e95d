"""
The watchdog: asks the server's own sockets, and ends the process when they stay silent.

Dead beats hung (design.md §6): a forwarder leaves a dead server in milliseconds and a hung one in seconds.

Rules:
1. It asks over UDP, again and again, and over TCP as well once UDP has been silent for half of the time: a flood that fills
   the UDP queue is no stall.
2. A pause of the whole process (SIGSTOP, a frozen machine) is no stall of the sockets: the time that the watchdog itself did not
   run does not count.
"""

from __future__ import annotations

import os
import socket
import threading
import time
from collections.abc import Callable, Sequence

import structlog

from mcsdns.config import Address

STALL_S = 1.0
"""Seconds of silence after which the process ends (design.md §6)."""
PERIOD_S = 0.5
"""Seconds between two probes of a socket that answers."""
_ASK_S = 0.1
"""Seconds that one question waits for its answer before it is asked again."""
_QUERY = b"\x6d\x63\x00\x00\x00\x01\x00\x00\x00\x00\x00\x00\x00\x00\x02\x00\x01"
""". NS IN, RD=0: what CoreDNS asks to see whether we live; it is answered before anything else."""


def end_process(message: str) -> None:
    """Say why and leave at once: what hangs cannot be asked to stop."""
    structlog.get_logger().error(
        "sockets stalled", problem=message, action="the process ends, so that its clients leave it"
    )
    os._exit(70)


class Watchdog:
    """
    A thread that watches the addresses that are served.

    Args:
        addresses: Where the server listens; a wildcard is asked on the loopback address.
        on_stall: Called once with a sentence; by default it ends the process.
    """

    def __init__(self, addresses: Sequence[Address], on_stall: Callable[[str], None] = end_process) -> None:
        self._addresses = [_reachable(address) for address in addresses]
        self._on_stall = on_stall
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name="watchdog", daemon=True)

    def start(self) -> None:
        """Begin to watch."""
        self._thread.start()

    def stop(self) -> None:
        """Cease to watch; returns when the thread has ended."""
        self._stopped.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._stopped.wait(PERIOD_S):
            for address in self._addresses:
                if not self._answers(address):
                    self._on_stall(f"{address} has not answered for {STALL_S} s")
                    return

    def _answers(self, address: Address) -> bool:
        """Ask until an answer comes. The clock counts only the time in which this thread was really waiting."""
        silent_s = 0.0
        while silent_s < STALL_S:
            if self._stopped.is_set():
                return True
            started = time.monotonic()
            is_tcp = silent_s > STALL_S / 2
            if _ask(address, socket.SOCK_STREAM if is_tcp else socket.SOCK_DGRAM):
                return True
            # A refused connection comes back at once: the socket is closed, and time must still pass.
            self._stopped.wait(max(0.0, _ASK_S - (time.monotonic() - started)))
            silent_s += min(time.monotonic() - started, _ASK_S)
        return False


def _ask(address: Address, kind: socket.SocketKind) -> bool:
    family = socket.AF_INET6 if ":" in address.host else socket.AF_INET
    try:
        with socket.socket(family, kind) as asker:
            asker.settimeout(_ASK_S)
            asker.connect((address.host, address.port))
            asker.sendall(len(_QUERY).to_bytes(2, "big") + _QUERY if kind == socket.SOCK_STREAM else _QUERY)
            return _QUERY[:2] in asker.recv(512)
    except OSError:
        return False


def _reachable(address: Address) -> Address:
    if not address.is_wildcard:
        return address
    return Address("::1" if ":" in address.host else "127.0.0.1", address.port)
