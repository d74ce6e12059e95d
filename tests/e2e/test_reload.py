"""
The configuration file changes while the server runs: the installed command, with folders as member clusters, on both planes.

During every change a loop of queries runs (`Asking`): whoever asks must not notice.
"""

from __future__ import annotations

import os
import re
import signal
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import dns.exception
import pytest
import yaml

from tests.e2e.conftest import Serve
from tests.e2e.folders import member, web, write
from tests.e2e.server import NOT_READY, NXDOMAIN, Answer, Server, always, eventually, found
from tests.manifests import native_slice, service_export, service_import, together
from tests.planes import native_extension

LIMIT_S: Final = 5.0
"""Seconds in which a change that is not timed must have been applied."""
DB: Final = together(service_import("db", headless=True), service_export("db"))


@pytest.fixture(params=["python", "native"])
def plane(request: pytest.FixtureRequest) -> str:
    """The plane under test."""
    if request.param == "native":
        native_extension()
    name: str = request.param
    return name


def rewrite(server: Server, /, **changes: Any) -> None:
    """Replace the configuration file in one step: these keys are other than when the server started."""
    server.settings |= changes
    write(server.config_path, yaml.safe_dump(server.settings, sort_keys=False))


def config_of(server: Server) -> Any:
    return server.admin("/status").json["config"]


def coming(server: Server) -> str | None:
    """Give how it stands with the source that the first cluster is to have."""
    found: str | None = server.admin("/status").json["clusters"][0]["coming"]
    return found


def clusters_of(server: Server) -> list[str]:
    return [cluster["name"] for cluster in server.admin("/status").json["clusters"]]


def metric(server: Server, sample: str) -> float | None:
    match = re.search(rf"^{re.escape(sample)} (\S+)$", server.admin("/metrics").text, re.MULTILINE)
    return float(match[1]) if match else None


def serial(server: Server, at: int = 0) -> int:
    (soa,) = server.response("clusterset.local.", "SOA", at=at).answer[0]
    return int(soa.serial)


def ttl(server: Server, name: str = "web.test.svc") -> int:
    (rrset,) = server.response(name).answer
    return rrset.ttl


class Asking:
    """
    Asks for names again and again, in a thread, and keeps what was answered.

    Args:
        server: Who is asked.
        names: What for.
    """

    def __init__(self, server: Server, names: Sequence[str]) -> None:
        self._server = server
        self._names = names
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self.answers: dict[str, list[Answer]] = {name: [] for name in names}
        self.serials: list[int] = []
        self.timeouts = 0

    def _run(self) -> None:
        is_last = False
        while not is_last:
            is_last = self._stop.is_set()
            for name in self._names:
                try:
                    answer = self._server.ask(name)
                    self.serials.append(serial(self._server))
                except dns.exception.Timeout:
                    self.timeouts += 1
                else:
                    self.answers[name].append(answer)

    def __enter__(self) -> Asking:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def turns(self, name: str) -> list[Answer]:
        """Give the answers to a name, each once for as long as it stayed."""
        turns: list[Answer] = []
        for answer in self.answers[name]:
            if turns[-1:] != [answer]:
                turns.append(answer)
        return turns


@contextmanager
def unnoticed(server: Server, *names: str) -> Iterator[Asking]:
    """Ask for names that exist before and after: every answer holds records, none is late, no serial is older than the last."""
    with Asking(server, names) as asking:
        for _ in range(2):
            yield_at = len(asking.serials)
            while len(asking.serials) == yield_at:
                time.sleep(0.005)
        yield asking
    assert asking.timeouts == 0
    for name in names:
        assert {answer.rcode for answer in asking.answers[name]} == {"NOERROR"}, name
    assert asking.serials == sorted(asking.serials)


def headless(cluster: str, address: str) -> str:
    return together(DB, native_slice("db", f"x={address}", name=f"db-{cluster}"))


