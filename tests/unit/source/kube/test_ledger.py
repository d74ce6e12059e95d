"""What a reflector has told, compared with a list."""

from mcsdns.source.kube.ledger import Ledger
from mcsdns.source.objects import Metadata


def meta(name: str, rv: str) -> Metadata:
    return Metadata(name=name, namespace="demo", resource_version=rv)


def listed(ledger: Ledger, rv: str, **versions: str) -> int:
    ledger.begin()
    for name, version in versions.items():
        ledger.list(meta(name, version))
    return ledger.end(rv)


def test_no_drift() -> None:
    """What the watch told and what is newer than the watch is no drift."""
    ledger = Ledger()
    listed(ledger, "", a="1", b="2")
    ledger.apply(meta("a", "5"))
    ledger.apply(meta("c", "6"))
    assert ledger.delete(meta("b", "7"))
    assert not ledger.delete(meta("b", "7"))
    assert listed(ledger, "7", a="5", c="6", d="8") == 0
    assert len(ledger) == 3


def test_drift() -> None:
    """Changed, added and deleted behind the watch's back."""
    ledger = Ledger()
    listed(ledger, "", same="1", changed="2", deleted="3")
    assert listed(ledger, "9", same="1", changed="4", added="5") == 3


def test_a_list_that_broke_off_is_forgotten() -> None:
    """`begin` starts anew, and nothing is known of a list before its end."""
    ledger = Ledger()
    ledger.begin()
    ledger.list(meta("a", "1"))
    assert len(ledger) == 0
    listed(ledger, "", b="2")
    assert len(ledger) == 1
