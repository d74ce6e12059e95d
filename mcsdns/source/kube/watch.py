"""
The reflector's state machine: what it concludes from what it has just seen, and what it does next. Pure.

| phase          | seen                            | emits            | next phase | then        | after    |
|----------------|---------------------------------|------------------|------------|-------------|----------|
| EMPTY          | Page, more to come              | INIT ITEMS       | LISTING    | List(token) | NOW      |
| EMPTY          | Page, the last                  | INIT ITEMS DONE  | WATCHING   | Watch(rv)   | NOW      |
| LISTING        | Page, more to come              | ITEMS            | LISTING    | List(token) | NOW      |
| LISTING        | Page, the last                  | ITEMS DONE       | WATCHING   | Watch(rv)   | NOW      |
| EMPTY, LISTING | Page, the last, doubtful (1)    |                  | EMPTY      | List        | CONFIRM  |
| EMPTY, LISTING | Absent, never listed            | INIT DONE        | EMPTY      | List        | ABSENT   |
| EMPTY, LISTING | Absent, listed before (2)       |                  | EMPTY      | List        | ABSENT   |
| EMPTY, LISTING | Doomed                          |                  | EMPTY      | List        | ABSENT   |
| EMPTY, LISTING | Denied, nothing told yet        | INIT PARTIAL     | EMPTY      | List        | as below |
| EMPTY, LISTING | Denied                          |                  | EMPTY      | List        | as below |
| EMPTY, LISTING | Gone, Failed                    |                  | EMPTY      | List        | BACKOFF  |
| EMPTY          | Failed, first of a check (3)    |                  | WATCHING   | Watch(rv)   | BACKOFF  |
| WATCHING       | Progress                        |                  | WATCHING   | Watch(rv)   | NOW      |
| WATCHING       | Bookmark                        |                  | WATCHING   | Watch(rv)   | NOW      |
| WATCHING       | Bookmark that lies behind (4)   |                  | EMPTY      | List        | BACKOFF  |
| WATCHING       | Ended                           |                  | WATCHING   | Watch(rv)   | NOW      |
| WATCHING       | Ended, early (5)                |                  | WATCHING   | Watch(rv)   | BACKOFF  |
| WATCHING       | Silent                          |                  | WATCHING   | Watch(rv)   | NOW      |
| WATCHING       | Failed                          |                  | WATCHING   | Watch(rv)   | BACKOFF  |
| WATCHING       | Denied                          |                  | WATCHING   | Watch(rv)   | as below |
| any            | Denied, the first times (7)     | as above         | as above   | as above    | BACKOFF  |
| any            | Denied, again and again         | as above         | as above   | as above    | DENIED   |
| WATCHING       | Gone, Unreadable, Absent (6)    |                  | EMPTY      | List        | BACKOFF  |
| WATCHING       | Doomed (2)                      |                  | EMPTY      | List        | ABSENT   |
| WATCHING       | CheckDue                        |                  | EMPTY      | List        | NOW      |
| any            | Failed, worth trying at once    | as above         | as above   | as above    | NOW      |

1. Nothing, or less than half of more than 20, where there was something: a second list decides.
2. The CRD was deleted, or is being deleted: what it held is kept, and it is said.
3. The stream was well, so a list that only checks, and of which nothing has been told, does not stop it.
4. The server's data is older than what we have seen from it: etcd was restored.
5. Sooner than a healthy one ever does: it would turn into a loop of requests.
6. An event longer than the buffer would come again and again, and a list has no such limit. A version that is not
   served any more leaves its place to another, which the list finds.
7. An API server that starts denies everything for a second or two, until it has read its own roles.

Rules:
1. Old data serve until `InitDone`; a second `Init` without one between discards what the first began.
2. A resource version moves forwards only. It is compared as a number where it is one, and is opaque otherwise.
3. A list asks for no resource version, so it is never older than what was seen (a restored etcd apart).

Not here: its words (`turn`), requests, decoding, delays in seconds (`reflector`).

Source: Kubernetes API concepts, "Efficient detection of changes"; client-go `tools/cache/reflector.go`; watching.md.
"""

from __future__ import annotations

from typing import Final

from msgspec.structs import replace

from mcsdns.source.kube.turn import (
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
    Turn,
    Unreadable,
    Watch,
)

DENIED_AT_FIRST: Final = 4
"""Denials in a row that may be those of an API server that starts; with the back-off they are over within some ten seconds."""


