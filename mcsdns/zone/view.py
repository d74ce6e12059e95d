"""
One view of the zone as it grows: dirty services in, updates for the plane out.

Rules:
1. A service is built from the mirrors as they are at that moment; what was built goes out with the next `take`.
2. Records that come out as they were are no change: they are not published and move no serial. What is left out is not a record.
3. Every update has a greater serial than the last (RFC 1982).
4. Records go to the plane and are not kept here: a digest tells whether they have changed, and `merge` and `build` make them again.

Not here: when to build. That is for `mcsdns.builder`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence

import msgspec
from msgspec import Struct

from mcsdns.clusterset.merge import merge
from mcsdns.clusterset.mirror import Mirror
from mcsdns.clusterset.model import Omission, ServiceKey, View
from mcsdns.zone.apex import apex
from mcsdns.zone.build import Options, build, service_owner
from mcsdns.zone.rrset import Node, ServiceRecords, Update

_DIGEST = 16
"""Octets of a digest: two different services of one zone share one with a probability of 2**-100 or less."""
_encode = msgspec.msgpack.Encoder().encode


class Built(Struct, frozen=True, gc=False):
    """
    What is kept of one service.

    Args:
        digest: Of its owner and records.
        omissions: What was left out of it.
    """

    digest: bytes
    omissions: tuple[Omission, ...]


class ZoneView:
    """
    What has been built of one view.

    Args:
        view: Whose.
        options: Zone name and TTLs.
        serial: The first serial: seconds since the epoch, so that a restart does not go back.
    """

    def __init__(self, view: View, options: Options, serial: int) -> None:
        self.view = view
        self.options = options
        self.serial = serial
        self.complete = False
        self.services: dict[ServiceKey, Built] = {}
        self._hash = 0
        self._built: dict[bytes, ServiceRecords | None] = {}
        self._told = False

    @property
    def hash(self) -> int:
        """
        Tell one content of the view from another: the same in every process that holds the same records.

        Returns:
            52 bits, which a float holds exactly. Serial and completeness have no part in it.
        """
        beside = apex(self.options, 0)
        return (self._hash + int.from_bytes(_digest(beside.zone, beside.nodes))) % 2**52

    def configure(self, options: Options) -> Iterable[ServiceKey]:
        """
        Take other TTLs or addresses of the name server. They go out with the next `take`.

        Args:
            options: Of the same zone.

        Returns:
            The services that must be built again before.
        """
        if options == self.options:
            return ()
        has_other_ttl = options.ttl != self.options.ttl
        self.options = options
        self._told = False
        return self.services.keys() if has_other_ttl else ()

    def build(self, key: ServiceKey, mirrors: Sequence[Mirror]) -> None:
        """Build one service again from what the mirrors say now."""
        service = merge(key, mirrors, self.view, names_objects=False)
        old = self.services.get(key)
        if service is None:
            if old is not None:
                del self.services[key]
                self._hash -= int.from_bytes(old.digest)
                self._built[service_owner(key, self.options.zone)] = None
            return
        records = build(service, self.options)
        digest = _digest(records.owner, records.nodes)
        if old is None or old.digest != digest:
            self._hash += int.from_bytes(digest) - (int.from_bytes(old.digest) if old is not None else 0)
            self._built[records.owner] = records
        elif old.omissions == records.omissions:
            return
        self.services[key] = Built(digest, records.omissions)

    def hand_over(self) -> Mapping[bytes, ServiceRecords | None]:
        """
        Return what has been built since the last call or `take`, to be staged in the plane: so the records of a large batch never
        stand here all at once. The next `take` returns an update even if nothing more is built.
        """
        built, self._built = self._built, {}
        self._told = self._told and not built
        return built

    def take(self, complete: bool) -> Update | None:
        """
        Return what has changed since the last call.

        Args:
            complete: Every member cluster has been heard, and heard whole.

        Returns:
            The update to publish, or None where nothing changed. The first call, and one after other options, always return one.
        """
        if self._told and not self._built and complete == self.complete:
            return None
        self._told = True
        self.complete = complete
        self.serial += 1
        built, self._built = self._built, {}
        return Update(self.view.name, self.serial, complete, apex(self.options, self.serial), built)

    def omissions(self, key: ServiceKey) -> tuple[Omission, ...]:
        """Return what is left out of one service; nothing where the view does not hold it."""
        built = self.services.get(key)
        return built.omissions if built is not None else ()


def _digest(owner: bytes, nodes: Mapping[bytes, Node]) -> bytes:
    """Return a digest of records: equal for equal records that were made in the same order, as `build` does."""
    return hashlib.blake2b(_encode((owner, nodes)), digest_size=_DIGEST).digest()
