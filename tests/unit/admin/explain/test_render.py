"""An explanation as a person reads it."""

from __future__ import annotations

import msgspec

from mcsdns.admin.explain import Explanation, explain, text
from mcsdns.admin.explain.render import MAX_LINES
from mcsdns.clusterset.model import ObjectRef, View
from tests.clustersets import OPTIONS
from tests.spec.cases import example

HL = """\
NXDOMAIN: the endpoint my-pet-3 of test/hl in cluster-a is not ready
;; my-pet-3.cluster-a.hl.test.svc.clusterset.local. A, view cluster-a

;; CHAIN, broken at: name
ok      zone       within clusterset.local.
ok      clusters   heard: cluster-a, cluster-b
ok      view       as cluster-a sees it
ok      exported   by cluster-b
ok      imported   by the ServiceImport in cluster-a, headless
ok      endpoints  3 EndpointSlices of cluster-a, cluster-b
ok      ready      5 addresses of ready endpoints; left out: 1 not ready, 1 slice that is outranked
BROKEN  name       the endpoint my-pet-3 of test/hl in cluster-a is not ready
?       cache      once this is mended, one in front may say for 5 s more that there is no such name

;; RULE
<hostname>.<clusterid>.<svc>… owns the addresses of the ready endpoints of that hostname in that cluster (KEP-1645 specification.md, \
headless services).

;; OBJECTS
cluster-a  EndpointSlice  test/imported-hl-cluster-a  imported endpoints of cluster-a
cluster-a  ServiceImport  test/hl                     makes the name exist, with the endpoints of its clusters

;; LEFT OUT
cluster-a  EndpointSlice test/imported-hl-cluster-a  not-ready  my-pet-3 10.1.0.3 is not ready
cluster-b  EndpointSlice test/hl-x7k2p               outranked  about cluster-b, imported slices in cluster-a are believed instead"""


def ask(name: str) -> Explanation:
    return explain(f"{name}.test.svc.clusterset.local", "A", View("cluster-a"), example(), OPTIONS, complete=True)


def test_the_verdict_comes_first() -> None:
    """Sections that hold nothing are not there; columns are aligned, and empty ones left out."""
    assert text(ask("my-pet-3.cluster-a.hl")) == HL


def test_the_answer_is_in_presentation_form() -> None:
    """As dig prints it."""
    lines = text(ask("web")).splitlines()
    assert lines[0] == "NOERROR: test/web is a ClusterSetIP service, imported by cluster-a"
    assert lines[lines.index(";; ANSWER") + 1] == "web.test.svc.clusterset.local.\t5\tIN\tA\t10.42.42.42"
    assert "cluster-a  ServiceImport  test/web  rv 1001  gives the addresses and ports" in lines


def test_colours_mark_the_verdict_headings_and_links_alone() -> None:
    """Without the escapes the text is the same."""
    found = ask("web")
    coloured = text(found, True)
    assert coloured.startswith("\x1b[32m\x1b[1mNOERROR\x1b[0m: ")
    plain = coloured
    for escape in ("\x1b[32m", "\x1b[33m", "\x1b[1m", "\x1b[0m"):
        plain = plain.replace(escape, "")
    assert plain == text(found)


def test_long_sections_are_cut() -> None:
    """A thousand objects do not push the verdict off the screen; JSON has them all."""
    ref = ask("web").objects[0]
    objects = tuple(ObjectRef(ref.cluster, ref.kind, ref.namespace, f"web-{n}", "", "") for n in range(1000))
    lines = text(msgspec.structs.replace(ask("web"), objects=objects)).splitlines()
    assert f";; and {1000 - MAX_LINES} more; --output json shows all" in lines
    assert len(lines) < MAX_LINES + 30


def test_json_there_and_back() -> None:
    """What a server sends is what the command shows."""
    found = ask("hl")
    assert msgspec.json.decode(msgspec.json.encode(found), type=Explanation) == found
