"""
Kubernetes manifests in few words, for tests in which the object is not the point. JSON, which is YAML.

| in short                | what it stands for                                             |
|-------------------------|----------------------------------------------------------------|
| `https 443/TCP`         | a port: name (or none), number, protocol                       |
| `web-0=10.1.0.1`        | an endpoint with a hostname; several addresses after `+`       |
| `10.1.0.1`              | an endpoint without one                                        |
| `web-0=10.1.0.1 !ready` | an endpoint that is not ready                                  |
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

NAMESPACE = "test"
SERVICE_NAME = "multicluster.kubernetes.io/service-name"
SOURCE_CLUSTER = "multicluster.kubernetes.io/source-cluster"
NATIVE_SERVICE = "kubernetes.io/service-name"


def together(*documents: str) -> str:
    """Join manifests into one YAML text."""
    return "\n---\n".join(documents)


def service_import(
    name: str,
    *,
    ips: Sequence[Any] = (),
    ports: Sequence[str] = (),
    headless: bool = False,
    clusters: Sequence[str] = (),
    namespace: str = NAMESPACE,
) -> str:
    """Make a ServiceImport."""
    return json.dumps(
        {
            "apiVersion": "multicluster.x-k8s.io/v1beta1",
            "kind": "ServiceImport",
            "metadata": {"namespace": namespace, "name": name},
            "spec": {
                "type": "Headless" if headless else "ClusterSetIP",
                "ips": list(ips),
                "ports": [port(text) for text in ports],
            },
            "status": {"clusters": [{"cluster": cluster} for cluster in clusters]},
        }
    )


def service_export(name: str, *, conditions: Sequence[dict[str, str]] = (), namespace: str = NAMESPACE) -> str:
    """Make a ServiceExport."""
    return json.dumps(
        {
            "apiVersion": "multicluster.x-k8s.io/v1alpha1",
            "kind": "ServiceExport",
            "metadata": {"namespace": namespace, "name": name},
            "status": {"conditions": list(conditions)},
        }
    )


def imported_slice(service: str, source: str | None, *endpoints: str, **more: Any) -> str:
    """Make an EndpointSlice that speaks for the cluster `source`, or for one that is not named."""
    labels = {SERVICE_NAME: service} | ({SOURCE_CLUSTER: source} if source is not None else {})
    return endpoint_slice(f"imported-{service}-{source or 'x'}", labels, endpoints, **more)


def native_slice(service: str, *endpoints: str, **more: Any) -> str:
    """Make an EndpointSlice that speaks for the cluster that holds it."""
    return endpoint_slice(f"{service}-abcde", {NATIVE_SERVICE: service}, endpoints, **more)


def endpoint_slice(
    default_name: str,
    labels: dict[str, str],
    endpoints: Sequence[str],
    *,
    ports: Sequence[str] = (),
    name: str | None = None,
    family: str | None = None,
    namespace: str = NAMESPACE,
) -> str:
    """Make an EndpointSlice. The family is that of its first address if it is not given."""
    guessed = "IPv6" if ":" in (endpoints[0] if endpoints else "") else "IPv4"
    return json.dumps(
        {
            "apiVersion": "discovery.k8s.io/v1",
            "kind": "EndpointSlice",
            "metadata": {"namespace": namespace, "name": name or default_name, "labels": labels},
            "addressType": family or guessed,
            "endpoints": [endpoint(text) for text in endpoints],
            "ports": [port(text) for text in ports],
        }
    )


def cluster_property(value: str, name: str = "cluster.clusterset.k8s.io") -> str:
    """Make a ClusterProperty."""
    return json.dumps(
        {
            "apiVersion": "about.k8s.io/v1beta1",
            "kind": "ClusterProperty",
            "metadata": {"name": name},
            "spec": {"value": value},
        }
    )


def port(text: str) -> dict[str, Any]:
    """Read `[name ]number/protocol`."""
    name, _, rest = text.rpartition(" ")
    number, _, protocol = rest.partition("/")
    return {"port": int(number), "protocol": protocol} | ({"name": name} if name else {})


def endpoint(text: str) -> dict[str, Any]:
    """Read `[hostname=]address[+address…][ !ready]`."""
    text, _, not_ready = text.partition(" !")
    hostname, _, addresses = text.rpartition("=")
    made: dict[str, Any] = {"addresses": addresses.split("+"), "conditions": {"ready": not not_ready}}
    return made | ({"hostname": hostname} if hostname else {})


def write(path: Path, text: str) -> None:
    """Replace a file by another of the same name, as editors and kubelets do: a new inode."""
    path.parent.mkdir(parents=True, exist_ok=True)
    new = path.with_name(f".{path.name}.new")
    new.write_text(text)
    new.rename(path)
