"""
The objects of one of many member clusters, as its API server lists them.

Rules:
1. Each service has an import, an export and slices, imported from as many clusters as there are slices.
2. Objects carry what an API server adds and nobody reads: `uid`, `managedFields`.
3. What one cluster has differs from what another has in its namespaces alone, so all of it is made once.

Not here: who serves it (`fleet`, `scripted`).
"""

import json
from typing import Final

from .clusterset import Object, imported_slice, manifests, services

PAGE: Final = 500
"""Objects in a page, as clients ask for."""
RV: Final = "1000"
KUBE_SYSTEM: Final = "/api/v1/namespaces/kube-system"
KINDS: Final = {
    "serviceimports": ("multicluster.x-k8s.io/v1beta1", "ServiceImport"),
    "serviceexports": ("multicluster.x-k8s.io/v1beta1", "ServiceExport"),
    "endpointslices": ("discovery.k8s.io/v1", "EndpointSlice"),
    "clusterproperties": ("about.k8s.io/v1", "ClusterProperty"),
}
"""API version and kind of each resource."""

Pages = list[tuple[str, bytes]]
"""The token of the page that follows, and the objects, as JSON without the brackets around them."""


def objects(count: int, slices: int) -> dict[str, list[Object]]:
    """
    Make the objects of one cluster.

    Args:
        count: How many services.
        slices: Of each.
    """
    found: dict[str, list[Object]] = {resource: [] for resource in KINDS}
    for service in services(count):
        found["serviceimports"].append(next(manifests(service)))
        metadata = {"namespace": service.namespace, "name": service.name}
        export = {"apiVersion": KINDS["serviceexports"][0], "kind": "ServiceExport", "metadata": metadata}
        found["serviceexports"].append(export)
        found["endpointslices"] += (imported_slice(service, n, cluster_id=f"member-{n:02}") for n in range(slices))
    return found


def paged(found: list[Object]) -> Pages:
    """Return the pages of a list."""
    pages: Pages = []
    for start in range(0, max(1, len(found)), PAGE):
        token = str(len(pages) + 1) if start + PAGE < len(found) else ""
        items = [json.dumps(_as_served(one), separators=(",", ":")) for one in found[start : start + PAGE]]
        pages.append((token, ",".join(items).encode()))
    return pages


def _as_served(obj: Object) -> Object:
    """Add what an API server adds, and nobody reads."""
    fields: Object = {
        "f:metadata": {"f:labels": {".": {}, "f:endpointslice.kubernetes.io/managed-by": {}}},
        "f:endpoints": {},
    }
    added = {
        "uid": "6f1d7a0e-5c43-4b58-9c5b-0d1a4f2b7c11",
        "resourceVersion": RV,
        "generation": 1,
        "creationTimestamp": "2026-01-01T00:00:00Z",
        "managedFields": [
            {
                "manager": "controller",
                "operation": "Update",
                "apiVersion": obj["apiVersion"],
                "time": "2026-01-01T00:00:00Z",
                "fieldsType": "FieldsV1",
                "fieldsV1": fields,
            }
        ],
    }
    return obj | {"metadata": obj["metadata"] | added}


def kube_system(uid: str) -> bytes:
    """Return the namespace by whose UID a cluster is known."""
    metadata = {"name": "kube-system", "uid": uid, "resourceVersion": RV}
    return json.dumps({"kind": "Namespace", "apiVersion": "v1", "metadata": metadata}).encode()


def page(resource: str, token: str, items: bytes) -> bytes:
    """Return a page of a list as it is sent."""
    version, kind = KINDS[resource]
    metadata = {"resourceVersion": RV} | ({"continue": token} if token else {})
    head = json.dumps({"kind": f"{kind}List", "apiVersion": version, "metadata": metadata})
    return head[:-1].encode() + b',"items":[' + items + b"]}"


def space(number: int, *, shares: bool) -> str:
    """Return what the namespaces of a cluster begin with, in place of `team`."""
    return "team" if shares else f"member-{number:02}"


def moved(items: bytes, to: str) -> bytes:
    """Move objects to the namespaces of a cluster."""
    return items.replace(b'"namespace":"team-', f'"namespace":"{to}-'.encode())
