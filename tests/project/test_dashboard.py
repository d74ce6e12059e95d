"""The dashboard deploy/grafana/mcsdns.json: its panels do not overlap, name what is measured, and the chart holds the same."""

from __future__ import annotations

import json
import re
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest

from tests.chart import rendered
from tests.project.test_alerts import EXPOSED

TEXT = (Path(__file__).parents[2] / "deploy" / "grafana" / "mcsdns.json").read_text()
DASHBOARD: dict[str, Any] = json.loads(TEXT)
PROCESS = frozenset({"process_cpu_seconds_total", "process_resident_memory_bytes"})
"""What prometheus_client tells of every process, and only panels use."""


def test_metrics_are_of_the_table() -> None:
    """Every metric that a panel or a variable names is exposed."""
    named = set(re.findall(r"\b((?:mcsdns|coredns|process|python)_[a-z_]+)", TEXT))
    assert named - PROCESS <= EXPOSED


def test_panels_stand_beside_each_other() -> None:
    """Ids are unique, nothing is wider than the grid, no panel covers another, and each has a title and a data source to choose."""
    panels = DASHBOARD["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    for panel in panels:
        assert panel["title"]
        assert panel["gridPos"]["x"] + panel["gridPos"]["w"] <= 24
        for target in panel.get("targets", ()):
            assert target["datasource"]["uid"] == panel["datasource"]["uid"] == "${datasource}"
    for one, two in combinations((panel["gridPos"] for panel in panels), 2):
        is_beside = one["x"] + one["w"] <= two["x"] or two["x"] + two["w"] <= one["x"]
        is_above = one["y"] + one["h"] <= two["y"] or two["y"] + two["h"] <= one["y"]
        assert is_beside or is_above


@pytest.mark.servers
def test_the_chart_holds_the_same() -> None:
    """The ConfigMap has the dashboard, word for word, and the label by which Grafana's sidecar finds it; by default there is none."""
    assert all("dashboard" not in one["metadata"]["name"] for one in rendered())
    objects = rendered({"monitoring": {"dashboard": True}})
    (found,) = [one for one in objects if one["metadata"]["name"] == "mcsdns-dashboard"]
    assert found["kind"] == "ConfigMap"
    assert found["metadata"]["labels"]["grafana_dashboard"] == "1"
    assert json.loads(found["data"]["mcsdns.json"]) == DASHBOARD
