"""
The alerts of deploy/prometheus/rules.yaml: each fires when it should and only then, tells what it is about, and has a runbook.

`promtool test rules` runs them in virtual time. What is compared is Prometheus' own series `ALERTS`, so a case names labels, not texts.
"""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import yaml

from mcsdns.metrics import METRICS, Kind
from tests.chart import ChartError, rendered
from tests.servers.tools import need

ROOT = Path(__file__).parents[2]
RULES = ROOT / "deploy" / "prometheus" / "rules.yaml"
RUNBOOKS = "docs/operations.md"
NOWHERE = "https://mcsdns.invalid/"
"""What stands before it in the file: a URL that resolves for nobody (RFC 2606), as no public one of this repository is settled."""
GROUPS: list[dict[str, Any]] = yaml.safe_load(RULES.read_text())["groups"]
ALERTS: dict[str, dict[str, Any]] = {rule["alert"]: rule for group in GROUPS for rule in group["rules"]}

PROCESS = frozenset({"process_start_time_seconds"})
"""What prometheus_client tells of every process, and our alerts use."""
EXPOSED = PROCESS | {
    name
    for metric in METRICS
    for name in (
        [f"{metric.name}{end}" for end in ("_bucket", "_sum", "_count")]
        if metric.kind is Kind.HISTOGRAM
        else [metric.name]
    )
}
"""Names of series."""
ONE, TWO = 'job="dns", instance="a"', 'job="dns", instance="b"'
"""The targets of two replicas."""
SERVER = f'{ONE}, server="dns://:5353", zone="clusterset.local.", view="west"'


class Case(NamedTuple):
    """
    Series by name and labels, in promtool's notation (a value each minute), and what fires at a moment.

    Args:
        alert: Its name.
        series: What is scraped.
        at: When it is asked.
        fires: The labels of what fires, beside `severity`; None: nothing does.
        note: What is tried.
    """

    alert: str
    series: dict[str, str]
    at: str
    fires: str | None
    note: str


def state(state: str, values: str) -> dict[str, str]:
    """Give the state of cluster east."""
    return {f'mcsdns_cluster_state{{{ONE}, cluster="east", state="{state}"}}': values}


def replicas(one: str, two: str) -> dict[str, str]:
    """Give the hashes of two replicas."""
    return {f'mcsdns_zone_hash{{{who}, view="west"}}': values for who, values in ((ONE, one), (TWO, two))}


def shares(what: str, part: str, whole: str) -> dict[str, str]:
    """Give a part and a whole of answers: `servfail`, `truncated` or `overflow`."""
    asked = f'mcsdns_dns_requests_total{{{SERVER}, proto="udp", family="1", type="A"}}'
    return {
        "servfail": {
            f'mcsdns_dns_responses_total{{{SERVER}, rcode="SERVFAIL"}}': part,
            f'mcsdns_dns_responses_total{{{SERVER}, rcode="NOERROR"}}': whole,
            f'mcsdns_dns_responses_total{{{SERVER}, rcode="REFUSED"}}': "0+100000x90",
        },
        "truncated": {
            f'mcsdns_dns_truncated_total{{{SERVER}, proto="udp"}}': part,
            asked: whole,
            asked.replace('"A"', '"NS"'): "0+100000x90",
        },
        "overflow": {f'mcsdns_dns_dropped_total{{{ONE}, reason="overflow"}}': part, asked: whole},
        "junk": {f'mcsdns_dns_dropped_total{{{ONE}, reason="no-header"}}': part, asked: whole},
    }[what]


def ends(kind: str, values: str) -> dict[str, str]:
    """Give when the credentials for cluster east end; the time of a case begins at 0."""
    return {f'mcsdns_cluster_credentials_expire_timestamp_seconds{{{ONE}, cluster="east", kind="{kind}"}}': values}


def omitted(reason: str, *values: str) -> dict[str, str]:
    """Give what replicas leave out of cluster east."""
    return {
        f'mcsdns_omitted{{{who}, cluster="east", reason="{reason}"}}': one
        for who, one in zip((ONE, TWO), values, strict=False)
    }


def programming(seconds: float) -> dict[str, str]:
    """Give a histogram in which a change a minute takes so long."""
    name = f'mcsdns_programming_duration_seconds_bucket{{{ONE}, source_cluster="east", le="%s"}}'
    return {name % le: "0+1x40" if float(le) >= seconds else "0x40" for le in ("0.001", "8.192", "16.384", "+Inf")}


