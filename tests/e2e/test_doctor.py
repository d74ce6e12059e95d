"""
`mcsdns doctor` and `mcsdns explain` against set-ups that are broken on purpose: real API servers, real CoreDNS, and the sentence
that a person reads first.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, closing
from pathlib import Path
from subprocess import CompletedProcess

import pytest
import yaml

from tests.e2e.hospital import Config, Front, Hospital, UdpOnly, is_told
from tests.e2e.hospital import dns as dns_of
from tests.e2e.real import CHECKER
from tests.e2e.server import NXDOMAIN, ZONE, Answer, complaints, eventually, found, run
from tests.manifests import service_import
from tests.servers.run import CoreDns, StartError, binary, free_port
from tests.servers.tools import need

pytestmark = pytest.mark.servers

DOCUMENT = Path(__file__).parents[2] / "docs" / "doctor.md"

WELL = "ok: every link that could be looked at holds for clusterset.local"
STUB = """\
clusterset.local:{port} {
    errors
    cache 30 {
        denial 9984 5
    }
    forward . {mcsdns} {
        max_concurrent 1000
    }
}
"""
NODELOCAL = """\
cluster.local:53 {
    bind 169.254.20.10 10.96.0.10
    forward . __PILLAR__CLUSTER__DNS__ {
        force_tcp
    }
}
.:53 {
    bind 169.254.20.10 10.96.0.10
    forward . __PILLAR__UPSTREAM__SERVERS__
}
"""


@pytest.fixture(scope="module")
def hospital(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hospital]:
    """The clusters and servers, for all tests of this file."""
    for name in ("etcd", "kube-apiserver", "coredns"):
        binary(name)
    with ExitStack() as stack:
        made = Hospital(tmp_path_factory.mktemp("hospital"), stack)
        made.start()
        yield made


def told(done: CompletedProcess[str], code: int = 1) -> tuple[str, str]:
    """Give the first line, and what to do."""
    assert done.returncode == code, done.stdout + done.stderr
    assert complaints(done.stderr) == ""
    first, do, *_ = done.stdout.splitlines()
    return first, do.removeprefix("do: ")


def _pairs(done: CompletedProcess[str]) -> list[tuple[str, str]]:
    return [
        (link, state)
        for state, link in re.findall(r"^(ok|BROKEN|\?) +(stub block|[a-z]+)  ", done.stdout, re.MULTILINE)
    ]


def test_all_is_well(hospital: Hospital, tmp_path: Path) -> None:
    """Every link holds: exit code 0, and nothing is said to be broken."""
    with Front(hospital, tmp_path, STUB) as front:
        done = hospital.doctor(*hospital.kubeconfig, *front.resolver, "--name", f"web.shop.svc.{ZONE}")
    first, _ = told(done, 0)
    assert first == WELL
    assert "BROKEN" not in done.stdout
    links = ["api", "mcsdns", "clusters", "stub block", "resolver", "name", "cache"]
    assert [link for link, state in _pairs(done)[: len(links)]] == links
    assert (
        f"CoreDNS sends clusterset.local to mcsdns at {dns_of(hospital.well)}, keeps answers for 30 s at most"
        in done.stdout
    )


def test_no_stub_block(hospital: Hospital, tmp_path: Path) -> None:
    """The Corefile lacks the block: that comes first, with the command that prints it, and not what follows from it."""
    with Front(hospital, tmp_path) as front:
        first, do = told(done := hospital.doctor(*hospital.kubeconfig, *front.resolver))
        port = front.port
    assert first == (
        "BROKEN at stub block: CoreDNS has no block for clusterset.local: the zone goes where all other names go, and does not resolve"
    )
    host, _, at = dns_of(hospital.well).partition(":")
    assert do == f"mcsdns wiring --for coredns --service-ip {host} --service-port {at} --listen-port {port}"
    assert dict(_pairs(done))["resolver"] == "BROKEN"


def test_what_doctor_says_to_do_mends_it(hospital: Hospital, tmp_path: Path) -> None:
    """The command that it names prints the block that was missing: with it, every link holds."""
    with Front(hospital, tmp_path / "before") as front:
        _, do = told(hospital.doctor(*hospital.kubeconfig, *front.resolver))
        port = front.port

    block = run(*do.split()[1:]).stdout.replace("prometheus :9153", "")
    front = Front(hospital, tmp_path / "after", block)
    front.corefile_text = front.corefile_text.replace(str(front.port), str(port))
    front.port = port
    with front:
        eventually(lambda: hospital.doctor(*front.resolver).returncode, 0, 10)


def test_without_a_kubeconfig_the_answers_tell(hospital: Hospital, tmp_path: Path) -> None:
    """Where the Corefile may not be read, the path says that somebody else answers, and doctor that it has not seen the Corefile."""
    with Front(hospital, tmp_path) as front:
        first, do = told(done := hospital.doctor(*front.resolver))
    assert first.startswith("BROKEN at resolver: it does not send clusterset.local to mcsdns")
    assert "mcsdns wiring --for PLATFORM" in do
    assert (
        "not looked at: the cluster's DNS configuration: this does not run in a pod, and no --kubeconfig is given"
        in done.stdout
    )


def test_wrong_service_ip(hospital: Hospital, tmp_path: Path) -> None:
    """The block forwards to an address where mcsdns is not."""
    nobody = f"127.0.0.1:{free_port()}"
    with Front(hospital, tmp_path, STUB.replace("{mcsdns}", nobody)) as front:
        first, do = told(done := hospital.doctor(*hospital.kubeconfig, *front.resolver))
    at = dns_of(hospital.well)
    assert first == f"BROKEN at stub block: CoreDNS sends clusterset.local to {nobody}, and mcsdns is at {at}"
    assert do.startswith("mcsdns wiring --for coredns --service-ip 127.0.0.1")
    assert "it sends the zone on, but gets no answer (SERVFAIL)" in done.stdout


def test_udp_only(hospital: Hospital, tmp_path: Path) -> None:
    """TCP does not get through to mcsdns: it is said so, and what is lost by it, though every small answer arrives."""
    with UdpOnly(*hospital.well.addresses[0]) as half:
        at = f"127.0.0.1:{half.port}"
        with Front(hospital, tmp_path, STUB.replace("{mcsdns}", at)) as front:
            known = ("--server", at, "--admin", hospital.well.admin_url)
            first, do = told(done := hospital.doctor(*known, *hospital.kubeconfig, *front.resolver, well=False))
    assert first == (
        "BROKEN at mcsdns: mcsdns answers over UDP, but not over TCP (Connection refused):"
        " answers that do not fit into UDP, and all of NodeLocal DNSCache's, are lost"
    )
    assert do.startswith("open TCP beside UDP on the whole way")
    assert "over TCP: it sends the zone on, but gets no answer (SERVFAIL)" in done.stdout


def test_nodelocal_without_the_block(hospital: Hospital, tmp_path: Path) -> None:
    """CoreDNS has the block, NodeLocal DNSCache has not: pods ask that one first."""
    with Front(hospital, tmp_path, STUB) as front, Config(hospital, "node-local-dns", Corefile=NODELOCAL):
        first, do = told(done := hospital.doctor(*hospital.kubeconfig, *front.resolver))
    assert first == (
        "BROKEN at stub block: NodeLocal DNSCache has no block for clusterset.local: the zone goes where all other names go, and does"
        " not resolve"
    )
    assert do.startswith("mcsdns wiring --for nodelocal --service-ip 127.0.0.1")
    assert do.endswith("--bind 169.254.20.10 --bind 10.96.0.10")
    assert "ok      stub block  CoreDNS sends clusterset.local to mcsdns" in done.stdout


def test_stub_block_for_another_zone(hospital: Hospital, tmp_path: Path) -> None:
    """Somebody wired another zone than the one that is served."""
    with Front(hospital, tmp_path, STUB.replace("clusterset.local", "mcs.local")) as front:
        first, do = told(hospital.doctor(*hospital.kubeconfig, *front.resolver))
    assert first == "BROKEN at stub block: CoreDNS sends mcs.local to mcsdns, and has no block for clusterset.local"
    assert do.startswith("write clusterset.local for mcs.local in the block")


def test_loop(hospital: Hospital, tmp_path: Path) -> None:
    """The block sends the zone back to CoreDNS itself."""
    with Front(hospital, tmp_path, STUB.replace("{mcsdns}", "127.0.0.1:{port}").replace("1000", "20")) as front:
        first, _ = told(hospital.doctor(*hospital.kubeconfig, *front.resolver))
        at = f"127.0.0.1:{front.port}"
    assert first == f"BROKEN at stub block: CoreDNS sends clusterset.local back to itself at {at}: a loop"


def test_immutable_corefile(hospital: Hospital, tmp_path: Path) -> None:
    """A ConfigMap that nobody can edit is said to be that, with the way around."""
    with Front(hospital, tmp_path, immutable=True) as front:
        first, do = told(hospital.doctor(*hospital.kubeconfig, *front.resolver))
    assert first.startswith("BROKEN at stub block: CoreDNS is immutable, and has no block for clusterset.local")
    assert do.startswith(
        "delete the ConfigMap and create it anew with the block, where the platform lets you (docs/wiring.md)"
    )


def test_the_operator_of_openshift(hospital: Hospital) -> None:
    """On OpenShift it is the operator that must be told; once it is, that link holds."""
    kubeconfig = ("--kubeconfig", str(hospital.bare.kubeconfig()))
    operator = {"apiVersion": "operator.openshift.io/v1", "kind": "DNS", "metadata": {"name": "default"}}
    with closing(hospital.bare.client()) as api:
        api.apply(operator | {"spec": {}})
        done = hospital.doctor(*kubeconfig, "--output", "json")
        forward = {"upstreams": [dns_of(hospital.well)]}
        api.apply(operator | {"spec": {"servers": [{"name": "mcsdns", "zones": [ZONE], "forwardPlugin": forward}]}})
        mended = hospital.doctor(*kubeconfig)
    (stub,) = [one for one in json.loads(done.stdout)["findings"] if one["link"] == "stub block"]
    assert stub["state"] == "broken"
    assert stub["found"].startswith("the DNS operator has no block for clusterset.local")
    assert stub["where"] == "DNS default of operator.openshift.io"
    assert stub["fix"].startswith("mcsdns wiring --for openshift --service-ip 127.0.0.1")
    assert dict(_pairs(mended))["stub block"] == "ok"


def test_crd_absent(hospital: Hospital) -> None:
    """A cluster without the CRDs can import nothing: that comes before its DNS."""
    first, do = told(hospital.doctor("--kubeconfig", str(hospital.bare.kubeconfig())))
    assert first == (
        "BROKEN at api: the API server serves no ServiceImports: the CRDs of the Multi-Cluster Services API are not installed"
    )
    assert do.startswith("install the CRDs of sigs.k8s.io/mcs-api (config/crd)")


def test_a_service_without_tcp(hospital: Hospital, tmp_path: Path) -> None:
    """Port 53 of mcsdns's Service is there over UDP alone."""
    made = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"namespace": "mcsdns", "name": "mcsdns", "labels": {"app.kubernetes.io/name": "mcsdns"}},
        "spec": {"ports": [{"name": "dns", "port": 53, "protocol": "UDP", "targetPort": 5353}]},
    }
    hospital.west.apply(json.dumps(made))
    try:
        first, _ = told(done := hospital.doctor(*hospital.kubeconfig))
    finally:
        hospital.west.delete(json.dumps(made))
    assert first == "BROKEN at service: port 53 of it is not there over TCP"
    assert "where: Service mcsdns/mcsdns" in done.stdout


