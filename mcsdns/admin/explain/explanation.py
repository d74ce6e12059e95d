"""
Why a name answers what it does: the answer, the rule behind it, the objects it is made of, what was left out, what is near.

```
text ──► question.read ──► Question ──► Scene (merge, build, look up) ──► Finding (found, missing, below, …) ──► Explanation
                                                                               └────► chain ──────────────────────┘
```

Rules:
1. The answer comes from the code that the server answers with (`mcsdns.admin.explain.scene`).
2. The first cause counts: a cluster that has not been heard comes before a service that is not imported, and that before a port.
3. Nothing is kept, and nothing asked of a cluster: mirrors are read, as they are at this moment.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence

import msgspec
from msgspec import Struct

from mcsdns.admin.explain import below, missing, refused
from mcsdns.admin.explain.around import Around
from mcsdns.admin.explain.chain import Link, chain
from mcsdns.admin.explain.found import found
from mcsdns.admin.explain.near import listed
from mcsdns.admin.explain.outside import formless, outside
from mcsdns.admin.explain.question import read
from mcsdns.admin.explain.rules import Rule
from mcsdns.admin.explain.scene import Finding, Hop, Lookup, Outcome, Scene, path_of
from mcsdns.clusterset.mirror import Mirror
from mcsdns.clusterset.model import ObjectRef, Omission, ServiceKey, View
from mcsdns.source.refusals import Refusal
from mcsdns.zone.build import Options
from mcsdns.zone.masterfile import type_text


class Explanation(Struct, frozen=True, kw_only=True):
    """
    Why a name answers what it does. As JSON it has these keys.

    Args:
        name: As it was understood: in full, with the last dot.
        type: The type asked for.
        view: The name of the view.
        outcome: The response code; NODATA for NOERROR without an answer.
        cause: What decided, about this name.
        broken: The first broken link of the chain, or None.
        chain: The links from an export to an answer, in order.
        rule: The clause behind it, with its source.
        answer: Records in presentation form.
        additional: Addresses of the targets in the answer, in presentation form; over UDP as many as fit.
        objects: What had a part in it.
        omissions: What was left out, and why.
        hints: What is missing, and what is near.
    """

    name: str
    type: str
    view: str
    outcome: Outcome
    cause: str
    rule: str
    broken: Hop | None = None
    chain: tuple[Link, ...] = ()
    answer: tuple[str, ...] = ()
    additional: tuple[str, ...] = ()
    objects: tuple[ObjectRef, ...] = ()
    omissions: tuple[Omission, ...] = ()
    hints: tuple[str, ...] = ()

    @property
    def exists(self) -> bool:
        """Whether the name exists, with or without records of the type."""
        return self.outcome in ("NOERROR", "NODATA")


def explain(
    name: str,
    rr_type: str,
    view: View,
    mirrors: Sequence[Mirror],
    options: Options,
    *,
    complete: bool,
    serial: int = 0,
    imported: Collection[ServiceKey] | None = None,
    around: Around | None = None,
    refusals: Sequence[Refusal] = (),
    unwell: Mapping[str, str] | None = None,
) -> Explanation:
    """
    Explain what a name answers.

    Args:
        name: As people type it, in full.
        rr_type: A mnemonic such as `AAAA`, or `TYPE65`.
        view: In which view.
        mirrors: One for each watched cluster, in the order of the configuration.
        options: Zone name and TTLs.
        complete: Whether the view is published as complete: a name that is not found is NXDOMAIN, not SERVFAIL.
        serial: The SOA serial that is published.
        imported: The services that the view imports; None: they are looked up in the mirrors, if they matter.
        around: What they have near the name, where somebody has looked already; None: they are walked through, if it matters.
        refusals: What quotas refuse, of every cluster.
        unwell: The clusters that are not followed just now, and what is the matter with each.

    Raises:
        ValueError: The name or the type cannot be read; the message is for the one who typed it.
    """
    question = read(name, rr_type)
    scene = Scene(question, view, mirrors, options, complete=complete, serial=serial, imported=imported, around=around)
    lookup = scene.look_up()
    explanation = _explanation(scene, lookup, _finding(scene, lookup, refusals), unwell or {})
    if scene.node is None:
        return explanation
    return msgspec.structs.replace(explanation, hints=(*explanation.hints, *refused.found(scene, refusals)))


def path_of_absent(name: str, zone: bytes, imported: Collection[ServiceKey]) -> list[str]:
    """
    Return the labels above the zone of a name whose explanation looks at what is around it; else, and of no name, nothing.

    Args:
        name: As people type it.
        zone: Wire format.
        imported: The services that the view imports.
    """
    try:
        path = path_of(read(name, "A").name, zone)
    except ValueError:
        return []
    is_namespace = len(path) == 2
    is_wanted = path[-1:] == ["svc"] and (
        is_namespace or (len(path) > 2 and ServiceKey(path[-2], path[-3]) not in imported)
    )
    return path if is_wanted else []


def _explanation(scene: Scene, lookup: Lookup, finding: Finding, unwell: Mapping[str, str]) -> Explanation:
    links = chain(scene, lookup, finding, unwell)
    objects = finding.objects
    if objects is None:
        objects = scene.service.objects if scene.service is not None else ()
    return Explanation(
        name=scene.name,
        type=type_text(scene.question.type),
        view=scene.view.name,
        outcome=lookup.outcome,
        cause=finding.cause,
        rule=finding.rule.value,
        broken=next((link.name for link in links if link.state == "broken"), None),
        chain=links,
        answer=lookup.answer,
        additional=lookup.additional,
        objects=objects,
        omissions=tuple(sorted({*scene.omissions(), *finding.omissions})),
        hints=(*finding.hints, *_silence(scene, lookup), *_unwell(lookup, unwell)),
    )


def _finding(scene: Scene, lookup: Lookup, refusals: Sequence[Refusal]) -> Finding:
    if lookup.outcome == "REFUSED":
        return outside(scene)
    if scene.node is not None:
        return found(scene, lookup)
    finding = refused.absent(scene, _absence(scene), refusals)
    if lookup.outcome == "NXDOMAIN":
        return finding
    unheard = scene.unheard()
    cause = (
        f"the name is not found, and may be in a cluster that has not been heard whole: {listed(unheard)}"
        if unheard
        else "the name is not found, and not every cluster had been heard when this view was published"
    )
    return Finding(cause, Rule.INCOMPLETE, (finding.cause, *finding.hints), finding.objects, finding.omissions)


def _absence(scene: Scene) -> Finding:
    """Explain why a name in the zone does not exist, as far as the heard clusters go."""
    if scene.service is not None:
        return below.absent(scene, scene.service)
    if scene.key is not None:
        return missing.service(scene, scene.key)
    if scene.namespace is not None:
        return missing.namespace(scene, scene.namespace)
    return formless(scene)


def _unwell(lookup: Lookup, unwell: Mapping[str, str]) -> Iterator[str]:
    """Give a hint for each cluster that is not followed just now."""
    if lookup.outcome != "REFUSED":
        for name, what in unwell.items():
            yield f"{name} is {what}"


def _silence(scene: Scene, lookup: Lookup) -> Iterator[str]:
    """Give a hint on clusters that may hold more than is known of them; SERVFAIL has said so already."""
    if lookup.outcome not in ("SERVFAIL", "REFUSED"):
        for mirror in scene.mirrors:
            if not mirror.is_heard:
                yield f"{mirror.cluster} has not been heard: nothing of it is in this answer"
            elif not mirror.is_whole:
                yield f"{mirror.cluster} could not be read whole: some of it may be missing from this answer"
