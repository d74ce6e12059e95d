"""
Looking once: hear every cluster, build every view, and stop. What `export`, `explain` and `check` do without a server.

Not here: sockets, and following changes (`mcsdns.daemon`).
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from mcsdns.assembly import Assembly
from mcsdns.builder import is_answerable, waited_for
from mcsdns.clusterset.model import ServiceKey
from mcsdns.config import Config
from mcsdns.source.events import Event
from mcsdns.zone.rrset import Update


def _ignore(_: Assembly) -> None:
    """Take the parts, and do nothing with them."""


async def hear(config: Config, limit_s: float, begun: Callable[[Assembly], None] = _ignore) -> Assembly:
    """
    Hear every cluster of a configuration once.

    Args:
        config: Its clusters.
        limit_s: Seconds to wait at most.
        begun: Takes the parts before they are heard: their mirrors tell how far it is.

    Returns:
        The parts, with the mirrors as they are when every cluster has been heard, or when the time is over.
    """
    assembly = Assembly(config)
    begun(assembly)
    all_heard = asyncio.Event()

    def sink(event: Event) -> None:
        assembly.by_name[event.cluster].mirror.feed(event)
        if all(mirror.is_heard for mirror in assembly.mirrors):
            all_heard.set()

    tasks = [asyncio.create_task(member.run(sink)) for member in assembly.members]
    try:
        async with asyncio.timeout(limit_s):
            await all_heard.wait()
    except TimeoutError:
        pass  # the caller sees in the mirrors who has not been heard
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    return assembly


def build_all(assembly: Assembly) -> list[Update]:
    """
    Build every view from the mirrors as they are.

    Returns:
        For each view, all of it. It is complete where absence proves something.
    """
    optional = [member.name for member in assembly.members if member.is_optional]
    is_waiting = bool(waited_for(assembly.mirrors, optional))
    keys: set[ServiceKey] = set()
    for mirror in assembly.mirrors:
        keys |= mirror.keys()
    updates: list[Update] = []
    for view in assembly.views:
        for key in keys:
            view.build(key, assembly.mirrors)
        update = view.take(not is_waiting and is_answerable(view.view, assembly.mirrors))
        if update is not None:  # as the first of a view always is
            updates.append(update)
    return updates
