"""What is wrong, as the status page says it."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from mcsdns.admin.status import Duplicate, QuotaStatus, Status, status
from mcsdns.admin.trouble import Trouble, troubles
from mcsdns.source.events import Resource
from tests.manifests import cluster_property, service_import
from tests.unit.admin.servers import FakeServer

WELL = {"west": service_import("web", ips=["10.1.1.1"]), "east": ""}


@pytest.fixture
def server() -> FakeServer:
    return FakeServer(WELL)


def found(server: FakeServer) -> list[Trouble]:
    return troubles(status(server.state))


def the_only(of: Status) -> Trouble:
    (one,) = troubles(of)
    return one


def test_nothing(server: FakeServer) -> None:
    """A server that is well says nothing."""
    assert found(server) == []


def test_a_stale_cluster(server: FakeServer) -> None:
    """Why, for how long, and what is answered meanwhile."""
    server.state.health["east"].broken(Resource.ENDPOINT_SLICES, "timeout", "no byte for 90 s")
    server.clock.now += 91
    text = "Stale, what it last said is answered: endpointslices: no byte for 90 s"
    assert found(server) == [Trouble("Wrong", text, "east", for_s=91.0)]


def test_an_unsynced_cluster() -> None:
    """It is said of the cluster, and of each view that it keeps back."""
    one, *others = found(FakeServer({"west": "", "east": None}))
    assert one.text == "In the view west a name that is not found is SERVFAIL: a cluster is not heard."
    assert others[-1] == Trouble("Wrong", "Unsynced, nothing of it is answered: not heard yet", "east", for_s=0.0)


def test_a_server_that_is_not_ready(server: FakeServer) -> None:
    """Comes first."""
    server.ready = (False, "not heard yet: east")
    server.state.health["west"].faults({"a.yaml": "not valid YAML"})
    first, second = found(server)
    assert first == Trouble("Wrong", "The server is not ready: not heard yet: east.")
    assert second == Trouble("Attention", "a.yaml: not valid YAML", "west")


def test_the_configuration(server: FakeServer) -> None:
    """A file that was refused is wrong; what waits for a restart wants attention."""
    server.state.config_file.error = "mcsdns.yaml: ttl: expected a number"
    server.state.config_file.waiting = {"listen": "restart to take another address"}
    refused, waiting = found(server)
    assert (refused.degree, waiting.degree) == ("Wrong", "Attention")
    assert refused.text.endswith("mcsdns.yaml: ttl: expected a number")
    assert waiting.text.endswith("listen: restart to take another address")


def test_cluster_ids() -> None:
    """One that is taken silences a cluster; a ClusterProperty that disagrees wants attention."""
    taken, *_, left_out = found(FakeServer({"west": cluster_property("e.eu"), "east": WELL["west"]}))
    assert taken.cluster == "east"
    assert taken.text.startswith("Nothing that it says counts: its cluster id e.eu belongs to west.")
    assert (left_out.degree, left_out.omissions) == ("Left out", {"duplicate-cluster-id": 1})
    other = the_only(status(FakeServer({"west": "", "east": cluster_property("c7")}).state))
    assert other.text == "Its ClusterProperty says c7, and the configuration e.eu, which counts."


def test_what_is_left_out() -> None:
    """Comes last, with its counts."""
    server = FakeServer({"west": service_import("web", ips=["no address"]), "east": ""})
    server.ready = (False, "for a reason")
    assert found(server)[-1] == Trouble("Left out", "", "west", {"bad-address": 1, "no-address": 1})


def test_a_quota_that_refuses(server: FakeServer) -> None:
    """How many, which quota, and a few of them."""
    now = status(server.state)
    quota = QuotaStatus(2, 2, 1234, {"serviceimports": ("a/b", "a/c", "a/d", "a/e")})
    of = replace(now, clusters=(replace(now.clusters[0], quotas={"names": quota}), now.clusters[1]))
    assert the_only(of).text == (
        "1,234 objects are refused: the quota names allows 2. Among them: serviceimports a/b, serviceimports a/c, serviceimports a/d"
    )


def test_less_than_whole_and_to_be_replaced(server: FakeServer) -> None:
    """A cluster of which some could not be read; one whose new source is not heard; one that may be another; one that is refused."""
    now = status(server.state)
    west, east = now.clusters
    assert the_only(replace(now, clusters=(replace(west, whole=False), east))).degree == "Wrong"
    assert the_only(replace(now, clusters=(west, replace(east, coming="unsynced: x")))).text.endswith("unsynced: x")
    assert the_only(replace(now, clusters=(west, replace(east, uid_problem="HTTP 403")))).degree == "Attention"
    assert the_only(replace(now, duplicates=(Duplicate("east", "i", "west"),))).cluster == "east"
