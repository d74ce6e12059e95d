"""
The shipped alerts in a real Prometheus, provoked one after the other on real servers. Their windows are made short, and nothing else.

| server  | what it is                                                                                 |
|---------|--------------------------------------------------------------------------------------------|
| `one`   | well; it is asked all the time, and its objects change all the time                         |
| `two`   | its replica: another folder with the same objects                                          |
| `lost`  | it cannot hear a cluster that counts: it is not ready, and what it does not find is SERVFAIL |

Not here: when each fires to the minute (`tests/project/test_alerts.py`, in virtual time).
"""

from __future__ import annotations

import contextlib
import json
import re
import socket
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import dns.exception
import pytest

from tests import manifests
from tests.e2e.folders import write
from tests.e2e.server import Server, eventually
from tests.servers.run import Prometheus, free_port
from tests.source.certificates import Authority

pytestmark = pytest.mark.servers

RULES: Final = Path(__file__).parents[2] / "deploy" / "prometheus" / "rules.yaml"
WINDOW_S: Final = 6
QUIET_S: Final = 3.0 * WINDOW_S
"""Longer than every window and `for` together: what fires of health alone has fired by then."""
FIRES_IN_S: Final = 30.0
CHANGE_TURNS: Final = 15
"""Of 0.05 s each: a folder is read twice a second, and its files must rest for a moment."""


def shortened(text: str) -> str:
    """Return the rules with short windows."""
    text = re.sub(r"\[\d+[mhd]\]", f"[{WINDOW_S}s]", text)
    text = re.sub(r"offset \d+[mhd]", f"offset {WINDOW_S}s", text)
    return re.sub(r"for: \d+[mhd]", "for: 2s", text)


class Ward:
    """The servers, the Prometheus that watches them, and what is done to them."""

    def __init__(self, folder: Path, stack: contextlib.ExitStack) -> None:
        self.folder = folder
        self.endpoints = ["10.0.0.1"]
        self.extra: dict[str, list[str]] = {"one": [], "two": []}
        self.delay_s = 0.0
        self.asked = ["web.test.svc"]
        self._turn = 0
        self._is_busy = True
        for name in ("one", "two"):
            self._write(name)
        self.one, self.two = (
            stack.enter_context(Server(folder / name, [{"name": "east", "manifests": "east"}]))
            for name in ("one", "two")
        )
        lost = [{"name": "west", "kubeconfig": {"path": str(_unreachable(folder))}}]
        self.lost = Server(folder / "lost", lost, until="serving", sync_deadline_s=3600)
        stack.callback(self.lost.kill)
        lost_at = f"127.0.0.1:{free_port()}"
        self.lost.settings["admin"] = lost_at
        targets = {"one": self.one.admin_url, "two": self.two.admin_url, "lost": lost_at}
        rules = folder / "rules.yaml"
        rules.write_text(shortened(RULES.read_text()))
        addresses = {name: url.removeprefix("http://") for name, url in targets.items()}
        self.prometheus = stack.enter_context(Prometheus(addresses, [rules], folder / "prometheus"))

    def firing(self) -> set[str]:
        """Return the alerts that fire now."""
        return {
            alert["labels"]["alertname"]
            for alert in self.prometheus.get("alerts")["alerts"]
            if alert["state"] == "firing"
        }

    def hashes(self) -> set[str]:
        """Return the zone's hash in each replica."""
        return {server.admin("/status").json["views"][0]["hash"] for server in (self.one, self.two)}

    def run(self, stop: threading.Event) -> None:
        """Ask and change, until told to stop."""
        while not stop.wait(0.05):
            self._turn += 1
            if self._is_busy and self._turn % CHANGE_TURNS == 0:
                for name in ("one", "two"):
                    self._write(name)
            for name in self.asked:
                # In the flood a query may be lost, like those that the alert is about.
                with contextlib.suppress(dns.exception.Timeout):
                    self.one.response(name, use_edns=-1)

    def rest(self) -> None:
        """Let the objects rest."""
        self._is_busy = False
        for name in ("one", "two"):
            self._write(name)

    def stir(self) -> None:
        """Change them again all the time."""
        self._is_busy = True

    def _write(self, name: str) -> None:
        at = datetime.now(UTC) - timedelta(seconds=self.delay_s)
        made = json.loads(manifests.imported_slice("web", "east", *self.endpoints, f"10.9.0.{self._turn % 200 + 1}"))
        trigger = at.isoformat().replace("+00:00", "Z")
        made["metadata"]["annotations"] = {"endpoints.kubernetes.io/last-change-trigger-time": trigger}
        web = manifests.service_import("web", headless=True)
        text = manifests.together(web, json.dumps(made), *self.extra[name])
        write(self.folder / name / "east" / "objects.yaml", text)


