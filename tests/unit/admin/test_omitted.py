"""What is left out is counted once, whoever leaves it out."""

from __future__ import annotations

from mcsdns.admin.omitted import Omissions, Omitted, of_cluster
from mcsdns.admin.state import ServerState
from tests.clustersets import hear
from tests.manifests import cluster_property, imported_slice, service_import, together
from tests.unit.admin.servers import FakeServer


def count(state: ServerState) -> Omitted:
    return state.omissions.count(state.views, state.mirrors)


def test_a_thing_that_two_views_leave_out_counts_once() -> None:
    """The same slice is outranked or unready in every view."""
    import_ = service_import("hl", headless=True)
    slices = imported_slice("hl", "north", "a=10.1.0.1 !ready", "10.1.0.300")
    state = FakeServer({"west": together(import_, slices), "east": import_}).state
    assert count(state) == {("west", "not-ready"): 1, ("west", "bad-address"): 1}
    assert [state.omissions.in_view(view) for view in state.views] == [{"bad-address": 1, "not-ready": 1}] * 2


def test_what_never_came_as_far_as_a_service() -> None:
    """An import that cannot be used, a property that is no cluster id: no view has them, and they are counted."""
    broken = service_import("web").replace("ClusterSetIP", "None")
    state = FakeServer({"west": together(broken, cluster_property("not an id")), "east": ""}).state
    assert count(state) == {("west", "bad-type"): 1, ("west", "bad-cluster-id"): 1}
    assert [state.omissions.in_view(view) for view in state.views] == [{}, {}]


def test_records_that_could_not_be_made_are_their_importers() -> None:
    """They are counted for the cluster whose import counts."""
    state = FakeServer({"west": service_import("pend"), "east": ""}).state
    assert count(state) == {("west", "no-address"): 1}


HL = service_import("hl", headless=True)
CHANGES = [
    together(HL, imported_slice("hl", "north", "a=10.1.0.1 !ready", "10.1.0.300")),
    together(HL, imported_slice("hl", "north", "a=10.1.0.1 !ready", "b=10.1.0.2 !ready")),
    together(HL, imported_slice("hl", "north", "a=10.1.0.1 !ready"), service_import("web", ips=["x"])),
    service_import("web").replace("ClusterSetIP", "None"),
    HL,
    "",
]


def test_counts_follow_changes() -> None:
    """After each change the counts are those of someone who counts for the first time."""
    state = FakeServer({"west": "", "east": HL}).state
    for text in [*CHANGES, *reversed(CHANGES)]:
        dirty = hear(state.mirrors[0], text)
        for view in state.views:
            for key in dirty:
                view.build(key, state.mirrors)
        assert count(state) == Omissions().count(state.views, state.mirrors), text
    assert count(state) == {("west", "not-ready"): 1, ("west", "bad-address"): 1}


def test_of_one_cluster() -> None:
    """By reason, sorted."""
    assert of_cluster("a", {("a", "y"): 2, ("b", "x"): 1, ("a", "x"): 3}) == {"x": 3, "y": 2}
