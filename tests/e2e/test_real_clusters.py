"""
Two real member clusters: what is created, changed and deleted in their API servers appears, changes and goes in the answers.

mcsdns is let in with the role of `deploy/rbac.yaml`. Each test has a namespace of its own. An answer follows a change within a second.
"""

from __future__ import annotations

import json
import shutil
import sys
import textwrap
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from functools import partial
from itertools import count
from pathlib import Path
from subprocess import CompletedProcess
from typing import NamedTuple

import pytest

from tests import manifests
from tests.e2e.conftest import Serve
from tests.e2e.real import CHECKER, USER, Audited, shipped_role, v1alpha1_crds
from tests.e2e.server import NODATA, NOT_READY, NXDOMAIN, Server, Settings, always, eventually, found, run
from tests.servers.run import binary

pytestmark = pytest.mark.servers

READ_VERBS = {"get", "list", "watch"}
RESOURCES = {
    "multicluster.x-k8s.io/serviceimports",
    "multicluster.x-k8s.io/serviceexports",
    "discovery.k8s.io/endpointslices",
    "about.k8s.io/clusterproperties",
}
OUTAGE_S = 1.0
BACK_S = 15.0
"""A connection that is back is found within the back-off: after five tries in 10 s it waits for those to be over."""
RESTART_S = 30.0
"""An API server that starts again refuses for a moment (403, 429) what it allows later; the longest back-off is this long."""

_numbers = count(1)


class Members(NamedTuple):
    """The member clusters. The cluster id of west is `west.eu`, by its ClusterProperty."""

    east: Audited
    west: Audited


class Own:
    """Manifests in a namespace of one test's own, and the names there."""

    def __init__(self) -> None:
        self.namespace = f"test-{next(_numbers)}"
        self.service_import = partial(manifests.service_import, namespace=self.namespace)
        self.service_export = partial(manifests.service_export, namespace=self.namespace)
        self.imported_slice = partial(manifests.imported_slice, namespace=self.namespace)
        self.native_slice = partial(manifests.native_slice, namespace=self.namespace)

    def name(self, below: str) -> str:
        """Give a name below the namespace."""
        return f"{below}.{self.namespace}.svc"


@pytest.fixture(scope="module")
def members(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Members]:
    """Two API servers with etcd, for all tests of this file."""
    folder = tmp_path_factory.mktemp("members")
    made = Members(*(Audited(name, folder / name) for name in ("east", "west")))
    _build()
    try:
        with ThreadPoolExecutor() as pool:
            list(pool.map(Audited.start, made))
        made.west.apply(manifests.cluster_property("west.eu"))
        yield made
    finally:
        for one in made:
            one.kill()
            shutil.rmtree(one.cluster.etcd.data_path, ignore_errors=True)


@pytest.fixture
def own() -> Own:
    """A namespace of the test's own."""
    return Own()


def test_objects_created_changed_and_deleted(members: Members, serve: Serve, own: Own) -> None:
    """An import appears, changes and goes in the answers; so do its ports; and the serial grows each time."""
    server = serve([one.member() for one in members])
    name = own.name("web")
    assert server.ask(name) == NXDOMAIN
    members.east.apply(own.service_import("web", ips=["10.0.0.1"], ports=["http 80/TCP"]))
    eventually(lambda: server.ask(name), found("10.0.0.1"))
    assert server.ask(own.name("_http._tcp.web"), "SRV").rcode == "NOERROR"
    assert server.ask(name, "AAAA") == NODATA
    serial = _serial(server)
    members.east.apply(own.service_import("web", ips=["10.0.0.2", "2001:db8::2"], ports=["https 443/TCP"]))
    eventually(lambda: server.ask(name), found("10.0.0.2"))
    assert server.ask(name, "AAAA") == found("2001:db8::2")
    assert server.ask(own.name("_http._tcp.web"), "SRV") == NXDOMAIN
    assert server.ask(own.name("_https._tcp.web"), "SRV", tcp=True).rcode == "NOERROR"
    assert _serial(server) > serial
    members.east.delete(own.service_import("web"))
    eventually(lambda: server.ask(name), NXDOMAIN)
    assert server.ask(own.namespace + ".svc") == NXDOMAIN


