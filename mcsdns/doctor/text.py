"""
A report as text for a terminal: the verdict, each link, what could not be looked at, and the name's own chain.

Not here: JSON, which is msgspec's.
"""

from __future__ import annotations

from collections.abc import Iterator

from mcsdns.admin import explain
from mcsdns.doctor.finding import Finding
from mcsdns.doctor.judge import Report

_GREEN, _YELLOW, _RED, _BOLD, _RESET = "\x1b[32m", "\x1b[33m", "\x1b[31m", "\x1b[1m", "\x1b[0m"
_STATES = {"ok": ("ok", _GREEN), "broken": ("BROKEN", _RED), "unknown": ("?", _YELLOW)}
_WIDTH = len("stub block")


def text(report: Report, colour: bool = False) -> str:
    """
    Write a report for a person.

    Args:
        report: What to write.
        colour: Mark the states with ANSI colours.

    Returns:
        Lines; the last one is not ended.
    """
    return "\n".join(_lines(report, colour))


def _lines(report: Report, colour: bool) -> Iterator[str]:
    broken = report.broken
    if broken is not None:
        yield f"{_mark('BROKEN', _RED, colour)} at {broken.link}: {broken.found}"
        yield f"do: {broken.fix}"
    elif any(finding.state == "ok" for finding in report.findings):
        open_ = len(report.unseen) + sum(finding.state == "unknown" for finding in report.findings)
        but = f", and {open_} could not be told: see ? below" if open_ else ""
        yield f"{_mark('ok', _GREEN, colour)}: every link that could be looked at holds for {report.zone}{but}"
    else:
        yield f"{_mark('?', _YELLOW, colour)}: nothing could be looked at"
    yield ""
    for finding in report.findings:
        yield from _finding(finding, colour)
    for unseen in report.unseen:
        yield f"{_mark('?'.ljust(6), _YELLOW, colour)}  not looked at: {unseen.what}: {unseen.why}"
        if unseen.fix:
            yield f"{'':8}do: {unseen.fix}"
    if report.explanation is not None:
        yield ""
        yield explain.text(report.explanation, colour)


def _finding(finding: Finding, colour: bool) -> Iterator[str]:
    word, shade = _STATES[finding.state]
    yield f"{_mark(word.ljust(6), shade, colour)}  {finding.link.ljust(_WIDTH)}  {finding.found}"
    indent = " " * (10 + _WIDTH)
    for label, what in (("where", finding.where), ("expected", finding.expected), ("do", finding.fix)):
        if what and (finding.state != "ok" or label == "where"):
            yield f"{indent}{label}: {what}"


def _mark(word: str, shade: str, colour: bool) -> str:
    return f"{shade}{_BOLD}{word}{_RESET}" if colour else word
