"""
The way from an export to an answer, as a person thinks of it: an ordered list of links, up to the first that is broken.

| link      | holds when                                                                              |
|-----------|-----------------------------------------------------------------------------------------|
| zone      | the name is within the zone, and of a form that the schema defines                      |
| clusters  | every cluster has been heard whole and is followed: else absence proves nothing         |
| view      | the cluster whose view it is counts                                                     |
| exported  | some cluster exports the service                                                        |
| imported  | the view holds a ServiceImport of it that can be used                                   |
| addresses | the import has a valid address (ClusterSetIP)                                           |
| endpoints | there are EndpointSlices that count (headless)                                          |
| ready     | an endpoint of them is ready (headless)                                                 |
| name      | what stands before the service is a host, a cluster or a port of it                     |
| record    | the name has a record of the type                                                       |
| cache     | never known here: what a cache in front may still hold, and for how long                |

Rules:
1. A link that is broken says what the cause of the explanation says: there are not two truths.
2. What comes after a broken link is not told, apart from the cache: it would follow from it.
3. `unknown` is not broken: the answer may be right all the same.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from ipaddress import ip_address
from typing import Literal

from msgspec import Struct

from mcsdns.admin.explain import holdings
from mcsdns.admin.explain.near import listed
from mcsdns.admin.explain.rules import Rule
from mcsdns.admin.explain.scene import Finding, Hop, Lookup, Scene
from mcsdns.clusterset.model import Import, Service, ServiceKey, ServiceType
from mcsdns.zone.masterfile import type_text

State = Literal["ok", "broken", "unknown"]

COREDNS_LEAST_S = 5
"""Seconds that CoreDNS's cache keeps an answer at least, and a SERVFAIL (its plugin `cache`)."""

_HOPS: Mapping[Rule, Hop] = {
    Rule.OUTSIDE: Hop.ZONE,
    Rule.TRANSFER: Hop.ZONE,
    Rule.NO_SUCH_NAME: Hop.ZONE,
    Rule.NO_POD: Hop.ZONE,
    Rule.NO_WILDCARD: Hop.NAME,
    Rule.INCOMPLETE: Hop.CLUSTERS,
    Rule.NO_NAMESPACE: Hop.IMPORTED,
    Rule.NOT_IMPORTED: Hop.IMPORTED,
    Rule.NO_ADDRESS: Hop.ADDRESSES,
    Rule.NOT_READY: Hop.READY,
}
"""Where the chain breaks by a rule, where the finding does not say it better. By any other rule the name does not exist (`name`)."""

_ORDER = {hop: place for place, hop in enumerate(Hop)}


class Link(Struct, frozen=True):
    """
    One link.

    Args:
        name: Of the table above.
        state: `ok`, `broken` or `unknown`.
        says: What is so, in words.
    """

    name: Hop
    state: State
    says: str


def chain(scene: Scene, lookup: Lookup, finding: Finding, unwell: Mapping[str, str]) -> tuple[Link, ...]:
    """
    Return the links of a name, in order.

    Args:
        scene: What was met.
        lookup: What is answered.
        finding: Why.
        unwell: The clusters that are not followed just now, and what is the matter with each.
    """
    broken = _broken(lookup, finding)
    links: list[Link] = []
    for link in _links(scene, lookup, unwell):
        if broken is not None and _ORDER[link.name] >= _ORDER[broken]:
            break
        links.append(link)
    if broken is not None:
        links.append(Link(broken, "broken", finding.cause))
    if lookup.outcome != "REFUSED":
        links.append(Link(Hop.CACHE, "unknown", _cache(scene, lookup)))
    return tuple(links)


def _broken(lookup: Lookup, finding: Finding) -> Hop | None:
    """Return the link that is broken, or None."""
    match lookup.outcome:
        case "NOERROR":
            return None
        case "NODATA":
            return Hop.ADDRESSES if finding.rule is Rule.NO_ADDRESS else Hop.RECORD
        case "SERVFAIL":
            return Hop.CLUSTERS
    return finding.hop or _HOPS.get(finding.rule, Hop.NAME)


