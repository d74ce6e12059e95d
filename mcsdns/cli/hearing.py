"""Hearing every cluster once, with a word on how far it is."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from mcsdns.cli.progress import Progress, Told
from mcsdns.once import hear

if TYPE_CHECKING:
    from mcsdns.assembly import Assembly
    from mcsdns.config import Config


def heard(config: Config, limit_s: float) -> Assembly:
    """Hear every cluster of a configuration once: `mcsdns.once.hear`, and tell on standard error how far it is."""
    with Progress("hearing clusters") as progress:

        def begun(assembly: Assembly) -> None:
            progress.tell = lambda: _so_far(assembly)

        return asyncio.run(hear(config, limit_s, begun))


def _so_far(assembly: Assembly) -> Told:
    mirrors = assembly.mirrors
    heard_whole = sum(mirror.is_heard for mirror in mirrors)
    return heard_whole, len(mirrors), f"{sum(mirror.size for mirror in mirrors)} objects"
