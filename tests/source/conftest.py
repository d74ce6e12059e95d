"""One API server for each test."""

from collections.abc import AsyncIterator

import pytest

from tests.source.fake_api import FakeApi, fake_api


@pytest.fixture
async def api() -> AsyncIterator[FakeApi]:
    """Run an API server that serves everything and holds nothing."""
    async with fake_api() as running:
        yield running
