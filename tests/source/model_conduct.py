"""
Carries out a script of the model test, and knows how much may be asked of the product at each moment.

1. A reader whose API server is well knows what is so there, whatever ails the others: within `LAG_S`, or within `PROMPT_S` if nothing
   ever ailed its server. After a trouble that takes `CALM_S`; after a restore that nobody could notice, until the next list.
2. No storm: at most `BURST` requests of a kind in the first 10 s of a trouble, and 0.25/s of a resource in the long run.
3. The books are right: no list but for a reason that there was, no drift but by what a reader could not see.
4. A CRD that is deleted takes nothing with it, until it is there again.
5. At the end, when every trouble is over: everybody knows the truth, and the answers are those that the oracle gives.
"""

from __future__ import annotations

import asyncio
from typing import Any, Final

from mcsdns.clusterset.model import ServiceKey
from mcsdns.source.events import Resource
from mcsdns.source.health import State
from mcsdns.zone.names import from_text, is_within
from mcsdns.zone.rrset import Type
from tests.oracle import expected_records
from tests.source.model_objects import EXPORTS, IMPORTS, NATIVE, PROPERTIES, SHAPES, SLICES, octets
from tests.source.model_reader import NXDOMAIN, Reader
from tests.source.model_script import Action
from tests.source.model_server import VERBS, VERSIONS, Trouble
from tests.source.model_world import TIMING, Member, World

PROMPT_S: Final = 1.0
LAG_S: Final = 35.0
"""The longest back-off, and what little comes to it: a watch that finds its place compacted lists again after one."""
CALM_S: Final = 160.0
"""The idle limit of a watch that fell silent, then a back-off, or a request that hung and one; with room for both."""
RESTORED_S: Final = 1.2 * TIMING.recheck_s + LAG_S
"""Until the list that checks, which is the latest to notice that an etcd was restored; and a back-off."""
BURST: Final = 6
"""The contract says 5. One more is a 401 with other credentials, or a list that succeeded between watches that failed."""
RATE: Final = 0.25

PLAIN: Final = (
    ("refused", None),
    ("cut", None),
    ("status", (500, None)),
    ("status", (404, None)),
    ("status", (503, 20.0)),
)
"""Troubles of a list that are over at once."""

Stream = tuple[str, Resource]


