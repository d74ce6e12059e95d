"""
What another configuration asks of a running server. Pure: two configurations in, one list of what is to be done out.

Rules:
1. What is not in `LIVE` waits for a restart, also a key that is added one day: the rest of the file is applied all the same.
2. A listener keeps the view that it was given at the start, whatever clusters come and go.
3. Two entries of one name are one cluster. Where they differ in more than `id` and `optional`, its objects come from another source.

Not here: doing it (`mcsdns.members`), and following the file (`mcsdns.reload`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from msgspec import Struct
from msgspec.structs import fields, replace

from mcsdns.config import Cluster, Config
from mcsdns.errors import ConfigError

LIVE = ("clusters", "ttl", "negative_ttl", "advertise", "sync_deadline_s", "lameduck_s", "quotas")
"""The keys that are applied to a running server."""
RESTART = tuple(field.name for field in fields(Config) if field.name not in LIVE)


class Change(Struct, frozen=True, kw_only=True):
    """
    What is to be done. Clusters are named; how they are to be stands in `config`.

    Args:
        config: What is in force afterwards: the new one, with the keys that wait for a restart as they were.
        added: Clusters that come.
        removed: Clusters that go.
        replaced: Clusters whose objects come from another source.
        identified: Clusters that have another configured id, and the source that they had.
        excused: Clusters for which negatives begin or cease to be held back (`optional`).
        is_reordered: The clusters that stay do so in another order.
        keys: The other keys that change.
        waiting: The keys that wait for a restart, each with what to do.
    """

    config: Config
    added: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    replaced: tuple[str, ...] = ()
    identified: tuple[str, ...] = ()
    excused: tuple[str, ...] = ()
    is_reordered: bool = False
    keys: tuple[str, ...] = ()
    waiting: Mapping[str, str] = {}


def compare(running: Config, new: Config, views: Sequence[str | None], path: str = "") -> Change:
    """
    Tell what is to be done to come from one configuration to another.

    Args:
        running: What is in force, its clusters as they are served now.
        new: What is asked for.
        views: The view that each listener of `running` serves (None: no cluster in particular).
        path: The file that `new` comes from, for errors.

    Raises:
        ConfigError: `new` lacks a cluster whose view is served.
    """
    _need_views(running, new, views, path)
    was = {cluster.name: cluster for cluster in running.clusters}
    names = {cluster.name for cluster in new.clusters}
    stay = [(was[cluster.name], cluster) for cluster in new.clusters if cluster.name in was]
    replaced = tuple(now.name for old, now in stay if source(old) != source(now))
    return Change(
        config=replace(new, **{key: getattr(running, key) for key in RESTART}),
        added=tuple(cluster.name for cluster in new.clusters if cluster.name not in was),
        removed=tuple(name for name in was if name not in names),
        replaced=replaced,
        identified=tuple(now.name for old, now in stay if old.id != now.id and now.name not in replaced),
        excused=tuple(now.name for old, now in stay if old.optional != now.optional),
        is_reordered=[old.name for old, _ in stay] != [name for name in was if name in names],
        keys=tuple(key for key in LIVE[1:] if getattr(running, key) != getattr(new, key)),
        waiting=dict(_waiting(running, new, views)),
    )


def source(cluster: Cluster) -> Cluster:
    """Return what of a cluster's entry says where its objects come from, and how: all but `id` and `optional`."""
    return replace(cluster, id=None, optional=False)


def _need_views(running: Config, new: Config, views: Sequence[str | None], path: str) -> None:
    names = {cluster.name for cluster in new.clusters}
    for listen, view in zip(running.listen, views, strict=True):
        if view is not None and view not in names:
            problem = (
                f"the cluster {view!r} is missing, whose view {listen.address} serves while mcsdns runs; "
                "leave it in the file, or restart mcsdns to change what is served"
            )
            raise ConfigError(path, "clusters", problem)


def _waiting(running: Config, new: Config, views: Sequence[str | None]) -> Iterator[tuple[str, str]]:
    for key in RESTART:
        if key != "listen" and getattr(running, key) != getattr(new, key):
            yield key, "restart mcsdns to apply it"
    if [listen.address for listen in running.listen] != [listen.address for listen in new.listen]:
        yield "listen", "restart mcsdns to apply it"
        return
    for index, (listen, view) in enumerate(zip(new.listen, views, strict=True)):
        asked = new.view_of(listen)
        if asked == view:
            continue
        serves = f"{listen.address} goes on serving the view of {view or 'no cluster in particular'}"
        keep = f"write `view: {view}` to keep it, or " if view is not None and listen.view is None else ""
        yield (
            f"listen[{index}].view",
            f"{serves}; {keep}restart mcsdns for that of {asked or 'no cluster in particular'}",
        )
