"""`mcsdns doctor`: is everything in place between a pod that asks and mcsdns, and if not, which link is broken?"""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from mcsdns.cli.arguments import Help, add_logs, add_output, is_coloured, seconds, show, with_examples
from mcsdns.configfile import is_zone
from mcsdns.errors import ConfigError

if TYPE_CHECKING:
    from mcsdns.cli.arguments import Verbs
    from mcsdns.doctor import Plan


def add_parser(verbs: Verbs) -> None:
    """Add the verb."""
    parser = verbs.add_parser(
        "doctor",
        formatter_class=Help,
        help="find the broken link between a pod that asks and mcsdns",
        description="Look at everything between a pod that asks and mcsdns: what serves DNS in the cluster and where it sends the"
        " zone, what each path answers over UDP and TCP, whether mcsdns hears its clusters and its replicas agree. Tell each broken"
        " link with its fix, and what could not be looked at. Nothing is changed.",
        epilog=with_examples(
            "In a pod, its service account and the addresses of Services are used. docs/doctor.md tells what is looked at, and what"
            " it must be allowed. Exit codes: 0 every link that could be looked at holds; 1 a link is broken; 2 usage error, or"
            " nothing could be looked at.",
            "mcsdns doctor                                 # in a pod: it finds everything",
            "mcsdns doctor --name web.shop.svc.clusterset.local",
            "mcsdns doctor --kubeconfig admin.kubeconfig --server 10.0.0.1:53 --admin http://10.0.0.1:9153",
            "mcsdns doctor --server 127.0.0.1:5300 --admin http://127.0.0.1:9153 --output json",
        ),
    )
    parser.add_argument(
        "--kubeconfig", metavar="FILE", type=Path, help="read this cluster (default: the one that this runs in)"
    )
    parser.add_argument("--context", metavar="NAME", help="of the kubeconfig (default: its current context)")
    parser.add_argument("--zone", default="clusterset.local", help="the zone (default: %(default)s)")
    parser.add_argument(
        "--server",
        metavar="ADDRESS[:PORT]",
        action="append",
        type=_address,
        default=[],
        help="where mcsdns is: its Service or its replicas; several times (default, in a pod: what the cluster has)",
    )
    parser.add_argument(
        "--resolver",
        metavar="ADDRESS[:PORT]",
        action="append",
        type=_address,
        default=[],
        help="what pods ask; several times (default, in a pod: /etc/resolv.conf and what the cluster has)",
    )
    parser.add_argument("--name", metavar="NAME", help="a name that does not resolve: say why")
    parser.add_argument("--view", metavar="CLUSTER", help="explain the name as this cluster sees it")
    parser.add_argument(
        "--admin",
        metavar="URL",
        action="append",
        default=[],
        help="mcsdns's admin address, such as http://10.0.0.1:9153; several times (default, in a pod: those of the replicas)",
    )
    add_output(parser)
    parser.add_argument(
        "--timeout", metavar="SECONDS", type=seconds, default=5.0, help="how long to wait for each answer (default: 5)"
    )
    add_logs(parser, "error")
    parser.set_defaults(run=_run)


def _run(options: argparse.Namespace) -> int:
    from mcsdns.cli.progress import Progress  # noqa: PLC0415
    from mcsdns.doctor import judge, look, text  # noqa: PLC0415

    plan = _plan(options)
    with Progress("looking at DNS"):
        facts = asyncio.run(look(plan))
    report = judge(facts)
    show(report, text(report, is_coloured(sys.stdout)), options.output)
    if all(finding.state == "unknown" for finding in report.findings):
        return 2
    return 0 if report.ok else 1


def _plan(options: argparse.Namespace) -> Plan:
    from mcsdns.admin.explain.question import read  # noqa: PLC0415
    from mcsdns.doctor import Plan  # noqa: PLC0415

    if not is_zone(options.zone):
        raise ConfigError("", "--zone", f"expected a domain name such as clusterset.local, found {options.zone!r}")
    if options.context is not None and options.kubeconfig is None:
        raise ConfigError("", "--context", "it is of a kubeconfig: expected --kubeconfig FILE beside it")
    if options.name is not None:
        try:
            read(options.name, "A")
        except ValueError as error:
            raise ConfigError("", "--name", str(error)) from error
    for url in options.admin:
        if not url.startswith(("http://", "https://")):
            raise ConfigError("", "--admin", f"expected a URL such as http://127.0.0.1:9153, found {url!r}")
    return Plan(
        zone=options.zone.rstrip(".").lower(),
        servers=tuple(dict.fromkeys(options.server)),
        resolvers=tuple(dict.fromkeys(options.resolver)),
        admins=tuple(dict.fromkeys(url.rstrip("/") for url in options.admin)),
        name=options.name,
        view=options.view,
        kubeconfig=options.kubeconfig,
        context=options.context,
        is_inside=options.kubeconfig is None and bool(os.environ.get("KUBERNETES_SERVICE_HOST")),
        limit_s=options.timeout,
    )


def _address(text: str) -> str:
    """Read `ADDRESS[:PORT]`."""
    import ipaddress  # noqa: PLC0415

    host, port = text, "53"
    if text.startswith("[") or text.count(":") == 1:
        host, _, port = text.rpartition(":") if not text.endswith("]") else (text, "", "53")
    try:
        address = ipaddress.ip_address(host.strip("[]"))
    except ValueError:
        address = None
    if address is None or not (port.isascii() and port.isdigit() and 0 < int(port) <= 65535):
        raise argparse.ArgumentTypeError(
            f"expected an address such as 10.96.0.53, 10.96.0.53:5353 or [fd00::53]:53, found {text!r}"
        )
    return f"[{address}]:{port}" if address.version == 6 else f"{address}:{port}"
