"""A server's state without a server, for the tests of what the admin address shows."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from mcsdns.admin.state import ServerState
from mcsdns.clusterset.model import View
from mcsdns.configfile import parse
from mcsdns.metrics import Counters
from mcsdns.plane.base import Listener
from mcsdns.plane.counters import Ledger, Totals, summarize
from mcsdns.plane.generations import Generations
from mcsdns.querylog import QueryLog
from mcsdns.source.events import Resource
from mcsdns.source.health import Health
from mcsdns.zone.view import ZoneView
from tests.clustersets import OPTIONS, clusterset, view_of

CONFIG = """
listen:
  - {address: 127.0.0.1:5300, view: west}
  - {address: "[::1]:5300", view: west}
  - {address: 127.0.0.1:5301, view: east}
clusters:
  - {name: west, manifests: west}
  - {name: east, manifests: east, id: e.eu, optional: true}
"""


class Clock:
    """A clock that a test moves."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


class FakePlane:
    """What a plane has counted, without sockets."""

    name = "python"

    def __init__(self) -> None:
        self.querylog = QueryLog()
        self.ledgers = [Ledger("west", "udp", "1"), Ledger("west", "tcp", "2"), Ledger("east", "udp", "1")]
        self.totals = Totals()
        self.clock = Clock()
        self.generations = Generations(self.clock)

    def counters(self) -> Counters:
        return summarize(self.ledgers, self.totals, self.generations, overflow=0, receive_buffer=425_984)


class FakeServer:
    """
    A state with two member clusters and two views.

    Args:
        manifests: By cluster, what it holds; None: it has not been heard.
    """

    def __init__(self, manifests: Mapping[str, str | None]) -> None:
        self.clock = Clock()
        self.plane = FakePlane()
        self.ready = (True, "every cluster has been heard")
        self.state = ServerState(parse(CONFIG, Path("mcsdns.yaml")), self.plane, lambda: self.ready, lambda: 1.8e9)
        self.state.mirrors = clusterset(manifests, {"east": "e.eu"})
        self.state.listeners = [
            Listener("127.0.0.1", 5300, "west"),
            Listener("::1", 5300, "west"),
            Listener("127.0.0.1", 5301, "east"),
        ]
        self.state.views = [self._view(name) for name in ("west", "east")]
        self.state.health = {
            mirror.cluster: self._health(mirror.cluster, mirror.is_heard) for mirror in self.state.mirrors
        }

    def _view(self, name: str) -> ZoneView:
        view = view_of(self.state.mirrors, name, OPTIONS)
        assert view.view == View(name)
        view.take(complete=all(mirror.is_whole for mirror in self.state.mirrors))
        return view

    def _health(self, cluster: str, is_heard: bool) -> Health:
        health = Health(cluster, self.clock)
        if is_heard:
            for resource in Resource:
                health.listed(resource, "start")
        return health
