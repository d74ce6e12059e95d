"""
What `mcsdns doctor` and `mcsdns explain` are shown: two member clusters with real API servers, mcsdns that follows them, and what
is broken beside them on purpose.

| server    | what is the matter with it                                             |
|-----------|------------------------------------------------------------------------|
| `well`    | nothing                                                                |
| `alone`   | it does not know east: a replica with another configuration            |
| `stale`   | it has lost east after it had heard it                                 |
| `deaf`    | it has never heard east                                                |
| `refused` | east does not let it read                                              |
"""

from __future__ import annotations

import json
import shutil
import socket
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any, Final, Self

import yaml

from tests.e2e.real import Audited
from tests.e2e.server import ZONE, Server, eventually, run
from tests.manifests import imported_slice, native_slice, service_export, service_import
from tests.servers.run import Cluster, CoreDns, free_port

MAIN: Final = ".:{port} {{\n    errors\n    whoami\n}}\n"
"""The Corefile's block of everything else: it answers any name that is not the zone's, as a resolver would."""
OPERATOR: Final = {
    "apiVersion": "apiextensions.k8s.io/v1",
    "kind": "CustomResourceDefinition",
    "metadata": {"name": "dnses.operator.openshift.io"},
    "spec": {
        "group": "operator.openshift.io",
        "scope": "Cluster",
        "names": {"kind": "DNS", "listKind": "DNSList", "plural": "dnses", "singular": "dns"},
        "versions": [
            {
                "name": "v1",
                "served": True,
                "storage": True,
                "schema": {"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": True}},
            }
        ],
    },
}


class Hospital:
    """
    The clusters and the servers.

    Args:
        folder: Where all files go.
        stack: Ends what is started.
    """

    def __init__(self, folder: Path, stack: ExitStack) -> None:
        self.folder = folder
        self._stack = stack
        self.east, self.west = (Audited(name, folder / name) for name in ("east", "west"))
        crd = folder / "operator.yaml"
        crd.write_text(yaml.safe_dump(OPERATOR))
        self.bare = Cluster("bare", folder / "bare", [crd])
        self.relay = self.east.relay()

    def start(self) -> None:
        """Start everything, and make of each server what it is to be."""
        for one in (self.east.cluster, self.west.cluster, self.bare):
            self._stack.callback(shutil.rmtree, one.etcd.data_path, ignore_errors=True)
            self._stack.callback(one.kill)
        with ThreadPoolExecutor() as pool:
            for start in [pool.submit(one.start) for one in (self.east, self.west, self.bare)]:
                start.result()
        self._fill()
        self._stack.enter_context(self.relay)
        nowhere = self.east.relay()
        self.well = self._server("well", self.east.member())
        self.alone = self._server("alone")
        self.stale = self._server("stale", self.east.member(self.relay))
        self.deaf = self._server("deaf", self.east.member(nowhere), until="serving")
        self.refused = self._server("refused", self.east.member(user="stranger"), until="serving")
        self.relay.cut()

    def _server(self, name: str, *east: dict[str, Any], **more: Any) -> Server:
        listen = [{"address": "127.0.0.1:0", "view": "west"}]
        made = Server(self.folder / name, [self.west.member(), *east], listen=listen, **more)
        return self._stack.enter_context(made)

    def _fill(self) -> None:
        self.east.apply(
            service_export("db", namespace="shop"),
            native_slice("db", "db-0=10.1.0.1", ports=["pg 5432/TCP"], namespace="shop"),
            native_slice("internal", "10.1.0.2", namespace="shop"),
            service_export("late", namespace="shop"),
            service_export("web", namespace="lonely"),
            service_export("queue", namespace="shop"),
        )
        self.west.apply(
            service_import("web", ips=["10.42.0.1"], ports=["http 80/TCP"], namespace="shop"),
            service_import("db", headless=True, ports=["pg 5432/TCP"], clusters=["east"], namespace="shop"),
            service_import("queue", headless=True, namespace="shop"),
            imported_slice("queue", "east", "queue-0=10.1.0.9 !ready", namespace="shop"),
            service_import("pending", ports=["http 80/TCP"], namespace="shop"),
            service_import("plain", ips=["10.42.0.2"], ports=["8080/TCP"], namespace="shop"),
        )

    def doctor(self, *arguments: str, server: Server | None = None, well: bool = True) -> CompletedProcess[str]:
        """
        Run doctor.

        Args:
            arguments: Of it.
            server: Which mcsdns; None: `well`.
            well: Give it mcsdns's DNS and admin addresses.
        """
        at = server or self.well
        known = ("--server", dns(at), "--admin", at.admin_url) if well else ()
        return run("doctor", "--timeout", "2", *known, *arguments, KUBERNETES_SERVICE_HOST="")

    @property
    def kubeconfig(self) -> tuple[str, str]:
        """The arguments that let doctor read west as its administrator."""
        return "--kubeconfig", str(self.west.cluster.kubeconfig())

    def explain(self, name: str, *arguments: str) -> CompletedProcess[str]:
        """Explain a name of the zone as `well` makes it."""
        return run("explain", f"{name}.svc.{ZONE}", *arguments, "--admin", self.well.admin_url)


