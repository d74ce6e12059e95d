"""docs/metrics.md is the table of `mcsdns.metrics`, row by row, and what a server exposes is in it."""

from __future__ import annotations

import re
from pathlib import Path

from mcsdns.metrics import COREDNS_METRICS, METRICS
from tests.e2e.folders import member, web
from tests.e2e.server import Server

ROOT = Path(__file__).parents[2]
ALL = METRICS + COREDNS_METRICS
BY_NAME = {metric.name: metric for metric in ALL}
ROW = re.compile(r"^\| `(\w+)` \| (\w+) \| (.*?) \| (.*?) \|$", re.MULTILINE)


def test_the_document_is_the_table() -> None:
    """Every metric has one row: name, kind, labels, what it tells; in the order of the table."""
    documented = ROW.findall((ROOT / "docs" / "metrics.md").read_text())
    declared = [
        (metric.name, metric.kind.value, ", ".join(f"`{label}`" for label in metric.labels), metric.help)
        for metric in ALL
    ]
    assert documented == declared


def test_what_is_exposed_is_declared(tmp_path: Path) -> None:
    """A server that has been asked exposes every metric that needs no fault to appear, and none that is not declared."""
    with Server(tmp_path, [member(tmp_path, "east", web("10.0.0.1"))]) as server:
        for tcp in (False, True):
            server.ask("web.test.svc", tcp=tcp)
            server.ask("nosuch.test.svc", tcp=tcp)
        text = server.admin("/metrics").text
    exposed = {
        match[1]: match[2] for match in re.finditer(r"^# TYPE ((?:mcsdns|coredns)_\w+) (\w+)$", text, re.MULTILINE)
    }
    for name, kind in exposed.items():
        assert BY_NAME[name].kind.value == kind, name
    helps = {match[1]: match[2] for match in re.finditer(r"^# HELP ((?:mcsdns|coredns)_\w+) (.*)$", text, re.MULTILINE)}
    for name, said in helps.items():
        assert said == BY_NAME[name].help
    assert set(exposed) == set(BY_NAME)
    for sample in re.finditer(r"^((?:mcsdns|coredns)_\w+?)(?:_bucket|_sum|_count)?\{(.*)\} ", text, re.MULTILINE):
        metric = BY_NAME.get(sample[1]) or BY_NAME[f"{sample[1]}_{sample[0].partition('{')[0].rpartition('_')[2]}"]
        labels = set(re.findall(r'(\w+)="', sample[2])) - {"le"}
        assert labels == set(metric.labels), sample[0]
