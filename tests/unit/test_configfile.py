"""The configuration: every error names the file and the place, and every default is filled in."""

from __future__ import annotations

import contextlib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mcsdns.config import Address, Config, Kubeconfig, Limits, Listen, Quotas
from mcsdns.configfile import load, parse
from mcsdns.errors import ConfigError

PATH = Path("/etc/mcsdns/mcsdns.yaml")
CLUSTER = "clusters: [{name: a, manifests: demo/a}]\n"
TWO = "clusters: [{name: a, manifests: a}, {name: b, manifests: b}]\n"


def config(text: str) -> Config:
    return parse(text, PATH)


def test_defaults() -> None:
    """With a cluster alone everything else has its default."""
    made = config(CLUSTER)
    assert (made.zone, made.ttl, made.negative_ttl, made.plane) == ("clusterset.local", 5, 5, "auto")
    assert made.listen == [Listen(Address("127.0.0.1", 5300))]
    assert (made.advertise, made.admin, made.nsid) == (None, Address("127.0.0.1", 9153), None)
    assert (made.sync_deadline_s, made.lameduck_s) == (30.0, 5.0)
    assert made.limits == Limits()
    assert (made.limits.udp_payload, made.limits.tcp_connections, made.limits.tcp_idle_s) == (1232, 4096, 30.0)
    (cluster,) = made.clusters
    assert (cluster.name, cluster.id, cluster.optional, cluster.in_cluster, cluster.kubeconfig) == (
        "a",
        None,
        False,
        False,
        None,
    )


def test_every_key() -> None:
    """Every key is taken over as it stands."""
    made = config(
        """
zone: Mesh.Example.
ttl: 0
negative_ttl: 86400
plane: python
listen:
  - {address: "[::1]:53", view: b}
  - {address: 0.0.0.0:53}
advertise: [192.0.2.53, 2001:db8::53]
admin: "[::]:0"
nsid: east-1
sync_deadline_s: 0
lameduck_s: 2.5
limits: {udp_payload: 512, tcp_connections: 1, tcp_idle_s: 0.5}
clusters:
  - {name: a, kubeconfig: {path: a.kubeconfig, context: a, insecure: true}}
  - {name: b, in_cluster: true, id: b.eu}
  - {name: c, manifests: /srv/c, optional: true}
"""
    )
    assert (made.zone, made.ttl, made.negative_ttl, made.plane) == ("Mesh.Example.", 0, 86400, "python")
    assert made.listen == [Listen(Address("::1", 53), "b"), Listen(Address("0.0.0.0", 53))]
    assert (str(made.admin), made.nsid, made.sync_deadline_s, made.lameduck_s) == ("[::]:0", "east-1", 0.0, 2.5)
    assert (made.limits.udp_payload, made.limits.tcp_connections, made.limits.tcp_idle_s) == (512, 1, 0.5)
    a, b, c = made.clusters
    assert a.kubeconfig == Kubeconfig(Path("/etc/mcsdns/a.kubeconfig"), "a", True)
    assert (b.in_cluster, b.id) == (True, "b.eu")
    assert (c.manifests, c.optional) == (Path("/srv/c"), True)
    assert made.views == ["b", None]
    assert len(made.advertised) == 2


def test_paths_are_relative_to_the_file() -> None:
    """A relative path starts at the folder of the file that holds it."""
    assert config(CLUSTER).clusters[0].manifests == Path("/etc/mcsdns/demo/a")


def test_a_path_may_begin_at_home(monkeypatch: pytest.MonkeyPatch) -> None:
    """`~` is the home folder."""
    monkeypatch.setenv("HOME", "/home/x")
    assert config("clusters: [{name: a, manifests: ~/a}]").clusters[0].manifests == Path("/home/x/a")