def test_what_is_there_at_the_start(members: Members, serve: Serve, own: Own) -> None:
    """Several hundred objects, over a page: all are there once the server says that it is ready."""
    documents = [
        own.service_import(f"s{number}", ips=[f"10.9.{number // 250}.{number % 250 + 1}"]) for number in range(520)
    ]
    with closing(members.east.api()) as api:
        api.bulk([json.loads(document) for document in documents])
    server = serve([one.member() for one in members])
    for number in (0, 1, 249, 250, 499, 500, 519):
        assert server.ask(own.name(f"s{number}")) == found(f"10.9.{number // 250}.{number % 250 + 1}")
    (ready,) = server.logged("ready")
    assert ready["services"]["any"] >= 520
    with closing(members.east.api()) as api:
        api.delete_all("multicluster.x-k8s.io/v1beta1", "serviceimports", own.namespace)
    eventually(lambda: server.ask(own.name("s0")), NXDOMAIN, 3)


def test_headless_from_native_and_imported_slices(members: Members, serve: Serve, own: Own) -> None:
    """East's own slice speaks for east once east exports the service; an imported slice speaks for the cluster it names."""
    server = serve([one.member() for one in members])
    name = own.name("db")
    members.east.apply(
        own.service_import("db", headless=True, ports=["pg 5432/TCP"]),
        own.native_slice("db", "db-0=10.1.0.1", "db-1=10.1.0.2 !ready", ports=["pg 5432/TCP"]),
        own.imported_slice("db", "north", "db-0=10.3.0.1", ports=["pg 5432/TCP"]),
    )
    eventually(lambda: server.ask(name), found("10.3.0.1"))
    assert server.ask(own.name("db-0.east.db")) == NXDOMAIN, "east does not export it"
    members.east.apply(own.service_export("db"))
    eventually(lambda: server.ask(name), found("10.1.0.1", "10.3.0.1"))
    assert server.ask(own.name("db-0.east.db")) == found("10.1.0.1")
    assert server.ask(own.name("db-0.north.db")) == found("10.3.0.1")
    members.west.apply(own.service_export("db"), own.native_slice("db", "db-0=10.2.0.1", ports=["pg 5432/TCP"]))
    eventually(lambda: server.ask(own.name("db-0.west.eu.db")), found("10.2.0.1"))
    assert server.ask(own.name("west.eu.db")) == server.ask(own.name("eu.db")) == NODATA
    members.east.apply(own.native_slice("db", "db-0=10.1.0.1", "db-1=10.1.0.2", ports=["pg 5432/TCP"]))
    eventually(lambda: server.ask(own.name("db-1.east.db")), found("10.1.0.2"))
    assert server.ask(name) == found("10.1.0.1", "10.1.0.2", "10.2.0.1", "10.3.0.1")
    members.west.delete(own.service_export("db"))
    eventually(lambda: server.ask(own.name("db-0.west.eu.db")), NXDOMAIN)
    assert server.ask(name) == found("10.1.0.1", "10.1.0.2", "10.3.0.1"), "nothing else moves"
    members.east.delete(own.imported_slice("db", "north"))
    eventually(lambda: server.ask(name), found("10.1.0.1", "10.1.0.2"))