def test_rbac_missing(hospital: Hospital) -> None:
    """A cluster that does not let mcsdns read is named, with the resources and the role to bind."""
    eventually(lambda: "may not read" in hospital.doctor(server=hospital.refused).stdout, True, 15)
    first, do = told(hospital.doctor(server=hospital.refused))
    assert first.startswith(
        "BROKEN at clusters: mcsdns may not read serviceimports, serviceexports, endpointslices, clusterproperties in east (HTTP 403: "
    )
    assert do.startswith("apply deploy/rbac.yaml in east and bind its role to mcsdns's identity")


def test_cluster_unsynced(hospital: Hospital) -> None:
    """A cluster that was never heard is named, and so is what it does to names that are not found."""
    first, do = told(hospital.doctor(server=hospital.deaf))
    assert re.fullmatch(
        r"BROKEN at clusters: east has not been heard for \d+ s \(.*cannot connect to 127.0.0.1:\d+.*\): what is not found is SERVFAIL",
        first,
    ), first
    assert do.startswith("see that mcsdns reaches the API server of east; `mcsdns check`")
    name = f"db.nowhere.svc.{ZONE}"

    lines = run("explain", name, "--admin", hospital.deaf.admin_url).stdout.splitlines()
    assert lines[0] == "SERVFAIL: the name is not found, and may be in a cluster that has not been heard whole: east"
    assert ";; CHAIN, broken at: clusters" in lines


