"""
A member cluster with an API server, as a source: one reflector for each resource, over one connection.

Rules:
1. Reflectors do not stop one another, whatever happens to one.
2. An outage is never raised: it shows in the cluster's health.

Not here: what a reflector does (`reflector`), what `mcsdns check` asks (`probe`).
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from random import Random

import structlog

from mcsdns.source.events import Sink
from mcsdns.source.health import Health
from mcsdns.source.kube.backoff import Backoff
from mcsdns.source.kube.credentials import Credentials
from mcsdns.source.kube.discovery import KINDS, Kind
from mcsdns.source.kube.identity import Identity
from mcsdns.source.kube.link import Link
from mcsdns.source.kube.probe import Probe, probe
from mcsdns.source.kube.reflector import Reflector
from mcsdns.source.kube.settings import KubeSettings, Timing


class KubeSource:
    """
    Implements `mcsdns.source.events.Source`.

    Args:
        cluster: The configured name.
        settings: How it is reached.
        health: Takes the facts.
        timing: The delays.
        clock: The monotonic clock, in seconds.
        rng: Draws jitter and time limits; None means one of its own.
    """

    def __init__(
        self,
        cluster: str,
        settings: KubeSettings,
        health: Health,
        *,
        timing: Timing | None = None,
        clock: Callable[[], float] = time.monotonic,
        rng: Random | None = None,
    ) -> None:
        self._cluster = cluster
        self._credentials = Credentials(settings)
        self._health = health
        self._timing = timing or Timing()
        self._clock = clock
        self._rng = rng or Random()  # noqa: S311 - jitter is no secret
        self._log = structlog.get_logger().bind(cluster=cluster)

    async def run(self, sink: Sink) -> None:
        """Tell `sink` everything, from the first list on, until cancelled."""
        link = Link(self._cluster, self._credentials, self._timing)
        self._health.expiries = link.expiries
        identity = Identity(self._cluster, link, self._health, timing=self._timing, clock=self._clock, rng=self._rng)
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(link.run(), name=f"{self._cluster}: credentials")
                for kind in KINDS:
                    tasks.create_task(self._keep(kind, link, identity, sink), name=f"{self._cluster}: {kind.resource}")
                # Last, so that it is asked for after the first lists, and serves them.
                tasks.create_task(identity.run(), name=f"{self._cluster}: identity")
        finally:
            await link.close()

    async def probe(self) -> Probe:
        """Ask, once, what `mcsdns check` reports. Nothing is raised: what does not work is in the answer."""
        link = Link(self._cluster, self._credentials, self._timing)
        try:
            return await probe(link)
        finally:
            await link.close()

    async def _keep(self, kind: Kind, link: Link, identity: Identity, sink: Sink) -> None:
        """Run a reflector, and another if that fails by a mistake of ours."""
        backoff = Backoff(self._rng)
        while True:
            reflector = Reflector(
                kind,
                self._cluster,
                link,
                sink,
                self._health,
                identity=identity,
                timing=self._timing,
                clock=self._clock,
                rng=self._rng,
            )
            try:
                await reflector.run()
            except Exception as error:  # noqa: BLE001 - a mistake in one reflector must not stop the others (rule 1)
                self._log.exception("reflector failed", resource=str(kind.resource))
                self._health.broken(kind.resource, "internal", f"{type(error).__name__}: {error}"[:256])
            await asyncio.sleep(backoff.fail(self._clock()))
