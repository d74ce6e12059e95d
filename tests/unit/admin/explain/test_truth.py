"""An explanation tells the truth: it says what the server answers, and every name that it suggests exists."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

import dns.flags
import dns.rcode
from hypothesis import given
from hypothesis import strategies as st

from mcsdns.admin.explain import Explanation, explain, text
from mcsdns.admin.explain.rules import Rule
from mcsdns.clusterset.mirror import Mirror
from mcsdns.clusterset.model import View
from mcsdns.zone.names import from_text, labels, to_text
from mcsdns.zone.snapshot import Snapshot
from tests.clustersets import OPTIONS, SERIAL, clusterset, zone_of
from tests.manifests import (
    cluster_property,
    imported_slice,
    native_slice,
    service_export,
    service_import,
    together,
)
from tests.spec.cases import ask

ZONE = to_text(OPTIONS.zone)
CLUSTERS = ("west", "east", "island")
IDS = ("west", "east", "c1.reg1", "reg1", "nowhere")
NAMES, NAMESPACES = ("web", "db"), ("test", "prod")
HOSTS = ("web-0", "web-1", "c1", "no label")
TYPES = ("A", "AAAA", "SRV", "TXT", "ANY", "SOA", "TYPE65280", "AXFR")

ports = st.lists(st.sampled_from(["http 80/TCP", "http 80/UDP", "https 443/TCP", "53/UDP", "x 0/TCP"]), max_size=3)
addresses = st.sampled_from(["10.1.0.1", "10.1.0.2", "2001:db8::", "2001:db8::1", "10.1.0.300"])
endpoints = st.lists(
    st.builds(
        lambda host, address, ready: f"{host}{address}{ready}",
        st.sampled_from(["", *(f"{host}=" for host in HOSTS)]),
        addresses,
        st.sampled_from(["", "", " !ready"]),
    ),
    max_size=3,
)
families = st.sampled_from(["IPv4", "IPv6", "FQDN"])
services = st.sampled_from(NAMES)
places = st.sampled_from(NAMESPACES)
imports = st.builds(
    lambda name, namespace, ips, listed, headless: service_import(
        name, namespace=namespace, ips=ips, ports=listed, headless=headless
    ),
    services,
    places,
    st.lists(addresses, max_size=2),
    ports,
    st.booleans(),
)
exports = st.builds(lambda name, namespace: service_export(name, namespace=namespace), services, places)
slices = st.builds(
    lambda name, namespace, source, held, listed, family, number: (
        native_slice(name, *held, namespace=namespace, ports=listed, family=family, name=f"n{number}")
        if source == "native"
        else imported_slice(name, source, *held, namespace=namespace, ports=listed, family=family, name=f"i{number}")
    ),
    services,
    places,
    st.sampled_from([*IDS, None, "native", "native"]),
    endpoints,
    ports,
    families,
    st.integers(0, 9),
)
broken = st.sampled_from([service_import("web").replace("ClusterSetIP", "None"), cluster_property("west")])
holdings = st.lists(st.one_of(imports, exports, slices, slices, slices, broken), max_size=8).map(
    lambda documents: together(*documents)
)
clustersets = st.fixed_dictionaries(dict.fromkeys(CLUSTERS, st.one_of(holdings, holdings, holdings, st.none())))


@given(clustersets, st.sampled_from([None, *CLUSTERS]), st.data())
def test_it_says_what_the_server_answers(held: dict[str, str | None], view: str | None, data: st.DataObject) -> None:
    """For names that exist and names that do not: the same response code, answer and additional section as on the wire."""
    mirrors = clusterset(held, {"island": "c1.reg1"})
    snapshot = zone_of(mirrors, view)
    every = sorted({*existing(snapshot), *invented(snapshot)})
    for name in data.draw(st.lists(st.sampled_from(every), min_size=8, max_size=30, unique=True)):
        for rr_type in ("A", data.draw(st.sampled_from(TYPES))):
            found = explained(mirrors, view, snapshot, name, rr_type)
            compare(found, snapshot)
            check_words(found, snapshot)


def explained(
    mirrors: Sequence[Mirror], view: str | None, snapshot: Snapshot, name: bytes, rr_type: str
) -> Explanation:
    return explain(
        to_text(name), rr_type, View(view), mirrors, OPTIONS, complete=snapshot.complete, serial=snapshot.serial
    )


def compare(found: Explanation, snapshot: Snapshot) -> None:
    """Hold an explanation to the answer on the wire."""
    response = ask(found.name, found.type, snapshot)
    is_nodata = found.outcome == "NODATA"
    assert dns.rcode.to_text(response.rcode()) == ("NOERROR" if is_nodata else found.outcome)
    assert is_nodata == (response.rcode() == dns.rcode.NOERROR and not response.answer)
    for said, section in ((found.answer, response.answer), (found.additional, response.additional)):
        sent = {
            (rrset.name.to_text(), rrset.ttl, dns.rdatatype.to_text(rrset.rdtype), rdata.to_text())
            for rrset in section
            for rdata in rrset
        }
        assert {tuple(plain(line)) for line in said} == sent
        assert len(said) == len(sent), "no record stands twice"


def plain(line: str) -> Iterator[str | int]:
    owner, ttl, _, rr_type, rdata = line.split("\t")
    yield from (owner, int(ttl), rr_type, rdata)


def check_words(found: Explanation, snapshot: Snapshot) -> None:
    """Every name in full that the words suggest exists, and what is shown can be shown."""
    assert found.cause
    assert found.rule in {rule.value for rule in Rule}
    for hint in found.hints:
        for name in re.findall(rf"(?<![\w.<>-])[\w.*-]+\.{re.escape(ZONE)}(?! \(no ready endpoint\))", hint):
            # The name that was asked for may stand in a hint that says why it does not exist.
            assert name == found.name or snapshot.find(from_text(name)) is not None, hint
    for ref in found.objects:
        assert ref.cluster in CLUSTERS
    for omission in found.omissions:
        assert omission.cluster in CLUSTERS, omission
    assert text(found).startswith(f"{found.outcome}: {found.cause}\n")


def existing(snapshot: Snapshot) -> Iterator[bytes]:
    """Give every name that exists."""
    yield from snapshot.apex.nodes
    for owner, records in snapshot.services.items():
        yield from records.nodes
        yield to_parent(owner)


def invented(snapshot: Snapshot) -> Iterator[bytes]:
    """Give names that mostly do not exist, near those that do."""
    owners = [f"{name}.{namespace}.svc.{ZONE}" for name in (*NAMES, "wbe") for namespace in (*NAMESPACES, "tset")]
    below = ["x", "*", "_tcp", "_http._tcp", "_https._udp", "_53._udp", "http.tcp", "_._tcp", "x._http._tcp", "_x"]
    below += [
        f"{host}.{cluster}" for host in ("web-0", "10-1-0-1", "2001-db8--", "a.b") for cluster in (*IDS, "island")
    ]
    below += [*IDS, "web-0", "10-1-0-2"]
    for owner in owners:
        yield from_text(owner)
        yield from (from_text(f"{label}.{owner}") for label in below)
    for relative in (
        "foo",
        "pod",
        "1-2-3-4.test.pod",
        "web.test",
        "web.svc",
        "a.b.dns",
        "*",
        "x\\.y.test.svc",
        "\\255",
    ):
        yield from_text(f"{relative}.{ZONE}")
    yield from map(
        from_text, ("web.test", "web.test.svc", "web.test.svc.cluster.local", "com", ".", "xclusterset.local")
    )


def to_parent(name: bytes) -> bytes:
    first = next(labels(name))
    return name[1 + len(first) :]


def test_the_serial_is_the_published_one() -> None:
    """The SOA of an explanation is the one that is served."""
    mirrors = clusterset({"west": ""})
    snapshot = zone_of(mirrors)
    assert f" {SERIAL + 1} " in explained(mirrors, None, snapshot, OPTIONS.zone, "SOA").answer[0]