def test_cluster_stale(hospital: Hospital) -> None:
    """A cluster that was lost is named, and that what it last said is served."""
    is_told(hospital.stale, "stale")
    first, _ = told(done := hospital.doctor("--name", f"new.shop.svc.{ZONE}", server=hospital.stale))
    assert re.fullmatch(r"BROKEN at clusters: east is stale for \d+ s \(.*\): what it last said is served", first), (
        first
    )
    assert re.search(
        r"^\?  +clusters  east is stale for \d+ s .*: what it last said is served", done.stdout, re.MULTILINE
    )


def test_replicas_disagree(hospital: Hospital) -> None:
    """Two replicas that hold different records are told apart, by their hashes and by what they answer."""
    other = ("--server", dns_of(hospital.alone), "--admin", hospital.alone.admin_url)
    first, do = told(done := hospital.doctor(*other, "--name", f"db-0.east.db.shop.svc.{ZONE}"))
    hashes = [one.admin("/status").json["views"][0]["hash"] for one in (hospital.well, hospital.alone)]
    assert first == (
        "BROKEN at replicas: replicas hold different records for the view west: by mcsdns_zone_hash,"
        f" {hospital.well.admin_url} has {hashes[0]}, {hospital.alone.admin_url} has {hashes[1]}"
    )
    assert do.startswith("compare their configurations and /status")
    assert f"{dns_of(hospital.well)} says 10.1.0.1, {dns_of(hospital.alone)} says NXDOMAIN" in done.stdout


