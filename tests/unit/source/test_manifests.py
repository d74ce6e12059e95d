"""What a manifest file holds."""

from __future__ import annotations

import contextlib
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mcsdns.source.events import Resource
from mcsdns.source.manifests import read
from mcsdns.source.objects import EndpointSlice, Malformed, ServiceImport
from tests.manifests import cluster_property, imported_slice, service_export, service_import, together

IMPORT = """
apiVersion: multicluster.x-k8s.io/v1beta1
kind: ServiceImport
metadata: {name: web, namespace: test}
spec: {type: ClusterSetIP, ips: [10.0.0.1]}
"""


def names(text: str) -> list[str]:
    return [obj.metadata.name for _, obj in read(text.encode(), is_json=False).objects]


def test_every_watched_kind_in_the_order_of_the_file() -> None:
    """Several documents in a file are read in their order, each of its resource."""
    text = together(service_import("a"), service_export("b"), imported_slice("c", "x"), cluster_property("d"))
    assert [resource for resource, _ in read(text.encode(), is_json=False).objects] == [
        Resource.SERVICE_IMPORTS,
        Resource.SERVICE_EXPORTS,
        Resource.ENDPOINT_SLICES,
        Resource.CLUSTER_PROPERTIES,
    ]


@pytest.mark.parametrize("text", ["", "---", "---\n---\n", "# nothing\n", "null", "--- # a\n...\n"])
def test_an_empty_file_holds_nothing(text: str) -> None:
    """Empty documents are no objects and no problems."""
    content = read(text.encode(), is_json=False)
    assert (content.objects, content.problems) == ((), ())


@pytest.mark.parametrize("version", ["v1alpha1", "v1beta1", "v1"])
def test_every_version_of_a_group(version: str) -> None:
    """The schemas of the versions are the same: the version does not matter."""
    assert names(IMPORT.replace("v1beta1", version)) == ["web"]


def test_kinds_that_are_not_watched_are_passed_over() -> None:
    """A folder may hold Services and Namespaces as well: not a word about them."""
    text = "apiVersion: v1\nkind: Service\nmetadata: {name: web}\n---\n" + IMPORT
    content = read(text.encode(), is_json=False)
    assert len(content.objects) == 1
    assert content.problems == ()


@pytest.mark.parametrize("group", ["multicluster.k8s.io", "net.gke.io", "v1"])
def test_a_watched_kind_of_another_group_is_told(group: str) -> None:
    """Some documents print `multicluster.k8s.io`: such an object is passed over, and the right group named."""
    content = read(IMPORT.replace("multicluster.x-k8s.io", group).encode(), is_json=False)
    assert content.objects == ()
    (problem,) = content.problems
    assert "multicluster.x-k8s.io" in problem


@pytest.mark.parametrize(
    "text",
    [
        "apiVersion: v1\nkind: List\nitems: [{}, {}]",
        "apiVersion: multicluster.x-k8s.io/v1beta1\nkind: ServiceImportList\nitems: [{}, {}]",
    ],
)
def test_lists_are_read_as_kubectl_writes_them(text: str) -> None:
    """A `List` and a `ServiceImportList` hold objects; the items of the latter need not say their kind."""
    bare = "{metadata: {name: NAME, namespace: test}, spec: {type: Headless}"
    typed = bare + ", apiVersion: multicluster.x-k8s.io/v1beta1, kind: ServiceImport"
    item = (typed if "kind: List" in text else bare) + "}"
    text = text.replace("{}", item.replace("NAME", "one"), 1).replace("{}", item.replace("NAME", "two"), 1)
    assert names(text) == ["one", "two"]


def test_json_is_one_document() -> None:
    """A JSON file holds one document, which may be a list."""
    item = json.loads(service_import("web"))
    raw = json.dumps({"kind": "List", "apiVersion": "v1", "items": [item]}).encode()
    assert [obj.metadata.name for _, obj in read(raw, is_json=True).objects] == ["web"]


