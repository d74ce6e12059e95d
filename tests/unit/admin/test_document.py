"""Pages for people: what is shown of a value, and that no value becomes part of a page."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import re
import subprocess
import sys
from html.parser import HTMLParser
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markupsafe import Markup

from mcsdns.admin.document import MAX_TEXT, link, moment, policy, render, shown, span
from mcsdns.admin.pages import Pages
from mcsdns.source.events import Resource
from tests.manifests import imported_slice, service_import, together
from tests.unit.admin.servers import FakeServer

HOSTILE = (
    "<script>alert(1)</script>",
    "'\"><img src=x onerror=alert(1)>",
    "</style><script>1</script>",
    "{{ 7*7 }} {% raw %}",
    "&lt;b&gt; &amp;",
    "javascript:alert(1)",
)


class Elements(HTMLParser):
    """The elements of a page, and its text."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += attrs

    def handle_data(self, data: str) -> None:
        self.text += data


def elements(body: bytes) -> Elements:
    found = Elements()
    found.feed(body.decode())
    found.close()
    return found


def page(server: FakeServer, path: str, **parameters: str) -> Any:
    return asyncio.run(Pages(server.state).get(path, list(parameters.items()), "text/html"))


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("plain – ünï", "plain – ünï"),
        ("a\u202egnp.exe", "a\\u202egnp.exe"),
        ("\u2066x\u200b\ufeff", "\\u2066x\\u200b\\ufeff"),
        ("a\x00b\x1b[31m\r\n\t", "a\\x00b\\x1b[31m\\r\\n\\t"),
        ("\ud800", "\\ud800"),
        ("x" * MAX_TEXT, "x" * MAX_TEXT),
        ("x" * 10_240, "x" * MAX_TEXT + "… (10240 characters)"),
        (7, 7),
        (Markup("<b>"), "<b>"),
    ],
)
def test_what_is_shown(value: object, text: object) -> None:
    """What cannot be seen, or turns the direction of writing, stands as an escape; what is long is cut and says how long it was."""
    assert shown(value) == text


@given(st.text(st.characters(exclude_categories=()), max_size=60))
def test_any_value_is_text(value: str) -> None:
    """Whatever the value, a page with it can be sent, and has the elements that it has without it."""
    asked = {"name": value, "type": f"TYPE{value}", "view": value}
    base = {"here": "", "zone": value, "version": value, "views": ["a", value], "clusters": [value]}
    now = {"now": _Now()}
    body = render("problem", base | now | {"problem": value, "asked": asked})
    plain = render(
        "problem",
        dict.fromkeys(base, "a") | now | {"views": ["a", "b"], "problem": "x", "asked": dict.fromkeys(asked, "x")},
    )
    assert elements(body).tags == elements(plain).tags
    assert str(shown(value)).strip() in elements(body).text


class _Now:
    """A moment that does not pass."""

    def isoformat(self, timespec: str) -> str:
        return timespec

    strftime = isoformat


@pytest.mark.parametrize("value", HOSTILE)
def test_hostile_objects(value: str) -> None:
    """Values from objects, sources and requests are text on every page; none becomes an element, an attribute or a link elsewhere."""
    west = together(
        service_import("web", ips=[value], ports=["http 80/TCP"]),
        service_import(value, headless=True),
        service_import("hl", headless=True),
        imported_slice("hl", value, "10.1.0.1", name=value),
        imported_slice("hl", "north", f"{value}=10.1.0.1", name="other"),
    )
    server = FakeServer({"west": west, "east": ""})
    server.ready = (False, value)
    server.state.health["east"].faults({value: value})
    server.state.health["west"].broken(Resource.ENDPOINT_SLICES, "timeout", value)
    server.state.config_file.error = value
    for path, parameters in (
        ("/", {}),
        ("/explain", {"name": "hl.test.svc.clusterset.local"}),
        ("/explain", {"name": value}),
        ("/explain", {"name": "hl.test.svc.clusterset.local", "type": value}),
        ("/services", {"q": value, "cluster": value}),
        ("/services", {"view": value}),
        ("/omissions", {"cluster": value}),
        ("/omissions", {}),
        (f"/{value}", {}),
    ):
        found = elements(page(server, path, **parameters).body)
        assert not {"script", "img", "b", "iframe", "object", "base"} & set(found.tags)
        assert not [name for name, _ in found.attributes if name.startswith("on") or name in ("src", "srcdoc")]
        assert all(
            target.startswith(("/", "#")) for name, target in found.attributes if name in ("href", "action") and target
        )
    assert value in elements(page(server, "/").body).text


def test_the_policy_is_that_of_the_style_sheet() -> None:
    """The hash in the policy is that of the one style element, octet for octet; there is nothing else that it allows."""
    found = page(FakeServer({"west": "", "east": ""}), "/")
    (style,) = re.findall(r"<style>(.*?)</style>", found.body.decode(), re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    assert (
        found.headers["Content-Security-Policy"]
        == policy()
        == (
            f"default-src 'none'; style-src 'sha256-{digest}'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
        )
    )
    assert "style=" not in found.body.decode()
    assert "url(" not in style
    assert "@import" not in style


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0 s"),
        (0.9, "0 s"),
        (59, "59 s"),
        (60, "1 min"),
        (91, "1 min 31 s"),
        (3600, "1 h"),
        (3725, "1 h 2 min"),
        (90000, "1 d 1 h"),
    ],
)
def test_durations(seconds: float, text: str) -> None:
    """In the two largest units."""
    assert span(seconds) == text


def test_moments_and_links() -> None:
    """A time as people read it; a path with its parameters, ready for an attribute."""
    assert moment("2027-01-15T08:00:00+00:00") == "2027-01-15 08:00:00 UTC"
    assert link("/services", q='a&"<\ud800', page=2, view="") == "/services?q=a%26%22%3C%5Cud800&amp;page=2"
    assert link("/services", q="") == "/services"


def test_a_start_does_not_wait_for_it() -> None:
    """The template engine is loaded with the first page, not with the server."""
    code = "import sys, mcsdns.daemon, mcsdns.cli; sys.exit('jinja2' in sys.modules or 'markupsafe' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], timeout=60, check=False).returncode == 0
