"""Tests that share real servers run on one worker: the mark `xdist_group` is honoured by the pytest and xdist that are installed."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

TESTS = """
import os, pathlib, time
import pytest

pytestmark = pytest.mark.xdist_group("one")

@pytest.mark.parametrize("number", range(6))
def test_it(number):
    time.sleep(0.05)
    pathlib.Path(__file__).with_name(f"{os.environ['PYTEST_XDIST_WORKER']}.ran").touch()
"""


def test_a_group_stays_on_one_worker(tmp_path: Path) -> None:
    """pytest 9.2 with xdist 3.8 ignores groups without a word (pytest-xdist issue 1386), and every worker starts its own servers."""
    path = tmp_path / "test_sample.py"
    path.write_text(TESTS)
    environ = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
    options = ("-q", "-p", "no:cacheprovider", "-c", os.devnull, "-W", "ignore", "-n", "2", "--dist", "loadgroup")
    command: list[str | Path] = [sys.executable, "-m", "pytest", *options, "--rootdir", tmp_path, path]
    done = subprocess.run(command, cwd=tmp_path, env=environ, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert len(list(tmp_path.glob("*.ran"))) == 1
