"""
Real DNS servers of clusters in front of mcsdns, with what `mcsdns wiring` prints: CoreDNS with the block of each platform, that of
NodeLocal among them, and dnsmasq as kube-dns runs it.

Behind mcsdns there are two member clusters with real API servers. Asked by what people ask with.
"""

from __future__ import annotations

import random
import re
import shutil
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any

import dns.flags
import pytest
import yaml

from tests import manifests
from tests.chart import rendered
from tests.e2e import clients
from tests.e2e.real import USER, Audited
from tests.e2e.server import NODATA, NXDOMAIN, Server, absolute, eventually, found, get, run
from tests.servers.process import Server as Process
from tests.servers.run import CoreDns, binary, free_port, need
from tests.unit.test_wiring import corefile_of

pytestmark = pytest.mark.servers

NAMESPACE = "wire"
ZONE = "clusterset.local"
SIZES = (60, 500, 3000)
PLATFORMS = ("coredns", "nodelocal", "aks", "k3s", "rke2", "openshift", "beside", "kube-dns")
MAIN = ".:{port} {{\n    errors\n    whoami\n}}\n"
"""What stands beside the zone's block: CoreDNS's own business."""


_import = partial(manifests.service_import, namespace=NAMESPACE)
_export = partial(manifests.service_export, namespace=NAMESPACE)
_native = partial(manifests.native_slice, namespace=NAMESPACE)
_imported = partial(manifests.imported_slice, namespace=NAMESPACE)


def addresses(size: int) -> list[str]:
    """Give the addresses of a headless service with this many endpoints."""
    return [f"10.20.{number // 250}.{number % 250 + 1}" for number in range(size)]


class Wired:
    """mcsdns with its member clusters, and what stands before it."""

    def __init__(self, folder: Path, stack: ExitStack) -> None:
        self.members = [Audited(name, folder / name) for name in ("east", "west")]
        self.folder = folder
        self.port = free_port()
        self._stack = stack

    def start(self) -> None:
        """Start the clusters, fill them, start mcsdns."""
        for one in self.members:
            self._stack.callback(shutil.rmtree, one.cluster.etcd.data_path, ignore_errors=True)
            self._stack.callback(one.kill)
        with ThreadPoolExecutor() as pool:
            list(pool.map(Audited.start, self.members))
        east, west = self.members
        west.apply(manifests.cluster_property("west.eu"))
        east.apply(
            _import("web", ips=["10.0.0.1"], ports=["http 80/TCP"]),
            _import("db", headless=True, ports=["pg 5432/TCP"]),
            _export("db"),
            _native("db", "db-0=10.1.0.1", "db-1=10.1.0.2", ports=["pg 5432/TCP"]),
        )
        west.apply(_export("db"), _native("db", "db-0=10.2.0.1", ports=["pg 5432/TCP"]))
        for size in SIZES:
            east.apply(_import(f"many-{size}", headless=True))
            for start in range(0, size, 1000):
                some = addresses(size)[start : start + 1000]
                east.apply(_imported(f"many-{size}", "north", *some, name=f"many-{size}-{start}"))
        listen = [{"address": f"127.0.0.1:{self.port}"}]
        self.server = Server(self.folder, [one.member() for one in self.members], listen=listen)
        self._stack.enter_context(self.server)

    def counted(self, **labels: str) -> int:
        """Give how many queries mcsdns has answered that have these labels. Its own probes and health checks ask for NS."""
        return _total(self.server.admin("/metrics").text, "mcsdns_dns_requests_total", labels)

    def wiring(self, platform: str, *arguments: str) -> str:
        """Print the snippet of a platform by the command."""
        here = ("--service-ip", "127.0.0.1", "--service-port", str(self.port))
        done = run("wiring", "--for", platform, *here, *arguments)
        assert done.returncode == 0, done.stderr
        return done.stdout


