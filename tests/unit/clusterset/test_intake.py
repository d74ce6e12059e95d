"""From Kubernetes objects to the model."""

from __future__ import annotations

from typing import Any

import pytest

from mcsdns.clusterset.intake import changed_at, intake
from mcsdns.clusterset.model import (
    Endpoint,
    Export,
    Import,
    Port,
    Property,
    Reason,
    Rejected,
    ServiceKey,
    ServiceType,
    Slice,
)
from mcsdns.source.objects import (
    ClusterProperty,
    EndpointSlice,
    Malformed,
    Metadata,
    ServiceExport,
    ServiceImport,
    convert,
)

IMPORTED = {
    "multicluster.kubernetes.io/service-name": "db",
    "multicluster.kubernetes.io/source-cluster": "a",
    "kubernetes.io/service-name": "derived-x",
}


def take(kind: Any, content: dict[str, Any], **metadata: Any) -> Any:
    made = convert(kind, {"metadata": {"name": "db", "namespace": "test"} | metadata} | content)
    assert made is not None
    return intake(made)


def take_slice(labels: dict[str, str], *endpoints: dict[str, Any], family: str = "IPv4", ports: Any = None) -> Any:
    content = {"addressType": family, "endpoints": list(endpoints), "ports": ports}
    return take(EndpointSlice, content, name="s", labels=labels)


def reasons(value: Any) -> list[Reason]:
    return [reason for reason, _ in value.omissions]


def test_an_import() -> None:
    """What a ServiceImport says: packed addresses, IPv4 first; ports in lower case; clusters sorted."""
    value = take(
        ServiceImport,
        {
            "spec": {
                "type": "ClusterSetIP",
                "ips": ["2001:db8::1", "10.0.0.2", "::", "10.0.0.9", "10.0.0.1"],
                "ports": [{"name": "Pg", "port": 5432}, {"port": 80, "protocol": "udp"}],
            },
            "status": {"clusters": [{"cluster": "b"}, {"cluster": "a"}]},
        },
    )
    assert value == Import(
        ServiceKey("test", "db"),
        ServiceType.CLUSTERSET_IP,
        (
            bytes((10, 0, 0, 1)),
            bytes((10, 0, 0, 2)),
            bytes((10, 0, 0, 9)),
            bytes(16),
            bytes.fromhex("20010db8000000000000000000000001"),
        ),
        (Port("", "udp", 80), Port("pg", "tcp", 5432)),
        ("a", "b"),
        (),
    )


def test_equal_facts_make_equal_values() -> None:
    """Order, spelling and repetition do not count, nor does the resource version."""
    one = {"spec": {"type": "Headless", "ips": ["2001:db8::1", "10.0.0.1"], "ports": [{"port": 1}, {"port": 2}]}}
    two = {
        "spec": {
            "type": "Headless",
            "ips": ["10.0.0.1", "2001:DB8:0::1"],
            "ports": [{"port": 2}, {"port": 1}, {"port": 2}],
        }
    }
    assert take(ServiceImport, one, resourceVersion="1") == take(ServiceImport, two, resourceVersion="2")


@pytest.mark.parametrize("name", ["Db", "a.b", "-a", "a-", "_a", "", "a" * 64, "ä"])
@pytest.mark.parametrize("kind", [ServiceImport, ServiceExport])
def test_a_name_that_is_no_label_is_rejected(kind: Any, name: str) -> None:
    """A ServiceImport or ServiceExport whose name is not one RFC 1123 label is rejected, under that name."""
    value = take(kind, {"spec": {"type": "Headless"}}, name=name)
    assert isinstance(value, Rejected)
    assert (value.reason, value.key) == (Reason.BAD_NAME, ServiceKey("test", name))


def test_a_namespace_that_is_no_label_is_rejected() -> None:
    """The namespace is a label, too."""
    value = take(ServiceImport, {"spec": {"type": "Headless"}}, namespace="a.b")
    assert isinstance(value, Rejected)
    assert value.reason is Reason.BAD_NAME


@pytest.mark.parametrize(
    "spec", [None, {}, {"type": None}, {"type": ""}, {"type": "ExternalName"}, {"type": "headless"}]
)
def test_a_type_that_is_none_is_rejected(spec: Any) -> None:
    """`spec.type` is ClusterSetIP or Headless, in this spelling."""
    value = take(ServiceImport, {"spec": spec})
    assert isinstance(value, Rejected)
    assert value.reason is Reason.BAD_TYPE