def started(*values: str) -> dict[str, str]:
    """Give the start times of our process and of somebody else's."""
    ours, others = (f'process_start_time_seconds{{job="{job}", instance="a"}}' for job in ("dns", "web"))
    return {ours: values[0], others: values[1], f'mcsdns_build_info{{{ONE}, version="0.1.0", plane="native"}}': "1x90"}


EAST = f'{ONE}, cluster="east"'
WEST = 'job="dns", view="west"'
CASES = [
    Case("McsdnsNoServerReady", {f"mcsdns_ready{{{ONE}}}": "1x5 _x9"}, "14m", "", "none is scraped"),
    Case("McsdnsNoServerReady", {f"mcsdns_ready{{{ONE}}}": "0x9"}, "5m", "", "none is ready"),
    Case("McsdnsNoServerReady", {f"mcsdns_ready{{{ONE}}}": "0x9", f"mcsdns_ready{{{TWO}}}": "1x9"}, "9m", None, "one is"),
    Case("McsdnsNotReady", {f"mcsdns_ready{{{ONE}}}": "0x9", f"mcsdns_ready{{{TWO}}}": "1x9"}, "6m", ONE, "one of two"),
    Case("McsdnsNotReady", {f"mcsdns_ready{{{ONE}}}": "0x3 1x9"}, "10m", None, "a start"),
    Case("McsdnsZoneIncomplete", {f'mcsdns_zone_complete{{{ONE}, view="west"}}': "0x9"}, "6m", f'{ONE}, view="west"', "for long"),
    Case("McsdnsZoneIncomplete", {f'mcsdns_zone_complete{{{ONE}, view="west"}}': "0x3 1x9"}, "10m", None, "a start"),
    Case("McsdnsServfail", shares("servfail", "0+3x30", "0+100x30"), "20m", SERVER, "3 of 103"),
    Case("McsdnsServfail", shares("servfail", "0+1x30", "0+200x30"), "20m", None, "1 of 201"),
    Case("McsdnsDrops", shares("overflow", "0+1x30", "0+500x30"), "20m", ONE, "1 in 500"),
    Case("McsdnsDrops", shares("overflow", "0+1x30", "0+5000x30"), "20m", None, "1 in 5,000"),
    Case("McsdnsDrops", shares("junk", "0+500x30", "0+500x30"), "20m", None, "junk"),
    Case("McsdnsTruncation", shares("truncated", "0+10x90", "0+100x90"), "80m", f'{ONE}, proto="udp"', "a tenth"),
    Case("McsdnsTruncation", shares("truncated", "0+3x90", "0+100x90"), "80m", None, "3 in 100"),
    Case("McsdnsTruncation", shares("truncated", "0x30 0+10x5 50x50", "0+100x90"), "70m", None, "a burst"),
    Case("McsdnsTcpRefused", {f'mcsdns_tcp_refused_total{{{ONE}, reason="full"}}': "0+1x30"}, "20m", ONE, "for long"),
    Case("McsdnsTcpRefused", {f'mcsdns_tcp_refused_total{{{ONE}, reason="full"}}': "0x9 9x30"}, "30m", None, "once"),
    Case("McsdnsPanics", {f"mcsdns_panics_total{{{ONE}}}": "0x9 1x30"}, "15m", ONE, "one"),
    Case("McsdnsPanics", {f"mcsdns_panics_total{{{ONE}}}": "7x90"}, "80m", None, "long ago"),
    Case("McsdnsClusterStale", state("stale", "0x5 1x20"), "17m", f'{EAST}, state="stale"', "for long"),
    Case("McsdnsClusterStale", state("stale", "0x5 1x8 0x20"), "30m", None, "an API server restarts"),
    Case("McsdnsClusterUnsynced", state("unsynced", "1x9"), "6m", f'{EAST}, state="unsynced"', "for long"),
    Case("McsdnsClusterUnsynced", state("unsynced", "1x3 0x9"), "10m", None, "a start"),
    Case("McsdnsCredentialsEnd", ends("client-certificate", "1e6x90"), "80m", f'{EAST}, kind="client-certificate"', "in 11 days"),
    Case("McsdnsCredentialsEnd", ends("client-certificate", "2e6x90"), "80m", None, "in 23 days"),
    Case("McsdnsCredentialsEnd", ends("renewed-token", "3600x90"), "80m", None, "a token that is renewed"),
    Case("McsdnsTokenNotRenewed", ends("renewed-token", "600x90"), "20m", f'{EAST}, kind="renewed-token"', "it is not"),
    Case("McsdnsTokenNotRenewed", ends("renewed-token", "600x9 4200x90"), "20m", None, "it is"),
    Case("McsdnsClusterRefused", omitted("duplicate-cluster-id", "1x9"), "6m", f'{EAST}, reason="duplicate-cluster-id"', "one"),
    Case("McsdnsClusterRefused", omitted("bad-port", "1x9"), "6m", None, "another reason"),
    Case("McsdnsOmissions", omitted("bad-port", "2x70 3x30"), "85m", 'job="dns", cluster="east", reason="bad-port"', "one more"),
    Case("McsdnsOmissions", omitted("bad-port", "_x70 1x30"), "85m", 'job="dns", cluster="east", reason="bad-port"', "the first"),
    Case("McsdnsOmissions", omitted("bad-port", "2x99"), "95m", None, "as ever"),
    Case("McsdnsOmissions", omitted("not-ready", "2x70 9x30"), "85m", None, "everyday"),
    Case("McsdnsOmissions", omitted("bad-port", "2x70 _x30", "_x70 2x30"), "85m", None, "a replica is replaced"),
    Case("McsdnsQuotaRefused", {f'mcsdns_quota_refused{{{EAST}, quota="names"}}': "1x9"}, "6m", f'{EAST}, quota="names"', "one"),
    Case("McsdnsQuotaRefused", {f'mcsdns_quota_refused{{{EAST}, quota="names"}}': "0x9"}, "6m", None, "none"),
    Case("McsdnsProgrammingSlow", programming(12), "35m", 'job="dns", source_cluster="east"', "12 s"),
    Case("McsdnsProgrammingSlow", programming(0.5), "35m", None, "half a second"),
    Case("McsdnsReplicasDisagree", replicas("5x40", "6x40"), "25m", WEST, "both rest"),
    Case("McsdnsReplicasDisagree", replicas("5x40", "6+1x40"), "25m", WEST, "one is stuck"),
    Case("McsdnsReplicasDisagree", replicas("5+1x40", "6+1x40"), "25m", None, "both change, and are scraped one after the other"),
    Case("McsdnsReplicasDisagree", replicas("5x40", "5x40"), "25m", None, "they hold the same"),
    Case("McsdnsReplicasDisagree", replicas("5x40", "_x9 0x2 5x30"), "25m", None, "one starts"),
    Case("McsdnsDrift", {f'mcsdns_drift_total{{{EAST}, resource="endpointslices"}}': "0x9 2x9"}, "15m", EAST, "two"),
    Case("McsdnsDrift", {f'mcsdns_drift_total{{{EAST}, resource="endpointslices"}}': "2x90"}, "80m", None, "long ago"),
    Case("McsdnsConfigRefused", {f"mcsdns_config_last_load_successful{{{ONE}}}": "1x5 0x9"}, "12m", ONE, "for long"),
    Case("McsdnsConfigRefused", {f"mcsdns_config_last_load_successful{{{ONE}}}": "1x5 0x3 1x9"}, "15m", None, "an edit"),
    Case("McsdnsRestarts", started("1x9 2x9 3x9 4x9", "1x90"), "40m", ONE, "three times"),
    Case("McsdnsRestarts", started("1x9 2x90", "1x9 2x9 3x9 4x9"), "40m", None, "once; another process, three times"),
]  # fmt: skip


