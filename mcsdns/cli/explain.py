"""`mcsdns explain`: why a name answers what it does, as a server tells it or as the clusters of a configuration make it."""

from __future__ import annotations

import argparse
import asyncio
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from mcsdns.cli.arguments import add_logs, add_output, add_timeout, configured, show
from mcsdns.errors import ConfigError

if TYPE_CHECKING:
    from mcsdns.admin.explain import Explanation
    from mcsdns.cli.arguments import Verbs


def add_parser(verbs: Verbs) -> None:
    """Add the verb."""
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
    add_output(parser)
    add_timeout(parser)
    add_logs(parser, "error")
    parser.set_defaults(run=_run)


def _run(options: argparse.Namespace) -> int:
    from mcsdns.admin.explain import text  # noqa: PLC0415

    found = _explain_here(options) if options.config is not None else _explain_there(options)
    show(found, text(found, sys.stdout.isatty()), options.output)
    return 0 if found.exists else 1


def _explain_here(options: argparse.Namespace) -> Explanation:
    from mcsdns.admin.explain import explain  # noqa: PLC0415
    from mcsdns.once import build_all, hear  # noqa: PLC0415

    config = configured(options).viewed(options.view)
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
