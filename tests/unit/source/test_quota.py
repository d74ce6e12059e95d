"""Quotas: what is held follows from the objects alone, the oldest first, and never more than fits."""

from __future__ import annotations

from collections.abc import Iterable

from hypothesis import given
from hypothesis import strategies as st

from mcsdns.config import Quotas
from mcsdns.source.events import Resource
from mcsdns.source.objects import Endpoint, EndpointSlice, Labels, Metadata, ServiceImport
from mcsdns.source.quota import MAX_SHOWN, Entry, Quota, entry_of
from mcsdns.source.table import Table

SMALL = Quotas(names=5, endpoints_per_name=6, endpoints=14)
IMPORTS, SLICES = Resource.SERVICE_IMPORTS, Resource.ENDPOINT_SLICES


def entry(name: str, created: int = 0, weight: int = 1, service: int | None = None) -> Entry:
    return Entry("demo", name, created, 0, weight, service)


def held(table: Table) -> set[str]:
    return {one.name for one in table.entries.values()}


def fitting(entries: Iterable[Entry], quotas: Quotas) -> set[str]:
    """What is to be held, straight from the rules: go through the objects, the oldest first, until something does not fit."""
    seen: dict[int | None, int] = {}
    closed: set[int | None] = set()
    kept: set[str] = set()
    for one in sorted(entries, reverse=True):
        limit = quotas.endpoints_per_name if one.service is not None else 10**9
        total = seen.get(one.service, 0) + one.weight
        seen[one.service] = min(total, limit)
        if sum(seen.values()) > quotas.endpoints:
            break
        if total > limit:
            closed.add(one.service)
        if one.service not in closed:
            kept.add(one.name)
    return kept


def listed(entries: Iterable[Entry], quotas: Quotas) -> Table:
    table = Table(SLICES, quotas)
    for one in entries:
        table.put(copy(one))
    return table


def copy(one: Entry) -> Entry:
    return Entry(one.namespace, one.name, one.created, one.version, one.weight, one.service)


def slices(names: str = "abcdefghijklmnop") -> st.SearchStrategy[list[Entry]]:
    made = st.builds(
        entry,
        st.sampled_from(names),
        st.integers(0, 4),
        st.integers(1, 8),
        st.sampled_from([None, 1, 2, 3]),
    )
    return st.lists(made, max_size=30, unique_by=lambda one: one.name)


@given(slices(), st.randoms(use_true_random=False))
def test_the_order_of_events_does_not_matter(entries: list[Entry], random: object) -> None:
    """However the same objects come, the same are held: those that fit, the oldest first."""
    shuffled = list(entries)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    table = listed(shuffled, SMALL)
    assert held(table) == fitting(entries, SMALL)
    assert sum(table.refused.values()) == len(entries) - len(held(table))


@given(st.data())
def test_any_history_ends_as_a_fresh_list(data: st.DataObject) -> None:
    """
    Objects come, change, move to another service and go. Never is more held than fits; what is told is what is held; and at the
    end it is what a list would give, or a list is asked for.
    """
    now: dict[str, Entry] = {}
    table = Table(SLICES, SMALL)
    told: set[str] = set()
    for one in data.draw(st.lists(st.one_of(*[st.sampled_from("abcdefghijklmnop")]), max_size=60)):
        if one in now and data.draw(st.booleans()):
            if table.drop(copy(now.pop(one))):
                told.discard(one)
        else:
            before = now.get(one)
            created = before.created if before is not None else data.draw(st.integers(0, 4))
            now[one] = entry(one, created, data.draw(st.integers(1, 8)), data.draw(st.sampled_from([None, 1, 2, 3])))
            is_held, gone = table.put(copy(now[one]), is_new=before is None)
            assert {each.name for each in gone} <= told
            told -= {each.name for each in gone}
            told |= {one} if is_held else set()
        assert told == held(table)
        weights: dict[int | None, int] = {}
        for each in table.entries.values():
            weights[each.service] = weights.get(each.service, 0) + each.weight
        assert sum(weights.values()) <= table.used <= SMALL.endpoints
        assert all(weight <= SMALL.endpoints_per_name for service, weight in weights.items() if service is not None)
        if table.wants_list:
            table = listed(now.values(), SMALL)
            told = held(table)
        assert held(table) == fitting(now.values(), SMALL)


