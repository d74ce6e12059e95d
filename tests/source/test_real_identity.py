"""Two real kube-apiservers that change places on one port, with one certificate and one token: all that differs is the cluster."""

from __future__ import annotations

import asyncio
import gc
import json
import shutil
import warnings
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from mcsdns.source.health import State
from mcsdns.source.kube.settings import KubeconfigSettings
from tests import manifests
from tests.servers.run import Cluster, Object
from tests.source.following import following, until

pytestmark = pytest.mark.servers

START_S = 60.0
"""An API server that starts takes seconds, and refuses for some more."""


@pytest.fixture
def west(tmp_path: Path) -> Iterator[Cluster]:
    """The cluster that is followed."""
    with Cluster("west", tmp_path / "west") as cluster:
        yield cluster
    with warnings.catch_warnings(action="ignore", category=ResourceWarning):
        gc.collect()  # a TLS connection that is cut short is left to the collector


@pytest.fixture
def east(tmp_path: Path, west: Cluster) -> Iterator[Cluster]:
    """Another one, which can take the address of west: it has the same certificate and takes the same token. Its API server waits."""
    cluster = Cluster("east", tmp_path / "east")
    shutil.copytree(west.ca_path.parent, cluster.ca_path.parent)
    cluster.api_server.tokens = west.api_server.tokens
    with cluster:
        with closing(cluster.client()) as api:
            api.ensure_namespace("demo")
            api.apply(service_import("of-the-other"))
        cluster.api_server.kill()
        cluster.api_server.port, cluster.api_server.url = west.api_server.port, west.api_server.url
        yield cluster


def service_import(name: str) -> Object:
    """Make a ServiceImport."""
    made: Object = json.loads(manifests.service_import(name, namespace="demo"))
    return made


def uid(cluster: Cluster) -> str:
    """Return the UID of kube-system."""
    with closing(cluster.client()) as api:
        return str(api.get("v1", "namespaces", None, "kube-system")["metadata"]["uid"])


async def test_two_clusters_change_places(west: Cluster, east: Cluster, tmp_path: Path) -> None:
    """The other is not used, and named; the data of the first stay; when it is back, it is followed on."""
    with closing(west.client()) as api:
        api.ensure_namespace("demo")
        api.apply(service_import("a"))
        api.apply(service_import("b"))
    first = uid(west)
    async with following("", tmp_path, settings=KubeconfigSettings(west.kubeconfig())) as it:
        await it.synced()
        await until(lambda: it.health.uid == first)
        await asyncio.to_thread(west.api_server.kill)
        await asyncio.to_thread(east.api_server.start)
        await until(lambda: it.code("other_cluster"), START_S)
        second = await asyncio.to_thread(uid, east)
        assert second != first
        # An API server that has just started may refuse for a moment what it served before.
        await until(lambda: first in it.health.cause and second in it.health.cause, START_S)
        await asyncio.sleep(2.0)
        assert it.names == {"a", "b"}
        assert it.health.state is State.STALE
        await asyncio.to_thread(east.api_server.kill)
        await asyncio.to_thread(west.api_server.start)
        with closing(west.client()) as api:
            await asyncio.to_thread(api.apply, service_import("c"))
        await until(lambda: it.names == {"a", "b", "c"}, START_S)
        await until(lambda: it.health.state is State.SYNCED, START_S)
        assert it.health.uid == first
