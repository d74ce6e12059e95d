"""
The two processes of a member cluster: an etcd, and the kube-apiserver that keeps its objects in it.

Not here: what is in the cluster, and who may use it (`cluster`).
"""

import csv
import http.client
import json
import shutil
from collections.abc import Sequence
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

from .api import Api, StatusError
from .build import binary
from .process import Server, StartError, free_port


class Etcd(Server):
    """One etcd without fsync: what it has kept outlives its process, but not a crash of the machine."""

    def __init__(self, folder: Path) -> None:
        super().__init__("etcd", folder)
        self.port = free_port()
        self.data_path = self.folder / "etcd"
        self._peer_port = free_port()

    @property
    def url(self) -> str:
        """Where clients reach it."""
        return f"http://127.0.0.1:{self.port}"

    def command(self) -> list[str]:
        """Run it as a cluster of one."""
        peer = f"http://127.0.0.1:{self._peer_port}"
        return [
            str(binary("etcd")),
            "--name=only",
            f"--data-dir={self.data_path}",
            f"--listen-client-urls={self.url}",
            f"--advertise-client-urls={self.url}",
            f"--listen-peer-urls={peer}",
            f"--initial-advertise-peer-urls={peer}",
            f"--initial-cluster=only={peer}",
            "--unsafe-no-fsync",
            "--log-level=warn",
        ]

    def is_ready(self) -> bool:
        """Ask whether it has a leader, and so takes writes."""
        with closing(http.client.HTTPConnection("127.0.0.1", self.port, timeout=5)) as connection:
            connection.request("GET", "/health")
            return connection.getresponse().status == 200

    def compact(self) -> int:
        """
        Forget every revision but the present one, as etcd's auto-compaction does each few minutes.

        Returns:
            The present revision.
        """
        revision = self._ask("/v3/kv/range", {"key": "AA=="})["header"]["revision"]
        self._ask("/v3/kv/compaction", {"revision": revision, "physical": True})
        return int(revision)

    def save(self, copy: Path) -> None:
        """Copy what is kept now. It is frozen for that moment, so that the copy is what a crash would have left."""
        self.freeze()
        try:
            shutil.copytree(self.data_path, copy)
        finally:
            self.thaw()

    def restore(self, copy: Path) -> None:
        """Put back what `save` copied: revisions go back too. It must not be running."""
        if self.is_running:
            raise StartError("etcd runs: stop it before its data is replaced")
        shutil.rmtree(self.data_path)
        shutil.copytree(copy, self.data_path)

    def _ask(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        """Call its JSON gateway."""
        with closing(http.client.HTTPConnection("127.0.0.1", self.port, timeout=5)) as connection:
            connection.request("POST", path, json.dumps(body))
            response = connection.getresponse()
            said: dict[str, Any] = json.loads(response.read())
            if response.status != 200:
                raise OSError(f"etcd refused {path}: {said}")
            return said


class ApiServer(Server):
    """
    One kube-apiserver. Its port, its certificate and its tokens stay the same over a restart.

    Args:
        folder: Where its certificate, tokens and log are.
        etcd: What it keeps objects in.
        flags: More command-line flags, which come last and so win.
    """

    start_limit_s = 60.0

    def __init__(self, folder: Path, etcd: Etcd, flags: Sequence[str] = ()) -> None:
        super().__init__("kube-apiserver", folder)
        self.port = free_port()
        self.url = f"https://127.0.0.1:{self.port}"
        self.ca_path = self.folder / "certificates" / "apiserver.crt"
        self.tokens: dict[str, tuple[str, tuple[str, ...]]] = {}
        self._etcd = etcd
        self._flags = flags

    def forget_certificate(self) -> None:
        """Have it make another key and certificate when it starts next. Tokens of service accounts are void then."""
        self.ca_path.unlink()
        self.ca_path.with_suffix(".key").unlink()

    def command(self) -> list[str]:
        """Write the tokens, and run it with RBAC and without what needs controllers."""
        tokens = self.folder / "tokens.csv"
        with tokens.open("w", newline="") as file:
            rows = csv.writer(file)
            for user, (token, groups) in self.tokens.items():
                rows.writerow([token, user, f"uid-{user}", ",".join(groups)])
        tokens.chmod(0o600)
        # The server makes its certificate before it reads the key of service accounts, so one key can serve as both.
        key = self.ca_path.with_suffix(".key")
        return [
            str(binary("kube-apiserver")),
            f"--etcd-servers={self._etcd.url}",
            f"--cert-dir={self.ca_path.parent}",
            f"--secure-port={self.port}",
            "--bind-address=127.0.0.1",
            # Otherwise it looks for the machine's address, and makes slices of its own for the service `kubernetes`.
            "--advertise-address=127.0.0.1",
            "--endpoint-reconciler-type=none",
            f"--service-account-key-file={key}",
            f"--service-account-signing-key-file={key}",
            "--service-account-issuer=https://kubernetes.default.svc",
            f"--token-auth-file={tokens}",
            "--authorization-mode=RBAC",
            "--service-cluster-ip-range=10.96.0.0/16",
            "--disable-admission-plugins=ServiceAccount",
            *self._flags,
        ]

    def is_ready(self) -> bool:
        """Ask `/readyz`, as the admin."""
        if not self.ca_path.exists():
            return False
        with closing(Api(self.url, self.ca_path, self.tokens["admin"][0], limit_s=5)) as api, suppress(StatusError):
            return api.request("GET", "/readyz") == {"text": "ok"}
        return False
