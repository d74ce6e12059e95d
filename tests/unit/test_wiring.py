"""`mcsdns wiring`: the snippet of a platform, filled in."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path
from typing import Any

import pytest
import yaml

from mcsdns.cli import main
from mcsdns.errors import ConfigError
from mcsdns.wiring import PLATFORMS, Upstream, filled

ROOT = Path(__file__).parents[2]
SNIPPETS = ROOT / "deploy" / "wiring"
BLOCK = re.compile(r"^(?P<zone>\S+):(?P<port>\d+) \{\n(?P<body>.*?)^\}\n", re.MULTILINE | re.DOTALL)
PLUGINS = {"cache", "errors", "forward", "loadbalance", "prometheus"}
"""What the block of the zone has everywhere that it can be written freely."""


def blocks(platform: str, **options: Any) -> dict[str, dict[str, str]]:
    """Give the plugins of each block of a Corefile snippet, by the block's zone and port."""
    text = filled(platform, Upstream(["10.96.0.53"]), **options)
    text = yaml.safe_load(text)["data"]["mcsdns.server"] if text.count("kind: ConfigMap") else text
    # Comments are no blocks; a plugin stands four columns in, its options eight.
    return {
        f"{one['zone']}:{one['port']}": dict(
            re.findall(r"^ {4}(\w+)(?: ([^{\n]+?))?(?: \{)?$", one["body"], re.MULTILINE)
        )
        for one in BLOCK.finditer(text + "\n")
    }


@pytest.mark.parametrize("platform", ["coredns", "nodelocal", "aks", "k3s", "beside"])
def test_a_block_for_the_zone(platform: str) -> None:
    """It listens for the zone, and forwards all of it to the Service."""
    block = blocks(platform)["clusterset.local:53"]
    assert block.keys() >= PLUGINS
    assert block["forward"] == ". 10.96.0.53"


LATER = ["coredns", "nodelocal", "aks", "k3s", "beside", "rke2"]
"""Whose snippet has lines for newer versions of CoreDNS."""


@pytest.mark.parametrize("platform", LATER)
def test_lines_for_newer_versions_are_comments_unless_the_version_is_told(platform: str) -> None:
    """An older CoreDNS would not start with them. Nothing else differs."""
    plain, newer = (
        filled(platform, Upstream(["10.96.0.53"]), coredns_version=version).splitlines()
        for version in (None, "v1.15.0")
    )
    assert filled(platform, Upstream(["10.96.0.53"]), coredns_version="1.14.4").splitlines() == plain
    told = [line.strip() for line in newer if line not in plain]
    assert told == ["read_timeout 500ms", "max_connect_attempts 6"]
    assert [line for line in plain if line.replace("# ", "") not in newer and line not in newer] == [
        line for line in plain if "1.14.5 and later" in line
    ]
    assert not [line for line in newer if "# read_timeout" in line or "1.14.5" in line]


@pytest.mark.parametrize("platform", sorted(PLATFORMS.keys() - set(LATER)))
def test_a_version_where_it_changes_nothing_is_an_error(platform: str) -> None:
    """What a snippet has no place for is not left out without a word."""
    with pytest.raises(ConfigError, match=r"--coredns-version: .* has no place for it"):
        filled(platform, Upstream(["10.96.0.53"]), coredns_version="1.15.0")


@pytest.mark.parametrize("text", ["", "1", "latest", "1.x", "1.15.0.1", "\uff11.15.0"])
def test_what_is_no_version(text: str) -> None:
    """It is said what one looks like."""
    with pytest.raises(ConfigError, match=r"expected a version such as 1\.15\.0"):
        filled("coredns", Upstream(["10.96.0.53"]), coredns_version=text)


def test_the_blocks_are_one() -> None:
    """CoreDNS, AKS and k3s have the same block; RKE2 has it as values of its chart; a CoreDNS beside mcsdns leaves it its port."""
    text = filled("coredns", Upstream(["10.96.0.53"]))
    block = text[text.index("clusterset.local:53 {") :]
    for platform in ("aks", "k3s"):
        assert yaml.safe_load(filled(platform, Upstream(["10.96.0.53"])))["data"] == {"mcsdns.server": block}
    beside = filled("beside", Upstream(["10.96.0.53"]))
    assert beside.endswith(block.replace("prometheus :9153", "prometheus :9253 # 9153 is mcsdns's here"))
    values = yaml.safe_load(yaml.safe_load(filled("rke2", Upstream(["10.96.0.53"])))["spec"]["valuesContent"])
    assert corefile_of(values["servers"][1]) == block.replace("prometheus :9153", "prometheus 0.0.0.0:9153")


def corefile_of(server: dict[str, Any]) -> str:
    """Write a server of the CoreDNS chart's values as the chart's template does."""
    lines = [" ".join(f"{one['zone']}:{server['port']}" for one in server["zones"]) + " {"]
    for plugin in server["plugins"]:
        lines.append("    " + " ".join(str(plugin[key]) for key in ("name", "parameters") if key in plugin))
        if "configBlock" in plugin:
            lines[-1] += " {"
            lines += [f"        {line}" for line in plugin["configBlock"].splitlines()] + ["    }"]
    return "\n".join([*lines, "}", ""])


