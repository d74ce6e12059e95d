"""
Lines out of chunks: a watch is one JSON object a line, and chunks end anywhere.

Rules:
1. However the bytes are cut into chunks, the lines are the same.
2. What follows the last newline is never given out: a stream that was cut leaves no half of an event.
3. A line is bounded, so that a server that never ends one cannot fill the memory.
"""

from __future__ import annotations

from typing import Final

from mcsdns.errors import StreamError

LINE_LIMIT: Final = 2 * 1024 * 1024
"""Bytes in one line. etcd keeps objects of at most 1.5 MiB (`--max-request-bytes`), and one event is one line."""


class LineSplitter:
    """
    Splits one stream.

    Args:
        limit: The most bytes of one line, without its newline.
    """

    def __init__(self, limit: int = LINE_LIMIT) -> None:
        self._limit = limit
        self._parts: list[bytes] = []
        self._size = 0

    def feed(self, chunk: bytes) -> list[bytes]:
        """
        Take the next chunk.

        Args:
            chunk: Bytes as they came; any number.

        Returns:
            The lines that ended in it, without newlines; empty ones are left out.

        Raises:
            StreamError: A line is longer than the limit. Nothing more can be read from this stream.
        """
        head, newline, rest = chunk.partition(b"\n")
        self._size += len(head)
        self._parts.append(head)
        if not newline:
            self._check(self._size)
            return []
        self._check(self._size)
        lines = [b"".join(self._parts)]
        lines += rest.split(b"\n")
        tail = lines.pop()
        self._parts, self._size = [tail], len(tail)
        self._check(max(len(tail), *map(len, lines)))
        return [line for line in lines if line]

    def _check(self, size: int) -> None:
        """Refuse a line that is too long."""
        if size > self._limit:
            raise StreamError(f"a line of the watch is longer than {self._limit} bytes")