def test_a_cluster_is_added(serve: Serve, tmp_path: Path, plane: str) -> None:
    """A cluster that comes into the file is listed, and its records stand beside those of the others."""
    east = member(tmp_path, "east", web("10.0.0.1"), headless("east", "10.1.0.1"))
    west = member(tmp_path, "west", service_import("new", ips=["10.0.0.2"]), headless("west", "10.2.0.1"))
    middle = member(tmp_path, "middle")
    server = serve([east, middle], plane=plane)
    assert server.ask("new.test.svc") == NXDOMAIN
    with unnoticed(server, "web.test.svc", "db.test.svc"):
        rewrite(server, clusters=[east, west, middle])
        eventually(lambda: server.ask("new.test.svc"), found("10.0.0.2"), LIMIT_S)
        assert server.ask("db.test.svc") == found("10.1.0.1", "10.2.0.1")
        eventually(lambda: server.ask("nosuch.test.svc"), NXDOMAIN, LIMIT_S)
    assert clusters_of(server) == ["east", "west", "middle"]
    assert metric(server, 'mcsdns_cluster_state{cluster="west",state="synced"}') == 1
    write(tmp_path / "west" / "objects.yaml", service_import("newer", ips=["10.0.0.3"]))
    eventually(lambda: server.ask("newer.test.svc"), found("10.0.0.3"), LIMIT_S)
    (line,) = server.logged("configuration applied")
    assert line["added"] == ["west"]


def test_an_added_cluster_holds_negatives_back_until_it_is_heard(serve: Serve, tmp_path: Path) -> None:
    """What is not found may be there: SERVFAIL until it has been heard. The server stays ready, and what exists is answered."""
    east, middle = member(tmp_path, "east", web("10.0.0.1")), member(tmp_path, "middle")
    server = serve([east, middle])
    with unnoticed(server, "web.test.svc"):
        rewrite(server, clusters=[east, middle, {"name": "west", "manifests": "west"}])
        eventually(lambda: server.ask("new.test.svc"), NOT_READY, LIMIT_S)
        assert server.admin("/readyz").code == 200
        assert "west" in server.admin("/readyz").text
        member(tmp_path, "west", service_import("new", ips=["10.0.0.2"]))
        eventually(lambda: server.ask("new.test.svc"), found("10.0.0.2"), LIMIT_S)
        eventually(lambda: server.ask("nosuch.test.svc"), NXDOMAIN, LIMIT_S)


def test_an_added_optional_cluster_has_a_sync_deadline_of_its_own(serve: Serve, tmp_path: Path) -> None:
    """Negatives are held back for it from when it was added until its deadline, and no longer."""
    east, middle = member(tmp_path, "east", web("10.0.0.1")), member(tmp_path, "middle")
    server = serve([east, middle], sync_deadline_s=2)
    time.sleep(2.1)
    west = {"name": "west", "manifests": "west", "optional": True}
    rewrite(server, clusters=[east, middle, west])
    eventually(lambda: server.ask("new.test.svc"), NOT_READY, LIMIT_S)
    assert eventually(lambda: server.ask("new.test.svc"), NXDOMAIN, LIMIT_S) > 0.8
    (line,) = server.logged("optional cluster left out")
    assert line["cluster"] == "west"
    rewrite(server, clusters=[east, middle, west | {"optional": False}])
    eventually(lambda: server.ask("new.test.svc"), NOT_READY, LIMIT_S)
    rewrite(server, clusters=[east, middle, west], sync_deadline_s=1)
    eventually(lambda: server.ask("new.test.svc"), NXDOMAIN, LIMIT_S)


def test_a_removed_clusters_records_leave_within_a_second_in_one_publish(
    serve: Serve, tmp_path: Path, plane: str
) -> None:
    """Everything that it contributed goes at once, in one step of the serial; its rows in /status and /metrics go as well."""
    many = [service_import(f"w{number}", ips=["10.0.0.2"]) for number in range(500)]
    east = member(tmp_path, "east", web("10.0.0.1"), headless("east", "10.1.0.1"))
    west = member(tmp_path, "west", *many, headless("west", "10.2.0.1"))
    server = serve([east, west, member(tmp_path, "middle")], plane=plane)
    assert server.ask("db.test.svc") == found("10.1.0.1", "10.2.0.1")
    before = serial(server)
    with unnoticed(server, "web.test.svc", "db.test.svc") as asking:
        rewrite(server, clusters=[east, server.settings["clusters"][2]])
        took_s = eventually(lambda: server.ask("w499.test.svc"), NXDOMAIN, 1.0)
        for number in range(0, 500, 50):
            assert server.ask(f"w{number}.test.svc") == NXDOMAIN
        assert server.ask("db.test.svc") == found("10.1.0.1")
    assert took_s < 1
    assert serial(server) == before + 1
    assert asking.turns("db.test.svc") == [found("10.1.0.1", "10.2.0.1"), found("10.1.0.1")]
    assert clusters_of(server) == ["east", "middle"]
    assert 'cluster="west"' not in server.admin("/metrics").text
    write(tmp_path / "west" / "objects.yaml", service_import("late", ips=["10.0.0.3"]))
    always(lambda: server.ask("late.test.svc"), NXDOMAIN, 0.8)