NAMES = [
    #  what is wrong              name                     type   broken at    the cause, in full
    ("not exported", "internal.shop", "A", "exported",
     "shop/internal is a Service in east, but it is not exported: no cluster holds a ServiceExport of it"),
    ("exported, not imported", "late.shop", "A", "imported",
     "shop/late is exported by east, but no cluster holds its ServiceImport: no controller has created it"),
    ("no ready endpoint", "queue.shop", "A", "ready",
     "the headless service shop/queue has no ready endpoint in any cluster; left out: 1 not ready"),
    ("wrong cluster id", "db-0.est.db.shop", "A", "name", "est is no cluster id with a ready endpoint of shop/db"),
    ("unnamed port", "_8080._tcp.plain.shop", "SRV", "name",
     "the port 8080/tcp of shop/plain is unnamed, and an unnamed port has no SRV name of its own"),
    ("ClusterSet IP pending", "pending.shop", "A", "addresses", "the import of shop/pending has no valid address yet"),
    ("no such service", "wbe.shop", "A", "exported",
     "no cluster holds a ServiceImport, a ServiceExport or an EndpointSlice of shop/wbe"),
]  # fmt: skip


@pytest.mark.parametrize(("name", "rr_type", "broken", "cause"), [pytest.param(*one[1:], id=one[0]) for one in NAMES])
def test_names(hospital: Hospital, name: str, rr_type: str, broken: str, cause: str) -> None:
    """Explain and doctor name the same first broken link, in the same words."""
    done = hospital.explain(name, rr_type)
    outcome, _, said = done.stdout.splitlines()[0].partition(": ")
    assert said == cause
    assert f";; CHAIN, broken at: {broken}" in done.stdout.splitlines()
    assert done.returncode == (0 if outcome == "NODATA" else 1)
    first, do = told(hospital.doctor("--name", f"{name}.svc.{ZONE}"))
    assert first == f"BROKEN at {broken}: {cause}"
    assert do


