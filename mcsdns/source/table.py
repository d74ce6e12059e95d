"""
What is held of one resource, as objects come, change and go: the rules of `mcsdns.source.quota`, one object at a time. Pure.

Rules:
1. Never more is held than fits. Where an older object comes, the newest go, and nothing as new is taken in from then on.
2. The indexes by age are made once half of a quota is used: a cluster of the usual size does without.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from heapq import heapify, heappop, heappush

from mcsdns.config import Quotas
from mcsdns.source.events import Resource
from mcsdns.source.quota import Entry, Quota, Tally

Put = tuple[bool, Sequence[Entry]]
"""Whether an object is held, and what was held until now and is so no longer: it may be among them."""


class Cutoff(Entry, gc=False, eq=False):
    """
    The oldest object that is refused: nothing as new is held.

    That of a service weighs what the service lacks to the whole of its quota.

    Args:
        refused: What the object would have counted.
    """

    refused: int = 0


class Table(Tally):
    """
    What is held of one resource.

    Attributes:
        entries: What is held, by `Entry.key`.
        wants_list: Something that is refused may fit by now.
    """

    def __init__(self, resource: Resource, quotas: Quotas) -> None:
        super().__init__(resource, quotas)
        self.entries: dict[int, Entry] = {}
        self.wants_list = False
        self._cutoff: Cutoff | None = None
        self._cutoffs: dict[int | None, Cutoff] = {}
        self._marks: dict[int, Cutoff] = {}
        self._newest: list[Entry] | None = None
        self._services: dict[int, list[Entry]] | None = None
        self._heaps: set[int] = set()

    @property
    def is_refusing(self) -> bool:
        """Whether anything was refused since the list."""
        return bool(self._cutoff or self._cutoffs or any(self.refused.values()))

    def refuses(self, entry: Entry) -> Quota | None:
        """Tell by which quota an object of this age is refused, whatever it weighs; None where it is not."""
        if self._cutoff is not None and not self._cutoff < entry:
            return self.quota
        if entry.service in self._cutoffs and not self._cutoffs[entry.service] < entry:
            return Quota.ENDPOINTS_PER_NAME
        return None

    def put(self, entry: Entry, *, is_new: bool = True) -> Put:
        """
        Take an object in, or refuse it.

        Args:
            entry: It.
            is_new: It has not been seen before: if it is refused, it counts.

        Returns:
            Whether it is held, and what was held until now and is so no longer: it may be among them.
        """
        key = hash((entry.namespace, entry.name))
        old = self.entries.get(key)
        quota = self.refuses(entry) if self._marks else None
        if quota is not None:
            if old is not None:
                self._drop(key, old)
            if old is not None or is_new:
                self.refuse(quota, entry.namespace, entry.name)
            else:
                self._changed(entry)
            return False, [] if old is None else [entry]
        if old is None and not is_new and self.is_refusing:
            self.wants_list = True  # it was refused until now: others may fit as well
        if old is not None and (old.created, old.service) == (entry.created, entry.service):
            if entry.weight < old.weight:
                self._gave_room()
            self.count(entry.weight - old.weight, old.service)
            old.version, old.weight = entry.version, entry.weight
            entry = old
        else:
            if old is not None:
                self._drop(key, old)
            self.entries[key] = entry
            self.count(entry.weight, entry.service)
            if self._newest is not None or self._services is not None:
                self._index(entry)
        if entry.service is not None and entry.service in self._cutoffs:
            self._fill_less(entry.service, self._cutoffs[entry.service])
        if 2 * self.used <= self.limit and (
            entry.service is None or 2 * self.sums[entry.service] <= self.limit_of_name
        ):
            return True, ()
        gone = self._fit(entry)
        is_held = self.entries.get(key) is entry
        return is_held, gone if is_held or old is not None else [one for one in gone if one is not entry]

    def drop(self, entry: Entry) -> bool:
        """Note that an object is gone, and tell whether it was held."""
        old = self.entries.get(entry.key)
        if old is not None:
            self._drop(entry.key, old)
            return True
        if self.is_refusing:
            quota = self.refuses(entry)
            if quota is not None:
                self.forget(quota, entry.namespace, entry.name)
                self._changed(entry, is_gone=True)
        return False

    def _drop(self, key: int, entry: Entry) -> None:
        """Take an object out that is held."""
        del self.entries[key]
        self._count_out(entry)
        self._gave_room()

    def _count_out(self, entry: Entry) -> None:
        self.count(-entry.weight, entry.service)
        if self._services is not None and entry.service is not None and entry.service not in self.sums:
            self._services.pop(entry.service, None)
            self._heaps.discard(entry.service)

    def _gave_room(self) -> None:
        self.wants_list |= self.is_refusing

    def _changed(self, entry: Entry, *, is_gone: bool = False) -> None:
        """See whether the oldest refused object has come to count less: then others may fit."""
        mark = self._marks.get(entry.key)
        if mark is not None and (is_gone or entry.weight < mark.refused or entry.service != mark.service):
            self.wants_list = True

    def _mark(self, before: Cutoff | None, cutoff: Cutoff) -> None:
        """Note whose change matters, now that a cutoff is another."""
        if before is not None and before is not self._cutoff and self._cutoffs.get(before.service) is not before:
            self._marks.pop(before.key, None)
        self._marks[cutoff.key] = cutoff

    def _fit(self, entry: Entry) -> list[Entry]:
        """Refuse the newest that are held, for as long as there is too much."""
        gone: list[Entry] = []
        service = entry.service
        if service is not None and 2 * self.sums[service] > self.limit_of_name:
            group = self._group(service)
            while self.sums.get(service, 0) > self.limit_of_name:
                gone += self._refuse_of_name(service, group)
        if 2 * self.used > self.limit and self._newest is None:
            self._newest = [*self.entries.values(), *self._cutoffs.values()]
            heapify(self._newest)
        while self.used > self.limit and self._newest is not None:
            gone += self._refuse_newest(self._newest)
        return gone

    def _fill_less(self, service: int, cutoff: Cutoff) -> None:
        """Count less for what a service lacks to its quota, as more of it is held."""
        lacking = max(0, self.limit_of_name - self.sums.get(service, 0))
        if lacking < cutoff.weight:
            self.used -= cutoff.weight - lacking
            cutoff.weight = lacking

    def _refuse_of_name(self, service: int, group: list[Entry]) -> Iterable[Entry]:
        """Refuse the newest slice of a service."""
        if service not in self._heaps:
            self._heaps.add(service)
            heapify(group)
        entry = heappop(group)
        if self.entries.get(entry.key) is not entry:
            return
        self._withdraw(entry, Quota.ENDPOINTS_PER_NAME)
        before = self._cutoffs.get(service)
        lacking = self.limit_of_name - self.sums.get(service, 0)
        cutoff = _cutoff(entry, max(0, lacking))
        self.used += cutoff.weight - (0 if before is None else before.weight)
        self._cutoffs[service] = cutoff
        self._mark(before, cutoff)
        if self._newest is not None:
            heappush(self._newest, cutoff)
        yield entry

    def _refuse_newest(self, newest: list[Entry]) -> Iterable[Entry]:
        """Refuse what is newest of all: an object, or the rest of a service that is over its own quota."""
        entry = heappop(newest)
        if isinstance(entry, Cutoff):
            if entry.service is not None and self._cutoffs.get(entry.service) is entry and entry.weight:
                self.used -= entry.weight
                entry.weight = 0
                before, self._cutoff = self._cutoff, entry
                self._mark(before, entry)
        elif self.entries.get(entry.key) is entry:
            self._withdraw(entry, self.quota)
            before, self._cutoff = self._cutoff, _cutoff(entry, 0)
            self._mark(before, self._cutoff)
            yield entry

    def _withdraw(self, entry: Entry, quota: Quota) -> None:
        del self.entries[entry.key]
        self._count_out(entry)
        self.refuse(quota, entry.namespace, entry.name)

    def _index(self, entry: Entry) -> None:
        """Note a new entry in the indexes that there are, and rid them of what is gone when that is most of them."""
        newest = self._newest
        if newest is not None:
            heappush(newest, entry)
            if len(newest) > 2 * (len(self.entries) + len(self._cutoffs)) + 64:
                self._newest = None
        if self._services is not None and entry.service is not None:
            group = self._services.setdefault(entry.service, [])
            if entry.service in self._heaps:
                heappush(group, entry)
            else:
                group.append(entry)
            if len(group) > 2 * self.sums[entry.service] + 64:  # a slice counts one at the least
                group[:] = [one for one in group if self.entries.get(one.key) is one]
                self._heaps.discard(entry.service)

    def _group(self, service: int) -> list[Entry]:
        """Return the slices of a service; all of them are grouped in one go, because a second walk costs as much as the first."""
        if self._services is None:
            self._services = {}
            for entry in self.entries.values():
                if entry.service is not None:
                    self._services.setdefault(entry.service, []).append(entry)
        return self._services.setdefault(service, [])


def _cutoff(entry: Entry, weight: int) -> Cutoff:
    """Make the cutoff that refuses an object and all that are newer."""
    return Cutoff(
        entry.namespace,
        entry.name,
        entry.created,
        weight=weight,
        service=entry.service,
        refused=entry.weight,
    )
