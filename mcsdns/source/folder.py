"""
A folder of Kubernetes manifests as a member cluster: the same events as from an API server.

Rules:
1. A file counts when it has been the same in two looks: a half-written file is not an empty one, and neither is one that an editor is
   about to replace. At the start, one look is enough.
2. A file that does not parse keeps its last good content. One that never parsed leaves the folder less than whole: its absence
   proves nothing.
3. A folder that cannot be read is an outage, not an empty cluster.
4. Of an object that stands in two files, the one in the first file (by path) counts; the other is named.

Names that begin with a dot are passed over: mounted ConfigMaps keep their generations there.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Mapping
from pathlib import Path

from msgspec import Struct

from mcsdns.errors import SourceError
from mcsdns.source.events import Apply, Delete, Init, InitApply, InitDone, Resource, Sink
from mcsdns.source.health import Health
from mcsdns.source.manifests import Content, read
from mcsdns.source.objects import Object

LOOK_S = 0.2
"""Seconds between two looks: a change counts in the second look that sees it, so well within a second."""
SUFFIXES = {".yaml": False, ".yml": False, ".json": True}
"""Which files are read, and whether they are JSON."""

Stamp = tuple[int, int, int]
"""Modification time in ns, size in octets, inode: another stamp is another content."""
Objects = dict[tuple[Resource, str, str], Object]
"""By resource, namespace and name."""


class Look(Struct, frozen=True):
    """
    What a look at the folder found.

    Args:
        objects: All that counts.
        problems: By file (relative to the folder), what is wrong with it.
        whole: Every file has been read at least once.
    """

    objects: Objects
    problems: Mapping[str, str]
    whole: bool


class Folder:
    """
    The files of a folder, from one look to the next. It reads files and knows no events.

    Args:
        path: The folder.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._seen: dict[Path, Stamp] = {}
        self._stamps: dict[Path, Stamp] = {}
        self._contents: dict[Path, Content] = {}
        self._broken: dict[Path, str] = {}
        self._is_first = True

    def look(self) -> Look | None:
        """
        Look at the folder once.

        Returns:
            What counts now, or None where nothing has changed since the last look.

        Raises:
            SourceError: The folder cannot be read.
        """
        seen = self._scan()
        before, self._seen = self._seen, seen
        changed = self._is_first
        for path, stamp in seen.items():
            if self._stamps.get(path) != stamp and (self._is_first or before.get(path) == stamp):
                changed |= self._read(path, stamp)
        for path in (self._stamps.keys() | self._broken.keys()) - seen.keys() - before.keys():
            self._stamps.pop(path, None)
            self._contents.pop(path, None)
            self._broken.pop(path, None)
            changed = True
        self._is_first = False
        return self._all() if changed else None

    def _scan(self) -> dict[Path, Stamp]:
        found: dict[Path, Stamp] = {}
        try:
            for entry in self._files(self._path):
                found[Path(entry.path)] = _stamp(entry.stat())
        except OSError as error:
            raise SourceError(f"the folder {self._path} cannot be read: {error.strerror}") from error
        return found

    def _files(self, folder: Path) -> list[os.DirEntry[str]]:
        files: list[os.DirEntry[str]] = []
        with os.scandir(folder) as entries:
            for entry in entries:
                if entry.name.startswith("."):
                    continue
                if entry.is_dir():
                    files += self._files(Path(entry.path))
                elif Path(entry.name).suffix in SUFFIXES and entry.is_file():
                    files.append(entry)
        return files

    def _read(self, path: Path, stamp: Stamp) -> bool:
        """Read a file and tell whether that changes anything. Where it cannot be had, no stamp is kept: the next look tries again."""
        was_broken = self._broken.get(path)
        self._stamps.pop(path, None)
        try:
            raw = path.read_bytes()
            problem = "" if _stamp(path.stat()) == stamp else "it changed while it was read"
        except OSError as error:
            problem = error.strerror or "cannot be read"
        if problem:
            self._broken[path] = problem
            return problem != was_broken
        self._stamps[path] = stamp
        try:
            self._contents[path] = read(raw, SUFFIXES[path.suffix])
        except ValueError as error:
            self._broken[path] = str(error)
        else:
            self._broken.pop(path, None)
        return True

    def _all(self) -> Look:
        objects: Objects = {}
        problems = {self._name(path): f"{text}; its last good content counts" for path, text in self._broken.items()}
        whole = True
        for path in self._broken.keys() - self._contents.keys():
            problems[self._name(path)] = f"{self._broken[path]}; nothing of it counts yet"
            whole = False
        for path in sorted(self._contents):
            content = self._contents[path]
            found = list(content.problems)
            for resource, obj in content.objects:
                key = (resource, obj.metadata.namespace, obj.metadata.name)
                if objects.setdefault(key, obj) is not obj:
                    found.append(f"{resource} {key[1]}/{key[2]} stands in another file as well, which counts")
            if found and path not in self._broken:
                problems[self._name(path)] = "; ".join(found)
        return Look(objects, problems, whole)

    def _name(self, path: Path) -> str:
        return str(path.relative_to(self._path))


def _stamp(stat: os.stat_result) -> Stamp:
    return stat.st_mtime_ns, stat.st_size, stat.st_ino


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
        self._told: Look | None = None

    async def run(self, sink: Sink) -> None:
        """Tell `sink` what the folder holds and how that changes, until cancelled."""
        folder = Folder(self._path)
        while True:
            started = time.monotonic()
            try:
                look = await asyncio.to_thread(folder.look)
            except SourceError as error:
                for resource in Resource:
                    self._health.broken(resource, "folder", str(error))
            else:
                if look is not None:
                    self._tell(look, sink)
                for resource in Resource:
                    self._health.alive(resource)
            # A folder of tens of thousands of files must not cost more than a small share of a core.
            await asyncio.sleep(max(self._look_s, 9 * (time.monotonic() - started)))

    def _tell(self, look: Look, sink: Sink) -> None:
        """Tell the whole at first and when it becomes whole; else the differences. All of it between two awaits."""
        told, self._told = self._told, look
        self._health.faults(look.problems)
        if told is None or told.whole != look.whole:
            for resource in Resource:
                self._list(resource, look, sink)
                self._health.listed(resource, "start" if told is None else "whole")
            return
        for key, obj in look.objects.items():
            if told.objects.get(key) != obj:
                sink(Apply(self._cluster, key[0], obj))
        for resource, namespace, name in told.objects.keys() - look.objects.keys():
            sink(Delete(self._cluster, resource, namespace, name))

    def _list(self, resource: Resource, look: Look, sink: Sink) -> None:
        sink(Init(self._cluster, resource))
        for key, obj in look.objects.items():
            if key[0] is resource:
                sink(InitApply(self._cluster, resource, obj))
        sink(InitDone(self._cluster, resource, look.whole))
