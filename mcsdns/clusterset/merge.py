"""
What the member clusters together say about one service, as one consuming cluster sees it.

Rules (design.md §4):
1. Type, ports and IPs come from the view's own ServiceImport; a view of no particular cluster takes the first cluster, in the
   order of the configuration, that has one.
2. For each source cluster the first that says anything is believed, and it alone:
   the view's own imported slices; the source cluster's native slices; another cluster's imported slices, in the order of the
   configuration.
3. Native slices count only where their cluster exports the service: it has a valid ServiceExport, or the import's
   `status.clusters` names it.
4. Imported slices that name no source cluster are a group of their own and follow the same order.
5. A cluster that has not been heard, or whose id another one before it has, says nothing.

Equal mirrors give an equal service, in whatever order events came.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from mcsdns.clusterset.mirror import Mirror
from mcsdns.clusterset.model import (
    Backends,
    Import,
    ObjectRef,
    Omission,
    Reason,
    Service,
    ServiceKey,
    ServiceType,
    Slice,
    View,
)
from mcsdns.source.events import Resource

Claim = tuple[Mirror, str | None, list[Slice]]
"""What one mirror says about one source cluster: the mirror, the source cluster's id, the slices."""


def speaking(mirrors: Iterable[Mirror]) -> list[Mirror]:
    """
    Return the mirrors that count: heard, and the first to have their cluster id.

    Args:
        mirrors: In the order of the configuration.
    """
    taken: dict[str, Mirror] = {}
    for mirror in mirrors:
        if mirror.is_heard:
            taken.setdefault(mirror.cluster_id, mirror)
    return list(taken.values())


def duplicates(mirrors: Iterable[Mirror]) -> Iterator[tuple[Mirror, Mirror]]:
    """Give each mirror that is refused because another one before it has its cluster id, with that other one."""
    taken: dict[str, Mirror] = {}
    for mirror in mirrors:
        if mirror.is_heard and taken.setdefault(mirror.cluster_id, mirror) is not mirror:
            yield mirror, taken[mirror.cluster_id]


def reserved_ids(mirrors: Iterable[Mirror]) -> frozenset[str]:
    """Return the cluster ids of two labels among mirrors that count: `<host>.<id>` of another cluster could be spelled like one."""
    return frozenset(mirror.cluster_id for mirror in mirrors if "." in mirror.cluster_id)


def importer(key: ServiceKey, mirrors: Iterable[Mirror], view: View) -> Mirror | None:
    """Return the mirror whose ServiceImport gives the view its type, ports and IPs (rule 1), or None where it imports nothing."""
    return _importer(key, speaking(mirrors), view)


def _importer(key: ServiceKey, heard: Iterable[Mirror], view: View) -> Mirror | None:
    for mirror in heard:
        if view.cluster in (None, mirror.cluster) and mirror.import_of(key) is not None:
            return mirror
    return None


def merge(key: ServiceKey, mirrors: Sequence[Mirror], view: View, *, names_objects: bool = True) -> Service | None:
    """
    Combine what the member clusters say about one service, as one consuming cluster sees it.

    What is left out is named in `Service.omissions`, so that a person can be told why an endpoint is missing.

    Args:
        key: Namespace and name.
        mirrors: One for each watched cluster, in the order of the configuration.
        view: The consuming cluster, or none in particular.
        names_objects: Fill in `Service.objects`, which people read and records do not need.

    Returns:
        The service, with backends sorted by cluster id and address, or None where the view holds no import of it.

    Source: KEP-1645, "ServiceImport" and "EndpointSlice"; design.md §4.
    """
    heard = speaking(mirrors)
    source = _importer(key, heard, view)
    imported = source.import_of(key) if source is not None else None
    if source is None or imported is None:
        return None
    omissions = list(_import_omissions(key, heard, source, imported))
    claims: list[Claim] = []
    if imported.type is ServiceType.HEADLESS:
        claims = list(_believed(key, heard, view, imported, omissions))
    backends: list[Backends] = []
    for mirror, cluster_id, slices in claims:
        for piece in slices:
            backends.append(Backends(cluster_id, piece.endpoints, piece.ports))
            omissions += (Omission(r, mirror.cluster, _slice_text(piece), detail) for r, detail in piece.omissions)
    return Service(
        key,
        source.cluster,
        imported.type,
        imported.ips,
        imported.ports,
        tuple(sorted(backends, key=_backends_order)),
        reserved_ids(heard),
        tuple(sorted(set(omissions))),
        tuple(sorted(set(_objects(key, source, imported, claims)))) if names_objects else (),
    )


