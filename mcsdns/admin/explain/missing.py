"""
Why a service, or a whole namespace, is not in the view: the first cause that applies, from what is nearest to an import on.

| what the clusters hold                                     | cause                                                  |
|------------------------------------------------------------|--------------------------------------------------------|
| nothing that counts, as the view's cluster does not count  | the view's cluster is not heard, or its id is taken     |
| a ServiceImport here that cannot be used                   | it, and what is wrong with it                          |
| ServiceImports in other clusters alone                     | which; this one does not import it                     |
| ServiceExports alone                                       | no controller has created the ServiceImport            |
| EndpointSlices alone                                       | nobody exports the service                             |
| something, in a cluster whose id another one has           | which; nothing that it says counts                     |
| nothing                                                    | no such service, or no such namespace                  |
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import partial

from mcsdns.admin.explain.near import listed
from mcsdns.admin.explain.outside import exists
from mcsdns.admin.explain.rules import Rule
from mcsdns.admin.explain.scene import Finding, Hop, Scene
from mcsdns.clusterset.mirror import Mirror
from mcsdns.clusterset.model import ObjectRef, Reason, ServiceKey
from mcsdns.source.events import Resource

MAX_WALKED = 20_000
"""Objects that are looked through for a hint: about 1 µs each, so 20 ms of the event loop."""


def service(scene: Scene, key: ServiceKey) -> Finding:
    """Explain why `key` is not imported in the view."""
    finding = _view_counts_not(scene)
    if finding is not None:
        return finding
    for reason in (_rejected, _elsewhere, _exported, _sliced, _refused):
        finding = reason(scene, key)
        if finding is not None:
            return finding
    if scene.around.service is None:
        return _no_namespace(scene, key.namespace, _places(scene, key))
    if "*" in (key.name, *scene.below):
        return Finding(f"{scene.name} holds a *, which matches nothing else", Rule.NO_WILDCARD, objects=())
    cause = f"{_nobody(scene)} holds a ServiceImport, a ServiceExport or an EndpointSlice of {_text(key)}"
    return Finding(cause, Rule.NOT_IMPORTED, tuple(_places(scene, key)), objects=(), hop=Hop.EXPORTED)


def namespace(scene: Scene, name: str) -> Finding:
    """Explain why a namespace does not exist."""
    finding = _view_counts_not(scene)
    if finding is not None:
        return finding
    meant = scene.around.titled
    hints = [f"services of that name, with their namespaces: {meant.text(partial(_full, scene))}"] if meant else []
    return _no_namespace(scene, name, hints)


def _no_namespace(scene: Scene, name: str, places: Iterable[str]) -> Finding:
    hints, namespaces = list(places), scene.around.namespaces
    near = namespaces.close()
    if near:
        hints.append(f"namespaces with a similar name: {listed(near)}")
    elif not hints:
        hints.append(f"namespaces with imported services in view {scene.view.name}: {namespaces.text()}")
    elsewhere = _holders(scene, name)
    if elsewhere:
        hints.append(f"objects about services of the namespace {name} are in: {listed(elsewhere)}")
    cause = f"the namespace {name} holds no imported service in view {scene.view.name}"
    hop = Hop.EXPORTED if scene.key is not None else Hop.IMPORTED
    return Finding(cause, Rule.NO_NAMESPACE, tuple(hints), objects=(), hop=hop)


def _holders(scene: Scene, name: str) -> list[str]:
    """Return the clusters that say anything about services of a namespace; in vain where that is much to look through."""
    size = sum(mirror.count(resource) for mirror in scene.heard for resource in Resource)
    if size > MAX_WALKED:
        return []
    return [m.cluster for m in scene.heard if any(key.namespace == name for key in m.each_key())]


def _view_counts_not(scene: Scene) -> Finding | None:
    cluster = scene.view.cluster
    if cluster is None or any(mirror.cluster == cluster for mirror in scene.heard):
        return None
    mirror = next((mirror for mirror in scene.mirrors if mirror.cluster == cluster), None)
    if mirror is None:
        cause = f"no watched cluster is named {cluster}, whose view this is"
    elif not mirror.is_heard:
        cause = f"{cluster}, whose view this is, has not been heard yet"
    else:
        holder = next(other.cluster for other in scene.heard if other.cluster_id == mirror.cluster_id)
        cause = f"{cluster}, whose view this is, does not count: its cluster id {mirror.cluster_id} belongs to {holder}"
    return Finding(cause, Rule.NOT_IMPORTED, objects=(), hop=Hop.VIEW)


def _rejected(scene: Scene, key: ServiceKey) -> Finding | None:
    # An import's own name may hold dots, which makes it no service; who asks for it asks with those dots.
    dotted = ServiceKey(key.namespace, ".".join((*scene.below, key.name)))
    for mirror in _of_view(scene):
        for asked in dict.fromkeys((key, dotted)):
            for omission in mirror.rejected_of(asked):
                if omission.object.startswith("ServiceImport "):
                    cause = f"the {omission.object} in {mirror.cluster} cannot be used: {omission.detail}"
                    objects = (mirror.ref(Resource.SERVICE_IMPORTS, *asked, "cannot be used"),)
                    return Finding(cause, Rule.NOT_IMPORTED, objects=objects, omissions=(omission,))
    return None


def _elsewhere(scene: Scene, key: ServiceKey) -> Finding | None:
    holders = [mirror for mirror in scene.heard if mirror.import_of(key) is not None]
    if not holders:
        return None
    names = listed(mirror.cluster for mirror in holders)
    cause = f"{scene.view.name} holds no ServiceImport of {_text(key)}; other clusters do: {names}"
    hints = [*_no_place(scene, key), f"the service is answered in the view of: {names}"]
    exporters = [mirror.cluster for mirror in scene.heard if mirror.export_of(key) is not None]
    if exporters:
        hints.append(f"it is exported by: {listed(exporters)}")
    objects = [mirror.ref(Resource.SERVICE_IMPORTS, *key, "imports it, not for this view") for mirror in holders]
    return Finding(cause, Rule.NOT_IMPORTED, tuple(hints), (*objects, *_exports(scene, key)))


def _no_place(scene: Scene, key: ServiceKey) -> Iterator[str]:
    """Give a hint where the view's cluster knows nothing of the namespace: an import needs one to be created in."""
    cluster = scene.view.cluster
    if cluster is not None and cluster not in (holders := _holders(scene, key.namespace)) and holders:
        yield (
            f"{cluster} holds nothing of the namespace {key.namespace}: does it exist there?"
            f" A ServiceImport is created only where its namespace exists; see `kubectl get namespace {key.namespace}`"
        )


