"""
Why a name is refused, or is in the zone but of no form that the schema defines; and which full name was perhaps meant.

Rules:
1. The server applies no search path. A short form is refused, and the hint holds the name in full if that exists.
"""

from __future__ import annotations

from collections.abc import Iterator

from mcsdns.admin.explain.question import Question
from mcsdns.admin.explain.rules import Rule
from mcsdns.admin.explain.scene import Finding, Scene
from mcsdns.wire.answer import TRANSFERS
from mcsdns.zone.names import from_text, labels, to_text

_REVERSE = (b"\x07in-addr\x04arpa\x00", b"\x03ip6\x04arpa\x00")


def outside(scene: Scene) -> Finding:
    """Explain a REFUSED."""
    if scene.question.type in TRANSFERS and scene.snapshot.holds(scene.question.name):
        hints = ("`mcsdns export` prints the zone as a master file",)
        return Finding("zone transfer is not offered", Rule.TRANSFER, hints)
    return Finding(f"{scene.name} is not within the zone {scene.zone}", Rule.OUTSIDE, tuple(_outside_hints(scene)))


def formless(scene: Scene) -> Finding:
    """Explain why a name in the zone, but not below `svc`, does not exist."""
    top = scene.path[-1]
    if top == "pod":
        hints = (f"a pod of a headless service is found at <hostname>.<clusterid>.<svc>.<ns>.svc.{scene.zone}",)
        return Finding(f"{scene.name} is a name of a pod by its address", Rule.NO_POD, hints)
    meant = tuple(full_names(scene, [".".join(scene.path)]))
    if "*" in scene.path:
        return Finding(f"{scene.name} holds a *, which matches nothing else", Rule.NO_WILDCARD, meant)
    if top in ("dns", "dns-version"):
        return Finding(f"nothing but the server's own names is at or below {top}.{scene.zone}", Rule.NO_SUCH_NAME)
    cause = f"below {scene.zone} are svc, dns and dns-version; {top} is none of them"
    return Finding(cause, Rule.NO_SUCH_NAME, meant)


def full_names(scene: Scene, texts: list[str]) -> Iterator[str]:
    """Give a hint for each text that is a name in full once `svc` and the zone, or the zone alone, are put behind it."""
    for text in texts:
        for full in (f"{text}.svc.{scene.zone}", f"{text}.{scene.zone}"):
            if exists(scene, full):
                yield f"the full name is {full}"


def exists(scene: Scene, text: str) -> bool:
    """Tell whether a name exists in the view of the scene."""
    try:
        question = Question(from_text(text), scene.question.type)
    except ValueError:
        return False
    return (
        Scene(question, scene.view, scene.mirrors, scene.options, complete=True, imported=scene.imported).node
        is not None
    )


def _outside_hints(scene: Scene) -> Iterator[str]:
    if scene.question.name.endswith(_REVERSE):
        yield "addresses have no names here: the multicluster DNS schema has no PTR records"
        return
    texts = [to_text(bytes((len(label),)) + label + b"\x00").removesuffix(".") for label in labels(scene.question.name)]
    candidates = [".".join(texts)] if texts else []
    if "svc" in texts:
        # Of a name in another zone, such as cluster.local, the part that would be the same in this one.
        candidates.append(".".join(texts[: texts.index("svc")]))
    found = list(dict.fromkeys(full_names(scene, candidates)))
    yield from found
    if texts[-2:] == ["cluster", "local"]:
        yield f"cluster.local is the zone of one cluster alone; services of the clusterset are in {scene.zone}"
    elif not found:
        yield f"names of services end in .<ns>.svc.{scene.zone}"
