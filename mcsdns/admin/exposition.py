"""
`/metrics`: the table of `mcsdns.metrics`, filled at each scrape from where the values are.

Rules:
1. Nothing is counted twice: a value lives with the part that counts it, and is read here.
2. A scrape reads everything between two awaits, so that it shows one state: but for what is left out, which is read before,
   in small steps.
3. A metric without a value yet is exposed all the same, with its type and help.
4. What stands under CoreDNS's names is made of our own values, in the same scrape: the two can never differ.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

from prometheus_client import CollectorRegistry, GCCollector, PlatformCollector, ProcessCollector
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.exposition import choose_encoder
from prometheus_client.registry import Collector

from mcsdns.admin.state import ServerState
from mcsdns.config import Address
from mcsdns.metrics import COREDNS_METRICS, METRICS, PROGRAMMING_BUCKETS_S, Counters, Distribution, Histogram, Kind
from mcsdns.metrics import Metric as Declared
from mcsdns.source.events import Resource
from mcsdns.source.health import State
from mcsdns.source.quota import Quota

Labels = tuple[str, ...]
"""The values of a metric's labels, in the order of the table."""
Samples = Sequence[tuple[Labels, float | Distribution | Histogram]]

PLUGIN = "mcsdns"
"""Who answered, where CoreDNS's names ask for a plugin."""
SERVICE_KIND = "headless_with_selector"
"""The kind of service that CoreDNS measures programming of: where endpoints are the answer."""


def registry(state: ServerState) -> CollectorRegistry:
    """Return a registry of everything that is exposed: the table, the process, Python."""
    made = CollectorRegistry()
    made.register(_StateCollector(state))
    ProcessCollector(registry=made)
    PlatformCollector(registry=made)
    GCCollector(registry=made)
    return made


async def exposition(state: ServerState, of: CollectorRegistry, accept: str) -> tuple[bytes, str]:
    """
    Write the metrics in the format that was asked for.

    Args:
        state: What is read.
        of: Its registry.
        accept: The Accept header of the scrape.

    Returns:
        The body and its content type.
    """
    await state.omissions.read(state.views)
    encode, content_type = choose_encoder(accept)
    return encode(of), content_type


class _StateCollector(Collector):
    """Reads the server's state at each scrape."""

    def __init__(self, state: ServerState) -> None:
        self._state = state
        self._metrics = METRICS + (COREDNS_METRICS if state.config.metrics.coredns_names else ())

    def describe(self) -> Iterable[Metric]:
        """Give the metrics without values: registering must not read a state that is not filled yet."""
        return (_family(metric, ()) for metric in self._metrics)

    def collect(self) -> Iterable[Metric]:
        """Give the metrics with their values of this moment."""
        samples = values(self._state)
        samples |= _as_coredns(samples)
        return [_family(metric, samples[metric.name]) for metric in self._metrics]


def values(state: ServerState) -> dict[str, Samples]:
    """Return what is exposed now, by the name of the metric: label values and a number or a distribution."""
    found: dict[str, Samples] = {
        "mcsdns_build_info": [((state.version, state.plane.name), 1)],
        "mcsdns_ready": [((), float(state.is_ready()[0]))],
        "mcsdns_config_reloads_total": [((result,), count) for result, count in state.config_file.reloads.items()],
        "mcsdns_config_last_load_successful": [((), float(state.config_file.error is None))],
        "mcsdns_config_loaded_timestamp_seconds": [((), state.config_file.loaded_at)],
        "mcsdns_omitted": list(state.omissions.counted(state.mirrors).items()),
        "mcsdns_programming_duration_seconds": [((cluster,), one) for cluster, one in state.programming.items()],
        "mcsdns_zone_serial": [((view.view.name,), view.serial % 2**32) for view in state.views],
        "mcsdns_zone_services": [((view.view.name,), len(view.services)) for view in state.views],
        "mcsdns_zone_complete": [((view.view.name,), float(view.complete)) for view in state.views],
        "mcsdns_zone_hash": [((view.view.name,), view.hash) for view in state.views],
    }
    counters = state.plane.counters()
    return found | _clusters(state) | _queries(state, counters) | _plane(counters)


