"""
The metrics: the one table of their names, kinds, labels and meanings.

Rules:
1. A metric is declared here, once. What exposes it and what documents it are held to this table by tests.
2. Labels are bounded: names from the configuration, enumerations, types from a fixed list; never a name or an address of a client.
3. The facts that CoreDNS counts have its labels and buckets, and its names too where the configuration says so, so that the
   dashboards and alerts that people have go on working (CoreDNS `plugin/metrics`, `plugin/kubernetes`).

Not here: their values (`mcsdns.admin.exposition` reads them at each scrape from where they are).
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Mapping
from enum import StrEnum

from msgspec import Struct
from msgspec.structs import replace


class Kind(StrEnum):
    """What a metric is to Prometheus."""

    COUNTER = "counter"
    GAUGE = "gauge"
    HISTOGRAM = "histogram"


class Metric(Struct, frozen=True):
    """
    One metric.

    Args:
        name: As it is exposed; a counter's ends in `_total`.
        kind: Counter, gauge or histogram.
        labels: Their names, in order.
        help: What it tells, in a sentence without a full stop.
        buckets: Upper bounds of a histogram's buckets, without +Inf.
    """

    name: str
    kind: Kind
    labels: tuple[str, ...]
    help: str
    buckets: tuple[float, ...] = ()


DURATION_BUCKETS_S = tuple(0.00025 * 2**power for power in range(16))
"""Time that an answer takes, seconds: 0.25 ms doubling (CoreDNS `plugin.TimeBuckets`)."""
SIZE_BUCKETS = (0, 100, 200, 300, 400, 511, 1023, 2047, 4095, 8291, 16_000, 32_000, 48_000, 64_000)
"""Sizes of messages, octets (CoreDNS `plugin/metrics`)."""
PROGRAMMING_BUCKETS_S = tuple(0.001 * 2**power for power in range(20))
"""Time from a change to its answer, seconds: 1 ms doubling (CoreDNS `plugin/kubernetes`)."""

_SERVER = ("server", "zone", "view")

METRICS = (
    Metric("mcsdns_build_info", Kind.GAUGE, ("version", "plane"), "1, with the version and the plane that answers"),
    Metric("mcsdns_ready", Kind.GAUGE, (), "1 while the server is ready, as /readyz tells it"),
    Metric(
        "mcsdns_config_reloads_total",
        Kind.COUNTER,
        ("result",),
        "Changed configuration files that were read, by success or failure",
    ),
    Metric(
        "mcsdns_config_last_load_successful",
        Kind.GAUGE,
        (),
        "0 while the configuration file is refused and what it said before is in force",
    ),
    Metric(
        "mcsdns_config_loaded_timestamp_seconds",
        Kind.GAUGE,
        (),
        "When the configuration that is in force was read, in seconds since the epoch",
    ),
    # Member clusters.
    Metric(
        "mcsdns_cluster_state", Kind.GAUGE, ("cluster", "state"), "1 for the state the cluster is in, 0 for the others"
    ),
    Metric(
        "mcsdns_cluster_transitions_total",
        Kind.COUNTER,
        ("cluster", "state", "cause"),
        "How often the cluster came into a state, by what made it so",
    ),
    Metric("mcsdns_cluster_state_age_seconds", Kind.GAUGE, ("cluster",), "Seconds since the last transition"),
    Metric(
        "mcsdns_last_event_age_seconds",
        Kind.GAUGE,
        ("cluster", "resource"),
        "Seconds since the last sign of life of a watch; absent before the first",
    ),
    Metric("mcsdns_relists_total", Kind.COUNTER, ("cluster", "resource", "reason"), "Lists after the first one"),
    Metric("mcsdns_watch_errors_total", Kind.COUNTER, ("cluster", "resource", "code"), "Failures of lists and watches"),
    Metric(
        "mcsdns_drift_total",
        Kind.COUNTER,
        ("cluster", "resource"),
        "Differences that lists found to what watches had told",
    ),
    Metric(
        "mcsdns_cluster_credentials_expire_timestamp_seconds",
        Kind.GAUGE,
        ("cluster", "kind"),
        "When a certificate or token ends, in seconds since the epoch",
    ),
    Metric(
        "mcsdns_objects",
        Kind.GAUGE,
        ("cluster", "resource"),
        "Objects that concern the zone, as the cluster last told them",
    ),
    Metric(
        "mcsdns_omitted",
        Kind.GAUGE,
        ("cluster", "reason"),
        "What objects say and is left out of the zone; /explain tells why",
    ),
    Metric(
        "mcsdns_programming_duration_seconds",
        Kind.HISTOGRAM,
        ("source_cluster",),
        "Time from the change of an endpoint, as its EndpointSlice tells it, to its publishing",
        PROGRAMMING_BUCKETS_S,
    ),
    Metric(
        "mcsdns_quota_refused", Kind.GAUGE, ("cluster", "quota"), "Objects that are refused because they exceed a quota"
    ),
    Metric(
        "mcsdns_quota_used",
        Kind.GAUGE,
        ("cluster", "quota"),
        "How much of a quota the resource or service uses that uses most; absent for object_bytes",
    ),
    Metric("mcsdns_quota_limit", Kind.GAUGE, ("cluster", "quota"), "The quota, as configured"),
    # The zone.
    Metric("mcsdns_zone_serial", Kind.GAUGE, ("view",), "SOA serial that is published"),
    Metric("mcsdns_zone_services", Kind.GAUGE, ("view",), "Services that the view imports"),
    Metric(
        "mcsdns_zone_complete",
        Kind.GAUGE,
        ("view",),
        "0 while names that are not found are SERVFAIL for want of a cluster",
    ),
    Metric(
        "mcsdns_zone_hash",
        Kind.GAUGE,
        ("view",),
        "A number that stands for the records of the view: equal in replicas that hold the same",
    ),
    Metric("mcsdns_publishes_total", Kind.COUNTER, ("view",), "Updates that the plane has taken over"),
    Metric(
        "mcsdns_generation_age_seconds", Kind.GAUGE, ("view",), "Seconds since the plane has taken over the last update"
    ),
    # Queries, as CoreDNS counts them.
    Metric(
        "mcsdns_dns_requests_total", Kind.COUNTER, (*_SERVER, "proto", "family", "type"), "Queries that got a response"
    ),
    Metric("mcsdns_dns_responses_total", Kind.COUNTER, (*_SERVER, "rcode"), "Responses"),
    Metric(
        "mcsdns_dns_request_duration_seconds",
        Kind.HISTOGRAM,
        _SERVER,
        "Time from reading a query to handing over its response",
        DURATION_BUCKETS_S,
    ),
    Metric("mcsdns_dns_request_size_bytes", Kind.HISTOGRAM, (*_SERVER, "proto"), "Size of queries", SIZE_BUCKETS),
    Metric("mcsdns_dns_response_size_bytes", Kind.HISTOGRAM, (*_SERVER, "proto"), "Size of responses", SIZE_BUCKETS),
    Metric("mcsdns_dns_truncated_total", Kind.COUNTER, (*_SERVER, "proto"), "Responses with TC"),
    Metric("mcsdns_dns_malformed_total", Kind.COUNTER, ("reason",), "Queries that got FORMERR, by what was malformed"),
    Metric("mcsdns_dns_dropped_total", Kind.COUNTER, ("reason",), "Messages that got no response"),
    Metric(
        "mcsdns_udp_receive_buffer_bytes",
        Kind.GAUGE,
        (),
        "Room for queries that wait, as the system counts it, in the UDP socket that has least",
    ),
    Metric("mcsdns_panics_total", Kind.COUNTER, (), "Answers that failed through a defect of mcsdns"),
    Metric("mcsdns_rendered_hits_total", Kind.COUNTER, (), "Answers from a reply that was already rendered"),
    Metric("mcsdns_rendered_misses_total", Kind.COUNTER, (), "Answers that had to be rendered"),
    Metric("mcsdns_tcp_connections", Kind.GAUGE, (), "TCP connections that are open"),
    Metric("mcsdns_tcp_refused_total", Kind.COUNTER, ("reason",), "TCP connections that were not accepted"),
    Metric("mcsdns_tcp_closed_total", Kind.COUNTER, ("reason",), "TCP connections that mcsdns closed"),
)
"""The table. Beside it, `/metrics` has the `process_…` and `python_…` metrics of prometheus_client."""

BY_NAME = {metric.name: metric for metric in METRICS}


def _named(name: str, like: str, *labels: str) -> Metric:
    """Give a metric of ours another name and, where some are given, other labels."""
    return replace(BY_NAME[like], name=name, labels=labels or BY_NAME[like].labels)


COREDNS_METRICS = (
    _named("coredns_dns_requests_total", "mcsdns_dns_requests_total"),
    _named("coredns_dns_responses_total", "mcsdns_dns_responses_total", *_SERVER, "rcode", "plugin"),
    _named("coredns_dns_request_duration_seconds", "mcsdns_dns_request_duration_seconds"),
    _named("coredns_dns_request_size_bytes", "mcsdns_dns_request_size_bytes"),
    _named("coredns_dns_response_size_bytes", "mcsdns_dns_response_size_bytes"),
    _named(
        "coredns_kubernetes_dns_programming_duration_seconds", "mcsdns_programming_duration_seconds", "service_kind"
    ),
    _named("coredns_panics_total", "mcsdns_panics_total"),
)
"""What is exposed under CoreDNS's names as well, where `metrics.coredns_names` says so (CoreDNS 1.15)."""


