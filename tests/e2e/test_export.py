"""
`mcsdns export` against two name servers of other people: what they make of the master file is what we answer.

NSD and Knot load the file; for every name of the zone, and for names near each that do not exist, rcode, AA, the answer and the TTL
of a negative answer must agree with those of a running mcsdns.

Known exceptions:
1. The serial of the SOA: the file has that of its export, the server that of its last change.
2. A service that is imported and has no record yet (no ClusterSet IP) is NODATA with us, and so is a namespace that holds only such
   services. A master file cannot write a name without records: there it is NXDOMAIN.
"""

from __future__ import annotations

import contextlib
import socket
import struct
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final, NamedTuple

import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.rdatatype
import dns.zone
import pytest
import yaml

import mcsdns.demo
from tests.e2e.folders import member
from tests.e2e.random_clusterset import clusterset
from tests.e2e.server import ZONE, Server, complaints, run
from tests.servers.run import Knot, Nsd, need

pytestmark = pytest.mark.servers

TYPES: Final = ("A", "AAAA", "SRV", "TXT", "NS", "SOA", "MX")
SEEDS: Final = range(6)
APEX: Final = dns.name.from_text(ZONE)
SVC: Final = dns.name.from_text("svc", APEX)
BATCH: Final = 50

Question = tuple[dns.name.Name, str]


class Said(NamedTuple):
    """What two servers must agree in."""

    rcode: str
    is_authoritative: bool
    answer: tuple[str, ...]
    negative: tuple[str, ...]
    """Owner, TTL and type of the SOA of a negative answer."""


@pytest.mark.parametrize("view", [None, "east", "west", "island"])
def test_the_demo(tmp_path: Path, view: str | None) -> None:
    """The demo clusterset, in every view."""
    root = Path(mcsdns.demo.__file__).parent / "demo"
    clusters = [{"name": name, "manifests": str(root / name)} for name in ("east", "west", "island")]
    _compare(tmp_path, clusters, view)


@pytest.mark.parametrize("seed", SEEDS)
def test_a_random_clusterset(tmp_path: Path, seed: int) -> None:
    """A clusterset drawn by a seed, in the view of no cluster in particular or of one."""
    clusters = [member(tmp_path, name, *documents) for name, documents in clusterset(seed).items()]
    _compare(tmp_path, clusters, [None, "east", "west"][seed % 3])


def _compare(folder: Path, clusters: Sequence[dict[str, str]], view: str | None) -> None:
    listen = [{"address": "127.0.0.1:0"} | ({"view": view} if view else {})]
    with Server(folder, clusters, listen=listen) as server:
        master = _export(folder, server.config_path, view)
        _is_valid(master)
        questions = _questions(master)
        with Nsd({ZONE: master}, folder) as nsd, Knot({ZONE: master}, folder) as knot:
            ours = _ask(server.addresses[0], questions)
            theirs = {
                "NSD": _ask(("127.0.0.1", nsd.port), questions),
                "Knot": _ask(("127.0.0.1", knot.port), questions),
            }
    unwritten = _unwritten(folder, clusters, master)
    for question, said in ours.items():
        name, qtype = question
        can_differ = name in unwritten and (said.rcode, said.answer) == ("NOERROR", ())
        expected = said._replace(rcode="NXDOMAIN") if can_differ else said
        for peer, answers in theirs.items():
            assert answers[question] == expected, f"{peer}: {name} {qtype}"
    assert sum(bool(said.answer) for said in ours.values()) >= 10, "there was something to compare"


def _export(folder: Path, config: Path, view: str | None) -> Path:
    done = run("export", "--config", config, *(["--view", view] if view else []))
    assert (done.returncode, complaints(done.stderr)) == (0, "")
    path = folder / "zone"
    path.write_text(done.stdout)
    return path


def _is_valid(master: Path) -> None:
    """Hold the file to what BIND's checker thinks of it: not a word but OK."""
    command = [
        need("named-checkzone"),
        "-i",
        "full",
        "-k",
        "fail",
        "-m",
        "fail",
        "-n",
        "fail",
        "-r",
        "fail",
        "-S",
        "fail",
    ]
    done = subprocess.run([*command, ZONE, master], capture_output=True, text=True, timeout=30, check=False)
    assert done.returncode == 0, done.stdout
    said = [line for line in done.stdout.splitlines() if "loaded serial" not in line]
    assert said == ["OK"], done.stdout