def _clusters(state: ServerState) -> dict[str, Samples]:
    streams = [(name, one, health) for name, health in state.health.items() for one in Resource]
    ages = ((name, one, health.age_s(one)) for name, one, health in streams)
    quotas = [(name, quota, health.refusals) for name, health in state.health.items() for quota in Quota]
    usage = ((name, quota, refusals.used(quota)) for name, quota, refusals in quotas)
    return {
        "mcsdns_quota_refused": [((name, quota.value), of.refused(quota)) for name, quota, of in quotas],
        "mcsdns_quota_used": [((name, quota.value), used) for name, quota, used in usage if used is not None],
        "mcsdns_quota_limit": [((name, quota.value), of.limit(quota)) for name, quota, of in quotas],
        "mcsdns_cluster_state": [
            ((name, one.value), float(health.state is one)) for name, health in state.health.items() for one in State
        ],
        "mcsdns_cluster_transitions_total": [
            ((name, to.value, cause), count)
            for name, health in state.health.items()
            for (to, cause), count in health.transitions.items()
        ],
        "mcsdns_cluster_state_age_seconds": [((name,), health.for_s()) for name, health in state.health.items()],
        "mcsdns_last_event_age_seconds": [((name, one.value), age_s) for name, one, age_s in ages if age_s is not None],
        "mcsdns_relists_total": [
            ((name, one.value, reason), count)
            for name, one, health in streams
            for reason, count in health.streams[one].relists.items()
        ],
        "mcsdns_watch_errors_total": [
            ((name, one.value, code), count)
            for name, one, health in streams
            for code, count in health.streams[one].errors.items()
        ],
        "mcsdns_drift_total": [((name, one.value), health.streams[one].drift) for name, one, health in streams],
        "mcsdns_cluster_credentials_expire_timestamp_seconds": [
            ((name, kind), end) for name, health in state.health.items() for kind, end in health.expiries().items()
        ],
        "mcsdns_objects": [
            ((mirror.cluster, one.value), mirror.count(one)) for mirror in state.mirrors for one in Resource
        ],
    }


def _queries(state: ServerState, counters: Counters) -> dict[str, Samples]:
    where = _server_labels(state)
    return {
        "mcsdns_dns_requests_total": [
            ((*where(view), proto, family, rr_type), count)
            for (view, proto, family, rr_type), count in counters.requests.items()
        ],
        "mcsdns_dns_responses_total": [
            ((*where(view), rcode), count) for (view, rcode), count in counters.responses.items()
        ],
        "mcsdns_dns_request_duration_seconds": [(where(view), one) for view, one in counters.durations.items()],
        "mcsdns_dns_request_size_bytes": [
            ((*where(view), proto), one) for (view, proto), one in counters.request_sizes.items()
        ],
        "mcsdns_dns_response_size_bytes": [
            ((*where(view), proto), one) for (view, proto), one in counters.response_sizes.items()
        ],
        "mcsdns_dns_truncated_total": [
            ((*where(view), proto), count) for (view, proto), count in counters.truncated.items()
        ],
        "mcsdns_dns_malformed_total": [((reason,), count) for reason, count in counters.malformed.items()],
        "mcsdns_dns_dropped_total": [((reason,), count) for reason, count in counters.drops.items()],
    }


