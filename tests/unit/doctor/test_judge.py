"""From what was seen to what is said: the table of each link, without a cluster."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import Any

import msgspec
import pytest

from mcsdns.admin.status import ConfigStatus, Status, ViewStatus
from mcsdns.doctor import Plan, Report, judge, text
from mcsdns.doctor.corefile import Block, Corefile, Directive, read
from mcsdns.doctor.facts import Asked, Cluster, Facts, Nameserver, Reply, Service, Unseen
from mcsdns.doctor.finding import Finding
from mcsdns.doctor.look import _resolvers, _servers
from mcsdns.wiring import PLATFORMS

ZONE = "clusterset.local"
MCSDNS = "10.96.0.53:53"
VERSION = Reply(rcode="NOERROR", records=('"1.0.0"',), ttl_s=30)
DENIED = Reply(rcode="NXDOMAIN", soa=ZONE, ttl_s=5)
SERVICE = Service("Service mcsdns/mcsdns", ("10.96.0.53", "fd00::53"), ("UDP", "TCP"), ("192.0.2.53",))
STUB = f"{ZONE}:53 {{\n cache 30\n forward . 10.96.0.53\n}}\n"
MAIN = ".:53 {\n forward . /etc/resolv.conf\n}\n"


def server(text: str, platform: str = "coredns", **more: Any) -> Nameserver:
    return Nameserver(
        kind="CoreDNS", platform=platform, where="ConfigMap kube-system/coredns", corefile=read(text), **more
    )


def facts(*nameservers: Nameserver, services: tuple[Service, ...] = (SERVICE,), **more: Any) -> Facts:
    cluster = Cluster(
        url="https://api", is_read=True, import_versions=("v1beta1",), nameservers=nameservers, is_dns_known=True, services=services,
        dns_ips=("10.96.0.10",),
    )  # fmt: skip
    return Facts(**({"plan": Plan(zone=ZONE), "cluster": cluster} | more))


def asked(
    address: str = MCSDNS,
    origin: str = "--server",
    named: Reply | None = None,
    udp: Reply = VERSION,
    tcp: Reply = VERSION,
) -> Asked:
    return Asked(
        address=address,
        origin=origin,
        version={"UDP": udp, "TCP": tcp},
        fresh={"UDP": DENIED, "TCP": DENIED},
        named=named,
    )


def of(report: Report, link: str) -> Finding:
    return next(finding for finding in report.findings if finding.link == link)


STUBS = [
    # the Corefile                                                                      state      found begins with
    (MAIN + STUB, "ok", "CoreDNS sends clusterset.local to mcsdns at 10.96.0.53:53, keeps answers for 30 s at most"),
    (MAIN, "broken", "CoreDNS has no block for clusterset.local"),
    (MAIN + STUB.replace("10.96.0.53", "10.96.0.99"), "broken", "CoreDNS sends clusterset.local to 10.96.0.99:53, and mcsdns is at"),
    (MAIN + STUB.replace("10.96.0.53", "10.96.0.10"), "broken", "CoreDNS sends clusterset.local back to itself at 10.96.0.10:53"),
    (MAIN + STUB.replace("10.96.0.53", "10.96.0.53 10.9.9.9"), "unknown", "CoreDNS sends clusterset.local to 10.9.9.9:53 too"),
    (MAIN + STUB.replace(":53", ":1053", 1), "broken", "CoreDNS answers clusterset.local on port 1053, where nobody asks"),
    (MAIN + f"{ZONE} {{\n errors\n}}", "broken", "CoreDNS has a block for clusterset.local that forwards nowhere"),
    (MAIN + STUB.replace(ZONE, "mcs.local"), "broken", "CoreDNS sends mcs.local to mcsdns, and has no block for clusterset.local"),
    (MAIN + "import more/*\n", "unknown", "CoreDNS has no block for clusterset.local that can be seen; not understood: import more/*"),
    (f".:53 {{\n forward . /etc/resolv.conf\n forward {ZONE} 10.96.0.53\n}}", "ok", "CoreDNS sends clusterset.local to mcsdns at"),
    (MAIN + STUB + STUB, "broken", "CoreDNS has two blocks for clusterset.local on one port: it does not load that"),
    (MAIN + STUB + f"svc.{ZONE} {{\n forward . 10.9.9.9\n}}", "broken", "CoreDNS sends svc.clusterset.local to 10.9.9.9:53, in a"),
    (MAIN + STUB + f"shop.svc.{ZONE} {{\n errors\n}}", "broken", "CoreDNS keeps shop.svc.clusterset.local to itself, in"),
    (MAIN + STUB + f"svc.{ZONE} {{\n forward . 10.96.0.53\n}}", "ok", "CoreDNS sends clusterset.local to mcsdns at"),
    (MAIN + STUB.replace(". 10", ". tls://10"), "broken", "CoreDNS sends clusterset.local to tls://10.96.0.53, and mcsdns speaks"),
    (MAIN + STUB.replace("10.96.0.53", "[fd00:0::53]:53 10.96.0.53"), "ok", "CoreDNS sends clusterset.local to mcsdns at [fd00::53]"),
    (MAIN + STUB.replace("10.96.0.53", "192.0.2.53"), "ok", "CoreDNS sends clusterset.local to mcsdns at 192.0.2.53:53"),
]  # fmt: skip


@pytest.mark.parametrize(("corefile", "state", "found"), STUBS)
def test_stub_blocks(corefile: str, state: str, found: str) -> None:
    """Where a Corefile sends the zone is judged by where mcsdns is."""
    stub = of(judge(facts(server(corefile))), "stub block")
    assert stub.state == state
    assert stub.found.startswith(found)
    assert stub.where == "ConfigMap kube-system/coredns"
    assert bool(stub.expected and stub.fix) is (state == "broken")


def test_where_mcsdns_is_not_known() -> None:
    """A block that may be right is not called broken, nor ok."""
    stub = of(judge(facts(server(MAIN + STUB), services=())), "stub block")
    assert (stub.state, stub.fix) == ("unknown", "name mcsdns's address: --server ADDRESS[:PORT]")
    assert (
        "--service-ip <ClusterIP of mcsdns's Service>" in of(judge(facts(server(MAIN), services=())), "stub block").fix
    )


def test_platforms_that_are_named_exist() -> None:
    """The command that is to be typed is one that there is."""
    for platform in ("coredns", "rke2", "k3s", "aks", "nodelocal", "openshift", "kube-dns"):
        assert platform in PLATFORMS
        fix = of(judge(facts(server(MAIN, platform))), "stub block").fix
        assert fix.startswith(f"mcsdns wiring --for {platform} --service-ip 10.96.0.53")
    fix = of(judge(facts(server(MAIN), plan=Plan(zone="mcs.local"))), "stub block").fix
    assert fix.endswith("--zone mcs.local")


def test_a_platform_that_runs_its_dns_itself() -> None:
    """Nothing is configured in the cluster: that is not known, and not broken."""
    stub = of(judge(facts()), "stub block")
    assert stub.state == "unknown"
    assert "gke-cloud-dns" in stub.fix
    assert judge(facts()).ok


def test_stub_domains() -> None:
    """kube-dns's stub domains are judged like blocks."""
    block = Block((ZONE,), 53, (Directive(("forward", ".", "10.96.0.53")),))
    stub = of(
        judge(facts(Nameserver(kind="kube-dns", platform="kube-dns", where="x", corefile=Corefile((block,))))),
        "stub block",
    )
    assert stub.found == "kube-dns sends clusterset.local to mcsdns at 10.96.0.53:53"


