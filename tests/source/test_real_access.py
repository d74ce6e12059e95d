"""
The source and the answers against a real kube-apiserver that does not let us in as before: certificates, tokens, roles,
throttling.

What is published is held to the objects, before, during and after each fault (`answering`). Watches are made short where a
fault is felt by the next request only (`SHORT`): an API server lets an open watch go on, whatever has become of its user.
"""

from __future__ import annotations

import asyncio
import http.client
import shutil
import ssl
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import yaml
from msgspec.structs import replace

from mcsdns.source.events import Resource
from mcsdns.source.health import Health, State
from mcsdns.source.kube.cluster import KubeSource
from mcsdns.source.kube.settings import KubeconfigSettings
from tests import manifests
from tests.e2e.real import ROLE, USER, Audited
from tests.servers.run import Api, wait_until
from tests.source.answering import REAL, answering, member
from tests.source.following import IMPORTS, SLICES, following, until

pytestmark = pytest.mark.servers

RBAC, FLOW = "rbac.authorization.k8s.io/v1", "flowcontrol.apiserver.k8s.io/v1"
SHORT = replace(REAL, watch_limit_s=(1, 1))
KEPT = ("kept.test", "pods.test", "db-0.west.pods.test")
PORTS = ["pg 5432/TCP"]
BACK_S = 20.0
ROTATED_S = 5.0
"""From when the file holds a token that is good (watching.md)."""


@pytest.fixture(scope="module")
def west(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Audited]:
    """A member cluster."""
    with member(tmp_path_factory.mktemp("west")) as cluster:
        cluster.apply(
            manifests.service_import("kept", ips=["10.0.0.1"]),
            manifests.service_import("pods", headless=True, ports=PORTS),
            manifests.service_export("pods"),
            manifests.native_slice("pods", "db-0=10.1.0.1", ports=PORTS),
        )
        yield cluster


@pytest.fixture
def api(west: Audited) -> Iterator[Api]:
    """A client that may do anything."""
    with closing(west.api()) as client:
        yield client


async def test_an_api_server_that_comes_back_with_other_certificates(west: Audited, tmp_path: Path) -> None:
    """The data is served and the TLS error is named, until the kubeconfig's authority is the new one."""
    authority = Path(shutil.copy(west.cluster.ca_path, tmp_path / "ca.crt"))
    content = yaml.safe_load(west.cluster.kubeconfig(USER).read_text())
    content["clusters"][0]["cluster"]["certificate-authority"] = str(authority)
    path = tmp_path / "kubeconfig"
    path.write_text(yaml.safe_dump(content))
    async with answering(path, keep=KEPT) as it:
        with closing(west.api()) as api:
            await it.agrees(api)
        known = it.records()
        west.cluster.api_server.kill()
        west.cluster.api_server.forget_certificate()
        await asyncio.to_thread(west.cluster.api_server.start)
        with closing(west.api()) as api:  # who trusts the new one
            west.apply(manifests.service_import("renewed", ips=["10.0.0.2"]))
            await until(lambda: it.problems().count("CERTIFICATE_VERIFY_FAILED") == len(Resource))
            assert it.health.state is State.STALE
            assert it.records() == known
            manifests.write(authority, west.cluster.ca_path.read_text())
            await it.agrees(api, BACK_S)
            await it.is_(State.SYNCED, BACK_S)


