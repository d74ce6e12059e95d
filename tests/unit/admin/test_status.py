"""`/status`: how it stands with the server, its clusters and its views."""

from __future__ import annotations

import msgspec
import pytest
from msgspec.structs import replace

from mcsdns.admin.status import (
    ClusterStatus,
    ConfigStatus,
    Duplicate,
    ListenerStatus,
    QuotaStatus,
    Status,
    ViewStatus,
    status,
)
from mcsdns.config import Quotas
from mcsdns.source.events import Resource
from mcsdns.source.health import Health
from mcsdns.source.quota import Entry
from mcsdns.source.table import Table
from tests.manifests import cluster_property, imported_slice, service_export, service_import, together
from tests.unit.admin.servers import FakeServer

WEST = together(
    service_import("web", ips=["10.1.1.1", "nonsense"], ports=["http 80/TCP"]),
    service_import("hl", headless=True),
    imported_slice("hl", "west", "a=10.1.0.1", "b=10.1.0.2 !ready"),
)
EAST = together(service_import("web", ips=["10.2.2.2"], ports=["http 80/TCP"]), service_export("hl"))


@pytest.fixture
def server() -> FakeServer:
    return FakeServer({"west": WEST, "east": EAST})


def cluster(found: Status, name: str) -> ClusterStatus:
    return next(one for one in found.clusters if one.name == name)


def test_the_server_as_a_whole(server: FakeServer) -> None:
    """Version, plane, zone, readiness with its reason, start, listeners."""
    found = status(server.state)
    assert (found.plane, found.zone, found.started) == ("python", "clusterset.local", "2027-01-15T08:00:00+00:00")
    assert (found.ready, found.why) == server.ready
    assert found.listeners == (
        ListenerStatus("127.0.0.1:5300", "west"),
        ListenerStatus("[::1]:5300", "west"),
        ListenerStatus("127.0.0.1:5301", "east"),
    )
    assert found.duplicates == ()


def test_the_configuration_file(server: FakeServer) -> None:
    """Which file, when it was read, why it is refused as it is now, and what waits for a restart."""
    file = server.state.config_file
    assert status(server.state).config == ConfigStatus(None, "2027-01-15T08:00:00+00:00", None, {})
    file.path, file.error, file.waiting = "mcsdns.yaml", "clusters: wrong", {"zone": "restart"}
    assert status(server.state).config == ConfigStatus(
        "mcsdns.yaml", "2027-01-15T08:00:00+00:00", "clusters: wrong", {"zone": "restart"}
    )


def test_a_source_that_is_to_come(server: FakeServer) -> None:
    """Until the source that the configuration names now has been heard whole, its state stands beside that of the old one."""
    assert cluster(status(server.state), "west").coming is None
    server.state.coming = {"west": Health("west")}
    assert cluster(status(server.state), "west").coming == "unsynced: not heard yet"
    assert cluster(status(server.state), "west").state == "synced"


def test_views(server: FakeServer) -> None:
    """Serial, completeness, services, and what is left out of them."""
    west, east = status(server.state).views
    west_hash, east_hash = (f"{view.hash:013x}" for view in server.state.views)
    assert west == ViewStatus("west", 1_800_000_001, west_hash, True, 2, {"bad-address": 1, "not-ready": 1})
    assert east == ViewStatus("east", 1_800_000_001, east_hash, True, 1, {})


def test_a_cluster_that_is_followed(server: FakeServer) -> None:
    """State and cause, for how long, objects and ages by resource, what is left out of what it says."""
    server.clock.now += 2.5
    found = cluster(status(server.state), "west")
    assert (found.state, found.cause, found.for_s, found.whole) == (
        "synced",
        "every resource has been listed",
        2.5,
        True,
    )
    assert found.resources[Resource.SERVICE_IMPORTS].objects == 2
    assert found.resources[Resource.ENDPOINT_SLICES].age_s == 2.5
    assert found.omissions == {"bad-address": 1, "not-ready": 1}
    assert not found.optional


