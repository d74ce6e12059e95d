"""Start, ready, stop (design.md §6), and following files while it runs: the installed command, with folders as member clusters."""

from __future__ import annotations

import signal
import socket
import sys
import textwrap
import time
from pathlib import Path

import pytest

from tests.e2e.conftest import Serve
from tests.e2e.folders import member, web, write
from tests.e2e.server import NODATA, NOT_READY, NXDOMAIN, Server, always, eventually, found, is_closed
from tests.manifests import imported_slice, service_import, together

NAME = "web.test.svc"


def test_ready_once_every_cluster_has_been_heard(serve: Serve, tmp_path: Path) -> None:
    """A server is ready when its sockets answer and every cluster has been heard."""
    server = serve([member(tmp_path, "east", web("10.0.0.1")), member(tmp_path, "west")])
    for path in ("/healthz", "/readyz"):
        assert server.admin(path).code == 200
    for tcp in (False, True):
        assert server.ask(NAME, tcp=tcp) == found("10.0.0.1")
        assert server.ask("nosuch.test.svc", tcp=tcp) == NXDOMAIN
    assert server.ask(NAME, "AAAA") == NODATA
    assert len(list(server.logged("ready"))) == 1


def test_it_serves_ipv6_too(serve: Serve, tmp_path: Path) -> None:
    """Listeners may be IPv4 and IPv6, side by side."""
    _need_ipv6()
    listen = [{"address": "127.0.0.1:0"}, {"address": "[::1]:0"}]
    server = serve([member(tmp_path, "east", web("10.0.0.1"))], listen=listen)
    assert [host for host, _ in server.addresses] == ["127.0.0.1", "::1"]
    for tcp in (False, True):
        assert server.ask(NAME, at=1, tcp=tcp) == found("10.0.0.1")
    assert server.ask("ns.dns", "AAAA") == found("::1")


def test_wildcard_listeners_answer_from_the_address_that_was_asked(serve: Serve, tmp_path: Path) -> None:
    """A wildcard is answered from the address that was asked: dnspython takes no answer from another."""
    server = serve([member(tmp_path, "east", web("10.0.0.1"))], listen=[{"address": "0.0.0.0:0"}])
    _, port = server.addresses[0]
    for host in ("127.0.0.1", "127.0.0.2"):
        assert server.ask(NAME, at=(host, port)) == found("10.0.0.1")


def test_what_is_not_found_is_servfail_before_every_cluster_is_heard(serve: Serve, tmp_path: Path) -> None:
    """Until a cluster has been heard, what it may hold is SERVFAIL with EDE 14; what is known of others is answered."""
    east = member(tmp_path, "east", web("10.0.0.1"))
    west = {"name": "west", "manifests": "west"}  # a folder that is not there yet: an outage, not an empty cluster
    server = serve([east, west], until="serving")
    eventually(lambda: server.ask(NAME), found("10.0.0.1"))
    assert server.ask("db.test.svc") == server.ask("db.test.svc", tcp=True) == NOT_READY
    assert server.ask("outside.example.") == ("REFUSED", (), (20,))
    assert server.admin("/healthz").code == 200
    ready = server.admin("/readyz")
    assert ready.code == 503
    assert "west" in ready.text

    member(tmp_path, "west", service_import("db", ips=["10.0.0.2"]))
    eventually(lambda: server.ask("db.test.svc"), found("10.0.0.2"), 2)
    eventually(lambda: server.ask("nosuch.test.svc"), NXDOMAIN)
    eventually(lambda: server.admin("/readyz").code, 200)


def test_before_anything_is_heard_everything_is_servfail(serve: Serve, tmp_path: Path) -> None:
    """The sockets answer before the first cluster is heard, and say that nothing is known yet."""
    server = serve([{"name": "east", "manifests": "east"}], until="serving")
    for name in (NAME, "test.svc", "a.b.web.test.svc", "nosuch"):
        assert server.ask(name) == NOT_READY
    assert server.ask("svc") == NODATA
    assert server.ask("dns-version", "TXT") == found('"1.0.0"')
    assert server.ask("clusterset.local.", "NS") == found("ns.dns.clusterset.local.")