def test_ttls_change(serve: Serve, tmp_path: Path, plane: str) -> None:
    """Every record has the new TTL after one publish of each view; so has the SOA."""
    names = [f"w{number}.test.svc" for number in range(300)]
    many = [service_import(f"w{number}", ips=["10.0.0.2"]) for number in range(300)]
    east = member(tmp_path, "east", web("10.0.0.1"), *many)
    listen = [{"address": "127.0.0.1:0"}, {"address": "127.0.0.1:0", "view": "east"}]
    server = serve([east, member(tmp_path, "west")], plane=plane, listen=listen)
    assert ttl(server) == 5
    serials = [serial(server, at) for at in (0, 1)]
    with unnoticed(server, "web.test.svc", "w299.test.svc"):
        rewrite(server, ttl=60, negative_ttl=7, advertise=["10.9.9.9"])
        eventually(lambda: ttl(server), 60, LIMIT_S)
        assert {ttl(server, name) for name in names} == {60}
        assert server.ask("ns.dns") == found("10.9.9.9")
        (soa,) = server.response("clusterset.local.", "SOA").answer
        assert (soa.ttl, soa[0].minimum) == (7, 7)
    assert [serial(server, at) for at in (0, 1)] == [number + 1 for number in serials]


def test_another_id_moves_host_names_at_once(serve: Serve, tmp_path: Path) -> None:
    """Names below the old cluster id are gone when those below the new one are there; the service is never without its endpoints."""
    east, west = member(tmp_path, "east", headless("east", "10.1.0.1")), member(tmp_path, "west")
    server = serve([east, west])
    assert server.ask("x.east.db.test.svc") == found("10.1.0.1")
    before = serial(server)
    with unnoticed(server, "db.test.svc") as asking:
        rewrite(server, clusters=[east | {"id": "e.eu"}, west])
        eventually(lambda: server.ask("x.e.eu.db.test.svc"), found("10.1.0.1"), LIMIT_S)
        assert server.ask("x.east.db.test.svc") == NXDOMAIN
    assert asking.turns("db.test.svc") == [found("10.1.0.1")]
    assert serial(server) == before + 1
    assert server.admin("/status").json["clusters"][0]["id"] == "e.eu"


def test_another_folder_takes_the_place_once_it_is_heard_whole(serve: Serve, tmp_path: Path, plane: str) -> None:
    """The old source goes on serving until the new one has been heard whole; then it takes its place in one publish."""
    east = member(tmp_path, "east", web("10.0.0.1"), headless("east", "10.1.0.1"))
    server = serve([east, member(tmp_path, "west")], plane=plane)
    before = serial(server)
    with unnoticed(server, "web.test.svc", "db.test.svc") as asking:
        rewrite(server, clusters=[east | {"manifests": "moved"}, server.settings["clusters"][1]])
        eventually(lambda: coming(server) is not None, True, LIMIT_S)
        assert "moved" in (coming(server) or "")
        write(tmp_path / "east" / "objects.yaml", together(web("10.0.0.2"), headless("east", "10.1.0.1")))
        eventually(lambda: server.ask("web.test.svc"), found("10.0.0.2"), LIMIT_S)
        assert server.ask("nosuch.test.svc") == NXDOMAIN, "the old source still proves what is not there"
        assert serial(server) == before + 1
        member(tmp_path, "moved", web("10.0.0.3"), headless("east", "10.1.0.2"))
        eventually(lambda: server.ask("web.test.svc"), found("10.0.0.3"), LIMIT_S)
        assert serial(server) == before + 2
        assert coming(server) is None
        write(tmp_path / "east" / "objects.yaml", web("10.0.0.9"))
        write(tmp_path / "moved" / "objects.yaml", together(web("10.0.0.4"), headless("east", "10.1.0.2")))
        eventually(lambda: server.ask("web.test.svc"), found("10.0.0.4"), LIMIT_S)
    assert asking.turns("web.test.svc") == [found(f"10.0.0.{number}") for number in (1, 2, 3, 4)]
    assert asking.turns("db.test.svc") == [found("10.1.0.1"), found("10.1.0.2")]


