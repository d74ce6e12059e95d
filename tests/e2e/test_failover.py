"""
Two replicas behind a Service and CoreDNS with the shipped blocks, under load: what a query notices of a replica that goes.

How that is made, and more of it: `benchmarks/failover.py`.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.servers.run import binary, need

pytestmark = pytest.mark.servers

ROOT = Path(__file__).parents[2]
WIRINGS = ("shipped", "nodelocal")
RATE = 400
KILLED = 16
"""Queries that may fail when a replica is killed: those of the flows that led there, until the node has forgotten it."""


@pytest.fixture(scope="module")
def figures(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, dict[str, Any]]]:
    """Tell one replica of two to stop, and kill one of two; give what was seen through each wiring."""
    for tool in ("unshare", "ip", "nft", "conntrack"):
        need(tool)
    for name in ("etcd", "kube-apiserver", "coredns"):
        binary(name)
    path = tmp_path_factory.mktemp("failover") / "figures.json"
    options = [
        "--wirings",
        *WIRINGS,
        "--events",
        "drain",
        "kill",
        "--rounds",
        "1",
        "--services",
        "200",
        "--warm-up",
        "1",
    ]
    command = [sys.executable, "-m", "benchmarks.failover", *options, "--rate", str(RATE), "--json", str(path)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    figures: dict[str, dict[str, dict[str, Any]]] = json.loads(path.read_text())
    return figures


@pytest.mark.parametrize("wiring", WIRINGS)
def test_no_query_fails_when_a_replica_is_told_to_stop(
    figures: dict[str, dict[str, dict[str, Any]]], wiring: str
) -> None:
    """SIGTERM: the lame duck answers until nobody asks it any more, over UDP and over TCP, and its end is no failure."""
    seen = figures["drain"][wiring]
    assert failed(seen) == 0
    assert seen["queries"] > 3 * RATE


@pytest.mark.parametrize("wiring", WIRINGS)
def test_few_queries_fail_when_a_replica_is_killed(figures: dict[str, dict[str, dict[str, Any]]], wiring: str) -> None:
    """SIGKILL: its address refuses, and CoreDNS asks again; no answer is wrong, and none is missing."""
    seen = figures["kill"][wiring]
    assert seen["queries"] > 3 * RATE
    assert failed(seen) <= KILLED
    assert seen["no answer"] == seen["wrong"] == 0


def failed(seen: dict[str, Any]) -> int:
    """Count the queries that have not got their right answer."""
    return int(seen["SERVFAIL"] + seen["no answer"] + seen["wrong"])
