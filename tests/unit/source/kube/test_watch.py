"""The reflector's state machine: one case for each row of its table."""

from typing import NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from mcsdns.source.kube.turn import (
    START,
    Absent,
    After,
    Bookmark,
    CheckDue,
    Denied,
    Doomed,
    Emit,
    Ended,
    Failed,
    Gone,
    List,
    Page,
    Phase,
    Progress,
    Seen,
    Silent,
    State,
    Told,
    Unreadable,
    Watch,
)
from mcsdns.source.kube.watch import is_behind, is_doubtful, step

EMPTY, LISTING, WATCHING = Phase.EMPTY, Phase.LISTING, Phase.WATCHING
INIT, ITEMS, DONE, PARTIAL = Emit.INIT, Emit.ITEMS, Emit.DONE, Emit.PARTIAL

listing = State(phase=LISTING, list_rv="90", listed=500)
listed = State(told=Told.LISTED, reason="gone", rv="80")
watching = State(phase=WATCHING, rv="100", told=Told.LISTED)
checking = State(reason="check", rv="100", told=Told.LISTED)
mid_check = State(phase=LISTING, reason="check", rv="100", told=Told.LISTED, list_rv="110", listed=500)
confirming = State(is_confirming=True, told=Told.LISTED, reason="gone")


class Case(NamedTuple):
    """A row: what is so, what is seen, and what must follow."""

    rule: str
    state: State
    seen: Seen
    emits: tuple[Emit, ...]
    phase: Phase
    then: List | Watch
    after: After
    reason: str | None = None


CASES = [
    Case("a list of one page", START, Page("90", "", 3, 0), (INIT, ITEMS, DONE), WATCHING, Watch("90"), After.NOW),
    Case("a first page", START, Page("90", "t", 500, 0), (INIT, ITEMS), LISTING, List("t"), After.NOW),
    Case("a page in the middle", listing, Page("90", "u", 500, 0), (ITEMS,), LISTING, List("u"), After.NOW),
    Case("the last page", listing, Page("90", "", 3, 0), (ITEMS, DONE), WATCHING, Watch("90"), After.NOW),
    Case("the rv is the first page's", listing, Page("95", "", 3, 0), (ITEMS, DONE), WATCHING, Watch("90"), After.NOW),
    Case("an empty cluster", START, Page("90", "", 0, 0), (INIT, ITEMS, DONE), WATCHING, Watch("90"), After.NOW),
    Case("suddenly empty", listed, Page("90", "", 0, 1), (), EMPTY, List(), After.CONFIRM),
    Case("over half is missing", listed, Page("90", "", 10, 21), (), EMPTY, List(), After.CONFIRM),
    Case("few of few", listed, Page("90", "", 1, 20), (INIT, ITEMS, DONE), WATCHING, Watch("90"), After.NOW),
    Case("confirmed", confirming, Page("91", "", 0, 30), (INIT, ITEMS, DONE), WATCHING, Watch("91"), After.NOW),
    Case("410 on a token", listing, Gone(), (), EMPTY, List(), After.BACKOFF, "start"),
    Case("an outage at start", START, Failed(), (), EMPTY, List(), After.BACKOFF, "start"),
    Case("an outage in a list", listing, Failed(), (), EMPTY, List(), After.BACKOFF, "start"),
    Case("a check that fails", checking, Failed(), (), WATCHING, Watch("100"), After.BACKOFF),
    Case("a check that breaks off", mid_check, Failed(), (), EMPTY, List(), After.BACKOFF, "interrupted"),
    Case("no CRD", START, Absent(), (INIT, DONE), EMPTY, List(), After.ABSENT, "absent"),
    Case("still no CRD", State(told=Told.ABSENT), Absent(), (), EMPTY, List(), After.ABSENT),
    Case("denied, then no CRD", State(told=Told.PARTIAL), Absent(), (INIT, DONE), EMPTY, List(), After.ABSENT),
    Case("the CRD was deleted", listed, Absent(), (), EMPTY, List(), After.ABSENT),
    Case("the CRD is being deleted", listed, Doomed(), (), EMPTY, List(), After.ABSENT, "absent"),
    Case("it is, at the end of a list", mid_check, Doomed(), (), EMPTY, List(), After.ABSENT, "absent"),
    Case("it is, while we watch", watching, Doomed(), (), EMPTY, List(), After.ABSENT, "absent"),
    Case("403 at start", START, Denied(), (INIT, PARTIAL), EMPTY, List(), After.BACKOFF, "denied"),
    Case("403 again", State(told=Told.PARTIAL, denied=3), Denied(), (), EMPTY, List(), After.BACKOFF),
    Case("403 again and again", State(told=Told.PARTIAL, denied=4), Denied(), (), EMPTY, List(), After.DENIED),
    Case("403 after a list", listed, Denied(), (), EMPTY, List(), After.BACKOFF),
    Case("401, new credentials", START, Failed(is_worth_trying_at_once=True), (), EMPTY, List(), After.NOW),
    Case("an event", watching, Progress("101"), (), WATCHING, Watch("101"), After.NOW),
    Case("an old event", watching, Progress("99"), (), WATCHING, Watch("100"), After.NOW),
    Case("a bookmark", watching, Bookmark("120"), (), WATCHING, Watch("120"), After.NOW),
    Case("etcd was restored", watching, Bookmark("50"), (), EMPTY, List(), After.BACKOFF, "restored"),
    Case("the watch ends", watching, Ended(is_early=False), (), WATCHING, Watch("100"), After.NOW),
    Case("it ends at once", watching, Ended(is_early=True), (), WATCHING, Watch("100"), After.BACKOFF),
    Case("silence", watching, Silent(), (), WATCHING, Watch("100"), After.NOW),
    Case("an outage", watching, Failed(), (), WATCHING, Watch("100"), After.BACKOFF),
    Case("a token rotated", watching, Failed(is_worth_trying_at_once=True), (), WATCHING, Watch("100"), After.NOW),
    Case("the API server was restarted", watching, Denied(), (), WATCHING, Watch("100"), After.BACKOFF),
    Case("RBAC changed", replace(watching, denied=4), Denied(), (), WATCHING, Watch("100"), After.DENIED),
    Case("410", watching, Gone(), (), EMPTY, List(), After.BACKOFF, "gone"),
    Case("an event too long", watching, Unreadable(), (), EMPTY, List(), After.BACKOFF, "unreadable"),
    Case("the version is gone", watching, Absent(), (), EMPTY, List(), After.BACKOFF, "version"),
    Case("time to check", watching, CheckDue(), (), EMPTY, List(), After.NOW, "check"),
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.rule)
def test_step(case: Case) -> None:
    """The table of `watch`, row by row."""
    turn = step(case.state, case.seen)
    assert (turn.emits, turn.state.phase, turn.then, turn.after) == (case.emits, case.phase, case.then, case.after)
    if case.reason is not None:
        assert turn.state.reason == case.reason


