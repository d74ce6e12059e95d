"""What is left out is counted once, whoever leaves it out."""

from __future__ import annotations

from mcsdns.admin.omitted import in_all, in_views
from tests.manifests import cluster_property, imported_slice, service_import, together
from tests.unit.admin.servers import FakeServer


def test_a_thing_that_two_views_leave_out_counts_once() -> None:
    """The same slice is outranked or unready in every view."""
    import_ = service_import("hl", headless=True)
    slices = imported_slice("hl", "north", "a=10.1.0.1 !ready", "10.1.0.300")
    state = FakeServer({"west": together(import_, slices), "east": import_}).state
    assert in_views(state.views) == {("west", "not-ready"): 1, ("west", "bad-address"): 1}


def test_what_never_came_as_far_as_a_service() -> None:
    """An import that cannot be used, a property that is no cluster id: no view has them, and they are counted."""
    broken = service_import("web").replace("ClusterSetIP", "None")
    state = FakeServer({"west": together(broken, cluster_property("not an id")), "east": ""}).state
    assert in_views(state.views) == {}
    assert in_all(state.views, state.mirrors) == {("west", "bad-type"): 1, ("west", "bad-cluster-id"): 1}


def test_records_that_could_not_be_made_have_no_cluster() -> None:
    """They come of what several clusters say together."""
    state = FakeServer({"west": service_import("pend"), "east": ""}).state
    assert in_all(state.views, state.mirrors) == {("", "no-address"): 1}
