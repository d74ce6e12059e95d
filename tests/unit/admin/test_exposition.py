"""`/metrics`: the table, filled from where the values are."""

from __future__ import annotations

import asyncio

import pytest
from msgspec.structs import replace
from prometheus_client.openmetrics.parser import text_string_to_metric_families as openmetrics
from prometheus_client.parser import text_string_to_metric_families

from mcsdns.admin.exposition import exposition, registry
from mcsdns.admin.state import MAX_SOURCE_CLUSTERS
from mcsdns.config import Metrics, Quotas
from mcsdns.metrics import METRICS
from mcsdns.plane.base import Listener
from mcsdns.source.events import Resource
from mcsdns.source.quota import Entry
from mcsdns.source.table import Table
from tests.manifests import imported_slice, service_import, together
from tests.unit.admin.servers import FakeServer

WEST = together(service_import("hl", headless=True), imported_slice("hl", "west", "10.1.0.1", "10.1.0.2 !ready"))
WHERE = {"server": "dns://127.0.0.1:5300,dns://[::1]:5300", "zone": "clusterset.local.", "view": "west"}


@pytest.fixture
def server() -> FakeServer:
    return FakeServer({"west": WEST, "east": ""})


def expose(server: FakeServer, accept: str) -> tuple[bytes, str]:
    return asyncio.run(exposition(server.state, registry(server.state), accept))


def scrape(server: FakeServer) -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
    """Return what Prometheus would read, by name and labels."""
    body, _ = expose(server, "")
    families = text_string_to_metric_families(body.decode())
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in families
        for sample in family.samples
    }


def value(server: FakeServer, name: str, /, **labels: str) -> float:
    return scrape(server)[name, frozenset(labels.items())]


def test_every_metric_of_the_table_is_exposed(server: FakeServer) -> None:
    """With its kind and its help, also where it has no value yet; and nothing of ours that the table has not."""
    body, _ = expose(server, "")
    families = {family.name: family for family in text_string_to_metric_families(body.decode())}
    table = {metric.name.removesuffix("_total"): metric for metric in METRICS}
    assert {name for name in families if name.startswith("mcsdns_")} == table.keys()
    for name, metric in table.items():
        assert (families[name].type, families[name].documentation) == (metric.kind, metric.help)
        for sample in families[name].samples:
            assert set(sample.labels) - {"le"} == set(metric.labels), name


def test_the_process_and_python_are_exposed(server: FakeServer) -> None:
    """Memory and CPU under the names that every dashboard knows."""
    names = {name for name, _ in scrape(server)}
    assert {
        "process_resident_memory_bytes",
        "process_cpu_seconds_total",
        "python_info",
        "python_gc_collections_total",
    } <= names


def test_openmetrics_where_it_is_asked_for(server: FakeServer) -> None:
    """The format follows the Accept header, and both can be parsed."""
    body, content_type = expose(server, "application/openmetrics-text; version=1.0.0")
    assert content_type.startswith("application/openmetrics-text")
    assert len(list(openmetrics(body.decode()))) > len(METRICS)  # type: ignore[no-untyped-call]
    _, content_type = expose(server, "*/*")
    assert content_type.startswith("text/plain; version=")


def test_readiness_and_build(server: FakeServer) -> None:
    """`mcsdns_ready` says what `/readyz` says."""
    assert value(server, "mcsdns_ready") == 1
    server.ready = (False, "stopping")
    assert value(server, "mcsdns_ready") == 0
    assert value(server, "mcsdns_build_info", version=server.state.version, plane="python") == 1


def test_the_configuration_file(server: FakeServer) -> None:
    """How often it was read again, whether it could be used, and when what is in force was read."""
    file = server.state.config_file
    file.reloads["failure"] = 2
    assert value(server, "mcsdns_config_reloads_total", result="failure") == 2
    assert value(server, "mcsdns_config_reloads_total", result="success") == 0
    assert value(server, "mcsdns_config_last_load_successful") == 1
    assert value(server, "mcsdns_config_loaded_timestamp_seconds") == 1.8e9
    file.error = "clusters: wrong"
    assert value(server, "mcsdns_config_last_load_successful") == 0


