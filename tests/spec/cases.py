"""
The rules of the zone as tables that a DNS person can read, and what every answer must keep beside its table row.

| column | means                                                                                                       |
|--------|-------------------------------------------------------------------------------------------------------------|
| qname  | relative to `svc.clusterset.local.`, or absolute with a dot at the end                                      |
| qtype  | a mnemonic; several, separated by spaces, are asked one after the other                                     |
| rcode  | `NODATA` is NOERROR without an answer                                                                       |
| answer | addresses, separated by spaces; else RDATA, separated by commas; an SRV record as `port target`             |
| extra  | the additional section, `owner address` separated by commas; None: the addresses of all SRV and NS targets |

Names in `answer` and `extra` are relative as `qname` is. dnspython makes the queries and reads the answers.
"""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import dns.edns
import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.rdata
import dns.rdataclass
import dns.rdatatype
import dns.rrset
from dns.rdtypes.IN.SRV import SRV

from mcsdns.clusterset.mirror import Mirror
from mcsdns.plane.choice import has_extension
from mcsdns.wire.answer import answer
from mcsdns.wire.edns import Transport
from mcsdns.zone.snapshot import Snapshot
from tests.clustersets import clusterset, folder
from tests.planes import native_answer

MANIFESTS = Path(__file__).parent / "manifests"
ZONE = dns.name.from_text("clusterset.local.")
SVC = dns.name.from_text("svc.clusterset.local.")
NOERROR, NODATA, NXDOMAIN, SERVFAIL, REFUSED = "NOERROR", "NODATA", "NXDOMAIN", "SERVFAIL", "REFUSED"
ADDRESSES = (dns.rdatatype.A, dns.rdatatype.AAAA)
ANY_TYPES = "A AAAA SRV TXT MX CNAME NS SOA PTR HTTPS TYPE65280"
TTL, NEGATIVE_TTL = 5, 5
TCP, UDP = Transport(is_tcp=True), Transport(is_tcp=False)
PLAIN_TTLS = {dns.rdatatype.TXT: 28800}


class Case(NamedTuple):
    """One row."""

    qname: str
    qtype: str
    rcode: str
    answer: str = ""
    extra: str | None = None
    note: str = ""

    def __str__(self) -> str:
        return f"{self.qname} {self.qtype}"


def example() -> list[Mirror]:
    """Give the clusterset of the specification's examples: every folder in `manifests/` is a member cluster."""
    return clusterset({path.name: folder(path) for path in sorted(MANIFESTS.iterdir())})


def check(case: Case, snapshot: Snapshot) -> None:
    """Ask what a row asks, over TCP and UDP, and hold the answers to the row and to what every answer must keep."""
    for qtype in case.qtype.split():
        for turn in (0, 1):
            response = ask(case.qname, qtype, snapshot, turn=turn)
            _check_header(case, response)
            _check_sections(case, qtype, response, snapshot)
        short = ask(case.qname, qtype, snapshot, transport=UDP)
        assert short.rcode() == response.rcode()
        assert texts(short.answer) == texts(response.answer), "UDP and TCP say the same"
    if case.rcode == NXDOMAIN:
        for qtype in ANY_TYPES.split():
            assert ask(case.qname, qtype, snapshot).rcode() == dns.rcode.NXDOMAIN, (
                "a name exists or not, for every type"
            )
        deeper = ask(f"below.{case.qname}", "A", snapshot)
        assert deeper.rcode() == dns.rcode.NXDOMAIN, "nothing exists below a name that does not (RFC 8020)"


