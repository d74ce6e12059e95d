"""
A source under test and what it told: a mirror in few lines, which also checks that the events are in order.

Not here: the API server (`fake_api`).
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import time
from collections.abc import AsyncIterator, Callable, Mapping
from pathlib import Path
from random import Random
from typing import Any

from mcsdns.config import Quotas
from mcsdns.source.events import Apply, Delete, Event, Init, InitApply, InitDone, InitDrop, Resource
from mcsdns.source.health import Health, State
from mcsdns.source.kube.cluster import KubeSource
from mcsdns.source.kube.settings import KubeconfigSettings, KubeSettings, Timing
from mcsdns.source.objects import Object
from tests.source.fake_api import FakeApi

IMPORTS, SLICES = Resource.SERVICE_IMPORTS, Resource.ENDPOINT_SLICES
EXPORTS, PROPERTIES = Resource.SERVICE_EXPORTS, Resource.CLUSTER_PROPERTIES

FAST = Timing(
    backoff_first_s=0.02,
    backoff_most_s=0.2,
    burst_s=0.1,
    early_end_s=0.05,
    idle_limit_s=5.0,
    absent_s=0.1,
    denied_s=(0.1, 0.15),
    identity_gap_s=0.06,
    confirm_s=0.1,
    connect_limit_s=0.5,
    read_limit_s=0.5,
    page_limit_s=2.0,
    poll_s=0.1,
    refused_poll_s=0.05,
    load_limit_s=2.0,
)
"""The real delays, some thirty times shorter."""


class Told:
    """What a sink knows."""

    def __init__(self) -> None:
        self.objects: dict[Resource, dict[tuple[str, str], Object]] = {resource: {} for resource in Resource}
        self.whole: dict[Resource, bool] = {}
        self.events: list[Event] = []
        self.lists = dict.fromkeys(Resource, 0)
        self._pending: dict[Resource, dict[tuple[str, str], Object] | None] = dict.fromkeys(Resource)

    def __call__(self, event: Event) -> None:
        self.events.append(event)
        pending = self._pending[event.resource]
        match event:
            case Init():
                self._pending[event.resource] = {}
            case InitApply(obj=obj):
                assert pending is not None
                pending[obj.metadata.namespace, obj.metadata.name] = obj
            case InitDrop(namespace=namespace, name=name):
                assert pending is not None
                del pending[namespace, name]
            case InitDone(resource=resource, whole=whole):
                assert pending is not None
                self.objects[resource], self._pending[resource] = pending, None
                self.whole[resource] = whole
                self.lists[resource] += 1
            case Apply(obj=obj):
                assert pending is None
                self.objects[event.resource][obj.metadata.namespace, obj.metadata.name] = obj
            case Delete(namespace=namespace, name=name):
                assert pending is None
                self.objects[event.resource].pop((namespace, name), None)

    def names(self, resource: Resource = IMPORTS) -> set[str]:
        """Return the names that there are."""
        return {name for _, name in self.objects[resource]}


class Following:
    """A source that runs."""

    def __init__(self, source: KubeSource, health: Health, told: Told, path: Path) -> None:
        self.source, self.health, self.told, self.path = source, health, told, path

    @property
    def names(self) -> set[str]:
        """Return the ServiceImports that the sink knows."""
        return self.told.names()

    async def synced(self) -> None:
        """Wait until the cluster is synced."""
        await until(lambda: self.health.state is State.SYNCED)

    def code(self, code: str, resource: Resource = IMPORTS) -> int:
        """Return how often a stream broke so."""
        return self.health.streams[resource].errors.get(code, 0)

    def relists(self, reason: str, resource: Resource = IMPORTS) -> int:
        """Return how often it was listed again for this reason."""
        return self.health.streams[resource].relists.get(reason, 0)


async def until(is_so: Callable[[], object], limit_s: float = 5.0) -> None:
    """Wait until something is so."""
    end = time.monotonic() + limit_s
    while not is_so():
        assert time.monotonic() < end, f"not so after {limit_s} s"
        await asyncio.sleep(0.005)


async def settled(api: FakeApi, it: Following) -> None:
    """Wait until the cluster is synced and every resource that it serves is watched."""
    await it.synced()
    served = [table for table in api.tables.values() if table.versions != []]
    await until(lambda: all(table.watching for table in served))


def write_kubeconfig(
    path: Path, url: str, user: Mapping[str, Any] | None = None, cluster: Mapping[str, Any] | None = None
) -> Path:
    """Write a kubeconfig with one context (JSON is YAML)."""
    content = {
        "current-context": "it",
        "clusters": [{"name": "it", "cluster": {"server": url, **(cluster or {})}}],
        "users": [{"name": "me", "user": dict(user or {"token": "t0"})}],
        "contexts": [{"name": "it", "context": {"cluster": "it", "user": "me"}}],
    }
    other = path.with_suffix(".new")
    other.write_text(json.dumps(content))
    other.replace(path)
    return path


@contextlib.asynccontextmanager
async def following(
    url: str,
    folder: Path,
    *,
    timing: Timing = FAST,
    settings: KubeSettings | None = None,
    quotas: Quotas | None = None,
) -> AsyncIterator[Following]:
    """Run a source against an API server."""
    path = folder / "kubeconfig"
    if settings is None:
        write_kubeconfig(path, url)
        settings = KubeconfigSettings(path, allow_insecure=True)
    health, told = Health("west", quotas=quotas), Told()
    source = KubeSource("west", settings, health, timing=timing, rng=Random(7))
    task = asyncio.create_task(source.run(told))
    try:
        yield Following(source, health, told, path)
        assert not task.done(), task.exception()
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
