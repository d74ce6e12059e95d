"""A wheel and an sdist build from the tree, and the wheel installs and serves elsewhere: in an environment that holds nothing else."""

from __future__ import annotations

import json
import shutil
import socket
import subprocess
import sys
import tarfile
import tomllib
import venv
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests import wheels
from tests.e2e.server import Server, found

ROOT = Path(__file__).parents[2]
DEMO_PORTS = (5300, 5301, 9153)
NEEDED = ("mcsdns", "rust", "pyproject.toml", "README.md", "LICENSE", "MANIFEST.in", "setup.py")
"""What a package is made of."""


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give the folder with the sdist, and the wheel that was built from it alone."""
    tree = tmp_path_factory.mktemp("tree")
    for name in NEEDED:
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, tree / name, ignore=shutil.ignore_patterns("__pycache__", "target", "*.so"))
        elif (ROOT / name).exists():
            shutil.copy(ROOT / name, tree / name)
    _do(sys.executable, "-m", "build", "--outdir", tree / "dist", tree)
    return tree / "dist"


@pytest.fixture(scope="module")
def elsewhere(built: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give the folder of commands of a fresh environment with the wheel in it."""
    folder = tmp_path_factory.mktemp("elsewhere")
    venv.create(folder, with_pip=True)
    (wheel,) = built.glob("*.whl")
    _do(folder / "bin" / "pip", "install", "--quiet", "--no-compile", wheel)
    return folder / "bin"


def test_every_package_is_listed() -> None:
    """pyproject.toml lists every package of the tree: setuptools leaves out what is not listed without a word."""
    listed = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]["packages"]
    there = {".".join(path.parent.relative_to(ROOT).parts) for path in (ROOT / "mcsdns").rglob("__init__.py")}
    assert set(listed) == there


def test_the_wheel_holds_every_file_of_the_package(built: Path) -> None:
    """Modules, the marker of types, and the demo; and nothing beside the package."""
    (wheel,) = built.glob("*.whl")
    held = {name for name in zipfile.ZipFile(wheel).namelist() if ".dist-info/" not in name}
    there = {
        str(path.relative_to(ROOT))
        for path in (ROOT / "mcsdns").rglob("*")
        if path.is_file() and path.suffix not in {".pyc", ".so", ".pyi"}
    }
    assert there <= held
    assert all(name.startswith("mcsdns/") for name in held)


def test_the_sdist_holds_the_licence_and_the_readme(built: Path) -> None:
    """What a packager looks for."""
    (sdist,) = built.glob("*.tar.gz")
    with tarfile.open(sdist) as archive:
        held = {name.partition("/")[2] for name in archive.getnames()}
    assert {"LICENSE", "README.md", "pyproject.toml", "mcsdns/cli/__init__.py", "mcsdns/demo/demo.yaml"} <= held


def test_what_is_installed_is_what_it_says(elsewhere: Path) -> None:
    """The command is there, with the version of the tree; no test tool came with it."""
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    assert _do(elsewhere / "mcsdns", "--version").startswith(f"mcsdns {version} ")
    packages = {one["name"] for one in json.loads(_do(elsewhere / "pip", "list", "--format=json"))}
    assert packages.isdisjoint({"dnspython", "pytest", "hypothesis", "ruff", "mypy"})


def test_it_serves_the_demo_without_a_configuration(elsewhere: Path, installed: Server) -> None:
    """`mcsdns serve` alone serves the demo clusterset; check, export and explain speak of the same."""
    assert installed.ask("web.shop.svc") == found("10.42.0.10")
    assert installed.ask("db-0.west.db.data.svc", tcp=True) == found("10.2.0.10")
    assert installed.ask("web.shop.svc", at=1) == found("10.43.0.10")
    assert "10.42.0.10" in _do(elsewhere / "mcsdns", "explain", "web.shop.svc.clusterset.local")
    assert "east" in _do(elsewhere / "mcsdns", "check")
    assert "web.shop.svc.clusterset.local.\t5\tIN\tA\t10.42.0.10" in _do(elsewhere / "mcsdns", "export")


@pytest.fixture
def installed(elsewhere: Path, tmp_path: Path) -> Iterator[Server]:
    """Serve from the fresh environment, without a configuration."""

    class Installed(Server):
        """The command of the fresh environment, in an empty folder."""

        def command(self) -> list[str]:
            """Name no configuration."""
            super().command()
            return [str(elsewhere / "mcsdns"), "serve", "--log-format", "json"]

    for port in DEMO_PORTS:
        try:
            socket.create_server(("127.0.0.1", port)).close()
        except OSError:
            pytest.skip(f"this machine: something else listens on port {port}, which the demo needs")
    with Installed(tmp_path, []) as server:
        yield server


def _do(*command: str | Path) -> str:
    """Run a command that must succeed, away from the checkout and its environment, and give what it prints."""
    done = subprocess.run(
        command,
        cwd="/",
        env=wheels.environment(),
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
        stdin=subprocess.DEVNULL,
    )
    assert done.returncode == 0, f"{command}: {done.stdout}{done.stderr}"
    return done.stdout
