"""Bad input: what is wrong is left out, each alone. Never a CNAME, never a wrapped number, and never silence."""

from __future__ import annotations

import pytest

from mcsdns.clusterset.model import Reason
from tests.clustersets import clusterset, zone_of
from tests.manifests import imported_slice, service_import, together
from tests.spec.cases import ANY_TYPES, NODATA, NOERROR, NXDOMAIN, Case, check

NOT_ADDRESSES = [
    "pending",
    "lb.example.com",
    "",
    " ",
    "10.42.0.256",
    "10.42.0",
    "10.42.0.1.1",
    "010.042.000.001",
    "10.42.0.1 ",
    "10.42.0.1/32",
    "0x0a2a0001",
    "170524673",
    "fe80::1%eth0",
    "[2001:db8::1]",
    "2001:db8::1::2",
    "2001:db8::12345",
    "2001:db8:::1",
    "\N{ARABIC-INDIC DIGIT ONE}0.42.0.1",
]
SLICE = """
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata:
  name: odd
  namespace: test
  labels: {{multicluster.kubernetes.io/service-name: db, multicluster.kubernetes.io/source-cluster: a}}
addressType: IPv4
{0}
"""
HEADLESS = service_import("db", headless=True)


def reasons(text: str) -> list[Reason]:
    (records,) = zone_of(clusterset({"a": text})).services.values()
    return sorted(omission.reason for omission in records.omissions)


@pytest.mark.parametrize("text", NOT_ADDRESSES)
def test_text_in_ips_is_left_out(text: str) -> None:
    """`spec.ips` is not validated by the API: what is not one plain address is left out alone, and never becomes a CNAME."""
    one = service_import("web", ips=[text, "10.42.0.7"], ports=["http 80/TCP"])
    zone = zone_of(clusterset({"a": one}))
    check(Case("web.test", "A", NOERROR, "10.42.0.7"), zone)
    check(Case("web.test", "CNAME AAAA", NODATA), zone)
    check(Case("web.test", "SRV", NOERROR, "80 web.test"), zone)
    assert reasons(one) == [Reason.BAD_ADDRESS]


def test_only_text_in_ips_is_nodata() -> None:
    """`ips` all invalid: the name is NODATA for every type, and has no SRV names."""
    text = service_import("web", ips=["pending", "lb.example.com"], ports=["http 80/TCP"])
    zone = zone_of(clusterset({"a": text}))
    check(Case("web.test", ANY_TYPES, NODATA), zone)
    check(Case("_http._tcp.web.test", "SRV", NXDOMAIN), zone)
    assert reasons(text) == [Reason.BAD_ADDRESS, Reason.BAD_ADDRESS, Reason.NO_ADDRESS]


@pytest.mark.parametrize("number", [0, -1, 65536, 70000, 2**31, 2**64])
def test_a_port_out_of_range_is_left_out(number: int) -> None:
    """Ports outside 1-65535 are left out alone: 70000 is not 4464."""
    ports = [f"odd {number}/TCP", "http 80/TCP", "top 65535/TCP", "low 1/UDP"]
    clusterset_ip = service_import("web", ips=["10.42.0.7"], ports=ports)
    zone = zone_of(
        clusterset({"a": together(clusterset_ip, HEADLESS, imported_slice("db", "a", "h=10.0.0.1", ports=ports))})
    )
    check(Case("web.test", "SRV", NOERROR, "80 web.test, 65535 web.test, 1 web.test"), zone)
    check(Case("_odd._tcp.web.test", "SRV", NXDOMAIN), zone)
    check(Case("db.test", "SRV", NOERROR, "80 h.a.db.test, 65535 h.a.db.test, 1 h.a.db.test"), zone)
    check(Case("_odd._tcp.db.test", "SRV", NXDOMAIN), zone)
    assert reasons(clusterset_ip) == [Reason.BAD_PORT]


