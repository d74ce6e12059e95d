"""
`mcsdns doctor` in what it takes for a pod: a network with the cluster's addresses, a service account, a resolv.conf of the kubelet's.

It runs in namespaces of its own (`unshare --mount --net`), so that nothing of the machine is seen or touched: `python -m tests.e2e.pod
FOLDER` prints, by what was tried, the exit code and the standard output of `mcsdns doctor` without any argument.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Final

import yaml

from tests.e2e.real import CHECKER, Audited
from tests.e2e.server import Server, run
from tests.manifests import service_import
from tests.servers.run import CoreDns

CLUSTER_DNS: Final = "10.96.0.10"
SERVICE: Final = "10.96.0.53"
REPLICAS: Final = ("10.244.1.1", "10.244.2.1")
SERVICE_ACCOUNT: Final = Path("/var/run/secrets/kubernetes.io/serviceaccount")
COREFILE: Final = """\
.:53 {
    errors
    whoami
}
clusterset.local:53 {
    errors
    cache 30
    forward . 10.96.0.53
}
"""
RESOLV_CONF: Final = (
    f"search shop.svc.cluster.local svc.cluster.local cluster.local\nnameserver {CLUSTER_DNS}\noptions ndots:5\n"
)
OF_THE_NODE: Final = "search example.net\nnameserver 192.0.2.1\n"


def _shell(command: str) -> None:
    subprocess.run(["sh", "-ec", command], check=True)


def _service(namespace: str, name: str, address: str, labels: dict[str, str]) -> str:
    ports = [{"name": one.lower(), "port": 53, "protocol": one, "targetPort": 5353} for one in ("UDP", "TCP")]
    metadata = {"namespace": namespace, "name": name, "labels": labels}
    spec = {"clusterIP": address, "ports": ports}
    return json.dumps({"apiVersion": "v1", "kind": "Service", "metadata": metadata, "spec": spec})


def _objects(role: dict[str, Any]) -> Iterator[str]:
    """Give what a cluster has that is wired well, and the role of docs/doctor.md."""
    yield _service("kube-system", "kube-dns", CLUSTER_DNS, {"k8s-app": "kube-dns"})
    yield _service("mcsdns", "mcsdns", SERVICE, {"app.kubernetes.io/name": "mcsdns"})
    labels = {"kubernetes.io/service-name": "mcsdns"}
    yield json.dumps({
        "apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice", "addressType": "IPv4",
        "metadata": {"namespace": "mcsdns", "name": "mcsdns-1", "labels": labels},
        "ports": [{"name": "udp", "port": 5353, "protocol": "UDP"}],
        "endpoints": [{"addresses": [address]} for address in REPLICAS],
    })  # fmt: skip
    metadata = {"namespace": "kube-system", "name": "coredns"}
    yield json.dumps({"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": {"Corefile": COREFILE}})
    yield json.dumps(role)
    group = "rbac.authorization.k8s.io"
    yield json.dumps({
        "apiVersion": f"{group}/v1", "kind": "ClusterRoleBinding", "metadata": {"name": "mcsdns-doctor"},
        "roleRef": {"apiGroup": group, "kind": "ClusterRole", "name": role["metadata"]["name"]},
        "subjects": [{"apiGroup": group, "kind": "User", "name": CHECKER}],
    })  # fmt: skip


def main(folder: Path, role: dict[str, Any]) -> dict[str, tuple[int, str]]:
    """Set it all up, and run doctor in each state."""
    addresses = " ".join(f"ip addr add {one}/32 dev lo;" for one in (CLUSTER_DNS, SERVICE, *REPLICAS))
    resolv = folder / "resolv.conf"
    resolv.write_text(RESOLV_CONF)
    _shell(f"ip link set lo up; {addresses} mount -t tmpfs none /run; mount --bind {resolv} /etc/resolv.conf")
    told: dict[str, tuple[int, str]] = {}
    with ExitStack() as stack:
        west = Audited("west", folder / "west")
        stack.callback(west.kill)
        west.start()
        west.apply(*_objects(role), service_import("web", ips=["10.42.0.1"], namespace="shop"))
        for number, address in enumerate(REPLICAS):
            listen = [{"address": f"{address}:5353"}] + [{"address": f"{SERVICE}:53"}] * (number == 0)
            made = Server(
                folder / f"mcsdns-{number}",
                [west.member()],
                listen=listen,
                advertise=[SERVICE],
                admin=f"{address}:9153",
            )
            stack.enter_context(made)
        coredns = CoreDns("", folder / "coredns")
        coredns.corefile_text = (
            COREFILE.replace("errors", f"bind {CLUSTER_DNS}") + f".:{coredns.port} {{\n whoami\n}}\n"
        )
        stack.enter_context(coredns)

        def doctor(what: str) -> None:
            port = str(west.cluster.api_server.port)
            name = "web.shop.svc.clusterset.local"
            done = run(
                "doctor",
                "--timeout",
                "2",
                "--name",
                name,
                KUBERNETES_SERVICE_HOST="127.0.0.1",
                KUBERNETES_SERVICE_PORT=port,
            )
            told[what] = (done.returncode, done.stdout + done.stderr)

        doctor("no service account")
        SERVICE_ACCOUNT.mkdir(parents=True)
        (SERVICE_ACCOUNT / "ca.crt").write_bytes(west.cluster.ca_path.read_bytes())
        for user in ("stranger", CHECKER):
            (SERVICE_ACCOUNT / "token").write_text(west.cluster.token(user))
            doctor(user)
        resolv.write_text(OF_THE_NODE)
        doctor("dnsPolicy: Default")
        made.stop()
        doctor("a replica is gone")
    return told


if __name__ == "__main__":
    sys.stdout.write(json.dumps(main(Path(sys.argv[1]), yaml.safe_load(sys.argv[2]))))
