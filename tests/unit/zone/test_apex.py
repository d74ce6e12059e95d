"""What the zone holds beside services, in wire format."""

from __future__ import annotations

import dns.rdata
import dns.rdataclass
import dns.rdatatype
import pytest

from mcsdns.zone.apex import apex
from mcsdns.zone.build import Options
from mcsdns.zone.names import from_text
from mcsdns.zone.rrset import RRset, Type

ZONE = from_text("clusterset.local")
OPTIONS = Options(ZONE, ttl=7, negative_ttl=3, advertise=(bytes((10, 0, 0, 2)), bytes(16), bytes((10, 0, 0, 1))))


def text(rrset: RRset) -> list[str]:
    rdtype = dns.rdatatype.RdataType.make(rrset.type)
    return [dns.rdata.from_wire(dns.rdataclass.IN, rdtype, rdata, 0, len(rdata)).to_text() for rdata in rrset.rdata]


def test_the_names_of_the_apex() -> None:
    """The zone's name, `svc`, `dns`, `ns.dns` and `dns-version` always exist."""
    names = ["", "svc.", "dns.", "ns.dns.", "dns-version."]
    assert set(apex(OPTIONS, 1).nodes) == {from_text(f"{name}clusterset.local") for name in names}


def test_soa() -> None:
    """The SOA's TTL is its MINIMUM (RFC 2308 §3), and it is the one at the zone's name."""
    made = apex(OPTIONS, 42)
    assert text(made.soa) == ["ns.dns.clusterset.local. hostmaster.clusterset.local. 42 7200 1800 86400 3"]
    assert made.soa.ttl == 3
    assert made.soa in made.nodes[ZONE]


@pytest.mark.parametrize(("serial", "shown"), [(0, 0), (2**32 - 1, 2**32 - 1), (2**32, 0), (2**32 + 5, 5)])
def test_the_serial_is_modulo_2_32(serial: int, shown: int) -> None:
    """Serials go round (RFC 1982)."""
    assert text(apex(OPTIONS, serial).soa)[0].split()[2] == str(shown)


def test_rrsets_are_sorted_by_type() -> None:
    """A node is the RRsets of a name in the order of their type."""
    for node in apex(OPTIONS, 1).nodes.values():
        assert [rrset.type for rrset in node] == sorted(rrset.type for rrset in node)


def test_the_name_server() -> None:
    """`ns.dns` has what is advertised, sorted, each once; its TTL is that of addresses."""
    made = apex(OPTIONS, 1).nodes[from_text("ns.dns.clusterset.local")]
    assert [(rrset.type, rrset.ttl, text(rrset)) for rrset in made] == [
        (Type.A, 7, ["10.0.0.1", "10.0.0.2"]),
        (Type.AAAA, 7, ["::"]),
    ]


def test_the_schema_version() -> None:
    """`dns-version` is TXT "1.0.0" with a TTL of 28800 s (KEP-1645)."""
    (version,) = apex(OPTIONS, 1).nodes[from_text("dns-version.clusterset.local")]
    assert (version.type, version.ttl, text(version)) == (Type.TXT, 28800, ['"1.0.0"'])
