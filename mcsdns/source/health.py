"""
How it stands with the connection to one member cluster: unsynced, synced or stale.

| state    | meaning                                              | what is answered from it            |
|----------|------------------------------------------------------|-------------------------------------|
| unsynced | not every resource has been listed once              | nothing; negatives are held back    |
| synced   | every resource has been listed and is being followed | what it says                        |
| stale    | it was synced, and a stream is broken                | what it last said                   |

Rules:
1. A source reports facts (`listed`, `alive`, `broken`); the state follows from them.
2. The log gets a line for a transition, never for a retry.
3. While streams are broken, the cause is the last of them to break. That another cluster answers goes before all else:
   what that one refuses, or does not serve, says nothing of the one that is followed.

Not here: what the objects are, and whether the server is ready.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from enum import StrEnum
from typing import Final

import structlog

from mcsdns.config import Quotas
from mcsdns.source.events import Resource
from mcsdns.source.refusals import Refusals

OTHER_CLUSTER: Final = "other_cluster"
"""The code of a stream that is broken because another cluster answers."""


class State(StrEnum):
    """The state of one member cluster."""

    UNSYNCED = "unsynced"
    SYNCED = "synced"
    STALE = "stale"


class Stream:
    """
    What is known of one resource's stream.

    Attributes:
        is_listed: The resource has been listed once.
        problem: Why the stream is broken, or None while it is not.
        heard_at: When the last byte or scan came, on the monotonic clock; None before the first.
        relists: How often the resource was listed again, by reason.
        errors: How often the stream broke, by code (`http_503`, `timeout`, …: a bounded set).
        skipped: How many objects had not even a name, and so could not be told.
        drift: How many differences lists found to what the watch had told: it should be none.
        version: The API group and version that it is read as; None where the server serves none, and before that is known.
    """

    __slots__ = ("drift", "errors", "heard_at", "is_listed", "problem", "relists", "skipped", "version")

    def __init__(self) -> None:
        self.is_listed = False
        self.problem: str | None = None
        self.heard_at: float | None = None
        self.relists: dict[str, int] = {}
        self.errors: dict[str, int] = {}
        self.skipped = 0
        self.drift = 0
        self.version: str | None = None


class Health:
    """
    The state of one member cluster, from what its source reports.

    Args:
        cluster: The configured name.
        clock: The monotonic clock, in seconds.
        quotas: How much of it is taken in.

    Attributes:
        refusals: What of it is refused, because it is more than that.
        uid: What tells the cluster apart for life (the UID of its namespace kube-system); None where that is not known.
        expiries: Tells when credentials end, in seconds since 1970, by kind; a source that has none tells nothing.
        uid_problem: Why `uid` is not known or cannot be confirmed, or None.
        transitions: How often it came into a state, by state and cause: `listed`, `whole`, or the code of what broke.
    """

    def __init__(self, cluster: str, clock: Callable[[], float] = time.monotonic, quotas: Quotas | None = None) -> None:
        self.cluster = cluster
        self.refusals = Refusals(cluster, quotas or Quotas())
        self.streams = {resource: Stream() for resource in Resource}
        self.state = State.UNSYNCED
        self.problems: dict[str, str] = {}
        self.transitions: dict[tuple[State, str], int] = {}
        self.uid: str | None = None
        self.uid_problem: str | None = None
        self.expiries: Callable[[], Mapping[str, float]] = dict
        self._broken: dict[Resource, tuple[str, str]] = {}  # code and problem, the last to break last
        self._came_by = ""
        self._clock = clock
        self._log = structlog.get_logger().bind(cluster=cluster)
        self.since = clock()

    def alive(self, resource: Resource) -> None:
        """Note that something came from the stream of `resource`, even if nothing changed."""
        stream = self.streams[resource]
        stream.heard_at = self._clock()
        if stream.problem is not None:
            stream.problem = None
            del self._broken[resource]
            self._settle("whole", "streams are whole again")

    def listed(self, resource: Resource, reason: str) -> None:
        """
        Note that `resource` has been listed.

        Args:
            resource: What was listed.
            reason: Why, from a bounded set: `start`, `gone`, `changed`, `check`, …
        """
        stream = self.streams[resource]
        if stream.is_listed:
            stream.relists[reason] = stream.relists.get(reason, 0) + 1
        stream.is_listed = True
        self.alive(resource)
        self._settle("listed", "every resource has been listed")

    def reads(self, resource: Resource, version: str | None) -> None:
        """Note as which API group and version `resource` is read; None: the server serves none that can be read."""
        self.streams[resource].version = version

    def broken(self, resource: Resource, code: str, problem: str) -> None:
        """
        Note that the stream of `resource` is broken.

        Args:
            resource: Whose stream.
            code: What kind of failure, from a bounded set: it is a label of a metric.
            problem: What happened, for people; without secrets.
        """
        stream = self.streams[resource]
        stream.errors[code] = stream.errors.get(code, 0) + 1
        stream.problem = problem
        self._broken.pop(resource, None)
        self._broken[resource] = (code, f"{resource}: {problem}")
        self._settle(code, "")

    def identified(self, uid: str) -> None:
        """Note which cluster answers."""
        self.uid, self.uid_problem = uid, None

    def unidentified(self, problem: str) -> None:
        """Note that it cannot be told which cluster answers, and why. That makes nothing stale."""
        self.uid_problem = problem

    def faults(self, problems: Mapping[str, str]) -> None:
        """
        Note what is wrong in what was read, without making the cluster stale.

        Args:
            problems: All of it, by the file or object that it is about.
        """
        for what, problem in problems.items():
            if self.problems.get(what) != problem:
                self._log.warning("source fault", what=what, problem=problem)
        for what in self.problems.keys() - problems.keys():
            self._log.info("source fault gone", what=what)
        self.problems = dict(problems)

    def partial(self, resource: Resource, code: str, problem: str) -> None:
        """
        Note that `resource` cannot be read, but that this must not hold the others up: it counts as listed, and as broken.

        Args:
            resource: Whose stream.
            code: As for `broken`.
            problem: As for `broken`.
        """
        self.streams[resource].is_listed = True
        self.broken(resource, code, problem)

    def erred(self, resource: Resource, code: str) -> None:
        """Count a failure that has no consequence, because the stream is resumed at once where it was."""
        errors = self.streams[resource].errors
        errors[code] = errors.get(code, 0) + 1

    def age_s(self, resource: Resource) -> float | None:
        """Return the seconds since the last sign of life of `resource`, or None before the first."""
        heard_at = self.streams[resource].heard_at
        return None if heard_at is None else self._clock() - heard_at

    @property
    def cause(self) -> str:
        """Why it is in its state, in words."""
        if self._broken:
            broken = list(self._broken.values())
            return next((problem for code, problem in broken if code == OTHER_CLUSTER), broken[-1][1])
        return "not heard yet" if self.state is State.UNSYNCED else self._came_by

    @property
    def trouble(self) -> str | None:
        """Why it is not followed just now, in words; None where it is."""
        match self.state:
            case State.STALE:
                return f"stale for {self.for_s():.0f} s ({self.cause}): what it last said is served"
            case State.UNSYNCED:
                return f"unsynced for {self.for_s():.0f} s: {self.cause}"
        return None

    def for_s(self) -> float:
        """Return the seconds since the last transition."""
        return self._clock() - self.since

    def _settle(self, code: str, came_by: str) -> None:
        """Work out the state and, where it changed, say so once, with what brought it about where no stream is broken."""
        streams = self.streams.values()
        if not all(stream.is_listed for stream in streams):
            state = State.UNSYNCED
        elif self._broken:
            state = State.STALE
        else:
            state = State.SYNCED
        if state is self.state:
            return
        was_for_s, self.since = self.for_s(), self._clock()
        self.state, self._came_by = state, came_by
        self.transitions[state, code] = self.transitions.get((state, code), 0) + 1
        if state is State.STALE:
            self._log.warning("cluster stale", error=self.cause, serving="last known data")
        else:
            self._log.info("cluster synced", after_s=round(was_for_s, 3), cause=self.cause)
