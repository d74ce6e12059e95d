"""
A real Prometheus beside running servers, one for each plane: every query of the dashboard returns data, and every rule is evaluated.

The servers see everything that a panel shows: answers of each kind, junk, refused and idle connections, a cluster that
cannot be heard, a list that was made again, things that are left out, changes that were made just now.
"""

from __future__ import annotations

import contextlib
import json
import math
import re
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, NamedTuple

import pytest
import yaml

from mcsdns.plane.choice import has_extension
from tests import manifests
from tests.e2e.folders import web, write
from tests.e2e.server import Server, eventually
from tests.planes import native_extension, tcp_client, udp_client
from tests.servers.run import Prometheus, free_port
from tests.source.certificates import Authority

pytestmark = pytest.mark.servers

ROOT: Final = Path(__file__).parents[2]
RULES: Final = ROOT / "deploy" / "prometheus" / "rules.yaml"
DASHBOARD: Final[dict[str, Any]] = json.loads((ROOT / "deploy" / "grafana" / "mcsdns.json").read_text())
PANELS: Final = [panel for panel in DASHBOARD["panels"] if panel["type"] != "row"]
VARIABLES: Final = {
    "$__rate_interval": "8s",  # four scrapes at least, as Grafana counts it
    "$job": "mcsdns",
    "$view": ".*",
    "$cluster": ".*",
}
PLANES: Final = ("python", "native") if has_extension() else ("python",)
UNLIKE: Final = {"instance", "plane", "server"}
"""Labels that tell the two servers apart."""
BUSY_S: Final = 10.0
"""Seconds of traffic before anything is asked: longer than the interval of a rate."""


class Watched(NamedTuple):
    """What runs."""

    prometheus: Prometheus
    servers: dict[str, Server]


@pytest.fixture(scope="module")
def watched(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Watched]:
    """A Prometheus that has scraped a server of each plane for a while, and servers that go on being asked."""
    folder = tmp_path_factory.mktemp("monitoring")
    with contextlib.ExitStack() as stack:
        servers = {
            plane: stack.enter_context(
                Server(
                    folder / plane,
                    [_east(folder / plane), _west(folder / plane)],
                    until="serving",
                    plane=plane,
                    sync_deadline_s=1,
                    limits={"tcp_idle_s": 0.5, "tcp_connections_per_client": 3},
                )
            )
            for plane in PLANES
        }
        addresses = {plane: server.admin_url.removeprefix("http://") for plane, server in servers.items()}
        prometheus = stack.enter_context(Prometheus(addresses, [RULES], folder / "prometheus"))
        stop = threading.Event()
        asker = threading.Thread(target=_ask_until, args=(stop, list(servers.values()), folder))
        asker.start()
        try:
            time.sleep(BUSY_S)
            yield Watched(prometheus, servers)
        finally:
            stop.set()
            asker.join()


@pytest.mark.parametrize("plane", ["python", "native"])
@pytest.mark.parametrize("panel", PANELS, ids=lambda panel: str(panel["title"]))
def test_every_query_returns_data(watched: Watched, panel: dict[str, Any], plane: str) -> None:
    """Each query of each panel gives numbers for a server of either plane."""
    if plane == "native":
        native_extension()
    for target in panel["targets"]:
        expression = _filled(target["expr"], plane)
        numbers = [float(sample["value"][1]) for sample in watched.prometheus.query(expression)]
        assert numbers, expression
        assert not any(math.isnan(number) for number in numbers), expression


def test_every_variable_has_values(watched: Watched) -> None:
    """The variables of the dashboard are filled from labels that are there."""
    for variable in DASHBOARD["templating"]["list"]:
        if variable["type"] == "query":
            found = re.fullmatch(r"label_values\((.*), (\w+)\)", variable["query"]["query"])
            assert found is not None
            assert watched.prometheus.get(f"label/{found[2]}/values", **{"match[]": _filled(found[1], ".*")})


def test_the_planes_are_measured_alike(watched: Watched) -> None:
    """Both planes expose the same series, but for what is counted of one alone."""
    native_extension()
    series: dict[str, set[tuple[tuple[str, str], ...]]] = {plane: set() for plane in PLANES}
    for plane in PLANES:
        for sample in watched.prometheus.query(f'{{__name__=~"mcsdns_.*", instance="{plane}"}}'):
            labels = sample["metric"]
            series[plane].add(tuple((key, labels[key]) for key in sorted(labels) if key not in UNLIKE))
    assert series["python"] == series["native"]


