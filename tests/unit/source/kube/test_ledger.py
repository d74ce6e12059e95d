"""What a reflector has told, compared with a list."""

from mcsdns.config import Quotas
from mcsdns.source.events import Resource
from mcsdns.source.kube.ledger import Ledger
from mcsdns.source.objects import Metadata, ServiceImport


def meta(name: str, rv: str) -> ServiceImport:
    return ServiceImport(Metadata(name=name, namespace="demo", resource_version=rv, created=f"2026-01-01T00:00:0{rv}Z"))


def empty(names: int = 100) -> Ledger:
    return Ledger(Resource.SERVICE_IMPORTS, Quotas(names=names))


def listed(ledger: Ledger, rv: str, **versions: str) -> int:
    ledger.begin()
    for name, version in versions.items():
        ledger.list(meta(name, version))
    drift = sum(ledger.differences(rv))
    ledger.end()
    return drift


def test_no_drift() -> None:
    """What the watch told and what is newer than the watch is no drift."""
    ledger = empty()
    listed(ledger, "", a="1", b="2")
    ledger.apply(meta("a", "5"), is_new=False)
    ledger.apply(meta("c", "6"), is_new=True)
    assert ledger.delete(meta("b", "7"))
    assert not ledger.delete(meta("b", "7"))
    assert listed(ledger, "7", a="5", c="6", d="8") == 0
    assert len(ledger) == 3


def test_drift() -> None:
    """Changed, added and deleted behind the watch's back."""
    ledger = empty()
    listed(ledger, "", same="1", changed="2", deleted="3")
    assert listed(ledger, "9", same="1", changed="4", added="5") == 3


def test_a_list_that_broke_off_is_forgotten() -> None:
    """`begin` starts anew, and nothing is known of a list before its end."""
    ledger = empty()
    ledger.begin()
    ledger.list(meta("a", "1"))
    assert len(ledger) == 0
    listed(ledger, "", b="2")
    assert len(ledger) == 1


def test_what_a_quota_refuses_is_no_drift() -> None:
    """Neither what was refused before and fits now, nor what fitted and is refused now, did the watch fail to tell."""
    ledger = empty(names=2)
    listed(ledger, "", a="1", b="2", c="3")
    assert len(ledger) == 2
    assert ledger.delete(meta("a", "1"))
    assert listed(ledger, "9", b="2", c="3") == 0
    assert listed(ledger, "9", a="1", b="2", c="3") == 1, "the one that the watch should have told"
    assert listed(ledger, "9", a="1", b="2", c="3") == 0


def test_what_a_list_lacks() -> None:
    """What is known and in none of its pages, be they told already or the last one; what is new makes no difference."""
    ledger = empty()
    assert not ledger.misses([], is_first=True)
    listed(ledger, "", a="1", b="2")
    assert ledger.misses([meta("a", "1")], is_first=True)
    assert not ledger.misses([meta("a", "5"), meta("b", "2"), meta("c", "6")], is_first=True)
    ledger.begin()
    ledger.list(meta("a", "1"))
    assert not ledger.misses([meta("b", "2")], is_first=False)
    assert ledger.misses([meta("c", "3")], is_first=False)
