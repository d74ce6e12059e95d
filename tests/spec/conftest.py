"""The clusterset of the specification's examples, as cluster-a sees it."""

from __future__ import annotations

import pytest

from mcsdns.zone.snapshot import Snapshot
from tests.clustersets import zone_of
from tests.spec.cases import example


@pytest.fixture(scope="session")
def zone() -> Snapshot:
    return zone_of(example(), "cluster-a")
