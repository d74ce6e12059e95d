"""Every example of the specification, explained: the outcome, the clause that decided, and the words that tell why."""

from __future__ import annotations

from typing import NamedTuple

import pytest

from mcsdns.admin.explain import Explanation, explain
from mcsdns.admin.explain.rules import Rule
from mcsdns.clusterset.mirror import Mirror
from mcsdns.clusterset.model import View
from tests.clustersets import OPTIONS
from tests.spec.cases import example

ZONE = "clusterset.local"
SVC = "test.svc"
NOERROR, NODATA, NXDOMAIN, REFUSED = "NOERROR", "NODATA", "NXDOMAIN", "REFUSED"


class Case(NamedTuple):
    """One row. `cause` and `hint` are parts of what is said; names are relative to the zone, absolute with a dot at the end."""

    qname: str
    qtype: str
    outcome: str
    rule: Rule
    cause: str
    hint: str = ""

    def __str__(self) -> str:
        return f"{self.qname} {self.qtype}"


APEX = [
    Case("", "SOA", NOERROR, Rule.APEX, "is the name of the zone itself"),
    Case("", "A", NODATA, Rule.APEX, "has no A; it has NS, SOA"),
    Case("svc", "A", NODATA, Rule.EMPTY_NON_TERMINAL, "only leads to the names below it"),
    Case("dns", "A", NODATA, Rule.EMPTY_NON_TERMINAL, "only leads to the names below it"),
    Case("ns.dns", "A", NOERROR, Rule.NAME_SERVER, "name of the name server"),
    Case("ns.dns", "TXT", NODATA, Rule.NAME_SERVER, "has no TXT; it has A"),
    Case("dns-version", "TXT", NOERROR, Rule.SCHEMA_VERSION, "schema version"),
    Case("dns-version", "A", NODATA, Rule.SCHEMA_VERSION, "has no A; it has TXT"),
    Case("x.dns", "A", NXDOMAIN, Rule.NO_SUCH_NAME, "at or below dns.clusterset.local."),
    Case("foo", "A", NXDOMAIN, Rule.NO_SUCH_NAME, "foo is none of them"),
    Case("*", "A", NXDOMAIN, Rule.NO_WILDCARD, "holds a *"),
    Case("pod", "A", NXDOMAIN, Rule.NO_POD, "pod by its address", "<hostname>.<clusterid>"),
    Case("10-1-0-1.test.pod", "A", NXDOMAIN, Rule.NO_POD, "pod by its address"),
    Case("web.test", "A", NXDOMAIN, Rule.NO_SUCH_NAME, "test is none", "full name is web.test.svc.clusterset.local."),
]
OUTSIDE = [
    Case("web.test.", "A", REFUSED, Rule.OUTSIDE, "not within the zone", "full name is web.test.svc.clusterset.local."),
    Case("web.test.svc.", "A", REFUSED, Rule.OUTSIDE, "not within", "full name is web.test.svc.clusterset.local."),
    Case("_http._tcp.web.test.", "SRV", REFUSED, Rule.OUTSIDE, "", "is _http._tcp.web.test.svc.clusterset.local."),
    Case("web.test.svc.cluster.local.", "A", REFUSED, Rule.OUTSIDE, "", "is web.test.svc.clusterset.local."),
    Case("no.test.svc.cluster.local.", "A", REFUSED, Rule.OUTSIDE, "", "cluster.local is the zone of one cluster"),
    Case("web.test.svc.clusterset.locl.", "A", REFUSED, Rule.OUTSIDE, "", "is web.test.svc.clusterset.local."),
    Case("dns-version.", "TXT", REFUSED, Rule.OUTSIDE, "", "full name is dns-version.clusterset.local."),
    Case("nothing.here.", "A", REFUSED, Rule.OUTSIDE, "", "names of services end in .<ns>.svc.clusterset.local."),
    Case("xclusterset.local.", "A", REFUSED, Rule.OUTSIDE, "xclusterset.local. is not within the zone"),
    Case("9.0.1.10.in-addr.arpa.", "PTR", REFUSED, Rule.OUTSIDE, "", "no PTR"),
    Case(".", "NS", REFUSED, Rule.OUTSIDE, ". is not within the zone clusterset.local."),
    Case("", "AXFR", REFUSED, Rule.TRANSFER, "not offered", "mcsdns export"),
]
NAMESPACES = [
    Case("test.svc", "A", NODATA, Rule.NAMESPACE, "the namespace test holds imported services"),
    Case("tets.svc", "A", NXDOMAIN, Rule.NO_NAMESPACE, "the namespace tets holds no imported", "similar name: test"),
    Case("web.tets.svc", "A", NXDOMAIN, Rule.NO_NAMESPACE, "namespace tets", "namespaces with a similar name: test"),
    Case("web.other.svc", "A", NXDOMAIN, Rule.NO_NAMESPACE, "", "in other namespaces: web.test.svc.clusterset.local."),
    Case("q.other.svc", "A", NXDOMAIN, Rule.NO_NAMESPACE, "", "with imported services in view cluster-a: test"),
    Case("test.web.svc", "A", NXDOMAIN, Rule.NO_NAMESPACE, "", "other way round: web.test.svc.clusterset.local."),
    Case("web.svc", "A", NXDOMAIN, Rule.NO_NAMESPACE, "namespace web", "namespaces: web.test.svc.clusterset.local."),
    Case("web.test.eu.svc", "A", NXDOMAIN, Rule.NO_NAMESPACE, "", "a label too many before svc: web.test.svc"),
    Case(f"webb.{SVC}", "A", NXDOMAIN, Rule.NOT_IMPORTED, "no cluster holds a ServiceImport", "namespace: web.test"),
    Case(f"zzzzz.{SVC}", "A", NXDOMAIN, Rule.NOT_IMPORTED, "of test/zzzzz", "services of the namespace test: dotted"),
    Case(f"*.{SVC}", "A", NXDOMAIN, Rule.NO_WILDCARD, "holds a *"),
]
CLUSTERSET_IP = [
    Case(f"web.{SVC}", "A", NOERROR, Rule.CLUSTERSET_IP, "ClusterSetIP service, imported by cluster-a"),
    Case(f"WEB.Test.SVC.{ZONE}.", "a", NOERROR, Rule.CLUSTERSET_IP, "test/web is a ClusterSetIP service"),
    Case(f"web.{SVC}", "AAAA", NODATA, Rule.CLUSTERSET_IP, "no IPv6 address; it has A, SRV"),
    Case(f"web6.{SVC}", "A", NODATA, Rule.CLUSTERSET_IP, "no IPv4 address; it has AAAA, SRV"),
    Case(f"web.{SVC}", "TXT", NODATA, Rule.SERVICE_TYPES, "no TXT; it has A, SRV"),
    Case(f"web.{SVC}", "TYPE65280", NODATA, Rule.SERVICE_TYPES, "no TYPE65280"),
    Case(f"dual.{SVC}", "AAAA", NOERROR, Rule.CLUSTERSET_IP, "test/dual"),
    Case(f"pend.{SVC}", "A", NODATA, Rule.NO_ADDRESS, "no valid address yet"),
    Case(f"pend.{SVC}", "SRV", NODATA, Rule.NO_ADDRESS, "no valid address yet"),
    Case(f"_http._tcp.pend.{SVC}", "SRV", NXDOMAIN, Rule.NO_ADDRESS, "no valid address yet"),
    Case(f"noports.{SVC}", "A", NOERROR, Rule.CLUSTERSET_IP, "test/noports"),
    Case(f"noports.{SVC}", "SRV", NODATA, Rule.SERVICE_SRV, "no ports: its ServiceImport has none"),
    Case(f"vipeps.{SVC}", "A", NOERROR, Rule.CLUSTERSET_IP, "test/vipeps"),
    Case(f"cluster-a.web.{SVC}", "A", NXDOMAIN, Rule.CLUSTERSET_IP_HOSTS, "cluster-a can be neither", "ask for web"),
    Case(f"ep1a.cluster-a.vipeps.{SVC}", "A", NXDOMAIN, Rule.CLUSTERSET_IP_HOSTS, "ep1a.cluster-a can be neither"),
    Case(f"*.web.{SVC}", "A", NXDOMAIN, Rule.NO_WILDCARD, "holds a *"),
]
PORTS = [
    Case(f"_https._tcp.web.{SVC}", "SRV", NOERROR, Rule.SRV, "named port of test/web, with 1 target"),
    Case(f"_https._tcp.web.{SVC}", "A", NODATA, Rule.SRV, "has SRV and no other type", "ask for SRV"),
    Case(f"web.{SVC}", "SRV", NOERROR, Rule.SERVICE_SRV, "ports of test/web: _http._tcp, _https._tcp"),
    Case(f"_tcp.web.{SVC}", "A", NODATA, Rule.EMPTY_NON_TERMINAL, "only leads to ports of test/web: _http._tcp, _h"),
    Case(f"_nosuch._tcp.web.{SVC}", "SRV", NXDOMAIN, Rule.SRV, "no port named nosuch", "_http._tcp, _https._tcp"),
    Case(f"_htps._tcp.web.{SVC}", "SRV", NXDOMAIN, Rule.SRV, "no port named htps", "similar name: http, https"),
    Case(f"_https._udp.web.{SVC}", "SRV", NXDOMAIN, Rule.SRV, "port https of test/web is TCP, not UDP"),
    Case(f"_https._quic.web.{SVC}", "SRV", NXDOMAIN, Rule.SRV, "port https of test/web is TCP, not QUIC"),
    Case(f"_x._quic.web.{SVC}", "SRV", NXDOMAIN, Rule.SRV, "_quic is no protocol"),
    Case(f"_udp.web.{SVC}", "A", NXDOMAIN, Rule.SRV, "no named UDP port"),
    Case(f"_https.web.{SVC}", "SRV", NXDOMAIN, Rule.SRV, "_https is no protocol", "is _https._tcp.web.test"),
    Case(f"_8080._tcp.unn.{SVC}", "SRV", NXDOMAIN, Rule.SRV, "8080/tcp of test/unn is unnamed", "SRV of unn.test"),
    Case(f"unn.{SVC}", "SRV", NOERROR, Rule.SERVICE_SRV, "8080/tcp (unnamed)"),
    Case(f"_443._tcp.web.{SVC}", "SRV", NXDOMAIN, Rule.SRV, "by name, not by number: 443/tcp of test/web is named h"),
    Case(f"_._tcp.web.{SVC}", "SRV", NXDOMAIN, Rule.SRV, "labels are literal"),
    Case(f"https.tcp.web.{SVC}", "SRV", NXDOMAIN, Rule.SRV, "lacks an underscore", "is _https._tcp.web.test"),
    Case(f"_https.tcp.web.{SVC}", "SRV", NXDOMAIN, Rule.SRV, "lacks an underscore", "is _https._tcp.web.test"),
    Case(f"_tcp._https.web.{SVC}", "SRV", NXDOMAIN, Rule.SRV, "", "other way round: _https._tcp.web.test"),
    Case(f"x._https._tcp.web.{SVC}", "SRV", NXDOMAIN, Rule.NOTHING_BELOW, "_https._tcp is a port of test/web"),
    Case(f"_https._tcp.my-pet-1.cluster-a.hl.{SVC}", "SRV", NXDOMAIN, Rule.SRV, "SRV stands at the service, not at i"),
    Case(f"hello.{SVC}", "SRV", NOERROR, Rule.SERVICE_SRV, "_tcp._tcp, _udp._udp"),
]
HEADLESS = [
    Case(f"hl.{SVC}", "A", NOERROR, Rule.HEADLESS, "5 ready addresses in cluster-a, cluster-b", "1 endpoint left out"),
    Case(f"hl.{SVC}", "AAAA", NOERROR, Rule.HEADLESS, "headless"),
    Case(f"hl4.{SVC}", "AAAA", NODATA, Rule.HEADLESS, "no ready endpoint with an IPv6 address; it has A, SRV"),
    Case(f"hl.{SVC}", "MX", NODATA, Rule.SERVICE_TYPES, "no MX; it has A, AAAA, SRV"),
    Case(f"hlpl.{SVC}", "SRV", NODATA, Rule.SERVICE_SRV, "its EndpointSlices have none with a number"),
    Case(f"_https._tcp.hl.{SVC}", "SRV", NOERROR, Rule.SRV, "with 5 targets"),
    Case(f"hlx.{SVC}", "A", NXDOMAIN, Rule.NOT_READY, "no ready endpoint in any cluster; left out: 1 not ready"),
    Case(f"x.cluster-a.hlx.{SVC}", "A", NXDOMAIN, Rule.NOT_READY, "test/hlx has no ready endpoint"),
    Case(f"_http._tcp.hlx.{SVC}", "SRV", NXDOMAIN, Rule.NOT_READY, "test/hlx has no ready endpoint"),
    Case(f"*.hl.{SVC}", "A", NXDOMAIN, Rule.NO_WILDCARD, "holds a *"),
]
HOSTS = [
    Case(f"my-pet-1.cluster-a.hl.{SVC}", "A", NOERROR, Rule.HOST, "my-pet-1 is the host of a ready endpoint of test/h"),
    Case(f"my-pet-1.cluster-a.hl.{SVC}", "AAAA", NODATA, Rule.HOST, "no IPv6 address; it has A"),
    Case(f"my-pet-1.cluster-a.hl.{SVC}", "TXT", NODATA, Rule.HOST_TYPES, "no TXT; it has A"),
    Case(f"my-pet-1.cluster-a.hl.{SVC}", "SRV", NODATA, Rule.HOST_TYPES, "no SRV", "at the service: hl.test.svc"),
    Case(f"my-pet-3.cluster-a.hl.{SVC}", "A", NXDOMAIN, Rule.HOST, "my-pet-3 of test/hl in cluster-a is not ready"),
    Case(f"hlx-0.cluster-a.hlx.{SVC}", "A", NXDOMAIN, Rule.NOT_READY, "1 not ready"),
    Case(
        f"my-pt-1.cluster-a.hl.{SVC}", "A", NXDOMAIN, Rule.HOST, "hostname my-pt-1 in cluster-a", "cluster-a: my-pet-1"
    ),
    Case(f"my-pet-2.cluster-b.hl.{SVC}", "A", NXDOMAIN, Rule.HOST, "in cluster-b", "at: my-pet-2.cluster-a.hl.test"),
    Case(f"qqqqq.cluster-a.hl.{SVC}", "A", NXDOMAIN, Rule.HOST, "", "hosts in cluster-a: my-pet-1, my-pet-2"),
    Case(f"10-1-0-1.cluster-a.hl.{SVC}", "A", NXDOMAIN, Rule.HOST, "", "of that address is my-pet-1.cluster-a.hl.test"),
    Case(f"2001-db8-2-0-0-0-0-9.cluster-b.hl.{SVC}", "AAAA", NXDOMAIN, Rule.HOST, "", "is 2001-db8-2--9.cluster-b.hl"),
    Case(f"2001-db8--.cluster-a.zeros.{SVC}", "AAAA", NXDOMAIN, Rule.HOST, "", "is 2001-db8--0.cluster-a.zeros.test"),
    Case(f"my-pet-1.hl.{SVC}", "A", NXDOMAIN, Rule.HOST_NEEDS_CLUSTER, "lacks the cluster id", "my-pet-1.cluster-b.hl"),
    Case(f"x.my-pet-1.cluster-a.hl.{SVC}", "A", NXDOMAIN, Rule.NOTHING_BELOW, "my-pet-1.cluster-a is a host of te"),
    Case(f"cluster-a.hl.{SVC}", "A", NODATA, Rule.CLUSTER_ID, "must have no records", "hosts in cluster-a: my-pet-1"),
    Case(f"cluster-zzz.hl.{SVC}", "A", NXDOMAIN, Rule.HOST, "cluster-zzz is no cluster id", ": cluster-a, cluster-b"),
    Case(f"my-pet-1.west.hl.{SVC}", "A", NXDOMAIN, Rule.HOST, "west is no cluster id", "at: my-pet-1.cluster-a.hl"),
    Case(f"a.b.c.d.hl.{SVC}", "A", NXDOMAIN, Rule.HOST, "b.c.d is no cluster id", "hosts of the service: cluster-a"),
    Case(f"cluster-b.hl4.{SVC}", "A", NXDOMAIN, Rule.HOST, "the cluster cluster-b has no ready endpoint of test/hl4"),
]


