"""A test that lacks a program is skipped and says what to install; with `CI=true` it fails."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

TESTS = """
import pytest
from tests.servers.tools import Missing, need

def test_lacks_a_program():
    need("no-such-program")

@pytest.fixture
def peer():
    raise Missing("peer is not installed: apt-get install peer")

def test_lacks_a_peer(peer):
    pass

def test_skips():
    pytest.skip("for a reason")

@pytest.mark.skipif(True, reason="by a mark")
def test_is_marked():
    pass

def test_lacks_a_feature():
    pytest.skip("this machine has no IPv6")

def test_passes():
    pass
"""


@pytest.mark.parametrize(
    ("is_ci", "outcomes", "said"),
    [
        (False, {"passed": 1, "skipped": 5}, "apt-get install no-such-program"),
        (True, {"passed": 1, "skipped": 1, "failed": 2, "errors": 2}, "nothing is skipped: for a reason"),
    ],
    ids=["at home", "in CI"],
)
def test_a_skip_is_a_failure_in_ci(tmp_path: Path, is_ci: bool, outcomes: dict[str, int], said: str) -> None:
    """Outside CI a missing program skips the test and is named; in CI only what the machine cannot have is skipped."""
    path = tmp_path / "test_sample.py"
    path.write_text(TESTS)
    environ = {name: value for name, value in os.environ.items() if name != "CI" and not name.startswith("PYTEST_")}
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-p", "tests.conftest", f"--rootdir={ROOT}",
         "-c", ROOT / "pyproject.toml", "-n", "0", path],
        cwd=ROOT,
        env=environ | ({"CI": "true"} if is_ci else {}),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )  # fmt: skip
    summary = done.stdout.splitlines()[-1]
    for outcome, count in outcomes.items():
        assert f"{count} {outcome}" in summary, done.stdout
    assert ("failed" in summary) == ("failed" in outcomes), done.stdout
    assert said in done.stdout


def test_nothing_skips_a_module_by_import() -> None:
    """What is skipped when it is collected is out of the hook's sight: `importorskip`, `allow_module_level` are not used."""
    found = [
        str(path.relative_to(ROOT))
        for path in sorted((ROOT / "tests").rglob("*.py"))
        if path != Path(__file__) and any(word in path.read_text() for word in ("importorskip", "allow_module_level"))
    ]
    assert found == []