@pytest.mark.parametrize("protocol", ["HTTP", "ICMP", "TCPx", "T", "tcp/udp", "_tcp"])
def test_an_unknown_protocol_is_left_out(protocol: str) -> None:
    """Protocols other than TCP, UDP, SCTP (any case) are left out alone, at the service's own name too."""
    text = service_import("web", ips=["10.42.0.7"], ports=["http 80/TCP", f"odd 81/{protocol}"])
    zone = zone_of(clusterset({"a": text}))
    check(Case("web.test", "SRV", NOERROR, "80 web.test"), zone)
    check(Case("_http._tcp.web.test", "SRV", NOERROR, "80 web.test"), zone)
    assert reasons(text) == [Reason.BAD_PORT]


@pytest.mark.parametrize("name", ["a.b", "_http", "http!", "-http", "http-", "hé", "a b", "*"])
def test_a_port_name_that_is_no_label_has_no_name(name: str) -> None:
    """A port whose name is no label has no `_port._proto` name; like an unnamed one it is in the service's own SRV set."""
    text = service_import("web", ips=["10.42.0.7"], ports=["http 80/TCP", f"{name} 81/TCP"])
    mirrors = clusterset({"a": text})
    zone = zone_of(mirrors)
    check(Case("web.test", "SRV", NOERROR, "80 web.test, 81 web.test"), zone)
    (records,) = zone_of(mirrors).services.values()
    assert len(records.nodes) == 3, "web, _tcp.web, _http._tcp.web"
    assert reasons(text) == [Reason.BAD_PORT]


@pytest.mark.parametrize("hostname", ["a.b", "_x", "-x", "x-", "x" * 64, "hé", "a b", "*", "db_0"])
def test_a_hostname_that_is_not_one_label_has_no_name(hostname: str) -> None:
    """A hostname that is not one RFC 1123 label: the address stays in the service's own A/AAAA, no host name, no SRV."""
    text = together(HEADLESS, imported_slice("db", "a", f"{hostname}=10.0.0.1", "ok=10.0.0.2", ports=["pg 5432/TCP"]))
    mirrors = clusterset({"a": text})
    zone = zone_of(mirrors)
    check(Case("db.test", "A", NOERROR, "10.0.0.1 10.0.0.2"), zone)
    check(Case("db.test", "SRV", NOERROR, "5432 ok.a.db.test"), zone)
    check(Case("10-0-0-1.a.db.test", "A", NXDOMAIN, note="its address is no substitute"), zone)
    (records,) = zone_of(mirrors).services.values()
    assert len(records.nodes) == 5, "db, a.db, ok.a.db, _tcp.db, _pg._tcp.db"
    assert reasons(text) == [Reason.BAD_HOSTNAME]


def test_an_upper_case_hostname_is_lowered() -> None:
    """A hostname is lower-cased: queries match case-insensitively."""
    text = together(HEADLESS, imported_slice("db", "a", "DB-0=10.0.0.1", "db-0=10.0.0.2"))
    zone = zone_of(clusterset({"a": text}))
    check(Case("db-0.a.db.test", "A", NOERROR, "10.0.0.1 10.0.0.2"), zone)
    check(Case("DB-0.A.db.test", "A", NOERROR, "10.0.0.1 10.0.0.2"), zone)


@pytest.mark.parametrize(
    ("family", "good", "bad"), [("IPv4", "10.0.0.1", "2001:db8::1"), ("IPv6", "2001:db8::1", "10.0.0.1")]
)
def test_an_address_of_the_other_family_is_left_out(family: str, good: str, bad: str) -> None:
    """Addresses that are not of the slice's own family are left out, each alone."""
    text = together(HEADLESS, imported_slice("db", "a", f"h={good}+{bad}", f"other={bad}", family=family))
    zone = zone_of(clusterset({"a": text}))
    has, has_not = ("A", "AAAA") if family == "IPv4" else ("AAAA", "A")
    check(Case("db.test", has, NOERROR, good), zone)
    check(Case("db.test", has_not, NODATA), zone)
    check(Case("h.a.db.test", has, NOERROR, good), zone)
    check(Case("other.a.db.test", "A", NXDOMAIN), zone)


