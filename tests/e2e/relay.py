"""
A wire between mcsdns and an API server that can be cut and mended: a forwarder of TCP connections.

While it is cut, connections are refused and those that were open are closed. Stopping an API server cuts it off from everyone;
this cuts it off from mcsdns alone, so that a test can change objects meanwhile.
"""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Final, Self

import yaml

from tests.servers.run import free_port

_CHUNK: Final = 1 << 16


class Relay:
    """
    Forwards a port of 127.0.0.1. In a `with` block it is mended, and cut at its end.

    Args:
        port: Where to.
    """

    def __init__(self, port: int) -> None:
        self.port = free_port()
        self._to = port
        self._listener: socket.socket | None = None
        self._open: set[socket.socket] = set()
        self._lock = threading.Lock()
        self._threads: list[threading.Thread] = []

    def mend(self) -> None:
        """Forward from now on."""
        self._listener = socket.create_server(("127.0.0.1", self.port), backlog=64)
        self._run(self._accept, self._listener)

    def cut(self) -> None:
        """Close everything, and refuse connections from now on."""
        listener, self._listener = self._listener, None
        if listener is None:
            return
        with suppress(OSError):
            listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        with self._lock:
            for end in self._open:
                with suppress(OSError):
                    end.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join()
        self._threads.clear()

    def through(self, kubeconfig: Path) -> Path:
        """Write a kubeconfig beside another that leads through here."""
        content = yaml.safe_load(kubeconfig.read_text())
        content["clusters"][0]["cluster"]["server"] = f"https://127.0.0.1:{self.port}"
        path = kubeconfig.with_name(f"{kubeconfig.name}-{self.port}")
        path.touch(mode=0o600)
        path.write_text(yaml.safe_dump(content))
        return path

    def __enter__(self) -> Self:
        self.mend()
        return self

    def __exit__(self, *_: object) -> None:
        self.cut()

    def _run(self, work: Callable[..., None], *arguments: socket.socket) -> None:
        thread = threading.Thread(target=work, args=arguments, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _accept(self, listener: socket.socket) -> None:
        while True:
            try:
                near, _ = listener.accept()
            except OSError:
                return
            try:
                far = socket.create_connection(("127.0.0.1", self._to))
            except OSError:
                near.close()
                continue
            with self._lock:
                self._open |= {near, far}
                if self._listener is not listener:
                    near.shutdown(socket.SHUT_RDWR)
            self._run(self._carry, near, far)

    def _carry(self, near: socket.socket, far: socket.socket) -> None:
        """Carry octets both ways until either end closes."""
        back = threading.Thread(target=_copy, args=(far, near), daemon=True)
        back.start()
        _copy(near, far)
        back.join()
        with self._lock:
            self._open -= {near, far}
        near.close()
        far.close()


def _copy(source: socket.socket, target: socket.socket) -> None:
    with suppress(OSError):
        while chunk := source.recv(_CHUNK):
            target.sendall(chunk)
    for end in (source, target):
        with suppress(OSError):
            end.shutdown(socket.SHUT_RDWR)
