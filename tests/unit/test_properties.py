"""
Properties of everything between an event and a record, for any clusterset and any history (`tests/strategies.py`).

`expected_records` in `tests/oracle.py` says the same as merge and build in the plainest way, without a thought for speed or change.
"""

from __future__ import annotations

import random
from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st

from mcsdns.clusterset.merge import merge
from mcsdns.clusterset.mirror import Mirror
from mcsdns.clusterset.model import ServiceKey, View
from mcsdns.source.events import Event, Init, InitApply, InitDone
from mcsdns.zone.masterfile import record
from mcsdns.zone.names import from_text, is_within, parent, suffixes, to_text
from mcsdns.zone.rrset import Node, Type
from mcsdns.zone.snapshot import Snapshot
from tests.clustersets import OPTIONS, Live, view_of, zone_of
from tests.oracle import expected_records
from tests.strategies import CLUSTERS, NAMESPACES, SERVICES, State, final_state, histories

KEYS = [ServiceKey(namespace, name) for namespace in sorted(set(NAMESPACES)) for name in sorted(set(SERVICES))]
VIEWS = (None, "a", "c")
IDS = {"c": "c1.reg1"}
"""Configured ids: one cluster has one, the others have what they say of themselves, or their names."""
History = list[list[Event]]


def mirrors_of(history: Sequence[Sequence[Event]]) -> list[Mirror]:
    mirrors = {cluster: Mirror(cluster, IDS.get(cluster)) for cluster in CLUSTERS}
    for event in (event for step in history for event in step):
        mirrors[event.cluster].feed(event)
    return list(mirrors.values())


def fresh(state: State, shuffle: random.Random | None = None) -> list[Mirror]:
    """List a state to new mirrors, its objects in their order or in another."""
    steps: list[list[Event]] = []
    for cluster, resources in state.items():
        for resource, held in resources.items():
            applies: list[Event] = [InitApply(cluster, resource, obj) for obj in held.values()]
            if shuffle:
                shuffle.shuffle(applies)
            steps.append([Init(cluster, resource), *applies, InitDone(cluster, resource)])
    if shuffle:
        shuffle.shuffle(steps)
    return mirrors_of(steps)


def names_of(zone: Snapshot) -> dict[bytes, Node]:
    nodes = dict(zone.apex.nodes)
    for owner, records in zone.services.items():
        nodes |= records.nodes
        nodes[parent(owner)] = ()
    return nodes


@given(histories(), st.randoms(use_true_random=False))
def test_merge_does_not_depend_on_the_order_of_events(history: History, shuffle: random.Random) -> None:
    """Equal mirrors give an equal service, in whatever order events came."""
    state = final_state(history)
    one, other = fresh(state), fresh(state, shuffle)
    for view in VIEWS:
        for key in KEYS:
            assert merge(key, one, View(view)) == merge(key, other, View(view))


@given(histories())
def test_any_history_ends_as_a_fresh_list_of_its_end(history: History) -> None:
    """Any order of events that ends in the same state ends in the same services, versions of objects included."""
    lived, listed = mirrors_of(history), fresh(final_state(history))
    assert [mirror.is_heard for mirror in lived] == [mirror.is_heard for mirror in listed]
    assert [mirror.keys() for mirror in lived] == [mirror.keys() for mirror in listed]
    for view in VIEWS:
        for key in KEYS:
            assert merge(key, lived, View(view)) == merge(key, listed, View(view))
    for one, other in zip(lived, listed, strict=True):
        assert set(one.rejected()) == set(other.rejected())


@given(histories(steps=20))
def test_feeding_reports_every_service_that_changed(history: History) -> None:
    """After each step what was built of dirty services alone is what building everything anew gives: no key was missed."""
    live = Live([Mirror(cluster, IDS.get(cluster)) for cluster in CLUSTERS], VIEWS)
    for step in history:
        live.tell(*step)
        for view in VIEWS:
            zone, anew = live.zones[view], zone_of(live.mirrors, view)
            assert {owner: records.nodes for owner, records in zone.services.items()} == {
                owner: records.nodes for owner, records in anew.services.items()
            }
            assert zone.complete == anew.complete
            namespaces = [from_text(f"{namespace}.svc.clusterset.local") for namespace in NAMESPACES]
            assert [zone.find(name) for name in namespaces] == [anew.find(name) for name in namespaces]


@given(histories(steps=4))
def test_an_event_that_comes_again_changes_nothing(history: History) -> None:
    """Changes are levels, not edges: the last step, told once more, makes nothing dirty and publishes nothing."""
    live = Live([Mirror(cluster, IDS.get(cluster)) for cluster in CLUSTERS], VIEWS)
    for step in history:
        live.tell(*step)
    by_name = {mirror.cluster: mirror for mirror in live.mirrors}
    if isinstance(history[-1][-1], InitDone):
        assert not live.tell(*history[-1])
    else:
        assert not [key for event in history[-1] for key in by_name[event.cluster].feed(event)]


@given(histories(steps=4), st.sampled_from(VIEWS))
def test_the_records_are_those_of_the_specification(history: History, view: str | None) -> None:
    """Merge and build make exactly the records that the plainest reading of the rules makes."""
    found = {
        record(owner, rrset, rdata)
        for records in zone_of(mirrors_of(history), view).services.values()
        for owner, node in records.nodes.items()
        for rrset in node
        for rdata in rrset.rdata
    }
    assert {tuple(line.split("\t")[::1]) for line in found} == expected_records(final_state(history), IDS, view)


@given(histories(steps=4), st.sampled_from(VIEWS))
def test_what_every_zone_keeps(history: History, view: str | None) -> None:
    """Names, RRsets and targets are as DNS wants them, whatever the clusters say."""
    zone = zone_of(mirrors_of(history), view)
    nodes = names_of(zone)
    for owner, records in zone.services.items():
        assert records.owner == owner
        assert not records.nodes or owner in records.nodes
        for name, node in records.nodes.items():
            assert is_within(name, owner), "nothing outside the service"
            assert name == name.lower() == from_text(to_text(name))
            assert len(name) <= 255
            assert [rrset.type for rrset in node] == sorted({rrset.type for rrset in node}), "each type once, in order"
            assert {rrset.type for rrset in node} <= {Type.A, Type.AAAA, Type.SRV}
            for rrset in node:
                assert rrset.rdata
                assert len(set(rrset.rdata)) == len(rrset.rdata), "no duplicates (RFC 2181 §5)"
                assert rrset.ttl == OPTIONS.ttl
                for rdata in rrset.rdata if rrset.type == Type.SRV else ():
                    target = records.nodes.get(rdata[6:], ())
                    assert any(found.type in (Type.A, Type.AAAA) for found in target), "an address behind each target"
    for name in nodes:
        for ancestor in suffixes(name):
            if is_within(ancestor, zone.apex.zone):
                assert zone.find(ancestor) is not None, "an ancestor of a name that exists, exists (RFC 8020)"


@given(histories(steps=4))
def test_omissions_are_told_once_and_in_order(history: History) -> None:
    """What is left out is named, each once, sorted, so that equal services are told equally."""
    for view in VIEWS:
        for built in view_of(mirrors_of(history), view).services.values():
            assert list(built.omissions) == sorted(set(built.omissions))
