"""
An explanation as text for a terminal, in the manner of dig: sections behind `;;`, the verdict in the first line.

Not here: JSON, which is msgspec's.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from mcsdns.admin.explain.explanation import Explanation
from mcsdns.clusterset.model import ObjectRef, Omission

MAX_LINES = 20
"""Lines of one section: a service of a thousand endpoints must not push the verdict off the screen. JSON has them all."""

_GREEN, _YELLOW, _RED, _BOLD, _RESET = "\x1b[32m", "\x1b[33m", "\x1b[31m", "\x1b[1m", "\x1b[0m"
_COLOURS = {"NOERROR": _GREEN, "NODATA": _YELLOW}
_STATES = {"ok": "ok", "broken": "BROKEN", "unknown": "?"}
_STATE_COLOURS = {"ok": _GREEN, "broken": _RED, "unknown": _YELLOW}


def text(explanation: Explanation, colour: bool = False) -> str:
    """
    Write an explanation for a person.

    Args:
        explanation: What to write.
        colour: Mark the verdict, the headings and the states of links with ANSI colours.

    Returns:
        Lines; the last one is not ended.
    """
    return "\n".join(_lines(explanation, colour))


def _lines(explanation: Explanation, colour: bool) -> Iterator[str]:
    outcome = explanation.outcome
    verdict = f"{_COLOURS.get(outcome, _RED)}{_BOLD}{outcome}{_RESET}" if colour else outcome
    yield f"{verdict}: {explanation.cause}"
    yield f";; {explanation.name} {explanation.type}, view {explanation.view}"
    yield from _section(_heading(explanation), _chain(explanation, colour), colour)
    yield from _section("RULE", [explanation.rule], colour)
    yield from _section("ANSWER", explanation.answer, colour)
    yield from _section("ADDITIONAL", explanation.additional, colour)
    yield from _section("OBJECTS", _table(_object(ref) for ref in explanation.objects), colour)
    yield from _section("LEFT OUT", _table(_omission(one) for one in explanation.omissions), colour)
    yield from _section("HINTS", explanation.hints, colour)


def _section(title: str, lines: Sequence[str], colour: bool) -> Iterator[str]:
    if not lines:
        return
    yield ""
    yield f"{_BOLD};; {title}{_RESET}" if colour else f";; {title}"
    yield from lines[:MAX_LINES]
    if len(lines) > MAX_LINES:
        yield f";; and {len(lines) - MAX_LINES} more; --output json shows all"


def _heading(explanation: Explanation) -> str:
    return f"CHAIN, broken at: {explanation.broken}" if explanation.broken else "CHAIN"


def _chain(explanation: Explanation, colour: bool) -> list[str]:
    """Align the links; their states are coloured after that, as escapes have no width."""
    rows = _table((_STATES[link.state], link.name, link.says) for link in explanation.chain)
    if not colour:
        return rows
    return [
        f"{_STATE_COLOURS[link.state]}{_STATES[link.state]}{_RESET}{row.removeprefix(_STATES[link.state])}"
        for row, link in zip(rows, explanation.chain, strict=True)
    ]


def _object(ref: ObjectRef) -> tuple[str, ...]:
    name = f"{ref.namespace}/{ref.name}" if ref.namespace else ref.name
    version = f"rv {ref.resource_version}" if ref.resource_version else ""
    return ref.cluster, ref.kind, name, version, ref.note


def _omission(omission: Omission) -> tuple[str, ...]:
    return omission.cluster, omission.object, omission.reason.value, omission.detail


def _table(rows: Iterable[tuple[str, ...]]) -> list[str]:
    """Align the columns of rows; a column that is empty in every row is left out."""
    every = list(rows)
    widths = [max(len(cell) for cell in column) for column in zip(*every, strict=True)]
    return [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True) if width).rstrip() for row in every
    ]