def _status(zone_hash: str) -> Status:
    """Give the status of a server with one view."""
    view = ViewStatus(name="west", serial=1, hash=zone_hash, complete=True, services=1, omissions={})
    return Status(
        version="1", plane="native", zone=ZONE, ready=True, why="", started="",
        config=ConfigStatus(path="", loaded="", error=None, waiting_for_restart={}),
        listeners=(), clusters=(), views=(view,), duplicates=(),
    )  # fmt: skip


NODELOCAL = [
    # where NodeLocal DNSCache sends the zone                                     state     found
    (f"{ZONE} {{\n forward . __PILLAR__CLUSTER__DNS__\n}}", "ok", "CoreDNS sends clusterset.local on to the cluster's DNS"),
    (f"{ZONE} {{\n forward . 10.96.0.10\n}}", "ok", "CoreDNS sends clusterset.local on to the cluster's DNS"),
    (".:53 {\n forward . 10.96.0.10\n}", "ok", "CoreDNS sends clusterset.local on to the cluster's DNS"),
    (".:53 {\n forward . __PILLAR__UPSTREAM__SERVERS__\n}", "broken", "CoreDNS has no block for clusterset.local"),
    (".:53 {\n bind 10.96.0.10\n forward . 10.96.0.10\n}", "broken", "CoreDNS has no block for clusterset.local"),
]  # fmt: skip


