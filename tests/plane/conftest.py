"""Every test here runs with every plane."""

from __future__ import annotations

import pytest

from tests.planes import PLANES


@pytest.fixture(params=PLANES)
def plane_name(request: pytest.FixtureRequest) -> str:
    """The plane under test."""
    name: str = request.param
    return name