SEEN = st.one_of(
    st.builds(Page, st.sampled_from(["90", "110"]), st.sampled_from(["", "t"]), st.integers(0, 40), st.integers(0, 40)),
    st.builds(Progress, st.sampled_from(["", "99", "101", "opaque"])),
    st.builds(Bookmark, st.sampled_from(["99", "101"])),
    st.builds(Ended, st.booleans()),
    st.builds(Failed, st.booleans()),
    st.sampled_from([Silent(), Gone(), Unreadable(), Absent(), Denied(), CheckDue()]),
)


@given(st.lists(SEEN, max_size=30))
def test_whatever_is_seen_the_sink_can_follow(seen: list[Seen]) -> None:
    """Items stand between Init and InitDone, what was told as a whole stays told, and a watch has no list open."""
    state, is_open, was_done = START, False, False
    for one in seen:
        before = state
        turn = step(state, one)
        state = turn.state
        for emit in turn.emits:
            if emit is INIT:
                is_open = True
            else:
                assert is_open
                if emit is not ITEMS:
                    is_open, was_done = False, True
        assert not (state.phase is WATCHING and is_open)
        assert isinstance(turn.then, Watch) == (state.phase is WATCHING)
        assert was_done == (state.told is not Told.NOTHING)
        assert before.told is Told.NOTHING or state.told is not Told.NOTHING


@pytest.mark.parametrize(
    ("rv", "other", "expected"),
    [("9", "10", True), ("10", "9", False), ("9", "9", False), ("x", "9", False), ("", "9", False)],
)
def test_a_resource_version_is_opaque_unless_it_is_a_number(rv: str, other: str, expected: bool) -> None:
    """It is compared as a number where it is one."""
    assert is_behind(rv, other) is expected


@pytest.mark.parametrize(
    ("objects", "had", "expected"),
    [(0, 0, False), (0, 1, True), (1, 20, False), (10, 21, True), (11, 21, False), (50, 20, False)],
)
def test_a_list_is_doubtful(objects: int, had: int, expected: bool) -> None:
    """Nothing where there was something, or less than half of more than 20."""
    assert is_doubtful(objects, had) is expected