@pytest.mark.parametrize(("corefile", "state", "found"), NODELOCAL)
def test_a_cache_on_the_node_may_ask_the_clusters_dns(corefile: str, state: str, found: str) -> None:
    """Through CoreDNS is a way as good as to mcsdns itself; back to its own address is none."""
    stub = of(judge(facts(server(corefile, "nodelocal"))), "stub block")
    assert stub.state == state
    assert stub.found.startswith(found)


RESOLVERS = [
    # dns-version over UDP                                  found
    (Reply(problem="no answer within 5 s"), "over UDP: it does not answer: no answer within 5 s"),
    (Reply(rcode="SERVFAIL"), "over UDP: it sends the zone on, but gets no answer (SERVFAIL)"),
    (Reply(rcode="NXDOMAIN", soa=""), "over UDP: somebody else answers for clusterset.local: NXDOMAIN from the zone ."),
    (
        Reply(rcode="REFUSED"),
        "over UDP: it does not send clusterset.local to mcsdns: it says REFUSED to dns-version.clusterset.local",
    ),
]


@pytest.mark.parametrize(("reply", "found"), RESOLVERS)
def test_resolvers(reply: Reply, found: str) -> None:
    """What stands at the end of a path is told from what it says."""
    report = judge(Facts(plan=Plan(zone=ZONE), resolvers=(asked("10.96.0.10:53", "the cluster's DNS", udp=reply),)))
    assert (of(report, "resolver").state, of(report, "resolver").found) == ("broken", found)
    assert not report.ok


def test_a_cached_version_hides_nothing() -> None:
    """A path whose cache answers for mcsdns is judged by the name that no cache has."""
    path = msgspec.structs.replace(asked(), fresh={"UDP": DENIED, "TCP": Reply(rcode="SERVFAIL")})
    broken = judge(Facts(plan=Plan(zone=ZONE), resolvers=(path,)))
    assert of(broken, "resolver").found.startswith("over TCP: it sends the zone on, but gets no answer")
    waiting = msgspec.structs.replace(asked(), fresh={"UDP": Reply(rcode="SERVFAIL"), "TCP": Reply(rcode="SERVFAIL")})
    assert judge(Facts(plan=Plan(zone=ZONE), servers=(waiting,), resolvers=(waiting,))).ok, (
        "mcsdns itself keeps its negatives back"
    )


NAMED = [
    # what the resolver says of the name                             link        found
    (Reply(rcode="NXDOMAIN", soa=ZONE, ttl_s=4), "cache", "a cache in front holds an old negative answer for 4 s more"),
    (Reply(rcode="NXDOMAIN"), "resolver", "something on the way answers web.shop.svc.clusterset.local in mcsdns's place"),
    (Reply(rcode="NXDOMAIN", soa="cluster.local", ttl_s=30), "resolver", "something on the way answers"),
    (Reply(rcode="SERVFAIL"), "resolver", "something on the way answers"),
]  # fmt: skip


@pytest.mark.parametrize(("reply", "link", "found"), NAMED)
def test_what_is_no_cache_is_not_called_one(reply: Reply, link: str, found: str) -> None:
    """Only what a cache of the zone can hold is one: who waits for anything else waits in vain."""
    plan = Plan(zone=ZONE, name="web.shop.svc.clusterset.local")
    direct = asked(named=Reply(rcode="NOERROR", records=("10.0.0.1",), ttl_s=5))
    report = judge(Facts(plan=plan, servers=(direct,), resolvers=(asked("10.96.0.10:53", "r", named=reply),)))
    assert report.broken is not None
    assert (report.broken.link, report.broken.found[: len(found)]) == (link, found)


def test_names_of_services_are_asked_too() -> None:
    """A way that brings dns-version, and answers the names of services itself, is broken."""
    path = msgspec.structs.replace(asked(), fresh={"UDP": Reply(rcode="REFUSED"), "TCP": Reply(rcode="REFUSED")})
    assert of(judge(Facts(plan=Plan(zone=ZONE), resolvers=(path,))), "resolver").found.startswith(
        "something on the way answers names of svc.clusterset.local in mcsdns's place: it says REFUSED"
    )


