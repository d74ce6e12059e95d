"""
The clusterset of the benchmarks: for a number of services always the same objects, questions and right answers.

Rules:
1. One service in five is headless. Each service has six ready endpoints, three in each of two clusters, in two slices
   that the consuming cluster holds as imported: so 10,000 services are 20,000 slices with 60,000 endpoints.
2. A ClusterSetIP service has one IPv4 address and two named ports. Endpoints of headless services have hostnames.
3. The mix of questions: 60 % A, 20 % AAAA (all NODATA), 10 % SRV, 10 % A of names that do not exist.

Pure: writing files and loading API servers is for `files` and `tests.servers`.
"""

import random
from collections.abc import Iterator
from typing import Any, Final, NamedTuple

ZONE: Final = "clusterset.local"
CLUSTERS: Final = ("east", "west")
ENDPOINTS: Final = 3
"""In each slice."""
IN_NAMESPACE: Final = 200
"""Services in a namespace."""
NOERROR, NXDOMAIN = 0, 3
A, AAAA, SRV = 1, 28, 33

Object = dict[str, Any]


class Question(NamedTuple):
    """A question, and what is right: the rcode, and RDATA as packed addresses (A) or port and target (SRV)."""

    name: str
    type: int
    rcode: int
    answer: frozenset[bytes] | frozenset[tuple[int, str]]


class Service(NamedTuple):
    """One service; everything about it follows from its number."""

    number: int

    @property
    def name(self) -> str:
        return f"svc-{self.number:05}"

    @property
    def namespace(self) -> str:
        return f"team-{self.number // IN_NAMESPACE:03}"

    @property
    def is_headless(self) -> bool:
        return self.number % 5 == 0

    @property
    def owner(self) -> str:
        """Its name in the zone."""
        return f"{self.name}.{self.namespace}.svc.{ZONE}"

    @property
    def address(self) -> bytes:
        """Its ClusterSet IP."""
        return bytes((10, *self.number.to_bytes(3, "big")))

    def endpoint(self, cluster: int, index: int) -> bytes:
        """Return the address of an endpoint in a cluster."""
        number = self.number * 8 + cluster * 4 + index
        return bytes((172, 16 + (number >> 16), number >> 8 & 255, number & 255))

    def endpoints(self) -> Iterator[tuple[str, bytes]]:
        """Give the host name below the service and the address of each endpoint."""
        for cluster, cluster_id in enumerate(CLUSTERS):
            for index in range(ENDPOINTS):
                yield f"pod-{index}.{cluster_id}", self.endpoint(cluster, index)


def services(count: int) -> list[Service]:
    """Return that many services."""
    return [Service(number) for number in range(count)]


def manifests(service: Service) -> Iterator[Object]:
    """Give the objects of one service: its import and its two slices."""
    ports = [{"name": "http", "protocol": "TCP", "port": 8080}, {"name": "metrics", "protocol": "TCP", "port": 9090}]
    spec: Object = {"type": "Headless" if service.is_headless else "ClusterSetIP", "ports": ports}
    if not service.is_headless:
        spec["ips"] = [text(service.address)]
    yield {
        "apiVersion": "multicluster.x-k8s.io/v1beta1",
        "kind": "ServiceImport",
        "metadata": {"namespace": service.namespace, "name": service.name},
        "spec": spec,
        "status": {"clusters": [{"cluster": cluster_id} for cluster_id in CLUSTERS]},
    }
    for cluster in range(len(CLUSTERS)):
        yield imported_slice(service, cluster)


def imported_slice(service: Service, cluster: int, first: bytes | None = None, cluster_id: str | None = None) -> Object:
    """
    Return the slice of a service for one of its clusters.

    Args:
        service: Whose.
        cluster: The index of the cluster.
        first: Takes the place of the first endpoint's address.
        cluster_id: What the cluster is called, where it is none of `CLUSTERS`.
    """
    cluster_id = cluster_id or CLUSTERS[cluster]
    addresses = [service.endpoint(cluster, index) for index in range(ENDPOINTS)]
    if first is not None:
        addresses[0] = first
    endpoints: list[Object] = []
    for index, address in enumerate(addresses):
        conditions = {"ready": True, "serving": True, "terminating": False}
        endpoint: Object = {"addresses": [text(address)], "conditions": conditions}
        endpoints.append(endpoint | ({"hostname": f"pod-{index}"} if service.is_headless else {}))
    return {
        "apiVersion": "discovery.k8s.io/v1",
        "kind": "EndpointSlice",
        "metadata": {
            "namespace": service.namespace,
            "name": f"{service.name}-{cluster_id}",
            "labels": {
                "multicluster.kubernetes.io/service-name": service.name,
                "multicluster.kubernetes.io/source-cluster": cluster_id,
                "endpointslice.kubernetes.io/managed-by": "benchmarks",
            },
        },
        "addressType": "IPv4",
        "endpoints": endpoints,
        "ports": [{"name": "http", "protocol": "TCP", "port": 8080}],
    }


def address_question(service: Service) -> Question:
    """Return the question for a service's IPv4 addresses."""
    found = [address for _, address in service.endpoints()] if service.is_headless else [service.address]
    return Question(service.owner, A, NOERROR, frozenset(found))


def service_question(service: Service) -> Question:
    """Return the question for where a service's port `http` is."""
    hosts = [f"{host}.{service.owner}" for host, _ in service.endpoints()] if service.is_headless else [service.owner]
    return Question(f"_http._tcp.{service.owner}", SRV, NOERROR, frozenset((8080, host) for host in hosts))


def mix(count: int, questions: int = 100_000) -> list[Question]:
    """
    Draw questions in the mix of rule 3.

    Args:
        count: How many services there are.
        questions: How many to draw.
    """
    draw = random.Random(count)
    drawn: list[Question] = []
    for _ in range(questions):
        service, share = Service(draw.randrange(count)), draw.random()
        if share < 0.6:
            drawn.append(address_question(service))
        elif share < 0.8:
            drawn.append(Question(service.owner, AAAA, NOERROR, frozenset()))
        elif share < 0.9:
            drawn.append(service_question(service))
        else:
            drawn.append(Question(f"absent-{service.owner}", A, NXDOMAIN, frozenset()))
    return drawn


def text(address: bytes) -> str:
    """Return an IPv4 address in presentation form."""
    return ".".join(map(str, address))