async def test_a_token_that_is_revoked_and_replaced(west: Audited, api: Api, tmp_path: Path) -> None:
    """401 for real: the data is served, and it is followed again within 5 s of a good token in `tokenFile`."""
    token = tmp_path / "token"
    manifests.write(token, new_account(api))
    path = tmp_path / "kubeconfig"
    content = yaml.safe_load(west.cluster.kubeconfig(USER).read_text())
    content["users"][0]["user"] = {"tokenFile": str(token)}
    path.write_text(yaml.safe_dump(content))
    timing = replace(SHORT, poll_s=10.0, refused_poll_s=2.0)  # the real ones: they are what the 5 s are about
    async with answering(path, timing, KEPT) as it:
        await it.agrees(api)
        known = it.records()
        api.delete("v1", "serviceaccounts", "kube-system", "rotated")
        # The API server remembers for 10 s that a token was good.
        await until(lambda: all(stream.errors.get("http_401") for stream in it.health.streams.values()), 15.0)
        assert it.health.state is State.STALE
        assert "401" in it.problems()
        west.apply(manifests.service_import("rotated", ips=["10.0.0.3"]))
        assert it.records() == known
        manifests.write(token, new_account(api))
        started = time.monotonic()
        await it.agrees(api, ROTATED_S)
        await it.is_(State.SYNCED, ROTATED_S - (time.monotonic() - started))


def new_account(api: Api) -> str:
    """Make a service account with the shipped role, and give a token of it. One that was of the same name before is another."""
    account = {"kind": "ServiceAccount", "namespace": "kube-system", "name": "rotated"}
    api.apply(
        {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"namespace": "kube-system", "name": "rotated"}}
    )
    api.apply(
        {
            "apiVersion": RBAC,
            "kind": "ClusterRoleBinding",
            "metadata": {"name": "rotated"},
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": ROLE},
            "subjects": [account],
        }
    )
    asked: dict[str, Any] = {"spec": {"expirationSeconds": 3600}}
    made = api.request("POST", "/api/v1/namespaces/kube-system/serviceaccounts/rotated/token", asked)
    return str(made["status"]["token"])


async def test_the_right_to_slices_is_taken_away_and_given_back(west: Audited, api: Api) -> None:
    """403 on one resource: it is named and its data kept; the others are followed meanwhile; and so is it when it may be read again."""
    role = api.get(RBAC, "clusterroles", None, ROLE)
    async with answering(west.cluster.kubeconfig(USER), SHORT, KEPT) as it:
        await it.agrees(api)
        rules = [rule for rule in role["rules"] if "endpointslices" not in rule["resources"]]
        api.patch(RBAC, "clusterroles", None, ROLE, {"rules": rules})
        try:
            await until(lambda: "forbidden" in str(it.health.streams[SLICES].problem))
            assert it.problems().startswith("endpointslices:")
            assert "\n" not in it.problems(), "no other resource is touched"
            west.apply(
                manifests.service_import("meanwhile", ips=["10.0.0.4"]),
                manifests.native_slice("pods", "db-0=10.1.0.1", "db-1=10.1.0.2", ports=PORTS),
            )
            await until(lambda: it.ask("meanwhile.test") == "10.0.0.4", 2.0)
            assert it.ask("pods.test") == "10.1.0.1", "the last known data"
            assert it.health.state is State.STALE
        finally:
            api.patch(RBAC, "clusterroles", None, ROLE, {"rules": role["rules"]})
        await it.agrees(api, 10.0)
        await it.is_(State.SYNCED, 10.0)
        assert it.ask("db-1.west.pods.test") == "10.1.0.2"


async def test_an_api_server_that_throttles_us(west: Audited, api: Api) -> None:
    """429 with Retry-After, by priority and fairness, on every request: the budget is kept, and its end is felt."""
    async with answering(west.cluster.kubeconfig(USER), SHORT, KEPT) as it:
        await it.agrees(api)
        known = it.records()
        with one_at_a_time(api, USER, "stranger") as rule, unfinished_request(west, "stranger", rule):
            await until(lambda: all(stream.errors.get("http_429") for stream in it.health.streams.values()), 10.0)
            before, since = throttled(west), time.monotonic()
            west.apply(manifests.service_import("throttled", ips=["10.0.0.5"]))
            await asyncio.sleep(3.0)
            asked, for_s = throttled(west) - before, time.monotonic() - since
            assert 0 < asked <= len(Resource) * (for_s + 1.0), "`Retry-After: 1` is the floor of each wait"
            assert it.health.state is State.STALE
            assert it.records() == known
        await it.agrees(api, 10.0)
        await it.is_(State.SYNCED, 10.0)


