"""docs/deploy.md's recipe for a member's kubeconfig is typed in a shell, with kubectl, against a real API server."""

from __future__ import annotations

import base64
import os
import re
import subprocess
import threading
from contextlib import closing, suppress
from pathlib import Path

import pytest
import yaml

from tests.e2e.server import COMMAND, Server
from tests.servers.run import Cluster, StatusError, binary

pytestmark = pytest.mark.servers

ROOT = Path(__file__).parents[2]
NAMESPACE, ACCOUNT, SECRET = "kube-system", "mcsdns", "mcsdns-token"


def recipe() -> str:
    """Give the block of the document that names this test."""
    text = (ROOT / "docs" / "deploy.md").read_text()
    return text[text.index(Path(__file__).name) :].partition("```sh\n")[2].partition("```")[0]


def test_the_recipe_makes_a_kubeconfig_that_reads_and_no_more(tmp_path: Path) -> None:
    """Every command succeeds, `mcsdns check` finds nothing missing, a server hears the cluster, and the token may not write."""
    kubectl = binary("kubectl")
    with Cluster("member", tmp_path / "member") as cluster:
        (tmp_path / "deploy").symlink_to(ROOT / "deploy")
        stop = threading.Event()
        controller = threading.Thread(target=_fill_tokens, args=(cluster, stop))
        controller.start()
        try:
            done = subprocess.run(
                ["bash", "-ec", recipe()],
                cwd=tmp_path,
                env=os.environ
                | {"KUBECONFIG": str(cluster.kubeconfig()), "HOME": str(tmp_path)}
                | {"PATH": os.pathsep.join(map(str, (kubectl.parent, COMMAND.parent, os.environ["PATH"])))},
                capture_output=True,
                text=True,
                timeout=60,
                check=False,
            )
        finally:
            stop.set()
            controller.join()
        assert done.returncode == 0, done.stdout + done.stderr
        assert "east: ok" in done.stdout
        path = tmp_path / "east.kubeconfig"
        with Server(tmp_path, [{"name": "east", "kubeconfig": {"path": str(path)}}]) as server:
            (status,) = server.admin("/status").json["clusters"]
            assert status["state"] == "synced"
        for verb, what in (("create", "serviceimports"), ("list", "secrets"), ("delete", "endpointslices")):
            asked = subprocess.run(
                [kubectl, "--kubeconfig", path, "auth", "can-i", verb, what, "--all-namespaces"],
                capture_output=True, text=True, timeout=30, check=False, env=os.environ | {"HOME": str(tmp_path)},
            )  # fmt: skip
            assert asked.stdout.strip() == "no", (verb, what)


def test_a_token_that_never_comes_is_said() -> None:
    """The script does not print a kubeconfig without a token."""
    text = (ROOT / "deploy" / "kubeconfig.sh").read_text()
    assert re.search(r"has had no token for 30 s.*\n *exit 1", text)


def test_the_secret_is_one_of_the_account_of_the_role() -> None:
    """The recipe's Secret is made for the service account that deploy/rbac.yaml binds."""
    secret = yaml.safe_load(recipe().partition("<<END\n")[2].partition("END\n")[0])
    objects = [one for one in yaml.safe_load_all((ROOT / "deploy" / "rbac.yaml").read_text()) if one]
    (account,) = [one["metadata"] for one in objects if one["kind"] == "ServiceAccount"]
    assert secret["metadata"]["namespace"] == account["namespace"] == NAMESPACE
    assert secret["metadata"]["annotations"] == {"kubernetes.io/service-account.name": account["name"]}


def _fill_tokens(cluster: Cluster, stop: threading.Event) -> None:
    """Do what Kubernetes's token controller does, which is in no API server: put a token into the Secret that asks for one."""
    with closing(cluster.client()) as api:
        while not stop.wait(0.05):
            with suppress(StatusError):
                secret = api.get("v1", "secrets", NAMESPACE, SECRET)
                if "token" not in secret.get("data", {}):
                    spec = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {}}
                    where = f"/api/v1/namespaces/{NAMESPACE}/serviceaccounts/{ACCOUNT}/token"
                    token = api.request("POST", where, spec)["status"]["token"].encode()
                    data = {"token": token, "ca.crt": cluster.ca_path.read_bytes(), "namespace": NAMESPACE.encode()}
                    encoded = {key: base64.b64encode(value).decode() for key, value in data.items()}
                    api.patch("v1", "secrets", NAMESPACE, SECRET, {"data": encoded})
