"""What the command says and with which code it exits: wrong configurations, taken addresses, clusters that cannot be had, verbs."""

from __future__ import annotations

import json
import re
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from subprocess import PIPE, Popen
from typing import Any, NamedTuple

import pytest
import yaml

from tests.e2e.conftest import Serve
from tests.e2e.folders import member, web, write
from tests.e2e.server import COMMAND, NOT_READY, NXDOMAIN, complaints, eventually, found, run
from tests.manifests import service_import
from tests.servers.run import free_port

EAST = "clusters: [{name: east, manifests: east}]\n"
OK, NOT_SO, WRONG = 0, 1, 2


class Bad(NamedTuple):
    """A configuration that cannot be used, and what the message must hold beside the file's name."""

    text: str
    said: tuple[str, ...]


BAD = {
    "unknown key": Bad(EAST + "tll: 5\n", ("unknown key `tll`",)),
    "unknown key inside": Bad(
        "clusters: [{name: east, manifests: east, idd: e}]\n", ("clusters[0]", "unknown key `idd`")
    ),
    "bad YAML": Bad("zone: a\nclusters: [\n", ("line 3", "not valid YAML")),
    "a key twice": Bad(EAST + "ttl: 5\nttl: 6\n", ("line 3", "'ttl'", "twice")),
    "no mapping": Bad("- 1\n", ("expected keys",)),
    "nobody's home": Bad(
        "clusters: [{name: east, manifests: ~nosuch/x}]\n", ("clusters[0].manifests", "expected a path")
    ),
    "NUL in a path": Bad(
        'clusters: [{name: east, manifests: "f\\0x"}]\n', ("clusters[0].manifests", "expected a path")
    ),
    "half a character": Bad(
        'clusters: [{name: east, manifests: "f\\ud800"}]\n', ("clusters[0].manifests", "expected a path")
    ),
    "NSID too long": Bad(EAST + f"nsid: {'n' * 129}\n", ("nsid", "128")),
    "NSID that is empty": Bad(EAST + "nsid: ''\n", ("nsid", "128")),
    "empty file": Bad("", ("expected keys",)),
    "no clusters": Bad("zone: clusterset.local\n", ("`clusters` is missing",)),
    "empty clusters": Bad("clusters: []\n", ("clusters", "at least one")),
    "two sources": Bad(
        "clusters: [{name: east, manifests: east, in_cluster: true}]\n", ("clusters[0]", "exactly one", "found 2")
    ),
    "no source": Bad("clusters: [{name: east}]\n", ("clusters[0]", "exactly one", "found 0")),
    "a name twice": Bad("clusters: [{name: e, manifests: a}, {name: e, manifests: b}]\n", ("clusters[1].name", "'e'")),
    "bad name": Bad("clusters: [{name: East_1, manifests: east}]\n", ("clusters[0].name", "DNS label", "'East_1'")),
    "bad id": Bad("clusters: [{name: east, id: a.b.c, manifests: east}]\n", ("clusters[0].id", "'a.b.c'")),
    "unknown view": Bad(
        EAST + "listen: [{address: '127.0.0.1:0', view: west}]\n", ("listen[0].view", "'west'", "known: east")
    ),
    "no listener": Bad(EAST + "listen: []\n", ("listen", "at least one")),
    "bad address": Bad(
        EAST + "listen: [{address: '127.0.0.1'}]\n", ("listen[0].address", "address:port", "'127.0.0.1'")
    ),
    "a host name": Bad(EAST + "listen: [{address: 'localhost:53'}]\n", ("listen[0].address", "'localhost:53'")),
    "bad port": Bad(EAST + "admin: 127.0.0.1:70000\n", ("admin", "'127.0.0.1:70000'")),
    "an address twice": Bad(
        EAST + "listen: [{address: '127.0.0.1:5300'}, {address: '127.0.0.1:5300'}]\n", ("listen[1].address", "twice")
    ),
    "bad advertise": Bad(EAST + "advertise: [ns.example.]\n", ("advertise[0]", "'ns.example.'")),
    "bad zone": Bad(EAST + "zone: a..b\n", ("zone", "'a..b'")),
    "zone too long": Bad(EAST + f"zone: {'.'.join(['a' * 60] * 3)}\n", ("zone", "at most")),
    "ttl below 0": Bad(EAST + "ttl: -1\n", ("ttl", ">= 0")),
    "ttl of a wrong type": Bad(EAST + "ttl: five\n", ("ttl", "expected `int`")),
    "unknown plane": Bad(EAST + "plane: rust\n", ("plane", "'rust'")),
    "limit out of bounds": Bad(EAST + "limits: {udp_payload: 65535}\n", ("limits.udp_payload", "4096")),
}