class Front(CoreDns):
    """CoreDNS with the snippet of a platform, with its own metrics on a free port; `metrics` reads them."""

    def __init__(self, wired: Wired, platform: str, folder: Path) -> None:
        super().__init__("", folder, name=platform)
        self.metrics_port = free_port()
        port = str(self.port)
        match platform:
            case "coredns":
                text = MAIN.format(port=port) + wired.wiring(platform, "--listen-port", port)
            case "nodelocal":
                local = ("--listen-port", port, "--bind", "127.0.0.1")
                text = MAIN.format(port=port) + wired.wiring(platform, *local)
            case "aks" | "k3s":
                custom = folder / "custom"
                custom.mkdir()
                for name, content in yaml.safe_load(wired.wiring(platform, "--listen-port", port))["data"].items():
                    (custom / name).write_text(
                        self._moved(content).replace("errors\n", "errors\n        bind 127.0.0.1\n")
                    )
                text = MAIN.format(port=port) + f"import {custom}/*.server\n"
            case "rke2":
                values = yaml.safe_load(yaml.safe_load(wired.wiring(platform))["spec"]["valuesContent"])
                text = MAIN.format(port=port) + corefile_of(values["servers"][1] | {"port": port})
            case "openshift":
                (server,) = yaml.safe_load(wired.wiring(platform))["spec"]["servers"]
                text = MAIN.format(port=port) + _operators(server, port)
            case "beside":
                # Nothing here goes to the machine's own resolver; `loop` would ask there.
                text = wired.wiring(platform, "--listen-port", port).replace("    loop\n", "")
                text = text.replace("forward . /etc/resolv.conf", "whoami")
        self.corefile_text = self._moved(text)

    def metrics(self) -> str:
        """Give CoreDNS's own metrics."""
        return get(f"http://127.0.0.1:{self.metrics_port}/metrics").text

    def _moved(self, text: str) -> str:
        """Put its metrics on a free port: those of the snippet may be taken on this machine."""
        return re.sub(r"prometheus \S*:9[12]53", f"prometheus 127.0.0.1:{self.metrics_port}", text)


class Dnsmasq(Process):
    """dnsmasq with the flags that kube-dns starts it with, and its `stubDomains` as kube-dns writes them."""

    def __init__(self, wired: Wired, folder: Path) -> None:
        super().__init__("dnsmasq", folder)
        self.port = free_port()
        stub = run("wiring", "--for", "kube-dns", "--service-ip", "127.0.0.1")
        ((zone, upstreams),) = yaml.safe_load(yaml.safe_load(stub.stdout)["data"]["stubDomains"]).items()
        self._servers = [f"--server=/{zone}/{upstream}#{wired.port}" for upstream in upstreams]

    def command(self) -> list[str]:
        """Run it as kube-dns's dnsmasq-nanny does, on a free port."""
        return [
            need("dnsmasq"), "--keep-in-foreground", "--cache-size=1000", "--no-negcache", "--dns-loop-detect", "--log-facility=-",
            *self._servers, "--no-resolv", "--no-hosts", "--conf-file=/dev/null", f"--port={self.port}", "--listen-address=127.0.0.1",
            "--bind-interfaces", "--user=", "--pid-file=",
        ]  # fmt: skip

    def is_ready(self) -> bool:
        """Ask for the zone's SOA."""
        return "SOA" in clients.nslookup(self.port, ZONE, "SOA") or bool(clients.dig(self.port, ZONE, "-t", "SOA"))


@pytest.fixture(scope="module")
def wired(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Wired]:
    """Two member clusters and mcsdns, for all tests of this file."""
    for name in ("etcd", "kube-apiserver", "coredns", "resolve"):
        binary(name)
    with ExitStack() as stack:
        made = Wired(tmp_path_factory.mktemp("wired"), stack)
        made.start()
        yield made


@pytest.fixture(scope="module")
def front(wired: Wired, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Front]:
    """CoreDNS with the block that is shipped."""
    with Front(wired, "coredns", tmp_path_factory.mktemp("coredns")) as made:
        yield made


@pytest.mark.parametrize("platform", PLATFORMS)
def test_each_platform(wired: Wired, tmp_path: Path, platform: str) -> None:
    """Through what the platform has: addresses, services, what is not there and what has no such type, over UDP and TCP, twice."""
    made: Process = Dnsmasq(wired, tmp_path) if platform == "kube-dns" else Front(wired, platform, tmp_path)
    with made as before:
        through = ("127.0.0.1", getattr(before, "port"))  # noqa: B009 - both have one, and no common type
        for tcp in (False, True):
            for _ in ("cold", "warm"):
                ask = _asking(wired, through, tcp)
                assert ask("web") == found("10.0.0.1")
                assert ask("web", "AAAA") == NODATA
                assert ask("db") == found("10.1.0.1", "10.1.0.2", "10.2.0.1")
                assert ask("db-0.west.eu.db") == found("10.2.0.1")
                assert ask("_http._tcp.web", "SRV") == found(f"0 100 80 web.{NAMESPACE}.svc.{ZONE}.")
                assert ask("nosuch") == NXDOMAIN
        assert "plugin/loop" not in before.log_tail(1000)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize(
    "ask", [clients.dig, clients.kdig, clients.by_nslookup, clients.by_go], ids=["dig", "kdig", "nslookup", "go"]
)
def test_many_endpoints(front: Front, ask: clients.Client, size: int) -> None:
    """Every client finds all endpoints, over TCP where they do not fit into UDP."""
    assert ask(front.port, _name(f"many-{size}")) == sorted(addresses(size))


