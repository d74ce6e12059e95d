"""
How long after a change was acknowledged the answer reflects it, and what a change costs the server.

Rules:
1. The clock starts when the API server's answer to the write has come, and stops when the first right answer has.
2. From that moment on the name is asked again and again, one question at a time, each `POLL_S` after the last, until the
   answer is right. So a figure is too large by at most one such period and a round trip; how long they really were is
   measured beside it.
3. An answer with a later change of the same service is right as well.
4. CPU time of a change is measured without any questions, less what the server uses when nothing changes.
"""

import ctypes
import heapq
import select
import socket
import time
from collections.abc import Sequence
from contextlib import closing
from statistics import median, quantiles
from typing import Final, NamedTuple

from .asker import query
from .clusterset import Service
from .servers import cpu_clock, kept_awake
from .writes import ACKNOWLEDGED, MARK, Made, Plan, Writer, writing

POLL_S: Final = 0.0001
_LOST_S: Final = 0.05
"""After which a question without an answer is asked again."""
_GRACE_S: Final = 10.0
"""After the last change, until every answer must be right."""
_IDLE_S: Final = 5.0
_MARK: Final = bytes((0, 4, MARK))
"""RDLENGTH and the first octet of an address that says the number of a change."""
_PR_SET_TIMERSLACK: Final = 29


class Latencies(NamedTuple):
    """What was seen, all in seconds: from acknowledgement to answer, and how exactly that is known."""

    seconds: list[float]
    exact_to: list[float]
    made: Made
    lost: int

    def at(self, percent: int) -> float:
        """Return a percentile of the time from acknowledgement to answer."""
        return quantiles(self.seconds, n=100, method="inclusive")[percent - 1]

    @property
    def resolution(self) -> float:
        """Return how exactly the median change is known."""
        return median(self.exact_to)


class _Wait:
    """One service whose answer does not yet say what was acknowledged."""

    __slots__ = ("acknowledged", "asked_at", "is_asked", "wrong_at")

    def __init__(self) -> None:
        self.acknowledged: list[tuple[int, float]] = []
        self.asked_at = 0.0
        self.wrong_at = 0.0  # when the last question whose answer was not yet right was asked
        self.is_asked = False


class Watcher:
    """
    Watches the answers of one server.

    Args:
        port: Where it is on 127.0.0.1.
        services: Those that are changed, in the order of the plan.
    """

    def __init__(self, port: int, services: Sequence[Service]) -> None:
        self._queries = [query(place, service.owner) for place, service in enumerate(services)]
        self._dns = socket.socket(type=socket.SOCK_DGRAM)
        self._dns.connect(("127.0.0.1", port))
        self._told = socket.socket(type=socket.SOCK_DGRAM)
        self._told.bind(("127.0.0.1", 0))
        for one in (self._dns, self._told):
            one.setblocking(False)
        self.tell: int = self._told.getsockname()[1]
        self._waits = [_Wait() for _ in services]
        self._due: list[tuple[float, int]] = []
        self._seconds: list[float] = []
        self._exact_to: list[float] = []

    def close(self) -> None:
        """Close its sockets."""
        self._dns.close()
        self._told.close()

    def watch(self, writer: Writer, plan: Plan) -> Latencies:
        """Watch until every change has been seen, or the grace after the last is over."""
        ctypes.CDLL(None).prctl(_PR_SET_TIMERSLACK, 1, 0, 0, 0)
        end: float | None = None
        while len(self._seconds) < plan.changes and (end is None or time.monotonic() < end):
            wait_s = min(0.1, self._due[0][0] - time.monotonic()) if self._due else 0.1
            readable = select.select([self._dns, self._told], [], [], max(0.0, wait_s))[0]
            if self._told in readable:
                self._take_told(plan.first)
            if self._dns in readable:
                self._take_answers()
            self._ask_due()
            if end is None and not readable and writer.is_done:
                end = time.monotonic() + _GRACE_S
        made = writer.wait(_GRACE_S)
        return Latencies(self._seconds, self._exact_to, made, plan.changes - len(self._seconds))

    def _take_told(self, first: int) -> None:
        while True:
            try:
                change, at = ACKNOWLEDGED.unpack(self._told.recv(64))
            except BlockingIOError:
                return
            place = (change - first) % len(self._waits)
            wait = self._waits[place]
            if not wait.acknowledged:
                wait.wrong_at = at
                self._ask(place, time.monotonic())
            wait.acknowledged.append((change, at))

    def _ask(self, place: int, now: float) -> None:
        wait = self._waits[place]
        wait.asked_at, wait.is_asked = now, True
        self._dns.send(self._queries[place])
        heapq.heappush(self._due, (now + _LOST_S, place))

    def _take_answers(self) -> None:
        while True:
            try:
                reply = self._dns.recv(4096)
            except BlockingIOError:
                return
            now = time.monotonic()
            place = int.from_bytes(reply[:2], "big")
            wait = self._waits[place]
            at = reply.find(_MARK)
            shown = int.from_bytes(reply[at + 3 : at + 6], "big") if at >= 0 else -1
            while wait.acknowledged and wait.acknowledged[0][0] <= shown:
                acknowledged_at = wait.acknowledged.pop(0)[1]
                self._seconds.append(now - acknowledged_at)
                self._exact_to.append(now - max(acknowledged_at, wait.wrong_at))
            if wait.is_asked and wait.acknowledged:
                wait.wrong_at = wait.asked_at
                heapq.heappush(self._due, (max(wait.asked_at + POLL_S, now), place))
            wait.is_asked = False

    def _ask_due(self) -> None:
        now = time.monotonic()
        while self._due and self._due[0][0] <= now:
            due, place = heapq.heappop(self._due)
            wait = self._waits[place]
            is_lost = wait.is_asked and due >= wait.asked_at + _LOST_S
            if wait.acknowledged and (is_lost or not wait.is_asked):
                self._ask(place, now)


def latencies(port: int, plan: Plan) -> Latencies:
    """
    Make the changes of a plan, and measure when the answers reflect them.

    Args:
        port: Where the server is on 127.0.0.1.
        plan: What to write; `tell` is filled in.
    """
    watcher = Watcher(port, plan.services)
    plan = plan._replace(tell=watcher.tell)
    with closing(watcher), kept_awake({1}), writing(plan) as writer:
        return watcher.watch(writer, plan)


def cpu_of_change(pid: int, plan: Plan) -> float:
    """
    Make the changes of a plan while nobody asks.

    Args:
        pid: The server's only process.
        plan: What to write.

    Returns:
        CPU seconds of the server for each change, without what it uses when idle.
    """
    before = cpu_clock(pid)
    time.sleep(_IDLE_S)
    idle = (cpu_clock(pid) - before) / _IDLE_S
    before, began = cpu_clock(pid), time.monotonic()
    with writing(plan) as writer:
        writer.wait(plan.changes / plan.rate + 60)
    time.sleep(0.5)
    return (cpu_clock(pid) - before - idle * (time.monotonic() - began)) / plan.changes
