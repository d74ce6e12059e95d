"""A word on how far something is: not for what is quick, never on standard output, gone when it is done."""

from __future__ import annotations

import io
import time

import pytest

from mcsdns.cli import progress
from mcsdns.cli.progress import Progress


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress, "QUIET_S", 0.1)
    monkeypatch.setattr(progress, "DRAW_S", 0.01)
    monkeypatch.setattr(progress, "LINE_S", 0.05)
    monkeypatch.setenv("TERM", "xterm")


def test_what_is_quick_says_nothing() -> None:
    """Within the first second nothing is written."""
    for stream in (Terminal(), io.StringIO()):
        with Progress("hearing clusters", stream=stream):
            pass
        assert stream.getvalue() == ""


def test_a_bar_on_a_terminal() -> None:
    """It is drawn over in place, and gone at the end."""
    stream = Terminal()
    with Progress("hearing clusters", lambda: (1, 4, "1200 objects"), stream):
        _until(stream, "objects")
    text = stream.getvalue()
    assert "\r\x1b[Kmcsdns: hearing clusters [#####---------------] 1 of 4, 1200 objects, 0 s" in text
    assert text.endswith("\r\x1b[K")
    assert "\n" not in text


def test_lines_elsewhere() -> None:
    """In a log it is a line now and then, without escapes."""
    stream = io.StringIO()
    with Progress("checking clusters", stream=stream):
        _until(stream, "\n")
    assert stream.getvalue().splitlines()[0] == "mcsdns: checking clusters, 0 s"
    assert "\x1b" not in stream.getvalue()


def test_what_takes_over_a_second_says_so_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """In a log, too: not only what outlasts the time between two lines."""
    monkeypatch.setattr(progress, "LINE_S", 60.0)
    stream = io.StringIO()
    with Progress("exporting", stream=stream):
        _until(stream, "exporting")
    assert stream.getvalue().count("\n") == 1


def test_it_ends_with_the_work_that_fails() -> None:
    """An error is raised through it, and nothing is written after it."""
    stream = Terminal()

    def work() -> None:
        with Progress("x", stream=stream):
            _until(stream, "x")
            raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        work()
    size = len(stream.getvalue())
    time.sleep(0.05)
    assert len(stream.getvalue()) == size


def _until(stream: io.StringIO, text: str) -> None:
    deadline = time.monotonic() + 10
    while text not in stream.getvalue():
        assert time.monotonic() < deadline
        time.sleep(0.01)
