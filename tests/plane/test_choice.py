"""Which plane answers: what is there, what was asked for, and what is said of it."""

from __future__ import annotations

import builtins
from typing import Any

import pytest
import structlog.testing

from mcsdns.errors import PlaneError
from mcsdns.plane import choice
from mcsdns.plane.base import Limits
from mcsdns.plane.choice import make_plane
from tests.planes import native_extension

LIMITS = Limits()


def chosen(asked: Any) -> tuple[str, str]:
    """Give the plane that is chosen, and why, as the log says."""
    with structlog.testing.capture_logs() as logs:
        plane = make_plane(asked, LIMITS, None)
    (line,) = logs
    assert (line["event"], line["plane"]) == ("plane chosen", plane.name)
    return plane.name, line["why"]


def test_auto_takes_the_native_plane_where_it_is() -> None:
    native_extension()
    assert chosen("auto") == ("native", "installed")
    assert chosen("native") == ("native", "asked for")


def test_python_is_taken_where_it_is_asked_for() -> None:
    assert chosen("python") == ("python", "asked for")


def test_without_the_extension_auto_takes_python_and_native_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    """Installing never fails for want of Rust; asking for what is not there does."""
    monkeypatch.setattr(choice, "has_extension", lambda: False)
    assert chosen("auto") == ("python", "the native plane is not in this installation")
    with pytest.raises(PlaneError, match="plane: native was asked for, but this installation has no native plane"):
        make_plane("native", LIMITS, None)


def test_an_extension_that_cannot_be_loaded_is_as_none(monkeypatch: pytest.MonkeyPatch) -> None:
    """One built for another machine shows it only when it is loaded."""
    real = builtins.__import__

    def fail(name: str, *rest: Any, **more: Any) -> Any:
        if name == "mcsdns.plane.native":
            raise ImportError("wrong ELF class")
        return real(name, *rest, **more)

    monkeypatch.setattr(choice, "has_extension", lambda: True)
    monkeypatch.setattr(builtins, "__import__", fail)
    assert chosen("auto") == ("python", "the native plane cannot be loaded: wrong ELF class")
    with pytest.raises(PlaneError, match="it cannot be loaded: wrong ELF class"):
        make_plane("native", LIMITS, None)