def test_the_state_of_a_cluster(server: FakeServer) -> None:
    """One of the states is 1; ages grow; objects, lists and errors are counted by resource."""
    server.clock.now += 4
    health = server.state.health["west"]
    health.listed(Resource.SERVICE_IMPORTS, "gone")
    health.broken(Resource.ENDPOINT_SLICES, "http_503", "HTTP 503")
    health.streams[Resource.ENDPOINT_SLICES].drift = 3
    found = scrape(server)
    state = {
        dict(labels)["state"]: one
        for (name, labels), one in found.items()
        if name == "mcsdns_cluster_state" and ("cluster", "west") in labels
    }
    assert state == {"unsynced": 0, "synced": 0, "stale": 1}
    assert value(server, "mcsdns_cluster_transitions_total", cluster="west", state="stale", cause="http_503") == 1
    assert value(server, "mcsdns_cluster_state_age_seconds", cluster="east") == 4
    assert value(server, "mcsdns_cluster_state_age_seconds", cluster="west") == 0
    slices, imports = (
        {"cluster": "west", "resource": "endpointslices"},
        {"cluster": "west", "resource": "serviceimports"},
    )
    assert value(server, "mcsdns_last_event_age_seconds", **slices) == 4
    assert value(server, "mcsdns_last_event_age_seconds", **imports) == 0
    assert value(server, "mcsdns_relists_total", **imports, reason="gone") == 1
    assert value(server, "mcsdns_watch_errors_total", **slices, code="http_503") == 1
    assert value(server, "mcsdns_drift_total", **slices) == 3
    assert value(server, "mcsdns_objects", **slices) == 1
    assert value(server, "mcsdns_omitted", cluster="west", reason="not-ready") == 1


def test_when_credentials_end(server: FakeServer) -> None:
    """As the source tells it at the scrape; a folder has none."""
    server.state.health["west"].expiries = lambda: {"token": 1.9e9}
    name = "mcsdns_cluster_credentials_expire_timestamp_seconds"
    assert value(server, name, cluster="west", kind="token") == 1.9e9
    assert len([one for one, _ in scrape(server) if one == name]) == 1


def test_no_age_before_the_first_sign_of_life() -> None:
    """Zero would look like a healthy watch."""
    names = {name for name, labels in scrape(FakeServer({"west": "", "east": None})) if ("cluster", "east") in labels}
    assert "mcsdns_cluster_state" in names
    assert "mcsdns_last_event_age_seconds" not in names


def test_publishes(server: FakeServer) -> None:
    """How many there were, and how long ago the last: of views that were published."""
    for _ in range(2):
        server.plane.generations.count("west")
    server.plane.clock.now += 7
    assert value(server, "mcsdns_publishes_total", view="west") == 2
    assert value(server, "mcsdns_generation_age_seconds", view="west") == 7
    assert value(server, "mcsdns_udp_receive_buffer_bytes") == 425_984
    assert ("mcsdns_publishes_total", frozenset({("view", "east")})) not in scrape(server)


def test_views(server: FakeServer) -> None:
    """Serial, services, completeness."""
    assert value(server, "mcsdns_zone_serial", view="west") == 1_800_000_001
    assert value(server, "mcsdns_zone_services", view="west") == 1
    assert value(server, "mcsdns_zone_services", view="east") == 0
    assert value(server, "mcsdns_zone_complete", view="east") == 1
    assert value(server, "mcsdns_zone_hash", view="east") == server.state.views[1].hash


def test_queries_have_the_labels_and_buckets_of_coredns(server: FakeServer) -> None:
    """Requests by type, responses by rcode, sizes and durations by bucket. Where two listeners serve a view, `server` names both."""
    udp, tcp, _ = server.plane.ledgers
    tally = udp.tally(1, 0, 60, 90, False)
    tally.queries, tally.request_octets, tally.response_octets = 3, 180, 270
    tally = tcp.tally(65280, 3, 60, 2000, True)
    tally.queries, tally.request_octets, tally.response_octets = 1, 60, 2000
    udp.took(0.0002)
    udp.took(0.3)
    udp.duration_s = 0.3002
    assert value(server, "mcsdns_dns_requests_total", **WHERE, proto="udp", family="1", type="A") == 3
    assert value(server, "mcsdns_dns_requests_total", **WHERE, proto="tcp", family="2", type="other") == 1
    assert value(server, "mcsdns_dns_responses_total", **WHERE, rcode="NXDOMAIN") == 1
    assert value(server, "mcsdns_dns_truncated_total", **WHERE, proto="tcp") == 1
    duration = "mcsdns_dns_request_duration_seconds"
    assert [value(server, f"{duration}_bucket", **WHERE, le=le) for le in ("0.00025", "0.256", "0.512", "+Inf")] == [
        1,
        1,
        2,
        2,
    ]
    assert value(server, f"{duration}_sum", **WHERE) == pytest.approx(0.3002)
    assert value(server, f"{duration}_count", **WHERE) == 2
    size = "mcsdns_dns_response_size_bytes"
    assert [value(server, f"{size}_bucket", **WHERE, proto="tcp", le=le) for le in ("1023.0", "2047.0")] == [0, 1]
    assert value(server, f"{size}_sum", **WHERE, proto="udp") == 270


