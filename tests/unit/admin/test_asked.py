"""What a request asks for."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mcsdns.admin.asked import page_number, prefers_html, read

CHROMIUM = "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8"


@pytest.mark.parametrize(
    ("accept", "is_html"),
    [
        (CHROMIUM, True),
        ("text/html", True),
        ("TEXT/HTML;charset=utf-8", True),
        ("application/json;q=0.9, text/html", True),
        ("application/json, text/html;q=0.9", False),
        ("text/plain, text/html;q=0.5", False),
        ("text/html;q=0", False),
        ("text/html;q=much", False),
        ("text/html; q=nan", False),
        ("*/*", False),
        ("", False),
        (";;,,q=", False),
        ("application/openmetrics-text;version=1.0.0,text/plain;q=0.5", False),
    ],
)
def test_who_gets_html(accept: str, is_html: bool) -> None:
    """Browsers, which name it; not curl, probes, scripts, nor who wants something else more."""
    assert prefers_html(accept) is is_html


@given(st.text(max_size=200))
def test_no_header_breaks_it(accept: str) -> None:
    """Whatever is sent, it is told."""
    assert prefers_html(accept) in (True, False)


def test_parameters() -> None:
    """Each has its value without the blanks that came with a paste; what is not there is empty."""
    assert read([("b", " x\t")], "a", "b") == {"a": "", "b": "x"}


@pytest.mark.parametrize(
    ("parameters", "problem"),
    [
        ([("c", "1")], "unknown parameter 'c'; expected a, b"),
        ([("a", "1"), ("a", "2")], "the parameter a stands twice"),
    ],
)
def test_parameters_that_are_wrong(parameters: list[tuple[str, str]], problem: str) -> None:
    """A mistyped filter must not show everything."""
    with pytest.raises(ValueError, match=problem):
        read(parameters, "a", "b")


@pytest.mark.parametrize(("text", "number"), [("", 1), ("1", 1), ("007", 7), ("999999999", 999_999_999)])
def test_pages(text: str, number: int) -> None:
    """From 1."""
    assert page_number(text) == number


@pytest.mark.parametrize("text", ["0", "-1", "1.5", "x", "²", "٣", "1" * 5000])
def test_pages_that_are_none(text: str) -> None:
    """Refused with what stood there, cut."""
    with pytest.raises(ValueError, match="expected a number from 1") as caught:
        page_number(text)
    assert len(str(caught.value)) < 100
