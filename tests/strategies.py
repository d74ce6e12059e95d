"""
Random values for properties: names, and clustersets with their histories.

A history is what the sources of a few member clusters say, in an order that a source may use: lists (some of which break off, some of
which are less than whole), changes, duplicates, deletes of what is not known. Objects come from small pools, so that they meet: the
same service in several clusters, the same slice under another service, good values beside odd ones.

`final_state` folds a history in the plainest way: it judges what the mirrors make of it.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from typing import Any

from hypothesis import strategies as st

from mcsdns.source.events import Apply, Delete, Event, Init, InitApply, InitDone, Resource
from mcsdns.source.objects import ClusterProperty, EndpointSlice, Object, ServiceExport, ServiceImport, convert

CLUSTERS = ("a", "b", "c")
"""The configured names of the watched clusters."""
IDS = ("a", "b", "c", "d", "c1.reg1", "reg1")
"""Cluster ids that are said: those of watched clusters, of one that is not, and two that can be in each other's way."""
# What stands several times is drawn as often.
NAMESPACES = ("n1", "n1", "n1", "n2")
SERVICES = ("web", "web", "web", "db", "Odd.Name")
_KINDS: dict[Resource, Any] = {
    Resource.SERVICE_IMPORTS: ServiceImport,
    Resource.SERVICE_EXPORTS: ServiceExport,
    Resource.ENDPOINT_SLICES: EndpointSlice,
    Resource.CLUSTER_PROPERTIES: ClusterProperty,
}

State = dict[str, dict[Resource, dict[tuple[str, str], Object]]]
"""By cluster and resource: the objects by namespace and name, of the resources that have been listed."""


@st.composite
def wire_names(draw: st.DrawFn) -> bytes:
    """Draw a lower-case name in wire format, with labels of any octets, of at most 255 octets."""
    octets = st.binary(min_size=1, max_size=63) | st.text(r"ab-_.\"$@();* 09", min_size=1, max_size=9).map(str.encode)
    name = b"\x00"
    for label in draw(st.lists(octets, max_size=6)):
        if len(name) + 1 + len(label) <= 255:
            name = bytes((len(label),)) + label.lower() + name
    return name


def _pool(size: int, first: list[Any], make: Callable[[random.Random], Any]) -> list[Any]:
    """Make a pool of contents: good ones first, so that examples shrink to them, then random ones, the same in every run."""
    source = random.Random(size)
    return first + [make(source) for _ in range(size - len(first))]


def _ports(source: random.Random) -> Any:
    return (
        source.choice([None, []])
        if source.random() < 0.2
        else [
            {
                "name": source.choice(["http", "http", "HTTP", "pg", "", None, "not a label", "p" * 63]),
                "port": source.choice([80, 80, 80, 443, 1, 65535, 0, 70000, None, "http"]),
                "protocol": source.choice(["TCP", "TCP", "udp", None, "HTTP"]),
            }
            for _ in range(source.randint(1, 3))
        ]
    )


def _endpoint(source: random.Random) -> Any:
    addresses = ["10.0.0.1", "10.0.0.2", "10.0.0.3", "2001:db8::", "2001:DB8::1", "::1", "10.0.0.256", "text", None]
    return {
        "addresses": source.sample(addresses, source.randint(1, 4)),
        "hostname": source.choice([None, None, "h1", "h1", "H1", "c1", "a", "10-0-0-1", "no_label", "", "h" * 63]),
        "conditions": source.choice(
            [None, None, {}, {"ready": True}, {"ready": True}, {"ready": False}, {"ready": None}]
        ),
    }


def _service_import(source: random.Random) -> Any:
    ips = ["10.42.0.1", "10.42.0.2", "2001:db8::42", "pending", "10.42.0.1", None]
    spec = {
        "type": source.choice(
            ["ClusterSetIP", "ClusterSetIP", "Headless", "Headless", "Headless", None, "ExternalName"]
        ),
        "ips": source.sample(ips, source.randint(0, 3)),
        "ports": _ports(source),
    }
    return {
        "spec": spec,
        "status": {"clusters": [{"cluster": name} for name in source.sample(IDS, source.randint(0, 3))]},
    }


def _service_export(source: random.Random) -> Any:
    conditions = [(name, status) for name in ("Valid", "Conflict") for status in ("True", "False")]
    chosen = source.sample(conditions, source.randint(0, 2))
    return {"status": {"conditions": [{"type": name, "status": status} for name, status in chosen]}}


def _endpoint_slice(source: random.Random) -> Any:
    found: list[Any] = [_endpoint(source) for _ in range(source.randint(1, 3))]
    return {
        "addressType": source.choice(["IPv4"] * 5 + ["IPv6"] * 3 + ["FQDN", None]),
        "endpoints": source.choice([found] * 6 + [None, [5, *found]]),
        "ports": _ports(source),
    }


def _labels() -> list[dict[str, str]]:
    """Make the labels that slices may have: imported, native, both, or of no service."""
    sources = [{"multicluster.kubernetes.io/source-cluster": name} for name in (*IDS, *IDS, "Not.An.Id", "")]
    imported = [{"multicluster.kubernetes.io/service-name": service} for service in SERVICES]
    native = [{"kubernetes.io/service-name": service} for service in SERVICES]
    both = [one | other | source for one in imported for other in native[:1] for source in sources[:3]]
    return [one | source for source in [*sources, {}] for one in imported] + native * 4 + both + [{}, sources[0]]