def test_a_source_that_was_to_come_is_dropped_when_the_file_changes_again(serve: Serve, tmp_path: Path) -> None:
    """Of two changes the last one counts, also where it goes back."""
    east, west = member(tmp_path, "east", web("10.0.0.1")), member(tmp_path, "west")
    server = serve([east, west])
    with unnoticed(server, "web.test.svc") as asking:
        rewrite(server, clusters=[east | {"manifests": "one"}, west])
        eventually(lambda: "one" in (coming(server) or ""), True, LIMIT_S)
        rewrite(server, clusters=[east | {"manifests": "two"}, west])
        eventually(lambda: "two" in (coming(server) or ""), True, LIMIT_S)
        member(tmp_path, "one", web("10.0.0.2"))
        always(lambda: server.ask("web.test.svc"), found("10.0.0.1"), 0.6)
        rewrite(server, clusters=[east, west])
        eventually(lambda: coming(server), None, LIMIT_S)
        member(tmp_path, "two", web("10.0.0.3"))
        always(lambda: server.ask("web.test.svc"), found("10.0.0.1"), 0.6)
    assert asking.turns("web.test.svc") == [found("10.0.0.1")]


def test_a_source_that_was_never_heard_is_replaced_at_once(serve: Serve, tmp_path: Path) -> None:
    """A typo in a path is mended in the file: what was never heard has nothing to serve meanwhile."""
    east = member(tmp_path, "east", web("10.0.0.1"))
    server = serve([east, {"name": "west", "manifests": "wset"}], until="serving")
    eventually(lambda: server.ask("web.test.svc"), found("10.0.0.1"), LIMIT_S)
    assert server.admin("/readyz").code == 503
    rewrite(server, clusters=[east, member(tmp_path, "west", service_import("new", ips=["10.0.0.2"]))])
    eventually(lambda: server.ask("new.test.svc"), found("10.0.0.2"), LIMIT_S)
    eventually(lambda: server.admin("/readyz").code, 200, LIMIT_S)


def test_a_bad_file_is_refused_loudly_and_the_old_one_goes_on(serve: Serve, tmp_path: Path) -> None:
    """One ERROR with the words of `mcsdns check`, a gauge and a counter, a place in /status; mended, it is applied."""
    server = serve([member(tmp_path, "east", web("10.0.0.1"))])
    assert metric(server, "mcsdns_config_last_load_successful") == 1
    assert config_of(server)["error"] is None
    good = server.config_path.read_text()
    with unnoticed(server, "web.test.svc"):
        write(server.config_path, good + "ttll: 9\n")
        eventually(lambda: metric(server, "mcsdns_config_last_load_successful"), 0, LIMIT_S)
        time.sleep(1.5)
        (line,) = server.logged("configuration refused")
        assert line["level"] == "error"
        assert "unknown key `ttll`" in line["problem"]
        assert config_of(server)["error"] == line["problem"]
        assert config_of(server)["path"] == str(server.config_path)
        assert metric(server, 'mcsdns_config_reloads_total{result="failure"}') == 1
        server.config_path.unlink()
        eventually(lambda: "cannot be read" in config_of(server)["error"], True, LIMIT_S)
        assert server.admin("/readyz").code == 200
        write(server.config_path, good + "ttl: 9\n")
        eventually(lambda: ttl(server), 9, LIMIT_S)
    assert metric(server, "mcsdns_config_last_load_successful") == 1
    assert metric(server, 'mcsdns_config_reloads_total{result="success"}') == 1
    assert config_of(server)["error"] is None


def test_sighup_reads_the_file_at_once(serve: Serve, tmp_path: Path) -> None:
    """SIGHUP ends no process: the file is read, and where nothing is other the log says so."""
    server = serve([member(tmp_path, "east", web("10.0.0.1"))])
    with unnoticed(server, "web.test.svc"):
        server.terminate(signal.SIGHUP)
        eventually(lambda: len(list(server.logged("configuration unchanged"))), 1)
        before = serial(server)
        rewrite(server, ttl=9)
        server.terminate(signal.SIGHUP)
        assert eventually(lambda: ttl(server), 9) < 0.3
    assert serial(server) == before + 1
    assert server.is_running


def test_a_mounted_config_map_is_followed(serve: Serve, tmp_path: Path) -> None:
    """The file is a link through `..data`, and that is swapped: the content changes, the path does not."""
    server = _InConfigMap(tmp_path, [member(tmp_path, "east", web("10.0.0.1"))])
    with server, unnoticed(server, "web.test.svc"):
        server.mount("..2026_02", server.text + "ttl: 9\n")
        eventually(lambda: ttl(server), 9, LIMIT_S)
        server.mount("..2026_03", server.text + "ttl: 10\n")
        eventually(lambda: ttl(server), 10, LIMIT_S)
    assert not list(server.logged("configuration refused"))


