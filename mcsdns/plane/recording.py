"""
What the native plane's threads have recorded for the query log, in the words of `mcsdns.querylog`, which writes the lines.

Not here: which queries are wanted. The threads judge that themselves (`rust/src/querylog`), by what it means on the Python plane.
"""

from __future__ import annotations

from collections.abc import Sequence

from mcsdns import _plane
from mcsdns.querylog import Noted, Wanted


class Recording:
    """
    The recorder of a native plane (`mcsdns.querylog.Recorder`).

    Attributes:
        threads: What its server is given.
        views: Of its listeners, in the order in which its server is given them.
    """

    def __init__(self) -> None:
        self.threads = _plane.QueryLog()
        self.views: Sequence[str] = ()

    def start(self, wanted: Wanted) -> None:
        """Record what is wanted from now on; what was recorded before is forgotten."""
        network = wanted.client
        client = (network.network_address, network.prefixlen) if network is not None else None
        self.threads.start(sample=wanted.sample, suffix=wanted.suffix, client=client)

    def stop(self) -> None:
        """Record nothing more; what was recorded can be taken once."""
        self.threads.stop()

    def take(self, most: int) -> tuple[Sequence[Noted], int]:
        """Give what was recorded since the last call, oldest first, at most so much; and how many were wanted beside that."""
        recorded, others = self.threads.take(most)
        return [self._noted(one) for one in recorded], others

    def _noted(self, one: _plane.Recorded) -> Noted:
        return Noted(
            view=self.views[one.listener],
            proto="tcp" if one.is_tcp else "udp",
            client=one.client,
            name=one.name,
            type=one.qtype,
            rcode=one.rcode,
            size=one.size,
            duration_s=one.duration_s,
            ago_s=one.ago_s,
        )
