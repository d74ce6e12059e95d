"""First lists that take a while are told of in the log."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from mcsdns import daemon
from mcsdns.config import Config
from mcsdns.configfile import load
from mcsdns.daemon import Daemon
from tests.clustersets import listing
from tests.manifests import service_import, together

CONFIG = "clusters: [{name: east, manifests: .}, {name: west, manifests: .}]\nplane: python\n"


@pytest.fixture
def config(tmp_path: Path) -> Config:
    path = tmp_path / "mcsdns.yaml"
    path.write_text(CONFIG)
    return load(path)


async def test_a_list_that_gets_on(config: Config, monkeypatch: pytest.MonkeyPatch) -> None:
    """A line for each cluster with its objects so far, while they come; none for one that is silent or heard."""
    monkeypatch.setattr(daemon, "LISTING_S", 0.01)
    server = Daemon(config)
    east, west = server._assembly.mirrors
    events = list(listing("east", together(*(service_import(f"s{number}") for number in range(5)))))
    with capture_logs() as lines:
        task = asyncio.create_task(server._tell_lists())
        for event in events[:4]:  # init, and three of five
            east.feed(event)
        await asyncio.sleep(0.1)
        assert [(one["event"], one["cluster"], one["objects"]) for one in lines] == [("listing", "east", 3)]
        for event in events[4:]:
            east.feed(event)
        for event in listing("west", ""):
            west.feed(event)
        await asyncio.sleep(0.05)
        task.cancel()
    assert len(lines) == 1