def _plane(counters: Counters) -> dict[str, Samples]:
    return {
        "mcsdns_publishes_total": [((view,), count) for view, count in counters.publishes.items()],
        "mcsdns_generation_age_seconds": [((view,), age_s) for view, age_s in counters.generation_ages_s.items()],
        "mcsdns_udp_receive_buffer_bytes": [((), counters.receive_buffer)],
        "mcsdns_panics_total": [((), counters.panics)],
        "mcsdns_rendered_hits_total": [((), counters.cache_hits)],
        "mcsdns_rendered_misses_total": [((), counters.cache_misses)],
        "mcsdns_tcp_connections": [((), counters.tcp_open)],
        "mcsdns_tcp_refused_total": [((reason,), count) for reason, count in counters.tcp_refused.items()],
        "mcsdns_tcp_closed_total": [((reason,), count) for reason, count in counters.tcp_closed.items()],
    }


def _as_coredns(ours: Mapping[str, Samples]) -> dict[str, Samples]:
    """Give values under CoreDNS's names, from those under ours."""
    programming = ours["mcsdns_programming_duration_seconds"]
    return {
        "coredns_dns_requests_total": ours["mcsdns_dns_requests_total"],
        "coredns_dns_responses_total": [
            ((*labels, PLUGIN), count) for labels, count in ours["mcsdns_dns_responses_total"]
        ],
        "coredns_dns_request_duration_seconds": ours["mcsdns_dns_request_duration_seconds"],
        "coredns_dns_request_size_bytes": ours["mcsdns_dns_request_size_bytes"],
        "coredns_dns_response_size_bytes": ours["mcsdns_dns_response_size_bytes"],
        "coredns_kubernetes_dns_programming_duration_seconds": [((SERVICE_KIND,), _sum(programming))],
        "coredns_panics_total": ours["mcsdns_panics_total"],
    }


def _sum(samples: Samples) -> Distribution:
    """Add up histograms of one metric, whatever their labels."""
    parts = [one for _, one in samples if not isinstance(one, (int, float))]
    counts = [0] * (len(PROGRAMMING_BUCKETS_S) + 1)
    for part in parts:
        counts = [mine + more for mine, more in zip(counts, part.counts, strict=True)]
    return Distribution(tuple(counts), sum(part.sum for part in parts))


def _server_labels(state: ServerState) -> Callable[[str], Labels]:
    """
    Return what gives the labels `server`, `zone` and `view` of a view.

    Planes count by view. Where several listeners serve one, `server` names them all; a wildcard has no address to name.
    """
    servers: dict[str, dict[str, None]] = {}
    for one in state.listeners:
        address = Address(one.host, one.port)
        servers.setdefault(one.view, {})[f"dns://:{one.port}" if address.is_wildcard else f"dns://{address}"] = None
    zone = state.config.zone.removesuffix(".").lower() + "."

    def where(view: str) -> Labels:
        return ",".join(servers.get(view, ())), zone, view

    return where


def _family(metric: Declared, samples: Samples) -> Metric:
    """Make what prometheus_client exposes of one metric."""
    match metric.kind:
        case Kind.COUNTER:
            counter = CounterMetricFamily(metric.name.removesuffix("_total"), metric.help, labels=metric.labels)
            for labels, value in _numbers(samples):
                counter.add_metric(labels, value)
            return counter
        case Kind.GAUGE:
            gauge = GaugeMetricFamily(metric.name, metric.help, labels=metric.labels)
            for labels, value in _numbers(samples):
                gauge.add_metric(labels, value)
            return gauge
        case Kind.HISTOGRAM:
            histogram = HistogramMetricFamily(metric.name, metric.help, labels=metric.labels)
            for labels, one in samples:
                if not isinstance(one, (int, float)):
                    histogram.add_metric(labels, list(_cumulative(metric.buckets, one.counts)), one.sum)
            return histogram


def _numbers(samples: Samples) -> Iterator[tuple[Labels, float]]:
    return ((labels, value) for labels, value in samples if isinstance(value, (int, float)))


def _cumulative(bounds: Sequence[float], counts: Sequence[int]) -> Iterator[tuple[str, float]]:
    total = 0
    for bound, count in zip((*(str(float(bound)) for bound in bounds), "+Inf"), counts, strict=True):
        total += count
        yield bound, total
