"""
A real cluster followed as in the server, up to the answers: source, mirror, builder, view, snapshot.

Rules:
1. What is published is judged when it is published, and not now and then: no answer can change in between.
2. What should be published is worked out by the oracle from the objects that the API server gives to another client.

Not here: the servers (`tests.servers.run`), what a source tells (`following`).
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import json
import shutil
import time
import warnings
from collections.abc import AsyncIterator, Iterable, Iterator
from pathlib import Path
from random import Random
from typing import Any, Final

import dns.rcode
from msgspec.structs import replace

from mcsdns.builder import Builder
from mcsdns.clusterset.mirror import Mirror
from mcsdns.clusterset.model import View
from mcsdns.source.events import Resource
from mcsdns.source.health import Health, State
from mcsdns.source.kube.cluster import KubeSource
from mcsdns.source.kube.discovery import KINDS
from mcsdns.source.kube.settings import KubeconfigSettings, Timing
from mcsdns.source.manifests import read
from mcsdns.source.objects import Object
from mcsdns.zone.masterfile import record
from mcsdns.zone.rrset import Update
from mcsdns.zone.snapshot import Snapshot
from mcsdns.zone.view import ZoneView
from tests.clustersets import OPTIONS, SERIAL
from tests.e2e.real import Audited
from tests.oracle import Record, expected_records
from tests.servers.run import Api, StatusError
from tests.source.following import FAST, until
from tests.spec import cases

SOME: Final = 40
"""Of the records that are compared as a whole, so many are asked for as well."""

REAL: Final = replace(
    FAST,
    backoff_first_s=0.1,
    backoff_most_s=1.0,
    burst_s=1.0,
    connect_limit_s=2.0,
    read_limit_s=5.0,
    page_limit_s=20.0,
    idle_limit_s=90.0,
    recheck_soon_s=2.0,
)
"""Waits some ten or thirty times shorter than the real ones, and limits that a real API server keeps on a busy machine."""


class Answering:
    """
    One cluster, followed.

    Attributes:
        health: What its source reports.
        mirror: What it last said.
        updates: What has been published, in order.
        kept: Names (below the zone) that exist all the while: each publish is held to it.
        is_whole_for_good: From now on the zone stays complete: each publish is held to it.
    """

    def __init__(self, kubeconfig: Path, timing: Timing) -> None:
        self.health, self.mirror = Health("west"), Mirror("west", None)
        self.source = KubeSource("west", KubeconfigSettings(kubeconfig), self.health, timing=timing, rng=Random(7))
        self.updates: list[Update] = []
        self.kept: set[str] = set()
        self.is_whole_for_good = False
        self.faults: list[str] = []
        self._snapshot: Snapshot | None = None
        view = ZoneView(View(None), OPTIONS, SERIAL)
        self._builder = Builder([self.mirror], (), [view], self._publish, lambda cluster, seconds: None)
        self._builder.publish_first()

    async def run(self) -> None:
        """Follow, until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._builder.run())
            tasks.create_task(self.source.run(self._builder.sink))

    @property
    def snapshot(self) -> Snapshot:
        """What is published."""
        assert self._snapshot is not None
        return self._snapshot

    def ask(self, name: str, qtype: str = "A") -> str:
        """Ask for a name below the zone. Returns the answers with blanks between, or else the response code."""
        response = cases.ask(name, qtype, self.snapshot)
        return " ".join(cases.texts(response.answer)) or dns.rcode.to_text(response.rcode())

    def records(self) -> set[Record]:
        """Give every record of every service that is published."""
        services = self.snapshot.services.values()
        nodes = {owner: node for records in services for owner, node in records.nodes.items()}
        return {
            tuple(record(owner, rrset, rdata).split("\t"))
            for owner, node in nodes.items()
            for rrset in node
            for rdata in rrset.rdata
        }

    async def agrees(self, api: Api, limit_s: float = 5.0) -> float:
        """
        Wait until what is published is what the objects in the API server make, and ask for some of it.

        Returns:
            How long it took, in seconds.
        """
        expected = await asyncio.to_thread(expected_of, api)
        started = time.monotonic()
        while self.records() != expected:
            missing, surplus = sorted(expected - self.records())[:5], sorted(self.records() - expected)[:5]
            assert time.monotonic() - started < limit_s, (
                f"after {limit_s} s: missing {missing}, surplus {surplus}; {self.health.cause}"
            )
            await asyncio.sleep(0.01)
        took_s = time.monotonic() - started
        for owner, _, _, qtype, rdata in sorted(expected)[:SOME]:
            found = {one.to_text() for rrset in cases.ask(owner, qtype, self.snapshot).answer for one in rrset}
            assert rdata in found, f"{owner} {qtype}"
        assert self.snapshot.complete
        self.judge()
        return took_s

    async def is_(self, state: State, limit_s: float = 5.0) -> None:
        """Wait until the cluster is in this state."""
        await until(lambda: self.health.state is state, limit_s)

    def judge(self) -> None:
        """Fail if anything that was published was wrong."""
        assert not self.faults

    def errors(self, resource: Resource = Resource.SERVICE_IMPORTS) -> int:
        """Return how many requests and streams have failed, in any way."""
        return sum(self.health.streams[resource].errors.values())

    def problems(self) -> str:
        """Give what is broken now, for people."""
        return "\n".join(
            f"{resource}: {stream.problem}" for resource, stream in self.health.streams.items() if stream.problem
        )

    def _publish(self, update: Update) -> None:
        if self._snapshot is None:
            self._snapshot = Snapshot(update)
        else:
            self._snapshot.apply(update)
        self.updates.append(update)
        if self.is_whole_for_good and not update.complete:
            self.faults.append(f"update {len(self.updates)} is not complete")
        self.faults += [f"update {len(self.updates)}: no {name}" for name in self.kept if self.ask(name) == "NXDOMAIN"]


