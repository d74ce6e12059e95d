"""How a cluster is reached: TLS, client certificates, tokens, plugins, in-cluster; and what happens when that changes."""

from __future__ import annotations

import base64
import json
import stat
import sys
import time
from pathlib import Path

import pytest
from msgspec.structs import replace

from mcsdns.source.health import Health, State
from mcsdns.source.kube.cluster import KubeSource
from mcsdns.source.kube.settings import InCluster, KubeconfigSettings
from tests.source.certificates import Authority
from tests.source.fake_api import FakeApi, fake_api
from tests.source.following import FAST, IMPORTS, Following, following, settled, until, write_kubeconfig


def strict(folder: Path) -> KubeconfigSettings:
    return KubeconfigSettings(folder / "kubeconfig")


def data(path: Path) -> str:
    return base64.b64encode(path.read_bytes()).decode()


@pytest.mark.parametrize("is_inline", [False, True])
async def test_tls_with_the_clusters_own_authority(tmp_path: Path, is_inline: bool) -> None:
    """The cluster's own CA is trusted, from a file beside the kubeconfig or from within it."""
    authority = Authority(tmp_path)
    cluster = {"certificate-authority-data": data(authority.path)} if is_inline else {"certificate-authority": "ca.crt"}
    async with fake_api(authority.server()) as api:
        api.put("serviceimports", "a")
        write_kubeconfig(tmp_path / "kubeconfig", api.url, cluster=cluster)
        async with following(api.url, tmp_path, settings=strict(tmp_path)) as it:
            await it.synced()
            assert it.names == {"a"}


async def test_another_authority_is_an_outage(tmp_path: Path) -> None:
    """A server that another CA vouches for is not asked anything."""
    other = Authority(tmp_path, "other")
    async with fake_api(Authority(tmp_path).server()) as api:
        write_kubeconfig(tmp_path / "kubeconfig", api.url, cluster={"certificate-authority": str(other.path)})
        async with following(api.url, tmp_path, settings=strict(tmp_path)) as it:
            await until(lambda: it.code("unreachable"))
            assert "certificate verify failed" in (it.health.streams[IMPORTS].problem or "")
            assert not api.seen


async def test_tls_server_name(tmp_path: Path) -> None:
    """`tls-server-name` is what is asked for and checked."""
    authority = Authority(tmp_path)
    async with fake_api(authority.server(hosts=("api.west.example",))) as api:
        cluster = {"certificate-authority": "ca.crt", "tls-server-name": "api.west.example"}
        write_kubeconfig(tmp_path / "kubeconfig", api.url, cluster=cluster)
        async with following(api.url, tmp_path, settings=strict(tmp_path)) as it:
            await it.synced()


@pytest.mark.parametrize("is_inline", [False, True])
async def test_a_client_certificate(tmp_path: Path, is_inline: bool) -> None:
    """A client certificate is shown; its key is nowhere on the disk afterwards; it is followed when it is renewed."""
    authority = Authority(tmp_path)
    certificate, key = authority.issue("me", days=10)
    async with fake_api(authority.server(asks=True)) as api:
        user: dict[str, str] = {"client-certificate": str(certificate), "client-key": str(key)}
        if is_inline:
            user = {"client-certificate-data": data(certificate), "client-key-data": data(key)}
        write_kubeconfig(tmp_path / "kubeconfig", api.url, user, {"certificate-authority": "ca.crt"})
        before = set(Path("/dev/shm").iterdir())
        async with following(api.url, tmp_path, settings=strict(tmp_path)) as it:
            await it.synced()
            assert not [path for path in set(Path("/dev/shm").iterdir()) - before if path.name.startswith("mcsdns-")]
            await until(lambda: days_left(it) == {"client-certificate": 10, "server-certificate": 30})
            authority.issue("me", days=20)
            if is_inline:
                user = {"client-certificate-data": data(certificate), "client-key-data": data(key)}
                write_kubeconfig(tmp_path / "kubeconfig", api.url, user, {"certificate-authority": "ca.crt"})
            await until(lambda: len(api.requests("watch", "serviceimports")) >= 2)
            assert len(api.requests("list", "serviceimports")) == 1
            assert it.health.state is State.SYNCED
            await until(lambda: days_left(it) == {"client-certificate": 20, "server-certificate": 30})


