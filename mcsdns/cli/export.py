"""`mcsdns export`: the zone as a master file."""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING

from mcsdns.cli.arguments import Help, add_config, add_logs, add_timeout, configured, with_examples

if TYPE_CHECKING:
    from mcsdns.assembly import Assembly
    from mcsdns.cli.arguments import Verbs


def add_parser(verbs: Verbs) -> None:
    """Add the verb."""
    parser = verbs.add_parser(
        "export",
        formatter_class=Help,
        help="print the zone as a master file",
        description="Hear every cluster once and print the zone as a master file (RFC 1035), readable by BIND, NSD and Knot.",
        epilog=with_examples(
            "Exit codes: 0 printed; 1 a cluster could not be heard, and nothing was printed; 2 the configuration is wrong.",
            "mcsdns export --config mcsdns.yaml > clusterset.local.zone",
            "mcsdns export --config mcsdns.yaml --view west",
        ),
    )
    add_config(parser)
    parser.add_argument(
        "--view", metavar="CLUSTER", help="the zone as this cluster sees it (default: the first listener's view)"
    )
    add_timeout(parser)
    add_logs(parser, "error")
    parser.set_defaults(run=_run)


def _run(options: argparse.Namespace) -> int:
    from mcsdns.cli.hearing import heard  # noqa: PLC0415
    from mcsdns.once import build_all  # noqa: PLC0415
    from mcsdns.zone import masterfile  # noqa: PLC0415

    config = configured(options).viewed(options.view)
    assembly = heard(config, options.timeout)
    (update,) = build_all(assembly)
    _tell_unheard(assembly)
    if not update.complete:
        return 1
    for line in masterfile.lines(update.apex, filter(None, update.services.values())):
        print(line)
    return 0


def _tell_unheard(assembly: Assembly) -> None:
    for member in assembly.members:
        if not member.mirror.is_whole:
            problems = "; ".join(f"{what}: {problem}" for what, problem in member.health.problems.items())
            left_out = " (optional: left out)" if member.is_optional else ""
            print(
                f"mcsdns: cluster {member.name} could not be heard whole{left_out}: {problems or member.health.cause}",
                file=sys.stderr,
            )
