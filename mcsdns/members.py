"""
The member clusters of a running server, as the configuration lets them come and go.

| a cluster              | what is done                                                                                        |
|------------------------|-----------------------------------------------------------------------------------------------------|
| is added               | its source runs; until it has been heard, negatives are held back, as at a start                    |
| is removed             | its source is ended; what it contributed leaves in one update of each view                          |
| has another source     | a second member runs beside it, and takes its place when it has been heard whole; until then the first |
|                        | goes on serving. One that was never heard has nothing to serve: the new one takes its place at once |
| has another id         | the same mirror, under the new id                                                                   |

Rules:
1. What is to be so is settled here at once. The builder takes it over between two batches (`Builder.compose`).
2. The events of a member count while it is in place. Those of one that is gone are dropped, those of one that is to come stay its own.
3. The sync deadline of a cluster counts from when it was added.

Not here: what is to change (`mcsdns.configchange`), and when (`mcsdns.reload`).
"""

from __future__ import annotations

import asyncio
import time

import structlog
from msgspec.structs import replace

from mcsdns.admin.state import ServerState
from mcsdns.assembly import Assembly, Member
from mcsdns.builder import Builder, Composition
from mcsdns.config import Cluster
from mcsdns.configchange import Change, source
from mcsdns.source.events import Event, Sink

_TICK_S = 0.01
"""Seconds that a timer is set late: one of uvloop may fire a millisecond or two early, and what it waited for must be past."""


class Members:
    """
    Runs the members of an assembly, and changes them.

    Args:
        assembly: Holds the members that are in place.
        builder: Builds from them.
        state: Shows them.
    """

    def __init__(self, assembly: Assembly, builder: Builder, state: ServerState) -> None:
        self._assembly = assembly
        self._builder = builder
        self._state = state
        self._coming: dict[str, Member] = {}
        self._running: dict[Member, asyncio.Task[None]] = {}
        self._group: asyncio.TaskGroup | None = None
        self._timers: list[asyncio.TimerHandle] = []
        self._told_late: set[Member] = set()
        self._log = structlog.get_logger()
        self._show()

    def start(self, group: asyncio.TaskGroup) -> None:
        """Run the source of each member in a task group of the caller's."""
        self._group = group
        self._settle()

    def stop(self) -> None:
        """End every source."""
        for timer in self._timers:
            timer.cancel()
        for task in self._running.values():
            task.cancel()

    def apply(self, change: Change) -> None:
        """Make the members, and what is built of them, what a configuration asks for. One that was still to come is dropped."""
        members: list[Member] = []
        coming: dict[str, Member] = {}
        for cluster in change.config.clusters:
            member = self._assembly.by_name.get(cluster.name)
            if member is None:
                member = Member(cluster)
            elif cluster.name not in change.replaced:
                member.cluster = cluster
            elif member.mirror.is_heard:
                coming[cluster.name] = self._successor(cluster)
                member.cluster = replace(member.cluster, optional=cluster.optional)
            else:
                member = Member(cluster)
            members.append(member)
        self._coming = coming
        self._assembly.take(change.config, members)
        self._settle()

    def _successor(self, cluster: Cluster) -> Member:
        """Return the member that is to take a cluster's place: the one that is about to, if it has the source that is asked for."""
        member = self._coming.get(cluster.name)
        if member is None or source(member.cluster) != source(cluster):
            return Member(cluster)
        member.cluster = cluster
        return member

    def _take_place(self, member: Member) -> None:
        """Put a member in the place that it was to take."""
        del self._coming[member.name]
        members = [member if one.name == member.name else one for one in self._assembly.members]
        self._assembly.take(self._assembly.config, members)
        self._log.info("cluster source replaced", cluster=member.name)
        self._settle()

    def _settle(self) -> None:
        """Run what is in place or to come, end what is not, and have built what is in place."""
        wanted = [*self._assembly.members, *self._coming.values()]
        for member in self._running.keys() - set(wanted):
            self._running.pop(member).cancel()
            if member.name not in self._assembly.by_name:
                self._state.programming.pop(member.mirror.cluster_id, None)
        for member in wanted:
            if member not in self._running and self._group is not None:
                run = member.run(self._sink(member))
                self._running[member] = self._group.create_task(run, name=member.name)
        self._watch_deadlines()
        self._compose()

    def _sink(self, member: Member) -> Sink:
        """Return what takes the events of one member, as they count now (rule 2)."""

        def sink(event: Event) -> None:
            if self._assembly.by_name.get(member.name) is member:
                self._builder.sink(event)
            elif self._coming.get(member.name) is member:
                member.mirror.feed(event)
                member.mirror.triggers.clear()
                if member.mirror.is_whole:
                    self._take_place(member)

        return sink

    def _watch_deadlines(self) -> None:
        for timer in self._timers:
            timer.cancel()
        loop, now = asyncio.get_running_loop(), time.monotonic()
        waits = {self._deadline(member) - now for member in self._assembly.members}
        self._timers = [loop.call_later(wait + _TICK_S, self._compose) for wait in waits if wait > 0]

    def _deadline(self, member: Member) -> float:
        return member.since + self._assembly.config.sync_deadline_s

    def _compose(self) -> None:
        """Have built what is in place now. What is optional and past its sync deadline is not waited for."""
        members, now = self._assembly.members, time.monotonic()
        late = [member for member in members if now >= self._deadline(member)]
        self._tell_late(late)
        if late and all(member.mirror.is_whole or member in late for member in members):
            self._builder.end_of_wait()
        ids = tuple(member.cluster.id for member in members)
        left_out = frozenset(member.name for member in late if member.is_optional)
        self._builder.compose(Composition(tuple(self._assembly.mirrors), ids, left_out, self._assembly.options))
        self._show()

    def _tell_late(self, late: list[Member]) -> None:
        """Say, once for each, which clusters have not been heard at their sync deadline."""
        silent = [member for member in late if not member.mirror.is_heard and member not in self._told_late]
        missing = [member.name for member in silent if not member.is_optional]
        if missing:
            self._log.warning("sync deadline passed", waits_for=missing, answers="SERVFAIL where nothing is found")
        for member in silent:
            if member.is_optional:
                self._log.warning("optional cluster left out", cluster=member.name, until="it is heard")
        self._told_late = {member for member in late if member in self._told_late or member in silent}

    def _show(self) -> None:
        state, members = self._state, self._assembly.members
        state.config = self._assembly.config
        state.mirrors = self._assembly.mirrors
        state.health = {member.name: member.health for member in members}
        state.coming = {name: member.health for name, member in self._coming.items()}