def test_the_sync_deadline_makes_ready_but_keeps_negatives_back(serve: Serve, tmp_path: Path) -> None:
    """After the sync deadline the server is ready; a name that is not found is still SERVFAIL."""
    clusters = [member(tmp_path, "east", web("10.0.0.1")), {"name": "west", "manifests": "west"}]
    server = serve(clusters, until="serving", sync_deadline_s=1)
    assert server.admin("/readyz").code == 503
    eventually(lambda: server.admin("/readyz").code, 200, 3)
    assert "west" in server.admin("/readyz").text
    assert server.ask(NAME) == found("10.0.0.1")
    assert server.ask("nosuch.test.svc") == NOT_READY
    (line,) = server.logged("sync deadline passed")
    assert line["waits_for"] == ["west"]


def test_a_server_that_has_heard_nobody_is_not_ready(serve: Serve, tmp_path: Path) -> None:
    """Not even after the sync deadline: it has no answer to give, and a replica that was not restarted in the outage has."""
    server = serve([{"name": name, "manifests": name} for name in ("east", "west")], until="serving", sync_deadline_s=1)
    eventually(lambda: any(server.logged("sync deadline passed")), True, 3)
    always(lambda: server.admin("/readyz").code, 503, 0.5)
    member(tmp_path, "east", web("10.0.0.1"))
    eventually(lambda: server.admin("/readyz").code, 200, 2)
    assert server.ask(NAME) == found("10.0.0.1")


def test_an_optional_cluster_is_left_out_after_the_deadline_and_joins_late(serve: Serve, tmp_path: Path) -> None:
    """`optional: true`: negatives are not held back for it after the deadline; it joins when it comes."""
    clusters = [member(tmp_path, "east", web("10.0.0.1")), {"name": "west", "manifests": "west", "optional": True}]
    server = serve(clusters, until="serving", sync_deadline_s=1)
    eventually(lambda: server.ask(NAME), found("10.0.0.1"))
    assert server.ask("db.test.svc") == NOT_READY
    eventually(lambda: server.ask("db.test.svc"), NXDOMAIN, 3)
    assert server.admin("/readyz").code == 200
    (line,) = server.logged("optional cluster left out")
    assert line["cluster"] == "west"
    member(tmp_path, "west", service_import("db", ips=["10.0.0.2"]))
    eventually(lambda: server.ask("db.test.svc"), found("10.0.0.2"), 2)


def test_it_stops_gracefully(serve: Serve, tmp_path: Path) -> None:
    """SIGTERM: not ready at once, queries answered for `lameduck_s`, then exit 0."""
    server = serve([member(tmp_path, "east", web("10.0.0.1"))], lameduck_s=3)
    started = time.monotonic()
    server.terminate()
    eventually(lambda: server.admin("/readyz").code, 503, 0.5)
    assert server.admin("/healthz").code == 200
    write(tmp_path / "east" / "objects.yaml", web("10.0.0.2"))
    eventually(lambda: server.ask(NAME), found("10.0.0.2"), 2.5)
    assert server.ask(NAME, tcp=True) == found("10.0.0.2")
    addresses = server.addresses
    assert server.wait(5) == 0
    assert 2.9 < time.monotonic() - started < 6
    assert is_closed(addresses[0])
    (line,) = server.logged("stopping")
    assert (line["signal"], line["lameduck_s"]) == ("SIGTERM", 3.0)
    assert len(list(server.logged("stopped"))) == 1
    assert "Traceback" not in server.log_path.read_text()


def test_sigint_ends_it_at_once(serve: Serve, tmp_path: Path) -> None:
    """A person at a terminal does not wait for the lame duck; the exit code is 0 all the same."""
    server = serve([member(tmp_path, "east")], lameduck_s=60)
    server.terminate(signal.SIGINT)
    assert server.wait(5) == 0
    assert len(list(server.logged("stopped"))) == 1
    assert "Traceback" not in server.log_path.read_text()


def test_a_second_signal_ends_it_at_once(serve: Serve, tmp_path: Path) -> None:
    """A second signal skips the lame duck."""
    server = serve([member(tmp_path, "east")], lameduck_s=60)
    server.terminate()
    eventually(lambda: server.admin("/readyz").code, 503)
    server.terminate()
    assert server.wait(5) == 0