def step(state: State, seen: Seen) -> Turn:
    """
    Conclude from what was seen. Total: every phase has an answer to everything.

    Args:
        state: What is remembered.
        seen: What just happened to the request that the last turn asked for.

    Returns:
        As the table of this module says.
    """
    if state.phase is Phase.WATCHING:
        return _step_watching(state, seen)
    match seen:
        case Page():
            return _step_page(state, seen)
        case Absent():
            emits = (Emit.INIT, Emit.DONE) if state.told in {Told.NOTHING, Told.PARTIAL} else ()
            told = Told.ABSENT if emits else state.told
            return Turn(_empty(state, "absent", told), emits, List(), After.ABSENT)
        case Doomed():
            return Turn(_empty(state, "absent"), (), List(), After.ABSENT)
        case Denied():
            emits = (Emit.INIT, Emit.PARTIAL) if state.told is Told.NOTHING else ()
            told = Told.PARTIAL if emits else state.told
            return Turn(_denied(_empty(state, "denied", told)), emits, List(), _after_denial(state))
        case Failed(is_worth_trying_at_once=at_once):
            after = After.NOW if at_once else After.BACKOFF
            if state.reason == "check" and state.phase is Phase.EMPTY and not state.is_confirming:
                return Turn(replace(state, phase=Phase.WATCHING), (), Watch(state.rv), after)
            return Turn(_broken_off(state), (), List(), after)
        case _:
            return Turn(_broken_off(state), (), List(), After.BACKOFF)


def is_behind(rv: str, other: str) -> bool:
    """Tell whether a resource version is older than another; never where they are not numbers."""
    return rv.isdecimal() and other.isdecimal() and int(rv) < int(other)


def is_doubtful(objects: int, had: int) -> bool:
    """Tell whether a list misses so much of what was known that a second one must confirm it."""
    return (objects == 0 and had > 0) or (had > 20 and objects * 2 < had)


def _step_page(state: State, page: Page) -> Turn:
    """Take a page of a list."""
    is_first = state.phase is Phase.EMPTY
    emits: tuple[Emit, ...] = (Emit.INIT, Emit.ITEMS) if is_first else (Emit.ITEMS,)
    listed = page.objects + (0 if is_first else state.listed)
    list_rv = page.rv if is_first else state.list_rv
    if page.token:
        listing = replace(state, phase=Phase.LISTING, list_rv=list_rv, listed=listed, denied=0)
        return Turn(listing, emits, List(page.token), After.NOW)
    if is_doubtful(listed, page.had) and not state.is_confirming:
        return Turn(replace(_empty(state, state.reason), is_confirming=True), (), List(), After.CONFIRM)
    watching = State(phase=Phase.WATCHING, reason=state.reason, rv=list_rv, told=Told.LISTED)
    return Turn(watching, (*emits, Emit.DONE), Watch(list_rv), After.NOW)


def _step_watching(state: State, seen: Seen) -> Turn:
    """Take what came of a watch."""
    match seen:
        case Progress(rv=rv) | Bookmark(rv=rv):
            if not is_behind(rv, state.rv):
                return Turn(replace(state, rv=rv, denied=0), (), Watch(rv), After.NOW)
            if isinstance(seen, Progress):
                return Turn(state, (), Watch(state.rv), After.NOW)
            return Turn(_empty(state, "restored"), (), List(), After.BACKOFF)
        case Ended(is_early=True):
            return Turn(replace(state, denied=0), (), Watch(state.rv), After.BACKOFF)
        case Ended() | Silent() | Page():
            return Turn(replace(state, denied=0), (), Watch(state.rv), After.NOW)
        case Failed(is_worth_trying_at_once=at_once):
            return Turn(state, (), Watch(state.rv), After.NOW if at_once else After.BACKOFF)
        case Denied():
            return Turn(_denied(state), (), Watch(state.rv), _after_denial(state))
        case Doomed():
            return Turn(_empty(state, "absent"), (), List(), After.ABSENT)
        case CheckDue():
            return Turn(_empty(state, "check"), (), List(), After.NOW)
        case Gone() | Unreadable() | Absent():
            reason = {Gone: "gone", Unreadable: "unreadable", Absent: "version"}[type(seen)]
            return Turn(_empty(state, reason), (), List(), After.BACKOFF)


def _broken_off(state: State) -> State:
    """Begin the list again. A check of which something has been told has to be ended, so it is no mere check now."""
    return _empty(state, "interrupted" if state.reason == "check" else state.reason)


def _empty(state: State, reason: str, told: Told | None = None) -> State:
    """Begin a list anew, and forget the one under way."""
    return State(reason=reason, rv=state.rv, told=told or state.told, denied=state.denied)


def _denied(state: State) -> State:
    """Count a denial."""
    return replace(state, denied=state.denied + 1)


def _after_denial(state: State) -> After:
    """Tell how long to wait: roles are repaired by people, in minutes, but an API server that starts needs seconds."""
    return After.BACKOFF if state.denied < DENIED_AT_FIRST else After.DENIED
