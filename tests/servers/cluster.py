"""
A member cluster as a test sees it: an etcd and a kube-apiserver with RBAC, and the CRDs of a clusterset.

There is no node, no scheduler and no controller: what a test does not write is not there, and what
it writes stays as it is.
"""

import secrets
import shutil
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from functools import partial
from pathlib import Path
from typing import Self

import yaml

from .api import Api, Object, StatusError, resource_path
from .build import crd_manifests
from .control_plane import ApiServer, Etcd
from .process import Server, wait_until

_CRD_LIMIT_S = 30.0
_NAMESPACE_LIMIT_S = 30.0


class Cluster:
    """
    A member cluster. In a `with` block it is started, and ended with its data removed; the logs stay.

    `etcd` and `api_server` can be stopped, killed, frozen and started on their own.

    Args:
        name: The cluster's name in its kubeconfig, and what errors call it.
        folder: Where all files of this cluster go: one folder for each cluster.
        crds: The CRDs to install, as YAML files; None means those of `crd_manifests()`. They can be empty.
        flags: More flags of the kube-apiserver, such as `--watch-cache=false`.
    """

    def __init__(self, name: str, folder: Path, crds: Iterable[Path] | None = None, flags: Sequence[str] = ()) -> None:
        self.name = name
        self.folder = folder.absolute()
        self.etcd = Etcd(self.folder)
        self.api_server = ApiServer(self.folder, self.etcd, flags)
        self._crds = None if crds is None else [*crds]
        self.add_token("admin", "system:masters")

    @property
    def url(self) -> str:
        """Where the API server is, such as `https://127.0.0.1:26443`."""
        return self.api_server.url

    @property
    def ca_path(self) -> Path:
        """The PEM file of what to trust. It exists once the cluster has been started."""
        return self.api_server.ca_path

    @property
    def admin_token(self) -> str:
        """The bearer token of a user who may do anything."""
        return self.token("admin")

    def add_token(self, user: str, *groups: str) -> str:
        """
        Let a user in, or give one that is known another token. A user may do what RBAC rules say: at first, nothing.

        The API server reads the tokens when it starts, so call this before, or restart it after.

        Args:
            user: The name that RBAC subjects refer to.
            groups: The groups the user is in.

        Returns:
            The bearer token.
        """
        token = secrets.token_hex(16)
        self.api_server.tokens[user] = (token, groups)
        return token

    def token(self, user: str) -> str:
        """Give the bearer token of a user."""
        return self.api_server.tokens[user][0]

    def kubeconfig(self, user: str = "admin", path: Path | None = None) -> Path:
        """
        Write a kubeconfig with one context, named after the cluster.

        Args:
            user: Whose token is in it.
            path: The file to write; None means `kubeconfig-<user>` in the cluster's folder.

        Returns:
            The file, readable by its owner alone.
        """
        path = path or self.folder / f"kubeconfig-{user}"
        content = {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [
                {"name": self.name, "cluster": {"server": self.url, "certificate-authority": str(self.ca_path)}}
            ],
            "users": [{"name": user, "user": {"token": self.token(user)}}],
            "contexts": [{"name": self.name, "context": {"cluster": self.name, "user": user}}],
            "current-context": self.name,
        }
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch(mode=0o600)
        path.write_text(yaml.safe_dump(content, sort_keys=False))
        return path

    def client(self, user: str = "admin") -> Api:
        """Give a client that acts as the user. It opens its connection with its first request."""
        return Api(self.url, self.ca_path, self.token(user))

    def start(self) -> None:
        """
        Start etcd and the API server, and install the CRDs.

        Raises:
            StartError: One of them ended or did not answer in time. Neither is running then.
            TimeoutError: A CRD was not served in time. Neither is running then.
            Missing: Go is not installed.
        """
        try:
            self.etcd.start()
            self.api_server.start()
            for namespace in ("default", "kube-system"):  # the server makes them some time after it is ready
                wait_until(partial(self._has, namespace), _NAMESPACE_LIMIT_S, f"{self.name} has namespace {namespace}")
            self.install(crd_manifests() if self._crds is None else self._crds)
        except BaseException:
            self.kill()
            raise

    def install(self, crds: Iterable[Path]) -> None:
        """
        Apply CRDs and wait until the server lists objects of every version they serve.

        Args:
            crds: YAML files, each with one or more CustomResourceDefinitions.

        Raises:
            TimeoutError: One was not established and served within 30 s.
        """
        manifests = [crd for path in crds for crd in yaml.safe_load_all(path.read_text()) if crd]
        with closing(self.client()) as api:
            for crd in manifests:
                api.apply(crd)
            for crd in manifests:
                name = crd["metadata"]["name"]
                wait_until(partial(_is_served, api, crd), _CRD_LIMIT_S, f"{self.name} serves {name}")

    def _has(self, namespace: str) -> bool:
        with closing(self.client()) as api, suppress(StatusError):
            return bool(api.get("v1", "namespaces", None, namespace))
        return False

    def stop(self) -> None:
        """Stop both servers. What they hold is kept for `start`."""
        self.api_server.stop()
        self.etcd.stop()

    def kill(self) -> None:
        """End both servers at once. What they hold is kept for `start`."""
        self.api_server.kill()
        self.etcd.kill()

    def freeze(self) -> None:
        """Freeze both servers: connections stay open and nothing is said."""
        self.api_server.freeze()
        self.etcd.freeze()

    def thaw(self) -> None:
        """Let both servers go on."""
        self.etcd.thaw()
        self.api_server.thaw()

    def restart(self) -> None:
        """Stop both servers and start them with the same port, certificate, tokens and objects."""
        self.stop()
        self.start()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()
        shutil.rmtree(self.etcd.data_path, ignore_errors=True)


def start_all(servers: Sequence[Server | Cluster]) -> None:
    """
    Start several servers at the same time.

    Raises:
        StartError: One of them did not start. None is running then.
    """
    with ThreadPoolExecutor(len(servers)) as pool:
        starts = [pool.submit(server.start) for server in servers]
    if failures := [failure for start in starts if (failure := start.exception())]:
        for server in servers:
            server.kill()
        raise failures[0]


def _is_served(api: Api, crd: Object) -> bool:
    group, plural = crd["spec"]["group"], crd["spec"]["names"]["plural"]
    conditions = api.get("apiextensions.k8s.io/v1", "customresourcedefinitions", None, crd["metadata"]["name"])
    is_established = {"type": "Established", "status": "True"}.items()
    if not any(
        is_established <= condition.items() for condition in conditions.get("status", {}).get("conditions") or []
    ):
        return False
    for version in crd["spec"]["versions"]:
        if version["served"]:
            group_version = f"{group}/{version['name']}"
            try:
                api.list(group_version, plural)
                known = api.request("GET", resource_path(group_version, ""))["resources"]
            except StatusError:
                return False
            if plural not in {resource["name"] for resource in known}:
                return False
    return True
