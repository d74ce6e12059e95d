"""
What the admin side reads: one object that the daemon fills, and that nothing here changes but for what is observed.

Rules:
1. It holds the parts themselves, not copies: what is shown is what is so at that moment.
2. All of it lives in one event loop: a reader that does not await sees one state.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from importlib import metadata
from typing import Protocol

from mcsdns.admin.omitted import Omissions
from mcsdns.clusterset.mirror import Mirror
from mcsdns.config import Config
from mcsdns.metrics import PROGRAMMING_BUCKETS_S, Counters, Histogram
from mcsdns.querylog import QueryLog
from mcsdns.source.health import Health
from mcsdns.zone.view import ZoneView

MAX_SOURCE_CLUSTERS = 256
"""Source clusters that are observed apart: their ids come from objects, and a label must be bounded. The rest is `other`."""
OTHER = "other"


class Plane(Protocol):
    """What is read of a plane."""

    @property
    def name(self) -> str:
        """`native` or `python`."""

    @property
    def querylog(self) -> QueryLog:
        """What logs queries, while it is on."""

    def counters(self) -> Counters:
        """Return what was counted since the plane was made: one consistent set."""


class Listener(Protocol):
    """An address that is served."""

    @property
    def host(self) -> str:
        """An IPv4 or IPv6 address."""

    @property
    def port(self) -> int:
        """The port that was bound."""

    @property
    def view(self) -> str:
        """The name of the view that is served there."""


class ConfigFile:
    """
    How it stands with the configuration file.

    Args:
        path: Where it is; None where none was named.
        loaded_at: When what is in force was read, in seconds since the epoch.

    Attributes:
        error: Why the file as it is now was refused, or None.
        waiting: The keys of it that wait for a restart, each with what to do.
        reloads: How often it was read again, by result.
    """

    def __init__(self, path: str | None, loaded_at: float) -> None:
        self.path = path
        self.loaded_at = loaded_at
        self.error: str | None = None
        self.waiting: Mapping[str, str] = {}
        self.reloads = {"success": 0, "failure": 0}


class ServerState:
    """
    What the admin side reads.

    Args:
        config: The configuration that is in force.
        plane: What answers.
        is_ready: Tells whether the server is ready, and why or why not.
        clock: Seconds since the epoch.
        path: The configuration file; None where none was named.

    Attributes:
        config_file: How it stands with that file.
        mirrors: One for each watched cluster, in the order of the configuration.
        health: The state of each connection, by configured name.
        coming: The state of the connection that is to take the place of another one, by configured name.
        views: What is built.
        listeners: What is bound; empty before that.
        started_at: Seconds since the epoch.
        version: Of mcsdns.
        programming: By source cluster, the time from a change to its publishing, in seconds.
        omissions: How much is left out, kept from one reading to the next.
    """

    def __init__(
        self,
        config: Config,
        plane: Plane,
        is_ready: Callable[[], tuple[bool, str]],
        clock: Callable[[], float] = time.time,
        path: str | None = None,
    ) -> None:
        self.config = config
        self.plane = plane
        self.is_ready = is_ready
        self.mirrors: Sequence[Mirror] = ()
        self.health: Mapping[str, Health] = {}
        self.coming: Mapping[str, Health] = {}
        self.views: Sequence[ZoneView] = ()
        self.listeners: Sequence[Listener] = ()
        self.started_at = clock()
        self.config_file = ConfigFile(path, self.started_at)
        self.version = _version()
        self.programming: dict[str, Histogram] = {}
        self.omissions = Omissions()

    def observe_programming(self, source_cluster: str, seconds: float) -> None:
        """
        Note that a change of an endpoint has been published.

        Args:
            source_cluster: The id of the cluster that the endpoint is in.
            seconds: From the change to its publishing.
        """
        if source_cluster not in self.programming and len(self.programming) >= MAX_SOURCE_CLUSTERS:
            source_cluster = OTHER
        histogram = self.programming.get(source_cluster)
        if histogram is None:
            histogram = self.programming[source_cluster] = Histogram(PROGRAMMING_BUCKETS_S)
        histogram.observe(seconds)

    def view(self, name: str) -> ZoneView:
        """
        Return the view of that name, or the first listener's where none is named.

        Raises:
            ValueError: It is not served; the message says which are.
        """
        for view in self.views:
            if name in ("", view.view.name):
                return view
        known = ", ".join(one.view.name for one in self.views)
        raise ValueError(f"no listener serves the view {name[:64]!r}; served: {known}")


def _version() -> str:
    try:
        return metadata.version("mcsdns")
    except metadata.PackageNotFoundError:  # run from a checkout that was not installed
        return "unknown"
