"""
README's way to a resolving name, typed as it stands there: a real API server takes what helm and kubectl send, and a real CoreDNS
answers with the Corefile that comes of it.

What is not here: a container engine and a kubelet, and no file is fetched from elsewhere. docker's line is left out, nobody waits
for pods, what would run in one (`kubectl exec`) runs beside it, the CRD comes from the module of that version, and mcsdns is started
with the configuration that helm has put into the cluster.
"""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import NamedTuple

import pytest
import yaml

from tests.e2e.server import COMMAND, NODATA, NXDOMAIN, Server, eventually, found
from tests.servers.run import Cluster, CoreDns, binary, crd_manifests, free_port

pytestmark = pytest.mark.servers

ROOT = Path(__file__).parents[2]
CRD = (
    "https://raw.githubusercontent.com/kubernetes-sigs/mcs-api/v0.5.2/config/crd/"
    "multicluster.x-k8s.io_serviceimports.yaml"
)
IN_POD = "kubectl -n mcsdns exec deploy/mcsdns -- "
KUBEADM = """\
.:53 {
    errors
    whoami
    reload
}
"""
"""A Corefile as kubeadm leaves one, without what a process outside a cluster cannot do."""
POD, GROUPS = "system:serviceaccount:mcsdns:mcsdns", ("system:serviceaccounts", "system:authenticated")
"""Whom the pod is to the API server: it may read what the chart's role lets it read."""


def blocks() -> list[str]:
    """Give the blocks of README's section "On Kubernetes" that a shell takes."""
    section = (ROOT / "README.md").read_text().partition("\n## On Kubernetes\n")[2].partition("\n## ")[0]
    return re.findall(r"^```sh\n(.*?)^```$", section, re.MULTILINE | re.DOTALL)


class Hub(NamedTuple):
    """A cluster, the folder in which its administrator types, and what was printed."""

    cluster: Cluster
    folder: Path


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hub]:
    """A cluster with CoreDNS's ConfigMap, after the first two blocks have been typed."""
    folder = tmp_path_factory.mktemp("front")
    cluster = Cluster("hub", folder / "hub", crds=[])
    cluster.add_token(POD, *GROUPS)
    with cluster:
        corefile = {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {"namespace": "kube-system", "name": "coredns"},
        }
        with closing(cluster.client()) as api:
            api.apply(corefile | {"data": {"Corefile": KUBEADM}})
        (folder / "deploy").symlink_to(ROOT / "deploy")
        install, ask = blocks()[:2]
        typed(cluster, folder, without(install, "docker", "kubectl -n mcsdns rollout"))
        (crd,) = [path for path in crd_manifests() if path.name == CRD.rpartition("/")[2]]
        assert CRD in ask
        assert CRD.split("/")[5] in crd.parent.name, "the version that is tested"
        typed(cluster, folder, without(ask, "kubectl run", IN_POD).replace(CRD, str(crd)))
        yield Hub(cluster, folder)


def without(block: str, *beginnings: str) -> str:
    """Leave out the lines that begin so, and have the rest run here where it would run in a pod."""
    lines = [line for line in block.splitlines() if not line.startswith(beginnings)]
    return "\n".join(lines).replace(IN_POD, "")


def typed(cluster: Cluster, folder: Path, text: str) -> str:
    """Type into a shell whose kubectl and helm talk to the cluster, and give what is printed."""
    binaries = (binary("kubectl").parent, binary("helm").parent, COMMAND.parent)
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", text],
        cwd=folder,
        env=os.environ
        | {"KUBECONFIG": str(cluster.kubeconfig()), "HOME": str(folder)}
        | {"PATH": os.pathsep.join(map(str, (*binaries, os.environ["PATH"])))},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_a_name_resolves_through_coredns(hub: Hub, tmp_path: Path) -> None:
    """From an empty cluster to an answer through CoreDNS, over UDP and TCP; what is not there is not there."""
    with closing(hub.cluster.client()) as api:
        service = api.get("v1", "services", "mcsdns", "mcsdns")["spec"]["clusterIP"]
        corefile = api.get("v1", "configmaps", "kube-system", "coredns")["data"]["Corefile"]
        settings = yaml.safe_load(api.get("v1", "configmaps", "mcsdns", "mcsdns")["data"]["mcsdns.yaml"])
    assert corefile.startswith(KUBEADM), "what was there is there"
    assert f"forward . {service} {{" in corefile
    kubeconfig = hub.cluster.kubeconfig(POD, tmp_path / "pod.kubeconfig")
    settings["clusters"] = [{"name": settings["clusters"][0]["name"], "kubeconfig": {"path": str(kubeconfig)}}]
    settings |= {"listen": [{"address": "127.0.0.1:0"}], "admin": "127.0.0.1:0", "lameduck_s": 0}
    with Server(tmp_path, **settings) as server:
        host, port = server.addresses[0]
        here = corefile.replace(f"forward . {service}", f"forward . {host}:{port}").replace(":53 {", " {")
        here = here.replace("prometheus :9153", f"prometheus 127.0.0.1:{free_port()}").replace(".  {", ". {")
        with CoreDns(here, tmp_path) as coredns:
            through = ("127.0.0.1", coredns.port)
            eventually(lambda: server.ask("web.shop.svc", at=through), found("10.42.0.10"))
            for tcp in (False, True):
                assert server.ask("web.shop.svc", at=through, tcp=tcp) == found("10.42.0.10")
                assert server.ask("nosuch.shop.svc", at=through, tcp=tcp) == NXDOMAIN
                assert server.ask("web.shop.svc", "AAAA", at=through, tcp=tcp) == NODATA


def test_what_runs_in_the_pod(hub: Hub) -> None:
    """The commands that README has run in the pod are ones that the command knows."""
    lines = [line for block in blocks() for line in block.splitlines() if IN_POD in line]
    assert len(lines) == 3
    for line in lines:
        verb = line.partition(IN_POD)[2].removeprefix("mcsdns ").split()[0]
        typed(hub.cluster, hub.folder, f"mcsdns {verb} --help")


def test_without_kubernetes_around_it(hub: Hub) -> None:
    """README's configuration file is one: `check` hears both clusters; and `wiring` takes the port."""
    text = (ROOT / "README.md").read_text()
    settings = text.partition("```yaml\n# mcsdns.yaml\n")[2].partition("```")[0]
    (hub.folder / "mcsdns.yaml").write_text(settings)
    for name in ("east", "west"):
        hub.cluster.kubeconfig(POD, hub.folder / f"{name}.kubeconfig")
    check, wiring = (line for line in blocks()[2].splitlines() if "serve" not in line)
    assert "east: ok" in typed(hub.cluster, hub.folder, f"{check} || true")
    assert "forward . 192.0.2.1:5353 {" in typed(hub.cluster, hub.folder, wiring.replace("ADDRESS", "192.0.2.1", 1))
