"""`mcsdns explain`: why a name answers what it does, as a server tells it or as the clusters of a configuration make it."""

from __future__ import annotations

import argparse
import json
import re
import sys
import time
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from mcsdns.cli.arguments import (
    Help,
    add_logs,
    add_output,
    add_timeout,
    configured,
    is_coloured,
    seconds,
    show,
    with_examples,
)
from mcsdns.errors import ConfigError

if TYPE_CHECKING:
    from mcsdns.admin.explain import Explanation
    from mcsdns.cli.arguments import Verbs


_FOR_S = re.compile(r"for \d+ s")


def add_parser(verbs: Verbs) -> None:
    """Add the verb."""
    parser = verbs.add_parser(
        "explain",
        formatter_class=Help,
        help="tell which objects make an answer, what was left out, and why",
        description="Explain the answer to a name: the chain from an export to the answer and where it breaks, the rule, the objects"
        " that made it, what was left out, and what is near. docs/explain.md tells how to read it.",
        epilog=with_examples(
            "Exit codes: 0 the name exists; 1 it does not, or cannot be known; 2 usage error, or no server to ask. With --watch:"
            " that of what was last found. Colours: on a terminal, unless NO_COLOR is set.",
            "mcsdns explain web.shop.svc.clusterset.local",
            "mcsdns explain db-0.west.db.data.svc.clusterset.local AAAA --view east",
            "mcsdns explain web.shop.svc.clusterset.local --config mcsdns.yaml --output json",
            "mcsdns explain web.shop.svc.clusterset.local --watch",
        ),
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
    parser.add_argument(
        "--watch", action="store_true", help="go on, and print again whenever it has changed, until Ctrl-C"
    )
    parser.add_argument(
        "--interval", metavar="SECONDS", type=seconds, default=1.0, help="with --watch: how often to ask (default: 1)"
    )
    add_output(parser)
    add_timeout(parser)
    add_logs(parser, "error")
    parser.set_defaults(run=_run)


def _run(options: argparse.Namespace) -> int:
    ask = _explain_here if options.config is not None else _explain_there
    if options.watch:
        return _watch(options, ask)
    found = ask(options)
    _show(found, options)
    return _code(found)


def _watch(options: argparse.Namespace, ask: Callable[[argparse.Namespace], Explanation]) -> int:
    """Show the explanation now and whenever it has changed, until Ctrl-C. A server that is gone for a while is waited for."""
    found: Explanation | None = ask(options)
    shown: object = None
    code = 0
    try:
        while True:
            what = _steady(found) if found is not None else "gone"
            if what != shown:
                shown = what
                if found is not None:
                    _show(found, options, datetime.now().astimezone())
                    code = _code(found)
            time.sleep(options.interval)
            try:
                found = ask(options)
            except ConfigError as error:
                if found is not None:
                    print(f"mcsdns: {datetime.now().astimezone():%H:%M:%S} {error}", file=sys.stderr, flush=True)
                found, code = None, 2
    except KeyboardInterrupt:
        return code


def _code(found: Explanation) -> int:
    return 0 if found.exists else 1


def _steady(found: Explanation) -> str:
    """Return what counts as a change: for how long something has been so does not."""
    return _FOR_S.sub("for some time", msgspec.json.encode(found).decode())


def _show(found: Explanation, options: argparse.Namespace, at: datetime | None = None) -> None:
    from mcsdns.admin.explain import text  # noqa: PLC0415

    if options.output == "json" and at is not None:
        print(
            json.dumps({"time": at.isoformat(timespec="milliseconds"), "explanation": msgspec.to_builtins(found)}),
            flush=True,
        )
        return
    if at is not None and options.output == "text":
        print(f"\n;;;; {at:%H:%M:%S}", flush=True)
    show(found, text(found, is_coloured(sys.stdout)), options.output)
    sys.stdout.flush()


def _explain_here(options: argparse.Namespace) -> Explanation:
    from mcsdns.admin.explain import explain  # noqa: PLC0415
    from mcsdns.cli.hearing import heard  # noqa: PLC0415
    from mcsdns.once import build_all  # noqa: PLC0415

    config = configured(options).viewed(options.view)
    assembly = heard(config, options.timeout)
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
            unwell={one.name: one.health.trouble for one in assembly.members if one.health.trouble is not None},
        )
    except ValueError as error:
        raise ConfigError("", "explain", str(error)) from error


def _explain_there(options: argparse.Namespace) -> Explanation:
    from mcsdns.admin import client  # noqa: PLC0415
    from mcsdns.admin.explain import Explanation  # noqa: PLC0415

    asked = {"name": options.name, "type": options.type} | ({"view": options.view} if options.view else {})
    try:
        return msgspec.json.decode(
            client.get(options.admin, "/explain", asked, limit_s=options.timeout), type=Explanation
        )
    except msgspec.DecodeError as error:
        problem = f"what answers at {options.admin} is no mcsdns of this version ({error}); name its admin address"
        raise ConfigError("", "--admin", problem) from error
    except ConfigError as error:
        if error.where == "--admin":
            raise ConfigError("", "--admin", f"{error.problem}, or use --config to do without a server") from error
        raise