def test_clusterset_ips_of_each_view(members: Members, serve: Serve, own: Own) -> None:
    """Two views answer their own ClusterSet IPs (KEP-1645), and follow their own cluster's changes."""
    listen = [{"address": "127.0.0.1:0"}] + [{"address": "127.0.0.1:0", "view": view} for view in ("east", "west")]
    server = serve([one.member() for one in members], listen=listen)
    name = own.name("web")
    members.east.apply(own.service_import("web", ips=["10.0.0.1"]))
    members.west.apply(own.service_import("web", ips=["10.0.0.2"]))
    for at, address in ((0, "10.0.0.1"), (1, "10.0.0.1"), (2, "10.0.0.2")):
        eventually(lambda at=at: server.ask(name, at=at), found(address))  # type: ignore[misc]
    members.west.apply(own.service_import("web", ips=["10.0.0.3"]))
    eventually(lambda: server.ask(name, at=2), found("10.0.0.3"))
    members.east.delete(own.service_import("web"))
    eventually(lambda: server.ask(name, at=1), NXDOMAIN)
    eventually(lambda: server.ask(name, at=0), found("10.0.0.3"))


def test_a_cluster_id_that_changes(members: Members, serve: Serve, own: Own) -> None:
    """Host names carry the cluster id of the ClusterProperty, and follow it."""
    members.west.apply(
        own.service_import("db", headless=True),
        own.service_export("db"),
        own.native_slice("db", "db-0=10.2.0.1", ports=["80/TCP"]),
    )
    server = serve([members.west.member()])
    assert server.ask(own.name("db-0.west.eu.db")) == found("10.2.0.1")
    try:
        members.west.apply(manifests.cluster_property("renamed"))
        eventually(lambda: server.ask(own.name("db-0.renamed.db")), found("10.2.0.1"))
        assert server.ask(own.name("db-0.west.eu.db")) == NXDOMAIN
    finally:
        members.west.apply(manifests.cluster_property("west.eu"))
    eventually(lambda: server.ask(own.name("db-0.west.eu.db")), found("10.2.0.1"))


def test_an_api_server_stopped_and_started_again(members: Members, serve: Serve, own: Own) -> None:
    """During the outage everything is still answered, and the other cluster followed; changes after it arrive; nothing is lost."""
    before = {f"s{number}": f"10.0.1.{number}" for number in range(1, 30)}
    members.east.apply(*(own.service_import(name, ips=[ip]) for name, ip in before.items()))
    server = serve([one.member() for one in members])
    expected = {name: found(ip) for name, ip in before.items()}
    assert _answers(server, own, before) == expected
    members.east.cluster.api_server.kill()  # to stop, it would wait for our watches to end, for longer than a test should
    try:
        eventually(lambda: _states(server), {"east": "stale", "west": "synced"}, 5)
        assert _answers(server, own, before) == expected
        assert server.ask(own.name("nosuch")) == NXDOMAIN
        assert server.admin("/readyz").code == 200, "staleness never makes the server unready"
        members.west.apply(own.service_import("meanwhile", ips=["10.0.0.2"]))
        eventually(lambda: server.ask(own.name("meanwhile")), found("10.0.0.2"))
    finally:
        members.east.cluster.api_server.start()
    members.east.apply(own.service_import("s1", ips=["10.0.2.1"]))
    eventually(lambda: server.ask(own.name("s1")), found("10.0.2.1"), RESTART_S)
    eventually(lambda: _states(server), {"east": "synced", "west": "synced"}, RESTART_S)
    assert _answers(server, own, before) == expected | {"s1": found("10.0.2.1")}
    assert [line["cluster"] for line in server.logged("cluster stale")] == ["east"], "one line for a transition"