def test_a_half_written_file_is_not_taken(serve: Serve, tmp_path: Path) -> None:
    """A file that is written in place, bit by bit, counts when it is done: no prefix of it is taken or refused."""
    east, west = (
        member(tmp_path, "east", web("10.0.0.1")),
        member(tmp_path, "west", service_import("w", ips=["10.0.0.2"])),
    )
    server = serve([east, west])
    server.settings["ttl"] = 9
    text = yaml.safe_dump(server.settings, sort_keys=False)
    with unnoticed(server, "web.test.svc", "w.test.svc"):
        with server.config_path.open("w") as file:
            for at in range(0, len(text), 8):
                file.write(text[at : at + 8])
                file.flush()
                os.fsync(file.fileno())
                time.sleep(0.1)
        eventually(lambda: ttl(server), 9, LIMIT_S)
    assert not list(server.logged("configuration refused"))
    assert len(list(server.logged("configuration applied"))) == 1


def test_the_cluster_whose_view_is_served_cannot_be_removed(serve: Serve, tmp_path: Path) -> None:
    """A listener keeps its view: a file that lacks its cluster is refused, and says what to do."""
    east = member(tmp_path, "east", web("10.0.0.1"))
    west = member(tmp_path, "west", service_import("w", ips=["10.0.0.2"]))
    listen = [{"address": "127.0.0.1:0", "view": "east"}]
    server = serve([east, west], listen=listen)
    with unnoticed(server, "web.test.svc"):
        rewrite(server, clusters=[west], listen=[{"address": "127.0.0.1:0"}])
        eventually(lambda: config_of(server)["error"] is None, False, LIMIT_S)
        assert "'east' is missing, whose view" in config_of(server)["error"]
        assert clusters_of(server) == ["east", "west"]


def test_a_listener_keeps_the_view_of_its_only_cluster(serve: Serve, tmp_path: Path) -> None:
    """A second cluster would change what a listener without `view` serves: it does not, and a warning says how to name it."""
    east = member(tmp_path, "east", web("10.0.0.1"))
    west = member(tmp_path, "west", service_import("w", ips=["10.0.0.2"]))
    server = serve([east])
    with unnoticed(server, "web.test.svc"):
        rewrite(server, clusters=[east, west])
        eventually(lambda: clusters_of(server), ["east", "west"], LIMIT_S)
        (line,) = server.logged("configuration keys wait for a restart")
        assert "write `view: east` to keep it" in line["keys"]["listen[0].view"]
        assert config_of(server)["waiting_for_restart"] == line["keys"]
        always(lambda: server.ask("w.test.svc"), NXDOMAIN, 0.5)
        rewrite(server, listen=[{"address": "127.0.0.1:0", "view": "east"}])
        eventually(lambda: config_of(server)["waiting_for_restart"], {}, LIMIT_S)


def test_keys_that_wait_for_a_restart_are_named_and_the_rest_is_applied(serve: Serve, tmp_path: Path) -> None:
    """The listeners stay where they are; the TTL of the same file counts; the next start takes all of it."""
    server = serve([member(tmp_path, "east", web("10.0.0.1"))])
    address = server.addresses[0]
    listen = [*server.settings["listen"], {"address": "127.0.0.1:0"}]
    with unnoticed(server, "web.test.svc"):
        rewrite(server, listen=listen, ttl=9, nsid="x", zone="other.example")
        eventually(lambda: ttl(server), 9, LIMIT_S)
        (line,) = server.logged("configuration keys wait for a restart")
        assert line["level"] == "warning"
        assert set(line["keys"]) == set(config_of(server)["waiting_for_restart"]) == {"listen", "nsid", "zone"}
        assert server.addresses == [address]
        rewrite(server, listen=listen[:1], nsid=None, zone="clusterset.local")
        eventually(lambda: config_of(server)["waiting_for_restart"], {}, LIMIT_S)


class _InConfigMap(Server):
    """A server whose configuration is mounted from a ConfigMap."""

    text = ""

    def command(self) -> list[str]:
        """Write the configuration as the kubelet does."""
        command = super().command()
        self.text = self.config_path.read_text()
        self.config_path.unlink()
        self.config_path.symlink_to("..data/mcsdns.yaml")
        self.mount("..2026_01", self.text)
        return command

    def mount(self, generation: str, text: str) -> None:
        """Write a generation, swap the link to it, and take the last one away."""
        old = (self.folder / "..data").readlink() if (self.folder / "..data").is_symlink() else None
        write(self.folder / generation / "mcsdns.yaml", text)
        (self.folder / generation / "east").symlink_to("../east")
        (self.folder / "..data_tmp").symlink_to(generation)
        (self.folder / "..data_tmp").rename(self.folder / "..data")
        if old is not None:
            (self.folder / old / "mcsdns.yaml").unlink()
