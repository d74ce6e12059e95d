"""
What all tests share: how hypothesis searches, and when a test may be skipped.

A test that lacks a program raises `tests.servers.tools.Missing`: it is skipped, and the reason says what to install. With `CI=true`
nothing is skipped: a skip is a failure, unless its reason begins with `this machine` (a kernel without IPv6 cannot be installed).
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Generator, Iterator, Mapping
from pathlib import Path

import pytest
import structlog
import uvloop
from hypothesis import HealthCheck, settings

from tests.servers.tools import Missing

# Before anything imports it: its assertions are to be explained like a test's.
pytest.register_assert_rewrite("tests.spec.cases")

PARDONED = "this machine"
"""How the reason of a skip begins that is a skip in CI as well."""

# `ci` finds the same examples in every run, so that a red run can be repeated; `dev` goes on looking for new ones.
settings.register_profile(
    "ci", derandomize=True, deadline=None, max_examples=60, suppress_health_check=[HealthCheck.too_slow]
)
settings.register_profile("dev", deadline=None, max_examples=60, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE") or ("ci" if os.environ.get("CI") else "dev"))


@pytest.fixture(autouse=True)
def log_as_it_was() -> Iterator[None]:
    """Undo what a test that runs the command has set for the log of the process."""
    yield
    structlog.reset_defaults()


def pytest_asyncio_loop_factories() -> Mapping[str, Callable[[], asyncio.AbstractEventLoop]]:
    """Run tests that are coroutines in the event loop in which `mcsdns serve` runs."""
    return {"uvloop": uvloop.new_event_loop}


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Make a skip of a test that lacks a program; in CI, make a failure of a skip."""
    report = yield
    error = call.excinfo.value if call.excinfo is not None else None
    if os.environ.get("CI"):
        if isinstance(error, pytest.skip.Exception) and not str(error.msg).startswith(PARDONED):
            report.outcome = "failed"
            report.longrepr = f"with CI=true nothing is skipped: {error.msg}"
    elif isinstance(error, Missing):
        path, line, _ = item.reportinfo()
        report.outcome = "skipped"
        report.longrepr = (str(Path(path)), (line or 0) + 1, f"Skipped: {error}")
    return report