def test_changes_made_while_mcsdns_was_cut_off(members: Members, serve: Serve, own: Own) -> None:
    """What is created, changed and deleted while mcsdns cannot hear it is so once it is back."""
    members.east.apply(*(own.service_import(name, ips=["10.0.0.1"]) for name in ("kept", "changed", "deleted")))
    with members.east.relay() as relay:
        server = serve([members.east.member(relay), members.west.member()])
        names = ("kept", "changed", "deleted", "created")
        known = dict.fromkeys(names[:3], found("10.0.0.1"))
        assert _answers(server, own, names) == known | {"created": NXDOMAIN}
        relay.cut()
        eventually(lambda: _states(server)["east"], "stale", 5)
        members.east.apply(
            own.service_import("changed", ips=["10.0.0.2"]), own.service_import("created", ips=["10.0.0.3"])
        )
        members.east.delete(own.service_import("deleted"))
        always(lambda: _answers(server, own, names), known | {"created": NXDOMAIN}, OUTAGE_S)
        relay.mend()
        now = {
            "kept": found("10.0.0.1"),
            "changed": found("10.0.0.2"),
            "deleted": NXDOMAIN,
            "created": found("10.0.0.3"),
        }
        eventually(lambda: _answers(server, own, names), now, BACK_S)
        eventually(lambda: _states(server)["east"], "synced", BACK_S)


@pytest.mark.parametrize("optional", [False, True], ids=["required", "optional"])
def test_a_cluster_that_cannot_be_reached_at_the_start(
    members: Members, serve: Serve, own: Own, optional: bool
) -> None:
    """The others serve. What is not found is SERVFAIL: until the deadline if the cluster is optional, else until it is heard."""
    members.east.apply(own.service_import("web", ips=["10.0.0.1"]))
    members.west.apply(own.service_import("db", ips=["10.0.0.2"]))
    relay = members.west.relay()
    clusters = [members.east.member(), members.west.member(relay, optional=optional)]
    server = serve(clusters, until="serving", sync_deadline_s=2)
    eventually(lambda: server.ask(own.name("web")), found("10.0.0.1"))
    assert server.ask(own.name("db")) == NOT_READY
    assert server.admin("/readyz").code == 503
    eventually(lambda: server.admin("/readyz").code, 200, 4)
    eventually(lambda: server.ask(own.name("db")), NXDOMAIN if optional else NOT_READY)
    assert server.ask(own.name("web")) == found("10.0.0.1")
    with relay:
        eventually(lambda: server.ask(own.name("db")), found("10.0.0.2"), BACK_S)
        eventually(lambda: server.ask(own.name("nosuch")), NXDOMAIN)
        assert _states(server) == {"east": "synced", "west": "synced"}


def test_a_user_who_may_read_nothing(members: Members, serve: Serve, own: Own, tmp_path: Path) -> None:
    """A token without the role: the others serve, and /status and `check` name the permission that is missing."""
    members.east.apply(own.service_import("web", ips=["10.0.0.1"]))
    server = serve([members.east.member(), members.west.member(user="stranger")], until="serving", sync_deadline_s=1)
    eventually(lambda: server.ask(own.name("web")), found("10.0.0.1"))
    assert server.ask(own.name("nosuch")) == NOT_READY
    eventually(lambda: server.admin("/readyz").code, 200, 3)
    assert "forbidden" in server.admin("/status").text
    checked = _check(tmp_path, members.east.member(user=CHECKER), members.west.member(user="stranger"))
    assert checked.returncode == 1
    assert "forbidden" in checked.stdout or "may not" in checked.stdout
    assert "west" in checked.stdout


def test_the_verbs_that_look_once(members: Members, serve: Serve, own: Own, tmp_path: Path) -> None:
    """`check`, `export` and `explain` on real clusters; explain names the object with its resource version."""
    members.east.apply(own.service_import("web", ips=["10.0.0.1"]))
    server = serve([one.member() for one in members])
    eventually(lambda: server.ask(own.name("web")), found("10.0.0.1"))
    checked = _check(tmp_path, *(one.member(user=CHECKER) for one in members))
    assert checked.returncode == 0, checked.stdout
    exported = run("export", "--config", server.config_path)
    assert exported.returncode == 0, exported.stderr
    name = f"web.{own.namespace}.svc.clusterset.local"
    assert f"{name}.\t5\tIN\tA\t10.0.0.1\n" in exported.stdout
    with closing(members.east.api()) as api:
        obj = api.get("multicluster.x-k8s.io/v1beta1", "serviceimports", own.namespace, "web")
    for source in (("--admin", server.admin_url), ("--config", str(server.config_path))):
        explained = run("explain", name, *source)
        assert explained.returncode == 0, explained.stderr
        for part in ("10.0.0.1", "ServiceImport", f"{own.namespace}/web", "east", obj["metadata"]["resourceVersion"]):
            assert part in explained.stdout


