"""
The files of a folder of Kubernetes manifests, from one look to the next. It knows no events.

Rules:
1. A file counts when it has been the same in two looks: a half-written file is not an empty one, and neither is one that an editor is
   about to replace. At the start, one look is enough.
2. A file that does not parse keeps its last good content. One that never parsed leaves the folder less than whole: its absence
   proves nothing.
3. A folder that cannot be read is an outage, not an empty folder.
4. Of an object that stands in two files, the one in the first file (by path) counts; the other is named.
5. A look costs a `stat` for each file; a change costs by the file that changed.

Names that begin with a dot are passed over: mounted ConfigMaps keep their generations there.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from pathlib import Path

from msgspec import Struct

from mcsdns.config import Quotas
from mcsdns.errors import SourceError
from mcsdns.source.events import Resource
from mcsdns.source.manifests import read
from mcsdns.source.objects import Object
from mcsdns.source.quota import Usage
from mcsdns.source.shelf import Key, Shelf

SUFFIXES = {".yaml": False, ".yml": False, ".json": True}
"""Which files are read, and whether they are JSON."""

Stamp = tuple[int, int, int]
"""Modification time in ns, size in octets, inode: another stamp is another content."""


class Look(Struct, frozen=True):
    """
    What a look at the folder found.

    Args:
        objects: All that counts, as of this look: the next one goes on with the same mapping.
        changed: What is other than in the look before; None for an object that is gone.
        usages: What there is of each resource, and what of it the quotas refuse.
        problems: By file (relative to the folder), what is wrong with it.
        whole: Every file has been read at least once.
    """

    objects: Mapping[Key, Object]
    changed: Mapping[Key, Object | None]
    usages: Mapping[Resource, Usage]
    problems: Mapping[str, str]
    whole: bool


class _Content(Struct, frozen=True):
    """What one file holds; `twice` are the objects that stand in it more than once."""

    objects: dict[Key, Object]
    problems: tuple[str, ...]
    twice: tuple[Key, ...]


_NOTHING = _Content({}, (), ())


class Folder:
    """
    The files of a folder.

    Args:
        path: The folder.
        quotas: How much of it counts.
    """

    def __init__(self, path: Path, quotas: Quotas | None = None) -> None:
        self._path = path
        self._shelf = Shelf(quotas or Quotas())
        self._seen: dict[Path, Stamp] = {}
        self._stamps: dict[Path, Stamp] = {}
        self._contents: dict[Path, _Content] = {}
        self._broken: dict[Path, str] = {}
        self._holders: dict[Key, list[Path]] = {}
        self._shared: set[Key] = set()
        self._objects: dict[Key, Object] = {}
        self._changed: dict[Key, Object | None] = {}
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
        is_changed = self._is_first
        for path, stamp in seen.items():
            if self._stamps.get(path) != stamp and (self._is_first or before.get(path) == stamp):
                is_changed |= self._read(path, stamp)
        for path in (self._stamps.keys() | self._broken.keys()) - seen.keys() - before.keys():
            self._stamps.pop(path, None)
            self._broken.pop(path, None)
            self._take(path, None)
            is_changed = True
        self._is_first = False
        if not is_changed:
            return None
        changed, self._changed = self._shelf.settle(self._objects, self._changed), {}
        whole = not self._broken.keys() - self._contents.keys()
        return Look(self._shelf.held(self._objects), changed, self._shelf.usages, self._problems(), whole)

    def _scan(self) -> dict[Path, Stamp]:
        found: dict[Path, Stamp] = {}
        try:
            for entry in self._files(self._path):
                # One that has gone since its folder was read is for the next look: a file is gone once it is absent from two.
                with suppress(FileNotFoundError):
                    found[Path(entry.path)] = _stamp(entry.stat())
        except OSError as error:
            raise SourceError(f"the folder {self._path} cannot be read: {error.strerror}") from error
        return found

    def _files(self, folder: Path, above: tuple[tuple[int, int], ...] = ()) -> list[os.DirEntry[str]]:
        """Give the files of a folder and of those below it. `above` are the folders that led here, by device and inode."""
        files: list[os.DirEntry[str]] = []
        stat = folder.stat()
        here = (stat.st_dev, stat.st_ino)
        if here in above:
            return files  # a link back to a folder that is being read
        with os.scandir(folder) as entries:
            for entry in entries:
                if entry.name.startswith("."):
                    continue
                if _leads(entry.is_dir):
                    with suppress(FileNotFoundError):
                        files += self._files(Path(entry.path), (*above, here))
                elif Path(entry.name).suffix in SUFFIXES and _leads(entry.is_file):
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
            content = _content(raw, SUFFIXES[path.suffix], self._shelf.quotas.object_bytes)
        except ValueError as error:
            self._broken[path] = str(error)
        else:
            self._broken.pop(path, None)
            self._take(path, content)
        return True

    def _take(self, path: Path, content: _Content | None) -> None:
        """Take over the content of a file, or that it is gone, and work out again what counts of the objects concerned (rule 4)."""
        old = self._contents.pop(path, _NOTHING)
        if content is not None:
            self._contents[path] = content
        new = content or _NOTHING
        for key in old.objects.keys() - new.objects.keys():
            self._holders[key].remove(path)
        for key in new.objects.keys() - old.objects.keys():
            self._holders.setdefault(key, []).append(path)
        for key in old.objects.keys() | new.objects.keys():
            self._settle(key)

    def _settle(self, key: Key) -> None:
        holders = self._holders[key]
        if len(holders) > 1:
            self._shared.add(key)
        else:
            self._shared.discard(key)
        counts = self._contents[min(holders)].objects[key] if holders else None
        if counts is None:
            del self._holders[key]
        before = self._objects.get(key)
        if counts == before:
            return
        self._shelf.count(key[0], before, counts)
        self._changed[key] = counts
        if counts is None:
            del self._objects[key]
        else:
            self._objects[key] = counts

    def _problems(self) -> dict[str, str]:
        found = {path: [*content.problems, *_told(content.twice, "twice")] for path, content in self._contents.items()}
        for key in sorted(self._shared):
            for path in sorted(self._holders[key])[1:]:
                found[path] += _told([key], "in another file as well, which counts")
        problems = {self._name(path): "; ".join(texts) for path, texts in found.items() if texts}
        for path, text in self._broken.items():
            counts = "its last good content counts" if path in self._contents else "nothing of it counts yet"
            problems[self._name(path)] = f"{text}; {counts}"
        return problems

    def _name(self, path: Path) -> str:
        return str(path.relative_to(self._path))


def _content(raw: bytes, is_json: bool, object_bytes: int) -> _Content:
    """Read a file's content. Raises ValueError."""
    content = read(raw, is_json, object_bytes)
    objects: dict[Key, Object] = {}
    twice: list[Key] = []
    for resource, obj in content.objects:
        key = (resource, obj.metadata.namespace, obj.metadata.name)
        if objects.setdefault(key, obj) is not obj:
            twice.append(key)
    return _Content(objects, content.problems, tuple(twice))


def _told(keys: Iterable[Key], what: str) -> list[str]:
    return [f"{resource} {namespace}/{name} stands {what}" for resource, namespace, name in sorted(keys)]


def _leads(to: Callable[[], bool]) -> bool:
    """Ask `is_dir` or `is_file` of an entry: a link that leads round to itself is neither, like one that leads nowhere."""
    try:
        return to()
    except OSError as error:
        if error.errno != errno.ELOOP:
            raise
        return False


def _stamp(stat: os.stat_result) -> Stamp:
    return stat.st_mtime_ns, stat.st_size, stat.st_ino
