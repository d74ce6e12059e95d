"""A folder of manifests as a member cluster: what it tells, and how it stands."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

from structlog.testing import capture_logs

from mcsdns.clusterset.mirror import Mirror
from mcsdns.config import Quotas
from mcsdns.source.events import Apply, Delete, Event, Init, InitApply, InitDone, Resource
from mcsdns.source.folder import FolderSource
from mcsdns.source.health import Health, State
from mcsdns.source.quota import Quota
from tests.manifests import service_import, together, write

HALF = service_import("web")[:-20]


class Followed:
    """A folder source that runs, what it told, and the mirror that took it in."""

    def __init__(self, path: Path, quotas: Quotas | None = None) -> None:
        self.events: list[Event] = []
        self.mirror = Mirror("a")
        self.health = Health("a", quotas=quotas)
        self._source = FolderSource("a", path, self.health, look_s=0.001)

    async def __aenter__(self) -> Followed:
        self._task = asyncio.create_task(self._source.run(self._sink))
        return self

    async def __aexit__(self, *_: object) -> None:
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)

    def _sink(self, event: Event) -> None:
        self.events.append(event)
        self.mirror.feed(event)

    async def until(self, is_so: Callable[[], bool]) -> None:
        """Wait until something is so."""
        async with asyncio.timeout(10):
            while not is_so():
                await asyncio.sleep(0.001)

    def names(self) -> list[str]:
        return sorted(key.name for key in self.mirror.keys())  # noqa: SIM118 - a method of the mirror


async def test_the_source_lists_everything_once(tmp_path: Path) -> None:
    """The first look is told as one list of every resource, all done together; then the cluster is synced."""
    write(tmp_path / "a.yaml", service_import("web"))
    async with Followed(tmp_path) as followed:
        await followed.until(lambda: followed.health.state is State.SYNCED)
        kinds = [(type(event), event.resource) for event in followed.events]
        assert kinds == [
            *((Init, resource) for resource in Resource),
            (InitApply, Resource.SERVICE_IMPORTS),
            *((InitDone, resource) for resource in Resource),
        ]
        assert followed.mirror.is_whole


async def test_the_source_tells_differences(tmp_path: Path) -> None:
    """After the first list only what changed is told: apply and delete, in one go."""
    write(tmp_path / "a.yaml", together(service_import("web"), service_import("db"), service_import("same")))
    async with Followed(tmp_path) as followed:
        await followed.until(lambda: followed.mirror.is_heard)
        told = len(followed.events)
        write(tmp_path / "a.yaml", together(service_import("web", ips=["10.0.0.1"]), service_import("same")))
        await followed.until(lambda: followed.names() == ["same", "web"])
        assert [type(event) for event in followed.events[told:]] == [Apply, Delete]


async def test_an_outage_is_stale_and_keeps_what_was_said(tmp_path: Path) -> None:
    """A folder that vanishes makes the cluster stale and deletes nothing; when it is back, the cluster is synced."""
    inner = tmp_path / "cluster"
    write(inner / "a.yaml", service_import("web"))
    async with Followed(inner) as followed:
        await followed.until(lambda: followed.health.state is State.SYNCED)
        told = len(followed.events)
        inner.rename(tmp_path / "away")
        await followed.until(lambda: followed.health.state is State.STALE)
        assert followed.names() == ["web"]
        (tmp_path / "away").rename(inner)
        await followed.until(lambda: followed.health.state is State.SYNCED)
        assert len(followed.events) == told


async def test_a_folder_that_becomes_whole_is_listed_again(tmp_path: Path) -> None:
    """Less than whole is told with the list, and so is its end."""
    write(tmp_path / "a.yaml", service_import("web"))
    write(tmp_path / "b.yaml", HALF)
    with capture_logs() as log:
        async with Followed(tmp_path) as followed:
            await followed.until(lambda: followed.mirror.is_heard)
            assert not followed.mirror.is_whole
            assert followed.health.state is State.SYNCED
            write(tmp_path / "b.yaml", service_import("db"))
            await followed.until(lambda: followed.mirror.is_whole)
            assert followed.names() == ["db", "web"]
            assert followed.health.streams[Resource.SERVICE_IMPORTS].relists == {"whole": 1}
    assert [line["event"] for line in log] == ["source fault", "cluster synced", "source fault gone"]


async def test_quotas_of_a_folder(tmp_path: Path) -> None:
    """A folder is bounded as an API server is: what fits is told, the rest refused, and told when there is room for it."""
    write(tmp_path / "a.yaml", together(*(service_import(name) for name in "abc")))
    with capture_logs() as log:
        async with Followed(tmp_path, Quotas(names=2)) as followed:
            await followed.until(lambda: followed.mirror.is_heard)
            assert followed.names() == ["a", "b"]
            assert followed.mirror.is_whole
            assert [one.shown for one in followed.health.refusals] == [("test/c",)]
            write(tmp_path / "a.yaml", together(service_import("b"), service_import("c")))
            await followed.until(lambda: followed.names() == ["b", "c"])
            assert followed.health.refusals.refused(Quota.NAMES) == 0
            write(tmp_path / "b.yaml", service_import("0"))
            await followed.until(lambda: followed.names() == ["0", "b"])
    assert [line["event"] for line in log] == ["cluster synced", "quota exceeded", "quota kept again", "quota exceeded"]


async def test_an_object_that_is_too_large(tmp_path: Path) -> None:
    """Of a large file each object is measured, and the one that is too large is left out by name; a small object of it is not."""
    large = service_import("large", ips=["10.0.0.1"] * 300)
    write(tmp_path / "a.yaml", together(service_import("small"), large))
    async with Followed(tmp_path, Quotas(object_bytes=2000)) as followed:
        await followed.until(lambda: followed.mirror.is_heard)
        assert followed.names() == ["small"]
        assert [(one.quota, one.shown) for one in followed.health.refusals] == [(Quota.OBJECT_BYTES, ("test/large",))]
        write(tmp_path / "a.yaml", together(service_import("small"), service_import("large")))
        await followed.until(lambda: followed.names() == ["large", "small"])
        assert not list(followed.health.refusals)
