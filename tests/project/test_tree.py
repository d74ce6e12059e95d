"""What every file of the tree keeps: no place of this machine in it, a docstring on every module, one version everywhere."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGES = ("mcsdns", "tests", "benchmarks")

HERE = {str(path) for path in (ROOT, Path.home(), Path(sys.prefix)) if len(path.parts) > 1} | {"/work", "/root"}
MACHINE_PATHS = re.compile(rf"(?<![\w./-])(?:{'|'.join(map(re.escape, sorted(HERE)))})(?![\w-])")
REGISTRIES = re.compile(
    r"""index[-_]url | extra-index | find-links | GOPROXY \s* = | GONOSUMDB | https?://[^\s"'/)]*(?:artifactory|nexus|pypi\.(?!org)|mirror)""",
    re.VERBOSE | re.IGNORECASE,
)


def test_no_place_of_a_machine_in_a_tracked_file() -> None:
    """No absolute path of somebody's checkout or home, and no private registry: the tree works wherever it is cloned."""
    found = [
        f"{path}:{number}: {line.strip()}"
        for path, text in _texts()
        if path.name not in {Path(__file__).name, "go.sum"}
        for number, line in enumerate(text.splitlines(), 1)
        if MACHINE_PATHS.search(line) or REGISTRIES.search(line)
    ]
    assert found == []


@pytest.mark.parametrize("package", PACKAGES)
def test_every_module_says_what_it_is(package: str) -> None:
    """Every module has a docstring."""
    silent = [
        str(path.relative_to(ROOT))
        for path in sorted((ROOT / package).rglob("*.py"))
        if not ast.get_docstring(ast.parse(path.read_text()))
    ]
    assert silent == []


def test_one_version() -> None:
    """The version of pyproject.toml is that of the newest release in CHANGELOG.md, if there is one, and of what is installed."""
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    headings = re.findall(r"^## \[(.+?)\]", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)
    assert headings, "Keep a Changelog: a heading for each version"
    assert headings.count("Unreleased") <= 1
    assert "Unreleased" not in headings[1:], "what is not released stands first"
    released = [heading for heading in headings if heading != "Unreleased"]
    assert released[:1] in ([], [version])
    assert metadata.version("mcsdns") == version


def test_links_lead_somewhere() -> None:
    """A relative link in a document leads to a file of the tree."""
    broken = [
        f"{path}: {target}"
        for path, text in _texts()
        if path.suffix == ".md"
        for target in re.findall(r"\]\(([^)#\s]+)[^)]*\)", text)
        if "://" not in target and not (ROOT / path.parent / target).exists()
    ]
    assert broken == []


def _texts() -> Iterator[tuple[Path, str]]:
    """Give every file that is tracked, or would be if it were added, and is text."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"],
        cwd=ROOT,
        capture_output=True,
        check=False,
    )
    if listed.returncode != 0:
        pytest.skip("this machine has the tree without git's records, as an sdist")
    for name in sorted({*listed.stdout.decode().split("\0")} - {""}):
        path = ROOT / name
        if path.is_file():
            try:
                yield Path(name), path.read_text()
            except UnicodeDecodeError:
                continue