def _objects(key: ServiceKey, source: Mirror, imported: Import, claims: Iterable[Claim]) -> Iterator[ObjectRef]:
    """Name what has a part in the service."""
    yield source.ref(Resource.SERVICE_IMPORTS, *key, _import_note(imported))
    for mirror, cluster_id, slices in claims:
        yield from (_slice_ref(mirror, piece, cluster_id) for piece in slices)
        if not slices[0].is_imported and mirror.export_of(key) is not None:
            yield mirror.ref(Resource.SERVICE_EXPORTS, *key, f"exports the service from {cluster_id}")


def _believed(
    key: ServiceKey, heard: Sequence[Mirror], view: View, imported: Import, omissions: list[Omission]
) -> Iterator[Claim]:
    """Give, for each source cluster, the claim that is believed (rule 2); name the others as outranked."""
    believed: dict[str | None, str] = {}
    for mirror, cluster_id, slices in _claims(key, heard, view, imported, omissions):
        first = believed.get(cluster_id)
        if first is None:
            believed[cluster_id] = f"{'imported' if slices[0].is_imported else 'native'} slices in {mirror.cluster}"
            yield mirror, cluster_id, slices
            continue
        about = cluster_id or "a source cluster that is not named"
        omissions += (
            Omission(
                Reason.OUTRANKED, mirror.cluster, _slice_text(piece), f"about {about}, {first} are believed instead"
            )
            for piece in slices
        )


def _claims(
    key: ServiceKey, heard: Sequence[Mirror], view: View, imported: Import, omissions: list[Omission]
) -> Iterator[Claim]:
    """Give every claim about the service, those that are believed first before the others (rule 2)."""
    for mirror in heard:
        if mirror.cluster == view.cluster:
            yield from _imported_claims(key, mirror)
    for mirror in heard:
        native = [piece for piece in _sorted(key, mirror) if not piece.is_imported]
        if not native:
            continue
        why_not = _why_not_exported(key, mirror, imported)
        if why_not is None:
            yield mirror, mirror.cluster_id, native
        else:
            omissions += (Omission(Reason.NOT_EXPORTED, mirror.cluster, _slice_text(p), why_not) for p in native)
    for mirror in heard:
        if mirror.cluster != view.cluster:
            yield from _imported_claims(key, mirror)


def _imported_claims(key: ServiceKey, mirror: Mirror) -> Iterator[Claim]:
    by_source: dict[str | None, list[Slice]] = {}
    for piece in _sorted(key, mirror):
        if piece.is_imported:
            by_source.setdefault(piece.source_cluster, []).append(piece)
    for cluster_id, slices in by_source.items():
        yield mirror, cluster_id, slices


def _sorted(key: ServiceKey, mirror: Mirror) -> list[Slice]:
    slices = mirror.slices_of(key)
    return [slices[name] for name in sorted(slices)]


def _why_not_exported(key: ServiceKey, mirror: Mirror, imported: Import) -> str | None:
    """Tell why a cluster's native slices do not count, or None where they do (rule 3)."""
    export = mirror.export_of(key)
    if (export is not None and export.is_valid) or mirror.cluster_id in imported.clusters:
        return None
    if export is None:
        return f"{mirror.cluster} does not export the service: it has no ServiceExport of that name"
    return f"{mirror.cluster} does not export the service: its ServiceExport is not valid"


def _import_omissions(key: ServiceKey, heard: Sequence[Mirror], source: Mirror, imported: Import) -> Iterator[Omission]:
    text = f"ServiceImport {key.namespace}/{key.name}"
    for reason, detail in imported.omissions:
        yield Omission(reason, source.cluster, text, detail)
    for mirror in heard:
        yield from mirror.rejected_of(key)
        other = mirror.import_of(key)
        if other is not None and (other.type, other.ports) != (imported.type, imported.ports):
            yield Omission(
                Reason.IMPORT_DIFFERS,
                mirror.cluster,
                text,
                f"its type or ports differ; the import in {source.cluster} counts",
            )
        export = mirror.export_of(key)
        if export is not None and export.conflict:
            about = f"ServiceExport {key.namespace}/{key.name}"
            yield Omission(Reason.EXPORT_CONFLICT, mirror.cluster, about, export.conflict)


def _import_note(imported: Import) -> str:
    if imported.type is ServiceType.HEADLESS:
        return "makes the name exist, with the endpoints of its clusters"
    return "gives the addresses and ports"


def _slice_ref(mirror: Mirror, piece: Slice, cluster_id: str | None) -> ObjectRef:
    kind = "imported" if piece.is_imported else "native"
    about = f" of {cluster_id}" if cluster_id else ", source cluster not named"
    return mirror.ref(Resource.ENDPOINT_SLICES, piece.key.namespace, piece.name, f"{kind} endpoints{about}")


def _slice_text(piece: Slice) -> str:
    return f"EndpointSlice {piece.key.namespace}/{piece.name}"


def _backends_order(backends: Backends) -> tuple[str, Backends]:
    return backends.cluster_id or "", Backends("", backends.endpoints, backends.ports)