@pytest.mark.parametrize(
    ("conditions", "valid", "conflict"),
    [
        (None, True, ""),
        ([], True, ""),
        ([{"type": "Valid", "status": "True"}], True, ""),
        ([{"type": "Valid", "status": "False"}], False, ""),
        ([{"type": "Valid", "status": "Unknown"}], True, ""),
        ([{"type": "Conflict", "status": "False", "message": "x"}], True, ""),
        ([{"type": "Conflict", "status": "True", "message": "ports differ", "reason": "R"}], True, "ports differ"),
        ([{"type": "Conflict", "status": "True", "reason": "R"}], True, "R"),
        ([{"type": "Conflict", "status": "True"}], True, "no message"),
        ([{"type": "Conflict", "status": "True", "message": "x" * 1000}], True, "x" * 256),
    ],
)
def test_an_export(conditions: Any, valid: bool, conflict: str) -> None:
    """An export counts unless its Valid condition is False; a Conflict that is true is kept as its message."""
    value = take(ServiceExport, {"status": {"conditions": conditions}})
    assert value == Export(ServiceKey("test", "db"), valid, conflict)


def test_an_imported_slice() -> None:
    """A slice with the multicluster label is of that service and speaks for its source cluster."""
    value = take_slice(IMPORTED, {"addresses": ["10.0.0.1"], "hostname": "DB-0"}, {"addresses": ["10.0.0.2"]})
    assert isinstance(value, Slice)
    assert (value.key, value.is_imported, value.source_cluster) == (ServiceKey("test", "db"), True, "a")
    assert value.endpoints == (
        Endpoint(bytes((10, 0, 0, 1)), "db-0"),
        Endpoint(bytes((10, 0, 0, 2)), "10-0-0-2"),
    )
    assert value.omissions == ()


def test_slices_of_one_service_share_its_key() -> None:
    """A key is what the garbage collector must look at, and there may be many slices: one for each service, not for each slice."""
    first, second = take_slice(IMPORTED), take_slice(IMPORTED | {"multicluster.kubernetes.io/source-cluster": "b"})
    assert first.key is second.key


def test_a_native_slice() -> None:
    """A slice with the Kubernetes label alone speaks for the cluster that holds it."""
    value = take_slice({"kubernetes.io/service-name": "db", "multicluster.kubernetes.io/source-cluster": "z"})
    assert isinstance(value, Slice)
    assert (value.is_imported, value.source_cluster, value.omissions) == (False, None, ())


@pytest.mark.parametrize("labels", [{}, {"app": "x"}, {"multicluster.kubernetes.io/source-cluster": "a"}])
def test_a_slice_of_no_service_does_not_concern_the_zone(labels: dict[str, str]) -> None:
    """A slice without either service label is not even worth a word."""
    assert take_slice(labels) is None


@pytest.mark.parametrize(
    "labels", [{"multicluster.kubernetes.io/service-name": ""}, {"kubernetes.io/service-name": "A.b"}]
)
def test_a_slice_of_a_service_that_cannot_be_is_rejected(labels: dict[str, str]) -> None:
    """A service label that is no label is rejected."""
    value = take_slice(labels)
    assert isinstance(value, Rejected)
    assert value.reason is Reason.BAD_NAME


@pytest.mark.parametrize("family", ["FQDN", "", "ipv4", "IPv5"])
def test_a_family_that_has_no_addresses_is_rejected(family: str) -> None:
    """Only IPv4 and IPv6 have address records."""
    value = take_slice(IMPORTED, {"addresses": ["10.0.0.1"]}, family=family)
    assert isinstance(value, Rejected)
    assert (value.reason, value.key) == (Reason.BAD_TYPE, ServiceKey("test", "db"))


@pytest.mark.parametrize(
    ("label", "source", "omitted"),
    [
        ("a", "a", []),
        ("a.b", "a.b", []),
        (None, None, [Reason.NO_SOURCE_CLUSTER]),
        ("", None, [Reason.BAD_CLUSTER_ID]),
        ("a.b.c", None, [Reason.BAD_CLUSTER_ID]),
        ("A", None, [Reason.BAD_CLUSTER_ID]),
        ("a.", None, [Reason.BAD_CLUSTER_ID]),
        ("a_b", None, [Reason.BAD_CLUSTER_ID]),
    ],
)
def test_the_source_cluster(label: str | None, source: str | None, omitted: list[Reason]) -> None:
    """A cluster id is one RFC 1123 label, or two with a dot; another one counts as none, and is named."""
    labels = {"multicluster.kubernetes.io/service-name": "db"}
    value = take_slice(labels | ({"multicluster.kubernetes.io/source-cluster": label} if label is not None else {}))
    assert (value.source_cluster, reasons(value)) == (source, omitted)


