"""
One start of a server, watched from outside: when it says that it is ready, when every name is right, what it took.

Rules:
1. From the first moment on, one question each millisecond is asked, about a name drawn from all: whatever says that a
   name that exists does not is counted.
2. From the first right answer on, every name is asked, and those that were not right again, until all are.
3. Memory and CPU time are read at the first right answer, before the sweep of all names adds its own.
"""

import random
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from typing import Final, NamedTuple

from tests.servers.run import Server, cpu_seconds, rss_bytes

from .asker import FALSE_NODATA, FALSE_NXDOMAIN, NO_ANSWER, OTHER, RIGHT, Asker, sleep_until
from .clusterset import Question
from .servers import is_ready, peak_bytes

ASK_S: Final = 0.001
_SETTLE_S: Final = 3.0
"""After which memory is read again: what was needed for the start alone may have been given back."""


class Start(NamedTuple):
    """What a start showed. Times are in seconds since the process was made; memory is in octets."""

    ready_s: float | None
    first_right_s: float
    all_right_s: float
    cpu_s: float
    rss: int
    peak: int
    asked_rss: int
    false: int
    """Answers that a name does not exist, or has no addresses, or others."""
    failed: int
    """SERVFAIL and REFUSED."""
    answers: int
    """All that came, those of the sweep included."""


def watch_start(
    server: Server, port: int, questions: Sequence[Question], admin_port: int | None, limit_s: float
) -> Start:
    """
    Start a server and watch it. It runs when this returns.

    Args:
        server: One whose `start` does not wait.
        port: Where it will answer on 127.0.0.1.
        questions: About the addresses of every service.
        admin_port: Where to ask /readyz, or None.
        limit_s: The deadline, in seconds.

    Raises:
        TimeoutError: Not every name was right in time.
    """
    asker = Asker(port, questions)
    draw = random.Random(1)
    ready = _Ready(admin_port)
    began = time.monotonic()
    server.start()
    ready.begin(began)
    try:
        due = time.monotonic()
        while asker.ask(draw.randrange(len(questions)), ASK_S * 50) != RIGHT:
            due = max(due + ASK_S, time.monotonic())
            sleep_until(due)
            _check(server, began, limit_s)
        first_right_s, cpu_s, rss = time.monotonic() - began, cpu_seconds(server.pid), rss_bytes(server.pid)
        wrong = list(range(len(questions)))
        while wrong := asker.sweep(wrong):
            _check(server, began, limit_s)
        all_right_s = time.monotonic() - began
        ready_s = ready.wait(limit_s)
        time.sleep(_SETTLE_S)
    finally:
        ready.is_over = True
        asker.close()
    seen = asker.seen
    false = seen[FALSE_NXDOMAIN] + seen[FALSE_NODATA] + seen[OTHER]
    peak, asked_rss = peak_bytes(server.pid), rss_bytes(server.pid)
    return Start(
        ready_s, first_right_s, all_right_s, cpu_s, rss, peak, asked_rss, false, seen[NO_ANSWER], sum(seen.values())
    )


def _check(server: Server, began: float, limit_s: float) -> None:
    if not server.is_running:
        raise TimeoutError(f"{server.name} ended\n{server.log_tail()}")
    if time.monotonic() - began > limit_s:
        raise TimeoutError(f"after {limit_s:g} s not every name is right\n{server.log_tail()}")


class _Ready(threading.Thread):
    """Asks /readyz every 10 ms until it is so."""

    def __init__(self, admin_port: int | None) -> None:
        super().__init__(daemon=True)
        self.is_over = False
        self._admin_port = admin_port
        self._began = 0.0
        self._ready_s: float | None = None

    def begin(self, began: float) -> None:
        """Ask from now on."""
        self._began = began
        if self._admin_port is not None:
            self.start()

    def wait(self, limit_s: float) -> float | None:
        """Return after how many seconds it was ready; None where there is nothing to ask."""
        if self._admin_port is not None:
            self.join(limit_s)
        return self._ready_s

    def run(self) -> None:
        """Ask."""
        while not self.is_over and self._admin_port is not None:
            with suppress(OSError):
                if is_ready(self._admin_port):
                    self._ready_s = time.monotonic() - self._began
                    return
            time.sleep(0.01)
