"""
Member clusters as they are in production: real API servers, and mcsdns let in with the role that is shipped and nothing more.

Whatever mcsdns asks is in the server's audit log: `Audited.asked`.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any, Final, NamedTuple

import yaml

from tests.e2e.relay import Relay
from tests.servers.run import Api, Cluster, crd_manifests

ROLE_FILE: Final = Path(__file__).parents[2] / "deploy" / "rbac.yaml"
ROLE: Final = "mcsdns-member"
USER: Final = "mcsdns"
CHECKER: Final = "mcsdns-check"
"""Who runs `mcsdns check`: as an operator would, with the same role and under a name of its own."""

_POLICY: Final = {
    "apiVersion": "audit.k8s.io/v1",
    "kind": "Policy",
    "rules": [{"level": "Metadata", "users": [USER, CHECKER]}, {"level": "None"}],
}


class Asked(NamedTuple):
    """One request of mcsdns, as the API server's audit log has it."""

    user: str
    verb: str
    resource: str
    """`<group>/<resource>`, or the path of what is none."""
    name: str
    """Of the object, or nothing."""
    code: int
    is_allowed: bool


class Audited:
    """
    A cluster whose API server logs what mcsdns asks.

    Args:
        name: The cluster's.
        folder: Where all its files go.
        crds: As for `Cluster`.
        flags: As for `Cluster`.
    """

    def __init__(self, name: str, folder: Path, crds: Iterable[Path] | None = None, flags: Sequence[str] = ()) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        policy = folder / "audit-policy.yaml"
        policy.write_text(yaml.safe_dump(_POLICY))
        self._log = folder / "audit.log"
        audit = (f"--audit-policy-file={policy}", f"--audit-log-path={self._log}", "--audit-log-mode=blocking")
        self.name = name
        self.cluster = Cluster(name, folder, crds, (*audit, *flags))
        self.cluster.add_token(USER)
        self.cluster.add_token(CHECKER)
        self.cluster.add_token("stranger")

    def start(self) -> None:
        """Start it, apply the shipped role as it is, and bind mcsdns's user to it."""
        self.cluster.start()
        with closing(self.api()) as api:
            for manifest in shipped_role():
                api.apply(manifest)
            api.apply(_binding())

    def kill(self) -> None:
        """End it."""
        self.cluster.kill()

    def api(self) -> Api:
        """Give a client of a user who may do anything."""
        return self.cluster.client()

    def member(self, relay: Relay | None = None, user: str = USER, **settings: Any) -> dict[str, Any]:
        """
        Give its entry in mcsdns's configuration.

        Args:
            relay: What leads there; None: it is reached directly.
            user: As whom.
            settings: Other keys.
        """
        kubeconfig = self.cluster.kubeconfig(user)
        path = relay.through(kubeconfig) if relay is not None else kubeconfig
        return {"name": self.name, "kubeconfig": {"path": str(path)}} | settings

    def relay(self) -> Relay:
        """Make a wire to it that can be cut."""
        return Relay(self.cluster.api_server.port)

    def apply(self, *documents: str) -> None:
        """Make objects be as in these manifests, and their namespaces exist."""
        with closing(self.api()) as api:
            for document in documents:
                manifest = json.loads(document)
                if "namespace" in manifest["metadata"]:
                    api.ensure_namespace(manifest["metadata"]["namespace"])
                api.apply(manifest)

    def delete(self, *documents: str) -> None:
        """Delete the objects of these manifests."""
        with closing(self.api()) as api:
            for document in documents:
                manifest = json.loads(document)
                plural = manifest["kind"].lower().removesuffix("y") + ("ies" if manifest["kind"][-1] == "y" else "s")
                metadata = manifest["metadata"]
                api.delete(manifest["apiVersion"], plural, metadata.get("namespace"), metadata["name"])

    def asked(self) -> Iterator[Asked]:
        """Give what mcsdns has asked so far."""
        for line in self._log.read_text().splitlines():
            event = json.loads(line)
            if event["stage"] == "RequestReceived":
                continue
            about = event.get("objectRef")
            resource = (
                f"{about.get('apiGroup', '')}/{about['resource']}" if about else event["requestURI"].partition("?")[0]
            )
            allowed = event.get("annotations", {}).get("authorization.k8s.io/decision") == "allow"
            user = event["user"]["username"]
            name = about.get("name", "") if about else ""
            yield Asked(user, event["verb"], resource, name, event["responseStatus"]["code"], allowed)


def shipped_role() -> list[dict[str, Any]]:
    """Give the manifests of the role file."""
    return list(yaml.safe_load_all(ROLE_FILE.read_text()))


def v1alpha1_crds(folder: Path) -> list[Path]:
    """Write the CRDs of mcs-api as they were before there was v1beta1, without that of ClusterProperty."""
    folder.mkdir(parents=True, exist_ok=True)
    made = []
    for path in crd_manifests():
        crd = yaml.safe_load(path.read_text())
        if crd["spec"]["group"] == "multicluster.x-k8s.io":
            (version,) = [one for one in crd["spec"]["versions"] if one["name"] == "v1alpha1"]
            version["storage"] = True
            crd["spec"]["versions"] = [version]
            made.append(folder / path.name)
            made[-1].write_text(yaml.safe_dump(crd))
    return made


def _binding() -> dict[str, Any]:
    return {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "ClusterRoleBinding",
        "metadata": {"name": "mcsdns-test"},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": ROLE},
        "subjects": [
            {"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": user} for user in (USER, CHECKER)
        ],
    }
