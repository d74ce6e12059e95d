"""A small zone in presentation form, for the tests of messages and planes. dnspython turns it into wire format."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import dns.name
import dns.rdata
import dns.rdataclass
import dns.rdatatype

from mcsdns.zone.names import from_text, suffixes
from mcsdns.zone.rrset import Apex, Node, RRset, ServiceRecords, Type, Update
from mcsdns.zone.snapshot import Snapshot

ZONE = "clusterset.local."
ORIGIN = dns.name.from_text(ZONE)
TTL = 5
SERVICES_DEPTH = 6
"""Labels of a service's name, the root's included: `svc.ns.svc.clusterset.local.`"""

APEX = """
@             NS    ns.dns
ns.dns        A     192.0.2.53
ns.dns        AAAA  2001:db8::53
dns-version   TXT   "1.0.0"
"""

RECORDS = """
web.test.svc                      A     10.42.42.42
web.test.svc                      SRV   0 1 80 web.test.svc
web.test.svc                      SRV   0 1 443 web.test.svc
_http._tcp.web.test.svc           SRV   0 1 80 web.test.svc
_https._tcp.web.test.svc          SRV   0 1 443 web.test.svc
dual.test.svc                     A     10.42.0.7
dual.test.svc                     AAAA  2001:db8::7
_http._tcp.dual.test.svc          SRV   0 1 80 dual.test.svc
hl.test.svc                       A     10.1.0.1
hl.test.svc                       A     10.1.0.2
hl.test.svc                       A     10.2.0.1
_https._tcp.hl.test.svc           SRV   0 1 443 my-pet-1.cluster-a.hl.test.svc
_https._tcp.hl.test.svc           SRV   0 1 443 my-pet-2.cluster-a.hl.test.svc
_https._tcp.hl.test.svc           SRV   0 1 443 pet.cluster-b.hl.test.svc
my-pet-1.cluster-a.hl.test.svc    A     10.1.0.1
my-pet-2.cluster-a.hl.test.svc    A     10.1.0.2
pet.cluster-b.hl.test.svc         A     10.2.0.1
pet.cluster-b.hl.test.svc         AAAA  2001:db8:2::1
noports.test.svc                  A     10.42.0.9
"""

MANY = "".join(f"many.test.svc A 10.9.{n // 250}.{n % 250 + 1}\n" for n in range(100))
"""100 addresses: 1,600 octets, too large for UDP, not for TCP."""
HUGE = "".join(f"huge.test.svc A 10.{100 + n // 62500}.{n // 250 % 250}.{n % 250 + 1}\n" for n in range(4200))
"""4,200 addresses: over 65,535 octets."""
PODS = "".join(
    f"_p._tcp.pods.test.svc SRV 0 1 80 pod-{'x' * (n % 7)}{n}.c.pods.test.svc\n"
    f"pod-{'x' * (n % 7)}{n}.c.pods.test.svc A 10.8.0.{n + 1}\npod-{'x' * (n % 7)}{n}.c.pods.test.svc AAAA 2001:db8:8::{n + 1:x}\n"
    for n in range(12)
)
"""12 SRV whose targets' addresses do not all fit into 1,232 octets."""

TEST_ZONE = RECORDS + MANY + HUGE + PODS


def name(text: str) -> bytes:
    """Give a name relative to the zone (`@` is the zone) in wire format."""
    return from_text(ZONE if text == "@" else f"{text}.{ZONE}")


def nodes(text: str) -> dict[bytes, Node]:
    """Read lines of owner, type and RDATA, all names relative to the zone."""
    found: dict[bytes, dict[int, list[bytes]]] = {}
    for line in text.strip().splitlines():
        owner, rrtype, rdata = line.split(maxsplit=2)
        number = dns.rdatatype.from_text(rrtype)
        record = dns.rdata.from_text(dns.rdataclass.IN, number, rdata, origin=ORIGIN, relativize=False)
        octets = record.to_wire()
        assert octets is not None
        found.setdefault(name(owner), {}).setdefault(int(number), []).append(octets)
    return {
        owner: tuple(RRset(number, TTL, tuple(rdatas)) for number, rdatas in sorted(rrsets.items()))
        for owner, rrsets in found.items()
    }


def services(text: str) -> dict[bytes, ServiceRecords | None]:
    """Read the records of services, with the empty non-terminals between."""
    of: dict[bytes, dict[bytes, Node]] = {}
    for owner, node in nodes(text).items():
        ancestors = list(suffixes(owner))
        service = ancestors[-SERVICES_DEPTH]
        of.setdefault(service, {})[owner] = node
        for ancestor in ancestors[1:-SERVICES_DEPTH]:
            of[service].setdefault(ancestor, ())
    return {service: ServiceRecords(service, found) for service, found in of.items()}


def apex(serial: int) -> Apex:
    """Make the apex of a serial."""
    text = f"@ SOA ns.dns hostmaster {serial} 7200 1800 86400 {TTL}"
    found = nodes(APEX + text)
    found |= {name("svc"): (), name("dns"): ()}
    (soa,) = [rrset for rrset in found[name("@")] if rrset.type == Type.SOA]
    return Apex(name("@"), soa, found)


def update(
    records: str = "", *, gone: Iterable[str] = (), serial: int = 1, complete: bool = True, view: str = "any"
) -> Update:
    """Make an update from records in presentation form and names of services that are gone."""
    changes: Mapping[bytes, ServiceRecords | None] = services(records) | {name(text): None for text in gone}
    return Update(view, serial, complete, apex(serial), changes)


def snapshot(records: str = TEST_ZONE, *, serial: int = 1, complete: bool = True) -> Snapshot:
    """Make a snapshot from records in presentation form."""
    return Snapshot(update(records, serial=serial, complete=complete))