def test_names_are_bounded_and_the_newest_refused() -> None:
    """Of more objects than fit the oldest stay; of the same second, those that come first in the alphabet."""
    table = Table(IMPORTS, SMALL)
    for name, created in (("z", 1), ("b", 9), ("a", 9), ("c", 9), ("y", 2), ("x", 3), ("w", 9)):
        table.put(entry(name, created))
    assert held(table) == {"z", "y", "x", "a", "b"}
    assert table.refused == {Quota.NAMES: 2}
    assert sorted(table.shown[Quota.NAMES]) == ["demo/c", "demo/w"]


def test_an_older_object_takes_the_place_of_a_newer_one() -> None:
    """What was told of the newer one is taken back, and what is as new is refused from then on."""
    table = Table(IMPORTS, SMALL)
    for number in range(5):
        table.put(entry(f"n{number}", 10 + number))
    is_held, gone = table.put(entry("old", 1))
    assert is_held
    assert [one.name for one in gone] == ["n4"]
    assert table.put(entry("new", 14)) == (False, [])
    assert not table.wants_list


def test_room_asks_for_a_list() -> None:
    """Where something held goes while something is refused, only a list tells what fits by now; without a refusal none is asked for."""
    table = Table(IMPORTS, SMALL)
    for number in range(5):
        table.put(entry(f"n{number}", number))
    table.drop(entry("n0"))
    assert not table.wants_list
    table.put(entry("n5", 5))
    table.put(entry("n6", 6))
    assert not table.wants_list
    table.drop(entry("n1", 1))
    assert table.wants_list


def test_a_refused_object_that_goes_is_no_longer_counted() -> None:
    """The count follows ADDED and DELETED; MODIFIED of a refused object does not count it again."""
    table = Table(IMPORTS, SMALL)
    for number in range(8):
        table.put(entry(f"n{number}", number))
    table.put(entry("n7", 7), is_new=False)
    assert table.refused == {Quota.NAMES: 3}
    table.drop(entry("n7", 7))
    assert table.refused == {Quota.NAMES: 2}
    assert table.shown[Quota.NAMES] == ["demo/n5", "demo/n6"]


def test_one_service_that_floods_costs_the_others_nothing() -> None:
    """A service over its own quota uses no more than that of the whole: slices of others are held."""
    quotas = Quotas(endpoints_per_name=100, endpoints=1000)
    table = Table(SLICES, quotas)
    for number in range(2000):
        table.put(entry(f"flood-{number}", number, 10, service=1))
    for number in range(90):
        table.put(entry(f"other-{number}", 10_000 + number, 10, service=2 + number))
    assert sum(1 for name in held(table) if name.startswith("other")) == 90
    assert sum(1 for name in held(table) if name.startswith("flood")) == 10
    assert table.refused == {Quota.ENDPOINTS_PER_NAME: 1990}


def test_few_names_are_kept_of_many_refused_objects() -> None:
    """A million refused objects cost a counter, and twenty names."""
    table = Table(IMPORTS, SMALL)
    for number in range(10_000):
        table.put(entry(f"n{number}", number % 7))
    assert len(table.entries) == 5
    assert len(table.shown[Quota.NAMES]) == MAX_SHOWN
    assert table.refused == {Quota.NAMES: 9_995}


def test_what_is_kept_of_a_stream_is_bounded() -> None:
    """Objects that come and go, and change, leave nothing behind in the indexes."""
    table = Table(SLICES, Quotas(endpoints_per_name=50, endpoints=100))
    for number in range(20_000):
        table.put(entry(f"n{number}", number, 30, service=number % 3))
        table.put(entry(f"n{number}", number, 20, service=number % 3), is_new=False)
        table.drop(entry(f"n{number}", number, 20, service=number % 3))
    indexed = len(table._newest or ()) + sum(map(len, (table._services or {}).values()))
    assert indexed < 1000
    assert not table.entries
    assert not table.sums


def test_what_an_object_weighs() -> None:
    """A slice weighs its addresses, one at the least; its service is that of its label; every other object weighs one."""
    meta = Metadata("a", "demo", created="2026-01-02T03:04:05Z", labels=Labels(imported_service="web"))
    full = entry_of(
        EndpointSlice(meta, endpoints=(Endpoint(("10.0.0.1", "10.0.0.2")), Endpoint(None), Endpoint(("::1",))))
    )
    assert (full.weight, full.created) == (3, 20260102030405)
    assert full.service == entry_of(EndpointSlice(Metadata("b", "demo", labels=Labels(native_service="web")))).service
    assert entry_of(EndpointSlice(meta)).weight == 1
    plain = entry_of(ServiceImport(Metadata("a", "demo", created="yesterday")))
    assert (plain.weight, plain.created, plain.service) == (1, 0, None)
