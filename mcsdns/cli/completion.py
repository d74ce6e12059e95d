"""`mcsdns completion`: what a shell needs to complete this command. Made from the arguments themselves, by shtab."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from typing import TYPE_CHECKING

from mcsdns.cli.arguments import Help, add_logs, with_examples

if TYPE_CHECKING:
    from mcsdns.cli.arguments import Verbs

SHELLS = ("bash", "zsh", "fish")


def add_parser(verbs: Verbs) -> None:
    """Add the verb."""
    parser = verbs.add_parser(
        "completion",
        formatter_class=Help,
        help="print the completion for a shell",
        description="Print what a shell needs to complete the command: its verbs, options, choices and files.",
        epilog=with_examples(
            "Exit codes: 0 printed; 2 usage error.",
            'eval "$(mcsdns completion bash)"',
            'mcsdns completion zsh > "${fpath[1]}/_mcsdns"',
            "mcsdns completion fish > ~/.config/fish/completions/mcsdns.fish",
        ),
    )
    parser.add_argument("shell", metavar="SHELL", choices=SHELLS, help="bash, zsh or fish")
    add_logs(parser, "error")
    parser.set_defaults(run=_run)


def _run(options: argparse.Namespace) -> int:
    import shtab  # noqa: PLC0415 - a verb imports only what it needs

    from mcsdns.cli import make_parser  # noqa: PLC0415 - it imports this module

    parser = make_parser()
    for action in _actions(parser):
        if action.metavar == "FILE":
            vars(action)["complete"] = shtab.FILE  # how shtab is told
    print(shtab.complete(parser, options.shell))
    return 0


def _actions(parser: argparse.ArgumentParser) -> Iterator[argparse.Action]:
    """Give every argument of a parser and of its verbs."""
    for action in parser._actions:
        yield action
        for verb in (action.choices or {}).values() if isinstance(action, argparse._SubParsersAction) else ():
            yield from _actions(verb)