@pytest.mark.parametrize(
    ("conditions", "is_ready"),
    [(None, True), ({}, True), ({"ready": None}, True), ({"ready": True}, True), ({"ready": False}, False)],
)
def test_absent_means_ready(conditions: Any, is_ready: bool) -> None:
    """Only `ready: false` means not ready."""
    value = take_slice(IMPORTED, {"addresses": ["10.0.0.1"], "hostname": "db-0", "conditions": conditions})
    assert bool(value.endpoints) is is_ready
    assert reasons(value) == ([] if is_ready else [Reason.NOT_READY])


@pytest.mark.parametrize("hostname", [None, ""])
def test_no_hostname(hostname: str | None) -> None:
    """An absent or empty hostname means that the address serves as one."""
    value = take_slice(IMPORTED, {"addresses": ["10.0.0.1"], "hostname": hostname})
    assert value.endpoints[0].host == "10-0-0-1"


def test_a_hostname_that_is_no_label_leaves_the_address() -> None:
    """The address of a bad hostname counts, without a host label."""
    value = take_slice(IMPORTED, {"addresses": ["10.0.0.1"], "hostname": "a.b"})
    assert value.endpoints == (Endpoint(bytes((10, 0, 0, 1)), ""),)
    assert reasons(value) == [Reason.BAD_HOSTNAME]


@pytest.mark.parametrize(
    ("port", "made"),
    [
        ({"port": 80}, Port("", "tcp", 80)),
        ({"port": 80, "name": "", "protocol": ""}, Port("", "tcp", 80)),
        ({"port": 80, "name": "Http", "protocol": "Sctp"}, Port("http", "sctp", 80)),
        ({"port": 1}, Port("", "tcp", 1)),
        ({"port": 65535}, Port("", "tcp", 65535)),
        ({"name": "all"}, None),
        ({"port": 0}, Reason.BAD_PORT),
        ({"port": 65536}, Reason.BAD_PORT),
        ({"port": -80}, Reason.BAD_PORT),
        ({"port": 80, "protocol": "HTTP"}, Reason.BAD_PORT),
    ],
)
def test_ports(port: dict[str, Any], made: Port | Reason | None) -> None:
    """A port is 1-65535 with TCP, UDP or SCTP, absent meaning TCP; without a number it is skipped silently."""
    value = take_slice(IMPORTED, ports=[port])
    assert value.ports == ((made,) if isinstance(made, Port) else ())
    assert reasons(value) == ([made] if isinstance(made, Reason) else [])


def test_a_property() -> None:
    """The ClusterProperty `cluster.clusterset.k8s.io` holds the cluster id; others do not concern the zone."""
    name = "cluster.clusterset.k8s.io"
    assert take(ClusterProperty, {"spec": {"value": "c1.reg1"}}, name=name, namespace="") == Property("c1.reg1")
    bad = take(ClusterProperty, {"spec": {"value": "Not an id"}}, name=name, namespace="")
    assert isinstance(bad, Rejected)
    assert (bad.key, bad.reason) == (None, Reason.BAD_CLUSTER_ID)
    assert take(ClusterProperty, {"spec": {"value": "x"}}, name="clusterset.k8s.io") is None


def test_a_malformed_slice_is_about_its_service() -> None:
    """A malformed object is rejected, with the service that its labels name."""
    value = take(EndpointSlice, {"addressType": 4}, labels=IMPORTED)
    assert isinstance(value, Rejected)
    assert (value.key, value.reason) == (ServiceKey("test", "db"), Reason.MALFORMED)
    assert intake(Malformed(Metadata("x"), "why")) == Rejected(None, Reason.MALFORMED, "why")


@pytest.mark.parametrize(
    ("text", "at"),
    [
        ("1970-01-01T00:00:10Z", 10.0),
        ("1970-01-01T01:00:10.5+01:00", 10.5),
        ("1970-01-01T00:00:10.123456789Z", 10.123456),
        ("", None),
        ("yesterday", None),
        ("0001-01-01T00:00:00", None),
        ("9999-12-31T23:59:59.999999999Z", pytest.approx(253402300799.999999)),
    ],
)
def test_when_it_changed(text: str, at: float | None) -> None:
    """The trigger time is RFC 3339; what is none is None."""
    annotations = {"endpoints.kubernetes.io/last-change-trigger-time": text}
    made = convert(EndpointSlice, {"metadata": {"name": "s", "annotations": annotations}, "addressType": "IPv4"})
    assert made is not None
    assert changed_at(made) == at


def test_no_annotation_no_time() -> None:
    """Without the annotation there is no time."""
    assert changed_at(Malformed(Metadata("x"), "")) is None