@pytest.mark.parametrize("case", BAD.values(), ids=BAD.keys())
def test_a_wrong_configuration(tmp_path: Path, case: Bad) -> None:
    """Exit 2, and one line that names the file, the place in it and what is wrong; no traceback."""
    (tmp_path / "east").mkdir()
    path = tmp_path / "mcsdns.yaml"
    path.write_text(case.text)
    done = run("serve", "--config", path)
    assert (done.returncode, done.stdout) == (WRONG, "")
    line = _only_line(done.stderr)
    assert line.startswith(f"mcsdns: {path}: ")
    for part in case.said:
        assert part in line


@pytest.mark.parametrize("verb", ["serve", "check", "export"])
def test_a_missing_configuration(tmp_path: Path, verb: str) -> None:
    """Every verb that reads a configuration says that it cannot."""
    path = tmp_path / "nosuch.yaml"
    done = run(verb, "--config", path)
    assert done.returncode == WRONG
    assert _only_line(done.stderr) == f"mcsdns: {path}: cannot be read: No such file or directory"


@pytest.mark.parametrize(("key", "transport"), [("listen", "UDP"), ("listen", "TCP"), ("admin", "TCP")])
def test_an_address_that_is_taken(tmp_path: Path, key: str, transport: str) -> None:
    """Exit 2, naming the address and the reason."""
    (tmp_path / "east").mkdir()
    with _taken(transport) as address:
        settings: dict[str, Any] = {"listen": [{"address": address}]} if key == "listen" else {"admin": address}
        path = _config(tmp_path, [{"name": "east", "manifests": "east"}], **settings)
        done = run("serve", "--config", path)
        assert done.returncode == WRONG
        line = _last_line(done.stderr)
        assert line.startswith("mcsdns: ")
        assert address in line
        assert "in use" in line
        assert "Traceback" not in done.stderr
        if key == "listen":
            assert transport in line


@pytest.mark.parametrize(
    "settings", [{"listen": [{"address": "192.0.2.1:0"}]}, {"admin": "192.0.2.1:0"}], ids=["listen", "admin"]
)
def test_an_address_that_is_not_ours(tmp_path: Path, settings: dict[str, Any]) -> None:
    """An address that this machine does not have: exit 2, naming it and the reason."""
    (tmp_path / "east").mkdir()
    done = run("serve", "--config", _config(tmp_path, [{"name": "east", "manifests": "east"}], **settings))
    assert done.returncode == WRONG
    line = _last_line(done.stderr)
    assert "192.0.2.1:0" in line
    assert "annot assign requested address" in line


KUBECONFIG: dict[str, Any] = {
    "apiVersion": "v1",
    "kind": "Config",
    "clusters": [
        {"name": "secure", "cluster": {"server": "https://127.0.0.1:1"}},
        {"name": "plain", "cluster": {"server": "http://127.0.0.1:1"}},
        {"name": "unchecked", "cluster": {"server": "https://127.0.0.1:1", "insecure-skip-tls-verify": True}},
    ],
    "users": [{"name": "me", "user": {"token": "very-secret"}}],
    "contexts": [
        {"name": name, "context": {"cluster": name, "user": "me"}} for name in ("secure", "plain", "unchecked")
    ],
    "current-context": "secure",
}

BAD_KUBECONFIGS = {
    "missing file": ({"path": "nosuch"}, ("nosuch", "No such file")),
    "broken YAML": ({"path": "broken"}, ("broken", "not YAML")),
    "no mapping": ({"path": "list"}, ("list", "expected a mapping")),
    "unknown context": ({"path": "good", "context": "north"}, ("good", "'north'", "'secure'")),
    "plain http": ({"path": "good", "context": "plain"}, ("plain http", "insecure: true")),
    "unchecked TLS": ({"path": "good", "context": "unchecked"}, ("insecure-skip-tls-verify", "insecure: true")),
    "nobody there": ({"path": "good"}, ("127.0.0.1:1",)),
}


