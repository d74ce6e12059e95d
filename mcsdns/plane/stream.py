"""
The messages of one TCP connection: octets in, octets out (RFC 1035 §4.2.2, RFC 7766). No sockets, no clock but for what is measured.

Rules:
1. Messages are answered in the order in which they came; a length and its message are written together (RFC 7766 §8).
2. A message that does not parse is answered with FORMERR, or not at all where it has no header or is a response, and the next one
   is read. The third such message ends the connection, and so does a length of 0.
"""

from __future__ import annotations

from time import perf_counter

from mcsdns.plane.answers import Answers
from mcsdns.wire.codes import Rcode

MALFORMED_LIMIT = 3
"""Messages that do not parse before the end: what comes is then not DNS, or not in step with the lengths."""
WRITE_SIZE = 1 << 16
"""Octets of responses after which no more are added to one write: enough for system calls not to matter, little enough to hold."""


class Stream:
    """
    What one client has sent and what it gets.

    Attributes:
        client: Who it is, for the query log.
        is_ended: Nothing more is read from it; the connection is to be closed once what was answered has left.
    """

    __slots__ = ("_answers", "_inbox", "_malformed", "client", "is_ended")

    def __init__(self, answers: Answers) -> None:
        self.client = ""
        self.is_ended = False
        self._answers = answers
        self._inbox: bytes | bytearray = b""
        self._malformed = 0

    @property
    def is_within_message(self) -> bool:
        """Whether the first octets of a message have come that is not whole yet."""
        return bool(self._inbox) and not self.has_message

    @property
    def has_message(self) -> bool:
        """Whether a whole message waits to be answered."""
        inbox = self._inbox
        return len(inbox) >= 2 and len(inbox) >= 2 + (inbox[0] << 8 | inbox[1])

    def feed(self, octets: bytes) -> None:
        """Take what the client has sent."""
        if not self._inbox:
            self._inbox = octets
        elif isinstance(self._inbox, bytearray):
            self._inbox += octets
        else:
            # From the second piece on it grows in place: a message that drips in must not be copied for each octet.
            self._inbox = bytearray(self._inbox) + octets

    def respond(self, most: int) -> tuple[bytes, int]:
        """
        Answer whole messages.

        Args:
            most: How many at most.

        Returns:
            What is to be written, in one piece, and how many messages were read for it.
        """
        inbox, answer, ledger = self._inbox, self._answers.answer, self._answers.ledger
        log = self._answers.querylog
        out: list[bytes] = []
        at = read = size = 0
        began = then = perf_counter()
        while read < most and size < WRITE_SIZE and at + 2 <= len(inbox):
            start = at + 2
            end = start + (inbox[at] << 8 | inbox[at + 1])
            if end > len(inbox):
                break
            at = end
            read += 1
            response = answer(bytes(inbox[start:end])) if end > start else None
            if response is not None:
                out += (len(response).to_bytes(2, "big"), response)
                size += len(response)
                now = perf_counter()
                ledger.took(now - then)
                then = now
            if log.is_on:
                took_s = perf_counter() - began
                where = {"view": ledger.view, "proto": "tcp", "client": self.client}
                log.note(bytes(inbox[start:end]), response, **where, duration_s=took_s)
            if self._is_last(end > start, response):
                break
        ledger.duration_s += then - began
        self._inbox = b"" if self.is_ended else inbox[at:]
        return b"".join(out), read

    def _is_last(self, has_octets: bool, response: bytes | None) -> bool:
        # What got NOTIMP is not counted: how another opcode's messages are laid out is not known here, so none is malformed.
        if response is None or response[3] & 0xF == Rcode.FORMERR:
            self._malformed += 1
        self.is_ended = not has_octets or self._malformed >= MALFORMED_LIMIT
        return self.is_ended
