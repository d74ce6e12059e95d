"""API servers behind an HTTP proxy: `proxy-url` in the kubeconfig, or the environment; and what becomes of a proxy's faults."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from msgspec.structs import replace

from mcsdns.source.health import Health, State
from mcsdns.source.kube.cluster import KubeSource
from mcsdns.source.kube.settings import KubeconfigSettings
from tests.source.certificates import Authority
from tests.source.connect_proxy import ConnectProxy, connect_proxy
from tests.source.fake_api import FakeApi, fake_api
from tests.source.following import FAST, IMPORTS, Following, following, settled, until, write_kubeconfig

LOGIN = "alice:opensesame"


def behind(proxy: ConnectProxy, api: FakeApi, folder: Path, login: str = "", **cluster: str) -> KubeconfigSettings:
    """Write a kubeconfig that leads through a proxy."""
    at = f"http://{login + '@' if login else ''}127.0.0.1:{proxy.port}"
    content = {"certificate-authority": "ca.crt", "proxy-url": at} | cluster
    write_kubeconfig(folder / "kubeconfig", api.url, cluster=content)
    return KubeconfigSettings(folder / "kubeconfig")


def blames(it: Following, proxy: ConnectProxy, *words: str) -> None:
    """Hold what is said of an outage: the proxy is named, and nothing secret is."""
    problem = it.health.streams[IMPORTS].problem or ""
    for word in ("proxy", f"127.0.0.1:{proxy.port}", *words):
        assert word in problem
    for secret in LOGIN.split(":"):
        assert secret not in problem


async def test_tls_through_a_proxy(tmp_path: Path) -> None:
    """Listed and followed, with the API server's own certificate checked; every connection goes through the proxy."""
    async with fake_api(Authority(tmp_path).server()) as api, connect_proxy() as proxy:
        api.put("serviceimports", "a")
        async with following(api.url, tmp_path, settings=behind(proxy, api, tmp_path)) as it:
            await settled(api, it)
            api.put("serviceimports", "b")
            await until(lambda: it.names == {"a", "b"})
        assert set(proxy.targets) == {api.url.removeprefix("https://")}


async def test_tls_server_name_through_a_proxy(tmp_path: Path) -> None:
    """The name that is asked for and checked is `tls-server-name`; where to, is the address in `server`."""
    authority = Authority(tmp_path)
    async with fake_api(authority.server(hosts=("api.west.example",))) as api, connect_proxy() as proxy:
        settings = behind(proxy, api, tmp_path, **{"tls-server-name": "api.west.example"})
        async with following(api.url, tmp_path, settings=settings) as it:
            await settled(api, it)
        assert set(proxy.targets) == {api.url.removeprefix("https://")}


async def test_another_certificate_behind_a_proxy(tmp_path: Path) -> None:
    """A proxy that answers in the API server's place is not believed."""
    other = Authority(tmp_path, "other")
    async with fake_api(other.server()) as api, connect_proxy() as proxy:
        Authority(tmp_path)
        async with following(api.url, tmp_path, settings=behind(proxy, api, tmp_path)) as it:
            await until(lambda: it.code("unreachable"))
            assert "certificate verify failed" in (it.health.streams[IMPORTS].problem or "")
            assert not api.seen


async def test_a_proxy_with_a_password(tmp_path: Path) -> None:
    """Name and password in `proxy-url` go to the proxy and to nobody else."""
    async with fake_api(Authority(tmp_path).server()) as api, connect_proxy() as proxy:
        proxy.login = LOGIN
        async with following(api.url, tmp_path, settings=behind(proxy, api, tmp_path, LOGIN)) as it:
            await settled(api, it)
        assert {seen.authorization for seen in api.seen} == {"Bearer t0"}


@pytest.mark.parametrize("refusal", ["403 Forbidden", "407 Proxy Authentication Required", "502 Bad Gateway"])
async def test_a_proxy_that_refuses(tmp_path: Path, refusal: str) -> None:
    """An outage that names the proxy and its answer. It is not the API server's 403: the resource is not given up."""
    async with fake_api(Authority(tmp_path).server()) as api, connect_proxy() as proxy:
        proxy.refusal = refusal
        async with following(api.url, tmp_path, settings=behind(proxy, api, tmp_path, LOGIN)) as it:
            await until(lambda: it.code("unreachable") >= 2)
            blames(it, proxy, refusal[:3])
            assert it.health.state is State.UNSYNCED
            assert not it.told.whole
            proxy.refusal = None
            await it.synced()


async def test_a_proxy_that_is_silent(tmp_path: Path) -> None:
    """An outage within the limit for connections."""
    async with fake_api(Authority(tmp_path).server()) as api, connect_proxy() as proxy:
        proxy.is_silent = True
        timing = replace(FAST, connect_limit_s=0.2, read_limit_s=0.2)
        async with following(api.url, tmp_path, settings=behind(proxy, api, tmp_path, LOGIN), timing=timing) as it:
            await until(lambda: it.health.streams[IMPORTS].errors)
            blames(it, proxy)


async def test_a_proxy_that_dies(tmp_path: Path) -> None:
    """Watches break, data stay, the proxy is named; when it is back, all goes on from where it was."""
    async with fake_api(Authority(tmp_path).server()) as api, connect_proxy() as proxy:
        api.put("serviceimports", "a")
        async with following(api.url, tmp_path, settings=behind(proxy, api, tmp_path, LOGIN)) as it:
            await settled(api, it)
            await proxy.stop()
            await until(lambda: it.health.state is State.STALE)
            await until(lambda: it.code("unreachable"))
            blames(it, proxy)
            api.put("serviceimports", "b")
            assert it.names == {"a"}
            await proxy.start()
            await until(lambda: it.names == {"a", "b"})
            await it.synced()
            assert len(api.requests("list", "serviceimports")) == 1


async def test_the_environment_names_the_proxy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`https_proxy` counts where the kubeconfig names none, but for what `no_proxy` takes out, as for every Kubernetes client."""
    for name in [name for name in os.environ if name.lower().endswith("_proxy")]:
        monkeypatch.delenv(name)
    async with fake_api(Authority(tmp_path).server()) as api, connect_proxy() as proxy:
        write_kubeconfig(tmp_path / "kubeconfig", api.url, cluster={"certificate-authority": "ca.crt"})
        settings = KubeconfigSettings(tmp_path / "kubeconfig")
        monkeypatch.setenv("https_proxy", f"http://127.0.0.1:{proxy.port}")
        assert (await KubeSource("west", settings, Health("west"), timing=FAST).probe()).is_reachable
        asked = len(proxy.targets)
        assert asked
        monkeypatch.setenv("no_proxy", "127.0.0.1")
        assert (await KubeSource("west", settings, Health("west"), timing=FAST).probe()).is_reachable
        assert len(proxy.targets) == asked
