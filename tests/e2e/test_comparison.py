"""
docs/comparison.md, "Asked of both": mcsdns and CoreDNS with `kubernetes … multicluster`, on one real API server, asked the same.

A cell is what a person reads: addresses, or the data of the records without those of SRV's own; a response code; or that nothing came.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import dns.exception
import dns.message
import dns.query
import dns.rcode
import dns.rdatatype
import pytest

from benchmarks.servers import Mcsdns, Multicluster
from tests import manifests
from tests.e2e.real import Audited
from tests.servers.run import wait_until

pytestmark = pytest.mark.servers

PAGE = Path(__file__).parents[2] / "docs" / "comparison.md"
PORTS = ["pg 5432/TCP"]
OBJECTS = (
    manifests.service_import("web", ips=["10.42.0.10"], ports=["http 80/TCP"]),
    manifests.service_import("bare", ips=["10.42.0.11"]),
    manifests.service_import("odd", ips=["10.42.0.12", "nonsense"], ports=["http 80/TCP"]),
    manifests.service_import("db", headless=True, ports=PORTS),
    manifests.imported_slice("db", "east", "db-0=10.1.0.10", "10.1.0.11", "db-2=10.1.0.12 !ready", ports=PORTS),
    manifests.imported_slice("db", "west", "db-0=10.2.0.10", ports=PORTS),
    manifests.service_import("idle", headless=True, ports=PORTS),
    manifests.imported_slice("idle", "east", "idle-0=10.1.0.20 !ready", ports=PORTS),
    manifests.service_import("far", headless=True, ports=PORTS),
    manifests.imported_slice("far", "island.eu", "far-0=10.3.0.10", ports=PORTS),
    manifests.service_import("lost", headless=True, ports=PORTS),
    manifests.imported_slice("lost", None, "lost-0=10.1.0.40", ports=PORTS),
)
BELOW = "test.svc.clusterset.local."
LIMIT_S = 2.0


class Row(NamedTuple):
    """A question of the page, and what each is said to answer."""

    name: str
    qtype: str
    ours: str
    theirs: str


def rows() -> list[Row]:
    """Read the page."""
    section = PAGE.read_text().partition("## Asked of both\n")[2].partition("\n## ")[0]
    found = re.findall(r"^\| `(\S+)` \| (\w+) \| (.+?) \| (.+?) \|", section, re.MULTILINE)
    return [Row(*one) for one in found]


class Both(NamedTuple):
    """The ports of the two."""

    mcsdns: int
    coredns: int


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Both]:
    """Both servers, with the same objects."""
    folder = tmp_path_factory.mktemp("both")
    hub = Audited("hub", folder / "hub")
    try:
        hub.start()
        hub.apply(*OBJECTS)
        kubeconfig = hub.cluster.kubeconfig()
        source = {"kubeconfig": {"path": str(kubeconfig)}}
        with Mcsdns([source], folder / "mcsdns") as ours, Multicluster(kubeconfig, folder / "coredns") as theirs:
            for port in (ours.port, theirs.port):
                wait_until(lambda port=port: asked(port, "web", "A") == "10.42.0.10", 20.0, "it has heard the cluster")  # type: ignore[misc]
            yield Both(ours.port, theirs.port)
    finally:
        hub.kill()


def asked(port: int, name: str, qtype: str) -> str:
    """Ask, and give what a person reads."""
    query = dns.message.make_query(name if name.endswith(".") else f"{name}.{BELOW}", qtype)
    try:
        response = dns.query.udp(query, "127.0.0.1", LIMIT_S, port)
    except dns.exception.Timeout:
        return "no answer"
    if not response.answer:
        rcode = dns.rcode.to_text(response.rcode())
        return "NODATA" if rcode == "NOERROR" else rcode
    found = []
    for rrset in response.answer:
        cname = "CNAME " if rrset.rdtype == dns.rdatatype.CNAME else ""
        found += [cname + one.to_text() for one in rrset]
    return " ".join(sorted(found, key=lambda text: (not text.startswith("CNAME"), text)))


@pytest.mark.parametrize("row", rows(), ids=lambda row: f"{row.name} {row.qtype}")
def test_what_the_page_says(both: Both, row: Row) -> None:
    """Each answers what docs/comparison.md says of it."""
    assert (asked(both.mcsdns, row.name, row.qtype), asked(both.coredns, row.name, row.qtype)) == (row.ours, row.theirs)


def test_the_page_tells_what_is_equal_and_what_is_not() -> None:
    """There are rows of both kinds."""
    assert {row.ours == row.theirs for row in rows()} == {True, False}
    assert len(rows()) >= 15
