"""The layers of ARCHITECTURE.md hold: import-linter's contracts in pyproject.toml."""

from __future__ import annotations

import subprocess
import sysconfig
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_every_contract_is_kept() -> None:
    """`lint-imports` passes."""
    command = Path(sysconfig.get_path("scripts")) / "lint-imports"
    done = subprocess.run([command, "--no-cache"], cwd=ROOT, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "0 broken" in done.stdout


def test_every_module_has_a_layer() -> None:
    """What stands directly below `mcsdns` is in the list of layers, apart from data and the package itself."""
    pyproject = tomllib.loads((ROOT / "pyproject.toml").read_text())
    (layers,) = [c["layers"] for c in pyproject["tool"]["importlinter"]["contracts"] if c["type"] == "layers"]
    listed = {module.strip() for layer in layers for module in layer.split("|")}
    there = {
        f"mcsdns.{path.stem}"
        for path in (ROOT / "mcsdns").iterdir()
        if (path.suffix == ".py" and path.stem != "__init__") or (path / "__init__.py").exists()
    }
    assert there - listed - {"mcsdns.demo"} == set()
    assert listed - there == set()
