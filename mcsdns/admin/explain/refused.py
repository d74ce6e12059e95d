"""
What quotas have to do with a name: which refused objects it may be made of.

Rules:
1. Of most refused objects the names are not kept: then it is said that this may be one of them, and no more.
2. Where every refused object is known by name and none is of this service, nothing is said.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Set

from mcsdns.admin.explain.rules import Rule
from mcsdns.admin.explain.scene import Finding, Hop, Scene
from mcsdns.clusterset.mirror import KINDS
from mcsdns.clusterset.model import ServiceType
from mcsdns.source.events import Resource
from mcsdns.source.refusals import Refusal

OF_ENDPOINTS = frozenset({Resource.ENDPOINT_SLICES, Resource.SERVICE_EXPORTS})
"""What the endpoints of an imported service come from."""


def absent(scene: Scene, finding: Finding, refusals: Iterable[Refusal]) -> Finding:
    """Put what quotas refuse before another cause of why a name does not exist, if it may be of it."""
    of = {Resource.SERVICE_IMPORTS} if scene.service is None else OF_ENDPOINTS
    causes = [text for refusal in refusals for text in _text(scene, refusal, of)]
    if not causes:
        return finding
    hints = (*causes[1:], finding.cause, *finding.hints)
    hop = Hop.IMPORTED if scene.service is None else Hop.ENDPOINTS
    return Finding(causes[0], Rule.QUOTA, hints, finding.objects, finding.omissions, hop)


def found(scene: Scene, refusals: Iterable[Refusal]) -> Iterator[str]:
    """Give hints on what may be missing from the answer of a name that exists."""
    if scene.service is not None and scene.service.type is not ServiceType.CLUSTERSET_IP:
        for refusal in refusals:
            yield from _text(scene, refusal, OF_ENDPOINTS)


def _text(scene: Scene, refusal: Refusal, of: Set[Resource]) -> Iterator[str]:
    """Tell of a refusal, if it may be of something that the name is made of."""
    if scene.namespace is None or refusal.resource not in of:
        return
    is_import = refusal.resource is Resource.SERVICE_IMPORTS
    if is_import and scene.view.cluster not in (None, refusal.cluster):
        return
    kind, by = KINDS[refusal.resource], f"by the quota {refusal.quota.value}={refusal.limit}"
    is_slice = refusal.resource is Resource.ENDPOINT_SLICES
    asked = "/".join(scene.key) if scene.key is not None else None
    if asked in refusal.shown and not is_slice:
        yield f"{refusal.cluster} refuses the {kind} {asked} {by}"
    elif is_slice or refusal.refused > len(refusal.shown) or (asked is None and _holds(refusal, scene.namespace)):
        plural = "" if refusal.refused == 1 else "s"
        what = "endpoints of this service may be missing" if is_slice else "this may be one of them"
        yield f"{refusal.cluster} refuses {refusal.refused:,} {kind}{plural} {by}; {what}"


def _holds(refusal: Refusal, namespace: str) -> bool:
    return any(name.startswith(f"{namespace}/") for name in refusal.shown)