@contextlib.contextmanager
def member(folder: Path, **settings: Any) -> Iterator[Audited]:
    """Run a member cluster, `west`, whose settings are those of `Audited`, and remove its data."""
    cluster = Audited("west", folder, **settings)
    try:
        cluster.start()
        yield cluster
    finally:
        cluster.kill()
        shutil.rmtree(cluster.cluster.etcd.data_path, ignore_errors=True)
    # A TLS handshake that is cut short by the end of a loop leaves its transport to the collector (asyncio), which warns:
    # here, where it is no other test's.
    with warnings.catch_warnings(action="ignore", category=ResourceWarning):
        gc.collect()


@contextlib.asynccontextmanager
async def answering(kubeconfig: Path, timing: Timing = REAL, keep: Iterable[str] = ()) -> AsyncIterator[Answering]:
    """
    Follow a cluster, from its first list on.

    Args:
        kubeconfig: How it is reached.
        timing: The delays.
        keep: Names that must exist from then on, whatever happens: no publish may be without them.
    """
    it = Answering(kubeconfig, timing)
    task = asyncio.create_task(it.run())
    try:
        await it.is_(State.SYNCED, 20.0)
        await until(lambda: it.snapshot.complete)
        it.kept, it.is_whole_for_good = set(keep), True
        yield it
        assert not task.done(), task.exception()
        it.judge()
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
        await asyncio.sleep(0.2)  # TLS connections close after their session has (aiohttp, "Graceful Shutdown")


def expected_of(api: Api) -> set[Record]:
    """Work out the records that the objects in an API server make."""
    items: list[object] = []
    for kind in KINDS:
        for version in kind.versions:
            try:
                found = api.list(f"{kind.group}/{version}", kind.resource)
            except StatusError as error:
                if error.status != 404:
                    raise
                continue
            # The items of a list of a built-in kind do not say what they are.
            items += [{"apiVersion": f"{kind.group}/{version}", "kind": kind.name} | item for item in found]
            break
    objects: dict[Resource, dict[tuple[str, str], Object]] = {resource: {} for resource in Resource}
    for resource, obj in read(json.dumps({"kind": "List", "items": items}).encode(), is_json=True).objects:
        objects[resource][obj.metadata.namespace, obj.metadata.name] = obj
    return expected_records({"west": objects}, {}, None)
