"""The Helm chart: what it refuses, what every pod of it has, and that what is made of it is up to date."""

from __future__ import annotations

import ipaddress
import json
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml

from mcsdns.configfile import parse
from tests.chart import (
    CHART,
    PLAIN,
    README,
    ROOT,
    ChartError,
    Object,
    documented,
    helm,
    plain,
    readme,
    rendered,
    undocumented,
)

pytestmark = pytest.mark.servers

CENTRAL: dict[str, Any] = {
    "mode": "central",
    "members": [
        {"name": "east", "port": 5353, "secret": "east-kubeconfig", "context": "east"},
        {"name": "west.eu", "port": 5354, "secret": "west-kubeconfig", "id": "w.eu", "optional": True},
        {"name": "here", "port": 5355, "inCluster": True, "service": {"type": "LoadBalancer", "annotations": {"a": "b"}}},
    ],
}  # fmt: skip
MODES = pytest.mark.parametrize("values", [{}, CENTRAL], ids=["in-cluster", "central"])


def one(objects: list[Object], kind: str, name: str = "") -> Any:
    """Give the only object of a kind, or of a kind and name."""
    (found,) = [obj for obj in objects if obj["kind"] == kind and name in ("", obj["metadata"]["name"])]
    return found


def pod(objects: list[Object]) -> Any:
    """Give the pod of the deployment."""
    return one(objects, "Deployment")["spec"]["template"]["spec"]


@MODES
def test_lint(values: dict[str, Any], tmp_path: Path) -> None:
    """`helm lint --strict` has nothing to say."""
    path = tmp_path / "values.yaml"
    path.write_text(json.dumps(values))
    assert "0 chart(s) failed" in helm("lint", "--strict", CHART, "--values", path)


def test_the_version_is_that_of_mcsdns() -> None:
    """The chart's mcsdns is the one that it stands beside."""
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    assert yaml.safe_load((CHART / "Chart.yaml").read_text())["appVersion"] == version


def test_what_is_made_of_the_chart_is_up_to_date() -> None:
    """deploy/mcsdns.yaml and the table of values are what `make manifests` writes."""
    assert plain() == PLAIN.read_text()
    assert readme() == README.read_text()


def test_every_value_is_explained() -> None:
    """No value without a comment, and none that the schema does not know."""
    assert undocumented() == []
    schema = json.loads((CHART / "values.schema.json").read_text())
    for value in documented():
        known = schema["properties"]
        for key in value.path.split("."):
            known = known[key]
            known = schema["definitions"][known["$ref"].rpartition("/")[2]] if "$ref" in known else known
            known = known.get("properties", known)


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"nosuch": 1}, "nosuch"),
        ({"mode": "both"}, "mode"),
        ({"mode": "central"}, "mode central needs `members`"),
        ({"members": [{"name": "a", "port": 5353, "secret": "s"}]}, "`members` are for mode central"),
        ({"mode": "central", "members": [{"name": "a", "port": 5353}]}, "a needs either `secret` or `inCluster: true`"),
        ({"mode": "central", "members": [{"name": "a", "port": 5353, "secret": "s", "inCluster": True}]}, "a needs either"),
        ({"mode": "central", "members": [{"name": n, "port": 5353, "secret": "s"} for n in "ab"]}, "same port 5353"),
        ({"mode": "central", "members": [{"name": "a", "port": p, "secret": "s"} for p in (5353, 5354)]}, "the name a stands twice"),
        ({"mode": "central", "members": [{"name": "a", "port": 53, "secret": "s"}]}, "port"),
        ({"mode": "central", "members": [{"name": "any", "port": 5353, "secret": "s"}]}, "name"),
        ({"config": {"lameduck_s": 1}}, "the key lameduck_s is made by the chart"),
        ({"image": {"digest": "sha256:abc"}}, "digest"),
        ({"networkPolicy": {"nodeCidrs": ["10.0.0.1"]}}, "nodeCidrs"),
        ({"replicas": 0}, "replicas"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_refused(values: dict[str, Any], said: str) -> None:
    """By the schema or by the templates, and the message names it."""
    with pytest.raises(ChartError, match=said):
        rendered(values)


@MODES
@pytest.mark.parametrize("families", [["IPv4"], ["IPv6"], ["IPv4", "IPv6"]], ids=" ".join)
def test_the_configuration_is_one(values: dict[str, Any], families: list[str]) -> None:
    """mcsdns takes the file that is mounted: every view listens on its port in every family."""
    objects = rendered(values | {"ipFamilies": families, "config": {"ttl": 9, "limits": {"tcp_connections": 100}}})
    config = parse(one(objects, "ConfigMap")["data"]["mcsdns.yaml"], Path("/etc/mcsdns/mcsdns.yaml"))
    members = values.get("members", [{"name": "local", "port": 5353, "inCluster": True}])
    assert (config.zone, config.ttl, config.limits.tcp_connections) == ("clusterset.local", 9, 100)
    assert [(cluster.name, cluster.in_cluster, cluster.optional, cluster.id) for cluster in config.clusters] == [
        (member["name"], member.get("inCluster", False), member.get("optional", False), member.get("id"))
        for member in members
    ]
    assert [(listen.view, listen.address.port, listen.address.is_wildcard) for listen in config.listen] == [
        (member["name"], member["port"], True) for member in members for _ in families
    ]
    versions = {ipaddress.ip_address(listen.address.host).version for listen in config.listen}
    assert versions == {int(family[-1]) for family in families}
    assert config.admin.port == 9153


def test_a_fixed_address_is_advertised() -> None:
    """The name server's address is that of the Service, where it is known."""
    objects = rendered({"service": {"clusterIP": "10.96.0.53"}})
    assert one(objects, "Service", "mcsdns")["spec"]["clusterIP"] == "10.96.0.53"
    assert yaml.safe_load(one(objects, "ConfigMap")["data"]["mcsdns.yaml"])["advertise"] == ["10.96.0.53"]


@MODES
def test_hardening(values: dict[str, Any]) -> None:
    """A numeric user that is not root, no capability, no escalation, a root file system that cannot be written, seccomp."""
    spec = pod(rendered(values))
    assert spec["securityContext"] == {
        "runAsNonRoot": True,
        "runAsUser": 65532,
        "runAsGroup": 65532,
        "fsGroup": 65532,
        "seccompProfile": {"type": "RuntimeDefault"},
    }
    (container,) = spec["containers"]
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "privileged": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert not spec["enableServiceLinks"]
    assert all(port["containerPort"] >= 1024 for port in container["ports"])
    assert "env" not in container, "nothing is handed over by the environment"


def test_a_platform_may_choose_the_user() -> None:
    """OpenShift gives each namespace its own range of users; what is not said does not stand against it."""
    context = pod(rendered({"user": None}))["securityContext"]
    assert context == {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}}


