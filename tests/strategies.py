"""
Random values for properties: names, and clustersets with their histories.

A history is what the sources of a few member clusters say, in an order that a source may use: lists (some of which break off, some of
which are less than whole), changes, duplicates, deletes of what is not known. Objects come from small pools, so that they meet: the
same service in several clusters, the same slice under another service, good values beside odd ones.

`final_state` folds a history in the plainest way: it judges what the mirrors make of it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from hypothesis import strategies as st

from mcsdns.source.events import Apply, Delete, Event, Init, InitApply, InitDone, Resource
from mcsdns.source.objects import ClusterProperty, EndpointSlice, Object, ServiceExport, ServiceImport, convert

CLUSTERS = ("a", "b", "c")
"""The configured names of the watched clusters."""
IDS = ("a", "b", "c", "d", "c1.reg1", "reg1")
"""Cluster ids that are said: those of watched clusters, of one that is not, and two that can be in each other's way."""
NAMESPACES = ("n1", "n2")
SERVICES = ("web", "db", "Odd.Name")
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


def ports() -> st.SearchStrategy[Any]:
    """Draw the ports of a ServiceImport or an EndpointSlice, with odd ones among them."""
    name = st.sampled_from(["http", "HTTP", "pg", "", None, "not a label", "p" * 63])
    number = st.sampled_from([80, 80, 443, 1, 65535, 0, 70000, None, "http"])
    protocol = st.sampled_from(["TCP", "TCP", "udp", None, "HTTP"])
    port = st.fixed_dictionaries({"name": name, "port": number, "protocol": protocol})
    return st.none() | st.lists(port, max_size=3)


def endpoints() -> st.SearchStrategy[Any]:
    """Draw the endpoints of an EndpointSlice, with odd ones among them."""
    addresses = ["10.0.0.1", "10.0.0.2", "10.0.0.3", "2001:db8::", "2001:DB8::1", "::1", "10.0.0.256", "text", None]
    hostname = st.sampled_from([None, None, "h1", "H1", "c1", "a", "10-0-0-1", "no_label", "", "h" * 63])
    ready = st.sampled_from([None, {}, {"ready": True}, {"ready": False}, {"ready": None}])
    endpoint = st.fixed_dictionaries(
        {"addresses": st.lists(st.sampled_from(addresses), max_size=3), "hostname": hostname, "conditions": ready}
    )
    return st.none() | st.lists(endpoint | st.just(5), max_size=4)


def service_imports() -> st.SearchStrategy[Any]:
    """Draw the content of a ServiceImport."""
    ips = st.sampled_from(["10.42.0.1", "10.42.0.2", "2001:db8::42", "pending", "10.42.0.1", None])
    service_type = st.sampled_from(["ClusterSetIP", "Headless", "Headless", "Headless", None, "ExternalName"])
    spec = st.fixed_dictionaries({"type": service_type, "ips": st.lists(ips, max_size=3), "ports": ports()})
    clusters = st.lists(st.sampled_from(IDS).map(lambda name: {"cluster": name}), max_size=3)
    return st.fixed_dictionaries({"spec": spec, "status": st.fixed_dictionaries({"clusters": clusters})})


def service_exports() -> st.SearchStrategy[Any]:
    """Draw the content of a ServiceExport."""
    condition = st.fixed_dictionaries(
        {"type": st.sampled_from(["Valid", "Conflict"]), "status": st.sampled_from(["True", "False"])}
    )
    return st.fixed_dictionaries({"status": st.fixed_dictionaries({"conditions": st.lists(condition, max_size=2)})})


def endpoint_slices() -> st.SearchStrategy[Any]:
    """Draw the content of an EndpointSlice, but for its labels."""
    family = st.sampled_from(["IPv4", "IPv4", "IPv4", "IPv6", "FQDN", None])
    return st.fixed_dictionaries({"addressType": family, "endpoints": endpoints(), "ports": ports()})


def labels() -> st.SearchStrategy[dict[str, Any]]:
    """Draw the labels of an EndpointSlice: imported, native, both, or of no service."""
    service = st.sampled_from(SERVICES)
    return st.fixed_dictionaries(
        {},
        optional={
            "multicluster.kubernetes.io/service-name": service,
            "multicluster.kubernetes.io/source-cluster": st.sampled_from([*IDS, *IDS, "Not.An.Id", ""]),
            "kubernetes.io/service-name": service,
        },
    )


@st.composite
def objects(draw: st.DrawFn, resource: Resource) -> Object:
    """Draw an object of a resource, good or odd. It always has a name."""
    metadata: dict[str, Any] = {"namespace": draw(st.sampled_from(NAMESPACES)), "name": draw(st.sampled_from(SERVICES))}
    match resource:
        case Resource.SERVICE_IMPORTS:
            content = draw(service_imports())
        case Resource.SERVICE_EXPORTS:
            content = draw(service_exports())
        case Resource.ENDPOINT_SLICES:
            metadata |= {"name": draw(st.sampled_from(["s1", "s2", "s3", "s4"])), "labels": draw(labels())}
            content = draw(endpoint_slices())
        case Resource.CLUSTER_PROPERTIES:
            metadata = {"name": draw(st.sampled_from(["cluster.clusterset.k8s.io"] * 3 + ["clusterset.k8s.io"]))}
            content = {"spec": {"value": draw(st.sampled_from([*IDS, "Not.An.Id"]))}}
    metadata["resourceVersion"] = str(draw(st.integers(1, 3)))
    made: Object | None = convert(_KINDS[resource], {"metadata": metadata} | content)
    assert made is not None
    return made


@st.composite
def lists(draw: st.DrawFn, cluster: str, resource: Resource) -> list[Event]:
    """Draw a list of a resource, perhaps after one that broke off."""
    found = draw(st.lists(objects(resource), max_size=5))
    events: list[Event] = []
    if draw(st.integers(0, 7)) == 0:
        events = [Init(cluster, resource), *(InitApply(cluster, resource, obj) for obj in found[:2])]
        found = draw(st.lists(objects(resource), max_size=3))
    applies = [InitApply(cluster, resource, obj) for obj in found]
    whole = draw(st.integers(0, 7)) != 0
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
    missing = draw(st.integers(0, 3)) == 0
    listed = first[:-1] if missing else first
    history = [draw(lists(*pair)) for pair in listed]
    kinds = st.sampled_from([*Resource, Resource.ENDPOINT_SLICES, Resource.SERVICE_IMPORTS])
    for _ in range(draw(st.integers(0, steps))):
        pair = (draw(st.sampled_from(CLUSTERS)), draw(kinds))
        if pair in listed:
            relist = draw(st.integers(0, 3)) == 0
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
