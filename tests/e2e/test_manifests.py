"""
What is shipped for Kubernetes, applied to a real API server that takes no field that it does not know: the chart in each mode and with
each switch, the roles, the wiring. And mcsdns with those roles, and with each part of them missing.
"""

from __future__ import annotations

import copy
import json
import shutil
from collections.abc import Iterator
from contextlib import closing
from functools import partial
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

import pytest
import yaml

from mcsdns.wiring import Upstream, filled
from tests import manifests
from tests.chart import NAMESPACE, PLAIN, Object, rendered
from tests.e2e.conftest import Serve
from tests.e2e.real import CHECKER, ROLE, USER, Audited
from tests.e2e.server import eventually, found, run
from tests.project.test_chart import CENTRAL
from tests.servers.run import Api, StatusError, monitor_manifests

pytestmark = pytest.mark.servers

VALUES: dict[str, dict[str, Any]] = {
    "defaults": {},
    "central": CENTRAL,
    "everything": CENTRAL
    | {
        "ipFamilies": ["IPv4", "IPv6"],
        "image": {"digest": f"sha256:{'0' * 64}", "pullSecrets": ["registry"], "pullPolicy": "Always"},
        "service": {"type": "LoadBalancer", "annotations": {"a": "b"}, "loadBalancerSourceRanges": ["10.0.0.0/8"]},
        "serviceAccount": {"annotations": {"a": "b"}},
        "monitoring": {
            "serviceMonitor": True,
            "podMonitor": True,
            "prometheusRule": True,
            "runbookUrl": "https://git.example/mcsdns/",
            "dashboard": True,
            "labels": {"release": "prometheus"},
        },
        "networkPolicy": {"dnsPodLabels": {"k8s-app": "kube-dns"}, "apiServerCidrs": ["192.0.2.0/24"]},
        "priorityClassName": "system-cluster-critical",
        "spreadOverZones": "DoNotSchedule",
        "nodeSelector": {"kubernetes.io/os": "linux"},
        "tolerations": [{"operator": "Exists"}],
        "podLabels": {"team": "dns"},
        "podAnnotations": {"a": "b"},
        "namespace": {"create": True},
        "config": {"ttl": 9},
    },
    "little": {
        "replicas": 1,
        "rbac": {"create": False},
        "podDisruptionBudget": {"enabled": False},
        "networkPolicy": {"enabled": False},
        "service": {"clusterIP": "10.96.0.53"},
    },
    "IPv6": {"ipFamilies": ["IPv6"]},
}


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Audited]:
    """An API server with both families, the shipped role, and the CRDs of the Prometheus operator's monitors and rules."""
    flags = ("--service-cluster-ip-range=10.96.0.0/16,fd00:96::/112",)
    one = Audited("shipped", tmp_path_factory.mktemp("shipped"), flags=flags)
    try:
        one.start()
        one.cluster.install(monitor_manifests())
        yield one
    finally:
        one.kill()
        shutil.rmtree(one.cluster.etcd.data_path, ignore_errors=True)


@pytest.fixture
def api(cluster: Audited) -> Iterator[Api]:
    """A client that may do anything."""
    with closing(cluster.api()) as client:
        yield client


def apply(api: Api, obj: Object, namespace: str | None = None) -> Object:
    """Apply an object as it stands, in another namespace if one is given; what the server does not know is refused."""
    if namespace is not None and "namespace" in obj["metadata"]:
        obj = copy.deepcopy(obj)
        obj["metadata"]["namespace"] = namespace
    if "namespace" in obj["metadata"]:
        api.ensure_namespace(obj["metadata"]["namespace"])
    return api.apply(obj, fieldValidation="Strict")


@pytest.mark.parametrize("name", VALUES)
def test_the_chart_is_taken(api: Api, name: str) -> None:
    """Every object of the chart is applied, and what comes back has what was said."""
    namespace = f"chart-{name.lower()}"
    for obj in rendered(VALUES[name]):
        made = apply(api, obj, namespace)
        assert _keeps(made.get("spec", {}), obj.get("spec", {})), obj["kind"]


