"""
What README.md and docs/explain.md show is what happens: their `console` blocks are typed in a shell, against the demo, and compared.

A line that begins with `$ ` is a command; what follows it, up to the next, is what it prints. Addresses rotate, so lines are compared
without their order; blanks are taken as one. A line of `…` stands for any lines.
"""

from __future__ import annotations

import os
import re
import subprocess
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
import yaml

from mcsdns.configfile import load
from tests.e2e.server import COMMAND, Server, complaints
from tests.servers.run import need

ROOT = Path(__file__).parents[2]
README = ROOT / "README.md"
EXPLAIN = ROOT / "docs" / "explain.md"
DEMO = ROOT / "config" / "demo.yaml"
ANY = "…"


class Shown(NamedTuple):
    """A command of the README and what is printed below it."""

    command: str
    printed: tuple[str, ...]


def shown(text: str) -> list[Shown]:
    """Read the `console` blocks of a document."""
    found: list[Shown] = []
    for block in re.findall(r"^```console\n(.*?)^```$", text, re.MULTILINE | re.DOTALL):
        lines = block.splitlines()
        starts = [number for number, line in enumerate(lines) if line.startswith("$ ")]
        assert starts[:1] == [0], f"a block begins with a command: {block!r}"
        for start, end in zip(starts, [*starts[1:], len(lines)], strict=True):
            found.append(Shown(lines[start][2:], tuple(lines[start + 1 : end])))
    return found


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """The demo as `make run` serves it, but on free ports: somebody may be running it beside the tests."""
    settings = yaml.safe_load(DEMO.read_text())
    clusters = [one | {"manifests": str(DEMO.parent / one["manifests"])} for one in settings["clusters"]]
    listen = [one | {"address": "127.0.0.1:0"} for one in settings["listen"]]
    with Server(tmp_path_factory.mktemp("demo"), clusters, listen=listen) as server:
        yield server


def typed(command: str, server: Server) -> str:
    """Return what a person would type if the demo were on this server's ports."""
    for listen, (_, port) in zip(load(DEMO).listen, server.addresses, strict=True):
        command = command.replace(f"-p {listen.address.port} ", f"-p {port} ")
        command = command.replace(f"127.0.0.1:{listen.address.port} ", f"127.0.0.1:{port} ")
    command = re.sub(r"http://127\.0\.0\.1:9153(?=[ /])", server.admin_url, command)
    return command.replace("mcsdns explain ", f"mcsdns explain --admin {server.admin_url} ")


def test_the_readme_names_the_ports_of_the_demo() -> None:
    """What is typed goes to where the demo listens, and nowhere else."""
    ports = {int(port) for one in shown(README.read_text()) for port in re.findall(r"-p (\d+)", one.command)}
    assert ports == {listen.address.port for listen in load(DEMO).listen}
    assert str(load(DEMO).admin) == "127.0.0.1:9153", "explain asks there by default"


def test_the_pictures_are_small() -> None:
    """The pictures that the documents show are there, none is there for nothing, and they cost a reader less than 200 kB together."""
    texts = [README, *(ROOT / "docs").glob("*.md")]
    shown = {name for path in texts for name in re.findall(r'images/([\w.-]+)["\)]', path.read_text())}
    paths = list((ROOT / "docs" / "images").iterdir())
    assert shown == {path.name for path in paths}
    assert sum(path.stat().st_size for path in paths) < 200_000


def test_it_can_be_read() -> None:
    """The README is a front door: what is longer stands in docs/."""
    assert len(README.read_text().splitlines()) <= 300


def test_there_is_something_to_type() -> None:
    """The README shows dig and explain."""
    words = [one.command.split()[0] for one in shown(README.read_text())]
    assert "dig" in words
    assert "mcsdns" in words
    assert set(words) <= {"dig", "mcsdns", "curl"}


@pytest.mark.parametrize("one", [*shown(README.read_text()), *shown(EXPLAIN.read_text())], ids=lambda one: one.command)
def test_what_is_shown(demo: Server, one: Shown) -> None:
    """Every command prints what the document says."""
    need(one.command.split()[0]) if not one.command.startswith("mcsdns") else None
    path = f"{COMMAND.parent}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(
        ["bash", "-c", typed(one.command, demo)],
        cwd=ROOT,
        env=os.environ | {"PATH": path, "KUBERNETES_SERVICE_HOST": ""},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert complaints(done.stderr) == ""
    printed, expected = _lines(done.stdout.splitlines()), _lines(one.printed)
    if ANY in expected:
        del expected[ANY]
        assert expected <= printed, f"{done.stdout}\nmissing: {expected - printed}"
    else:
        assert printed == expected, done.stdout


def test_the_reader_finds_commands_and_what_they_print() -> None:
    """The reader of console blocks itself."""
    text = "```sh\n$ no\n```\n```console\n$ a | b\none\n  two\n\n$ c\n$ d\n…\n```\n"
    assert shown(text) == [Shown("a | b", ("one", "  two", "")), Shown("c", ()), Shown("d", (ANY,))]


def _lines(lines: list[str] | tuple[str, ...]) -> Counter[str]:
    return Counter(" ".join(line.split()) for line in lines if line.strip())
