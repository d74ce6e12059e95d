"""
From manifests to mirrors to a zone, as the product does it but without files, sockets and a clock.

```
{cluster: YAML text} ── clusterset() ──► mirrors, all heard ── zone_of() ──► Snapshot
```
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from mcsdns.builder import Builder, is_answerable
from mcsdns.clusterset.mirror import Mirror
from mcsdns.clusterset.model import ServiceKey, View
from mcsdns.source.events import Event, Init, InitApply, InitDone, Resource
from mcsdns.source.manifests import read
from mcsdns.zone.build import Options
from mcsdns.zone.names import from_text
from mcsdns.zone.rrset import Update
from mcsdns.zone.snapshot import Snapshot
from mcsdns.zone.view import ZoneView

OPTIONS = Options(from_text("clusterset.local"), ttl=5, negative_ttl=5, advertise=(bytes((127, 0, 0, 53)),))
SERIAL = 1_800_000_000


def folder(path: Path) -> str:
    """Return the manifests of a folder as one YAML text."""
    return "\n---\n".join(file.read_text() for file in sorted(path.glob("*.yaml")))


def listing(cluster: str, text: str, *, whole: bool = True) -> Iterator[Event]:
    """Give the events of a first list of everything that a YAML text holds."""
    content = read(text.encode(), is_json=False)
    assert not content.problems, content.problems
    for resource in Resource:
        yield Init(cluster, resource)
        for of, obj in content.objects:
            if of is resource:
                yield InitApply(cluster, resource, obj)
        yield InitDone(cluster, resource, whole)


def hear(mirror: Mirror, text: str, *, whole: bool = True) -> set[ServiceKey]:
    """List everything in a YAML text to a mirror, in place of what it held, and return the services that became dirty."""
    return {key for event in listing(mirror.cluster, text, whole=whole) for key in mirror.feed(event)}


def clusterset(manifests: Mapping[str, str | None], ids: Mapping[str, str] | None = None) -> list[Mirror]:
    """
    Make a mirror for each cluster.

    Args:
        manifests: By configured name, in the order of the configuration: what the cluster holds; None: it has not been heard.
        ids: Configured cluster ids.
    """
    mirrors = [Mirror(cluster, (ids or {}).get(cluster)) for cluster in manifests]
    for mirror, text in zip(mirrors, manifests.values(), strict=True):
        if text is not None:
            hear(mirror, text)
    return mirrors


def view_of(
    mirrors: Sequence[Mirror], view: str | None = None, options: Options = OPTIONS, keys: Iterable[ServiceKey] = ()
) -> ZoneView:
    """Build every service that a mirror knows, and `keys` as well, in one view."""
    zone = ZoneView(View(view), options, SERIAL)
    for key in set(keys).union(*(mirror.keys() for mirror in mirrors)):
        zone.build(key, mirrors)
    return zone


def zone_of(mirrors: Sequence[Mirror], view: str | None = None, options: Options = OPTIONS) -> Snapshot:
    """Build a view of the zone as a plane would hold it. It is complete where every mirror is whole and its own counts."""
    complete = all(mirror.is_whole for mirror in mirrors) and is_answerable(View(view), mirrors)
    update = view_of(mirrors, view, options).take(complete)
    assert update is not None
    return Snapshot(update)


class Live:
    """
    A clusterset that goes on changing, followed by the builder as in the server: events in, snapshots out.

    Args:
        mirrors: In the order of the configuration; none has been heard.
        views: Which views are built.

    Attributes:
        zones: The snapshot of each view, changed in place by updates.
        updates: What has been published, in order.
    """

    def __init__(self, mirrors: Sequence[Mirror], views: Sequence[str | None]) -> None:
        self.mirrors = mirrors
        self.zones: dict[str | None, Snapshot] = {}
        self.updates: list[Update] = []
        self._names = {View(view).name: view for view in views}
        zone_views = [ZoneView(View(view), OPTIONS, SERIAL) for view in views]
        self._builder = Builder(mirrors, (), zone_views, self._publish, lambda cluster, seconds: None)
        self._builder.publish_first()

    def tell(self, *events: Event) -> list[Update]:
        """Feed events in one go and return the updates that they lead to."""
        before = len(self.updates)
        asyncio.run(self._follow(events))
        return self.updates[before:]

    def list(self, cluster: str, text: str) -> list[Update]:
        """List everything in a YAML text as what a cluster holds now."""
        return self.tell(*listing(cluster, text))

    async def _follow(self, events: Iterable[Event]) -> None:
        running = asyncio.create_task(self._builder.run())
        for event in events:
            self._builder.sink(event)
        for _ in range(4):
            await asyncio.sleep(0)
        running.cancel()

    def _publish(self, update: Update) -> None:
        self.updates.append(update)
        view = self._names[update.view]
        if view in self.zones:
            self.zones[view].apply(update)
        else:
            self.zones[view] = Snapshot(update)
