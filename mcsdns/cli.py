"""
The command `mcsdns`: arguments, exit codes, and what is printed.

Exit codes: 0 it is so; 1 what was asked about is not so (a cluster cannot be reached, a name does not exist); 2 the configuration or
the arguments are wrong. An error is one line on standard error, without a traceback.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
from collections.abc import Sequence
from importlib import metadata, resources
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

import msgspec

from mcsdns import logs
from mcsdns.config import Config
from mcsdns.configfile import load
from mcsdns.errors import ConfigError, McsdnsError

if TYPE_CHECKING:
    from mcsdns.admin.explain import Explanation
    from mcsdns.assembly import Assembly

DEMO = "demo.yaml"
"""The configuration that is served where none is named: three member clusters as folders, installed with the command."""

MAX_TIMEOUT_S = 3600
"""The most seconds that a command waits for clusters or for a server."""


def main(arguments: Sequence[str] | None = None) -> int:
    """
    Run the command.

    Args:
        arguments: Without the command's name; None: those of the process.

    Returns:
        The exit code.
    """
    options = _parser().parse_args(arguments)
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


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="mcsdns",
        description="Authoritative DNS server for Kubernetes Multi-Cluster Services (KEP-1645).",
        epilog="Exit codes: 0 ok; 1 the thing asked about is not so; 2 configuration or usage error.",
    )
    parser.add_argument("--version", action=_Version, help="print the version and the plane, and exit")
    verbs = parser.add_subparsers(required=True, metavar="COMMAND")
    _serve_parser(verbs)
    _check_parser(verbs)
    _export_parser(verbs)
    _explain_parser(verbs)
    return parser


if TYPE_CHECKING:
    Verbs: TypeAlias = argparse._SubParsersAction[argparse.ArgumentParser]


def _serve_parser(verbs: Verbs) -> None:
    parser = verbs.add_parser(
        "serve",
        help="run the server",
        description="Watch the member clusters and answer DNS queries until SIGTERM (goes on for lameduck_s) or SIGINT (at once).",
        epilog="The configuration file is followed: a change is applied once two looks have seen it, or at once on SIGHUP. "
        "A file that is wrong is refused and named in the log and in /status; the last good one goes on. "
        "Keys that wait for a restart are named as well.",
    )
    _add_config(parser)
    _add_logs(parser, "info")
    parser.set_defaults(run=_serve)


def _check_parser(verbs: Verbs) -> None:
    parser = verbs.add_parser(
        "check",
        help="check the configuration and each cluster, without serving",
        description="Check the configuration, then connect to each cluster read-only and report what is there and what is missing.",
        epilog="Exit codes: 0 all is well; 1 a cluster is not; 2 the configuration is wrong.",
    )
    _add_config(parser)
    _add_output(parser)
    _add_timeout(parser)
    _add_logs(parser, "error")
    parser.set_defaults(run=_check)


def _export_parser(verbs: Verbs) -> None:
    parser = verbs.add_parser(
        "export",
        help="print the zone as a master file",
        description="Hear every cluster once and print the zone as a master file (RFC 1035), readable by BIND, NSD and Knot.",
        epilog="Exit codes: 0 printed; 1 a cluster could not be heard, and nothing was printed; 2 the configuration is wrong.",
    )
    _add_config(parser)
    parser.add_argument(
        "--view", metavar="CLUSTER", help="the zone as this cluster sees it (default: the first listener's view)"
    )
    _add_timeout(parser)
    _add_logs(parser, "error")
    parser.set_defaults(run=_export)


def _explain_parser(verbs: Verbs) -> None:
    parser = verbs.add_parser(
        "explain",
        help="tell which objects make an answer, what was left out, and why",
        description="Explain the answer to a name: the rule, the objects that made it, what was left out, and what is near.",
        epilog="Exit codes: 0 the name exists; 1 it does not, or cannot be known; 2 usage error, or no server to ask.",
    )
    parser.add_argument("name", metavar="NAME", help="a name such as web.shop.svc.clusterset.local")
    parser.add_argument("type", metavar="TYPE", nargs="?", default="A", help="an RR type (default: A)")
    source = parser.add_mutually_exclusive_group()
    source.add_argument(
        "--admin",
        metavar="URL",
        default="http://127.0.0.1:9153",
        help="ask the server at this admin address (default: %(default)s)",
    )
    source.add_argument(
        "--config", metavar="FILE", type=Path, help="hear the clusters of this file once instead of asking a server"
    )
    parser.add_argument(
        "--view", metavar="CLUSTER", help="as this cluster sees it (default: the first listener's view)"
    )
    _add_output(parser)
    _add_timeout(parser)
    _add_logs(parser, "error")
    parser.set_defaults(run=_explain)


def _add_config(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--config", metavar="FILE", type=Path, help="the configuration file (default: the built-in demo clusterset)"
    )


def _add_output(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--output", choices=("text", "json"), default="text", help="for people or for machines (default: text)"
    )


def _add_timeout(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--timeout",
        metavar="SECONDS",
        type=_seconds,
        default=30.0,
        help="how long to wait for the clusters (default: 30)",
    )


def _add_logs(parser: argparse.ArgumentParser, level: str) -> None:
    parser.add_argument(
        "--log-level", choices=logs.LEVELS, default=level, help=f"the least that is logged (default: {level})"
    )
    parser.add_argument(
        "--log-format", choices=("text", "json"), default="text", help="the form of log lines (default: text)"
    )


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = 0.0
    if not 0 < seconds <= MAX_TIMEOUT_S:
        raise argparse.ArgumentTypeError(f"expected seconds above 0, at most {MAX_TIMEOUT_S}; found {text!r}")
    return seconds


class _Version(argparse.Action):
    """Prints the version. A class, because which plane there is is looked up only when asked for."""

    def __init__(self, option_strings: Sequence[str], dest: str, **kwargs: str | None) -> None:
        super().__init__(option_strings, dest, nargs=0, help=kwargs.get("help"))

    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> None:
        from mcsdns.plane.choice import has_extension  # noqa: PLC0415 - a verb imports only what it needs

        print(f"mcsdns {metadata.version('mcsdns')} (plane: {'native' if has_extension() else 'python'})")
        parser.exit()


def _config(options: argparse.Namespace) -> Config:
    if options.config is not None:
        return load(options.config)
    with resources.as_file(resources.files("mcsdns.demo")) as folder:
        return load(folder / DEMO)


def _serve(options: argparse.Namespace) -> int:
    import uvloop  # noqa: PLC0415

    from mcsdns.daemon import Daemon  # noqa: PLC0415
    from mcsdns.reload import ConfigFile  # noqa: PLC0415

    if options.config is None:
        print("mcsdns: no --config: serving the built-in demo clusterset", file=sys.stderr)
        daemon = Daemon(_config(options))
    else:
        file = ConfigFile(options.config)
        daemon = Daemon(file.load(), file)
    uvloop.run(daemon.run())
    return 0


def _check(options: argparse.Namespace) -> int:
    from mcsdns.check import check, text  # noqa: PLC0415

    report = asyncio.run(check(_config(options), options.timeout))
    _print(report, text(report), options.output)
    return 0 if report.ok else 1


def _export(options: argparse.Namespace) -> int:
    from mcsdns.once import build_all, hear  # noqa: PLC0415
    from mcsdns.zone import masterfile  # noqa: PLC0415

    config = _config(options).viewed(options.view)
    assembly = asyncio.run(hear(config, options.timeout))
    (update,) = build_all(assembly)
    _tell_unheard(assembly)
    if not update.complete:
        return 1
    for line in masterfile.lines(update.apex, filter(None, update.services.values())):
        print(line)
    return 0


def _explain(options: argparse.Namespace) -> int:
    from mcsdns.admin.explain import text  # noqa: PLC0415

    found = _explain_here(options) if options.config is not None else _explain_there(options)
    _print(found, text(found, sys.stdout.isatty()), options.output)
    return 0 if found.exists else 1


def _explain_here(options: argparse.Namespace) -> Explanation:
    from mcsdns.admin.explain import explain  # noqa: PLC0415
    from mcsdns.once import build_all, hear  # noqa: PLC0415

    config = _config(options).viewed(options.view)
    assembly = asyncio.run(hear(config, options.timeout))
    (update,) = build_all(assembly)
    try:
        return explain(
            options.name,
            options.type,
            assembly.views[0].view,
            assembly.mirrors,
            assembly.options,
            complete=update.complete,
            serial=update.serial,
            refusals=[refusal for member in assembly.members for refusal in member.health.refusals],
        )
    except ValueError as error:
        raise ConfigError("", "explain", str(error)) from error


def _explain_there(options: argparse.Namespace) -> Explanation:
    from http.client import HTTPException  # noqa: PLC0415
    from urllib.error import HTTPError, URLError  # noqa: PLC0415
    from urllib.parse import urlencode  # noqa: PLC0415
    from urllib.request import urlopen  # noqa: PLC0415

    from mcsdns.admin.explain import Explanation  # noqa: PLC0415

    asked = {"name": options.name, "type": options.type} | ({"view": options.view} if options.view else {})
    url = f"{options.admin.rstrip('/')}/explain?{urlencode(asked)}"
    if not url.startswith(("http://", "https://")):
        raise ConfigError("", "--admin", f"expected a URL such as http://127.0.0.1:9153, found {options.admin!r}")
    try:
        with urlopen(url, timeout=options.timeout) as answer:  # noqa: S310 - the scheme has just been checked
            return msgspec.json.decode(answer.read(), type=Explanation)
    except HTTPError as error:
        raise ConfigError("", "explain", error.read(1024).decode(errors="replace").strip() or str(error)) from error
    except (
        OSError,
        HTTPException,
        ValueError,
        msgspec.DecodeError,
    ) as error:  # ValueError: what urllib says of a bad URL
        reason = error.reason if isinstance(error, URLError) else error
        problem = f"no mcsdns answers at {options.admin} ({reason}); name its admin address, or use --config to do without a server"
        raise ConfigError("", "--admin", problem) from error


def _tell_unheard(assembly: Assembly) -> None:
    for member in assembly.members:
        if not member.mirror.is_whole:
            problems = "; ".join(f"{what}: {problem}" for what, problem in member.health.problems.items())
            left_out = " (optional: left out)" if member.is_optional else ""
            print(
                f"mcsdns: cluster {member.name} could not be heard whole{left_out}: {problems or member.health.cause}",
                file=sys.stderr,
            )


def _print(value: object, text: str, output: str) -> None:
    if output == "json":
        print(msgspec.json.format(msgspec.json.encode(value), indent=2).decode())
    else:
        print(text)
