"""A cluster that lets nobody read `/apis` (the role `system:discovery` is not bound): what works, and what is said of the rest."""

from __future__ import annotations

from pathlib import Path

from mcsdns.source.health import Health, State
from mcsdns.source.kube.cluster import KubeSource
from mcsdns.source.kube.settings import KubeconfigSettings
from tests.source.fake_api import FakeApi
from tests.source.following import FAST, IMPORTS, PROPERTIES, following, settled, until, write_kubeconfig
from tests.source.test_faults import end_watches


async def test_first_versions_are_followed(api: FakeApi, tmp_path: Path) -> None:
    """What is served as the version that is tried first is listed and watched, and `/apis` is not even asked for."""
    api.denied = {"/apis"}
    api.tables["clusterproperties"].versions = ["v1"]
    api.put("serviceimports", "a")
    async with following(api.url, tmp_path) as it:
        await settled(api, it)
        api.put("serviceimports", "b")
        await until(lambda: it.names == {"a", "b"})
        assert api.discovered == []
        assert set(it.told.whole.values()) == {True}


async def test_what_cannot_be_found_out(api: FakeApi, tmp_path: Path) -> None:
    """A resource that is not there as that version may be there as another: it is not taken for absent, and it is said why."""
    api.denied = {"/apis"}
    api.tables["clusterproperties"].versions = []
    api.put("serviceimports", "a")
    async with following(api.url, tmp_path) as it:
        await until(lambda: len(it.told.whole) == 4)
        assert it.told.whole[PROPERTIES] is False
        assert it.told.whole[IMPORTS] is True
        assert it.names == {"a"}
        problem = it.health.streams[PROPERTIES].problem or ""
        for word in ("clusterproperties", "about.k8s.io/v1", "/apis", "system:discovery"):
            assert word in problem
        api.denied = set()
        await it.synced()
        assert it.told.whole[PROPERTIES] is True


async def test_a_crd_that_is_deleted(api: FakeApi, tmp_path: Path) -> None:
    """Its data are kept."""
    api.put("serviceimports", "a")
    async with following(api.url, tmp_path) as it:
        await settled(api, it)
        api.denied = {"/apis"}
        api.tables["serviceimports"].versions = []
        await end_watches(api, "serviceimports")
        await until(lambda: it.code("http_403"))
        assert it.names == {"a"}
        assert it.health.state is State.STALE


async def test_check_says_so(api: FakeApi, tmp_path: Path) -> None:
    """The cluster is reachable, and each resource is asked for as the first version; the reason is in the answer."""
    api.denied = {"/apis", "/version"}
    api.tables["clusterproperties"].versions = []
    api.fill("serviceimports", ["a", "b"])
    settings = KubeconfigSettings(write_kubeconfig(tmp_path / "kubeconfig", api.url), allow_insecure=True)
    probe = await KubeSource("west", settings, Health("west"), timing=FAST).probe()
    assert probe.is_reachable, probe.problem
    assert probe.server_version is None
    assert "HTTP 403" in (probe.discovery_problem or "")
    assert probe.uid == "uid-of-west"
    found = {entry.resource.value: (entry.version, entry.objects, entry.problem) for entry in probe.resources}
    assert found["serviceimports"] == ("v1beta1", 2, None)
    assert found["clusterproperties"][1] is None
    assert "HTTP 404" in (found["clusterproperties"][2] or "")
