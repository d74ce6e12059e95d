"""The chain from an export to an answer: where it breaks, and that it says nothing that the explanation does not."""

from __future__ import annotations

import pytest

from mcsdns.admin.explain import Explanation, Hop, explain
from mcsdns.clusterset.model import View
from tests.clustersets import OPTIONS, clusterset
from tests.manifests import imported_slice, native_slice, service_export, service_import, together
from tests.spec.cases import example

OTHER = service_import("other", ips=["10.9.9.9"])
EXPORT = together(OTHER, service_export("web"))
HEADLESS = service_import("web", headless=True, ports=["http 80/TCP"])
BROKEN = [
    # what west holds, what east holds, asked below `web`, the type, where it breaks
    (OTHER, OTHER, "", "A", "exported"),
    (OTHER, native_slice("web", "10.1.0.1"), "", "A", "exported"),
    ("", OTHER, "", "A", "exported"),
    (OTHER, EXPORT, "", "A", "imported"),
    (OTHER, together(EXPORT, service_import("web", ips=["10.1.1.1"])), "", "A", "imported"),
    (service_import("web").replace("ClusterSetIP", "ExternalName"), EXPORT, "", "A", "imported"),
    (service_import("web", ports=["http 80/TCP"]), EXPORT, "", "A", "addresses"),
    (service_import("web", ports=["http 80/TCP"]), EXPORT, "_http._tcp.", "SRV", "addresses"),
    (HEADLESS, EXPORT, "", "A", "endpoints"),
    (together(HEADLESS, imported_slice("web", "east")), EXPORT, "", "A", "endpoints"),
    (together(HEADLESS, imported_slice("web", "east", "10.1.0.1 !ready")), EXPORT, "", "A", "ready"),
    (together(HEADLESS, imported_slice("web", "east", "a=10.1.0.1")), EXPORT, "b.east.", "A", "name"),
    (together(HEADLESS, imported_slice("web", "east", "a=10.1.0.1")), EXPORT, "a.esat.", "A", "name"),
    (service_import("web", ips=["10.1.1.1"], ports=["80/TCP"]), EXPORT, "_80._tcp.", "SRV", "name"),
    (service_import("web", ips=["10.1.1.1"]), EXPORT, "", "AAAA", "record"),
    (service_import("web", ips=["10.1.1.1"]), EXPORT, "", "A", None),
    (None, EXPORT, "", "A", "view"),
]


def ask(west: str | None, east: str | None, below: str = "", rr_type: str = "A", complete: bool = True) -> Explanation:
    mirrors = clusterset({"west": west, "east": east})
    name = f"{below}web.test.svc.clusterset.local"
    return explain(name, rr_type, View("west"), mirrors, OPTIONS, complete=complete)


@pytest.mark.parametrize(("west", "east", "below", "rr_type", "broken"), BROKEN)
def test_where_it_breaks(west: str | None, east: str, below: str, rr_type: str, broken: str | None) -> None:
    """The first broken link is named, says what the cause says, and only the cache comes after it."""
    found = ask(west, east, below, rr_type)
    assert found.broken == broken
    assert sorted({link.name for link in found.chain}, key=list(Hop).index) == [link.name for link in found.chain]
    states = [link.state for link in found.chain]
    if broken is None:
        assert "broken" not in states
        return
    assert states.count("broken") == 1
    assert (found.chain[-2].state, found.chain[-2].says) == ("broken", found.cause)
    assert found.chain[-1].name == "cache"


@pytest.mark.parametrize(
    "name", ["foo", "svc", "test.svc", "nosuch.svc", "pod", "dns-version", "*.test.svc", "hl.test.svc", "web.test.svc"]
)
@pytest.mark.parametrize("rr_type", ["A", "TXT", "SRV", "AXFR"])
def test_it_breaks_where_there_is_no_answer(name: str, rr_type: str) -> None:
    """A link is broken if and only if nothing is answered, whatever is asked."""
    found = explain(f"{name}.clusterset.local", rr_type, View("cluster-a"), example(), OPTIONS, complete=True)
    assert (found.broken is None) is (found.outcome == "NOERROR")
    names = [link.name for link in found.chain]
    assert names == sorted(set(names), key=list(Hop).index), "in order, each once"


def test_a_cluster_that_is_not_heard() -> None:
    """SERVFAIL breaks at the clusters, whatever else is missing; a cache in front may keep it for five seconds."""
    found = ask(OTHER, None, complete=False)
    assert (found.broken, found.cause) == (
        "clusters",
        "the name is not found, and may be in a cluster that has not been heard whole: east",
    )
    assert found.chain[-1].says == "CoreDNS keeps a SERVFAIL for 5 s after the last cluster has been heard"


def test_a_cluster_that_is_stale() -> None:
    """It breaks nothing by itself: the link is not known, and what may be missing is said before what is."""
    mirrors = clusterset({"west": OTHER, "east": OTHER})
    unwell = {"east": "stale for 9 s (cut): what it last said is served"}
    found = explain("web.test.svc.clusterset.local", "A", View(), mirrors, OPTIONS, complete=True, unwell=unwell)
    (link,) = [link for link in found.chain if link.name == "clusters"]
    assert (link.state, link.says) == ("unknown", "east is stale for 9 s (cut): what it last said is served")
    assert found.broken == "exported"


def test_who_exports() -> None:
    """A watched cluster, or one that the import's status names, or nobody who is known."""
    web = service_import("web", ips=["10.1.1.1"])
    named = service_import("web", ips=["10.1.1.1"], clusters=["north"])
    conditions = [{"type": "Valid", "status": "False"}]
    told = [
        (web, EXPORT, "ok", "by east"),
        (named, OTHER, "ok", "by north, as the status of the ServiceImport says"),
        (web, OTHER, "unknown", "no watched cluster holds a ServiceExport; one that is not watched may"),
        (web, service_export("web", conditions=conditions), "unknown", "only by east (not valid)"),
    ]
    for west, east, state, says in told:
        (link,) = [link for link in ask(west, east).chain if link.name == "exported"]
        assert (link.state, link.says) == (state, says)


def test_a_namespace_that_the_consumer_does_not_have() -> None:
    """An import cannot be created where its namespace is not: that is the first hint, and no hint where it may be there."""
    there = service_import("web", ips=["10.1.1.1"])
    absent = ask(service_import("x", namespace="else"), together(there, EXPORT))
    assert absent.hints[0] == (
        "west holds nothing of the namespace test: does it exist there? A ServiceImport is created only where its namespace"
        " exists; see `kubectl get namespace test`"
    )
    assert not any("holds nothing" in hint for hint in ask(OTHER, together(there, EXPORT)).hints)


def test_what_a_cache_may_hold() -> None:
    """For how long, by the zone's own TTLs and never less than CoreDNS keeps it."""
    options = OPTIONS.__class__(OPTIONS.zone, 60, 2, OPTIONS.advertise)
    mirrors = clusterset({"west": service_import("web", ips=["10.1.1.1"])})
    name = "web.test.svc.clusterset.local"
    there = explain(name, "A", View(), mirrors, options, complete=True).chain[-1]
    assert there.says == (
        "after a change, one in front may give the old records for 60 s, or say that there are none for 5 s"
    )
    absent = explain(f"x{name}", "A", View(), mirrors, options, complete=True).chain[-1]
    assert absent.says == "once this is mended, one in front may say for 5 s more that there is no such name"