def test_a_cluster_with_v1alpha1_alone(tmp_path: Path, serve: Serve, own: Own) -> None:
    """Older clusters have no v1beta1 and no ClusterProperty: they are read all the same, and by no other verbs."""
    _build()
    old = Audited("old", tmp_path / "old", v1alpha1_crds(tmp_path / "crds"))
    try:
        old.start()
        server = serve([old.member()])
        web = own.service_import("web", ips=["10.0.0.1"]).replace("v1beta1", "v1alpha1")
        db = own.service_import("db", headless=True).replace("v1beta1", "v1alpha1")
        old.apply(web, db, own.service_export("db"), own.native_slice("db", "db-0=10.1.0.1", ports=["80/TCP"]))
        eventually(lambda: server.ask(own.name("web")), found("10.0.0.1"))
        eventually(lambda: server.ask(own.name("db-0.old.db")), found("10.1.0.1"))
        old.delete(web)
        eventually(lambda: server.ask(own.name("web")), NXDOMAIN)
        assert server.ask(own.name("nosuch")) == NXDOMAIN, "an absent CRD holds nothing back"
        assert _check(tmp_path, old.member(user=CHECKER)).returncode == 0
        (shown,) = server.admin("/status").json["clusters"]
        assert {resource: stream["version"] for resource, stream in shown["resources"].items()} == {
            "serviceimports": "multicluster.x-k8s.io/v1alpha1",
            "serviceexports": "multicluster.x-k8s.io/v1alpha1",
            "endpointslices": "discovery.k8s.io/v1",
            "clusterproperties": None,
        }
        page = server.admin("/", accept="text/html").text
        assert "<td>multicluster.x-k8s.io/v1alpha1</td>" in page
        assert "<td>not served</td>" in page
        _only_reads(old)
    finally:
        old.kill()