def promtool(*arguments: str | Path) -> None:
    """Run promtool, which must find nothing wrong."""
    done = subprocess.run([need("promtool"), *arguments], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def heading(alert: str) -> str:
    """Give the anchor of an alert's section, as forges make it of a heading."""
    return alert.lower()


def test_promtool_takes_the_rules() -> None:
    """`promtool check rules` finds nothing wrong: expressions, durations and templates parse."""
    promtool("check", "rules", RULES)


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.alert}: {case.note}")
def test_fires_when_it_should(case: Case, tmp_path: Path) -> None:
    """The alert fires, once and with these labels, or does not."""
    rule = ALERTS[case.alert]
    labels = [f'alertname="{case.alert}"', 'alertstate="firing"', f'severity="{rule["labels"]["severity"]}"']
    sample = {"labels": f"ALERTS{{{', '.join([*labels, case.fires or ''])}}}", "value": 1}
    path = tmp_path / "case.yaml"
    path.write_text(
        json.dumps({
            "rule_files": [str(RULES.resolve())],
            "evaluation_interval": "1m",
            "tests": [{
                "interval": "1m",
                "input_series": [{"series": name, "values": values} for name, values in case.series.items()],
                "promql_expr_test": [{
                    "expr": f'ALERTS{{alertname="{case.alert}", alertstate="firing"}}',
                    "eval_time": case.at,
                    "exp_samples": [] if case.fires is None else [sample],
                }],
            }],
        })
    )  # fmt: skip
    promtool("test", "rules", path)