def _links(scene: Scene, lookup: Lookup, unwell: Mapping[str, str]) -> Iterator[Link]:
    """Give the links as they would be if none before them were broken."""
    yield Link(Hop.ZONE, "ok", f"within {scene.zone}")
    yield _clusters(scene, unwell)
    if scene.namespace is not None:
        name = scene.view.name
        says = "no cluster's in particular: the first import in the order of the configuration counts"
        yield Link(Hop.VIEW, "ok", f"as {name} sees it" if scene.view.cluster is not None else says)
    if scene.key is not None:
        yield _exported(scene, scene.key)
        yield from _service(scene)
    yield Link(Hop.RECORD, "ok", _records(lookup))


def _clusters(scene: Scene, unwell: Mapping[str, str]) -> Link:
    silent = dict.fromkeys(scene.unheard(), "not heard whole") | dict(unwell)
    if silent:
        return Link(Hop.CLUSTERS, "unknown", "; ".join(f"{name} is {what}" for name, what in silent.items()))
    return Link(Hop.CLUSTERS, "ok", f"heard: {listed(mirror.cluster for mirror in scene.mirrors)}")


def _exported(scene: Scene, key: ServiceKey) -> Link:
    good: list[str] = []
    bad: list[str] = []
    for mirror in scene.heard:
        export = mirror.export_of(key)
        if export is not None:
            trouble = "" if export.is_valid else " (not valid)"
            trouble += f" (in conflict: {export.conflict})" if export.conflict else ""
            (good if export.is_valid else bad).append(mirror.cluster + trouble)
    if good:
        return Link(Hop.EXPORTED, "ok", f"by {listed(good + bad)}")
    imported = scene.source.import_of(key) if scene.source is not None else None
    if imported is not None and imported.clusters:
        return Link(Hop.EXPORTED, "ok", f"by {listed(imported.clusters)}, as the status of the ServiceImport says")
    if bad:
        return Link(Hop.EXPORTED, "unknown", f"only by {listed(bad)}")
    return Link(Hop.EXPORTED, "unknown", "no watched cluster holds a ServiceExport; one that is not watched may")


def _service(scene: Scene) -> Iterator[Link]:
    service, source = scene.service, scene.source
    imported = source.import_of(service.key) if source is not None and service is not None else None
    if service is None or source is None or imported is None:
        return
    yield Link(Hop.IMPORTED, "ok", f"by the ServiceImport in {source.cluster}, {_type(imported)}")
    if service.type is ServiceType.CLUSTERSET_IP:
        yield Link(Hop.ADDRESSES, "ok", f"ClusterSet IP {listed(str(ip_address(ip)) for ip in service.ips)}")
    else:
        slices = list(holdings.believed(scene))
        ids = {backends.cluster_id or "a cluster that is not named" for backends in service.backends}
        yield Link(Hop.ENDPOINTS, "ok", f"{_count(len(slices), 'EndpointSlice')} of {listed(ids)}")
        yield Link(Hop.READY, "ok", _ready(scene, service))
    if scene.below:
        yield Link(Hop.NAME, "ok", f"{'.'.join(scene.below)} is there")


def _type(imported: Import) -> str:
    return "headless" if imported.type is ServiceType.HEADLESS else "ClusterSetIP"


def _ready(scene: Scene, service: Service) -> str:
    says = f"{_count(sum(len(backends.endpoints) for backends in service.backends), 'address')} of ready endpoints"
    left_out = holdings.left_out_text(scene)
    return f"{says}; {left_out}" if left_out else says


def _records(lookup: Lookup) -> str:
    if not lookup.answer:
        return "none"
    _, ttl, _, rr_type, *_ = lookup.answer[0].split("\t")
    return f"{len(lookup.answer)} {rr_type}, TTL {ttl} s"


def _cache(scene: Scene, lookup: Lookup) -> str:
    """Tell what a cache in front may hold, whatever is answered now."""
    absent_s = max(scene.options.negative_ttl, COREDNS_LEAST_S)
    if lookup.outcome == "NOERROR":
        ttl_s = max(int(lookup.answer[0].split("\t")[1]), COREDNS_LEAST_S)
        return f"after a change, one in front may give the old records for {ttl_s} s, or say that there are none for {absent_s} s"
    if lookup.outcome == "SERVFAIL":
        return f"CoreDNS keeps a SERVFAIL for {COREDNS_LEAST_S} s after the last cluster has been heard"
    what = f"no {type_text(scene.question.type)}" if lookup.outcome == "NODATA" else "no such name"
    return f"once this is mended, one in front may say for {absent_s} s more that there is {what}"


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 'es' if noun.endswith('s') else 's'}"
