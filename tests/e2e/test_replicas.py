"""
Replicas: two servers that watch the same member clusters, through churn. What they answer is the same but for rotation, and so is
the rule by which their serials grow. One has the native plane, the other the Python plane.
"""

from __future__ import annotations

import json
import re
import shutil
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from pathlib import Path
from random import Random
from typing import Any, Final, NamedTuple

import pytest

from mcsdns.plane.choice import has_extension
from tests import manifests
from tests.e2e.real import Audited
from tests.e2e.server import Answer, Server, eventually
from tests.servers.run import Api

pytestmark = pytest.mark.servers

NAMESPACE: Final = "churn"
SERVICES: Final = tuple(f"s{number}" for number in range(12))
HOSTS: Final = ("pod-0", "pod-1", "pod-2")
IDS: Final = {"east": "east", "west": "west.eu"}
ROUNDS: Final = 4
CHANGES: Final = 60
KINDS: Final = {
    "ServiceImport": ("multicluster.x-k8s.io/v1beta1", "serviceimports"),
    "ServiceExport": ("multicluster.x-k8s.io/v1alpha1", "serviceexports"),
    "EndpointSlice": ("discovery.k8s.io/v1", "endpointslices"),
}


class Seen(NamedTuple):
    """What a replica says of its zone at one moment."""

    serial: int
    hash: int


@pytest.fixture(scope="module")
def members(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[Audited]]:
    """Two member clusters."""
    made = [Audited(name, tmp_path_factory.mktemp("replicas") / name) for name in IDS]
    try:
        with ThreadPoolExecutor() as pool:
            list(pool.map(Audited.start, made))
        made[1].apply(manifests.cluster_property(IDS["west"]))
        yield made
    finally:
        for one in made:
            one.kill()
            shutil.rmtree(one.cluster.etcd.data_path, ignore_errors=True)


@pytest.fixture
def replicas(members: list[Audited], tmp_path: Path) -> Iterator[list[Server]]:
    """Two servers with the same configuration but for the plane."""
    clusters = [one.member() for one in members]
    with ExitStack() as stack:
        planes = ("native" if has_extension() else "python", "python")
        yield [
            stack.enter_context(Server(tmp_path / f"replica-{number}", clusters, plane=plane))
            for number, plane in enumerate(planes)
        ]


def test_replicas_answer_alike(members: list[Audited], replicas: list[Server]) -> None:
    """After each round of changes both have the same hash and give the same answers; meanwhile neither gives an error."""
    rng = Random(6)
    history: list[list[Seen]] = [[_seen(one)] for one in replicas]
    shown: list[dict[tuple[str, str], Answer]] = []
    settled: list[list[Seen]] = [[_seen(one)] for one in replicas]
    for _ in range(ROUNDS):
        with ThreadPoolExecutor() as pool:
            changing = [pool.submit(_churn, one, Random(rng.random())) for one in members]
            while not all(change.done() for change in changing):
                for replica, seen in zip(replicas, history, strict=True):
                    seen.append(_seen(replica))
                    assert replica.ask(f"{rng.choice(SERVICES)}.{NAMESPACE}.svc").rcode != "SERVFAIL"
            for change in changing:
                change.result()
        eventually(lambda: _seen(replicas[0]).hash == _seen(replicas[1]).hash and _is_quiet(replicas), True, 5)
        answers = [_answers(replica) for replica in replicas]
        assert answers[0] == answers[1]
        shown.append(answers[0])
        for replica, seen in zip(replicas, settled, strict=True):
            seen.append(_seen(replica))
    assert len({json.dumps(sorted(map(str, one.items()))) for one in shown}) == ROUNDS, "each round made another zone"
    assert {answer.rcode for one in shown for answer in one.values()} == {"NOERROR", "NODATA", "NXDOMAIN"}
    for seen in history:
        assert [one.serial for one in seen] == sorted(one.serial for one in seen), "a serial never goes back"
        assert len({one.hash for one in seen}) > ROUNDS, "something was seen on the way"
    for seen in settled:
        assert len({one.serial for one in seen}) == len({one.hash for one in seen}) == len(set(seen)), (
            "another zone, another serial"
        )


