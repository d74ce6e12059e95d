"""A view of the zone as a master file."""

from __future__ import annotations

from collections.abc import Iterable

import dns.name
import dns.zone
import pytest

from mcsdns.zone.apex import apex
from mcsdns.zone.masterfile import lines, record, type_text
from mcsdns.zone.names import from_text, to_text
from mcsdns.zone.rrset import RRset, ServiceRecords, Type
from tests.clustersets import OPTIONS, SERIAL, zone_of
from tests.spec.cases import example

Record = tuple[str, int, int, str]


@pytest.fixture(scope="module")
def services() -> list[ServiceRecords]:
    return list(zone_of(example(), "cluster-a").services.values())


@pytest.fixture(scope="module")
def text(services: list[ServiceRecords]) -> list[str]:
    return list(lines(apex(OPTIONS, SERIAL), iter(services)))


def parsed(text: Iterable[str]) -> set[Record]:
    zone = dns.zone.from_text("\n".join(text) + "\n", relativize=False, check_origin=True)
    return {
        (name.to_text(), rdataset.ttl, int(rdataset.rdtype), rdata.to_digestable().hex())
        for name, node in zone.nodes.items()
        for rdataset in node
        for rdata in rdataset
    }


def test_dnspython_reads_back_the_same_records(services: list[ServiceRecords], text: list[str]) -> None:
    """Every record of the view stands in the file, and no other: another reader finds the same octets."""
    nodes = dict(apex(OPTIONS, SERIAL).nodes)
    for service in services:
        nodes |= service.nodes
    assert parsed(text) == {
        (to_text(owner), rrset.ttl, rrset.type, rdata.hex())
        for owner, node in nodes.items()
        for rrset in node
        for rdata in rrset.rdata
    }
    assert len(text) > 60


def test_the_soa_comes_first_and_the_rest_is_sorted(text: list[str]) -> None:
    """Two views that are the same make the same file: the SOA first, the rest sorted by name, type and RDATA."""
    assert text[0] == "$ORIGIN clusterset.local."
    assert text[1].split("\t")[3] == "SOA"
    assert sum("\tSOA\t" in line for line in text) == 1
    owners = [dns.name.from_text(line.split("\t")[0]) for line in text[1:]]
    assert owners == sorted(owners), "canonical order (RFC 4034 §6.1)"


def test_the_order_of_services_does_not_matter(services: list[ServiceRecords], text: list[str]) -> None:
    """Services may be given in any order."""
    assert list(lines(apex(OPTIONS, SERIAL), reversed(services))) == text


def test_every_line_stands_alone(text: list[str]) -> None:
    """Full owner name, TTL, class, type and RDATA on every line."""
    for line in text[1:]:
        owner, ttl, rrclass, rrtype, rdata = line.split("\t")
        assert owner.endswith("clusterset.local.")
        assert ttl.isdigit()
        assert rrclass == "IN"
        assert rrtype in ("SOA", "NS", "A", "AAAA", "SRV", "TXT")
        assert rdata


@pytest.mark.parametrize(
    ("rr_type", "rdata", "shown"),
    [
        (Type.A, bytes((10, 0, 0, 1)), "10.0.0.1"),
        (Type.AAAA, bytes(15) + b"\x01", "::1"),
        (Type.SRV, bytes((0, 0, 0, 100, 1, 187)) + from_text("a.b"), "0 100 443 a.b."),
        (Type.NS, from_text("ns.dns"), "ns.dns."),
        (Type.TXT, b"\x051.0.0", '"1.0.0"'),
    ],
)
def test_rdata_in_presentation_form(rr_type: Type, rdata: bytes, shown: str) -> None:
    """One record is one line that a DNS person can read."""
    line = record(from_text("x"), RRset(rr_type, 5, (rdata,)), rdata)
    assert line == f"x.\t5\tIN\t{rr_type.name}\t{shown}"


@pytest.mark.parametrize(("rr_type", "shown"), [(1, "A"), (33, "SRV"), (65280, "TYPE65280")])
def test_types(rr_type: int, shown: str) -> None:
    """A type is its mnemonic, or TYPE and its number (RFC 3597 §5)."""
    assert type_text(rr_type) == shown
