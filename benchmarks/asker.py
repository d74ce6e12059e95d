"""
Asks a server over UDP, many names at once or one again and again, and tells right answers from wrong ones.

It reads as much of an answer as that takes and no more, so that what asks costs less than what answers.
"""

import socket
import struct
import time
from collections import Counter
from collections.abc import Iterable, Sequence
from contextlib import suppress
from typing import Final

from .clusterset import NXDOMAIN, A, Question

WINDOW: Final = 64
"""Questions under way at once: few enough for any server's socket buffer."""
_SILENCE_S: Final = 0.25
"""So long without any answer, and what is under way is asked again."""

RIGHT = "right"
FALSE_NXDOMAIN = "false NXDOMAIN"
FALSE_NODATA = "false NODATA"
NO_ANSWER = "refused or failed"
OTHER = "other addresses"


def query(number: int, name: str, qtype: int = A) -> bytes:
    """Return a query without EDNS, in wire format."""
    labels = b"".join(bytes((len(label),)) + label.encode() for label in name.split("."))
    return struct.pack(">6H", number & 0xFFFF, 0x0100, 1, 0, 0, 0) + labels + b"\0" + struct.pack(">2H", qtype, 1)


def addresses(reply: bytes, question_size: int) -> frozenset[bytes]:
    """Return the IPv4 addresses of the answer section; `question_size` is in octets."""
    found: list[bytes] = []
    at = 12 + question_size
    for _ in range(int.from_bytes(reply[6:8], "big")):
        while 0 < reply[at] < 0xC0:
            at += 1 + reply[at]
        at += 2 if reply[at] else 1
        size = int.from_bytes(reply[at + 8 : at + 10], "big")
        if reply[at : at + 2] == b"\0\1":
            found.append(reply[at + 10 : at + 10 + size])
        at += 10 + size
    return frozenset(found)


def verdict(reply: bytes, asked: bytes, question: Question) -> str:
    """Tell what an answer to a question about addresses that exist is."""
    rcode = reply[3] & 15
    if rcode == NXDOMAIN:
        return FALSE_NXDOMAIN
    if rcode:
        return NO_ANSWER
    found = addresses(reply, len(asked) - 12)
    if found == question.answer:
        return RIGHT
    return OTHER if found else FALSE_NODATA


class Asker:
    """
    Asks one server questions about addresses that exist.

    Args:
        port: Where it is on 127.0.0.1. It need not be there yet.
        questions: All that can be asked.

    Attributes:
        seen: How many answers there were, by verdict.
    """

    def __init__(self, port: int, questions: Sequence[Question]) -> None:
        self.seen: Counter[str] = Counter()
        self._questions = questions
        self._asked = [query(number, question.name) for number, question in enumerate(questions)]
        self._socket = socket.socket(type=socket.SOCK_DGRAM)
        self._socket.connect(("127.0.0.1", port))

    def close(self) -> None:
        """Close its socket."""
        self._socket.close()

    def ask(self, number: int, limit_s: float) -> str | None:
        """
        Ask one question once.

        Args:
            number: Its place among all questions.
            limit_s: How long to wait, in seconds.

        Returns:
            The verdict; None where nothing came, or nothing listens.
        """
        self._socket.settimeout(limit_s)
        asked = self._asked[number]
        with suppress(OSError):
            self._socket.send(asked)
            while (reply := self._socket.recv(4096))[:2] != asked[:2]:
                pass
            return self._judged(number, reply)
        return None

    def sweep(self, numbers: Iterable[int]) -> list[int]:
        """
        Ask each of some questions once.

        Returns:
            Those whose answers were not right.
        """
        waiting = iter(numbers)
        wrong: list[int] = []
        under_way: dict[bytes, int] = {}
        self._socket.settimeout(_SILENCE_S)
        for number in waiting:
            self._send(number, under_way)
            if len(under_way) >= WINDOW:
                self._take(under_way, wrong)
        while under_way:
            self._take(under_way, wrong)
        return wrong

    def _send(self, number: int, under_way: dict[bytes, int]) -> None:
        under_way[self._asked[number][:2]] = number
        with suppress(OSError):
            self._socket.send(self._asked[number])

    def _take(self, under_way: dict[bytes, int], wrong: list[int]) -> None:
        """Take one answer; after a silence ask again whatever is under way."""
        try:
            reply = self._socket.recv(4096)
        except OSError:
            for asked_again in list(under_way.values()):
                self._send(asked_again, under_way)
            return
        number = under_way.pop(reply[:2], None)
        if number is not None and self._judged(number, reply) != RIGHT:
            wrong.append(number)

    def _judged(self, number: int, reply: bytes) -> str:
        found = verdict(reply, self._asked[number], self._questions[number])
        self.seen[found] += 1
        return found


def sleep_until(due_s: float) -> None:
    """Sleep until a time of the monotonic clock, in seconds."""
    if (rest := due_s - time.monotonic()) > 0:
        time.sleep(rest)
