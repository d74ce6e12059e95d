"""
The pages of the admin address in a real browser, as people come to them: by keyboard, on a phone, without scripts, in the dark; with
objects that mean harm, and with 50,000 services.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from mcsdns.admin.document import MAX_TEXT
from tests.e2e.browser import Browser, Tab
from tests.e2e.server import Server, Settings
from tests.manifests import imported_slice, service_import, together

DEMO = Path(__file__).parents[2] / "config" / "demo.yaml"
QUEUE = "queue.data.svc.clusterset.local"
PHONE = 320
MANY = 50_000

PATHS = (
    "/",
    "/explain",
    f"/explain?name={QUEUE}",
    "/explain?name=db.data.svc.clusterset.local&type=SRV",
    "/explain?name=a..b",
    "/services",
    "/services?q=nosuch",
    "/omissions",
    "/nosuch",
)

HARM = (
    "<script>pwned=1</script>",
    "'\"><img src=x onerror=pwned=1>",
    "</title></style></textarea><script>pwned=1</script>",
    "<a href=javascript:pwned=1 autofocus onfocus=pwned=1>x</a>",
)


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    with Browser(tmp_path_factory.mktemp("browser")) as running:
        yield running


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """The demo, on free ports."""
    settings = yaml.safe_load(DEMO.read_text())
    clusters = [one | {"manifests": str(DEMO.parent / one["manifests"])} for one in settings["clusters"]]
    listen = [one | {"address": "127.0.0.1:0"} for one in settings["listen"]]
    with Server(tmp_path_factory.mktemp("demo"), clusters, listen=listen) as server:
        yield server


@pytest.fixture(scope="module")
def harmful(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A cluster whose objects mean harm, and one that never comes."""
    folder = tmp_path_factory.mktemp("harm")
    (folder / "west").mkdir()
    for number, text in enumerate((*HARM, "x" * 10_240, "abc\u202edcba\u2066")):
        objects = together(
            service_import("web", ips=[text], ports=[f"{text.replace(' ', '')} 80/TCP"], namespace=f"n{number}"),
            service_import(text, headless=True),
            service_import("hl", headless=True, namespace=f"n{number}"),
            imported_slice("hl", text, "10.1.0.1", namespace=f"n{number}", name=text),
            imported_slice(
                "hl", "w", f"{text}=10.1.0.1", f"{text}=10.1.0.2 !ready", namespace=f"n{number}", name=f"{text}2"
            ),
        )
        (folder / "west" / f"{number}.yaml").write_text(objects)
    (folder / "west" / "<img src=x onerror=pwned=1>.yaml").write_text("a: [")
    clusters: list[Settings] = [
        {"name": "west", "manifests": "west"},
        {"name": "east", "kubeconfig": {"path": "<b>none"}, "optional": True},
    ]
    with Server(folder, clusters, until="serving", sync_deadline_s=0) as server:
        yield server


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Three clusters with 50,000 services between them."""
    folder = tmp_path_factory.mktemp("large")
    for place, cluster in enumerate("abc"):
        items = [
            json.loads(
                service_import(
                    f"service-{number:05}", ips=["10.3.0.1"], ports=["http 80/TCP"], namespace=f"team-{number % 97:02}"
                )
            )
            for number in range(place, MANY, 3)
        ]
        (folder / cluster).mkdir()
        (folder / cluster / "all.json").write_text(json.dumps({"apiVersion": "v1", "kind": "List", "items": items}))
    server = Server(folder, [{"name": cluster, "manifests": cluster} for cluster in "abc"], sync_deadline_s=120)
    server.start_limit_s = 120
    with server:
        yield server


def focused(tab: Tab) -> Any:
    """What has the focus: its id or its text, and whether that can be seen."""
    return tab.evaluate(
        """(e => { const r = e.getBoundingClientRect(), s = getComputedStyle(e);
        return {id: e.id, text: e.textContent.trim(), visible: r.left >= 0 && r.top >= 0 && r.width > 0,
        outlined: s.outlineStyle != 'none' && parseFloat(s.outlineWidth) >= 2}; })(document.activeElement)"""
    )


def go_to(tab: Tab, element: str) -> int:
    """Press Tab until an element has the focus, and return how often."""
    for count in range(1, 30):
        tab.press("Tab")
        at = focused(tab)
        assert at["visible"], at
        assert at["outlined"], at
        if at["id"] == element:
            return count
    raise AssertionError(f"{element} cannot be reached by Tab")


@pytest.mark.parametrize("scripts", [True, False], ids=["scripts on", "scripts off"])
def test_the_keyboard_alone(browser: Browser, demo: Server, scripts: bool) -> None:
    """Tab to the box, a name, Enter: the explanation. The focus is seen on the whole way. Nothing needs a script."""
    tab = browser.tab(scripts=scripts)
    tab.open(f"{demo.admin_url}/")
    go_to(tab, "name")
    tab.type(QUEUE)
    before = tab.loads
    tab.press("Enter")
    tab.loaded(before)
    assert tab.texts("h1") == [f"{QUEUE}. A"]
    (verdict,) = tab.texts("#verdict")
    cause = "the headless service data/queue has no ready endpoint in any cluster; left out: 1 not ready"
    assert " ".join(verdict.split()) == f"NXDOMAIN {cause}"
    assert "queue-0 10.2.0.20 is not ready" in tab.texts("td")
    assert tab.complaints == []


def test_the_first_tab_skips_to_the_content(browser: Browser, demo: Server) -> None:
    """The first stop is a link past the navigation, seen while it has the focus."""
    tab = browser.tab()
    tab.open(f"{demo.admin_url}/services")
    tab.press("Tab")
    at = focused(tab)
    assert (at["text"], at["visible"], at["outlined"]) == ("Skip to the content", True, True)
    tab.press("Enter")
    go_to(tab, "q")
    assert tab.evaluate("location.hash") == "#main"


def test_a_list_is_filtered_by_keyboard(browser: Browser, demo: Server) -> None:
    """The services: a part of a name, Enter; then on to what explains the one that is found."""
    tab = browser.tab()
    tab.open(f"{demo.admin_url}/services")
    go_to(tab, "q")
    tab.type("shop/w")
    before = tab.loads
    tab.press("Enter")
    tab.loaded(before)
    assert tab.texts("tbody th") == ["shop/web"]
    before = tab.loads
    tab.evaluate("document.querySelector('tbody a').focus()")
    tab.press("Enter")
    tab.loaded(before)
    assert tab.texts("h1") == ["web.shop.svc.clusterset.local. A"]


@pytest.mark.parametrize("path", PATHS)
def test_a_phone(browser: Browser, demo: Server, path: str) -> None:
    """At 320 px nothing but a table in its own region is wider than the page (WCAG 1.4.10)."""
    tab = browser.tab(PHONE, 640)
    tab.open(demo.admin_url + path)
    tab.evaluate("document.querySelectorAll('details').forEach(e => e.open = true)")
    assert wide(tab) == []
    assert tab.evaluate("document.documentElement.scrollWidth") <= PHONE


def wide(tab: Tab) -> Any:
    """Give what stands out to the right and is in no region that scrolls."""
    return tab.evaluate(
        f"""[...document.querySelectorAll('body *')].filter(e => !e.closest('.scroll') || e.matches('.scroll'))
        .filter(e => e.getBoundingClientRect().right > {PHONE} + 0.5).map(e => e.outerHTML.slice(0, 80))"""
    )


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("path", PATHS)
def test_contrast(browser: Browser, demo: Server, path: str, dark: bool) -> None:
    """Every text stands out from its ground by 4.5 to 1 (WCAG 1.4.3), the edges of what one types into by 3 to 1 (1.4.11)."""
    tab = browser.tab(dark=dark)
    tab.open(demo.admin_url + path)
    assert tab.evaluate(f"({CONTRAST})()") == []


def test_the_contrast_is_measured(browser: Browser, demo: Server) -> None:
    """The measure itself: grey on white, and white on black."""
    tab = browser.tab()
    tab.open(f"{demo.admin_url}/explain")
    tab.evaluate("document.querySelector('h1').style.color = '#777777'")
    assert [round(one["ratio"], 2) for one in tab.evaluate(f"({CONTRAST})()")] == [4.48]


CONTRAST = """() => {
  const rgb = text => (text.match(/[\\d.]+/g) || []).map(Number);
  const light = ([r, g, b]) => [r, g, b].map(c => (c /= 255) <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4)
    .reduce((sum, c, i) => sum + c * [0.2126, 0.7152, 0.0722][i], 0);
  const ratio = (a, b) => { const [x, y] = [light(a), light(b)]; return (Math.max(x, y) + 0.05) / (Math.min(x, y) + 0.05); };
  const ground = e => { for (; e; e = e.parentElement) { const c = rgb(getComputedStyle(e).backgroundColor);
    if (c.length == 3 || c[3] > 0) return c; } return [255, 255, 255]; };
  const found = [];
  const check = (e, color, on, least) => { const r = ratio(rgb(color), on);
    if (r < least) found.push({what: e.outerHTML.slice(0, 80), ratio: r}); };
  for (const e of document.querySelectorAll('body *')) {
    const s = getComputedStyle(e);
    if (e.matches('input, select, button') || [...e.childNodes].some(n => n.nodeType == 3 && n.textContent.trim()))
      check(e, s.color, ground(e), 4.5);
    if (e.matches('input, select')) check(e, s.borderTopColor, ground(e.parentElement), 3);
  }
  return found;
}"""

NAMED = {"textbox", "combobox", "button", "link", "table", "region", "navigation", "heading", "search"}


@pytest.mark.parametrize("path", PATHS)
def test_what_a_screen_reader_is_told(browser: Browser, demo: Server, path: str) -> None:
    """Everything one can act on or go to has a name; headings go down by one; tables have a caption and heads; the language is said."""
    tab = browser.tab()
    tab.open(demo.admin_url + path)
    nodes = [node for node in tab.call("Accessibility.getFullAXTree")["nodes"] if not node["ignored"]]
    roles = {node["role"]["value"] for node in nodes}
    assert {"banner", "main", "contentinfo", "navigation", "heading"} <= roles
    unnamed = [n["role"]["value"] for n in nodes if n["role"]["value"] in NAMED - {"search"} and not n["name"]["value"]]
    assert unnamed == []
    regions = [node["name"]["value"] for node in nodes if node["role"]["value"] in ("region", "navigation")]
    assert len(set(regions)) == len(regions)
    levels = [int(tag[1]) for tag in tab.evaluate("[...document.querySelectorAll('h1,h2,h3')].map(e => e.tagName)")]
    assert levels.count(1) == 1
    assert all(below - above <= 1 for above, below in zip([0, *levels], levels, strict=False))
    assert tab.evaluate(
        "[...document.querySelectorAll('table')].every(t => t.caption && t.querySelector('thead th[scope=col]'))"
    )
    assert tab.evaluate("[...document.querySelectorAll('th')].every(t => t.scope)")
    assert tab.evaluate("document.documentElement.lang") == "en"
    assert tab.evaluate(
        "new Set([...document.querySelectorAll('[id]')].map(e => e.id)).size == document.querySelectorAll('[id]').length"
    )


def test_objects_that_mean_harm(browser: Browser, harmful: Server) -> None:
    """What they say is text: nothing runs, no element comes of it, nothing is asked for, and what is shown is what was said."""
    tab = browser.tab(PHONE, 640)
    for path in (
        "/",
        "/services",
        "/omissions",
        *(f"/explain?name=hl.n{n}.svc.clusterset.local" for n in range(len(HARM) + 2)),
    ):
        tab.open(harmful.admin_url + path)
        assert tab.evaluate("typeof pwned") == "undefined"
        assert (
            tab.evaluate(
                "document.querySelectorAll('script, img, textarea, main b, [onerror], [onfocus], [href^=javascript]').length"
            )
            == 0
        )
        assert tab.evaluate("document.documentElement.scrollWidth") <= PHONE
        assert wide(tab) == []
        assert max(map(len, tab.texts("td, th")), default=0) <= MAX_TEXT + 50
    assert tab.complaints == []
    assert {url for url in tab.requests if not url.startswith(harmful.admin_url)} == set()
    tab.open(f"{harmful.admin_url}/omissions?reason=bad-cluster-id")
    said = " ".join(tab.texts("tbody th"))
    for text in HARM:
        assert f"EndpointSlice n{HARM.index(text)}/{text}" in said
    assert "abc\\u202edcba\\u2066" in said
    tab.open(f"{harmful.admin_url}/")
    troubles = " ".join(tab.texts(".troubles li"))
    assert "<img src=x onerror=pwned=1>.yaml" in troubles
    assert "east" in troubles


def test_the_policy_is_in_force(browser: Browser, demo: Server) -> None:
    """Should a value ever become an element: no script of it runs, no style counts, nothing is sent anywhere; and that is seen here."""
    tab = browser.tab()
    tab.open(f"{demo.admin_url}/")
    assert tab.complaints == []
    tab.evaluate("document.body.insertAdjacentHTML('beforeend', '<img src=/x onerror=pwned=1><b style=\"color:red\">')")
    tab.evaluate("document.body.append(Object.assign(document.createElement('script'), {textContent: 'pwned=1'}))")
    asked = tab.evaluate("fetch('/status').then(() => 'answered', () => 'refused')")
    assert asked == "refused"
    assert tab.evaluate("typeof pwned") == "undefined"
    assert len(tab.complaints) >= 3
    assert tab.requests == [f"{demo.admin_url}/"]


@pytest.mark.parametrize("path", PATHS)
def test_nothing_from_elsewhere(browser: Browser, demo: Server, path: str) -> None:
    """A page is one response: no further request, no complaint."""
    tab = browser.tab()
    tab.open(demo.admin_url + path)
    assert tab.requests == [demo.admin_url + path]
    assert tab.complaints == []


def test_fifty_thousand_services(browser: Browser, large: Server) -> None:
    """Each page is there in a moment, from the first to the last, filtered or not."""
    tab = browser.tab()
    for path, said in (
        ("/", "50,000"),
        ("/services", "50,000 services"),
        ("/services?page=500", "Page 500 of 500"),
        ("/services?q=service-0777", "10 services"),
        ("/services?cluster=b", "16,667 services"),
        ("/omissions", "0 left out."),
        ("/explain?name=service-00001.team-01.svc.clusterset.local", "NOERROR"),
        ("/explain?name=servce-00001.team-01.svc.clusterset.local", "NXDOMAIN"),
    ):
        tab.open(large.admin_url + path)
        assert said in tab.texts("main")[0]
        times = tab.evaluate(
            "(t => ({first: t.responseStart, loaded: t.loadEventEnd}))(performance.getEntriesByType('navigation')[0])"
        )
        sys.stdout.write(f"{path}: first octet after {times['first']:.0f} ms, loaded after {times['loaded']:.0f} ms\n")
        assert times["first"] < 2000
        assert times["loaded"] < 4000