class Front(CoreDns):
    """
    CoreDNS, and the ConfigMap of its Corefile in west for as long as it runs.

    Args:
        hospital: Where west is.
        folder: Where its files go.
        blocks: What stands in the Corefile beside the main block; `{port}` is the port that it listens on, `{mcsdns}` where `well` is.
        immutable: The ConfigMap is.
    """

    def __init__(self, hospital: Hospital, folder: Path, blocks: str = "", *, immutable: bool = False) -> None:
        super().__init__("", folder)
        text = MAIN.format(port=self.port) + blocks.replace("{port}", str(self.port)).replace(
            "{mcsdns}", dns(hospital.well)
        )
        self.corefile_text = text
        self._config = Config(hospital, "coredns", immutable=immutable, Corefile=text)

    @property
    def resolver(self) -> tuple[str, str]:
        """The arguments that tell doctor to ask here."""
        return "--resolver", f"127.0.0.1:{self.port}"

    def __enter__(self) -> Self:
        self._config.__enter__()
        return super().__enter__()

    def __exit__(self, *_: object) -> None:
        super().__exit__(*_)
        self._config.__exit__()


class Config:
    """A ConfigMap in kube-system of west, for the time of a block."""

    def __init__(self, hospital: Hospital, name: str, *, immutable: bool = False, **data: str) -> None:
        self._cluster = hospital.west
        metadata = {"namespace": "kube-system", "name": name}
        made = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": data, "immutable": immutable}
        self._text = json.dumps(made)

    def __enter__(self) -> Self:
        self._cluster.apply(self._text)
        return self

    def __exit__(self, *_: object) -> None:
        self._cluster.delete(self._text)


class UdpOnly:
    """Carries UDP to an address and lets no TCP through, as a firewall does that somebody opened for DNS by half."""

    def __init__(self, host: str, port: int) -> None:
        self.port = free_port()
        self._to = (host, port)
        self._socket = socket.socket(type=socket.SOCK_DGRAM)

    def __enter__(self) -> Self:
        self._socket.bind(("127.0.0.1", self.port))
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        with socket.socket(type=socket.SOCK_DGRAM) as waker:
            waker.sendto(b"", ("127.0.0.1", self.port))
        self._thread.join()
        self._socket.close()

    def _run(self) -> None:
        while True:
            query, asker = self._socket.recvfrom(65535)
            if not query:
                return
            with socket.socket(type=socket.SOCK_DGRAM) as beyond, suppress(OSError):
                beyond.settimeout(2)
                beyond.sendto(query, self._to)
                self._socket.sendto(beyond.recv(65535), asker)


def dns(server: Server) -> str:
    """Give where a server is asked."""
    host, port = server.addresses[0]
    return f"{host}:{port}"


def is_told(server: Server, state: str) -> None:
    """Wait until a server says that east is in this state."""

    def told() -> str:
        (east,) = [one for one in server.admin("/status").json["clusters"] if one["name"] == "east"]
        return str(east["state"])

    eventually(told, state, 15)