def test_a_field_that_is_none_is_refused(api: Api) -> None:
    """So the test above can fail."""
    (deployment,) = [obj for obj in rendered() if obj["kind"] == "Deployment"]
    deployment["spec"]["template"]["spec"]["containers"][0]["readOnlyRootFilesystem"] = True
    with pytest.raises(StatusError, match="readOnlyRootFilesystem"):
        apply(api, deployment, "chart-wrong")


def test_plain_manifests(api: Api) -> None:
    """`kubectl apply -f deploy/mcsdns.yaml` on an empty cluster: the namespace comes first."""
    for obj in filter(None, yaml.safe_load_all(PLAIN.read_text())):
        api.apply(obj, fieldValidation="Strict")


@pytest.mark.parametrize("name", ["defaults", "central"])
def test_pods_are_let_in_by_the_restricted_standard(api: Api, name: str) -> None:
    """In a namespace that enforces Pod Security `restricted`, the pod is admitted; one that may escalate is not."""
    namespace = f"restricted-{name}"
    api.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {
        "name": namespace, "labels": {"pod-security.kubernetes.io/enforce": "restricted"}}})  # fmt: skip
    (deployment,) = [obj for obj in rendered(VALUES[name]) if obj["kind"] == "Deployment"]
    template = deployment["spec"]["template"]
    pod = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": template["metadata"] | {"namespace": namespace, "name": "mcsdns"},
    }
    api.create(pod | {"spec": template["spec"]})
    spec = copy.deepcopy(template["spec"])
    spec["containers"][0]["securityContext"]["allowPrivilegeEscalation"] = True
    pod["metadata"] = pod["metadata"] | {"name": "escalating"}
    with pytest.raises(StatusError, match="violates PodSecurity"):
        api.create(pod | {"spec": spec})


@pytest.mark.parametrize("platform", ["kube-dns", "aks", "k3s"])
def test_wiring_is_taken(api: Api, platform: str) -> None:
    """What `mcsdns wiring` prints as a manifest is one."""
    apply(api, yaml.safe_load(filled(platform, Upstream(["10.96.0.53"]))))


def test_the_role_of_the_chart_is_enough(cluster: Audited, api: Api, serve: Serve, tmp_path: Path) -> None:
    """A server with the service account of the chart's role, and nothing more, hears all; and `check` finds nothing missing."""
    for obj in rendered(release="own-mcsdns"):
        apply(api, obj)
    kubeconfig = _kubeconfig(cluster, api, NAMESPACE, "own-mcsdns", tmp_path)
    apply(api, json.loads(manifests.service_import("web", ips=["10.0.0.1"])))
    member = {"name": "own", "kubeconfig": {"path": str(kubeconfig)}}
    server = serve([member])
    eventually(lambda: server.ask("web.test.svc"), found("10.0.0.1"))
    (status,) = server.admin("/status").json["clusters"]
    assert status["state"] == "synced"
    assert "forbidden" not in json.dumps(status)
    assert _check(tmp_path, member).returncode == 0


def test_nothing_in_the_role_can_be_spared(cluster: Audited, api: Api, tmp_path: Path) -> None:
    """With any verb on any resource taken from the role, `check` names it, or warns that the cluster is not known."""
    rules = api.get("rbac.authorization.k8s.io/v1", "clusterroles", None, ROLE)["rules"]
    member = cluster.member(user=CHECKER)
    grants = [(rule, resource, verb) for rule in rules for resource in rule["resources"] for verb in rule["verbs"]]
    assert len(grants) == 13
    try:
        whole = _check(tmp_path, member)
        assert (whole.returncode, "warning" in whole.stdout) == (0, False), whole.stdout
        for rule, resource, verb in grants:
            api.apply(_role([*_without(rules, rule, resource, verb)]))
            eventually(partial(_is_allowed, cluster, CHECKER, rule, resource, verb), False)
            checked = _check(tmp_path, member)
            if resource == "namespaces":
                assert "warning: which cluster this is cannot be told" in checked.stdout
            else:
                assert checked.returncode == 1, f"without {verb} on {resource}: {checked.stdout}"
                assert resource in checked.stdout
                assert verb in checked.stdout
    finally:
        api.apply(_role(rules))


