"""unsynced, synced, stale: the state of a connection follows from facts."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from structlog.testing import capture_logs

from mcsdns.source.events import Resource
from mcsdns.source.health import OTHER_CLUSTER, Health, State

SLICES = Resource.ENDPOINT_SLICES


class Clock:
    """A clock that is set."""

    now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def log() -> Iterator[list[Any]]:
    with capture_logs() as lines:
        yield lines


@pytest.fixture
def health(clock: Clock) -> Health:
    return Health("west", clock)


def hear_all(health: Health) -> None:
    for resource in Resource:
        health.listed(resource, "start")


def test_unsynced_until_every_resource_is_listed(health: Health, log: list[Any]) -> None:
    """A cluster is unsynced until every resource has been listed once; the transition is one line in the log."""
    for resource in Resource:
        assert health.state is State.UNSYNCED
        assert not log
        health.listed(resource, "start")
    assert health.state is State.SYNCED
    (line,) = log
    assert (line["event"], line["cluster"], line["log_level"]) == ("cluster synced", "west", "info")


def test_a_broken_stream_before_the_first_list_leaves_it_unsynced(health: Health, log: list[Any]) -> None:
    """What has never been heard is unsynced and not stale: there is no data to serve."""
    health.broken(SLICES, "timeout", "no answer for 10 s")
    assert health.state is State.UNSYNCED
    assert health.cause == "endpointslices: no answer for 10 s"
    assert not log


def test_a_broken_stream_makes_it_stale_and_back(health: Health, clock: Clock, log: list[Any]) -> None:
    """synced → stale → synced: one WARNING when it goes stale, one INFO when it is back, nothing for retries."""
    hear_all(health)
    log.clear()
    clock.now = 160.0
    for _ in range(5):
        health.broken(SLICES, "http_503", "HTTP 503")
        assert health.state is State.STALE
    clock.now = 200.0
    health.alive(SLICES)
    health.alive(SLICES)
    assert health.state is State.SYNCED
    assert [(line["log_level"], line["event"]) for line in log] == [
        ("warning", "cluster stale"),
        ("info", "cluster synced"),
    ]
    assert log[0]["error"] == "endpointslices: HTTP 503"
    assert log[1]["after_s"] == 40.0
    assert health.streams[SLICES].errors == {"http_503": 5}


def test_stale_until_every_stream_is_whole(health: Health) -> None:
    """One broken stream is enough to be stale."""
    hear_all(health)
    health.broken(SLICES, "timeout", "x")
    health.broken(Resource.SERVICE_IMPORTS, "timeout", "x")
    health.alive(SLICES)
    assert health.state == "stale"
    health.listed(Resource.SERVICE_IMPORTS, "gone")
    assert health.state == "synced"


def test_the_cause_is_what_is_still_broken(health: Health) -> None:
    """The cause is the last stream to break; one that is whole again is no cause."""
    hear_all(health)
    health.broken(SLICES, "http_503", "HTTP 503")
    health.broken(Resource.SERVICE_IMPORTS, "timeout", "no answer for 10 s")
    assert health.cause == "serviceimports: no answer for 10 s"
    health.alive(Resource.SERVICE_IMPORTS)
    assert health.cause == "endpointslices: HTTP 503"
    health.alive(SLICES)
    assert health.cause == "streams are whole again"


def test_another_cluster_is_the_first_cause(health: Health) -> None:
    """What the other cluster refuses is no news of ours: a person reads first that another one answers, until it does no more."""
    hear_all(health)
    health.broken(SLICES, OTHER_CLUSTER, "another cluster answers at this address")
    health.broken(Resource.CLUSTER_PROPERTIES, "http_429", "HTTP 429: storage is (re)initializing")
    assert health.cause == "endpointslices: another cluster answers at this address"
    assert "another cluster" in (health.trouble or "")
    health.broken(SLICES, "http_503", "HTTP 503")
    assert health.cause == "endpointslices: HTTP 503"


def test_what_is_unsynced_says_what_it_waits_for(health: Health) -> None:
    """Not heard yet, or what keeps it from being heard; that some of it has been listed is no cause."""
    health.listed(SLICES, "start")
    assert health.cause == "not heard yet"
    health.broken(Resource.SERVICE_IMPORTS, "http_403", "HTTP 403")
    health.listed(Resource.CLUSTER_PROPERTIES, "start")
    assert health.cause == "serviceimports: HTTP 403"


def test_an_unsynced_cluster_whose_stream_is_broken_is_stale_when_the_rest_is_listed(health: Health) -> None:
    """Listed once and broken since: stale as soon as all have been listed."""
    health.listed(SLICES, "start")
    health.broken(SLICES, "timeout", "x")
    for resource in Resource:
        if resource is not SLICES:
            health.listed(resource, "start")
    assert health.state is State.STALE
    assert health.cause == "endpointslices: x"


def test_relists_are_counted_by_reason(health: Health) -> None:
    """The first list is none; every further one counts under its reason."""
    for reason in ("start", "gone", "gone", "check"):
        health.listed(SLICES, reason)
    assert health.streams[SLICES].relists == {"gone": 2, "check": 1}


def test_ages_are_on_the_monotonic_clock(health: Health, clock: Clock) -> None:
    """The age of a stream is the time since its last sign of life; None before the first."""
    assert health.age_s(SLICES) is None
    clock.now = 110.0
    health.alive(SLICES)
    clock.now = 112.5
    assert health.age_s(SLICES) == 2.5
    assert health.for_s() == 12.5
    health.broken(SLICES, "timeout", "x")
    assert health.age_s(SLICES) == 2.5, "a failure is no sign of life"


def test_the_time_of_the_last_transition(health: Health, clock: Clock) -> None:
    """`for_s` starts anew with a transition and only then."""
    clock.now = 130.0
    hear_all(health)
    clock.now = 140.0
    health.listed(SLICES, "check")
    assert health.for_s() == 10.0


def test_faults_are_told_once_and_do_not_make_it_stale(health: Health, log: list[Any]) -> None:
    """What is wrong in what was read is told when it comes and when it goes, and is no outage."""
    hear_all(health)
    log.clear()
    health.faults({"a.yaml": "not valid YAML"})
    health.faults({"a.yaml": "not valid YAML"})
    health.faults({"a.yaml": "not valid YAML", "b.yaml": "x"})
    health.faults({"b.yaml": "x"})
    told = [(line["event"], line["what"]) for line in log]
    assert told == [("source fault", "a.yaml"), ("source fault", "b.yaml"), ("source fault gone", "a.yaml")]
    assert health.state is State.SYNCED
    assert health.problems == {"b.yaml": "x"}


def test_a_fault_that_changes_is_told_again(health: Health, log: list[Any]) -> None:
    """Another problem of the same file is news."""
    health.faults({"a.yaml": "one"})
    health.faults({"a.yaml": "two"})
    assert [line["problem"] for line in log] == ["one", "two"]


def test_a_resource_that_may_not_be_read_holds_no_other_up(health: Health) -> None:
    """`partial`: it counts as listed, and as broken, so the cluster is stale once the others are listed."""
    health.partial(SLICES, "http_403", "forbidden")
    for resource in Resource:
        if resource is not SLICES:
            health.listed(resource, "start")
    assert health.state is State.STALE
    assert health.streams[SLICES].errors == {"http_403": 1}


def test_a_failure_without_consequence_is_only_counted(health: Health) -> None:
    """`erred` counts, and changes no state."""
    hear_all(health)
    health.erred(SLICES, "eof")
    assert health.state is State.SYNCED
    assert health.streams[SLICES].errors == {"eof": 1}


def test_each_transition_is_counted_by_what_made_it(health: Health, clock: Clock) -> None:
    """Coming into a state counts once, under its cause; a failure that changes no state counts as none."""
    hear_all(health)
    health.broken(SLICES, "http_503", "HTTP 503")
    health.broken(SLICES, "silent", "no byte for 90 s")
    clock.now += 7
    assert health.for_s() == 7
    health.alive(SLICES)
    assert health.for_s() == 0
    assert health.transitions == {
        (State.SYNCED, "listed"): 1,
        (State.STALE, "http_503"): 1,
        (State.SYNCED, "whole"): 1,
    }
