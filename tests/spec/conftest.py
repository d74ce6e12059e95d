"""The clusterset of the specification's examples, as cluster-a sees it."""

from __future__ import annotations

import pytest

from mcsdns.zone.snapshot import Snapshot
from tests.clustersets import zone_of

pytest.register_assert_rewrite("tests.spec.cases")

from tests.spec.cases import example  # noqa: E402 - after it is known that its assertions are to be explained


@pytest.fixture(scope="session")
def zone() -> Snapshot:
    return zone_of(example(), "cluster-a")