def ask(
    qname: str, qtype: str, snapshot: Snapshot, *, turn: int = 0, transport: Transport = TCP
) -> dns.message.Message:
    """Ask one question and read the answer, as a strict resolver would."""
    query = dns.message.make_query(_name(qname), qtype, use_edns=0, payload=1232, flags=0)
    octets = answer(query.to_wire(), transport, snapshot, turn)
    assert octets is not None
    if has_extension():
        assert native_answer(query.to_wire(), transport, snapshot, turn) == octets, "both planes say the same"
    response = dns.message.from_wire(octets)
    for index, section in enumerate((response.answer, response.authority)):
        count = int.from_bytes(octets[6 + 2 * index : 8 + 2 * index], "big")
        assert sum(len(rrset) for rrset in section) == count, "no record stands twice (RFC 2181 §5)"
    assert response.id == query.id
    assert response.question == query.question
    assert response.question[0].name.labels == query.question[0].name.labels, "the spelling is echoed"
    return response


def texts(section: list[dns.rrset.RRset]) -> list[str]:
    """Give the RDATA of a section in presentation form, sorted, in the form that rows have."""
    return sorted(_text(rdata) for rrset in section for rdata in rrset)


def addresses(section: list[dns.rrset.RRset]) -> list[str]:
    """Give the addresses of a section as `owner address`, sorted."""
    return sorted(f"{_relative(rrset.name)} {rdata}" for rrset in section for rdata in rrset)


def _check_header(case: Case, response: dns.message.Message) -> None:
    rcode = NOERROR if case.rcode == NODATA else case.rcode
    assert dns.rcode.to_text(response.rcode()) == rcode
    has_authority = rcode in (NOERROR, NXDOMAIN)
    assert response.flags & ~0xF == dns.flags.QR | (dns.flags.AA if has_authority else 0), "no TC, RA, Z, AD, CD"
    codes = [option.code for option in response.options if isinstance(option, dns.edns.EDEOption)]
    assert codes == {REFUSED: [20], SERVFAIL: [14]}.get(rcode, [])


def _check_sections(case: Case, qtype: str, response: dns.message.Message, snapshot: Snapshot) -> None:
    separator = None if qtype in ("A", "AAAA") else ","
    assert texts(response.answer) == sorted(part.strip() for part in case.answer.split(separator) if part)
    for rrset in response.answer:
        assert rrset.name == _name(case.qname)
        assert rrset.rdtype == dns.rdatatype.from_text(qtype)
        assert len(response.answer) == 1, "one RRset"
        assert rrset.ttl == PLAIN_TTLS.get(rrset.rdtype, TTL)
    _check_additional(case, response, snapshot)
    if case.rcode in (NODATA, NXDOMAIN):
        (soa,) = response.authority
        assert (soa.name, soa.rdtype) == (ZONE, dns.rdatatype.SOA)
        assert soa.ttl == soa[0].minimum == NEGATIVE_TTL, "RFC 2308"
    else:
        assert not response.authority, "nslookup would print it as an answer"


def _check_additional(case: Case, response: dns.message.Message, snapshot: Snapshot) -> None:
    targets = [rdata.target for rrset in response.answer for rdata in rrset if hasattr(rdata, "target")]
    expected = [
        f"{_relative(target)} {text}"
        for target in dict.fromkeys(targets)
        for qtype in ("A", "AAAA")
        for text in texts(ask(target.to_text(), qtype, snapshot).answer)
    ]
    assert addresses(response.additional) == sorted(expected)
    assert all(rrset.ttl == TTL for rrset in response.additional), "a cache in front must not shorten anything"
    if case.extra is not None:
        assert sorted(part.strip() for part in case.extra.split(",") if part) == sorted(expected)
    weights = {(srv.priority, srv.weight) for rrset in response.answer for srv in rrset if isinstance(srv, SRV)}
    assert len(weights) <= 1
    assert {priority for priority, _ in weights} <= {0}


def _text(rdata: dns.rdata.Rdata) -> str:
    if isinstance(rdata, SRV):
        return f"{rdata.port} {_relative(rdata.target)}"
    return rdata.to_text()


def _relative(name: dns.name.Name) -> str:
    return name.relativize(SVC).to_text()


def _name(text: str) -> dns.name.Name:
    return dns.name.from_text(text, SVC)