def test_namespace_absent_in_the_consumer(hospital: Hospital) -> None:
    """East exports from a namespace that west has not: doctor looks, explain asks."""
    done = hospital.explain("web.lonely")
    assert done.stdout.splitlines()[0] == (
        "NXDOMAIN: lonely/web is exported by east, but no cluster holds its ServiceImport: no controller has created it"
    )
    hints = done.stdout.partition(";; HINTS\n")[2].splitlines()
    assert hints[0].startswith("west holds nothing of the namespace lonely: does it exist there?")
    first, do = told(hospital.doctor(*hospital.kubeconfig, "--name", f"web.lonely.svc.{ZONE}"))
    assert (
        first
        == "BROKEN at namespace: the namespace lonely does not exist in this cluster: nothing can be imported into it"
    )
    assert do == "kubectl create namespace lonely"


def test_wrong_zone_suffix(hospital: Hospital) -> None:
    """Who asks for the name with .cluster.local is told the name that exists."""
    first, do = told(hospital.doctor("--name", "web.shop.svc.cluster.local"))
    assert first == "BROKEN at zone: web.shop.svc.cluster.local. is not within the zone clusterset.local."
    assert do == f"the full name is web.shop.svc.{ZONE}."


def test_a_cache_holds_an_old_negative(hospital: Hospital, tmp_path: Path) -> None:
    """Somebody asked too early: mcsdns has the name, CoreDNS still denies it, and doctor says for how long."""
    name = f"early.shop.svc.{ZONE}"

    def ask(at: int | tuple[str, int]) -> Answer:
        return hospital.well.ask(f"{name}.", at=at)._replace(ede=())

    with Front(hospital, tmp_path, STUB) as front:
        through = ("127.0.0.1", front.port)
        assert ask(through) == NXDOMAIN
        hospital.west.apply(service_import("early", ips=["10.42.0.9"], namespace="shop"))
        eventually(lambda: ask(0), found("10.42.0.9"), 2)
        first, do = told(hospital.doctor(*front.resolver, "--name", name))
        assert re.fullmatch(
            r"BROKEN at cache: a cache in front holds an old negative answer for [1-5] s more:"
            r" it says NXDOMAIN, and mcsdns says 10\.42\.0\.9",
            first,
        ), first
        assert do.startswith("wait until it is over")
        eventually(lambda: hospital.doctor(*front.resolver, "--name", name).returncode, 0, 8)


def test_what_may_not_be_looked_at(hospital: Hospital, tmp_path: Path) -> None:
    """Who may read nothing is told what was not looked at and what would let them; that is not taken for broken."""
    with Front(hospital, tmp_path, STUB) as front:
        stranger = ("--kubeconfig", str(hospital.west.cluster.kubeconfig("stranger")))
        done = hospital.doctor(*stranger, *front.resolver)
    told(done, 0)
    assert "not looked at: ConfigMap kube-system/coredns: HTTP 403: " in done.stdout
    assert "let this identity `get` it, or run doctor with the --kubeconfig of somebody who may" in done.stdout