def _exported(scene: Scene, key: ServiceKey) -> Finding | None:
    exporters = [mirror for mirror in scene.heard if mirror.export_of(key) is not None]
    if not exporters:
        return None
    names = listed(mirror.cluster for mirror in exporters)
    cause = f"{_text(key)} is exported by {names}, but {_nobody(scene)} holds its ServiceImport: no controller has created it"
    hints = [*_no_place(scene, key)]
    hints.append("look at the conditions of the ServiceExport and the log of the clusterset's MCS controller")
    for mirror in exporters:
        export = mirror.export_of(key)
        if export is not None and not export.is_valid:
            hints.insert(0, f"the ServiceExport in {mirror.cluster} is not valid: does the Service {_text(key)} exist?")
        if export is not None and export.conflict:
            hints.insert(0, f"the ServiceExport in {mirror.cluster} is in conflict: {export.conflict}")
    return Finding(cause, Rule.NOT_IMPORTED, tuple(hints), tuple(_exports(scene, key)))


def _sliced(scene: Scene, key: ServiceKey) -> Finding | None:
    objects = tuple(
        mirror.ref(Resource.ENDPOINT_SLICES, key.namespace, name, "belongs to a service that is not imported")
        for mirror in scene.heard
        for name in sorted(mirror.slices_of(key))
    )
    if not objects:
        return None
    names = listed(ref.cluster for ref in objects)
    is_imported = any(s.is_imported for m in scene.heard for s in m.slices_of(key).values())
    if is_imported:
        cause = f"{names} holds imported EndpointSlices of {_text(key)}, but {_nobody(scene)} holds its ServiceImport"
        return Finding(cause, Rule.NOT_IMPORTED, objects=objects)
    cause = (
        f"{_text(key)} is a Service in {names}, but it is not exported: {_nobody(scene)} holds a ServiceExport of it"
    )
    hints = (f"create a ServiceExport {_text(key)} in {names}",)
    return Finding(cause, Rule.NOT_IMPORTED, hints, objects, hop=Hop.EXPORTED)


def _refused(scene: Scene, key: ServiceKey) -> Finding | None:
    # Of what a refused cluster says about the service there is an omission; the scene has made it.
    names = [one.cluster for one in scene.omissions() if one.reason is Reason.DUPLICATE_CLUSTER_ID]
    if not names:
        return None
    cause = (
        f"only {listed(names)} says anything of {_text(key)}, and does not count: another cluster has its cluster id"
    )
    return Finding(cause, Rule.NOT_IMPORTED, objects=())


def _places(scene: Scene, key: ServiceKey) -> Iterator[str]:
    """Give hints on services that were perhaps meant."""
    swapped = ServiceKey(key.name, key.namespace)
    if swapped in scene.imported:
        yield f"namespace and service are the other way round: {_full(scene, swapped)}"
    same, names, above = scene.around.same, scene.around.names, scene.around.above
    if same:
        yield f"the same service name in other namespaces: {same.text(partial(_full, scene))}"
    near = names.close()
    if near:
        yield f"similar names in the namespace: {listed(_full(scene, ServiceKey(key.namespace, name)) for name in near)}"
    elif not same and names:
        yield f"imported services of the namespace {key.namespace}: {names.text()}"
    if above is not None:
        yield f"there is a label too many before svc: {_full(scene, above)}"


def _of_view(scene: Scene) -> Iterator[Mirror]:
    return (mirror for mirror in scene.heard if scene.view.cluster in (None, mirror.cluster))


def _nobody(scene: Scene) -> str:
    return "no cluster" if all(mirror.is_heard for mirror in scene.mirrors) else "no cluster that has been heard"


def _exports(scene: Scene, key: ServiceKey) -> Iterator[ObjectRef]:
    for mirror in scene.heard:
        if mirror.export_of(key) is not None:
            yield mirror.ref(Resource.SERVICE_EXPORTS, *key, "exports the service")


def _full(scene: Scene, key: ServiceKey) -> str:
    """Return a service by its name in full; it is said if that does not exist."""
    text = f"{key.name}.{key.namespace}.svc.{scene.zone}"
    return text if exists(scene, text) else f"{text} (no ready endpoint)"


def _text(key: ServiceKey) -> str:
    return f"{key.namespace}/{key.name}"
