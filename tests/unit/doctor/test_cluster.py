"""What is read of a cluster, and what is noted where it cannot be read: against answers as an API server gives them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, cast

import pytest

from mcsdns.doctor import Plan
from mcsdns.doctor.cluster import ClusterReader
from mcsdns.doctor.facts import Cluster, Unseen
from mcsdns.errors import ApiError, StreamError
from mcsdns.source.kube.client import Client
from mcsdns.source.kube.connection import Connection

ZONE = "clusterset.local"
STUB = f"{ZONE}:53 {{\n forward . 10.96.0.53\n}}\n"
SYSTEM = "/api/v1/namespaces/kube-system"
MAPS = f"{SYSTEM}/configmaps"
DEPLOYMENT = "/apis/apps/v1/namespaces/kube-system/deployments/kube-dns"


class Fake:
    """Answers by path; what is not there is 404."""

    connection = Connection(url="https://api")

    def __init__(self, objects: Mapping[str, Any]) -> None:
        groups = {
            "kind": "APIGroupList",
            "groups": [{"name": "multicluster.x-k8s.io", "versions": [{"version": "v1beta1"}]}],
        }
        self._objects = {"/apis": groups} | dict(objects)

    async def get(self, path: str, query: Mapping[str, str] | None = None) -> bytes:
        found = self._objects.get(path)
        if isinstance(found, Exception):
            raise found
        if found is None:
            raise ApiError(404, "not found")
        return json.dumps(found).encode()


async def seen(objects: Mapping[str, Any], name: str | None = None) -> tuple[Cluster, list[Unseen]]:
    reader = ClusterReader(cast("Client", Fake(objects)), Plan(zone=ZONE, name=name))
    return await reader.read(), reader.unseen


def config(**data: str) -> dict[str, Any]:
    return {"data": data}


CUSTOM = {f"{MAPS}/coredns-custom": {"data": {"mcsdns.server": STUB}}}
NAMESERVERS = [
    # what is there, and of each nameserver: its platform, and where it forwards the zone
    ({}, []),
    ({f"{MAPS}/coredns": config(Corefile=STUB)}, [("coredns", ("10.96.0.53",))]),
    ({f"{MAPS}/coredns": config(Corefile=". {\n}\nimport custom/*.server")} | CUSTOM, [("aks", ("10.96.0.53",))]),
    ({f"{MAPS}/coredns": config(Corefile=". {\n}\nimport /etc/coredns/custom/*.server")} | CUSTOM, [("k3s", ("10.96.0.53",))]),
    ({f"{MAPS}/rke2-coredns-rke2-coredns": config(Corefile=STUB)}, [("rke2", ("10.96.0.53",))]),
    ({DEPLOYMENT: {}, f"{MAPS}/kube-dns": config(stubDomains=json.dumps({ZONE: ["10.96.0.53"]}))}, [("kube-dns", ("10.96.0.53",))]),
    ({DEPLOYMENT: {}}, [("kube-dns", ())]),
    ({f"{MAPS}/kube-dns": config(stubDomains="{}")}, []),
    (
        {"/api/v1/services": {"items": [{"metadata": {"namespace": "dns", "name": "edge-coredns"}, "spec": {}}]},
         "/api/v1/namespaces/dns/configmaps/edge-coredns": config(Corefile=STUB)},
        [("coredns", ("10.96.0.53",))],
    ),
    (
        {f"{MAPS}/coredns": config(Corefile=STUB), f"{MAPS}/node-local-dns": config(Corefile=". {\n bind 169.254.20.10\n}")},
        [("coredns", ("10.96.0.53",)), ("nodelocal", ())],
    ),
    (
        {
            DEPLOYMENT: {},
            f"{MAPS}/kube-dns": config(stubDomains=json.dumps({ZONE: ["10.96.0.53"]})),
            f"{MAPS}/node-local-dns": config(Corefile=". {\n}"),
        },
        [("kube-dns", ("10.96.0.53",)), ("nodelocal", ("10.96.0.53",))],
    ),
]  # fmt: skip


@pytest.mark.parametrize(("objects", "expected"), NAMESERVERS)
async def test_nameservers(objects: Mapping[str, Any], expected: list[tuple[str, tuple[str, ...]]]) -> None:
    """Each platform is known by the objects that it has."""
    cluster, unseen = await seen(objects)
    found = []
    for server in cluster.nameservers:
        block = server.corefile.block_of(ZONE)
        found.append((server.platform, block.upstreams(ZONE) if block is not None else ()))
    assert found == expected
    assert unseen == []
    assert cluster.is_dns_known


async def test_services_and_replicas() -> None:
    """mcsdns's Service and the pods behind it, and the cluster's DNS."""
    spec = {
        "clusterIPs": ["10.96.0.53", "fd00::53"],
        "externalIPs": ["192.0.2.1"],
        "ports": [{"port": 53, "protocol": "UDP"}, {"port": 53, "protocol": "TCP"}],
    }
    admin = {
        "metadata": {"namespace": "mcsdns", "name": "admin"},
        "spec": {"clusterIPs": ["None"], "ports": [{"port": 9153}]},
    }
    slices = [
        {
            "endpoints": [
                {"addresses": ["10.1.0.1"]},
                {"addresses": ["10.1.0.2"], "conditions": {"ready": False}},
                {"addresses": ["10.1.0.3"], "conditions": {"terminating": True}},
            ],
            "ports": [{"port": 5353, "protocol": "UDP"}],
        }
    ]
    cluster, unseen = await seen(
        {
            "/api/v1/services": {
                "items": [
                    {
                        "metadata": {"namespace": "mcsdns", "name": "mcsdns"},
                        "spec": spec,
                        "status": {"loadBalancer": {"ingress": [{"ip": "192.0.2.2"}, {"hostname": "lb.example"}]}},
                    },
                    admin,
                ]
            },
            "/apis/discovery.k8s.io/v1/namespaces/mcsdns/endpointslices": {
                "items": [*slices, {"endpoints": None, "ports": None}]
            },
            f"{SYSTEM}/services": {"items": [{"metadata": {}, "spec": {"clusterIPs": ["10.96.0.10"]}}]},
        }
    )
    (service,) = cluster.services
    assert (service.where, service.ips, service.protocols) == (
        "Service mcsdns/mcsdns",
        ("10.96.0.53", "fd00::53"),
        ("UDP", "TCP"),
    )
    assert service.outer == ("192.0.2.1", "192.0.2.2")
    assert cluster.replicas == ("10.1.0.1:5353", "10.1.0.2:5353")
    assert cluster.dns_ips == ("10.96.0.10",)
    assert unseen == []


@pytest.mark.parametrize(
    ("answer", "expected"), [({}, True), (None, False), (ApiError(403, "no"), None), (StreamError("cut"), None)]
)
async def test_the_namespace_of_the_name(answer: Any, expected: bool | None) -> None:
    """It is there, it is not, or that cannot be told; of a name that has none it is not asked."""
    objects = {"/api/v1/namespaces/shop": answer} if answer is not None else {}
    cluster, _ = await seen(objects, f"_http._tcp.web.shop.svc.{ZONE}.")
    assert cluster.namespace is expected
    cluster, unseen = await seen(objects, "web.shop.svc.cluster.local")
    assert (cluster.namespace, unseen) == (None, [])


async def test_what_cannot_be_read_is_noted() -> None:
    """A refusal is told with what would let us; the rest is read; and the DNS is not taken for known."""
    cluster, unseen = await seen(
        {f"{MAPS}/coredns": ApiError(403, "forbidden"), f"{MAPS}/node-local-dns": config(Corefile=STUB)}
    )
    assert [one.what for one in unseen] == ["ConfigMap kube-system/coredns"]
    assert unseen[0].fix.startswith("let this identity `get` it")
    assert [server.platform for server in cluster.nameservers] == ["nodelocal"]
    assert not cluster.is_dns_known
    cluster, unseen = await seen({"/apis": StreamError("cut")})
    assert (cluster.is_read, [one.what for one in unseen]) == (False, ["what the API server serves"])
