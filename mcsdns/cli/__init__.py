"""
The command `mcsdns`: arguments, exit codes, and what is printed. Each verb is a module; it imports what it needs when it runs.

Exit codes: 0 it is so; 1 what was asked about is not so (a cluster cannot be reached, a name does not exist); 2 the configuration or
the arguments are wrong. An error is one line on standard error, without a traceback.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from importlib import metadata

from mcsdns import logs
from mcsdns.cli import check, completion, doctor, explain, export, serve, wiring
from mcsdns.errors import McsdnsError


def main(arguments: Sequence[str] | None = None) -> int:
    """
    Run the command.

    Args:
        arguments: Without the command's name; None: those of the process.

    Returns:
        The exit code.
    """
    options = make_parser().parse_args(arguments)
    logs.configure(options.log_level, options.log_format)
    try:
        return int(options.run(options))
    except McsdnsError as error:
        print(f"mcsdns: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        # Whoever read the output has seen enough; what is still buffered must not fail at exit.
        sys.stderr.close()
        return 0


def make_parser() -> argparse.ArgumentParser:
    """Return what reads the arguments: all verbs with all their options."""
    parser = argparse.ArgumentParser(
        prog="mcsdns",
        description="Authoritative DNS server for Kubernetes Multi-Cluster Services (KEP-1645).",
        epilog="Exit codes: 0 ok; 1 the thing asked about is not so; 2 configuration or usage error.",
    )
    parser.add_argument("--version", action=_Version, help="print the version and the plane, and exit")
    verbs = parser.add_subparsers(required=True, metavar="COMMAND")
    for verb in (serve, check, export, explain, doctor, wiring, completion):
        verb.add_parser(verbs)
    return parser


class _Version(argparse.Action):
    """Prints the version. A class, because which plane there is is looked up only when asked for."""

    def __init__(self, option_strings: Sequence[str], dest: str, **kwargs: str | None) -> None:
        super().__init__(option_strings, dest, nargs=0, help=kwargs.get("help"))

    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> None:
        from mcsdns.plane.choice import has_extension  # noqa: PLC0415 - a verb imports only what it needs

        print(f"mcsdns {metadata.version('mcsdns')} (plane: {'native' if has_extension() else 'python'})")
        parser.exit()
