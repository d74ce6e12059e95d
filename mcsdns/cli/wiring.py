"""`mcsdns wiring`: what a platform's own DNS needs to be told, to send the zone here."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from mcsdns.cli.arguments import Help, add_logs, with_examples
from mcsdns.wiring import BINDS, PLATFORMS, Upstream, filled

if TYPE_CHECKING:
    from mcsdns.cli.arguments import Verbs


def add_parser(verbs: Verbs) -> None:
    """Add the verb."""
    parser = verbs.add_parser(
        "wiring",
        formatter_class=Help,
        help="print what a platform's DNS needs to send the zone here",
        description="Print the configuration that makes a platform's own DNS send the zone to mcsdns, filled in. Nothing is changed.",
        epilog=with_examples(
            "docs/wiring.md tells which platform is yours. Exit codes: 0 printed; 2 usage error.",
            "mcsdns wiring --for coredns --service-ip 10.96.0.99",
            "mcsdns wiring --for nodelocal --service-ip 10.96.0.99 --bind 169.254.20.10 --bind 10.96.0.10",
            "mcsdns wiring --for beside --service-ip 127.0.0.1 --service-port 5300 --coredns-version 1.15.0",
        ),
    )
    parser.add_argument("--for", dest="platform", choices=list(PLATFORMS), required=True, help="the platform")
    parser.add_argument(
        "--service-ip",
        metavar="IP",
        action="append",
        required=True,
        help="the ClusterIP of mcsdns's Service, or what stands in for it; twice for IPv4 and IPv6",
    )
    parser.add_argument("--service-port", metavar="PORT", help="the port there (default: 53)")
    parser.add_argument("--zone", default="clusterset.local", help="the zone (default: %(default)s)")
    parser.add_argument(
        "--listen-port", metavar="PORT", help="the port that the Corefile's other blocks listen on (default: 53)"
    )
    parser.add_argument(
        "--bind",
        metavar="IP",
        action="append",
        help=f"nodelocal: an address that the Corefile's other blocks bind; several times (default: {BINDS[0]})",
    )
    parser.add_argument(
        "--coredns-version",
        metavar="VERSION",
        help="of the CoreDNS that is to read it: from 1.14.5 on it takes two lines that make a dead replica cost less",
    )
    add_logs(parser, "error")
    parser.set_defaults(run=_run)


def _run(options: argparse.Namespace) -> int:
    upstream = Upstream(options.service_ip, options.service_port)
    text = filled(
        options.platform,
        upstream,
        options.zone,
        listen_port=options.listen_port,
        bind=options.bind,
        coredns_version=options.coredns_version,
    )
    print(text, end="")
    return 0