def test_replicas_that_started_at_other_times(members: list[Audited], replicas: list[Server]) -> None:
    """One that is started again, and has seen nothing of the churn, has the same zone."""
    _churn(members[0], Random(7))
    replicas[1].restart()
    eventually(lambda: _seen(replicas[0]).hash == _seen(replicas[1]).hash, True, 5)
    assert _answers(replicas[0]) == _answers(replicas[1])


def _churn(cluster: Audited, rng: Random) -> None:
    """Apply and delete objects in one cluster, one after the other, as a controller would."""
    with closing(cluster.api()) as api:
        api.ensure_namespace(NAMESPACE)
        for _ in range(CHANGES):
            manifest = json.loads(_draw(rng, cluster.name))
            if rng.random() < 0.25:
                api.delete(*KINDS[manifest["kind"]], NAMESPACE, manifest["metadata"]["name"])
            else:
                _apply(api, manifest)


def _apply(api: Api, manifest: dict[str, Any]) -> None:
    """Apply an object; its type cannot be changed where it is there, so it is made again."""
    if manifest["kind"] == "EndpointSlice":
        api.delete(*KINDS["EndpointSlice"], NAMESPACE, manifest["metadata"]["name"])
    api.apply(manifest)


def _draw(rng: Random, cluster: str) -> str:
    """Draw an object of a service: two in three are headless."""
    number = rng.randrange(len(SERVICES))
    name, headless = SERVICES[number], number % 3 != 0
    endpoints = [
        f"{host}=10.{number}.{list(IDS).index(cluster)}.{rng.randint(1, 9)}{rng.choice(['', '', ' !ready'])}"
        for host in rng.sample(HOSTS, rng.randint(0, 3))
    ]
    ports = rng.sample(["http 80/TCP", "dns 53/UDP", "8080/TCP"], rng.randint(1, 2))
    match rng.choice(["import", "export", "native", "native", "imported"]):
        case "import":
            ips = [] if headless else [f"10.200.{number}.{rng.randint(1, 9)}"]
            return manifests.service_import(name, ips=ips, ports=ports, headless=headless, namespace=NAMESPACE)
        case "export":
            return manifests.service_export(name, namespace=NAMESPACE)
        case "native":
            return manifests.native_slice(name, *endpoints, ports=ports, family="IPv4", namespace=NAMESPACE)
    source = rng.choice(["north", *IDS.values()])
    return manifests.imported_slice(name, source, *endpoints, ports=ports, family="IPv4", namespace=NAMESPACE)


def _answers(server: Server) -> dict[tuple[str, str], Answer]:
    """Ask for every name that there may be."""
    below = ["", "_http._tcp.", "_dns._udp."] + [f"{host}.{one}." for host in HOSTS for one in (*IDS.values(), "north")]
    names = [f"{one}{service}.{NAMESPACE}.svc" for service in SERVICES for one in below]
    asked = [(name, "A") for name in names] + [(name, "SRV") for name in names if "pod" not in name]
    return {(name, qtype): server.ask(name, qtype, tcp=True) for name, qtype in asked}


def _is_quiet(replicas: list[Server]) -> bool:
    """Tell whether nothing is published any more: what was changed last has been heard by both."""
    before = [_seen(one) for one in replicas]
    # What comes behind a deletion waits for some 0.1 s (docs/decisions/0013).
    time.sleep(0.5)
    return before == [_seen(one) for one in replicas]


def _seen(server: Server) -> Seen:
    """Read serial and hash in one scrape, which shows one state."""
    text = server.admin("/metrics").text
    metrics = {
        name: int(float(value)) for name, value in re.findall(r"^(mcsdns_zone_\w+)\{.*\} (\S+)$", text, re.MULTILINE)
    }
    return Seen(metrics["mcsdns_zone_serial"], metrics["mcsdns_zone_hash"])
