"""Which plane answers: the configuration's `plane`, as far as this installation allows."""

from __future__ import annotations

import importlib.util
from typing import Literal

import structlog

from mcsdns.config import Limits
from mcsdns.errors import PlaneError
from mcsdns.plane.base import Plane
from mcsdns.plane.python import PythonPlane

EXTENSION = "mcsdns._plane"
"""The native plane's extension module: built where a Rust toolchain was found when mcsdns was installed."""


def has_extension() -> bool:
    """Tell whether this installation has the native plane."""
    return importlib.util.find_spec(EXTENSION) is not None


def make_plane(
    choice: Literal["auto", "native", "python"],
    limits: Limits,
    nsid: bytes | None,
    threads: int | None = None,
    *,
    pin: bool = False,
) -> Plane:
    """
    Make the plane that the configuration asks for.

    Args:
        choice: `auto` takes the best there is, and the log says which.
        limits: What it allows.
        nsid: What it answers to NSID (RFC 5001), or None.
        threads: How many threads of the native plane answer over UDP; None: one for each core.
        pin: Let each of these threads run on one core alone.

    Raises:
        PlaneError: `native` was asked for and is not there, or cannot be loaded.
    """
    log = structlog.get_logger()
    if choice == "native" and not has_extension():
        raise PlaneError(
            "plane: native was asked for, but this installation has no native plane; "
            "install mcsdns where a Rust toolchain is, or set plane: auto"
        )
    why = "asked for" if choice == "python" else "the native plane is not in this installation"
    if choice != "python" and has_extension():
        try:
            # An extension that was built for another machine shows it only here.
            from mcsdns.plane.native import NativePlane  # noqa: PLC0415
        except ImportError as error:
            if choice == "native":
                raise PlaneError(
                    f"plane: native was asked for, but it cannot be loaded: {error}; "
                    "install mcsdns again on this machine, or set plane: auto"
                ) from error
            why = f"the native plane cannot be loaded: {error}"
        else:
            plane = NativePlane(limits, nsid, threads, pin=pin)
            log.info("plane chosen", plane="native", why="asked for" if choice == "native" else "installed")
            return plane
    log.info("plane chosen", plane="python", why=why)
    return PythonPlane(limits, nsid)