@pytest.mark.parametrize("metadata", ["{name: web}", "{name: web, namespace: null}", "{name: web, namespace: ''}"])
def test_no_namespace_is_the_default_namespace(metadata: str) -> None:
    """As kubectl does: an object that names no namespace belongs to `default`."""
    ((_, obj),) = read(IMPORT.replace("{name: web, namespace: test}", metadata).encode(), is_json=False).objects
    assert isinstance(obj, ServiceImport)
    assert obj.metadata.namespace == "default"


def test_a_cluster_property_has_no_namespace() -> None:
    """ClusterProperty is cluster-scoped."""
    ((_, obj),) = read(cluster_property("a").encode(), is_json=False).objects
    assert obj.metadata.namespace == ""


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("5", "int"),
        ("[1, 2]", "list"),
        ("{}", "kind"),
        ("{kind: ServiceImport}", "apiVersion"),
        ("{kind: 5, apiVersion: v1}", "kind"),
        ("{kind: ServiceImport, apiVersion: multicluster.x-k8s.io/v1beta1}", "name"),
        ("{kind: ServiceImport, apiVersion: multicluster.x-k8s.io/v1beta1, metadata: 5}", "name"),
    ],
)
def test_what_is_no_object_is_told_and_costs_itself_alone(text: str, word: str) -> None:
    """One object that cannot be read costs that object alone, and is told."""
    content = read(together(text, IMPORT).encode(), is_json=False)
    assert [obj.metadata.name for _, obj in content.objects] == ["web"]
    (problem,) = content.problems
    assert word in problem


def test_a_malformed_object_is_there_under_its_name() -> None:
    """An object with a name that cannot be read exists: it is handed on as malformed."""
    ((resource, obj),) = read(
        IMPORT.replace("spec: {", "spec: [{").replace("]}", "]}]").encode(), is_json=False
    ).objects
    assert resource is Resource.SERVICE_IMPORTS
    assert isinstance(obj, Malformed)
    assert obj.metadata.name == "web"


@pytest.mark.parametrize(
    "raw",
    [
        b"{",
        b"a: [",
        b"a: b: c",
        b"\xff\xfe\xff",
        b"\x00",
        b"--- !!python/object/apply:os.system ['true']",
        b"a: *unknown",
        b"a: 0b_",
        b"[" * 5000,
        IMPORT.encode() + b"---\na: [",
    ],
)
@pytest.mark.parametrize("is_json", [False, True])
def test_what_does_not_parse_is_read_not_at_all(raw: bytes, is_json: bool) -> None:
    """A file is read whole or not at all: ValueError, and nothing else, whatever it holds."""
    with pytest.raises(ValueError, match=r"not valid (YAML|JSON): .") as caught:
        read(raw, is_json)
    assert "\n" not in str(caught.value)


def test_where_it_does_not_parse_is_told() -> None:
    """The message says where."""
    with pytest.raises(ValueError, match="line 3"):
        read(b"a: 1\nb: 2\nc: ]\n", is_json=False)


def test_text_that_looks_like_something_else_stays_text() -> None:
    """A time, or an IPv6 address that looks like a number to base 60, is text, as it is for kubectl."""
    text = """
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata:
  name: s
  annotations: {endpoints.kubernetes.io/last-change-trigger-time: 2026-01-01T00:00:00Z}
addressType: IPv6
endpoints: [{addresses: [2001:20:30:40:50:51:52:53]}]
ports: [{port: 0x50}]
"""
    ((_, obj),) = read(text.encode(), is_json=False).objects
    assert isinstance(obj, EndpointSlice)
    assert obj.metadata.annotations is not None
    assert obj.metadata.annotations.last_change == "2026-01-01T00:00:00Z"
    assert obj.endpoints is not None
    assert obj.endpoints[0].addresses == ("2001:20:30:40:50:51:52:53",)
    assert obj.ports is not None
    assert obj.ports[0].port == 80


@given(st.binary(max_size=60) | st.text("{}[]:,-&*!|> \n\"'ab0#%@`?\t", max_size=60).map(str.encode), st.booleans())
def test_read_is_total(raw: bytes, is_json: bool) -> None:
    """Whatever a file holds, it is read or ValueError is raised."""
    with contextlib.suppress(ValueError):
        read(raw, is_json)