def throttled(west: Audited) -> int:
    """Count what has been answered 429."""
    return sum(1 for one in west.asked() if (one.user, one.code) == (USER, 429))


@contextmanager
def one_at_a_time(api: Api, *users: str) -> Iterator[str]:
    """Let the API server take one request of all these users at a time, and answer 429 to the others. Gives the rule's uid."""
    limited = {"nominalConcurrencyShares": 0, "borrowingLimitPercent": 0, "limitResponse": {"type": "Reject"}}
    rule = {"verbs": ["*"], "apiGroups": ["*"], "resources": ["*"], "namespaces": ["*"], "clusterScope": True}
    flow = {
        "priorityLevelConfiguration": {"name": "narrow"},
        "matchingPrecedence": 2,
        "rules": [{"subjects": [{"kind": "User", "user": {"name": user}} for user in users], "resourceRules": [rule]}],
    }
    level = {"type": "Limited", "limited": limited}
    for kind, spec in (("PriorityLevelConfiguration", level), ("FlowSchema", flow)):
        made = api.apply({"apiVersion": FLOW, "kind": kind, "metadata": {"name": "narrow"}, "spec": spec})
    try:
        yield str(made["metadata"]["uid"])
    finally:
        api.delete(FLOW, "flowschemas", None, "narrow")
        api.delete(FLOW, "prioritylevelconfigurations", None, "narrow")


@contextmanager
def unfinished_request(west: Audited, user: str, rule: str) -> Iterator[None]:
    """Keep the API server busy, once a rule of priority and fairness is in force, with a request whose body does not come."""
    trust = ssl.create_default_context(cafile=str(west.cluster.ca_path))
    at = urlsplit(west.cluster.url)
    bearer = {"Authorization": f"Bearer {west.cluster.token(user)}", "Content-Type": "application/json"}
    with closing(http.client.HTTPSConnection(at.hostname or "", at.port, context=trust)) as connection:

        def is_in_force() -> bool:
            connection.request("GET", "/api/v1/namespaces", headers=bearer)
            with connection.getresponse() as response:
                response.read()
                return response.getheader("X-Kubernetes-PF-FlowSchema-UID") == rule

        wait_until(is_in_force, 15.0, "the rule is in force")
        # Anyone may ask what they may do; `Content-Length` promises what never comes.
        path = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"
        connection.request("POST", path, headers=bearer | {"Content-Length": "100"})
        yield


async def test_a_user_who_may_read_nothing_at_first(west: Audited, api: Api, tmp_path: Path) -> None:
    """`check` says what is missing, resource by resource; nothing that could be missing is denied; the role is all that it takes."""
    settings = KubeconfigSettings(west.cluster.kubeconfig("stranger"))
    probe = await KubeSource("west", settings, Health("west")).probe()
    assert probe.is_reachable, probe.problem
    assert probe.server_version == "v1.37.2"
    assert (probe.server_certificate_days or 0) > 300
    assert {verb for found in probe.resources for verb, allowed in found.allowed.items() if allowed} == set()
    async with following("", tmp_path, settings=settings) as it:
        await until(lambda: len(it.told.whole) == len(Resource))
        assert set(it.told.whole.values()) == {False}
        binding = api.get(RBAC, "clusterrolebindings", None, "mcsdns-test")
        stranger = {"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": "stranger"}
        api.patch(RBAC, "clusterrolebindings", None, "mcsdns-test", {"subjects": [*binding["subjects"], stranger]})
        await until(lambda: it.health.state is State.SYNCED, 10.0)
        assert set(it.told.whole.values()) == {True}
        assert {"kept", "pods"} <= it.told.names(IMPORTS)
    probe = await KubeSource("west", settings, Health("west")).probe()
    assert all(found.allowed == {"get": True, "list": True, "watch": True} for found in probe.resources)
    assert {found.problem for found in probe.resources} == {None}