def test_in_cluster(members: Members, serve: Serve, own: Own, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In a pod: the address is in the environment, the token and the authority in a folder (which is another one here)."""
    folder = tmp_path / "serviceaccount"
    folder.mkdir()
    (folder / "token").write_text(members.east.cluster.token(USER))
    shutil.copy(members.east.cluster.ca_path, folder / "ca.crt")
    monkeypatch.setenv("KUBERNETES_SERVICE_HOST", "127.0.0.1")
    monkeypatch.setenv("KUBERNETES_SERVICE_PORT", str(members.east.cluster.api_server.port))
    members.east.apply(own.service_import("web", ips=["10.0.0.1"]))
    with _InCluster(tmp_path, [{"name": "east", "in_cluster": True}]) as server:
        assert server.ask(own.name("web")) == found("10.0.0.1")


def test_a_role_from_before_the_rule_on_kube_system(members: Members, serve: Serve, own: Own, tmp_path: Path) -> None:
    """A server without it serves as before, and says that it cannot know which cluster answers: in the log, /status and `check`."""
    members.east.apply(own.service_import("web", ips=["10.0.0.1"]))
    role, *_ = shipped_role()
    shipped = json.dumps(role)
    role["rules"] = [rule for rule in role["rules"] if rule["resources"] != ["namespaces"]]
    assert len(role["rules"]) == len(json.loads(shipped)["rules"]) - 1
    members.east.apply(json.dumps(role))
    try:
        server = serve([one.member() for one in members])
        assert server.ask(own.name("web")) == found("10.0.0.1")
        eventually(lambda: len([*server.logged("cluster identity unknown")]), 1, 15)
        east, west = server.admin("/status").json["clusters"]
        assert (east["state"], east["uid"], west["uid_problem"]) == ("synced", None, None)
        assert "deploy/rbac.yaml" in east["uid_problem"]
        checked = _check(tmp_path, members.east.member(user=CHECKER))
        assert checked.returncode == 0
        assert "warning: which cluster this is cannot be told" in checked.stdout
    finally:
        members.east.apply(shipped)
    with closing(members.west.api()) as api:
        uid = api.get("v1", "namespaces", None, "kube-system")["metadata"]["uid"]
    assert west["uid"] == uid
    assert f"UID {uid}" in _check(tmp_path, members.west.member(user=CHECKER)).stdout


def test_only_reads_of_the_four_resources(members: Members, serve: Serve, tmp_path: Path) -> None:
    """
    Every request of mcsdns in this file was get, list or watch of what the shipped role names, and the role allowed it.

    The one thing beside the four resources is the namespace kube-system, by name, whose UID tells which cluster it is.
    """
    serve([one.member() for one in members])
    checked = _check(tmp_path, *(one.member(user=CHECKER) for one in members))
    assert checked.returncode == 0, checked.stdout
    for one in members:
        _only_reads(one)
        watched = {asked.resource for asked in one.asked() if (asked.user, asked.verb) == (USER, "watch")}
        assert watched == RESOURCES


def _only_reads(cluster: Audited) -> None:
    """
    Hold what was asked to the shipped role. What any user may ask, the server's version and API groups, is no resource.

    `check` also asks what it may do: a SelfSubjectAccessReview, which is created but kept nowhere, and which every user may ask.
    """
    asked = set(cluster.asked())
    allowed = {(one.verb, one.resource) for one in asked if one.is_allowed}
    assert {one.user for one in asked} == {USER, CHECKER}
    for one in asked:
        if one.user == CHECKER and one.resource == "authorization.k8s.io/selfsubjectaccessreviews":
            continue
        if one.resource == "/namespaces":
            assert (one.verb, one.name) == ("get", "kube-system"), one
            assert (one.verb, one.resource) in allowed
            continue
        assert one.verb in READ_VERBS, one
        assert one.resource in RESOURCES or one.resource.startswith(("/apis", "/version")), one
        # While it starts, an API server denies what it allows as soon as it has read its own roles.
        assert (one.verb, one.resource) in allowed, f"the shipped role does not allow {one}"


def _check(folder: Path, *clusters: Settings) -> CompletedProcess[str]:
    """Run `mcsdns check`."""
    path = folder / "check.yaml"
    path.write_text(json.dumps({"clusters": clusters}))
    return run("check", "--config", path, "--timeout", "5")


class _InCluster(Server):
    """The server with another folder for the service account: the real one belongs to the machine."""

    def command(self) -> list[str]:
        """Run the command in an interpreter that has the other folder."""
        script = textwrap.dedent(
            f"""
            import sys
            from functools import partial
            from pathlib import Path
            from mcsdns import cli
            from mcsdns.source.kube import credentials, settings

            settings.InCluster = partial(settings.InCluster, Path({str(self.folder / "serviceaccount")!r}))
            sys.exit(cli.main(sys.argv[1:]))
            """
        )
        return [sys.executable, "-c", script, *super().command()[1:]]


def _answers(server: Server, own: Own, names: object) -> dict[str, object]:
    assert isinstance(names, (dict, tuple))
    return {name: server.ask(own.name(name)) for name in names}


def _states(server: Server) -> dict[str, str]:
    return {cluster["name"]: cluster["state"] for cluster in server.admin("/status").json["clusters"]}


def _serial(server: Server) -> int:
    (soa,) = server.response("clusterset.local.", "SOA").answer[0]
    return int(soa.serial)


def _build() -> None:
    """Build what is not in the cache yet, so that a missing Go is found before anything is started."""
    for name in ("etcd", "kube-apiserver", "coredns"):
        binary(name)
