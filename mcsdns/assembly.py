"""
The parts that a configuration asks for, put together: for each member cluster a source, its health and its mirror; for each
view what is built of it.

Not here: when they run (`mcsdns.daemon` for a server, `mcsdns.once` for the commands that look once).
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, cast

import structlog
from msgspec.structs import replace

from mcsdns.clusterset.mirror import Mirror
from mcsdns.clusterset.model import View
from mcsdns.config import Cluster, Config, Quotas
from mcsdns.source.events import Resource, Sink, Source
from mcsdns.source.folder import FolderSource
from mcsdns.source.health import Health
from mcsdns.zone.build import Options
from mcsdns.zone.names import from_text
from mcsdns.zone.view import ZoneView

if TYPE_CHECKING:
    from mcsdns.source.kube.cluster import KubeSource

RESTART_S = 5.0
"""Seconds before a source that ended by a defect of ours is started again."""


class Member:
    """
    One member cluster: where its objects come from, how that stands, and what it last said.

    Attributes:
        name: Its configured name.
        cluster: Its entry in the configuration.
        since: When it was added, on the monotonic clock, in seconds.
        health: The state of its connection.
        mirror: What it last said.
        source: Where its objects come from.
    """

    def __init__(self, cluster: Cluster) -> None:
        self.name = cluster.name
        self.cluster = cluster
        self.since = time.monotonic()
        self.health = Health(cluster.name, quotas=cluster.quotas.over(Quotas()))
        self.mirror = Mirror(cluster.name, cluster.id)
        self.source = make_source(cluster, self.health)

    @property
    def is_optional(self) -> bool:
        """Whether negatives are not held back for it after the sync deadline."""
        return self.cluster.optional

    async def run(self, sink: Sink) -> None:
        """Run the source until cancelled: a defect in it makes this cluster stale and touches no other."""
        log = structlog.get_logger().bind(cluster=self.name)
        while True:
            try:
                await self.source.run(sink)
            except Exception as error:  # a task boundary: one cluster never harms another
                log.exception("source failed", restart_s=RESTART_S)
                if cast("asyncio.Task[None]", asyncio.current_task()).cancelling():
                    return  # it failed while it was being ended
                for resource in Resource:
                    self.health.broken(resource, "defect", f"mcsdns failed: {type(error).__name__}: {error}")
            await asyncio.sleep(RESTART_S)


class Assembly:
    """
    Everything between the clusters and a plane, for one configuration.

    Args:
        config: What to put together.

    Attributes:
        config: What is in force, its clusters as they are served.
        members: In the order of the configuration.
        by_name: The same, by configured name.
        options: What the configuration says of the zone.
        views: What is built.
    """

    def __init__(self, config: Config) -> None:
        self.take(config, [Member(cluster) for cluster in config.clusters])
        serial = int(time.time())
        self.views = [ZoneView(View(name), self.options, serial) for name in config.views]

    def take(self, config: Config, members: Sequence[Member]) -> None:
        """Take another configuration and its members; the views stay."""
        self.config = replace(config, clusters=[member.cluster for member in members])
        self.members = members
        self.by_name = {member.name: member for member in members}
        self.options = zone_options(config)

    @property
    def mirrors(self) -> Sequence[Mirror]:
        """One for each watched cluster, in the order of the configuration."""
        return [member.mirror for member in self.members]


def zone_options(config: Config) -> Options:
    """Return what the configuration says of the zone, as the zone takes it."""
    return Options(from_text(config.zone), config.ttl, config.negative_ttl, config.advertised)


def make_source(cluster: Cluster, health: Health) -> Source:
    """Return the source that a cluster's configuration names."""
    if cluster.manifests is not None:
        return FolderSource(cluster.name, cluster.manifests, health)
    return make_kube_source(cluster, health)


def make_kube_source(cluster: Cluster, health: Health | None = None) -> KubeSource:
    """Return the source of a cluster that has an API server."""
    # The client for API servers costs a tenth of a second to import: a server of folders alone does without.
    from mcsdns.source.kube.cluster import KubeSource  # noqa: PLC0415
    from mcsdns.source.kube.settings import InCluster, KubeconfigSettings  # noqa: PLC0415

    settings: InCluster | KubeconfigSettings = InCluster()
    if cluster.kubeconfig is not None:
        found = cluster.kubeconfig
        settings = KubeconfigSettings(found.path, found.context, found.insecure)
    return KubeSource(cluster.name, settings, health or Health(cluster.name))