def test_it_stops_while_clients_are_connected(serve: Serve, tmp_path: Path) -> None:
    """Open connections, to the DNS address and to the admin address, do not hold the end up."""
    server = serve([member(tmp_path, "east")])
    admin = server.admin_url.removeprefix("http://").split(":")
    with socket.create_connection(server.addresses[0]), socket.create_connection((admin[0], int(admin[1]))) as idle:
        idle.sendall(b"GET /healthz HTTP/1.1\r\nHost: mcsdns\r\n\r\n")
        assert idle.recv(12) == b"HTTP/1.1 200"
        server.terminate()
        assert server.wait(5) == 0


def test_a_pause_is_no_stall(serve: Serve, tmp_path: Path) -> None:
    """A process that was stopped for longer than the watchdog's limit (a frozen machine) goes on."""
    server = serve([member(tmp_path, "east", web("10.0.0.1"))])
    server.freeze()
    time.sleep(2.5)
    server.thaw()
    always(lambda: server.ask(NAME), found("10.0.0.1"), 1.5)
    assert server.is_running
    assert not list(server.logged("sockets stalled"))


def test_a_hung_event_loop_ends_the_process(tmp_path: Path) -> None:
    """Dead beats hung: sockets that stand still for over a second, with the loop that serves them, end the process: exit code 70."""
    server = _Hanging(tmp_path, [member(tmp_path, "east", web("10.0.0.1"))], plane="python")
    with server:
        started = time.monotonic()
        assert server.ask(NAME) == found("10.0.0.1")
        (tmp_path / "hang").touch()
        assert server.wait(10) == 70
        assert 1 < time.monotonic() - started < 6
        (line,) = server.logged("sockets stalled")
        assert server.addresses[0][0] in line["problem"]


def test_an_edited_manifest_changes_the_answer_within_a_second(serve: Serve, tmp_path: Path) -> None:
    """Files are followed: changed, added, removed."""
    server = serve([member(tmp_path, "east", web("10.0.0.1"))])
    file = tmp_path / "east" / "objects.yaml"
    write(file, web("10.0.0.2"))
    eventually(lambda: server.ask(NAME), found("10.0.0.2"))
    write(tmp_path / "east" / "more" / "db.yaml", service_import("db", ips=["10.0.0.3"]))
    eventually(lambda: server.ask("db.test.svc"), found("10.0.0.3"))
    write(
        file,
        together(service_import("web", headless=True), imported_slice("web", "east", "a=10.1.0.1", ports=["80/TCP"])),
    )
    eventually(lambda: server.ask(NAME), found("10.1.0.1"))
    assert server.ask("a.east.web.test.svc") == found("10.1.0.1")
    serial = _serial(server)
    file.unlink()
    eventually(lambda: server.ask(NAME), NXDOMAIN)
    assert server.ask("a.east.web.test.svc") == NXDOMAIN
    assert server.ask("db.test.svc") == found("10.0.0.3")
    assert _serial(server) > serial


def test_a_manifest_that_breaks_keeps_its_last_good_content(serve: Serve, tmp_path: Path) -> None:
    """A file that does not parse any more keeps what it said, and is named in the log and in /status until it is mended."""
    server = serve([member(tmp_path, "east", web("10.0.0.1"))])
    file = tmp_path / "east" / "objects.yaml"
    write(file, "{ broken")
    eventually(lambda: "objects.yaml" in server.admin("/status").text, True)
    assert server.ask(NAME) == found("10.0.0.1")
    assert server.ask("nosuch.test.svc") == NXDOMAIN
    assert server.admin("/readyz").code == 200
    (line,) = server.logged("source fault")
    assert (line["cluster"], line["what"]) == ("east", "objects.yaml")
    write(file, web("10.0.0.2"))
    eventually(lambda: server.ask(NAME), found("10.0.0.2"))
    eventually(lambda: "objects.yaml" in server.admin("/status").text, False)
    assert len(list(server.logged("source fault gone"))) == 1


