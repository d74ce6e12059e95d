"""
What a request asks for: its parameters, and whether a person's browser or a machine sent it. Pure.

Rules:
1. A parameter that is unknown or stands twice is an error: a mistyped filter must not show everything.
2. HTML is for those who name it and do not rather want something else: curl, probes and scripts get what they always got.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

Parameters = Sequence[tuple[str, str]]
"""Of a query string, decoded, in its order."""

MAX_PAGE = 9
"""Longest number of a page, digits."""

_OTHERS = ("application/json", "text/plain")


def read(parameters: Iterable[tuple[str, str]], *expected: str) -> dict[str, str]:
    """
    Return the value of each parameter that may be there, without blanks around it; empty where it is not.

    Raises:
        ValueError: One is unknown, or stands twice.
    """
    asked = dict.fromkeys(expected, "")
    for parameter, value in parameters:
        if parameter not in asked:
            raise ValueError(f"unknown parameter {parameter[:32]!r}; expected {', '.join(asked)}")
        if asked[parameter]:
            raise ValueError(f"the parameter {parameter} stands twice")
        asked[parameter] = value.strip()
    return asked


def page_number(text: str) -> int:
    """
    Return the number of a page, from 1; 1 where none is named.

    Raises:
        ValueError: It is none.
    """
    if not text:
        return 1
    if not (text.isascii() and text.isdecimal() and len(text) <= MAX_PAGE and int(text)):
        raise ValueError(f"the parameter page is {text[:32]!r}; expected a number from 1")
    return int(text)


def prefers_html(accept: str) -> bool:
    """
    Tell whether an Accept header asks for HTML: it is named, and neither JSON nor plain text is wanted more (RFC 9110 §12.5.1).

    Args:
        accept: The header; empty where there is none.
    """
    weights = dict(map(_weighted, accept.split(",")))
    html = weights.get("text/html", 0.0)
    return html > 0 and all(html >= weights.get(other, 0.0) for other in _OTHERS)


def _weighted(media_range: str) -> tuple[str, float]:
    name, *parameters = media_range.split(";")
    for parameter in parameters:
        key, _, value = parameter.partition("=")
        if key.strip().lower() == "q":
            try:
                return name.strip().lower(), float(value)
            except ValueError:
                return name.strip().lower(), 0.0
    return name.strip().lower(), 1.0