def test_dig_and_kdig(front: Front) -> None:
    """Over UDP and TCP, with EDNS and without."""
    for ask in (clients.dig, clients.kdig):
        for options in ((), ("+tcp",), ("+noedns",), ("+bufsize=4096",)):
            assert ask(front.port, _name("db"), *options) == ["10.1.0.1", "10.1.0.2", "10.2.0.1"]
            assert ask(front.port, _name("_pg._tcp.db"), "-t", "SRV", *options) == [
                f"0 100 5432 {_name(host)}" for host in ("db-0.east.db", "db-0.west.eu.db", "db-1.east.db")
            ]


def test_nslookup_as_the_conformance_suite_reads_it(front: Front) -> None:
    """A service has exactly one SRV; a headless one has one for each pod, whose name it begins with; each pod has its address."""
    name = _name("web").rstrip(".")
    assert "10.0.0.1" in clients.nslookup(front.port, name)
    assert clients.services_of(clients.nslookup(front.port, name, "SRV")) == [(80, name)]
    headless = _name("db").rstrip(".")
    assert clients.addresses_of(clients.nslookup(front.port, headless)) == ["10.1.0.1", "10.1.0.2", "10.2.0.1"]
    services = clients.services_of(clients.nslookup(front.port, headless, "SRV"))
    assert [(port, target.partition(".")[0]) for port, target in services] == [
        (5432, "db-0"),
        (5432, "db-0"),
        (5432, "db-1"),
    ]
    for _, target in services:
        (address,) = clients.addresses_of(clients.nslookup(front.port, target))
        assert (
            address
            == {"db-0.east": "10.1.0.1", "db-1.east": "10.1.0.2", "db-0.west": "10.2.0.1"}[
                ".".join(target.split(".")[:2])
            ]
        )
    assert "NXDOMAIN" in clients.nslookup(front.port, _name("nosuch").rstrip("."))


def test_go(front: Front) -> None:
    """Go's resolver: hosts, SRV, and a name that does not exist is said to be none."""
    assert clients.go(front.port, "host", _name("db"))["hosts"] == ["10.1.0.1", "10.1.0.2", "10.2.0.1"]
    assert clients.go(front.port, "srv", _name("web"))["srv"] == [f"0 100 80 {_name('web')}"]
    assert clients.go(front.port, "host", _name("nosuch"))["not_found"]


def test_glibc_and_python(wired: Wired, tmp_path: Path) -> None:
    """getaddrinfo, by Python and by getent, through a resolv.conf: one address, all of them, over TCP too, and none."""
    if not clients.is_root():
        pytest.skip("this machine lets nobody but root listen on port 53 and mount a resolv.conf")
    address = f"127.53.{random.randint(1, 254)}.{random.randint(1, 254)}"
    before = Front(wired, "coredns", tmp_path)
    before.corefile_text = before.corefile_text.replace(f":{before.port} {{", f":53 {{\n    bind {address}")
    before.corefile_text += f".:{before.port} {{\n    whoami\n}}\n"  # answers whoever waits for the start
    with before:
        libc = clients.Libc(tmp_path, address)
        for ask in (libc.getaddrinfo, libc.getent):
            assert ask(_name("web")) == ["10.0.0.1"]
            assert ask(_name("db")) == ["10.1.0.1", "10.1.0.2", "10.2.0.1"]
            assert ask(_name("many-500")) == sorted(addresses(500))
        assert libc.getaddrinfo(_name("nosuch")) == "no such name"