def test_bad_manifests_at_the_start_harm_nothing_else(serve: Serve, tmp_path: Path) -> None:
    """A file that never parsed is named, and its absence proves nothing; bad objects are named and cost themselves alone."""
    clusters = [
        member(tmp_path, "east", web("10.0.0.1")),
        member(tmp_path, "west", service_import("db", ips=["10.0.0.2"])),
    ]
    write(tmp_path / "west" / "broken.yaml", "kind: [")
    write(tmp_path / "west" / "odd.yaml", '{"apiVersion": "multicluster.x-k8s.io/v1beta1", "kind": "ServiceImport"}')
    server = serve(clusters, sync_deadline_s=1)
    assert server.ask(NAME) == found("10.0.0.1")
    assert server.ask("db.test.svc") == found("10.0.0.2")
    assert server.ask("nosuch.test.svc") == NOT_READY, "the broken file may hold it"
    faults = {line["what"]: line["problem"] for line in server.logged("source fault")}
    assert "not valid YAML" in faults["broken.yaml"]
    assert "no metadata.name" in faults["odd.yaml"]
    status = server.admin("/status").text
    assert all(name in status for name in faults)
    write(tmp_path / "west" / "broken.yaml", service_import("mended", ips=["10.0.0.3"]))
    eventually(lambda: server.ask("mended.test.svc"), found("10.0.0.3"))
    eventually(lambda: server.ask("nosuch.test.svc"), NXDOMAIN)


def test_a_folder_that_goes_away_is_an_outage(serve: Serve, tmp_path: Path) -> None:
    """No zone goes empty by error: a folder that cannot be read any more keeps what it said; the cluster is stale."""
    server = serve([member(tmp_path, "east", web("10.0.0.1"))])
    (tmp_path / "east").rename(tmp_path / "away")
    eventually(lambda: [line["cluster"] for line in server.logged("cluster stale")], ["east"], 2)
    assert server.ask(NAME) == found("10.0.0.1")
    assert server.admin("/readyz").code == 200, "staleness never makes the server unready"
    (tmp_path / "away").rename(tmp_path / "east")
    eventually(lambda: len(list(server.logged("cluster synced"))), 2, 2)
    write(tmp_path / "east" / "objects.yaml", web("10.0.0.2"))
    eventually(lambda: server.ask(NAME), found("10.0.0.2"))


class _Hanging(Server):
    """The server with a task beside it that blocks the event loop as soon as a file `hang` appears."""

    def command(self) -> list[str]:
        """Run the command in an interpreter that prepares the hang."""
        script = textwrap.dedent(
            f"""
            import asyncio, pathlib, sys, time
            from mcsdns import cli, daemon

            class Daemon(daemon.Daemon):
                async def run(self):
                    self.hanging = asyncio.create_task(self.hang())
                    await super().run()

                async def hang(self):
                    while not pathlib.Path({str(self.folder / "hang")!r}).exists():
                        await asyncio.sleep(0.05)
                    time.sleep(60)

            daemon.Daemon = Daemon
            sys.exit(cli.main(sys.argv[1:]))
            """
        )
        return [sys.executable, "-c", script, *super().command()[1:]]


def _serial(server: Server) -> int:
    (soa,) = server.response("clusterset.local.", "SOA").answer[0]
    return int(soa.serial)


def _need_ipv6() -> None:
    try:
        with socket.create_server(("::1", 0), family=socket.AF_INET6):
            pass
    except OSError as error:
        pytest.skip(f"this machine has no IPv6 on its loopback: {error}")


def test_what_could_not_be_read_whole_is_not_ready_before_the_deadline(serve: Serve, tmp_path: Path) -> None:
    """A server that can prove no absence does not take the place of one that can, until the sync deadline has passed."""
    clusters = [member(tmp_path, "east", web("10.0.0.1")), member(tmp_path, "west", web("10.0.0.2"))]
    write(tmp_path / "west" / "broken.yaml", "kind: [")
    server = serve(clusters, until="serving", sync_deadline_s=2)
    eventually(lambda: server.ask(NAME), found("10.0.0.1"))
    assert server.admin("/readyz").code == 503
    assert server.admin("/readyz").text == "not ready: not heard whole yet: west\n"
    eventually(lambda: server.admin("/readyz").code, 200, 4)