@pytest.mark.parametrize(
    ("text", "where", "problem"),
    [
        ("", "", "expected keys"),
        ("[]", "", "expected keys"),
        ("5", "", "expected keys"),
        ("{}", "", "`clusters` is missing"),
        ("clusters: []", "clusters", "at least one member cluster"),
        ("clusters: 5", "clusters", "expected `array`"),
        ("clusters: [{}]", "clusters[0]", "`name` is missing"),
        (CLUSTER + "zoen: x", "", "unknown key `zoen`"),
        (CLUSTER + "limits: {x: 1}", "limits", "unknown key `x`"),
        (
            "clusters: [{name: a, manifests: a, kubeconfig: {path: x, user: y}}]",
            "clusters[0].kubeconfig",
            "unknown key `user`",
        ),
        (CLUSTER + "ttl: -1", "ttl", ">= 0"),
        (CLUSTER + "ttl: 86401", "ttl", "<= 86400"),
        (CLUSTER + "ttl: 1.5", "ttl", "expected `int`"),
        (CLUSTER + "ttl: '5'", "ttl", "expected `int`"),
        (CLUSTER + "negative_ttl: null", "negative_ttl", "expected `int`"),
        (CLUSTER + "sync_deadline_s: 3601", "sync_deadline_s", "<= 3600"),
        (CLUSTER + "sync_deadline_s: .nan", "sync_deadline_s", ">= 0"),
        (CLUSTER + "lameduck_s: -1", "lameduck_s", ">= 0"),
        (CLUSTER + "plane: rust", "plane", "'rust'"),
        (CLUSTER + "limits: {udp_payload: 511}", "limits.udp_payload", ">= 512"),
        (CLUSTER + "limits: {udp_payload: 4097}", "limits.udp_payload", "<= 4096"),
        (CLUSTER + "limits: {tcp_idle_s: 0}", "limits.tcp_idle_s", "> 0"),
        (CLUSTER + "listen: []", "listen", "at least one address"),
        (CLUSTER + "listen: [{address: localhost:53}]", "listen[0].address", "'localhost:53'"),
        (CLUSTER + "listen: [{view: a}]", "listen[0]", "`address` is missing"),
        (CLUSTER + "listen: [{address: 127.0.0.1:53, view: b}]", "listen[0].view", "known: a"),
        (CLUSTER + "listen: [{address: 127.0.0.1:53}, {address: 127.0.0.1:53}]", "listen[1].address", "stands twice"),
        (CLUSTER + "admin: 9153", "admin", "address:port"),
        (CLUSTER + "advertise: [ns.example]", "advertise[0]", "'ns.example'"),
        (CLUSTER + "zone: ''", "zone", "domain name"),
        (CLUSTER + "zone: .", "zone", "domain name"),
        (CLUSTER + "zone: a..b", "zone", "domain name"),
        (CLUSTER + "zone: -a", "zone", "domain name"),
        (CLUSTER + "zone: a b", "zone", "domain name"),
        (CLUSTER + f"zone: {'a' * 64}", "zone", "domain name"),
        (CLUSTER + f"zone: {'.'.join(['a' * 40] * 3)}", "zone", "at most 121"),
        (CLUSTER + "zone: münchen.local", "zone", "domain name"),
        (CLUSTER + "zone: \N{KELVIN SIGN}ube.local", "zone", "domain name"),
        ("clusters: [{name: a}]", "clusters[0]", "found 0"),
        ("clusters: [{name: a, in_cluster: true, manifests: x}]", "clusters[0]", "found 2"),
        ("clusters: [{name: A, manifests: x}]", "clusters[0].name", "lower case"),
        ("clusters: [{name: a.b.c, manifests: x}]", "clusters[0].name", "two with a dot"),
        ("clusters: [{name: any, manifests: x}]", "clusters[0].name", "`any`"),
        ("clusters: [{name: a, manifests: x, id: a_b}]", "clusters[0].id", "'a_b'"),
        ("clusters: [{name: a, manifests: x}, {name: a, manifests: y}]", "clusters[1].name", "already"),
        ("clusters: [{name: a, manifests: x, id: i}, {name: b, manifests: y, id: i}]", "clusters[1].id", "already"),
        ("clusters: [{name: a, manifests: ''}]", "clusters[0].manifests", "a path"),
        ("clusters: [{name: a, manifests: 5}]", "clusters[0].manifests", "a path"),
        ("clusters: [{name: a, kubeconfig: x}]", "clusters[0].kubeconfig", "expected `object | null`"),
        ("clusters: [", "line 1, column 12", "not valid YAML"),
        (CLUSTER + "zone: [", "line 2, column 8", "not valid YAML"),
        (CLUSTER + "zone: a\nzone: b", "line 3, column 1", "'zone' stands twice"),
        ("clusters:\n  - {name: a, name: b, manifests: x}", "line 2, column 15", "'name' stands twice"),
        (CLUSTER + "1: 2", "line 2, column 1", "expected a key"),
        (CLUSTER + "? [a]\n: b", "line 2, column 3", "expected a key"),
        (CLUSTER + "on: 2", "line 2, column 1", "expected a key"),
        (CLUSTER + "nsid: 2026-13-01", "line 2, column 7", "not valid YAML"),
        (CLUSTER + "nsid: 2026-12-01", "nsid", "expected `str"),
        (CLUSTER + "ttl: 0b_", "line 2, column 6", "not valid YAML"),
        (CLUSTER + "zone: !!python/name:os.system", "line 2, column 7", "not valid YAML"),
        (CLUSTER + "listen: !!map [a]", "line 2, column 9", "not valid YAML"),
        (CLUSTER + "nsid: '\0'", "line 2", "not valid YAML"),
        (CLUSTER + "zone: *x", "line 2, column 7", "not valid YAML"),
        (CLUSTER + "x: " + "[" * 3000, "", "nested too deeply"),
    ],
)
def test_an_error_names_the_file_and_the_place(text: str, where: str, problem: str) -> None:
    """An unknown key, a wrong type or a value out of bounds is a ConfigError that names the file and the place in it."""
    with pytest.raises(ConfigError) as caught:
        config(text)
    error = caught.value
    assert (error.path, error.where) == (str(PATH), where)
    assert problem in error.problem
    assert str(error).startswith(f"{PATH}: ")
    assert "\n" not in str(error)