def test_truncation(wired: Wired, front: Front) -> None:
    """What does not fit into UDP is truncated on the whole way, and whole over TCP; what fits is not."""
    through = ("127.0.0.1", front.port)
    for size, payload, is_truncated in ((60, 1232, False), (60, 512, True), (500, 1232, True), (3000, 4096, True)):
        small = wired.server.response(f"many-{size}.{NAMESPACE}.svc", at=through, payload=payload)
        assert bool(small.flags & dns.flags.TC) is is_truncated, (size, payload)
        whole = wired.server.ask(f"many-{size}.{NAMESPACE}.svc", at=through, tcp=True)
        assert whole == found(*addresses(size))


def test_spelling(wired: Wired, front: Front) -> None:
    """The question comes back as it was spelled (0x20), from mcsdns and from the cache, and the answer is the same."""
    through = ("127.0.0.1", front.port)
    for name in (f"wEb.{NAMESPACE}.SvC", f"WeB.{NAMESPACE}.sVc", f"web.{NAMESPACE}.svc"):
        response = wired.server.response(name, at=through)
        assert response.question[0].name.to_text() == absolute(name).to_text()
        assert [rdata.to_text() for rrset in response.answer for rdata in rrset] == ["10.0.0.1"]


def test_a_warm_cache_asks_once(wired: Wired, tmp_path: Path) -> None:
    """Within the TTL CoreDNS answers by itself, what is there and what is not."""
    with Front(wired, "coredns", tmp_path) as cold:
        ask = _asking(wired, ("127.0.0.1", cold.port), False)
        for name, answer in (("web", found("10.0.0.1")), ("nosuch", NXDOMAIN)):
            before = wired.counted(type="A")
            assert [ask(name) for _ in range(20)] == [answer] * 20
            # One of a hundred at most: `serve_stale` and prefetching are not at work within the TTL.
            assert wired.counted(type="A") - before == 1
        assert _total(cold.metrics(), "coredns_cache_hits_total", {"type": "success"}) == 19
        assert _total(cold.metrics(), "coredns_cache_hits_total", {"type": "denial"}) == 19


def test_a_negative_answer_is_kept_for_five_seconds(wired: Wired, front: Front) -> None:
    """A service that is imported after somebody asked for it appears once the SOA's TTL is over; not before, not long after."""
    ask = _asking(wired, ("127.0.0.1", front.port), False)
    assert ask("late") == NXDOMAIN
    wired.members[0].apply(_import("late", ips=["10.0.0.9"]))
    eventually(lambda: wired.server.ask(f"late.{NAMESPACE}.svc"), found("10.0.0.9"))
    assert ask("late") == NXDOMAIN
    assert 2 < eventually(lambda: ask("late"), found("10.0.0.9"), 8) <= 8


def test_nodelocal_asks_over_tcp_and_finds_no_loop(wired: Wired, tmp_path: Path) -> None:
    """`force_tcp`: nothing reaches mcsdns over UDP. Its `loop` asks for a name of the zone that nobody has, and goes on."""
    before, loops = wired.counted(proto="udp", type="A"), wired.counted(type="other")
    with Front(wired, "nodelocal", tmp_path) as local:
        ask = _asking(wired, ("127.0.0.1", local.port), False)
        tcp = wired.counted(proto="tcp", type="A")
        assert ask("db") == found("10.1.0.1", "10.1.0.2", "10.2.0.1")
        assert wired.counted(proto="tcp", type="A") == tcp + 1
        eventually(lambda: wired.counted(type="other") > loops, True, 5)
        assert local.is_running
        assert "Loop" not in local.log_tail(1000)
    assert wired.counted(proto="udp", type="A") == before


def test_the_health_check_brings_a_restarted_server_back(wired: Wired, tmp_path: Path) -> None:
    """CoreDNS notices that mcsdns is gone, asks `. NS` until it is back, takes REFUSED for health, and goes on."""
    with Front(wired, "coredns", tmp_path) as before:
        ask = _asking(wired, ("127.0.0.1", before.port), False)
        assert ask("web") == found("10.0.0.1")
        wired.server.kill()
        try:
            eventually(lambda: ask("db").rcode, "SERVFAIL", 5)
            failures = "coredns_proxy_healthcheck_failures_total"
            eventually(lambda: _total(before.metrics(), failures, {"to": f"127.0.0.1:{wired.port}"}) > 0, True, 5)
            assert ask("web") == found("10.0.0.1"), "serve_stale"
        finally:
            wired.server.start()
        # SERVFAIL is cached for 5 s.
        eventually(lambda: ask("db"), found("10.1.0.1", "10.1.0.2", "10.2.0.1"), 8)


