"""Kubernetes objects as narrow structs."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mcsdns.source.objects import (
    ClusterProperty,
    Decoder,
    EndpointSlice,
    Malformed,
    ServiceExport,
    ServiceImport,
    convert,
)

SLICE: dict[str, Any] = {
    "metadata": {
        "name": "s",
        "namespace": "test",
        "resourceVersion": "7",
        "labels": {"multicluster.kubernetes.io/service-name": "db", "unknown": "x"},
    },
    "addressType": "IPv4",
    "endpoints": [{"addresses": ["10.0.0.1"], "conditions": {"ready": True}}],
    "ports": [{"name": "pg", "port": 5432}],
}
KINDS = [ServiceImport, ServiceExport, EndpointSlice, ClusterProperty]
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
FIELDS = [
    "metadata",
    "spec",
    "status",
    "endpoints",
    "ports",
    "addressType",
    "name",
    "namespace",
    "labels",
    "clusters",
    "ips",
]
HOSTILE = st.recursive(JSON, lambda inner: st.dictionaries(st.sampled_from(FIELDS), inner, max_size=5), max_leaves=10)
DEEP = b'{"metadata": {"name": "a"}, "x": ' + b"[" * 5000 + b"]" * 5000 + b"}"
ODD = b'{"metadata": {"name": 5}, "x": "\xff"}'


def changed(**fields: Any) -> dict[str, Any]:
    return SLICE | fields


def test_only_what_is_used_is_kept() -> None:
    """Fields that are not used are passed over without a word."""
    made = convert(EndpointSlice, changed(apiVersion="discovery.k8s.io/v1", unknown={"a": [1]}))
    assert isinstance(made, EndpointSlice)
    assert made.metadata.resource_version == "7"
    assert made.metadata.labels is not None
    assert made.metadata.labels.imported_service == "db"
    assert made.problems == ()


@pytest.mark.parametrize("absent", [{}, {"endpoints": None, "ports": None}, {"endpoints": [], "ports": []}])
def test_what_the_api_may_leave_out_has_a_default(absent: dict[str, Any]) -> None:
    """What the API may leave out or send as null is no problem."""
    made = convert(EndpointSlice, {"metadata": {"name": "s"}, "addressType": "IPv4"} | absent)
    assert isinstance(made, EndpointSlice)
    assert not made.endpoints
    assert made.problems == ()


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    "content", [None, 5, [], {}, {"metadata": None}, {"metadata": []}, {"metadata": {}}, {"metadata": {"name": 5}}]
)
def test_without_a_name_there_is_nothing(kind: Any, content: Any) -> None:
    """What has not even a name is None."""
    assert convert(kind, content) is None


@pytest.mark.parametrize(
    ("endpoints", "kept", "problems"),
    [
        ([5, {"addresses": ["10.0.0.1"]}], [["10.0.0.1"]], ["endpoints[0]"]),
        ([{"addresses": ["10.0.0.1", None, "10.0.0.2"]}], [["10.0.0.1", "10.0.0.2"]], ["endpoints[0].addresses[1]"]),
        ([{"addresses": "10.0.0.1"}, {"addresses": ["10.0.0.2"]}], [["10.0.0.2"]], ["endpoints[0]"]),
        ([{"addresses": ["10.0.0.1"], "hostname": 1}], [], ["endpoints[0]"]),
        ([{"addresses": ["10.0.0.1"], "conditions": {"ready": "yes"}}], [], ["endpoints[0]"]),
    ],
)
def test_a_bad_entry_is_left_out_and_told(endpoints: list[Any], kept: list[list[str]], problems: list[str]) -> None:
    """A bad entry of a list is left out alone, and `problems` says where it stood."""
    made = convert(EndpointSlice, changed(endpoints=endpoints))
    assert isinstance(made, EndpointSlice)
    assert [[*(endpoint.addresses or ())] for endpoint in made.endpoints or ()] == kept
    assert [problem.partition(":")[0] for problem in made.problems] == problems
    assert made.ports is not None


@pytest.mark.parametrize(
    ("kind", "content", "place"),
    [
        (ServiceImport, {"spec": {"type": "ClusterSetIP", "ips": ["10.0.0.1", 5]}}, "spec.ips[1]"),
        (ServiceImport, {"spec": {"ports": [{"port": "http"}, {"port": 80}]}}, "spec.ports[0]"),
        (ServiceImport, {"status": {"clusters": [{}, {"cluster": "a"}]}}, "status.clusters[0]"),
        (ServiceExport, {"status": {"conditions": [None]}}, "status.conditions[0]"),
        (EndpointSlice, {"addressType": "IPv4", "ports": [{"name": 80}]}, "ports[0]"),
    ],
)
def test_lists_of_every_kind(kind: Any, content: dict[str, Any], place: str) -> None:
    """Every list of every kind gives up its bad entries one by one."""
    made = convert(kind, {"metadata": {"name": "x"}} | content)
    assert isinstance(made, kind)
    assert [problem.partition(":")[0] for problem in made.problems] == [place]


@pytest.mark.parametrize(
    ("kind", "content"),
    [
        (EndpointSlice, {"endpoints": {}}),
        (EndpointSlice, {"addressType": 4}),
        (ServiceImport, {"spec": []}),
        (ServiceImport, {"spec": {"type": 1}}),
        (ClusterProperty, {}),
        (ClusterProperty, {"spec": {"value": None}}),
    ],
)
def test_what_is_wrong_outside_the_lists_is_malformed(kind: Any, content: dict[str, Any]) -> None:
    """An object of which something outside its lists is wrong exists under its name, and cannot be read."""
    metadata = {"name": "x", "namespace": "n", "resourceVersion": "1", "labels": {"kubernetes.io/service-name": "db"}}
    made = convert(kind, {"metadata": metadata} | content)
    assert isinstance(made, Malformed)
    assert (made.metadata.namespace, made.metadata.name, made.metadata.resource_version) == ("n", "x", "1")
    assert made.metadata.labels is not None
    assert made.metadata.labels.native_service == "db"
    assert made.problem


def test_bad_metadata_keeps_what_can_be_read() -> None:
    """Of metadata that is wrong in part the name, the namespace and the readable labels stay."""
    labels = {"multicluster.kubernetes.io/service-name": "db", "multicluster.kubernetes.io/source-cluster": 5}
    made = convert(EndpointSlice, changed(metadata={"name": "s", "namespace": 5, "labels": labels}))
    assert isinstance(made, Malformed)
    assert made.metadata.namespace == ""
    assert made.metadata.labels is not None
    assert (made.metadata.labels.imported_service, made.metadata.labels.source_cluster) == ("db", None)


def test_a_manifest_cannot_fake_problems() -> None:
    """Problems are ours to tell: what a manifest holds under that name is not taken."""
    made = convert(EndpointSlice, changed(problems=["x"]))
    assert isinstance(made, EndpointSlice)
    assert made.problems == ()


def test_decoding_is_converting() -> None:
    """A decoder makes of JSON what `convert` makes of its values, good or bad."""
    decoder = Decoder(EndpointSlice)
    contents: list[dict[str, Any]] = [SLICE, changed(endpoints=[5]), changed(endpoints={}), {"metadata": {}}]
    for content in contents:
        assert decoder.decode(json.dumps(content).encode()) == convert(EndpointSlice, content)


@pytest.mark.parametrize("raw", [b"", b"{", b"\xff", b'{"metadata": {"name": "a\xff"}}', b"nan", DEEP, ODD])
def test_what_is_not_json_is_the_streams_fault(raw: bytes) -> None:
    """`decode` raises DecodeError for what is not JSON, and that alone."""
    with pytest.raises(msgspec.DecodeError):
        Decoder(EndpointSlice).decode(raw)


@given(kind=st.sampled_from(KINDS), content=HOSTILE)
def test_convert_is_total(kind: Any, content: Any) -> None:
    """Whatever the values, the result is an object, `Malformed` or None; nothing is raised."""
    made = convert(kind, content)
    assert made is None or isinstance(made, kind | Malformed)
    assert (made is None) or made.metadata.name == content["metadata"]["name"]