@pytest.mark.parametrize("lists", ["endpoints: null\nports: null", "endpoints: []\nports: []", ""])
def test_null_and_empty_lists_are_no_endpoints(lists: str) -> None:
    """`endpoints` and `ports` may be null: a slice of nothing, which costs no one else."""
    text = together(HEADLESS, SLICE.format(lists), imported_slice("db", "b", "h=10.0.0.1", ports=["pg 5432/TCP"]))
    zone = zone_of(clusterset({"a": text}))
    check(Case("db.test", "A", NOERROR, "10.0.0.1"), zone)
    check(Case("db.test", "SRV", NOERROR, "5432 h.b.db.test"), zone)
    check(Case("a.db.test", "A", NXDOMAIN), zone)


def test_a_malformed_entry_costs_itself_alone() -> None:
    """A malformed entry of a list is left out alone, and named."""
    text = together(
        HEADLESS,
        SLICE.format(
            "endpoints: [5, {addresses: [10.0.0.1], hostname: ok}, {addresses: 10.0.0.2}, "
            "{addresses: [10.0.0.3], hostname: [x]}, null]\n"
            "ports: [{name: pg, port: 5432}, {name: odd, port: http}, 80]"
        ),
    )
    zone = zone_of(clusterset({"a": text}))
    check(Case("db.test", "A", NOERROR, "10.0.0.1"), zone)
    check(Case("db.test", "SRV", NOERROR, "5432 ok.a.db.test"), zone)
    assert set(reasons(text)) == {Reason.MALFORMED}


def test_a_malformed_address_does_not_cost_its_neighbours() -> None:
    """One wrong value in `addresses` is left out alone: the endpoint's other addresses count."""
    text = together(HEADLESS, SLICE.format("endpoints: [{addresses: [10.0.0.1, 5, null, 10.0.0.2], hostname: ok}]"))
    check(Case("ok.a.db.test", "A", NOERROR, "10.0.0.1 10.0.0.2"), zone_of(clusterset({"a": text})))


def test_a_malformed_object_costs_itself_alone() -> None:
    """An object that cannot be read is left out alone, and named with the service it is about."""
    broken = SLICE.format("endpoints: {not: a list}").replace("name: odd", "name: broken")
    text = together(HEADLESS, broken, imported_slice("db", "a", "h=10.0.0.1"))
    zone = zone_of(clusterset({"a": text}))
    check(Case("db.test", "A", NOERROR, "10.0.0.1"), zone)
    assert reasons(text) == [Reason.MALFORMED]


@pytest.mark.parametrize(
    "spec",
    ["{}", "null", "{type: ExternalName}", "{type: clustersetip}", "{type: ''}", "{type: null, ips: [10.0.0.1]}"],
)
def test_an_import_without_a_known_type_makes_no_name(spec: str) -> None:
    """`spec.type` is ClusterSetIP or Headless: an import of another type makes no name, and its neighbours stay."""
    odd = f"{{apiVersion: multicluster.x-k8s.io/v1beta1, kind: ServiceImport, metadata: {{name: odd, namespace: test}}, spec: {spec}}}"
    mirrors = clusterset({"a": together(odd, service_import("web", ips=["10.42.0.7"]))})
    zone = zone_of(mirrors)
    check(Case("odd.test", "A CNAME", NXDOMAIN), zone)
    check(Case("web.test", "A", NOERROR, "10.42.0.7"), zone)


def test_a_headless_import_with_ips_answers_from_endpoints_alone() -> None:
    """A headless service has no ClusterSet IP, whatever `spec.ips` says."""
    text = together(
        HEADLESS.replace('"ips": []', '"ips": ["10.42.0.1"]'),
        imported_slice("db", "a", "h=10.0.0.1"),
        service_import("x"),
    )
    check(Case("db.test", "A", NOERROR, "10.0.0.1"), zone_of(clusterset({"a": text})))