@pytest.fixture(scope="module")
def mirrors() -> list[Mirror]:
    return example()


def ask(case: Case, mirrors: list[Mirror]) -> Explanation:
    name = case.qname if case.qname.endswith(".") else f"{case.qname}.{ZONE}".lstrip(".")
    return explain(name, case.qtype, View("cluster-a"), mirrors, OPTIONS, complete=True)


@pytest.mark.parametrize("case", APEX + OUTSIDE + NAMESPACES + CLUSTERSET_IP + PORTS + HEADLESS + HOSTS, ids=str)
def test_every_example_is_explained(case: Case, mirrors: list[Mirror]) -> None:
    """The outcome is the server's; the rule is the clause that decided; cause and hints speak of this very name."""
    found = ask(case, mirrors)
    assert (found.outcome, Rule(found.rule).name) == (case.outcome, case.rule.name), found.cause
    assert case.cause in found.cause
    assert not case.hint or any(case.hint in hint for hint in found.hints), found.hints
    assert bool(found.answer) == (case.outcome == NOERROR)
    assert found.exists == (case.outcome in (NOERROR, NODATA))


def test_the_objects_of_an_answer_are_named(mirrors: list[Mirror]) -> None:
    """Cluster, kind, namespace, name and resource version of what made the answer."""
    found = ask(Case(f"web.{SVC}", "A", NOERROR, Rule.CLUSTERSET_IP, ""), mirrors)
    (ref,) = found.objects
    assert (ref.cluster, ref.kind, ref.namespace, ref.name) == ("cluster-a", "ServiceImport", "test", "web")
    assert ref.resource_version == "1001"


