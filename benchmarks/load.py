"""
A steady load on several DNS servers at once, as of clients that ask once and wait: each query is timed and judged, none is repeated.

Rules:
1. Open loop: queries go out when they are due, whatever has become of those before; some at once, as pods ask for A and AAAA and start
   together. So a forwarder has several connections, each with a flow of its own.
2. A query without an answer after 5 s is lost, which is how long glibc waits before it asks again.
3. Each server gets the same questions in the same order: in turns names that it has not been asked for a minute (`cold`), names that
   it is asked all the time (`warm`), and names that do not exist, each once (`absent`).
"""

import itertools
import select
import socket
import threading
import time
from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple

from .asker import RIGHT, query, verdict
from .clusterset import NXDOMAIN, A, Question, Service, address_question

WAIT_S: Final = 5.0
BURST: Final = 8
"""Queries that go out at once to one server."""
WARM_NAMES: Final = 20
KINDS: Final = ("cold", "warm", "cold", "warm", "absent")
"""What is asked, in turns."""
FAILED, LOST, WRONG = "error", "no answer", "wrong"
_REFUSED: Final = range(1, 6)
"""FORMERR to REFUSED, but for NXDOMAIN."""


class Seen(NamedTuple):
    """What became of a query: when it was sent (monotonic clock), how long its answer took (both in seconds), its kind, the verdict."""

    at: float
    took: float
    kind: str
    verdict: str


class _Asked(NamedTuple):
    at: float
    kind: str
    question: Question
    octets: bytes


class Load:
    """
    The load; in a `with` block it runs.

    Args:
        ports: Where the servers are on 127.0.0.1, by name.
        count: How many services the clusterset of the benchmarks has.
        rate: Queries a second, for each server.
    """

    def __init__(self, ports: dict[str, int], count: int, rate: float) -> None:
        self._lanes = {name: _Lane(port, questions(count)) for name, port in ports.items()}
        self._every_s = BURST / rate / len(ports)
        self._is_over = threading.Event()
        self._thread = threading.Thread(target=self._run, name="load", daemon=True)

    def __enter__(self) -> "Load":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._is_over.set()
        self._thread.join()
        for lane in self._lanes.values():
            lane.socket.close()

    def seen(self, since: float, until: float) -> dict[str, list[Seen]]:
        """Return what became of the queries that were sent in some time, by server, once all of it is known."""
        while any(lane.is_waiting_since(until) for lane in self._lanes.values()):
            time.sleep(0.05)
        return {
            name: [seen for seen in list(lane.seen) if since <= seen.at < until] for name, lane in self._lanes.items()
        }

    def _run(self) -> None:
        lanes = list(self._lanes.values())
        poll = select.epoll()
        by_number = {lane.socket.fileno(): lane for lane in lanes}
        for number in by_number:
            poll.register(number, select.EPOLLIN)
        due, turns = time.monotonic(), itertools.cycle(lanes)
        while not self._is_over.is_set():
            now = time.monotonic()
            if now >= due:
                lane = next(turns)
                for _ in range(BURST):
                    lane.ask()
                due += self._every_s
            for number, _ in poll.poll(max(0.0, due - time.monotonic())):
                by_number[number].take()
        poll.close()


class _Lane:
    """What is under way to one server."""

    def __init__(self, port: int, asked: Iterator[tuple[str, Question]]) -> None:
        self.socket = socket.socket(type=socket.SOCK_DGRAM)
        self.socket.connect(("127.0.0.1", port))
        self.socket.setblocking(False)
        self.seen: list[Seen] = []
        self._questions = asked
        self._numbers = itertools.cycle(range(1 << 16))
        self._waiting: dict[int, _Asked] = {}

    def is_waiting_since(self, until: float) -> bool:
        """Tell whether an answer is due to a query that was sent before a time."""
        return any(asked.at < until for asked in list(self._waiting.values()))

    def ask(self) -> None:
        """Ask the next question, and give up those that have waited for too long."""
        now = time.monotonic()
        while self._waiting and now - (oldest := next(iter(self._waiting.values()))).at > WAIT_S:
            del self._waiting[next(iter(self._waiting))]
            self.seen.append(Seen(oldest.at, WAIT_S, oldest.kind, LOST))
        number, (kind, question) = next(self._numbers), next(self._questions)
        asked = _Asked(now, kind, question, query(number, question.name))
        self._waiting[number] = asked
        try:
            self.socket.send(asked.octets)
        except OSError:
            del self._waiting[number]
            self.seen.append(Seen(now, 0.0, kind, FAILED))

    def take(self) -> None:
        """Take an answer."""
        try:
            reply = self.socket.recv(4096)
        except OSError:
            return
        asked = self._waiting.pop(int.from_bytes(reply[:2], "big"), None)
        if asked is not None:
            self.seen.append(Seen(asked.at, time.monotonic() - asked.at, asked.kind, _judged(reply, asked)))


def questions(count: int) -> Iterator[tuple[str, Question]]:
    """Give kinds and questions without end (rule 3)."""
    warm = itertools.cycle([address_question(Service(number)) for number in range(WARM_NAMES)])
    cold = itertools.cycle(list(_cold(range(WARM_NAMES, count))))
    for number, kind in enumerate(itertools.cycle(KINDS)):
        if kind == "absent":
            yield kind, Question(f"absent-{number}.{Service(number % count).owner}", A, NXDOMAIN, frozenset())
        else:
            yield kind, next(warm if kind == "warm" else cold)


def _cold(numbers: Sequence[int]) -> Iterator[Question]:
    for service in map(Service, numbers):
        yield address_question(service)
        if service.is_headless:
            for host, address in service.endpoints():
                yield Question(f"{host}.{service.owner}", A, 0, frozenset([address]))


def _judged(reply: bytes, asked: _Asked) -> str:
    rcode = reply[3] & 15
    if rcode in _REFUSED and rcode != NXDOMAIN:
        return FAILED
    if asked.question.rcode == NXDOMAIN:
        return RIGHT if rcode == NXDOMAIN else WRONG
    return RIGHT if verdict(reply, asked.octets, asked.question) == RIGHT else WRONG