_HTTP = [{"name": "http", "port": 80, "protocol": "TCP"}]
_POOLS: dict[Resource, list[Any]] = {
    Resource.SERVICE_IMPORTS: _pool(
        40,
        [{"spec": {"type": "Headless"}}, {"spec": {"type": "ClusterSetIP", "ips": ["10.42.0.1"], "ports": _HTTP}}],
        _service_import,
    ),
    Resource.SERVICE_EXPORTS: _pool(8, [{}, {}, {}], _service_export),
    Resource.ENDPOINT_SLICES: _pool(
        80,
        [{"addressType": "IPv4", "endpoints": [{"addresses": ["10.0.0.1"], "hostname": "h1"}], "ports": _HTTP}],
        _endpoint_slice,
    ),
    Resource.CLUSTER_PROPERTIES: [{"spec": {"value": value}} for value in (*IDS, "Not.An.Id")],
}
_LABELS = _labels()
_MOST = {
    Resource.SERVICE_IMPORTS: 3,
    Resource.SERVICE_EXPORTS: 3,
    Resource.ENDPOINT_SLICES: 6,
    Resource.CLUSTER_PROPERTIES: 1,
}
_NAMES = {
    Resource.ENDPOINT_SLICES: ["s1", "s2", "s3", "s4"],
    Resource.CLUSTER_PROPERTIES: ["cluster.clusterset.k8s.io"] * 3 + ["clusterset.k8s.io"],
}


@st.composite
def objects(draw: st.DrawFn, resource: Resource) -> Object:
    """Draw an object of a resource, good or odd. It always has a name."""
    metadata: dict[str, Any] = {"name": draw(st.sampled_from(_NAMES.get(resource, list(SERVICES))))}
    if resource is not Resource.CLUSTER_PROPERTIES:
        metadata["namespace"] = draw(st.sampled_from(NAMESPACES))
    if resource is Resource.ENDPOINT_SLICES:
        metadata["labels"] = draw(st.sampled_from(_LABELS))
    content = draw(st.sampled_from(_POOLS[resource]))
    metadata["resourceVersion"] = str(draw(st.integers(1, 3)))
    made: Object | None = convert(_KINDS[resource], {"metadata": metadata} | content)
    assert made is not None
    return made


@st.composite
def lists(draw: st.DrawFn, cluster: str, resource: Resource) -> list[Event]:
    """Draw a list of a resource, perhaps after one that broke off."""
    found = draw(st.lists(objects(resource), max_size=_MOST[resource]))
    events: list[Event] = []
    if draw(st.integers(0, 7)) == 7:
        events = [Init(cluster, resource), *(InitApply(cluster, resource, obj) for obj in found[:2])]
        found = draw(st.lists(objects(resource), max_size=3))
    applies = [InitApply(cluster, resource, obj) for obj in found]
    whole = draw(st.integers(0, 7)) < 7
    return [*events, Init(cluster, resource), *applies, InitDone(cluster, resource, whole)]


@st.composite
def changes(draw: st.DrawFn, cluster: str, resource: Resource) -> list[Event]:
    """Draw a change of one object, perhaps told twice, or a delete of one that may not be known."""
    obj = draw(objects(resource))
    event: Event = Apply(cluster, resource, obj)
    if draw(st.booleans()):
        event = Delete(cluster, resource, obj.metadata.namespace, obj.metadata.name)
    return [event] * draw(st.integers(1, 2))


@st.composite
def histories(draw: st.DrawFn, *, steps: int = 12) -> list[list[Event]]:
    """
    Draw what the clusters say, step by step. Usually all of them are heard; changes of a resource come after its first list.

    Args:
        steps: How many steps there are at most after the first lists.
    """
    pairs = [(cluster, resource) for cluster in CLUSTERS for resource in Resource]
    first = draw(st.permutations(pairs))
    missing = draw(st.integers(0, 3)) == 3
    listed = first[:-1] if missing else first
    history = [draw(lists(*pair)) for pair in listed]
    kinds = st.sampled_from([*Resource, Resource.ENDPOINT_SLICES, Resource.SERVICE_IMPORTS])
    for _ in range(draw(st.integers(0, steps))):
        pair = (draw(st.sampled_from(CLUSTERS)), draw(kinds))
        if pair in listed:
            relist = draw(st.integers(0, 3)) == 3
            history.append(draw(lists(*pair) if relist else changes(*pair)))
    return history


def final_state(history: Sequence[Sequence[Event]]) -> State:
    """Fold a history into what every cluster holds at its end."""
    state: State = {cluster: {} for cluster in CLUSTERS}
    staged: dict[tuple[str, Resource], dict[tuple[str, str], Object]] = {}
    for event in (event for step in history for event in step):
        pair = (event.cluster, event.resource)
        match event:
            case Init():
                staged[pair] = {}
            case InitApply(obj=obj):
                staged[pair][obj.metadata.namespace, obj.metadata.name] = obj
            case InitDone():
                state[event.cluster][event.resource] = staged.pop(pair)
            case Apply(obj=obj):
                state[event.cluster][event.resource][obj.metadata.namespace, obj.metadata.name] = obj
            case Delete(namespace=namespace, name=name):
                state[event.cluster][event.resource].pop((namespace, name), None)
    return state