def test_where_a_cluster_is_heard_from(server: FakeServer) -> None:
    """A folder, or an API server with the API version that each resource is read as."""
    assert cluster(status(server.state), "west").source == "folder"
    configured = server.state.config.clusters
    clusters = tuple(replace(one, manifests=None, in_cluster=True) for one in configured)
    server.state.config = replace(server.state.config, clusters=clusters)
    server.state.health["west"].reads(Resource.SERVICE_IMPORTS, "multicluster.x-k8s.io/v1beta1")
    found = cluster(status(server.state), "west")
    assert found.source == "api-server"
    assert found.resources[Resource.SERVICE_IMPORTS].version == "multicluster.x-k8s.io/v1beta1"
    assert found.resources[Resource.SERVICE_EXPORTS].version is None


def test_a_cluster_that_is_stale(server: FakeServer) -> None:
    """The broken stream is named, with what went wrong; the others are not blamed."""
    server.state.health["east"].broken(Resource.SERVICE_IMPORTS, "http_503", "HTTP 503: unavailable")
    found = cluster(status(server.state), "east")
    assert (found.state, found.cause) == ("stale", "serviceimports: HTTP 503: unavailable")
    assert found.resources[Resource.SERVICE_IMPORTS].problem == "HTTP 503: unavailable"
    assert found.resources[Resource.SERVICE_IMPORTS].errors == {"http_503": 1}
    assert found.resources[Resource.SERVICE_EXPORTS].problem is None
    assert found.optional


def test_a_cluster_that_is_not_heard() -> None:
    """No age where nothing has come; its views are not complete."""
    found = status(FakeServer({"west": WEST, "east": None}).state)
    east = cluster(found, "east")
    assert (east.state, east.whole, east.resources[Resource.SERVICE_IMPORTS].age_s) == ("unsynced", False, None)
    assert not any(view.complete for view in found.views)


def test_where_a_cluster_id_comes_from() -> None:
    """Configured, from the ClusterProperty, or the configured name; a property that disagrees is shown beside it."""
    found = status(FakeServer({"west": "", "east": cluster_property("c7")}).state)
    assert (cluster(found, "west").id, cluster(found, "west").id_source) == ("west", "name")
    east = cluster(found, "east")
    assert (east.id, east.id_source, east.property_id) == ("e.eu", "configured", "c7")
    found = status(FakeServer({"west": cluster_property("w1"), "east": ""}).state)
    assert (cluster(found, "west").id, cluster(found, "west").id_source) == ("w1", "property")


def test_duplicate_cluster_ids() -> None:
    """The cluster that is refused is named, with the one that has its id."""
    found = status(FakeServer({"west": cluster_property("e.eu"), "east": EAST}).state)
    assert found.duplicates == (Duplicate("east", "e.eu", "west"),)
    assert cluster(found, "east").omissions == {"duplicate-cluster-id": 1}


def test_files_that_cannot_be_read(server: FakeServer) -> None:
    """Problems of a source are shown by file."""
    server.state.health["west"].faults({"web.yaml": "not valid YAML"})
    assert cluster(status(server.state), "west").problems == {"web.yaml": "not valid YAML"}


def test_it_becomes_json(server: FakeServer) -> None:
    """Every key is there, for machines."""
    found = status(server.state)
    assert msgspec.json.decode(msgspec.json.encode(found), type=Status) == found


def test_quotas(server: FakeServer) -> None:
    """Of each quota what it allows, what is used of it, how much is refused, and a few of those by name."""
    table = Table(Resource.SERVICE_IMPORTS, Quotas(names=1))
    for name in ("a", "b", "c"):
        table.put(Entry("demo", name, 0))
    server.state.health["west"].refusals.take(table)
    found = cluster(status(server.state), "west").quotas
    assert found["names"] == QuotaStatus(20_000, 1, 2, {"serviceimports": ("demo/b", "demo/c")})
    assert found["object_bytes"] == QuotaStatus(1_500_000, None, 0, {})
    assert list(found) == ["names", "endpoints_per_name", "endpoints", "object_bytes"]
