"""
Reads of a Corefile what decides where a zone goes: server blocks, `forward`, `import`, `cache`, `bind`.

Rules:
1. It reads every text. What it does not understand is named in `unread`, and the rest counts.
2. The block of a zone is the one with the longest zone that holds it, as in CoreDNS.

Not here: whether what it says is right (`wires`).

Source: CoreDNS, corefile(5); caddyfile (tokens, braces, snippets); plugin `forward`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from fnmatch import fnmatch
from posixpath import basename

from msgspec import Struct

PORT = 53


class Directive(Struct, frozen=True):
    """A line of a block: its words, and the lines of its own braces."""

    words: tuple[str, ...]
    options: tuple[tuple[str, ...], ...] = ()


class Block(Struct, frozen=True):
    """
    A server block.

    Args:
        zones: Lower case, without the last dot; the root is empty.
        port: That of its first zone.
        directives: In order.
    """

    zones: tuple[str, ...]
    port: int
    directives: tuple[Directive, ...]

    def all(self, name: str) -> Iterator[Directive]:
        """Give the directives of a name."""
        return (one for one in self.directives if one.words[0] == name)

    def upstreams(self, zone: str) -> tuple[str, ...]:
        """Return where `forward` sends a zone, as it is written: of its lines that hold the zone, the most specific one."""
        found = [one.words for one in self.all("forward") if len(one.words) > 2 and holds(_name(one.words[1]), zone)]
        return max(found, key=lambda words: len(_name(words[1])))[2:] if found else ()


class Corefile(Struct, frozen=True):
    """What a Corefile says, and what of it was not understood."""

    blocks: tuple[Block, ...] = ()
    unread: tuple[str, ...] = ()

    def block_of(self, zone: str) -> Block | None:
        """Return the block that answers a zone, or None."""
        found = [(len(one), block) for block in self.blocks for one in block.zones if holds(one, zone)]
        return max(found, key=lambda pair: pair[0])[1] if found else None

    @property
    def main(self) -> Block | None:
        """The block of everything else."""
        return next((block for block in self.blocks if "" in block.zones), None)

    @property
    def binds(self) -> tuple[str, ...]:
        """The addresses that the main block binds."""
        return tuple(word for one in (self.main.all("bind") if self.main is not None else ()) for word in one.words[1:])


def holds(zone: str, name: str) -> bool:
    """Tell whether a name is a zone's own or below it; both lower case and without the last dot."""
    return not zone or name == zone or name.endswith(f".{zone}")


def read(text: str, files: Mapping[str, str] | None = None) -> Corefile:
    """
    Read a Corefile.

    Args:
        text: The file.
        files: What `import` may find, by file name: the keys of ConfigMaps that are mounted beside it.
    """
    return _Reader(files or {}).read(text)


class _Reader:
    def __init__(self, files: Mapping[str, str]) -> None:
        self._files = files
        self._snippets: dict[str, tuple[Directive, ...]] = {}
        self._unread: list[str] = []

    def read(self, text: str) -> Corefile:
        return Corefile(tuple(self._blocks(_lines(text))), tuple(dict.fromkeys(self._unread)))

    def _blocks(self, lines: Iterator[list[str]]) -> Iterator[Block]:
        header: list[str] = []
        for words in lines:
            if words[0] == "import" and not header:
                yield from self._imported(words[1:])
                continue
            header += words
            if words[-1] == "{":
                directives = tuple(self._directives(lines))
                names = [word.strip(",") for word in header[:-1] if word.strip(",")]
                header = []
                if len(names) == 1 and names[0].startswith("("):
                    self._snippets[names[0].strip("()")] = directives
                else:
                    yield self._block(names, directives)
        if header:
            self._unread.append(f"{' '.join(header)[:80]!r}: expected a server block with braces")

    def _block(self, names: Sequence[str], directives: tuple[Directive, ...]) -> Block:
        zones, ports = [], []
        for name in names:
            scheme, _, rest = name.rpartition("://")
            zone, _, port = rest.partition(":")
            if scheme not in ("", "dns") or "/" in zone or (port and not port.isdigit()):
                self._unread.append(f"{name!r}: a server block that is not plain DNS for a zone")
                continue
            zones.append(_name(zone))
            ports.append(int(port or PORT))
        return Block(tuple(zones), ports[0] if ports else PORT, directives)

    def _imported(self, patterns: Iterable[str]) -> Iterator[Block]:
        """Read what is imported where server blocks stand."""
        for pattern in patterns:
            found = [text for name, text in sorted(self._files.items()) if fnmatch(name, basename(pattern))]
            if not found and not self._files:
                self._unread.append(f"import {pattern}: the files were not found")
            for text in found:
                yield from self._blocks(_lines(text))

    def _directives(self, lines: Iterator[list[str]]) -> Iterator[Directive]:
        for words in lines:
            if words == ["}"]:
                return
            if words[0] == "import":
                for name in words[1:2]:
                    yield from self._within(name)
            elif words[-1] == "{":
                yield Directive(tuple(words[:-1]), tuple(_options(lines)))
            else:
                yield Directive(tuple(words))

    def _within(self, name: str) -> Iterator[Directive]:
        """Read what is imported within a block: a snippet, or files."""
        if name in self._snippets:
            yield from self._snippets[name]
            return
        found = [text for file, text in sorted(self._files.items()) if fnmatch(file, basename(name))]
        if not found and not self._files:
            self._unread.append(f"import {name}: no such snippet, and the files were not found")
        for text in found:
            yield from self._directives(_lines(text))


def _options(lines: Iterator[list[str]]) -> Iterator[tuple[str, ...]]:
    """Give the lines up to the brace that closes, however deep they stand."""
    depth = 1
    for words in lines:
        depth += (words[-1] == "{") - (words[0] == "}")
        if depth == 0:
            return
        yield tuple(words)


def _lines(text: str) -> Iterator[list[str]]:
    """Give the words of each line, without comments; a brace that closes stands alone."""
    for line in text.splitlines():
        words: list[str] = []
        for word in line.split():
            if word.startswith("#"):
                break
            words.append(word.strip('"'))
        if len(words) > 1 and words[-1] == "}":
            yield words[:-1]
            words = ["}"]
        if words:
            yield words


def _name(text: str) -> str:
    return text.rstrip(".").lower()