@pytest.mark.parametrize("case", BAD_KUBECONFIGS.values(), ids=BAD_KUBECONFIGS.keys())
def test_a_kubeconfig_that_cannot_be_used(
    serve: Serve, tmp_path: Path, case: tuple[dict[str, Any], tuple[str, ...]]
) -> None:
    """The other clusters serve; the problem is told by /status and `check`, with no secret in it."""
    kubeconfig, said = case
    (tmp_path / "good").write_text(yaml.safe_dump(KUBECONFIG))
    (tmp_path / "broken").write_text("users: [{token: very-secret\n")
    (tmp_path / "list").write_text("- very-secret\n")
    clusters = [member(tmp_path, "east", web("10.0.0.1")), {"name": "west", "kubeconfig": kubeconfig}]
    server = serve(clusters, sync_deadline_s=0.5)
    assert server.ask("web.test.svc") == found("10.0.0.1")
    assert server.ask("nosuch.test.svc") == NOT_READY
    eventually(lambda: [part for part in said if part not in server.admin("/status").text], [], 10)
    status = server.admin("/status").text
    checked = run("check", "--config", server.config_path, "--timeout", "10")
    assert checked.returncode == NOT_SO
    assert "west" in checked.stdout
    assert not [part for part in said if part not in checked.stdout]
    for text in (status, checked.stdout, checked.stderr, server.log_path.read_text()):
        assert "very-secret" not in text
        assert "Traceback" not in text


def test_check_of_what_is_well(tmp_path: Path) -> None:
    """Exit 0 where every cluster can be read; every cluster is named; `--output json` is one JSON value."""
    path = _config(tmp_path, [member(tmp_path, "east", web("10.0.0.1")), member(tmp_path, "west")])
    done = run("check", "--config", path)
    assert done.returncode == OK, done.stderr
    assert "east" in done.stdout
    assert "west" in done.stdout
    as_json = run("check", "--config", path, "--output", "json")
    assert as_json.returncode == OK
    assert [cluster["name"] for cluster in json.loads(as_json.stdout)["clusters"]] == ["east", "west"]


def test_check_names_what_is_wrong_with_manifests(tmp_path: Path) -> None:
    """Exit 1 for a file that does not parse, and for a folder that is not there; both are named."""
    path = _config(tmp_path, [member(tmp_path, "east", web("10.0.0.1"))])
    write(tmp_path / "east" / "broken.yaml", "kind: [")
    done = run("check", "--config", path)
    assert done.returncode == NOT_SO
    assert "broken.yaml" in done.stdout
    path = _config(tmp_path, [{"name": "west", "manifests": "west"}])
    done = run("check", "--config", path, "--timeout", "1")
    assert done.returncode == NOT_SO
    assert "No such file or directory" in done.stdout


def test_export_of_what_cannot_be_heard(tmp_path: Path) -> None:
    """Exit 1, and nothing is printed: half a zone is worse than none."""
    path = _config(tmp_path, [member(tmp_path, "east", web("10.0.0.1")), {"name": "west", "manifests": "west"}])
    done = run("export", "--config", path, "--timeout", "1")
    assert (done.returncode, done.stdout) == (NOT_SO, "")
    line = _only_line(done.stderr)
    assert "west" in line
    assert "No such file or directory" in line


def test_export_of_a_view(tmp_path: Path) -> None:
    """`--view` is the zone as that cluster sees it; a cluster that is not configured is exit 2."""
    path = _config(tmp_path, [member(tmp_path, "east", web("10.0.0.1")), member(tmp_path, "west", web("10.0.0.2"))])
    for view, address in ((None, "10.0.0.1"), ("east", "10.0.0.1"), ("west", "10.0.0.2")):
        done = run("export", "--config", path, *(["--view", view] if view else []))
        assert done.returncode == OK, done.stderr
        records = re.findall(r"^web\.test\.svc\.clusterset\.local\.\t5\tIN\tA\t(.*)$", done.stdout, re.MULTILINE)
        assert records == [address]
    done = run("export", "--config", path, "--view", "north")
    assert done.returncode == WRONG
    assert "known: east, west" in _only_line(done.stderr)


@pytest.mark.parametrize("way", ["server", "configuration"])
def test_explain(serve: Serve, tmp_path: Path, way: str) -> None:
    """Exit 0 for a name that exists, 1 for one that does not; the same of a running server and of the configuration alone."""
    clusters = [member(tmp_path, "east", web("10.0.0.1")), member(tmp_path, "west", web("10.0.0.2"))]
    server = serve(clusters, listen=[{"address": "127.0.0.1:0"}, {"address": "127.0.0.1:0", "view": "west"}])
    source = ("--admin", server.admin_url) if way == "server" else ("--config", str(server.config_path))
    name = "web.test.svc.clusterset.local"
    exists = run("explain", name, *source)
    assert exists.returncode == OK, exists.stderr
    assert "10.0.0.1" in exists.stdout
    assert "ServiceImport" in exists.stdout
    assert run("explain", name, "AAAA", *source).returncode == OK, "the name exists (NODATA)"
    assert "10.0.0.2" in run("explain", name, "--view", "west", *source).stdout
    missing = run("explain", "wep.test.svc.clusterset.local", *source)
    assert missing.returncode == NOT_SO
    assert "NXDOMAIN" in missing.stdout
    assert "web" in missing.stdout, "what is near"
    as_json = run("explain", name, "--output", "json", *source)
    assert as_json.returncode == OK
    assert json.loads(as_json.stdout)
    for wrong in (("explain", name, "NOSUCHTYPE"), ("explain", "x" * 64), ("explain", name, "--view", "north")):
        done = run(*wrong, *source)
        assert done.returncode == WRONG, wrong
        assert "Traceback" not in done.stderr
        assert _only_line(done.stderr).startswith("mcsdns: ")
    assert server.ask("wep.test.svc") == NXDOMAIN


