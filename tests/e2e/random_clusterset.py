"""
Clustersets drawn by a seed, in the shapes that the rules of the zone tell apart.

One draw holds services of both types with and without addresses, ports, host names, ready endpoints; slices that are imported,
native, doubled, without a source cluster; and things that must be left out. Names are from a small set, so that clusters speak about
the same services.
"""

from __future__ import annotations

import json
from random import Random
from typing import Final

from tests.manifests import cluster_property, imported_slice, native_slice, service_export, service_import

CLUSTERS: Final = ("east", "west", "north")
IDS: Final = {"east": "east", "west": "west.eu", "north": "n"}
NAMESPACES: Final = ("a", "shop", "svc", "x" * 63)
SERVICES: Final = ("web", "db", "svc", "a", "0", "cache-1", "y" * 63)
HOSTS: Final = ("a-0", "a-1", "DB-0", "h" * 63, "10-1-0-1", "under_score", "dotted.name")
PORTS: Final = (
    "http 80/TCP",
    "https 443/TCP",
    "dns 53/UDP",
    "dns-tcp 53/TCP",
    "9/SCTP",
    "8080/TCP",
    "p 1/sctp",
    f"{'l' * 15} 65535/TCP",
)
ADDRESSES: Final = ("10.1.0.1", "10.1.0.2", "10.2.0.9", "192.0.2.255")
ADDRESSES6: Final = ("2001:db8::", "2001:db8::1", "2001:db8:1:2:3:4:5:6")
ODD_IPS: Final = ("not-an-address", "10.0.0", "10.0.0.1/32", 7)


def clusterset(seed: int) -> dict[str, list[str]]:
    """Draw the manifests of each member cluster."""
    rng = Random(seed)
    members: dict[str, list[str]] = {name: [cluster_property(IDS[name])] for name in CLUSTERS}
    pairs = [(namespace, name) for namespace in NAMESPACES for name in SERVICES]
    for namespace, name in rng.sample(pairs, 12):
        for cluster in CLUSTERS:
            if rng.random() < 0.7:
                members[cluster].extend(_service(rng, namespace, name, cluster))
    return members


def _service(rng: Random, namespace: str, name: str, cluster: str) -> list[str]:
    """Draw what one cluster says about one service: mostly of a type that depends on the name, sometimes not."""
    headless = (len(name) + len(namespace)) % 2 == 0
    if rng.random() < 0.1:
        headless = not headless
    ips = rng.sample(ADDRESSES, rng.randint(0, 1)) + rng.sample(ADDRESSES6, rng.randint(0, 1))
    made = [
        service_import(
            name,
            namespace=namespace,
            ips=[*ips, *rng.sample(ODD_IPS, rng.random() < 0.2)],
            ports=rng.sample(PORTS, rng.randint(0, 4)),
            headless=headless,
            clusters=[IDS[other] for other in rng.sample(CLUSTERS, rng.randint(0, 3))],
        )
    ]
    if rng.random() < 0.5:
        made.append(service_export(name, namespace=namespace))
    slices = [f"{name[:40]}-{cluster}-{number}" for number in range(rng.randint(0, 3))]
    return [*made, *(_slice(rng, namespace, name, its_name) for its_name in slices)]


def _slice(rng: Random, namespace: str, service: str, name: str) -> str:
    is_v6 = rng.random() < 0.3
    addresses = ADDRESSES6 if is_v6 else ADDRESSES
    endpoints = [_endpoint(rng, addresses) for _ in range(rng.randint(0, 4))]
    ports = rng.sample(PORTS, rng.randint(0, 3))
    family = "IPv6" if is_v6 else "IPv4"
    if rng.random() < 0.4:
        made = native_slice(service, *endpoints, namespace=namespace, name=name, ports=ports, family=family)
    else:
        source = rng.choice([*IDS.values(), "elsewhere", None])
        made = imported_slice(service, source, *endpoints, namespace=namespace, name=name, ports=ports, family=family)
    if rng.random() < 0.1:
        made = json.dumps(json.loads(made) | {rng.choice(["endpoints", "ports"]): None})
    return made


def _endpoint(rng: Random, addresses: tuple[str, ...]) -> str:
    text = "+".join(rng.sample(addresses, rng.choice([1, 1, 1, 2])))
    if rng.random() < 0.6:
        text = f"{rng.choice(HOSTS)}={text}"
    return text + (" !ready" if rng.random() < 0.25 else "")
