"""
Changes at an API server, made at a steady rate by a process of their own.

Rules:
1. Change n puts its number, as an address 11.x.y.z, in the first place of one slice of the headless service n mod k. An answer
   so tells which change it reflects.
2. Changes are due at fixed times and go out on several connections; one service is always written by the same one, and
   so in order. What is late is not left out.
3. The moment when the API server's answer to a write has come is told to whoever measures, as a datagram.

Not here: what happens then (`changes`).
"""

import http.client
import json
import multiprocessing
import socket
import ssl
import struct
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Final, NamedTuple

from .asker import sleep_until
from .clusterset import Service, imported_slice

CONNECTIONS: Final = 8
MARK: Final = 11
"""The first octet of addresses that are numbers of changes."""
ACKNOWLEDGED: Final = struct.Struct("!Qd")
"""A datagram: the number of a change, and the monotonic clock in seconds."""
_EARLY_S: Final = 0.5
"""From the start of the process to the first change."""


class Plan(NamedTuple):
    """
    What to write.

    Args:
        url, ca_path, token: The API server, and as whom.
        services: Headless ones, in the order in which they are changed. Their number is a multiple of `CONNECTIONS`.
        first: The number of the first change: never used before.
        changes: How many.
        rate: Changes a second.
        tell: The UDP port of 127.0.0.1 that is told, or 0.
    """

    url: str
    ca_path: Path
    token: str
    services: Sequence[Service]
    first: int
    changes: int
    rate: float
    tell: int = 0


class Made(NamedTuple):
    """What was written: how many changes within how many seconds, and how long the API server took, in seconds."""

    seconds: float
    took_s: list[float]


def address_of(change: int) -> bytes:
    """Return the address that says the number of a change."""
    return bytes((MARK, *change.to_bytes(3, "big")))


@contextmanager
def writing(plan: Plan) -> Iterator["Writer"]:
    """Make the changes of a plan, beside the block."""
    writer = Writer(plan)
    try:
        yield writer
    finally:
        writer.end()


class Writer:
    """The process that makes the changes of a plan."""

    def __init__(self, plan: Plan) -> None:
        spawn = multiprocessing.get_context("spawn")
        self._outcome, outcome = spawn.Pipe(duplex=False)
        self._process = spawn.Process(target=_work, args=(plan, outcome), daemon=True)
        self._process.start()
        outcome.close()

    @property
    def is_done(self) -> bool:
        """Whether the last change has been acknowledged."""
        return self._outcome.poll()

    def wait(self, limit_s: float) -> Made:
        """
        Return what was made, once all is.

        Raises:
            TimeoutError: It was not within the limit.
            EOFError: The process failed.
        """
        if not self._outcome.poll(limit_s):
            raise TimeoutError(f"the changes were not made within {limit_s:g} s")
        made: Made = self._outcome.recv()
        return made

    def end(self) -> None:
        """End the process."""
        self._process.join(1.0)
        if self._process.is_alive():
            self._process.kill()
            self._process.join()
        self._outcome.close()


def _work(plan: Plan, outcome: Connection) -> None:
    began = time.monotonic() + _EARLY_S
    took_s: list[list[float]] = [[] for _ in range(CONNECTIONS)]
    threads = [
        threading.Thread(target=_write, args=(plan, number, began, took_s[number])) for number in range(CONNECTIONS)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    outcome.send(Made(time.monotonic() - began, [one for share in took_s for one in share]))


def _write(plan: Plan, number: int, began: float, took_s: list[float]) -> None:
    """Make every change whose number leaves this rest."""
    host, _, port = plan.url.removeprefix("https://").rpartition(":")
    trust = ssl.create_default_context(cafile=str(plan.ca_path))
    connection = http.client.HTTPSConnection(host, int(port), timeout=30, context=trust)
    headers = {"Authorization": f"Bearer {plan.token}", "Content-Type": "application/json"}
    teller = socket.socket(type=socket.SOCK_DGRAM)
    parts = {index: _parts(service) for index, service in enumerate(plan.services) if index % CONNECTIONS == number}
    connection.connect()
    for place in range(number, plan.changes, CONNECTIONS):
        change = plan.first + place
        path, before, after = parts[place % len(plan.services)]
        body = before + ".".join(map(str, address_of(change))).encode() + after
        sleep_until(began + place / plan.rate)
        asked = time.monotonic()
        connection.request("PUT", path, body, headers)
        response = connection.getresponse()
        now = time.monotonic()
        if plan.tell:
            teller.sendto(ACKNOWLEDGED.pack(change, now), ("127.0.0.1", plan.tell))
        response.read()
        if response.status != 200:
            raise OSError(f"PUT {path}: {response.status}")
        took_s.append(now - asked)
    connection.close()
    teller.close()


def _parts(service: Service) -> tuple[str, bytes, bytes]:
    """Return the path of a service's first slice, and its JSON before and after the address that changes."""
    manifest = imported_slice(service, 0, address_of(0))
    before, _, after = json.dumps(manifest, separators=(",", ":")).encode().partition(b"11.0.0.0")
    path = f"/apis/discovery.k8s.io/v1/namespaces/{service.namespace}/endpointslices/{manifest['metadata']['name']}"
    return path, before, after