@MODES
def test_secrets_are_mounted_where_the_configuration_looks(values: dict[str, Any]) -> None:
    """Each member's kubeconfig, mode 0400, from its Secret; the service account's token only where it is used."""
    objects = rendered(values)
    spec = pod(objects)
    config = parse(one(objects, "ConfigMap")["data"]["mcsdns.yaml"], Path("/etc/mcsdns/mcsdns.yaml"))
    mounts = {mount["mountPath"]: mount for mount in spec["containers"][0]["volumeMounts"]}
    volumes = {volume["name"]: volume for volume in spec["volumes"]}
    secrets = {member["name"]: member.get("secret") for member in values.get("members", [])}
    for cluster in config.clusters:
        if cluster.kubeconfig is not None:
            mount = mounts[str(cluster.kubeconfig.path.parent)]
            secret = volumes[mount["name"]]["secret"]
            assert mount["readOnly"]
            assert (secret["secretName"], secret["defaultMode"]) == (secrets[cluster.name], 0o400)
            assert secret["items"] == [{"key": "kubeconfig", "path": cluster.kubeconfig.path.name}]
    assert spec["automountServiceAccountToken"] is any(cluster.in_cluster for cluster in config.clusters)
    assert one(objects, "ServiceAccount")["automountServiceAccountToken"] is False
    assert "/tmp" in mounts, "key material is written there"


@pytest.mark.parametrize("lameduck_s", [0, 10, 45])
def test_a_pod_leaves_without_losing_a_query(lameduck_s: int) -> None:
    """A rollout takes no pod before its successor is ready; the lame duck ends before the grace period does."""
    objects = rendered({"lameduckSeconds": lameduck_s})
    deployment = one(objects, "Deployment")["spec"]
    assert deployment["strategy"]["rollingUpdate"] == {"maxUnavailable": 0, "maxSurge": 1}
    assert deployment["replicas"] == 2
    config = parse(one(objects, "ConfigMap")["data"]["mcsdns.yaml"], Path("mcsdns.yaml"))
    assert config.lameduck_s == lameduck_s
    assert pod(objects)["terminationGracePeriodSeconds"] == lameduck_s + 10
    budget = one(objects, "PodDisruptionBudget")["spec"]
    assert budget["maxUnavailable"] == 1
    (container,) = pod(objects)["containers"]
    assert container["readinessProbe"]["httpGet"]["path"] == "/readyz"
    assert container["livenessProbe"]["httpGet"]["path"] == "/healthz", "a stale cluster restarts no pod"