def test_nodelocal_asks_over_tcp_and_binds_what_its_neighbours_bind() -> None:
    """`force_tcp`; the address of every node, or those that are given."""
    assert "force_tcp" in filled("nodelocal", Upstream(["10.96.0.53"]))
    assert blocks("nodelocal")["clusterset.local:53"]["bind"] == "169.254.20.10"
    given = blocks("nodelocal", bind=["169.254.20.10", "10.96.0.10"])
    assert given["clusterset.local:53"]["bind"] == "169.254.20.10 10.96.0.10"


def test_stub_domains_of_kube_dns() -> None:
    """One key of a ConfigMap, JSON in it."""
    manifest = yaml.safe_load(filled("kube-dns", Upstream(["10.96.0.53", "fd00::35"]), "mc.example"))
    assert (manifest["metadata"]["namespace"], manifest["metadata"]["name"]) == ("kube-system", "kube-dns")
    assert json.loads(manifest["data"]["stubDomains"]) == {"mc.example": ["10.96.0.53", "fd00::35"]}


def test_a_server_of_the_dns_operator() -> None:
    """OpenShift's DNS operator takes zones and upstreams."""
    (server,) = yaml.safe_load(filled("openshift", Upstream(["10.96.0.53"], "5353")))["spec"]["servers"]
    assert server["zones"] == ["clusterset.local"]
    assert server["forwardPlugin"]["upstreams"] == ["10.96.0.53:5353"]


def test_a_forwarding_zone_of_cloud_dns() -> None:
    """Two commands that a shell reads as they are meant; queries come from Google's range."""
    text = filled("gke-cloud-dns", Upstream(["10.0.0.9"]))
    commands = [shlex.split(line) for line in text.replace("\\\n", "").splitlines() if not line.startswith("#")]
    assert [command[:4] for command in commands] == [
        ["gcloud", "dns", "managed-zones", "create"],
        ["gcloud", "compute", "firewall-rules", "create"],
    ]
    assert {"--dns-name=clusterset.local.", "--private-forwarding-targets=10.0.0.9"} <= set(commands[0])
    assert "--source-ranges=35.199.192.0/19" in commands[1]


@pytest.mark.parametrize("platform", PLATFORMS)
def test_every_platform_can_be_printed(platform: str, capsys: pytest.CaptureFixture[str]) -> None:
    """By the verb, with nothing left open."""
    assert main(["wiring", "--for", platform, "--service-ip", "10.96.0.53"]) == 0
    printed = capsys.readouterr().out
    assert "10.96.0.53" in printed
    assert "$" not in printed


def test_every_snippet_is_of_a_platform() -> None:
    """deploy/wiring holds the snippets that the verb prints, and no others."""
    assert {path.name for path in SNIPPETS.iterdir()} == set(PLATFORMS.values())


def test_the_page_tells_of_every_platform() -> None:
    """docs/wiring.md has a row for each, and each row says what it was tried with or that it was not."""
    page = (ROOT / "docs" / "wiring.md").read_text()
    rows = dict(re.findall(r"^\| [^|]* \| `([\w-]+)` \| .* \| (.*) \|$", page, re.MULTILINE))
    assert rows.keys() - {"--for"} == PLATFORMS.keys()
    for platform in PLATFORMS:
        assert re.search(r"CoreDNS 1\.15|dnsmasq|\*\*not\*\* tried", rows[platform]), platform


def test_other_ports_and_families() -> None:
    """The Service's port is written where it is not 53; an IPv6 address then stands in brackets."""
    text = filled("coredns", Upstream(["10.96.0.53", "fd00::35"], "5353"), "MC.Example.", listen_port="1053")
    assert "mc.example:1053 {" in text
    assert "forward . 10.96.0.53:5353 [fd00::35]:5353 {" in text


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--service-ip", "dns.example"], "--service-ip: expected an IPv4 or IPv6 address such as 10.96.0.53, found 'dns.example'"),
        (["--service-ip", "0.0.0.0"], "found '0.0.0.0'"),
        (["--service-ip", "10.96.0.53", "--service-ip", "10.96.0.53"], "--service-ip: the same address stands twice"),
        (["--service-port", "0"], "--service-port: expected a port, 1 to 65535, found '0'"),
        (["--service-port", "dns"], "found 'dns'"),
        (["--listen-port", "99999"], "--listen-port: expected a port"),
        (["--zone", "a..b"], "--zone: expected a domain name such as clusterset.local, found 'a..b'"),
        (["--zone", 'x"}\ny'], "--zone: expected a domain name"),
        (["--bind", "169.254.20.10"], "--bind: coredns has no place for it; leave it out"),
        (["--for", "kube-dns", "--service-port", "5353"], "--service-port: kube-dns has no place for it"),
        (["--for", "openshift", "--listen-port", "53"], "--listen-port: openshift has no place for it"),
        (["--for", "nodelocal", "--bind", "node"], "--bind: expected an IPv4 or IPv6 address"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_said(arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    """An argument that cannot be is an error that names it, in one line, with exit code 2; nothing is printed."""
    platform = [] if "--for" in arguments else ["--for", "coredns"]
    address = [] if "--service-ip" in arguments else ["--service-ip", "10.96.0.53"]
    assert main(["wiring", *platform, *address, *arguments]) == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    assert said in printed.err
    assert printed.err.count("\n") == 1


def test_an_upstream_without_an_address_is_no_upstream() -> None:
    """`Upstream` holds what the verb requires."""
    with pytest.raises(ConfigError, match="expected an IPv4 or IPv6 address"):
        Upstream([""])
