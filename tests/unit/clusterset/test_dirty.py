"""Which services are built again, and in what order."""

from __future__ import annotations

from collections.abc import Iterator

from mcsdns.clusterset.dirty import Dirty
from mcsdns.clusterset.model import ServiceKey


def key(name: str) -> ServiceKey:
    return ServiceKey("test", name)


def taken(dirty: Dirty) -> list[str]:
    """Return the names of all that are taken one after the other."""
    return [found.name for found in iter(dirty.take, None)]


def test_each_service_stands_there_once() -> None:
    """However often it was marked, and by whomever."""
    dirty = Dirty()
    dirty.mark("a", [key("web"), key("web"), key("db")])
    dirty.mark("b", [key("web")])
    dirty.mark_many([key("db"), key("db")])
    assert len([*dirty.gather()]) == 2
    assert sorted(taken(dirty)) == ["db", "web"]
    assert not dirty


def test_clusters_take_turns() -> None:
    """What one cluster changes waits for one service of each other, in the order in which each was marked."""
    dirty = Dirty()
    dirty.mark_many(key(f"m{number}") for number in range(3))
    assert len([*dirty.gather()]) == 3
    dirty.mark("flood", [key(f"f{number}") for number in range(3)])
    assert dirty.take() == key("m0")
    dirty.mark("well", [key("w0")])
    assert taken(dirty) == ["f0", "m1", "w0", "f1", "m2", "f2"]


def test_many_are_gone_through_step_by_step() -> None:
    """Marking them costs nothing; each step looks at one, and until all have been seen there are many left."""
    seen: list[str] = []

    def many() -> Iterator[ServiceKey]:
        for number in range(1000):
            seen.append(str(number))
            yield key(str(number))

    dirty = Dirty()
    dirty.mark_many(many())
    assert (seen, bool(dirty), dirty.has_many, dirty.take()) == ([], True, True, None)
    steps = dirty.gather()
    next(steps)
    assert seen == ["0"]
    assert key("0") in dirty
    assert dirty.take() == key("0")
    assert len([*dirty.gather()]) == 999, "it goes on where it was left"
    assert len(taken(dirty)) == 999
    assert not dirty.has_many


def test_what_is_marked_again_after_it_was_taken_comes_again() -> None:
    """It has changed once more."""
    dirty = Dirty()
    dirty.mark("a", [key("web")])
    assert dirty.take() == key("web")
    dirty.mark("a", [key("web")])
    assert taken(dirty) == ["web"]