def test_one_for_all_as_the_chart_configures_it(wired: Wired, tmp_path: Path) -> None:
    """Mode central: the chart's own configuration, with kubeconfigs where Secrets are mounted; each member's port has its view."""
    for number, one in enumerate(wired.members, 1):
        one.apply(_import("own", ips=[f"10.0.9.{number}"]))
    members = [{"name": one.name, "port": free_port(), "secret": one.name} for one in wired.members]
    (found_map,) = [one for one in rendered({"mode": "central", "members": members}) if one["kind"] == "ConfigMap"]
    text = found_map["data"]["mcsdns.yaml"].replace("0.0.0.0:9153", "127.0.0.1:0").replace("0.0.0.0", "127.0.0.1")
    settings = yaml.safe_load(text.replace("/etc/mcsdns-members", str(tmp_path)))
    for one in wired.members:
        one.cluster.kubeconfig(USER, tmp_path / one.name / "kubeconfig")
    with Server(tmp_path, **settings | {"lameduck_s": 0}) as server:
        for number, member in enumerate(members, 1):
            with Front(wired, "coredns", tmp_path) as before:
                before.corefile_text = before.corefile_text.replace(f":{wired.port} ", f":{member['port']} ")
                before.restart()
                ask = _asking(wired, ("127.0.0.1", before.port), False)
                assert ask("own") == found(f"10.0.9.{number}")
                # West does not import it.
                assert ask("db") == (
                    found("10.1.0.1", "10.1.0.2", "10.2.0.1") if member["name"] == "east" else NXDOMAIN
                )
        assert {one["state"] for one in server.admin("/status").json["clusters"]} == {"synced"}


def test_metrics_have_the_names_labels_and_buckets_of_this_coredns(wired: Wired, front: Front) -> None:
    """What mcsdns exposes under CoreDNS's names is what CoreDNS exposes: kind, labels, bounds of buckets."""
    _asking(wired, ("127.0.0.1", front.port), False)("web")
    theirs, ours = _shapes(front.metrics()), _shapes(wired.server.admin("/metrics").text)
    shared = {name for name in ours if name.startswith("coredns_dns_")} | {"coredns_panics_total"}
    assert len(shared) == 6
    for name in shared:
        assert ours[name] == theirs[name], name


def _asking(wired: Wired, through: tuple[str, int], tcp: bool) -> Any:
    """Give a function that asks for names of the namespace."""
    return lambda name, qtype="A": wired.server.ask(f"{name}.{NAMESPACE}.svc", qtype, at=through, tcp=tcp)._replace(
        ede=()
    )


def _name(below: str) -> str:
    return f"{below}.{NAMESPACE}.svc.{ZONE}."


def _operators(server: dict[str, Any], port: str) -> str:
    """Write a server block as OpenShift's DNS operator does (its Corefile template), with the defaults of its API."""
    plugin = server["forwardPlugin"]
    return f"""
# {server["name"]}
{" ".join(f"{zone}:{port}" for zone in server["zones"])} {{
    prometheus 127.0.0.1:9153
    forward . {" ".join(plugin["upstreams"])} {{
        policy {plugin["policy"].lower()}
    }}
    errors
    log . {{
        class error
    }}
    bufsize 1232
    cache 900 {{
        denial 9984 30
    }}
}}
"""


def _total(text: str, name: str, labels: dict[str, str]) -> int:
    """Add up the samples of a metric that have these labels."""
    samples = re.findall(rf"^{name}\{{(.*)\}} (\S+)$", text, re.MULTILINE)
    wanted = {f'{label}="{value}"' for label, value in labels.items()}
    return sum(int(float(value)) for found, value in samples if wanted <= set(re.findall(r'\w+="[^"]*"', found)))


def _shapes(text: str) -> dict[str, tuple[str, frozenset[str], tuple[float, ...]]]:
    """Give kind, labels and bounds of each metric's first sample."""
    kinds = dict(re.findall(r"^# TYPE (\S+) (\S+)$", text, re.MULTILINE))
    shapes = {}
    for name, kind in kinds.items():
        samples = re.findall(rf"^{name}(?:_bucket)?(?:\{{(.*)\}})? \S+$", text, re.MULTILINE)
        labels = frozenset(re.findall(r'(\w+)="', samples[0])) if samples else frozenset()
        bounds = sorted({float(bound) for sample in samples for bound in re.findall(r'le="([^"]+)"', sample)})
        shapes[name] = (kind, labels, tuple(bounds))
    return shapes