def days_left(it: Following) -> dict[str, int]:
    """Tell in how many days the credentials end that the metric shows."""
    return {kind: round((end - time.time()) / 86400) for kind, end in it.health.expiries().items()}


async def test_another_server(api: FakeApi, tmp_path: Path) -> None:
    """The kubeconfig names another address of the same cluster: resumed there at the last RV, without a list."""
    api.put("serviceimports", "a")
    async with following(api.url, tmp_path) as it:
        await it.synced()
        write_kubeconfig(it.path, api.url.replace("127.0.0.1", "localhost"))
        await until(lambda: len(api.requests("watch", "serviceimports")) == 2)
        api.put("serviceimports", "b")
        await until(lambda: it.names == {"a", "b"})
        assert len(api.requests("list", "serviceimports")) == 1
        assert not it.code("cut")


async def test_a_kubeconfig_that_comes_late(api: FakeApi, tmp_path: Path) -> None:
    """A missing file is an outage that names it, and ends when the file is there; a broken one later costs nothing."""
    path = tmp_path / "kubeconfig"
    settings = KubeconfigSettings(path, allow_insecure=True)
    async with following(api.url, tmp_path, settings=settings) as it:
        await until(lambda: it.code("credentials"))
        assert str(path) in (it.health.streams[IMPORTS].problem or "")
        write_kubeconfig(path, api.url)
        await it.synced()
        path.write_text("{half")
        api.put("serviceimports", "a")
        await until(lambda: it.names == {"a"})
        assert it.health.state is State.SYNCED


async def test_a_token_file(api: FakeApi, tmp_path: Path) -> None:
    """`tokenFile` is read again when its content changes."""
    (tmp_path / "token").write_text("t1\n")
    api.tokens = {"t1"}
    write_kubeconfig(tmp_path / "kubeconfig", api.url, {"tokenFile": "token"})
    settings = KubeconfigSettings(tmp_path / "kubeconfig", allow_insecure=True)
    async with following(api.url, tmp_path, settings=settings) as it:
        await settled(api, it)
        api.tokens = {"t2"}
        api.end_watches("serviceimports")
        await until(lambda: it.health.state is State.STALE)
        (tmp_path / "token").write_text("t2\n")
        await it.synced()


def plugin(folder: Path, script: str) -> dict[str, object]:
    """Write an exec plugin and the user that names it."""
    path = folder / "plugin"
    path.write_text(f"#!{sys.executable}\n{script}")
    path.chmod(path.stat().st_mode | stat.S_IEXEC)
    return {"exec": {"apiVersion": "client.authentication.k8s.io/v1", "command": str(path)}}


def credential(**fields: str) -> str:
    """Write what a plugin prints."""
    return json.dumps({"apiVersion": "client.authentication.k8s.io/v1", "kind": "ExecCredential", "status": fields})


async def test_an_exec_plugin(api: FakeApi, tmp_path: Path) -> None:
    """A plugin's token is used, and asked for again when the server refuses it."""
    api.tokens = {"p1"}
    (tmp_path / "out").write_text(credential(token="p1"))
    user = plugin(tmp_path, f"print(open({str(tmp_path / 'out')!r}).read())")
    write_kubeconfig(tmp_path / "kubeconfig", api.url, user)
    settings = KubeconfigSettings(tmp_path / "kubeconfig", allow_insecure=True)
    async with following(api.url, tmp_path, settings=settings) as it:
        await settled(api, it)
        api.tokens = {"p2"}
        (tmp_path / "out").write_text(credential(token="p2"))
        api.end_watches("serviceimports")
        await until(lambda: api.requests("watch", "serviceimports")[-1].authorization == "Bearer p2")
        await it.synced()


