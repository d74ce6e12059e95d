"""A shortage of descriptors or memory, as the log tells it: a line when accepting begins to rest, and one when it goes on."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import structlog

LOOK_S = 0.5
"""Seconds between two looks: the native plane rests for a second after each failure."""

log = structlog.get_logger()


async def tell_shortage(is_resting: Callable[[], bool], look_s: float = LOOK_S) -> None:
    """
    Watch, until cancelled, whether a plane that accepts on threads of its own gets no connections from the system.

    Args:
        is_resting: Tells whether accepting failed when it was last tried.
        look_s: Seconds between two looks.
    """
    before = False
    while True:
        now = is_resting()
        if now and not before:
            log.warning(
                "cannot accept", error="no descriptor or memory left for a TCP connection", fix="raise LimitNOFILE"
            )
        elif before and not now:
            log.info("accepting again")
        before = now
        await asyncio.sleep(look_s)
