"""
What a platform's own DNS needs to be told, to send the zone to mcsdns: one snippet for each platform, filled in.

Rules:
1. The snippets are the files in `snippets/`; `deploy/wiring` is a link to it. What is printed is what is tested.
2. What a snippet has no place for cannot be given: it is an error, as it would be left out without a word.

Not here: which platform is whose, and what each snippet costs and gives (`docs/wiring.md`).
"""

from __future__ import annotations

import ipaddress
import json
import re
from collections.abc import Sequence
from importlib import resources
from string import Template
from typing import Final

from mcsdns.configfile import is_zone
from mcsdns.errors import ConfigError

PLATFORMS: Final = {
    "coredns": "coredns.corefile",
    "nodelocal": "nodelocal.corefile",
    "kube-dns": "kube-dns.yaml",
    "openshift": "openshift.yaml",
    "gke-cloud-dns": "gke-cloud-dns.sh",
    "aks": "aks.yaml",
    "k3s": "k3s.yaml",
    "rke2": "rke2.yaml",
    "beside": "beside.corefile",
}
"""The snippet of each platform."""
BINDS: Final = ("169.254.20.10",)
"""The address of NodeLocal DNSCache on every node, where nothing else was chosen (Kubernetes' nodelocaldns.yaml)."""
PORT: Final = 53
LATER: Final = (1, 14, 5)
"""The CoreDNS from which on the lines are known that stand as comments in the snippets (its release notes)."""

_LATER: Final = re.compile(r"^ *# CoreDNS 1\.14\.5 and later: .*\n((?: *# \S.*\n?){2})", re.MULTILINE)


class Upstream:
    """
    Where mcsdns is asked.

    Args:
        addresses: IPv4 or IPv6, one or more.
        port: There; None: 53.

    Raises:
        ConfigError: One of them is not what it should be.
    """

    def __init__(self, addresses: Sequence[str], port: str | None = None) -> None:
        self.addresses = [_address("--service-ip", text) for text in addresses]
        if len(set(self.addresses)) != len(self.addresses):
            raise ConfigError("", "--service-ip", f"the same address stands twice: {', '.join(self.addresses)}")
        self.port = _port("--service-port", port)

    def with_port(self) -> list[str]:
        """Return the addresses, with the port where it is not 53: `10.96.0.53`, `[fd00::53]:5353`."""
        if self.port == PORT:
            return self.addresses
        return [f"[{one}]:{self.port}" if ":" in one else f"{one}:{self.port}" for one in self.addresses]


def filled(
    platform: str,
    upstream: Upstream,
    zone: str = "clusterset.local",
    *,
    listen_port: str | None = None,
    bind: Sequence[str] | None = None,
    coredns_version: str | None = None,
) -> str:
    """
    Return a platform's snippet, filled in.

    Args:
        platform: Of `PLATFORMS`.
        upstream: Where mcsdns is asked.
        zone: The zone that is sent there.
        listen_port: The port of the other blocks of the Corefile; None: 53.
        bind: Addresses that those bind; None: `BINDS`.
        coredns_version: Of the CoreDNS that is to read it, such as 1.15.0; None: unknown, and what is newer stays a comment.

    Raises:
        ConfigError: A value is not what it should be, or the platform has no place for it.
    """
    if not is_zone(zone):
        raise ConfigError("", "--zone", f"expected a domain name such as clusterset.local, found {zone!r}")
    text = resources.files(__name__).joinpath("snippets", PLATFORMS[platform]).read_text(encoding="utf-8")
    if coredns_version is not None:
        _refuse(platform, "--coredns-version", _LATER.search(text) is None)
        if _version(coredns_version) >= LATER:
            text = _LATER.sub(lambda match: match[1].replace("# ", ""), text)
    snippet = Template(text)
    places = set(snippet.get_identifiers())
    _refuse(platform, "--listen-port", listen_port is not None and "listen_port" not in places)
    _refuse(platform, "--bind", bind is not None and "bind" not in places)
    _refuse(platform, "--service-port", upstream.port != PORT and places.isdisjoint({"upstreams", "upstreams_list"}))
    plain_zone = zone.removesuffix(".").lower()
    return snippet.substitute(
        zone=plain_zone,
        zone_id=plain_zone.replace(".", "-").replace("_", "-"),
        upstreams=" ".join(upstream.with_port()),
        upstreams_list=json.dumps(upstream.with_port()),
        addresses=",".join(upstream.addresses),
        addresses_list=json.dumps(upstream.addresses),
        listen_port=_port("--listen-port", listen_port),
        bind=" ".join(_address("--bind", text) for text in bind or BINDS),
    )


def _version(text: str) -> tuple[int, ...]:
    match = re.fullmatch(r"v?(\d{1,4})\.(\d{1,4})(?:\.(\d{1,4}))?(?:[-+].*)?", text, re.ASCII)
    if match is None:
        raise ConfigError("", "--coredns-version", f"expected a version such as 1.15.0, found {text!r}")
    return tuple(int(part or 0) for part in match.groups())


def _refuse(platform: str, argument: str, is_refused: bool) -> None:
    if is_refused:
        raise ConfigError("", argument, f"{platform} has no place for it; leave it out")


def _address(argument: str, text: str) -> str:
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        address = None
    if address is None or address.is_unspecified or address.is_multicast or "%" in text:
        raise ConfigError("", argument, f"expected an IPv4 or IPv6 address such as 10.96.0.53, found {text!r}")
    return str(address)


def _port(argument: str, text: str | None) -> int:
    if text is None:
        return PORT
    if not (text.isascii() and text.isdigit() and len(text) <= 5 and 0 < int(text) <= 65535):
        raise ConfigError("", argument, f"expected a port, 1 to 65535, found {text!r}")
    return int(text)
