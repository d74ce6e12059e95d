"""What is said of quotas: in the log, and to whoever shows them."""

from __future__ import annotations

from structlog.testing import capture_logs

from mcsdns.config import Quotas
from mcsdns.source.events import Resource
from mcsdns.source.quota import Entry, Quota
from mcsdns.source.refusals import Refusal, Refusals
from mcsdns.source.table import Table

QUOTAS = Quotas(names=2, endpoints_per_name=5, endpoints=7)


def table(resource: Resource, *entries: Entry) -> Table:
    made = Table(resource, QUOTAS)
    for entry in entries:
        made.put(entry)
    return made


def names(count: int) -> list[Entry]:
    return [Entry("demo", f"n{number}", number) for number in range(count)]


def test_a_transition_is_said_once() -> None:
    """One WARNING when a quota begins to refuse, whatever number of resources it refuses; one INFO when it ends."""
    refusals = Refusals("west", QUOTAS)
    with capture_logs() as log:
        refusals.take(table(Resource.SERVICE_IMPORTS, *names(2)))
        refusals.take(table(Resource.SERVICE_IMPORTS, *names(4)))
        refusals.take(table(Resource.SERVICE_EXPORTS, *names(3)))
        refusals.take(table(Resource.SERVICE_IMPORTS))
        assert len(log) == 1
        refusals.take(table(Resource.SERVICE_EXPORTS))
    first, last = log
    assert (first["event"], first["log_level"], first["cluster"]) == ("quota exceeded", "warning", "west")
    assert (first["quota"], first["limit"], first["refused"]) == ("names", 2, 2)
    assert first["among"] == ("demo/n2", "demo/n3")
    assert (last["event"], last["log_level"], last["quota"]) == ("quota kept again", "info", "names")


def test_what_is_shown() -> None:
    """How much is used, by whoever uses most, how much is refused, and of what."""
    refusals = Refusals("west", QUOTAS)
    refusals.take(table(Resource.SERVICE_IMPORTS, *names(1)))
    refusals.take(table(Resource.SERVICE_EXPORTS, *names(3)))
    refusals.take(table(Resource.ENDPOINT_SLICES, Entry("demo", "s", 0, 0, 3, 1), Entry("demo", "t", 0, 0, 4, 2)))
    assert [refusals.used(quota) for quota in Quota] == [2, 4, 7, None]
    assert [refusals.refused(quota) for quota in Quota] == [1, 0, 0, 0]
    assert [refusals.limit(quota) for quota in Quota] == [2, 5, 7, 1_500_000]
    assert list(refusals) == [Refusal("west", Resource.SERVICE_EXPORTS, Quota.NAMES, 2, 1, ("demo/n2",))]
