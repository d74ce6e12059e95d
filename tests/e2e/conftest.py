"""What end-to-end tests share: servers that are ended with the test that started them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Protocol

import pytest

from tests.e2e.server import Server, Settings


class Serve(Protocol):
    """Starts a server that ends with the test."""

    def __call__(self, clusters: Sequence[Settings], **settings: Any) -> Server:
        """Take what `Server` takes, apart from the folder."""


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Serve]:
    """Give a function that starts servers. Relative paths of their configuration are relative to `tmp_path`."""
    with ExitStack() as servers:

        def start(clusters: Sequence[Settings], **settings: Any) -> Server:
            return servers.enter_context(Server(tmp_path, clusters, **settings))

        yield start
