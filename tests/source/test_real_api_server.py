"""The source against a real kube-apiserver: what only the real one can show."""

from __future__ import annotations

import asyncio
import gc
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from mcsdns.source.health import Health, State
from mcsdns.source.kube.cluster import KubeSource
from mcsdns.source.kube.settings import KubeconfigSettings
from mcsdns.source.objects import EndpointSlice, ServiceImport
from tests.servers.run import Cluster
from tests.source.following import FAST, IMPORTS, SLICES, following, until

pytestmark = pytest.mark.servers

MCS, SLICE = "multicluster.x-k8s.io/v1beta1", "discovery.k8s.io/v1"


@pytest.fixture(scope="module")
def west(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """A member cluster with etcd, kube-apiserver and the CRDs."""
    with Cluster("west", tmp_path_factory.mktemp("west")) as cluster:
        with cluster.client() as api:
            api.ensure_namespace("demo")
        yield cluster
    # A TLS handshake that is cut short by the end of a loop leaves its transport to the collector (asyncio), which warns: here, where
    # it is no other test's.
    with warnings.catch_warnings(action="ignore", category=ResourceWarning):
        gc.collect()


def service_import(name: str, ip: str = "10.42.0.1") -> dict[str, Any]:
    spec = {"type": "ClusterSetIP", "ips": [ip], "ports": [{"name": "http", "port": 80, "protocol": "TCP"}]}
    return {"apiVersion": MCS, "kind": "ServiceImport", "metadata": {"name": name, "namespace": "demo"}, "spec": spec}


def endpoint_slice(name: str, service: str) -> dict[str, Any]:
    labels = {"multicluster.kubernetes.io/service-name": service, "multicluster.kubernetes.io/source-cluster": "east"}
    return {
        "apiVersion": SLICE,
        "kind": "EndpointSlice",
        "metadata": {"name": name, "namespace": "demo", "labels": labels},
        "addressType": "IPv4",
        "endpoints": [{"addresses": ["10.1.0.1"], "conditions": {"ready": True}, "hostname": "web-0"}],
        "ports": [{"name": "http", "port": 8080, "protocol": "TCP"}],
    }


async def test_list_watch_and_restart(west: Cluster, tmp_path: Path) -> None:
    """Listed, followed, kept while the API server is killed, and followed again when it is back."""
    settings = KubeconfigSettings(west.kubeconfig())
    with west.client() as api:
        await asyncio.to_thread(api.bulk, [service_import(f"s{number}") for number in range(600)], 8)
        await asyncio.to_thread(api.apply, endpoint_slice("s1-east", "s1"))
        async with following("", tmp_path, settings=settings) as it:
            await it.synced()
            assert len(it.names) == 600
            found = it.told.objects[SLICES]["demo", "s1-east"]
            assert isinstance(found, EndpointSlice)
            assert found.endpoints is not None
            assert found.endpoints[0].addresses == ["10.1.0.1"]

            await asyncio.to_thread(api.apply, service_import("s1", "10.42.0.9"))
            await asyncio.to_thread(api.delete, MCS, "serviceimports", "demo", "s0")
            await until(lambda: len(it.names) == 599)
            changed = it.told.objects[IMPORTS]["demo", "s1"]
            assert isinstance(changed, ServiceImport)
            assert changed.spec is not None
            assert changed.spec.ips == ["10.42.0.9"]

            await asyncio.to_thread(west.api_server.kill)
            await until(lambda: it.health.state is State.STALE)
            assert len(it.names) == 599
            await asyncio.to_thread(west.api_server.start)
            await asyncio.to_thread(api.apply, service_import("after"))
            await until(lambda: "after" in it.names, 30.0)
            await until(lambda: it.health.state is State.SYNCED, 30.0)
            assert it.health.streams[IMPORTS].drift == 0


async def test_permissions(west: Cluster, tmp_path: Path) -> None:
    """A user who may do nothing is told so, resource by resource; RBAC is all that is missing."""
    west.add_token("reader")
    await asyncio.to_thread(west.api_server.restart)
    settings = KubeconfigSettings(west.kubeconfig("reader"))
    probe = await KubeSource("west", settings, Health("west")).probe()
    assert probe.is_reachable, probe.problem
    assert probe.server_version == "v1.37.2"
    assert (probe.server_certificate_days or 0) > 300
    assert {verb for found in probe.resources for verb, allowed in found.allowed.items() if allowed} == set()
    rule = {
        "apiGroups": ["multicluster.x-k8s.io", "discovery.k8s.io", "about.k8s.io"],
        "resources": ["serviceimports", "serviceexports", "endpointslices", "clusterproperties"],
        "verbs": ["get", "list", "watch"],
    }
    rbac = "rbac.authorization.k8s.io"
    async with following("", tmp_path, settings=settings) as it:
        await until(lambda: len(it.told.whole) == 4)
        assert set(it.told.whole.values()) == {False}
        with west.client() as api:
            api.apply({"apiVersion": f"{rbac}/v1", "kind": "ClusterRole", "metadata": {"name": "it"}, "rules": [rule]})
            api.apply(
                {
                    "apiVersion": f"{rbac}/v1",
                    "kind": "ClusterRoleBinding",
                    "metadata": {"name": "it"},
                    "roleRef": {"apiGroup": rbac, "kind": "ClusterRole", "name": "it"},
                    "subjects": [{"apiGroup": rbac, "kind": "User", "name": "reader"}],
                }
            )
        await until(lambda: it.health.state is State.SYNCED, 10.0)
        assert set(it.told.whole.values()) == {True}
    probe = await KubeSource("west", settings, Health("west")).probe()
    assert all(found.allowed == {"get": True, "list": True, "watch": True} for found in probe.resources)
    assert {found.problem for found in probe.resources} == {None}


async def test_a_frozen_api_server(west: Cluster, tmp_path: Path) -> None:
    """Connections stay open and nothing is said: noticed, and made good when it thaws."""
    timing = replace(FAST, idle_limit_s=1.0)
    async with following("", tmp_path, settings=KubeconfigSettings(west.kubeconfig()), timing=timing) as it:
        await it.synced()
        west.api_server.freeze()
        try:
            await until(lambda: it.health.state is State.STALE, 10.0)
            assert it.names
        finally:
            west.api_server.thaw()
        await until(lambda: it.health.state is State.SYNCED, 30.0)