async def test_an_exec_plugin_that_fails(api: FakeApi, tmp_path: Path) -> None:
    """It is an outage that says what the plugin said."""
    user = plugin(tmp_path, "import sys; sys.exit('no ticket: log in first')")
    write_kubeconfig(tmp_path / "kubeconfig", api.url, user)
    settings = KubeconfigSettings(tmp_path / "kubeconfig", allow_insecure=True)
    async with following(api.url, tmp_path, settings=settings) as it:
        await until(lambda: it.code("credentials"))
        problem = it.health.streams[IMPORTS].problem or ""
        assert "exec plugin" in problem
        assert "log in first" in problem


async def test_an_exec_plugin_that_hangs(api: FakeApi, tmp_path: Path) -> None:
    """It does not hold the event loop, and there is never more than one."""
    user = plugin(tmp_path, f"open({str(tmp_path / 'ran')!r}, 'a').write('x')\nimport time; time.sleep(4)")
    write_kubeconfig(tmp_path / "kubeconfig", api.url, user)
    settings = KubeconfigSettings(tmp_path / "kubeconfig", allow_insecure=True)
    async with following(api.url, tmp_path, settings=settings, timing=replace(FAST, load_limit_s=0.4)) as it:
        await until(lambda: it.code("credentials") >= 3)
        assert (tmp_path / "ran").read_text() == "x"


async def test_in_cluster(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The service account of the pod: its token, its CA, the address from the environment; a rotated token is taken."""
    authority = Authority(tmp_path)
    authority.path.rename(tmp_path / "ca.crt")
    (tmp_path / "token").write_text("s1")
    async with fake_api(authority.server()) as api:
        api.tokens = {"s1"}
        host, port = api.url.removeprefix("https://").split(":")
        monkeypatch.setenv("KUBERNETES_SERVICE_HOST", host)
        monkeypatch.setenv("KUBERNETES_SERVICE_PORT", port)
        async with following(api.url, tmp_path, settings=InCluster(tmp_path)) as it:
            await settled(api, it)
            api.tokens = {"s2"}
            (tmp_path / "token").write_text("s2")
            api.end_watches("serviceimports")
            await until(lambda: api.requests("watch", "serviceimports")[-1].authorization == "Bearer s2")
            await it.synced()


async def test_what_check_asks(tmp_path: Path) -> None:
    """Reachability, versions, permissions, certificates, objects, cluster id."""
    authority = Authority(tmp_path)
    certificate, key = authority.issue("me", days=10)
    async with fake_api(authority.server(days=20, asks=True)) as api:
        api.fill("serviceimports", ["a", "b", "c"])
        api.put("clusterproperties", "cluster.clusterset.k8s.io", "", spec={"value": "west.eu"})
        api.tables["serviceexports"].versions = []
        api.denied = {"endpointslices"}
        user = {"client-certificate": str(certificate), "client-key": str(key)}
        write_kubeconfig(tmp_path / "kubeconfig", api.url, user, {"certificate-authority": "ca.crt"})
        probe = await KubeSource("west", strict(tmp_path), Health("west"), timing=FAST).probe()
    assert probe.is_reachable, probe.problem
    assert probe.server_version == "v1.37.2-fake"
    assert probe.cluster_id == "west.eu"
    assert 19 < (probe.server_certificate_days or 0) < 20
    assert 9 < (probe.client_certificate_days or 0) < 10
    found = {entry.resource.value: (entry.version, entry.objects, entry.allowed["list"]) for entry in probe.resources}
    assert found == {
        "serviceimports": ("v1beta1", 3, True),
        "serviceexports": (None, None, True),
        "endpointslices": ("v1", None, False),
        "clusterproperties": ("v1alpha1", 1, True),
    }


async def test_check_of_a_cluster_that_is_away(api: FakeApi, tmp_path: Path) -> None:
    """Nothing is raised: the problem is in the answer."""
    path = write_kubeconfig(tmp_path / "kubeconfig", api.url)
    await api.stop()
    settings = KubeconfigSettings(path, allow_insecure=True)
    probe = await KubeSource("west", settings, Health("west"), timing=FAST).probe()
    assert not probe.is_reachable
    assert "cannot connect" in (probe.problem or "")