def test_the_role_of_the_document_lets_it_look(hospital: Hospital, tmp_path: Path) -> None:
    """With the role in docs/doctor.md nothing is left that may not be looked at; it allows nothing else than to read."""
    (role,) = re.findall(r"^```yaml\n(.*?)^```$", DOCUMENT.read_text(), re.MULTILINE | re.DOTALL)
    manifest = yaml.safe_load(role)
    assert {verb for rule in manifest["rules"] for verb in rule["verbs"]} == {"get", "list"}
    subject = {"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": CHECKER}
    binding = {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "ClusterRoleBinding",
        "metadata": {"name": "mcsdns-doctor"},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "mcsdns-doctor"},
        "subjects": [subject],
    }
    hospital.west.apply(json.dumps(manifest), json.dumps(binding))
    kubeconfig = ("--kubeconfig", str(hospital.west.cluster.kubeconfig(CHECKER)))
    with Front(hospital, tmp_path, STUB) as front:
        name = ("--name", f"web.shop.svc.{ZONE}")
        eventually(lambda: "not looked at" in hospital.doctor(*kubeconfig, *front.resolver, *name).stdout, False, 10)


def test_nothing_to_look_at() -> None:
    """Who is told nothing says so, and does not say that all is well; no resolver is asked that nobody has named."""
    done = run("doctor", KUBERNETES_SERVICE_HOST="")
    assert done.returncode == 2
    assert done.stdout.startswith("?: nothing could be looked at\n")
    assert "not looked at: the way that pods take: no resolver is known" in done.stdout


def test_nothing_answers(hospital: Hospital) -> None:
    """An address where nothing is."""
    nobody = f"127.0.0.1:{free_port()}"
    first, _ = told(hospital.doctor("--server", nobody, well=False))
    assert first == f"BROKEN at mcsdns: nothing answers at {nobody}: Connection refused"
    first, _ = told(hospital.doctor("--zone", "mcs.local"))
    assert first == "BROKEN at mcsdns: what answers serves another zone than mcs.local: clusterset.local"


def test_k3s_that_nobody_has_told(hospital: Hospital, tmp_path: Path) -> None:
    """k3s imports from a ConfigMap that is not there until somebody makes it: that is no block, and nothing unknown."""
    with Front(hospital, tmp_path) as front:
        text = f"{front.corefile_text}import /etc/coredns/custom/*.server\n"
        with Config(hospital, "coredns", Corefile=text):
            first, do = told(hospital.doctor(*hospital.kubeconfig))
    assert first.startswith("BROKEN at stub block: CoreDNS has no block for clusterset.local")
    assert do.startswith("mcsdns wiring --for k3s ")


def test_two_blocks_for_the_zone(hospital: Hospital, tmp_path: Path) -> None:
    """A second block, perhaps in another file, is what CoreDNS does not load: it runs on with what it had, until it restarts."""
    twins = STUB + STUB
    with Front(hospital, tmp_path / "running", STUB) as front:
        text = front.corefile_text + STUB.replace("{port}", str(front.port)).replace("{mcsdns}", "127.0.0.1:1")
        with Config(hospital, "coredns", Corefile=text):
            first, do = told(hospital.doctor(*hospital.kubeconfig, *front.resolver))
    assert first == (
        "BROKEN at stub block: CoreDNS has two blocks for clusterset.local on one port: it does not load that, goes on with what it"
        " had, and would not start"
    )
    assert do.startswith("leave one of them, in ConfigMap kube-system/coredns and what it imports")
    restarted = Front(hospital, tmp_path / "restarted", twins)
    with pytest.raises(StartError, match="already defined"):
        CoreDns(restarted.corefile_text, tmp_path / "restarted").start()


