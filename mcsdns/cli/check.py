"""`mcsdns check`: is the configuration right, and can every cluster be read?"""

from __future__ import annotations

import argparse
import asyncio
from typing import TYPE_CHECKING

from mcsdns.cli.arguments import Help, add_config, add_logs, add_output, add_timeout, configured, show, with_examples

if TYPE_CHECKING:
    from mcsdns.cli.arguments import Verbs


def add_parser(verbs: Verbs) -> None:
    """Add the verb."""
    parser = verbs.add_parser(
        "check",
        formatter_class=Help,
        help="check the configuration and each cluster, without serving",
        description="Check the configuration, then connect to each cluster read-only and report what is there and what is missing.",
        epilog=with_examples(
            "Exit codes: 0 all is well; 1 a cluster is not; 2 the configuration is wrong.",
            "mcsdns check --config mcsdns.yaml",
            "mcsdns check --config mcsdns.yaml --output json --timeout 5",
        ),
    )
    add_config(parser)
    add_output(parser)
    add_timeout(parser)
    add_logs(parser, "error")
    parser.set_defaults(run=_run)


def _run(options: argparse.Namespace) -> int:
    from mcsdns.check import check, text  # noqa: PLC0415
    from mcsdns.cli.progress import Progress  # noqa: PLC0415

    config = configured(options)
    checked: list[int] = []
    with Progress("checking clusters", lambda: (len(checked), len(config.clusters), "")):
        report = asyncio.run(check(config, options.timeout, lambda: checked.append(1)))
    show(report, text(report), options.output)
    return 0 if report.ok else 1