@MODES
def test_a_service_for_each_view(values: dict[str, Any]) -> None:
    """Port 53 over UDP and TCP, to the port of its view; what a member overrides is its own."""
    objects = rendered(values)
    members = values.get("members", [{"name": "local", "port": 5353}])
    labels = one(objects, "Deployment")["spec"]["template"]["metadata"]["labels"]
    for member in members:
        name = f"mcsdns-{member['name'].replace('.', '-')}" if values else "mcsdns"
        service = one(objects, "Service", name)
        ports = {(port["protocol"], port["port"], port["targetPort"]) for port in service["spec"]["ports"]}
        assert ports == {(protocol, 53, member["port"]) for protocol in ("UDP", "TCP")}
        assert service["spec"]["type"] == member.get("service", {}).get("type", "ClusterIP")
        assert service["metadata"].get("annotations", {}) == member.get("service", {}).get("annotations", {})
        assert service["spec"]["selector"].items() <= labels.items()


@MODES
def test_the_network_policy(values: dict[str, Any]) -> None:
    """DNS ports from DNS pods and nodes, metrics from monitoring; out to API servers, and in mode central to a resolver."""
    policy = one(rendered(values), "NetworkPolicy")["spec"]
    dns, metrics = policy["ingress"]
    ports = {member["port"] for member in values.get("members", [{"port": 5353}])}
    assert {(port["protocol"], port["port"]) for port in dns["ports"]} == {
        (p, n) for p in ("UDP", "TCP") for n in ports
    }
    assert [*dns["from"][0]] == ["namespaceSelector"]
    assert {"ipBlock": {"cidr": "10.0.0.0/8"}} in dns["from"]
    assert metrics["ports"] == [{"protocol": "TCP", "port": 9153}]
    assert policy["policyTypes"] == ["Ingress", "Egress"]
    assert {port["port"] for rule in policy["egress"] for port in rule["ports"]} == {443, 6443} | (
        {53} if values else set()
    )


def test_switches() -> None:
    """What is behind a switch is there where it is on, and only there."""
    kinds = {obj["kind"] for obj in rendered()}
    always = {"ConfigMap", "Deployment", "Service", "ServiceAccount"}
    assert kinds == always | {"ClusterRole", "ClusterRoleBinding", "NetworkPolicy", "PodDisruptionBudget"}
    on = rendered({"monitoring": {"serviceMonitor": True, "podMonitor": True}, "namespace": {"create": True}})
    assert {obj["kind"] for obj in on} - kinds == {"Namespace", "PodMonitor", "ServiceMonitor"}
    monitored = one(on, "ServiceMonitor")["spec"]["selector"]["matchLabels"].items()
    assert monitored <= one(on, "Service", "mcsdns-metrics")["metadata"]["labels"].items()
    assert not monitored <= one(on, "Service", "mcsdns")["metadata"]["labels"].items()
    off = {"rbac": {"create": False}, "podDisruptionBudget": {"enabled": False}, "networkPolicy": {"enabled": False}}
    assert {obj["kind"] for obj in rendered(off)} == always
    elsewhere = [member for member in CENTRAL["members"] if "secret" in member]
    assert "ClusterRole" not in {obj["kind"] for obj in rendered(CENTRAL | {"members": elsewhere})}


def test_the_role_is_that_of_members() -> None:
    """The chart's role and the one of deploy/rbac.yaml, which members of a central mcsdns get, allow the same."""
    shipped = [obj for obj in yaml.safe_load_all((ROOT / "deploy" / "rbac.yaml").read_text()) if obj]
    assert one(rendered(), "ClusterRole")["rules"] == one(shipped, "ClusterRole")["rules"]


def test_two_releases_in_one_cluster() -> None:
    """Nothing that is not in a namespace is shared by releases of other names."""
    names = [
        {
            (obj["kind"], obj["metadata"]["name"])
            for obj in rendered(release=release)
            if "namespace" not in obj["metadata"]
        }
        for release in ("blue", "green")
    ]
    assert names[0].isdisjoint(names[1])


def test_a_member_may_run_the_chart_too() -> None:
    """What deploy/rbac.yaml makes is not what the chart makes: applied to the same cluster, neither takes the other's rights away."""
    shipped = [obj for obj in yaml.safe_load_all((ROOT / "deploy" / "rbac.yaml").read_text()) if obj]
    names = [{(one["kind"], one["metadata"]["name"]) for one in some} for some in (shipped, rendered())]
    namespaces = {one["metadata"].get("namespace") for one in shipped} - {None}
    assert namespaces == {"kube-system"}, "the chart is in a namespace of its own"
    assert {name for name in names[0] & names[1] if name[0].startswith("Cluster")} == set()
