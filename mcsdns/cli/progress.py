"""
Tells on standard error how far something is that takes a while: a line that is drawn over on a terminal, a line now and then elsewhere.

Rules:
1. Nothing is written within the first second: what is quick says nothing. What takes longer says so at once.
2. Standard output is never touched: it is the result.
3. What is drawn is gone when the work is done.

Why not tqdm or rich: docs/decisions/0012.
"""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Callable
from typing import Final, Self, TextIO

QUIET_S: Final = 1.0
DRAW_S: Final = 0.1
LINE_S: Final = 5.0
"""Seconds between two lines where no terminal is."""
_WIDTH: Final = 20

Told = tuple[int, int, str]
"""How many are done, of how many, and more in words. Of none: it is not known how many there are."""


class Progress:
    """
    Tells of the work in its `with` block.

    Args:
        what: The work, such as `hearing clusters`.
        tell: Gives how far it is. Called from another thread: it only reads.
        stream: Where to.
        clock: The monotonic clock, in seconds.
    """

    def __init__(
        self,
        what: str,
        tell: Callable[[], Told] = lambda: (0, 0, ""),
        stream: TextIO | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._what = what
        self.tell = tell
        self._stream = stream or sys.stderr
        self._is_terminal = self._stream.isatty() and os.environ.get("TERM") != "dumb"
        self._clock = clock
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def line(self, for_s: float) -> str:
        """Return what is so now, after so many seconds."""
        done, total, words = self.tell()
        bar = ""
        if total:
            filled = _WIDTH * done // total
            bar = f" [{'#' * filled}{'-' * (_WIDTH - filled)}] {done} of {total}"
        return f"mcsdns: {self._what}{bar}{f', {words}' if words else ''}, {for_s:.0f} s"

    def _run(self) -> None:
        started = self._clock()
        if self._done.wait(QUIET_S):
            return
        while True:
            text = self.line(self._clock() - started)
            self._stream.write(f"\r\x1b[K{text}" if self._is_terminal else f"{text}\n")
            self._stream.flush()
            if self._done.wait(DRAW_S if self._is_terminal else LINE_S):
                break
        if self._is_terminal:
            self._stream.write("\r\x1b[K")
            self._stream.flush()

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._done.set()
        self._thread.join()