def test_every_rule_is_evaluated(watched: Watched) -> None:
    """Prometheus loads the rules and evaluates each without an error; what is about to fire tells what it is about."""
    names = {rule["alert"] for group in yaml.safe_load(RULES.read_text())["groups"] for rule in group["rules"]}

    def healthy() -> set[str]:
        groups = watched.prometheus.get("rules")["groups"]
        assert all(not rule.get("lastError") for group in groups for rule in group["rules"])
        return {rule["name"] for group in groups for rule in group["rules"] if rule["health"] == "ok"}

    eventually(healthy, names, 10)
    alerts = watched.prometheus.get("alerts")["alerts"]
    texts = {alert["labels"]["alertname"]: alert["annotations"] for alert in alerts}
    assert "west" in texts["McsdnsClusterUnsynced"]["summary"]
    for said in texts.values():
        assert not any("<error" in text or "<no value>" in text for text in said.values())


def _filled(expression: str, instance: str) -> str:
    """Put values into the variables of an expression, as Grafana does."""
    for name, value in (VARIABLES | {"$instance": instance}).items():
        expression = expression.replace(name, value)
    assert "$" not in expression, expression
    return expression


def _east(folder: Path) -> dict[str, Any]:
    """A folder that is not whole at first."""
    write(folder / "east" / "broken.yaml", "kind: [")
    _change(folder, 0)
    return {"name": "east", "manifests": "east"}


def _west(folder: Path) -> dict[str, Any]:
    """A cluster whose API server is not there."""
    authority = Authority(folder)
    certificate, key = authority.issue("mcsdns")
    kubeconfig = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "west",
        "clusters": [
            {
                "name": "west",
                "cluster": {
                    "server": f"https://127.0.0.1:{free_port()}",
                    "certificate-authority": str(authority.path),
                },
            }
        ],
        "users": [{"name": "me", "user": {"client-certificate": str(certificate), "client-key": str(key)}}],
        "contexts": [{"name": "west", "context": {"cluster": "west", "user": "me"}}],
    }
    (folder / "west.kubeconfig").write_text(yaml.safe_dump(kubeconfig))
    return {"name": "west", "kubeconfig": {"path": "west.kubeconfig"}, "optional": True}


def _change(folder: Path, turn: int) -> None:
    """Write a service with more addresses than a datagram holds, one of them new and one not ready, as changed just now."""
    endpoints = [f"10.0.{number // 200}.{number % 200 + 1}" for number in range(100)]
    made = json.loads(
        manifests.imported_slice("many", "east", *endpoints, f"10.9.0.{turn % 200 + 1}", "10.9.1.1 !ready")
    )
    changed = datetime.now(UTC).isoformat().replace("+00:00", "Z")
    made["metadata"]["annotations"] = {"endpoints.kubernetes.io/last-change-trigger-time": changed}
    many = manifests.service_import("many", headless=True, ports=["http 80/TCP"])
    write(folder / "east" / "objects.yaml", manifests.together(web("10.0.0.1"), many, json.dumps(made)))


def _ask_until(stop: threading.Event, servers: list[Server], folder: Path) -> None:
    """Ask, and do to the servers what panels show, until told to stop."""
    turn = 0
    idle = [tcp_client(server.addresses[0][1]) for server in servers]
    while not stop.is_set():
        turn += 1
        for server in servers:
            _ask(server)
            if turn % 5 == 0:
                _change(server.folder, turn)
            if turn == 5:
                (server.folder / "east" / "broken.yaml").unlink()
        stop.wait(0.1)
    for client in idle:
        client.close()


def _ask(server: Server) -> None:
    for tcp in (False, True):
        server.response("web.test.svc", tcp=tcp)
        server.response("nosuch.test.svc", "AAAA", tcp=tcp)
    server.response("many.test.svc", use_edns=-1)
    port = server.addresses[0][1]
    with udp_client(port) as client:
        client.send(b"x")  # no header
        client.send(bytes(2) + b"\x80" + bytes(9))  # a response
        client.send(bytes(12))  # no question
    with contextlib.ExitStack() as stack, contextlib.suppress(OSError):
        for _ in range(4):
            stack.enter_context(tcp_client(port))
        time.sleep(0.01)
