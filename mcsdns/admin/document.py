"""
The pages for people, as HTML: the templates beside this module, one style sheet, and the headers that go with them.

Rules:
1. A page is whole in one response: no script, no image, no font, nothing from anywhere else, and the policy forbids it.
2. Every value goes through `shown` and is then escaped by the template engine. No template marks a value as safe.
3. Nothing here is loaded before the first page is asked for. Loading takes some 50 ms and a page some: `render` belongs in a thread.

Not here: what a page says (`mcsdns.admin.pages`).
"""

from __future__ import annotations

import base64
import functools
import hashlib
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

if TYPE_CHECKING:
    from jinja2 import Environment
    from markupsafe import Markup

MAX_TEXT = 1000
"""Longest value that is shown whole, characters: a name has 255 octets, a cause one line. JSON has the rest."""

MAX_ROWS = 200
"""Rows of one table of an explanation: a service of a thousand endpoints must not bury what follows."""

CONTENT_TYPE = "text/html; charset=utf-8"

_FOLDER = Path(__file__).with_name("templates")


def render(template: str, values: Mapping[str, Any]) -> bytes:
    """
    Write a page.

    Args:
        template: The name of its template.
        values: What it shows.
    """
    # What cannot be written in UTF-8 has been escaped by `shown`; should anything get past it, a page must not fail for that.
    return _environment().get_template(f"{template}.html").render(values).encode(errors="backslashreplace")


@functools.cache
def policy() -> str:
    """Return the Content-Security-Policy of every page: its own style sheet, forms that lead back here, and nothing else."""
    digest = base64.b64encode(hashlib.sha256(_style().encode()).digest()).decode()
    return (
        f"default-src 'none'; style-src 'sha256-{digest}'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
    )


def shown(value: object) -> object:
    """
    Return a value as it can be shown: text without what cannot be seen, and not too long.

    Control characters, those that turn the direction of writing, and lone surrogates stand as escapes, so that a value looks
    like no other and stays where it is.
    """
    from markupsafe import Markup  # noqa: PLC0415 - with the first page

    if not isinstance(value, str) or isinstance(value, Markup):
        return value
    text = value if len(value) <= MAX_TEXT else f"{value[:MAX_TEXT]}… ({len(value)} characters)"
    if text.isprintable():
        return text
    return "".join(one if one.isprintable() else one.encode("unicode_escape").decode() for one in text)


def span(seconds: float) -> str:
    """Return a duration as a person says it, in its two largest units."""
    whole = int(seconds)
    units = (("d", whole // 86400), ("h", whole // 3600 % 24), ("min", whole // 60 % 60), ("s", whole % 60))
    first = next((place for place, (_, count) in enumerate(units) if count), 3)
    return " ".join(f"{count} {unit}" for unit, count in units[first : first + 2] if count) or "0 s"


def moment(text: str) -> str:
    """Return a time of ours (RFC 3339, in UTC) as a person reads it."""
    return text.replace("T", " ").replace("+00:00", " UTC")


def link(path: str, **parameters: object) -> Markup:
    """Return a path of ours with those parameters that have a value, as it stands in an attribute."""
    from markupsafe import escape  # noqa: PLC0415 - with the first page

    query = urlencode({key: value for key, value in parameters.items() if value}, errors="backslashreplace")
    return escape(f"{path}?{query}" if query else path)


@functools.cache
def _style() -> str:
    return (_FOLDER / "style.css").read_text()


@functools.cache
def _environment() -> Environment:
    from jinja2 import Environment, FileSystemLoader, StrictUndefined  # noqa: PLC0415 - with the first page
    from markupsafe import Markup  # noqa: PLC0415 - likewise

    made = Environment(
        loader=FileSystemLoader(_FOLDER),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=shown,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )
    style = Markup(_style())  # noqa: S704 - a file of ours
    made.globals |= {
        "style": style,
        "link": link,
        "ago": lambda seconds: timedelta(seconds=seconds),
        "MAX_ROWS": MAX_ROWS,
    }
    made.filters |= {"span": span, "moment": moment}
    return made