class Conduct:
    """
    One example as it goes.

    Args:
        world: The parts.
    """

    def __init__(self, world: World) -> None:
        self._world = world
        self._clock = asyncio.get_running_loop().time
        self._streams = [(name, resource) for name in world.members for resource in Resource]
        self._calm_at = dict.fromkeys(self._streams, self._clock() + PROMPT_S)
        self._ailed = dict.fromkeys(self._streams, 0)
        self._since = dict.fromkeys(self._streams, self._clock())
        self._kept = dict.fromkeys(self._streams, False)
        self._safe: dict[Stream, dict[Any, Any]] = {}
        self._gone: dict[Stream, int] = dict.fromkeys(self._streams, 0)
        self._reasons: dict[str, set[str]] = {name: {"check", "interrupted"} for name in world.members}

    async def act(self, action: Action) -> None:
        """Carry out one action. One of a cluster that there is not does nothing."""
        what, *more = action
        if what == "wait":
            await self._wait(more[0])
        elif what == "turns":
            for _ in range(more[0]):
                await asyncio.sleep(0)
        elif more[0] in self._world.members:
            if what == "doom":
                await self._wait(2 * PROMPT_S)  # so that what is known is what there is
            getattr(self, f"_{what}")(self._world.members[more[0]], *more[1:])

    async def end(self) -> None:
        """End every trouble, let time pass, and check that everybody knows the truth."""
        await self._wait(PROMPT_S)
        for member in self._world.members.values():
            self._heal(member)
            for resource in Resource:
                if member.server.versions[resource] != VERSIONS[resource] or resource in member.server.doomed:
                    self._serve(member, (resource, VERSIONS[resource]))
            if member.server.token != member.server.accepted:
                self._rotate(member, "both")
        await self._wait(max(0.0, max(self._calm_at.values()) - self._clock()) + LAG_S + 1.0)
        for member in self._world.members.values():
            store = member.server.store
            for resource in Resource:
                assert member.told.objects[resource] == store.truth(resource, store.moment), (member.name, resource)
                assert not (reasons := set(member.health.streams[resource].relists) - self._reasons[member.name]), (
                    reasons
                )
            assert member.health.state is State.SYNCED, member.health.cause
        assert not self._world.waits_for()
        for reader in self._world.readers.values():
            self._compare_with_oracle(reader)

    # What happens.

    async def _wait(self, seconds: float) -> None:
        await asyncio.sleep(max(0.0, seconds))
        self._world.check()
        self._check_knowledge()
        self._check_heard()
        self._check_requests()
        for (name, resource), safe in self._safe.items():
            assert self._world.members[name].told.objects[resource] == safe, f"{name}: {resource} went with their CRD"

    def _put(self, member: Member, resource: Resource, key: Any, shape: int) -> None:
        if resource in member.server.store.hidden | member.server.doomed:
            return  # Without its CRD nothing can be written.
        before = member.server.store.objects[resource].get(key)
        epoch = member.server.put(resource, key, SHAPES[resource][shape])
        self._world.epochs[epoch] = (member.name, resource, key)
        self._world.has_properties |= resource is PROPERTIES
        after = member.server.store.objects[resource][key]
        if before is not None and after.obj is None:
            self._note_gone(member, resource)

    def _remove(self, member: Member, resource: Resource, key: Any, shows_old: bool) -> None:
        if resource in member.server.store.hidden | member.server.doomed:
            return
        member.server.remove(resource, key, shows_old=shows_old)
        self._note_gone(member, resource)

    def _scene(self, member: Member, key: ServiceKey) -> None:
        for resource in (EXPORTS, IMPORTS):
            self._put(member, resource, key, 0)
        self._put(member, SLICES, (key.namespace, f"s{1 + (key.name == 'db')}"), NATIVE[key.name])

    def _fill(self, member: Member) -> None:
        for number in range(24):
            self._put(member, EXPORTS, ("n3", f"x{number}"), 0)

    def _trouble(self, member: Member, scope: Resource | None, verb: str, what: Any, then: str | None) -> None:
        trouble = Trouble(*what)
        for resource in Resource if scope is None else (scope,):
            is_calm = self._is_calm(member, resource)
            for each in VERBS if verb == "both" else (verb,):
                member.server.troubles[each, resource] = trouble
            self._ail(member, resource)
            # A list that fails at once stops no watch that is well.
            is_plain = what in PLAIN or what[0] == "wrong"
            self._kept[member.name, resource] = is_calm and verb == "list" and then is None and is_plain
            self._safe.pop((member.name, resource), None)
        self._expect(member, "gone", "version", "unreadable", "denied", "absent")
        if then is not None:
            self._touch(member, scope, then)

    def _heal(self, member: Member) -> None:
        if not member.server.troubles:
            return
        member.server.troubles.clear()
        for resource in Resource:
            self._ail(member, resource, CALM_S)

    def _touch(self, member: Member, scope: Resource | None, how: str) -> None:
        for resource in Resource if scope is None else (scope,):
            self._ail(member, resource, CALM_S)
            for stream in member.server.open(resource):
                stream.suffer(how)

    def _compact(self, member: Member) -> None:
        member.server.store.compact()
        self._expect(member, "gone")
        for resource in Resource:
            self._ail(member, resource)

    def _restore(self, member: Member, back: int) -> None:
        member.server.restore(back)
        self._expect(member, "gone", "restored")
        for resource in Resource:
            self._ail(member, resource, RESTORED_S)
            self._gone[member.name, resource] += 1000
            self._safe.pop((member.name, resource), None)

    def _serve(self, member: Member, served: tuple[Resource, tuple[str, ...]]) -> None:
        resource, versions = served
        if versions:
            self._safe.pop((member.name, resource), None)
        member.server.serve(resource, versions)
        self._expect(member, "version", "absent", "gone")
        self._ail(member, resource, CALM_S)
        self._note_gone(member, resource)

    def _doom(self, member: Member, resource: Resource, kept: int) -> None:
        server, stream = member.server, (member.name, resource)
        known = member.told.objects[resource]
        if self._is_calm(member, resource) and known == server.store.truth(resource, server.store.moment):
            self._safe[stream] = dict(known)
        if server.versions[resource]:
            server.doom(resource, kept)
        self._expect(member, "absent", "version", "gone")
        self._ail(member, resource, CALM_S)
        self._gone[stream] += len(known)

    def _lie(self, member: Member, resource: Resource, percent: int) -> None:
        member.server.lies[resource] = percent
        self._ail(member, resource)

    def _rotate(self, member: Member, how: str) -> None:
        server = member.server
        if how == "connection":
            server.identity += 1
        else:
            server.accepted += 1
            server.token = server.accepted if how == "both" else server.token
        for resource in Resource:
            self._ail(member, resource, CALM_S)

    # How much may be asked.

    def _expect(self, member: Member, *reasons: str) -> None:
        self._reasons[member.name].update(reasons)

    def _ail(self, member: Member, resource: Resource, for_s: float = 0.0) -> None:
        """Note that something ails a stream, and for how long its effects may last."""
        stream, now = (member.name, resource), self._clock()
        self._calm_at[stream] = max(self._calm_at[stream], now + for_s)
        self._ailed[stream] += 1
        self._since[stream] = now
        self._kept[stream] = False

    def _is_calm(self, member: Member, resource: Resource) -> bool:
        """Tell whether what ever ailed a stream has no effect any more."""
        stream = (member.name, resource)
        is_kept = self._kept[stream] and member.server.discovery_trouble is None  # else deletions wait
        return (is_kept or self._is_well(member, resource)) and self._clock() >= self._calm_at[stream]

    def _is_well(self, member: Member, resource: Resource) -> bool:
        server = member.server
        is_troubled = any((verb, resource) in server.troubles for verb in VERBS)
        is_served = bool(server.versions[resource]) and resource not in server.doomed
        return not is_troubled and is_served and server.token == server.accepted

    def _note_gone(self, member: Member, resource: Resource) -> None:
        """Note that an object left while its stream may not have told so: the next list will find that it drifted."""
        if self._ailed[member.name, resource]:
            self._gone[member.name, resource] += 1

    def _check_knowledge(self) -> None:
        now = self._clock()
        for name, resource in self._streams:
            stream, member = (name, resource), self._world.members[name]
            if self._is_calm(member, resource):
                lag_s = LAG_S if self._ailed[stream] else PROMPT_S
                late = member.told.behind(resource, now - lag_s)
                assert not late, f"{name} does not know after {lag_s} s: {resource} {late}"
            drift = member.health.streams[resource].drift
            assert drift <= self._gone[stream], f"{name}: {resource} drifted by {drift}"

    def _check_heard(self) -> None:
        """Make sure that every cluster is heard that can be; one whose CRDs are not installed can."""
        now = self._clock()
        for name, member in self._world.members.items():
            server, calm_at = member.server, max(self._calm_at[name, resource] for resource in Resource)
            if now >= calm_at and not server.troubles and server.token == server.accepted:
                assert member.told.is_whole, f"{name} has not been heard"

    def _check_requests(self) -> None:
        now = self._clock()
        for stream in self._streams:
            name, resource = stream
            server, since = self._world.members[name].server, self._since[stream]
            asked = {verb: [at for at in server.asked[verb, resource] if at >= since] for verb in VERBS}
            if not self._is_well(self._world.members[name], resource):
                for verb, times in asked.items():
                    burst = [at for at in times if at < since + 10.0]
                    assert len(burst) <= BURST, f"{stream}: {len(burst)} requests to {verb} in 10 s"
                total = sum(map(len, asked.values()))
                # Where the list works and the watch does not, each of the tries that are close together is a list and a watch.
                assert total <= RATE * (now - since) + 3 * BURST, f"{stream}: {total} requests in {now - since} s"
            total = sum(len(server.asked[verb, resource]) for verb in VERBS)
            most = RATE * now + 2 * BURST * (self._ailed[stream] + 1)
            assert total <= most, f"{stream}: {total} requests in {now} s"

    def _compare_with_oracle(self, reader: Reader) -> None:
        """Compare every answer with what the plainest reading of the rules makes of the truth."""
        state: Any = {name: member.told.objects for name, member in self._world.members.items()}
        expected: dict[tuple[bytes, int], set[bytes]] = {}
        for owner, _, _, rrtype, rdata in expected_records(state, {}, reader.view):
            expected.setdefault((from_text(owner), Type[rrtype]), set()).add(octets(rrtype, rdata))
        found = reader.read_all()
        found |= {pair: reader.ask(*pair) for pair in expected}
        for pair, answer in found.items():
            assert {record[2] for record in answer.answer} == expected.get(pair, set()), pair
            assert answer.rcode != NXDOMAIN or not any(is_within(owner, pair[0]) for owner, _ in expected), pair
