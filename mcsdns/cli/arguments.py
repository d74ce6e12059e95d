"""What the verbs share: arguments that mean the same everywhere, and how a result is printed."""

from __future__ import annotations

import argparse
import os
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, TextIO, TypeAlias

import msgspec

from mcsdns import logs
from mcsdns.config import Config
from mcsdns.configfile import load

if TYPE_CHECKING:
    Verbs: TypeAlias = argparse._SubParsersAction[argparse.ArgumentParser]

DEMO = "demo.yaml"
"""The configuration that is served where none is named: three member clusters as folders, installed with the command."""

MAX_TIMEOUT_S = 3600
"""The most seconds that a command waits for clusters or for a server."""


class Help(argparse.HelpFormatter):
    """Wraps text by paragraphs, but leaves those alone that are indented: examples stay on their lines."""

    def _fill_text(self, text: str, width: int, indent: str) -> str:
        wrapped = super()._fill_text
        parts = (part if part.startswith("  ") else wrapped(part, width, indent) for part in text.split("\n\n"))
        return "\n\n".join(parts)


def with_examples(epilog: str, *examples: str) -> str:
    """Return what stands at the end of a verb's help, for `Help`: a text, and commands that can be typed."""
    return f"{epilog}\n\nExamples:\n\n" + "\n".join(f"  {example}" for example in examples)


def add_config(parser: argparse.ArgumentParser) -> None:
    """Add `--config`."""
    parser.add_argument(
        "--config", metavar="FILE", type=Path, help="the configuration file (default: the built-in demo clusterset)"
    )


def add_output(parser: argparse.ArgumentParser) -> None:
    """Add `--output`."""
    parser.add_argument(
        "--output", choices=("text", "json"), default="text", help="for people or for machines (default: text)"
    )


def add_timeout(parser: argparse.ArgumentParser) -> None:
    """Add `--timeout`, in seconds."""
    parser.add_argument(
        "--timeout",
        metavar="SECONDS",
        type=seconds,
        default=30.0,
        help="how long to wait for the clusters (default: 30)",
    )


def add_logs(parser: argparse.ArgumentParser, level: str) -> None:
    """Add `--log-level` with its default, and `--log-format`."""
    parser.add_argument(
        "--log-level", choices=logs.LEVELS, default=level, help=f"the least that is logged (default: {level})"
    )
    parser.add_argument(
        "--log-format", choices=("text", "json"), default="text", help="the form of log lines (default: text)"
    )


def configured(options: argparse.Namespace) -> Config:
    """
    Return the configuration that `--config` names, or that of the demo.

    Raises:
        ConfigError: It cannot be read, or something in it is wrong.
    """
    if options.config is not None:
        return load(options.config)
    with resources.as_file(resources.files("mcsdns.demo")) as folder:
        return load(folder / DEMO)


def show(value: object, text: str, output: str) -> None:
    """Print a result as `--output` asks for it: the value as JSON, or its text."""
    if output == "json":
        print(msgspec.json.format(msgspec.json.encode(value), indent=2).decode())
    else:
        print(text)


def is_coloured(stream: TextIO) -> bool:
    """Tell whether a stream takes colours: it is a terminal that knows them, and nobody has asked for none (no-color.org)."""
    return stream.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def seconds(text: str) -> float:
    """
    Read a time in seconds.

    Raises:
        ArgumentTypeError: It is none, or not of use.
    """
    try:
        number = float(text)
    except ValueError:
        number = 0.0
    if not 0 < number <= MAX_TIMEOUT_S:
        raise argparse.ArgumentTypeError(f"expected seconds above 0, at most {MAX_TIMEOUT_S}; found {text!r}")
    return number