def _questions(master: Path) -> list[Question]:
    """Ask every type of the names of the zone, and of names near each, all types in turn, two of each name."""
    names = _with_parents(master)
    names |= {
        dns.name.from_text(text, SVC) for namespace in ("a", "shop", "svc") for text in (namespace, f"web.{namespace}")
    }
    near = {near for name in names for near in _near(name)} - names
    return [
        *((name, qtype) for name in sorted(names) for qtype in TYPES),
        *((name, TYPES[number % len(TYPES)]) for start in (0, 3) for number, name in enumerate(sorted(near), start)),
    ]


def _near(name: dns.name.Name) -> Iterator[dns.name.Name]:
    """Give names that differ from one in a label or a level."""
    for below in ("nosuch", "_nosuch", "_tcp", "*", "east"):
        with contextlib.suppress(dns.name.NameTooLong):
            yield dns.name.from_text(below, name)
    if name != APEX:
        first = name.labels[0]
        parent = name.parent()
        for label in (first[:-1] or b"z", first[:62] + b"z", b"_" + first[:62], first.lstrip(b"_") or b"z"):
            yield dns.name.Name((label, *parent.labels))
        if parent != APEX and parent.is_subdomain(APEX):
            yield dns.name.Name((first, *parent.parent().labels))


def _unwritten(folder: Path, clusters: Sequence[dict[str, str]], master: Path) -> set[dns.name.Name]:
    """Give the names of exception 2: services that a cluster imports, and their namespaces, without a record at or below them."""
    names: set[dns.name.Name] = set()
    for cluster in clusters:
        for path in (folder / cluster["manifests"]).glob("*.yaml"):
            for manifest in yaml.safe_load_all(path.read_text()):
                if manifest["kind"] == "ServiceImport":
                    namespace = dns.name.from_text(manifest["metadata"]["namespace"], SVC)
                    names |= {namespace, dns.name.from_text(manifest["metadata"]["name"], namespace)}
    return names - _with_parents(master)


def _with_parents(master: Path) -> set[dns.name.Name]:
    """Give every name of the zone, with those between it and the apex."""
    names: set[dns.name.Name] = set()
    for owner in dns.zone.from_file(str(master), APEX, relativize=False).nodes:
        depth = len(owner.labels)
        names |= {owner.split(size)[1] for size in range(len(APEX.labels), depth + 1)}
    return names


def _ask(address: tuple[str, int], questions: Sequence[Question]) -> dict[Question, Said]:
    """Ask everything over one TCP connection, in batches: nothing is truncated there, and it is fast."""
    said: dict[Question, Said] = {}
    with socket.create_connection(address, timeout=10) as connection, connection.makefile("rb") as replies:
        for start in range(0, len(questions), BATCH):
            batch = questions[start : start + BATCH]
            queries = [
                dns.message.make_query(name, qtype, flags=0, id=number) for number, (name, qtype) in enumerate(batch)
            ]
            octets = [query.to_wire() for query in queries]
            connection.sendall(b"".join(struct.pack("!H", len(one)) + one for one in octets))
            for _ in batch:
                (size,) = struct.unpack("!H", replies.read(2))
                response = dns.message.from_wire(replies.read(size))
                said[batch[response.id]] = _said(response)
    return said


def _said(response: dns.message.Message) -> Said:
    answer = sorted(
        f"{rrset.name.to_text().lower()} {rrset.ttl} {dns.rdatatype.to_text(rrset.rdtype)} {_text(rdata)}"
        for rrset in response.answer
        for rdata in rrset
    )
    soas = [rrset for rrset in response.authority if rrset.rdtype == dns.rdatatype.SOA]
    negative = tuple(f"{rrset.name} {rrset.ttl} SOA" for rrset in soas)
    is_authoritative = bool(response.flags & dns.flags.AA)
    return Said(dns.rcode.to_text(response.rcode()), is_authoritative, tuple(answer), negative)


def _text(rdata: dns.rdata.Rdata) -> str:
    """Give RDATA in presentation form, a SOA without its serial (exception 1)."""
    if rdata.rdtype == dns.rdatatype.SOA:
        rdata = rdata.replace(serial=0)
    return rdata.to_text()