def test_what_a_plane_counts_as_a_whole(server: FakeServer) -> None:
    """Drops, malformed queries, TCP connections, defects."""
    totals = server.plane.totals
    totals.drops["response"] = 2
    totals.malformed["name"] = 5
    totals.tcp_refused["full"] = 1
    totals.tcp_closed["idle"] = 7
    totals.tcp_open = 4
    totals.panics = 1
    assert value(server, "mcsdns_dns_dropped_total", reason="response") == 2
    assert value(server, "mcsdns_dns_malformed_total", reason="name") == 5
    assert value(server, "mcsdns_tcp_refused_total", reason="full") == 1
    assert value(server, "mcsdns_tcp_closed_total", reason="idle") == 7
    assert value(server, "mcsdns_tcp_connections") == 4
    assert value(server, "mcsdns_panics_total") == 1


def test_the_time_from_a_change_to_its_publishing(server: FakeServer) -> None:
    """By source cluster, in CoreDNS's buckets."""
    server.state.observe_programming("e.eu", 0.0015)
    name = "mcsdns_programming_duration_seconds"
    assert [value(server, f"{name}_bucket", source_cluster="e.eu", le=le) for le in ("0.001", "0.002", "+Inf")] == [
        0,
        1,
        1,
    ]
    assert value(server, f"{name}_sum", source_cluster="e.eu") == 0.0015


def test_source_clusters_are_bounded(server: FakeServer) -> None:
    """Their ids come from objects: past the bound they share one label."""
    for number in range(MAX_SOURCE_CLUSTERS + 10):
        server.state.observe_programming(f"c{number}", 0.1)
    assert len(server.state.programming) == MAX_SOURCE_CLUSTERS + 1
    assert value(server, "mcsdns_programming_duration_seconds_count", source_cluster="other") == 10


def test_quotas(server: FakeServer) -> None:
    """By cluster and quota: what is refused, what is used, what is allowed."""
    table = Table(Resource.SERVICE_IMPORTS, Quotas(names=1))
    for name in ("a", "b", "c"):
        table.put(Entry("demo", name, 0))
    server.state.health["west"].refusals.take(table)
    at = {"cluster": "west", "quota": "names"}
    assert [value(server, f"mcsdns_quota_{name}", **at) for name in ("refused", "used", "limit")] == [2, 1, 20_000]
    found = scrape(server)
    size = frozenset({("cluster", "west"), ("quota", "object_bytes")})
    assert ("mcsdns_quota_used", size) not in found
    assert found["mcsdns_quota_refused", size] == 0


def test_the_same_under_the_names_of_coredns(server: FakeServer) -> None:
    """Requests, responses with their plugin, durations and sizes: as under our names, with the labels that CoreDNS has."""
    udp, *_ = server.plane.ledgers
    tally = udp.tally(1, 0, 60, 90, False)
    tally.queries, tally.request_octets, tally.response_octets = 3, 180, 270
    udp.took(0.0002)
    server.plane.totals.panics = 2
    assert value(server, "coredns_dns_requests_total", **WHERE, proto="udp", family="1", type="A") == 3
    assert value(server, "coredns_dns_responses_total", **WHERE, rcode="NOERROR", plugin="mcsdns") == 3
    assert value(server, "coredns_dns_request_duration_seconds_count", **WHERE) == 1
    assert value(server, "coredns_dns_request_size_bytes_sum", **WHERE, proto="udp") == 180
    assert value(server, "coredns_dns_response_size_bytes_sum", **WHERE, proto="udp") == 270
    assert value(server, "coredns_panics_total") == 2


def test_programming_of_all_source_clusters_under_the_name_of_coredns(server: FakeServer) -> None:
    """CoreDNS knows one cluster: what ours are is added up."""
    for cluster in ("e.eu", "west"):
        server.state.observe_programming(cluster, 0.0015)
    name = "coredns_kubernetes_dns_programming_duration_seconds"
    kind = "headless_with_selector"
    assert value(server, f"{name}_bucket", service_kind=kind, le="0.002") == 2
    assert value(server, f"{name}_sum", service_kind=kind) == 0.003


def test_without_the_names_of_coredns(server: FakeServer) -> None:
    """`metrics: {coredns_names: false}` leaves them out, and nothing else."""
    with_them = {name for name, _ in scrape(server)}
    server.state.config = replace(server.state.config, metrics=Metrics(coredns_names=False))
    without = {name for name, _ in scrape(server)}
    assert {name for name in with_them - without if not name.startswith("coredns_")} == set()
    assert not any(name.startswith("coredns_") for name in without)


def test_a_wildcard_is_named_by_its_port(server: FakeServer) -> None:
    """As CoreDNS does: `dns://:5353`, once for IPv4 and IPv6."""
    server.state.listeners = [Listener("0.0.0.0", 5353, "west"), Listener("::", 5353, "west")]
    udp, *_ = server.plane.ledgers
    udp.tally(1, 0, 60, 90, False).queries = 1
    where = WHERE | {"server": "dns://:5353"}
    assert value(server, "mcsdns_dns_requests_total", **where, proto="udp", family="1", type="A") == 1
