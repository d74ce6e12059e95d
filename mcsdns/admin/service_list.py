"""
`/services`: the services of the clusterset as one view has them, filtered and in pages, each with its clusters and endpoints.

Rules:
1. Services are filtered by their keys; only those that are shown are merged.
2. A cluster has a part in a service where it holds an object about it, or where its cluster id is named as a source.
3. It is read in pieces: a service that goes away meanwhile is left out of the page.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Iterable, Sequence

from msgspec import Struct

from mcsdns.admin import asked
from mcsdns.admin.part import part
from mcsdns.admin.state import ServerState
from mcsdns.clusterset.merge import importer, merge, speaking
from mcsdns.clusterset.mirror import Mirror
from mcsdns.clusterset.model import Service, ServiceKey, ServiceType
from mcsdns.source.pace import Pace
from mcsdns.zone.build import service_owner
from mcsdns.zone.names import to_text
from mcsdns.zone.view import ZoneView


class SourceCluster(Struct, frozen=True):
    """
    A cluster that a service runs in.

    Args:
        id: Its cluster id; None for slices that name no source cluster.
        endpoints: How many addresses of ready endpoints it gives; None for a ClusterSetIP service: its answer does not hang on them.
    """

    id: str | None
    endpoints: int | None


class ServiceRow(Struct, frozen=True):
    """
    One service.

    Args:
        namespace: Its namespace.
        name: Its name.
        dns: The name to ask for, with the last dot.
        type: ClusterSetIP or Headless.
        imported_from: The configured name of the cluster whose ServiceImport counts.
        addresses: Of a ClusterSetIP service.
        endpoints: How many addresses of ready endpoints a headless service has; None for the other type.
        clusters: Where it runs, by cluster id.
        omissions: How much is left out of it.
    """

    namespace: str
    name: str
    dns: str
    type: str
    imported_from: str
    addresses: tuple[str, ...]
    endpoints: int | None
    clusters: tuple[SourceCluster, ...]
    omissions: int


class ServiceList(Struct, frozen=True):
    """
    One page of services.

    Args:
        view: As which view has them.
        q: What `<namespace>/<name>` holds; empty: anything.
        cluster: Which cluster has a part in them; empty: any.
        page: The number of the page, from 1.
        pages: How many there are.
        total: How many services there are, on all pages.
        services: Those of this page, by namespace and name.
    """

    view: str
    q: str
    cluster: str
    page: int
    pages: int
    total: int
    services: tuple[ServiceRow, ...]


async def services(state: ServerState, parameters: asked.Parameters) -> ServiceList:
    """
    List services.

    Args:
        state: Of the server.
        parameters: `q`, a part of `<namespace>/<name>`; `cluster`, a configured name or cluster id; `view`; `page`.

    Raises:
        ValueError: A parameter cannot be read; the message says which.
    """
    wanted = asked.read(parameters, "q", "cluster", "view", "page")
    view = state.view(wanted["view"])
    number = asked.page_number(wanted["page"])
    is_wanted = _filter(wanted["q"].lower(), wanted["cluster"], state.mirrors)
    found = await part(view.services, is_wanted, number)
    rows: list[ServiceRow] = []
    pace = Pace()
    for key in found.rows:
        service = merge(key, state.mirrors, view.view)
        if service is not None:
            rows.append(_row(service, view, state.mirrors))
        if pace.is_due:
            await pace.rest()
    return ServiceList(
        view.view.name, wanted["q"], wanted["cluster"], found.number, found.pages, found.total, tuple(rows)
    )


def _filter(text: str, cluster: str, mirrors: Sequence[Mirror]) -> Callable[[ServiceKey], bool]:
    """Return what tells whether a service is asked for."""
    if not cluster:
        return lambda key: text in f"{key.namespace}/{key.name}"
    heard = speaking(mirrors)
    own = [mirror for mirror in heard if cluster in (mirror.cluster, mirror.cluster_id)]
    ids = {cluster, *(mirror.cluster_id for mirror in own)}
    return lambda key: text in f"{key.namespace}/{key.name}" and _has_part(key, ids, own, heard)


def _has_part(key: ServiceKey, ids: set[str], own: Iterable[Mirror], heard: Iterable[Mirror]) -> bool:
    for mirror in own:
        if mirror.import_of(key) is not None or mirror.export_of(key) is not None or mirror.slices_of(key):
            return True
    for mirror in heard:
        imported = mirror.import_of(key)
        if imported is not None and not ids.isdisjoint(imported.clusters):
            return True
        if any(one.source_cluster in ids for one in mirror.slices_of(key).values()):
            return True
    return False


def _row(service: Service, view: ZoneView, mirrors: Sequence[Mirror]) -> ServiceRow:
    key = service.key
    is_headless = service.type is ServiceType.HEADLESS
    clusters = tuple(_backing(service)) if is_headless else tuple(_exporting(key, view, mirrors))
    return ServiceRow(
        namespace=key.namespace,
        name=key.name,
        dns=to_text(service_owner(key, view.options.zone)),
        type=service.type.value,
        imported_from=service.cluster,
        addresses=tuple(str(ipaddress.ip_address(address)) for address in service.ips),
        endpoints=sum(one.endpoints or 0 for one in clusters) if is_headless else None,
        clusters=clusters,
        omissions=len(view.omissions(key)),
    )


def _backing(service: Service) -> Iterable[SourceCluster]:
    """Give the clusters whose endpoints a headless service has."""
    addresses: dict[str | None, set[bytes]] = {}
    for backends in service.backends:
        addresses.setdefault(backends.cluster_id, set()).update(one.address for one in backends.endpoints)
    return (SourceCluster(cluster_id, len(found)) for cluster_id, found in addresses.items())


def _exporting(key: ServiceKey, view: ZoneView, mirrors: Sequence[Mirror]) -> Iterable[SourceCluster]:
    """Give the clusters that export a ClusterSetIP service: those that the import names, and those seen to."""
    source = importer(key, mirrors, view.view)
    imported = source.import_of(key) if source is not None else None
    ids = set(imported.clusters if imported is not None else ())
    for mirror in speaking(mirrors):
        export = mirror.export_of(key)
        if export is not None and export.is_valid:
            ids.add(mirror.cluster_id)
    return (SourceCluster(cluster_id, None) for cluster_id in sorted(ids))
