"""
Reads of a Corefile what decides where a zone goes: server blocks, `forward`, `import`, `cache`, `bind`.

Rules:
1. It reads every text. What it does not understand is named in `unread`, and the rest counts. Blocks for DNS over TLS or HTTPS and
   for networks (10.0.0.0/8) are understood: a name that is asked over plain DNS never meets them.
2. The block of a zone is the one with the longest zone that holds it, as in CoreDNS.

Not here: whether what it says is right (`wires`).

Source: CoreDNS, corefile(5); caddyfile (tokens, braces, snippets); plugin `forward`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from fnmatch import fnmatch
from itertools import combinations
from posixpath import basename

from msgspec import Struct

PORT = 53
_MOUNTED = "custom/"
"""In the paths of what AKS and k3s import: the ConfigMap `coredns-custom` is mounted there."""
_AT_A_TIME = "view"
"""The plugin by which several blocks of one zone share it."""


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

    def below(self, zone: str) -> Iterator[tuple[str, Block]]:
        """Give the zones below a zone that have a block of their own, which takes them from the block of that zone."""
        return ((one, block) for block in self.blocks for one in block.zones if one != zone and holds(zone, one))

    def has_twins(self, zone: str) -> bool:
        """Tell whether two blocks claim a zone on one port and address, with which CoreDNS does not load the file."""
        own = [block for block in self.blocks for one in block.zones if one == zone]
        return any(one.port == other.port and _is_overlap(one, other) for one, other in combinations(own, 2))

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
        files: What `import custom/…` finds, by file name: the keys of the ConfigMap `coredns-custom`; None: that is not known.
    """
    return _Reader(files).read(text)


def _is_overlap(one: Block, other: Block) -> bool:
    binds = [{word for bind in block.all("bind") for word in bind.words[1:]} for block in (one, other)]
    if any(True for block in (one, other) for _ in block.all(_AT_A_TIME)):
        return False
    return not all(binds) or bool(binds[0] & binds[1])


class _Reader:
    def __init__(self, files: Mapping[str, str] | None) -> None:
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
            if scheme not in ("", "dns") or "/" in zone:
                continue
            if not (port.isascii() and port.isdigit()) and port:
                self._unread.append(f"{name!r}: expected a server block's zone, and perhaps a port")
                continue
            zones.append(_name(zone))
            ports.append(int(port or PORT))
        return Block(tuple(zones), ports[0] if ports else PORT, directives)

    def _imported(self, patterns: Iterable[str]) -> Iterator[Block]:
        """Read what is imported where server blocks stand."""
        for pattern in patterns:
            for text in self._found(pattern, "the files were not found"):
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
        for text in self._found(name, "no such snippet, and the files were not found"):
            yield from self._directives(_lines(text))

    def _found(self, pattern: str, otherwise: str) -> list[str]:
        """Return the texts that a pattern of `import` finds; where that is not known, it is not understood."""
        if self._files is None or _MOUNTED not in pattern:
            self._unread.append(f"import {pattern}: {otherwise}")
            return []
        return [text for name, text in sorted(self._files.items()) if fnmatch(name, basename(pattern))]


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