def test_each_alert_is_tried_both_ways() -> None:
    """For each alert there is a case in which it fires and one in which it does not."""
    assert {case.alert for case in CASES if case.fires is not None} == set(ALERTS)
    assert {case.alert for case in CASES if case.fires is None} == set(ALERTS)


@pytest.mark.parametrize("alert", ALERTS)
def test_tells_what_it_is_about(alert: str) -> None:
    """Severity, summary and description; every label that they name is one of the alert when it fires; the values are told."""
    rule = ALERTS[alert]
    assert rule["labels"]["severity"] in {"critical", "warning"}
    texts = rule["annotations"]["summary"], rule["annotations"]["description"]
    named = {label for text in texts for label in re.findall(r"\$labels\.(\w+)", text)}
    for case in CASES:
        if case.alert == alert and case.fires is not None:
            assert named <= set(re.findall(r'(\w+)="', case.fires)), case.note
    assert "{{" in texts[1] or alert == "McsdnsNoServerReady", "an absence has no labels"


@pytest.mark.parametrize("alert", ALERTS)
def test_names_what_is_measured(alert: str) -> None:
    """An expression names metrics of the table (or of every process) and no others."""
    bare = re.sub(r"\{[^}]*\}|\"[^\"]*\"|\b(?:without|by|on) \([^)]*\)|\[\w+\]", "", ALERTS[alert]["expr"])
    found = set(re.findall(r"[a-z]\w*_\w+", bare)) - {"histogram_quantile"}
    assert found
    assert found <= EXPOSED


def test_each_alert_has_a_runbook() -> None:
    """Its `runbook_url` is absolute and leads to a section of docs/operations.md; and there is no section of an alert that is gone."""
    assert {name: rule["annotations"]["runbook_url"] for name, rule in ALERTS.items()} == {
        alert: f"{NOWHERE}{RUNBOOKS}#{heading(alert)}" for alert in ALERTS
    }
    sections = re.findall(r"^### (Mcsdns\w+)$", (ROOT / RUNBOOKS).read_text(), re.MULTILINE)
    assert sections == list(ALERTS), "in the order of the rules"


@pytest.mark.parametrize("alert", ALERTS)
def test_a_runbook_is_whole(alert: str) -> None:
    """It says how to see it, likely causes, what to do, and how to know that it is mended."""
    text = (ROOT / RUNBOOKS).read_text()
    section = text.partition(f"### {alert}\n")[2].partition("\n### ")[0].partition("\n## ")[0]
    for part in ("**See:**", "**Causes:**", "**Do:**", "**Mended:**"):
        assert part in section


@pytest.mark.parametrize("url", [NOWHERE, "https://git.example/mcsdns/blob/main/"], ids=["default", "with a url"])
@pytest.mark.servers
def test_the_chart_holds_the_same(url: str) -> None:
    """The PrometheusRule has the rules, word for word; the value `monitoring.runbookUrl` says where the runbooks are read."""
    assert not [one for one in rendered() if one["kind"] == "PrometheusRule"]
    chosen = {} if url == NOWHERE else {"runbookUrl": url}
    objects = rendered({"monitoring": {"prometheusRule": True, "labels": {"release": "p"}} | chosen})
    (rule,) = [one for one in objects if one["kind"] == "PrometheusRule"]
    assert rule["metadata"]["labels"]["release"] == "p"
    text = json.dumps(rule["spec"]["groups"])
    assert json.loads(text.replace(url + RUNBOOKS, NOWHERE + RUNBOOKS)) == GROUPS
    assert text.count(url + RUNBOOKS) == len(ALERTS)


@pytest.mark.parametrize("url", ["", "docs/", "https://git.example/mcsdns"], ids=["none", "not absolute", "no slash"])
@pytest.mark.servers
def test_runbooks_are_reached_by_a_url(url: str) -> None:
    """The chart takes a URL and nothing less: a path leads nowhere from a message of Alertmanager."""
    with pytest.raises(ChartError, match="runbookUrl"):
        rendered({"monitoring": {"prometheusRule": True, "runbookUrl": url}})