class Histogram:
    """
    Observations by bucket. One writer, no lock.

    Args:
        bounds: Upper bounds of the buckets, rising, without +Inf.

    Attributes:
        counts: Observations in each bucket, not cumulative; one more for what is above the last bound.
        sum: Of all observations, in their unit.
    """

    __slots__ = ("_bounds", "counts", "sum")

    def __init__(self, bounds: tuple[float, ...]) -> None:
        self._bounds = bounds
        self.counts = [0] * (len(bounds) + 1)
        self.sum = 0.0

    def observe(self, value: float) -> None:
        """Count one observation. A bound belongs to its bucket (Prometheus' `le`)."""
        self.counts[bisect_left(self._bounds, value)] += 1
        self.sum += value


class Distribution(Struct, frozen=True):
    """
    A histogram as it is read.

    Args:
        counts: Observations in each bucket (not cumulative); one more for what is above the last bound.
        sum: Of all observations, in their unit.
    """

    counts: tuple[int, ...]
    sum: float


class Counters(Struct, frozen=True, kw_only=True):
    """
    What a plane has counted since it began.

    Args:
        requests: Answered queries by view, `udp` or `tcp`, family (`1` IPv4, `2` IPv6) and type.
        responses: By view and rcode.
        truncated: Responses with TC by view and proto.
        durations: By view, in seconds, with `DURATION_BUCKETS_S`.
        request_sizes: By view and proto, in octets, with `SIZE_BUCKETS`.
        response_sizes: Likewise.
        drops: Queries without a response, by `plane.counters.Drop`.
        malformed: Queries that got FORMERR, by `wire.faults.Fault`.
        panics: Answers that failed through an error of ours.
        tcp_open: Connections that are open now.
        tcp_refused: Connections that were not accepted, by `plane.counters.Refused`.
        tcp_closed: Connections that we closed, by `plane.counters.Closed`.
        cache_hits: Answers from a rendered reply.
        cache_misses: Answers that had to be rendered.
        publishes: Updates that were taken over, by view.
        generation_ages_s: Seconds since the last of them, by view.
        receive_buffer: Octets of the smallest receive buffer of a UDP socket, as the system counts them; 0 before `start`.
    """

    requests: Mapping[tuple[str, str, str, str], int]
    responses: Mapping[tuple[str, str], int]
    truncated: Mapping[tuple[str, str], int]
    durations: Mapping[str, Distribution]
    request_sizes: Mapping[tuple[str, str], Distribution]
    response_sizes: Mapping[tuple[str, str], Distribution]
    drops: Mapping[str, int]
    malformed: Mapping[str, int]
    panics: int
    tcp_open: int
    tcp_refused: Mapping[str, int]
    tcp_closed: Mapping[str, int]
    cache_hits: int
    cache_misses: int
    publishes: Mapping[str, int]
    generation_ages_s: Mapping[str, float]
    receive_buffer: int