@pytest.mark.parametrize("verb", ["list", "watch"])
def test_a_server_tells_what_the_role_lacks(cluster: Audited, api: Api, serve: Serve, verb: str) -> None:
    """Without a verb the running server says which resource it may not read."""
    rules = api.get("rbac.authorization.k8s.io/v1", "clusterroles", None, ROLE)["rules"]
    (slices,) = [rule for rule in rules if rule["resources"] == ["endpointslices"]]
    try:
        api.apply(_role([*_without(rules, slices, "endpointslices", verb)]))
        eventually(partial(_is_allowed, cluster, USER, slices, "endpointslices", verb), False)
        server = serve([cluster.member()], until="serving", sync_deadline_s=1)
        eventually(lambda: "forbidden" in server.admin("/status").text, True, 5)
        assert "endpointslices" in server.admin("/status").text
    finally:
        api.apply(_role(rules))
    eventually(partial(_is_allowed, cluster, USER, slices, "endpointslices", verb), True)


def _role(rules: list[Object]) -> Object:
    """Write the shipped role with other rules."""
    return {
        "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole", "metadata": {"name": ROLE}, "rules": rules
    }  # fmt: skip


def _without(rules: list[Object], without: Object, resource: str, verb: str) -> Iterator[Object]:
    """Give rules that allow all that these do but for one verb on one resource."""
    for rule in rules:
        if rule != without:
            yield rule
            continue
        if others := [name for name in rule["resources"] if name != resource]:
            yield rule | {"resources": others}
        if left := [name for name in rule["verbs"] if name != verb]:
            yield rule | {"resources": [resource], "verbs": left}


def _is_allowed(cluster: Audited, user: str, rule: Object, resource: str, verb: str) -> bool:
    """Ask the API server whether it lets a user do something that a rule grants."""
    name = rule.get("resourceNames", [""])[0]
    attributes = {"group": rule["apiGroups"][0], "resource": resource, "verb": verb, "name": name}
    asked = {
        "apiVersion": "authorization.k8s.io/v1",
        "kind": "SelfSubjectAccessReview",
        "spec": {"resourceAttributes": attributes},
    }
    with closing(cluster.cluster.client(user)) as client:
        answer = client.request("POST", "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews", asked)
    return bool(answer["status"]["allowed"])


def _kubeconfig(cluster: Audited, api: Api, namespace: str, account: str, folder: Path) -> Path:
    """Write a kubeconfig with a token of a service account, as the recipe of docs/deploy.md does."""
    token = api.request(
        "POST",
        f"/api/v1/namespaces/{namespace}/serviceaccounts/{account}/token",
        {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {"expirationSeconds": 3600}},
    )["status"]["token"]
    content = yaml.safe_load(cluster.cluster.kubeconfig().read_text())
    content["users"] = [{"name": "admin", "user": {"token": token}}]
    path = folder / "account.kubeconfig"
    path.write_text(yaml.safe_dump(content))
    return path


def _check(folder: Path, *clusters: Any) -> CompletedProcess[str]:
    """Run `mcsdns check`."""
    path = folder / "check.yaml"
    path.write_text(json.dumps({"clusters": clusters}))
    return run("check", "--config", path, "--timeout", "10")


def _keeps(made: Any, said: Any) -> bool:
    """Tell whether a server keeps what it was told: it may add to objects, but drops nothing."""
    if isinstance(said, dict):
        return all(key in made and _keeps(made[key], value) for key, value in said.items())
    if isinstance(said, list):
        return len(made) == len(said) and all(map(_keeps, made, said))
    return bool(made == said)