def test_a_longer_block_takes_the_services(hospital: Hospital, tmp_path: Path) -> None:
    """The zone's own block is right, and a block for svc.<zone> takes every service from it."""
    nobody = f"127.0.0.1:{free_port()}"
    longer = STUB.replace("clusterset.local", "svc.clusterset.local").replace("{mcsdns}", nobody)
    with Front(hospital, tmp_path, STUB + longer) as front:
        first, do = told(hospital.doctor(*hospital.kubeconfig, *front.resolver))
        blind, _ = told(hospital.doctor(*front.resolver))
    assert first == (
        f"BROKEN at stub block: CoreDNS sends svc.clusterset.local to {nobody}, in a block of its own:"
        " only the rest of clusterset.local reaches mcsdns"
    )
    assert do.startswith("take the block for svc.clusterset.local out")
    assert blind == "BROKEN at resolver: it sends the zone on, but gets no answer (SERVFAIL)"


IN_FRONT = [
    ("rewrite name suffix .svc.clusterset.local .svc.cluster.local",
     "something on the way answers names of svc.clusterset.local in mcsdns's place: it says REFUSED to one that nobody has"),
    ("hosts {\n 10.9.9.9 web.shop.svc.clusterset.local\n fallthrough\n }",
     "a cache in front holds an older answer for 30 s more: it says 10.9.9.9, and mcsdns says 10.42.0.1"),
    ("template IN A {\n rcode NXDOMAIN\n }",
     "something on the way answers web.shop.svc.clusterset.local in mcsdns's place: it says NXDOMAIN, and mcsdns says 10.42.0.1"),
]  # fmt: skip


@pytest.mark.parametrize(("plugin", "found"), [pytest.param(*one, id=one[0].split()[0]) for one in IN_FRONT])
def test_something_in_front_of_forward(hospital: Hospital, tmp_path: Path, plugin: str, found: str) -> None:
    """What answers in the stub block before it forwards is told by what it says, and where to look."""
    with Front(hospital, tmp_path, STUB.replace("errors\n", f"errors\n    {plugin}\n")) as front:
        first, do = told(hospital.doctor(*front.resolver, "--name", f"web.shop.svc.{ZONE}"))
    assert first.split(": ", 1)[1] == found
    assert "rewrite, template, hosts and acl answer before forward does" in do


def test_forward_over_tls(hospital: Hospital, tmp_path: Path) -> None:
    """mcsdns does not speak DNS over TLS."""
    with Front(hospital, tmp_path, STUB.replace("forward . ", "forward . tls://")) as front:
        first, _ = told(hospital.doctor(*hospital.kubeconfig, *front.resolver))
    at = dns_of(hospital.well)
    assert first == (
        f"BROKEN at stub block: CoreDNS sends clusterset.local to tls://{at}, and mcsdns speaks plain DNS alone, at {at}"
    )


def test_nodelocal_through_coredns(hospital: Hospital, tmp_path: Path) -> None:
    """NodeLocal DNSCache may send the zone to CoreDNS, which has the block: nothing is broken."""
    through = NODELOCAL.replace("cluster.local:53", "cluster.local:53 clusterset.local:53")
    with Front(hospital, tmp_path, STUB) as front, Config(hospital, "node-local-dns", Corefile=through):
        done = hospital.doctor(*hospital.kubeconfig, *front.resolver)
    told(done, 0)
    assert "ok      stub block  NodeLocal DNSCache sends clusterset.local on to the cluster's DNS" in done.stdout


