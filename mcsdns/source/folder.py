"""
A folder of Kubernetes manifests as a member cluster: the same events as from an API server.

Rules:
1. The first look is a list; later ones tell the differences, all of them between two awaits, so that a change of several files
   that is seen at once is told at once.
2. Where the folder becomes whole, or ceases to be, it is listed again: `InitDone` is what says so.
3. A folder that cannot be read is an outage, not an empty cluster.

Not here: which files count and when (`mcsdns.source.files`), what the quotas refuse (`mcsdns.source.shelf`).
"""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

from mcsdns.errors import SourceError
from mcsdns.source.events import Apply, Delete, Init, InitApply, InitDone, Resource, Sink
from mcsdns.source.files import Folder, Look
from mcsdns.source.health import Health
from mcsdns.source.pace import Pace

LOOK_S = 0.2
"""Seconds between two looks: a change counts in the second look that sees it, so well within a second."""
LONGEST_LOOK_S = 1.0
"""Seconds between two looks at most, however many files there are."""
SHARE = 0.1
"""The share of the time that is spent looking at a folder of tens of thousands of files, in which nothing changes."""


class FolderSource:
    """
    The source of one cluster that is a folder.

    Args:
        cluster: Its configured name.
        path: The folder.
        health: Where its state is kept.
        look_s: Seconds between two looks.
    """

    def __init__(self, cluster: str, path: Path, health: Health, look_s: float = LOOK_S) -> None:
        self._cluster = cluster
        self._path = path
        self._health = health
        self._look_s = look_s
        self._was_whole: bool | None = None

    async def run(self, sink: Sink) -> None:
        """Tell `sink` what the folder holds and how that changes, until cancelled."""
        folder = Folder(self._path, self._health.refusals.quotas)
        self._was_whole = None
        pause_s = self._look_s
        while True:
            started = time.monotonic()
            try:
                look = await asyncio.to_thread(folder.look)
            except SourceError as error:
                for resource in Resource:
                    self._health.broken(resource, "folder", str(error))
            else:
                if look is None:
                    # Only a look that finds nothing tells what looking costs: the others have read files.
                    took_s = time.monotonic() - started
                    pause_s = min(max(self._look_s, took_s * (1 / SHARE - 1)), LONGEST_LOOK_S)
                else:
                    await self._tell(look, sink)
                for resource in Resource:
                    self._health.alive(resource)
            await asyncio.sleep(pause_s)

    async def _tell(self, look: Look, sink: Sink) -> None:
        was_whole, self._was_whole = self._was_whole, look.whole
        self._health.faults(look.problems)
        if was_whole != look.whole:
            await self._list(look, sink)
            for resource in Resource:
                self._health.listed(resource, "start" if was_whole is None else "whole")
        else:
            self._tell_changes(look, sink)
        for usage in look.usages.values():
            self._health.refusals.take(usage)

    def _tell_changes(self, look: Look, sink: Sink) -> None:
        """Tell what is other than in the look before."""
        for (resource, _, _), obj in look.changed.items():
            if obj is not None:
                sink(Apply(self._cluster, resource, obj))
        for (resource, namespace, name), obj in look.changed.items():
            if obj is None:
                sink(Delete(self._cluster, resource, namespace, name))

    async def _list(self, look: Look, sink: Sink) -> None:
        """Tell everything. The lists are done together, so that no query sees imports without their slices."""
        pace = Pace()
        for resource in Resource:
            sink(Init(self._cluster, resource))
        for (resource, _, _), obj in look.objects.items():
            sink(InitApply(self._cluster, resource, obj))
            if pace.is_due:
                await pace.rest()
        for resource in Resource:
            sink(InitDone(self._cluster, resource, look.whole))