@pytest.mark.parametrize(
    "zone", ["clusterset.local", "local", "a-b.c_d", "_x.local.", "CLUSTERSET.LOCAL", f"{'a' * 60}.{'b' * 60}"]
)
def test_zones(zone: str) -> None:
    """A zone is a domain name, with or without the last dot, in any case."""
    assert config(CLUSTER + f"zone: {zone}").zone == zone


def test_anchors_and_merges_are_yaml() -> None:
    """What YAML offers to write a thing once may be used."""
    made = config("clusters: [&a {name: a, manifests: x, optional: true}, {<<: *a, name: b}]")
    assert [(cluster.name, cluster.optional) for cluster in made.clusters] == [("a", True), ("b", True)]


def test_two_listeners_may_let_the_system_choose() -> None:
    """Port 0 may stand twice."""
    assert len(config(CLUSTER + "listen: [{address: 127.0.0.1:0}, {address: 127.0.0.1:0}]").listen) == 2


@pytest.mark.parametrize(
    ("text", "views"),
    [
        (CLUSTER, ["a"]),
        (TWO, [None]),
        (TWO + "listen: [{address: 127.0.0.1:1, view: b}]", ["b"]),
        (
            TWO + "listen: [{address: 127.0.0.1:1}, {address: 127.0.0.1:2, view: a}, {address: 127.0.0.1:3, view: a}]",
            [None, "a"],
        ),
    ],
)
def test_the_views_that_are_served(text: str, views: list[str | None]) -> None:
    """A listener's view: its own, else the only cluster's, else that of no cluster in particular. Each once."""
    assert config(text).views == views


@pytest.mark.parametrize(
    ("text", "advertised"),
    [
        ("", ["7f000001"]),
        ("advertise: []", []),
        ("advertise: [10.0.0.1, '::1']", ["0a000001", "0" * 31 + "1"]),
        ("listen: [{address: 0.0.0.0:53}, {address: '[::]:53'}]", []),
        ("listen: [{address: 0.0.0.0:53}, {address: 10.0.0.1:53}, {address: 10.0.0.1:54}]", ["0a000001"]),
    ],
)
def test_what_is_advertised(text: str, advertised: list[str]) -> None:
    """`advertise`, else the listen addresses that are not wildcards, each once."""
    assert [address.hex() for address in config(CLUSTER + text).advertised] == advertised


def test_load_reads_a_file(tmp_path: Path) -> None:
    """A file is read as UTF-8, and its folder is the base of its paths."""
    path = tmp_path / "mcsdns.yaml"
    path.write_text("# ü\n" + CLUSTER, encoding="utf-8")
    assert load(path).clusters[0].manifests == tmp_path / "demo/a"


@pytest.mark.parametrize("content", [None, b"\xff\xfe\x00clusters", "folder"])
def test_a_file_that_cannot_be_read(tmp_path: Path, content: bytes | str | None) -> None:
    """A missing file, a folder, and what is not UTF-8 are errors that name the file."""
    path = tmp_path / "mcsdns.yaml"
    if content == "folder":
        path.mkdir()
    elif isinstance(content, bytes):
        path.write_bytes(content)
    with pytest.raises(ConfigError, match=r"cannot be read: \w") as caught:
        load(path)
    assert caught.value.path == str(path)


def test_one_view_alone() -> None:
    """`viewed` gives the configuration with one listener of that view; an unknown cluster is an error that names those known."""
    made = config(TWO + "listen: [{address: 127.0.0.1:1, view: a}, {address: 127.0.0.1:2}]")
    assert made.viewed("b").views == ["b"]
    assert made.viewed(None).views == ["a"]
    with pytest.raises(ConfigError, match="known: a, b"):
        made.viewed("c")


@given(st.text(max_size=80) | st.text("{}[]:,-&*!|> \n\"'ab0#%@`?\t<=~.", max_size=60).map(lambda text: CLUSTER + text))
def test_parse_is_total(text: str) -> None:
    """Whatever the text, it is a configuration or a ConfigError."""
    with contextlib.suppress(ConfigError):
        config(text)


def test_quotas() -> None:
    """A cluster has the quotas of all, but for those that it names itself; each has bounds."""
    assert config(CLUSTER).clusters[0].quotas.over(Quotas(names=1)) == Quotas()
    made = config("quotas: {names: 7, endpoints: 9}\nclusters: [{name: a, manifests: a, quotas: {names: 8}}]\n")
    assert made.clusters[0].quotas.over(Quotas()) == Quotas(names=8, endpoints=9)
    for wrong in ("quotas: {names: 0}\n", "quotas: {object_bytes: 3000000}\n", "quotas: {name: 1}\n"):
        with pytest.raises(ConfigError, match="quotas"):
            config(wrong + CLUSTER)
