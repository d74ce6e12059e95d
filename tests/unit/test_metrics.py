"""The table of metrics."""

from __future__ import annotations

import re

import pytest

from mcsdns.metrics import BY_NAME, METRICS, Histogram, Kind, Metric


def test_every_name_is_declared_once() -> None:
    """Two declarations would be two truths."""
    assert len(BY_NAME) == len(METRICS)


@pytest.mark.parametrize("metric", METRICS, ids=lambda metric: metric.name)
def test_names_and_labels_follow_the_conventions_of_prometheus(metric: Metric) -> None:
    """Our prefix, lower case, `_total` for counters alone, base units, no label that is reserved; buckets for histograms alone."""
    assert re.fullmatch(r"mcsdns_[a-z_]+", metric.name)
    assert metric.name.endswith("_total") == (metric.kind is Kind.COUNTER)
    assert all(re.fullmatch(r"[a-z_]+", label) for label in metric.labels)
    assert not {"le", "quantile", "instance", "job"} & set(metric.labels)
    assert bool(metric.buckets) == (metric.kind is Kind.HISTOGRAM)
    assert list(metric.buckets) == sorted(set(metric.buckets))
    assert metric.help
    assert not metric.help.endswith(".")


@pytest.mark.parametrize(("value", "bucket"), [(0.0, 0), (1.0, 0), (1.1, 1), (2.0, 1), (3.0, 2)])
def test_a_bound_belongs_to_its_bucket(value: float, bucket: int) -> None:
    """Prometheus' `le`: lower or equal; what is above the last bound has a bucket of its own."""
    histogram = Histogram((1.0, 2.0))
    histogram.observe(value)
    assert [index for index, count in enumerate(histogram.counts) if count] == [bucket]
    assert histogram.sum == value