def test_a_host_is_made_of_the_slices_that_hold_it(mirrors: list[Mirror]) -> None:
    """Of a headless service's slices, a host's explanation names those that hold the host, and no other cluster's."""
    found = ask(Case(f"10-2-0-9.cluster-b.hl.{SVC}", "A", NOERROR, Rule.HOST, ""), mirrors)
    assert [ref.name for ref in found.objects] == ["imported-hl-cluster-b-v4", "hl"]


def test_what_is_left_out_is_named(mirrors: list[Mirror]) -> None:
    """The reason, the object and the words of every omission of the service."""
    found = ask(Case(f"hl.{SVC}", "A", NOERROR, Rule.HEADLESS, ""), mirrors)
    assert [(one.reason.value, one.cluster, one.detail.split()[0]) for one in found.omissions] == [
        ("not-ready", "cluster-a", "my-pet-3"),
        ("outranked", "cluster-b", "about"),
    ]


def test_srv_brings_the_addresses_of_its_targets(mirrors: list[Mirror]) -> None:
    """The additional section is that of the server."""
    found = ask(Case(f"_http._tcp.dual.{SVC}", "SRV", NOERROR, Rule.SRV, ""), mirrors)
    owner = f"dual.{SVC}.{ZONE}."
    assert found.answer == (f"_http._tcp.{owner}\t5\tIN\tSRV\t0 100 80 {owner}",)
    assert found.additional == (f"{owner}\t5\tIN\tA\t10.42.0.7", f"{owner}\t5\tIN\tAAAA\t2001:db8::7")