@pytest.fixture(scope="module")
def ward(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ward]:
    """All of it, for the tests of this file."""
    with contextlib.ExitStack() as stack:
        made = Ward(tmp_path_factory.mktemp("ward"), stack)
        stop = threading.Event()
        busy = threading.Thread(target=made.run, args=(stop,))
        busy.start()
        stack.callback(busy.join)
        stack.callback(stop.set)
        yield made


def test_health_fires_nothing(ward: Ward) -> None:
    """Two replicas of a zone that changes all the time: no alert fires, not even that they disagree."""
    eventually(lambda: len(ward.prometheus.query("mcsdns_ready == 1")), 2, FIRES_IN_S)
    time.sleep(WINDOW_S)  # before that nothing was ready, which may have fired
    before, seen = ward.hashes(), set[str]()
    end = time.monotonic() + QUIET_S
    while time.monotonic() < end:
        seen |= ward.firing()
        time.sleep(0.5)
    assert seen == set()
    assert before.isdisjoint(ward.hashes())


def _many(ward: Ward) -> None:
    ward.endpoints = [f"10.1.{number // 200}.{number % 200 + 1}" for number in range(100)]


def _bad(ward: Ward) -> None:
    for some in ward.extra.values():
        some.append(manifests.service_import("bad", ips=["10.0.0.256"]))


def _slow(ward: Ward) -> None:
    ward.delay_s = 60.0


def _differ(ward: Ward) -> None:
    ward.extra["two"].append(manifests.service_import("more", ips=["10.0.0.9"]))
    ward.rest()


def _refused(ward: Ward) -> None:
    ward.two.config_path.write_text("clusters: [\n")


def _stale(ward: Ward) -> None:
    (ward.folder / "two" / "east").rename(ward.folder / "two" / "gone")


def _lost(ward: Ward) -> None:
    ward.lost.start()


def _flood(ward: Ward) -> None:
    """Send more than a buffer holds while the process stands still; not for as long as its watchdog bears."""
    address = ward.one.addresses[0]
    query = b"\0\1\1\0\0\1\0\0\0\0\0\0\3web\4test\3svc\x0aclusterset\5local\0\0\1\0\1"
    with socket.socket(type=socket.SOCK_DGRAM) as client:
        for _ in range(WINDOW_S):
            ward.one.freeze()
            try:
                end = time.monotonic() + 0.3
                while time.monotonic() < end:
                    client.sendto(query, address)
            finally:
                ward.one.thaw()
            time.sleep(1)


PROVOKED: list[tuple[Callable[[Ward], Any], set[str]]] = [
    # what is done                and what fires of it
    (_many, {"McsdnsTruncation"}),
    (_bad, {"McsdnsOmissions"}),
    (_slow, {"McsdnsProgrammingSlow"}),
    (_flood, {"McsdnsDrops"}),
    (_differ, {"McsdnsReplicasDisagree"}),
    (_refused, {"McsdnsConfigRefused"}),
    (_stale, {"McsdnsClusterStale"}),
    (_lost, {"McsdnsClusterUnsynced", "McsdnsNotReady", "McsdnsZoneIncomplete", "McsdnsCredentialsEnd"}),
]


@pytest.mark.parametrize(("provoke", "expected"), PROVOKED, ids=lambda one: getattr(one, "__name__", ""))
def test_what_is_provoked_fires(ward: Ward, provoke: Callable[[Ward], Any], expected: set[str]) -> None:
    """Each did not fire before, and does soon after."""
    assert not expected & ward.firing()
    provoke(ward)
    eventually(lambda: expected - ward.firing(), set(), FIRES_IN_S)


def test_servfail_fires(ward: Ward) -> None:
    """Who asks the server that has not heard its cluster gets SERVFAIL, and that is noticed."""

    def asked() -> bool:
        ward.lost.response("nosuch.test.svc")
        return "McsdnsServfail" in ward.firing()

    eventually(asked, True, FIRES_IN_S)


def test_no_server_ready_fires(ward: Ward) -> None:
    """With the last ready server gone, no name resolves."""
    assert "McsdnsNoServerReady" not in ward.firing()
    ward.asked.clear()
    time.sleep(0.5)  # the last answer comes
    ward.one.stop()
    ward.two.stop()
    eventually(lambda: "McsdnsNoServerReady" in ward.firing(), True, FIRES_IN_S)


def _unreachable(folder: Path) -> Path:
    """Write a kubeconfig of an API server that is not there, with a client certificate that soon ends."""
    authority = Authority(folder)
    certificate, key = authority.issue("mcsdns", days=7)
    at = {"server": f"https://127.0.0.1:{free_port()}", "certificate-authority": str(authority.path)}
    made = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "west",
        "clusters": [{"name": "west", "cluster": at}],
        "users": [{"name": "me", "user": {"client-certificate": str(certificate), "client-key": str(key)}}],
        "contexts": [{"name": "west", "context": {"cluster": "west", "user": "me"}}],
    }
    path = folder / "west.kubeconfig"
    path.write_text(json.dumps(made))
    return path