def test_coredns_under_another_name(hospital: Hospital, tmp_path: Path) -> None:
    """CoreDNS's own chart calls its Service and ConfigMap after the release, in any namespace: it is found all the same."""
    service = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"namespace": "dns", "name": "edge-coredns", "labels": {"k8s-app": "coredns"}},
        "spec": {"ports": [{"name": "dns", "port": 53, "protocol": "UDP"}]},
    }
    config = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"namespace": "dns", "name": "edge-coredns"}}
    front = Front(hospital, tmp_path)
    hospital.west.apply(json.dumps(service), json.dumps(config | {"data": {"Corefile": front.corefile_text}}))
    try:
        first, do = told(done := hospital.doctor(*hospital.kubeconfig))
    finally:
        hospital.west.delete(json.dumps(service), json.dumps(config))
    assert first.startswith("BROKEN at stub block: CoreDNS has no block for clusterset.local")
    assert "where: ConfigMap dns/edge-coredns" in done.stdout
    assert do.startswith("mcsdns wiring --for coredns ")


def test_a_name_in_upper_case_with_ipv6_alone(hospital: Hospital) -> None:
    """Names are compared without case, and a service that has IPv6 alone is not called broken for want of IPv4."""
    hospital.west.apply(service_import("six", ips=["fd00::77"], namespace="shop"))
    name = "SIX.Shop.SVC.ClusterSet.Local."
    eventually(lambda: hospital.doctor("--name", name).returncode, 0, 10)
    first, _ = told(hospital.doctor(*hospital.kubeconfig, "--name", "WEB.LONELY.SVC.CLUSTERSET.LOCAL."))
    assert first.startswith("BROKEN at namespace: the namespace lonely does not exist in this cluster")


def test_in_a_pod(tmp_path: Path) -> None:
    """Without an argument it finds the cluster's DNS, mcsdns's Service and its replicas; what it may not read, it tells; and it asks
    no resolver of the node's."""
    for tool in ("unshare", "ip"):
        need(tool)
    for name in ("etcd", "kube-apiserver", "coredns"):
        binary(name)
    (role,) = re.findall(r"^```yaml\n(.*?)^```$", DOCUMENT.read_text(), re.MULTILINE | re.DOTALL)
    space = ["unshare", "--map-root-user", "--mount", "--net"]
    if subprocess.run([*space, "true"], capture_output=True, check=False).returncode:
        pytest.skip("this machine lets nobody make namespaces")
    command = [*space, sys.executable, "-m", "tests.e2e.pod", str(tmp_path), role]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=DOCUMENT.parents[1])
    assert done.returncode == 0, done.stderr
    told = {what: (code, text.splitlines()) for what, (code, text) in json.loads(done.stdout).items()}

    code, lines = told["no service account"]
    assert code == 0
    assert "ok      cache       web.shop.svc.clusterset.local" not in "\n".join(lines), "mcsdns itself is not known"
    assert any("not looked at: the cluster's DNS configuration: in-cluster: " in line for line in lines)

    code, lines = told["stranger"]
    assert (code, lines[0].partition(", and ")[0]) == (0, WELL)
    assert any("not looked at: ConfigMap kube-system/coredns: HTTP 403: " in line for line in lines)

    code, lines = told[CHECKER]
    assert (code, lines[0]) == (0, WELL)
    wheres = [line.split("where: ")[1] for line in lines if "where: " in line]
    for where in (
        "10.96.0.53:53 (Service mcsdns/mcsdns)",
        "10.244.1.1:5353 (replica)",
        "10.244.2.1:5353 (replica)",
        "http://10.244.1.1:9153, http://10.244.2.1:9153",
        "ConfigMap kube-system/coredns",
        "10.96.0.10:53 (/etc/resolv.conf)",
    ):
        assert where in wheres

    code, lines = told["dnsPolicy: Default"]
    assert code == 0
    assert not any("192.0.2.1" in line for line in lines)
    assert any("/etc/resolv.conf: it has the node's resolvers, not those that pods ask" in line for line in lines)

    code, lines = told["a replica is gone"]
    assert (code, lines[0]) == (1, "BROKEN at mcsdns: nothing answers at 10.244.2.1:5353: Connection refused")
