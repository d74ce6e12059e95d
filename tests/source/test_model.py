"""
The model test: random objects, events and faults in several clusters, against everything between a request and an answer.

`MCSDNS_MODEL_EXAMPLES=20000 pytest tests/source/test_model.py` tries so many examples instead of `EXAMPLES`.

| part             | what it is                                                                  |
|------------------|-----------------------------------------------------------------------------|
| `model_script`   | what happens in an example                                                  |
| `model_conduct`  | does it, and knows what may be asked of the product at each moment          |
| `model_world`    | the product's chain, from `KubeSource` to `Answers`                         |
| `model_server`   | API servers in memory; `model_store` is their etcd, `model_stream` a watch  |
| `model_bodies`   | what servers say that is no objects                                         |
| `model_client`   | stands in for what has sockets and threads                                  |
| `model_objects`  | objects of which every record tells which write it is from                  |
| `model_told`     | judges what a reader tells                                                  |
| `model_reader`   | judges what is answered                                                     |
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from random import Random

import pytest
import structlog
from hypothesis import given, settings

from tests.source.model_client import standing_in
from tests.source.model_conduct import Conduct
from tests.source.model_script import Script, scripts
from tests.source.model_server import ModelServer
from tests.source.model_world import World
from tests.unit.source.kube.virtual_time import run

EXAMPLES = int(os.environ.get("MCSDNS_MODEL_EXAMPLES") or (2000 if os.environ.get("CI") else 300))


@pytest.fixture(autouse=True, scope="module")
def quiet() -> Iterator[None]:
    """Log nothing: there is a line for each of a hundred thousand outages."""
    before = structlog.get_config()
    structlog.configure(processors=[_drop])
    yield
    structlog.configure(**before)


def _drop(*_: object) -> dict[str, object]:
    raise structlog.DropEvent


async def example(script: Script) -> None:
    """Carry out an example."""
    rng = Random(script.seed)
    servers: dict[str, ModelServer] = {}
    with standing_in(servers, rng):
        world = World(script, rng)
        servers |= {name: member.server for name, member in world.members.items()}
        conduct = Conduct(world)
        for action in script.before:
            if action[0] not in ("wait", "turns", "doom"):
                await conduct.act(action)
        async with world.running():
            for action in script.actions:
                await conduct.act(action)
            await conduct.end()


@pytest.mark.timeout(0)
@settings(max_examples=EXAMPLES, derandomize=False, print_blob=True, report_multiple_bugs=False)
@given(scripts())
def test_no_history_breaks_the_chain(script: Script) -> None:
    """When the faults stop the zone is the true one, and until then nothing is answered that never was, or is no more."""
    run(example(script))
