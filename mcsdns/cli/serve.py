"""`mcsdns serve`: run the server."""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING

from mcsdns.cli.arguments import Help, add_config, add_logs, configured, with_examples

if TYPE_CHECKING:
    from mcsdns.cli.arguments import Verbs


def add_parser(verbs: Verbs) -> None:
    """Add the verb."""
    parser = verbs.add_parser(
        "serve",
        formatter_class=Help,
        help="run the server",
        description="Watch the member clusters and answer DNS queries until SIGTERM (goes on for lameduck_s) or SIGINT (at once).",
        epilog=with_examples(
            "The configuration file is followed: a change is applied once two looks have seen it, or at once on SIGHUP. "
            "A file that is wrong is refused and named in the log and in /status; the last good one goes on. "
            "Keys that wait for a restart are named as well.\n\n"
            "Exit codes: 0 stopped by a signal; 1 a defect, told by the last lines; 2 the configuration is wrong, an address cannot be"
            " had, or the plane that it asks for is not installed; 70 the sockets did not answer for a second (the watchdog).",
            "mcsdns serve                                  # the demo clusterset, on 127.0.0.1:5300",
            "mcsdns serve --config mcsdns.yaml",
            "mcsdns serve --config mcsdns.yaml --log-level debug --log-format json",
        ),
    )
    add_config(parser)
    add_logs(parser, "info")
    parser.set_defaults(run=_run)


def _run(options: argparse.Namespace) -> int:
    import uvloop  # noqa: PLC0415

    from mcsdns.daemon import Daemon  # noqa: PLC0415
    from mcsdns.reload import ConfigFile  # noqa: PLC0415

    if options.config is None:
        print("mcsdns: no --config: serving the built-in demo clusterset", file=sys.stderr)
        daemon = Daemon(configured(options))
    else:
        file = ConfigFile(options.config)
        daemon = Daemon(file.load(), file)
    uvloop.run(daemon.run())
    return 0