def test_explain_without_a_server() -> None:
    """Nobody answers at the admin address: exit 2, and what to do."""
    done = run("explain", "web.test.svc.clusterset.local", "--admin", "http://127.0.0.1:1")
    assert done.returncode == WRONG
    line = _only_line(done.stderr)
    assert "http://127.0.0.1:1" in line
    assert "--config" in line
    assert run("explain", "web", "--admin", "127.0.0.1:9153").returncode == WRONG


def test_version() -> None:
    """The version and the plane."""
    done = run("--version")
    assert done.returncode == OK
    assert re.fullmatch(r"mcsdns \d+\.\d+\.\d+ \(plane: (python|native)\)\n", done.stdout)


@pytest.mark.parametrize("verb", ["", "serve", "check", "export", "explain", "doctor", "wiring", "completion"])
def test_help(verb: str) -> None:
    """Every verb has a help that names its arguments and exit codes."""
    done = run(*([verb] if verb else []), "--help")
    assert (done.returncode, done.stderr) == (OK, "")
    assert f"usage: mcsdns {verb}".strip() in done.stdout
    assert "Exit codes" in " ".join(done.stdout.split())


@pytest.mark.parametrize(
    "arguments", [[], ["dance"], ["serve", "--fast"], ["explain"], ["check", "--timeout", "soon"]], ids=" ".join
)
def test_wrong_usage(arguments: list[str]) -> None:
    """Exit 2 and the usage."""
    done = run(*arguments)
    assert done.returncode == WRONG
    assert done.stderr.startswith("usage: mcsdns")


def test_the_reader_of_an_export_may_leave(tmp_path: Path) -> None:
    """`mcsdns export | head -1` is no error."""
    documents = [service_import(f"service-{number}", ips=["10.0.0.1"]) for number in range(3000)]
    path = _config(tmp_path, [member(tmp_path, "east", *documents)])
    with Popen([COMMAND, "export", "--config", path], stdout=PIPE, stderr=PIPE, text=True) as exporting:
        assert exporting.stdout is not None
        assert exporting.stderr is not None
        assert exporting.stdout.readline().startswith("$ORIGIN")
        exporting.stdout.close()
        assert complaints(exporting.stderr.read()) == ""
        assert exporting.wait(10) == OK


def _config(folder: Path, clusters: list[dict[str, Any]], **settings: Any) -> Path:
    path = folder / "mcsdns.yaml"
    content = {"listen": [{"address": "127.0.0.1:0"}], "admin": "127.0.0.1:0", "clusters": clusters} | settings
    path.write_text(yaml.safe_dump(content))
    return path


@contextmanager
def _taken(transport: str) -> Iterator[str]:
    """Take a port of 127.0.0.1 over UDP or TCP that is free over the other."""
    kind = {"UDP": socket.SOCK_DGRAM, "TCP": socket.SOCK_STREAM}[transport]
    with socket.socket(socket.AF_INET, kind) as taken:
        taken.bind(("127.0.0.1", free_port()))
        if transport == "TCP":
            taken.listen()
        yield f"127.0.0.1:{taken.getsockname()[1]}"


def _only_line(text: str) -> str:
    lines = complaints(text).splitlines()
    assert len(lines) == 1, text
    return lines[0]


def _last_line(text: str) -> str:
    return text.splitlines()[-1]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--timeout", "-1"), "expected seconds above 0"),
        (("--timeout", "inf"), "expected seconds above 0"),
        (("--timeout", "nan"), "expected seconds above 0"),
        (("--admin", "http://[::1"), "--admin"),
        (("--admin", "http://127.0.0.1:abc"), "--admin"),
        (("--admin", "http://127.0.0.1:1/a b"), "--admin"),
        (("--admin", "ftp://127.0.0.1"), "expected a URL"),
    ],
)
def test_a_wrong_way_to_ask(arguments: tuple[str, ...], said: str) -> None:
    """Exit 2 and a sentence, never a traceback."""
    done = run("explain", "web.test.svc.clusterset.local", *arguments)
    assert (done.returncode, done.stdout) == (WRONG, "")
    assert said in done.stderr
    assert "Traceback" not in done.stderr
