"""
Which versions of which objects the sink was told: to compare with a list, in as little memory as that takes.

Rules:
1. Names are kept as 64-bit hashes, and resource versions as numbers (or hashes, where they are not numbers): about
   100 bytes for an object. Two names that share a hash cost a wrong count of drift, and nothing else.
2. A list is collected apart, and replaces the rest at its end.

Not here: the objects.
"""

from __future__ import annotations

from mcsdns.source.objects import Metadata


class Ledger:
    """What one reflector has told."""

    def __init__(self) -> None:
        self._told: dict[int, int] = {}
        self._listed: dict[int, int] = {}

    def __len__(self) -> int:
        return len(self._told)

    def begin(self) -> None:
        """Begin to collect a list, and forget one that was not ended."""
        self._listed = {}

    def list(self, metadata: Metadata) -> None:
        """Note an object of the list."""
        self._listed[_key(metadata)] = _number(metadata.resource_version)

    def apply(self, metadata: Metadata) -> None:
        """Note what a watch told."""
        self._told[_key(metadata)] = _number(metadata.resource_version)

    def delete(self, metadata: Metadata) -> bool:
        """Note that an object is gone, and tell whether it was known."""
        return self._told.pop(_key(metadata), None) is not None

    def end(self, rv: str) -> int:
        """
        End the list: it is what is known from now on.

        Args:
            rv: Up to where the watch had told everything, as it said.

        Returns:
            How many objects differ that the watch should have told: those of the list that are other than known though
            not newer than `rv`, and those that are known and not in the list.
        """
        known, self._told, self._listed = self._told, self._listed, {}
        until = _number(rv)
        drift = sum(1 for key, version in self._told.items() if version <= until and known.get(key) != version)
        return drift + sum(1 for key in known if key not in self._told)


def _key(metadata: Metadata) -> int:
    """Return a hash of the name."""
    return hash((metadata.namespace, metadata.name))


def _number(rv: str) -> int:
    """Return a resource version as a number."""
    return int(rv) if rv.isdecimal() else hash(rv)