def test_a_zone_that_changes_is_not_called_different() -> None:
    """Replicas of a busy zone are seen at different moments: that is not known, and not broken."""
    status = {url: _status(url) for url in ("http://a", "http://b")}
    still = judge(Facts(plan=Plan(zone=ZONE), status=status))
    busy = judge(Facts(plan=Plan(zone=ZONE), status=status, moving=frozenset({"west"})))
    assert [of(report, "replicas").state for report in (still, busy)] == ["broken", "unknown"]


def test_an_older_answer() -> None:
    """A cache that holds other addresses than mcsdns is told from one that denies the name."""
    plan = Plan(zone=ZONE, name="web.shop.svc.clusterset.local")
    direct = asked(named=Reply(rcode="NOERROR", records=("10.0.0.1", "10.0.0.2"), ttl_s=5))
    same = asked("10.96.0.10:53", "r", named=Reply(rcode="NOERROR", records=("10.0.0.1", "10.0.0.2"), ttl_s=2))
    old = asked("10.96.0.10:53", "r", named=Reply(rcode="NOERROR", records=("10.0.0.1",), ttl_s=2))
    assert of(judge(Facts(plan=plan, servers=(direct,), resolvers=(same,))), "cache").state == "ok"
    assert of(judge(Facts(plan=plan, servers=(direct,), resolvers=(old,))), "cache").found == (
        "a cache in front holds an older answer for 2 s more: it says 10.0.0.1, and mcsdns says 10.0.0.1, 10.0.0.2"
    )


def test_what_is_only_known_in_the_cluster_is_asked_from_inside() -> None:
    """From outside, a ClusterIP is not asked; what was named is, and then nothing else."""
    found = facts(server(MAIN)).cluster
    inside = Plan(zone=ZONE, is_inside=True)
    assert list(_servers(Plan(zone=ZONE), found)) == []
    assert list(_resolvers(Plan(zone=ZONE), found, [])) == []
    assert list(_servers(inside, found)) == [(one, "Service mcsdns/mcsdns") for one in (MCSDNS, "[fd00::53]:53")]
    assert next(_resolvers(inside, found, [])) == ("10.96.0.10:53", "the cluster's DNS")
    named = Plan(zone=ZONE, servers=("10.0.0.1:5353",), resolvers=("10.0.0.2:53",), is_inside=True)
    assert list(_servers(named, found)) == [("10.0.0.1:5353", "--server")]
    assert list(_resolvers(named, found, [])) == [("10.0.0.2:53", "--resolver")]


def test_the_resolvers_of_the_node_are_not_asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A pod's resolv.conf tells what pods ask if the kubelet wrote it for the cluster's DNS; else it is said and left alone."""
    path, inside = tmp_path / "resolv.conf", Plan(zone=ZONE, is_inside=True)
    monkeypatch.setattr(import_module("mcsdns.doctor.look"), "RESOLV_CONF", path)
    unseen: list[Unseen] = []
    path.write_text(
        "search shop.svc.cluster.local svc.cluster.local cluster.local\nnameserver 10.96.0.10\noptions ndots:5\n"
    )
    assert list(_resolvers(inside, None, unseen)) == [("10.96.0.10:53", str(path))]
    assert unseen == []
    path.write_text("search example.net\nnameserver 192.0.2.1\n")
    assert list(_resolvers(inside, None, unseen)) == []
    assert [one.why for one in unseen] == ["it has the node's resolvers, not those that pods ask (dnsPolicy: Default)"]


def test_text_and_json() -> None:
    """The verdict comes first, what was not looked at last; nothing to look at is no health; JSON comes back as it was."""
    unseen = (Unseen("ConfigMap kube-system/coredns", "HTTP 403: no", "let this identity `get` it"),)
    report = judge(Facts(plan=Plan(zone=ZONE), servers=(asked(),), unseen=unseen))
    assert text(report).splitlines() == [
        "ok: every link that could be looked at holds for clusterset.local, and 1 could not be told: see ? below",
        "",
        "ok      mcsdns      mcsdns answers for clusterset.local over UDP and TCP",
        "                    where: 10.96.0.53:53 (--server)",
        "?       not looked at: ConfigMap kube-system/coredns: HTTP 403: no",
        "        do: let this identity `get` it",
    ]
    assert "\x1b[32m" in text(report, True)
    assert text(judge(Facts(plan=Plan(zone=ZONE)))).startswith("?: nothing could be looked at")
    assert msgspec.json.decode(msgspec.json.encode(report), type=Report) == report
