"""
The source and the answers against a real kube-apiserver whose CRDs come late, go, and change.

What is published is held to the objects (`answering`). CRDs that are absent are looked for each 0.1 s here, and not each 30 s.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from msgspec.structs import replace
from structlog.testing import capture_logs
from structlog.typing import EventDict

from mcsdns.source.health import State
from tests import manifests
from tests.e2e.real import USER, Audited, v1alpha1_crds
from tests.servers.run import Api, crd_manifests, wait_until
from tests.source.answering import REAL, answering, member
from tests.source.following import IMPORTS, until

pytestmark = pytest.mark.servers

CRDS = "customresourcedefinitions"
V1 = "apiextensions.k8s.io/v1"
MCS = "multicluster.x-k8s.io/v1beta1"
IMPORTS_CRD = "serviceimports.multicluster.x-k8s.io"
EXPORTS_CRD = "serviceexports.multicluster.x-k8s.io"
CLUSTERSET = {IMPORTS_CRD, EXPORTS_CRD}
SPACES = 4
"""Namespaces that `fill` shares its imports out to."""
BACK_S = 10.0
PORTS = ["pg 5432/TCP"]
NATIVE = manifests.native_slice("pods", "db-0=10.1.0.1", ports=PORTS)
OBJECTS = (
    manifests.service_import("kept", ips=["10.0.0.1"]),
    manifests.service_import("pods", headless=True, ports=PORTS),
    manifests.service_export("pods"),
)


@pytest.fixture(scope="module")
def bare(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Audited]:
    """A cluster without the CRDs of a clusterset. Each test leaves it as it was."""
    with member(tmp_path_factory.mktemp("west"), crds=[]) as cluster:
        yield cluster


@pytest.fixture
def api(bare: Audited) -> Iterator[Api]:
    """A client that may do anything, at a cluster with a slice and without CRDs."""
    bare.apply(NATIVE)
    with closing(bare.api()) as client:
        yield client
        for crd in client.list(V1, CRDS):
            client.delete(V1, CRDS, None, crd["metadata"]["name"])
        wait_until(lambda: not client.list(V1, CRDS), 10.0, "the CRDs are gone")


async def test_crds_that_are_installed_late(bare: Audited, api: Api) -> None:
    """Without them nothing is imported and ready is not blocked; once they are there, so is what is imported."""
    async with answering(bare.cluster.kubeconfig(USER)) as it:
        assert it.records() == set()
        assert it.ask("kept.test") == "NXDOMAIN"
        assert it.health.state is State.SYNCED, "absent is no fault"
        await asyncio.to_thread(bare.cluster.install, crd_manifests())
        bare.apply(*OBJECTS)
        await it.agrees(api, BACK_S)
        assert it.ask("db-0.west.pods.test") == "10.1.0.1"
        await it.is_(State.SYNCED)
        bare.apply(manifests.service_import("kept", ips=["10.0.0.2"]))
        await until(lambda: it.ask("kept.test") == "10.0.0.2", 1.0)


@pytest.mark.parametrize("imports", [5, 500])
async def test_crds_that_are_deleted_while_we_listen(bare: Audited, api: Api, imports: int) -> None:
    """
    The API server deletes the objects first and says so of each: they are kept, and it is said why. Made again, they are read.

    Both CRDs of the clusterset are deleted, as by `helm uninstall`.
    """
    await asyncio.to_thread(bare.cluster.install, crd_manifests())
    bare.apply(*OBJECTS)
    await asyncio.to_thread(fill, api, imports)
    kept = ("kept.test", "pods.test", "db-0.west.pods.test", *(f"s{n}.n{n % SPACES}" for n in range(imports)))
    async with answering(bare.cluster.kubeconfig(USER), keep=kept) as it:
        await it.agrees(api)
        known, updates = it.records(), len(it.updates)
        with capture_logs() as said:
            for crd in (IMPORTS_CRD, EXPORTS_CRD):
                await asyncio.to_thread(api.delete, V1, CRDS, None, crd)
            await it.is_(State.STALE, BACK_S)
        (stale,) = (line for line in said if line["event"] == "cluster stale")
        assert any(crd in stale["error"] for crd in CLUSTERSET)
        assert any(what in stale["error"] for what in ("is being deleted", "is not served")), "by then, it may be gone"
        assert "what was last heard is served" in stale["error"]
        assert sum(count for (state, _), count in it.health.transitions.items() if state is State.STALE) == 1
        await until(lambda: {one["metadata"]["name"] for one in api.list(V1, CRDS)}.isdisjoint(CLUSTERSET), 60.0)
        await until(lambda: it.problems().count("not served any more") == 2, BACK_S)
        assert it.records() == known
        assert len(it.updates) == updates, "nothing at all was published: no answer was another at any time"
        assert it.health.state is State.STALE
        it.kept = set()  # what is not there when the CRD is back, is not there
        await asyncio.to_thread(bare.cluster.install, crd_manifests())
        bare.apply(*OBJECTS)
        await asyncio.to_thread(fill, api, 5)
        await it.agrees(api, BACK_S)
        await it.is_(State.SYNCED, BACK_S)
        assert it.health.streams[IMPORTS].drift == 0


async def test_objects_that_are_deleted_while_their_crd_stays(bare: Audited, api: Api) -> None:
    """One is gone at once; fifty, as a namespace is emptied, within a second; and nothing is wrong."""
    await asyncio.to_thread(bare.cluster.install, crd_manifests())
    bare.apply(*OBJECTS)
    await asyncio.to_thread(fill, api, 5 + 50 * SPACES)
    async with answering(bare.cluster.kubeconfig(USER)) as it:
        await it.agrees(api)
        took_s = []
        for number in range(5):
            assert it.ask(f"s{number}.n{number % SPACES}") == "10.0.0.1"
            await asyncio.to_thread(api.delete, MCS, "serviceimports", f"n{number % SPACES}", f"s{number}")
            started = time.monotonic()
            while it.ask(f"s{number}.n{number % SPACES}") != "NXDOMAIN":
                assert time.monotonic() - started < 1.0
                await asyncio.sleep(0.001)
            took_s.append(time.monotonic() - started)
            await asyncio.sleep(0.2)
        print("gone after the server said so, in ms:", *(round(1000 * one, 1) for one in took_s))
        assert min(took_s) < 0.05 + 0.05, "the second is for what it took before, on a busy machine"
        await asyncio.to_thread(api.delete_all, MCS, "serviceimports", "n1")
        await it.agrees(api, 1.0)
        assert it.ask("s49.n1") == "NXDOMAIN"
        assert it.ask("s50.n2") == "10.0.0.1"
        assert it.health.state is State.SYNCED
        assert not it.health.streams[IMPORTS].errors


async def test_a_crd_that_is_made_again_at_once(bare: Audited, api: Api) -> None:
    """The objects are kept until the CRD has been there for a list; what that finds counts, even if it is nothing."""
    await asyncio.to_thread(bare.cluster.install, crd_manifests())
    bare.apply(*OBJECTS)
    async with answering(bare.cluster.kubeconfig(USER), replace(REAL, absent_s=2.0), ["kept.test"]) as it:
        await it.agrees(api)
        api.delete(V1, CRDS, None, IMPORTS_CRD)
        wait_until(
            lambda: IMPORTS_CRD not in {one["metadata"]["name"] for one in api.list(V1, CRDS)}, 10.0, "it is gone"
        )
        await asyncio.to_thread(bare.cluster.install, crd_manifests())
        assert it.ask("kept.test") == "10.0.0.1"
        it.judge()
        it.kept = set()
        await it.agrees(api, BACK_S)
        assert it.ask("kept.test") == "NXDOMAIN"
        await it.is_(State.SYNCED, BACK_S)


@pytest.mark.parametrize("way", ["deleted while we were cut off", "its versions are not served"])
async def test_a_crd_that_is_gone_without_a_word_about_its_objects(bare: Audited, api: Api, way: str) -> None:
    """That it is gone says nothing of what it held: the data is kept, and it is said, until the CRD is there again."""
    await asyncio.to_thread(bare.cluster.install, crd_manifests())
    bare.apply(*OBJECTS)
    kept = ("kept.test", "pods.test", "db-0.west.pods.test")
    with bare.relay() as relay:
        async with answering(relay.through(bare.cluster.kubeconfig(USER)), keep=kept) as it:
            await it.agrees(api)
            known = it.records()
            if way == "deleted while we were cut off":
                relay.cut()
                api.delete(V1, CRDS, None, IMPORTS_CRD)
                wait_until(lambda: len(api.list(V1, CRDS)) == 2, 10.0, "the CRD is gone")
                relay.mend()
            else:
                versions = api.get(V1, CRDS, None, IMPORTS_CRD)["spec"]["versions"]
                api.patch(
                    V1, CRDS, None, IMPORTS_CRD, {"spec": {"versions": [one | {"served": False} for one in versions]}}
                )
            await until(lambda: "not served any more" in it.problems(), BACK_S)
            assert it.health.state is State.STALE
            assert it.problems().startswith("serviceimports:")
            assert it.records() == known
            bare.apply(manifests.native_slice("pods", "db-0=10.1.0.1", "db-1=10.1.0.2", ports=PORTS))
            await until(lambda: it.ask("db-1.west.pods.test") == "10.1.0.2", 2.0)
            it.judge()
            it.kept = set()  # what is not there when the CRD is back, is not there
            await asyncio.to_thread(bare.cluster.install, crd_manifests())
            bare.apply(manifests.service_import("new", ips=["10.0.0.9"]))
            await it.agrees(api, BACK_S)
            await it.is_(State.SYNCED, BACK_S)


async def test_v1alpha1_alone_and_then_v1beta1_beside_it(bare: Audited, api: Api, tmp_path: Path) -> None:
    """The version that there is is read; another that is preferred is found by the next list, and no name is missed meanwhile."""
    await asyncio.to_thread(bare.cluster.install, v1alpha1_crds(tmp_path))
    bare.apply(*(document.replace("v1beta1", "v1alpha1") for document in OBJECTS))
    kept = ("kept.test", "pods.test", "db-0.west.pods.test")
    timing = replace(REAL, recheck_s=3.0)  # ten minutes, made short: it is this list that finds the other version
    with capture_logs() as said:
        async with answering(bare.cluster.kubeconfig(USER), timing, kept) as it:
            await it.agrees(api)
            assert read_of(said) == ["v1alpha1"]
            await asyncio.to_thread(bare.cluster.install, crd_manifests())
            bare.apply(manifests.service_import("new", ips=["10.0.0.9"]))
            await it.agrees(api, BACK_S)
            await until(lambda: read_of(said) == ["v1alpha1", "v1beta1"], BACK_S)
            bare.apply(manifests.service_import("kept", ips=["10.0.0.3"]))
            await it.agrees(api, BACK_S)
            await it.is_(State.SYNCED, BACK_S)
            assert it.health.streams[IMPORTS].drift == 0


def fill(api: Api, imports: int) -> None:
    """Make so many ServiceImports."""
    for number in range(SPACES):
        api.ensure_namespace(f"n{number}")
    made = (manifests.service_import(f"s{n}", namespace=f"n{n % SPACES}", ips=["10.0.0.1"]) for n in range(imports))
    api.bulk(json.loads(one) for one in made)


def read_of(said: list[EventDict]) -> list[object]:
    """Give the versions of ServiceImport that were read, in order."""
    return [line["version"] for line in said if (line["event"], line.get("resource")) == ("reading", str(IMPORTS))]
