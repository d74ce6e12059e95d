"""
Judges the name that does not resolve: the namespace, what mcsdns makes of it, and what a cache in front holds instead.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from mcsdns.admin.explain import Hop
from mcsdns.doctor.answers import ELSEWHERE, is_wired, said
from mcsdns.doctor.facts import Asked, Facts, Reply
from mcsdns.doctor.finding import Finding

_FIXES: Mapping[Hop, str] = {
    Hop.ADDRESSES: "wait for the clusterset's MCS controller to give it a ClusterSet IP, and look at its log if it does not",
    Hop.ENDPOINTS: "see that the service is exported, and that its Services select pods",
    Hop.READY: "see why the pods behind the service are not ready: kubectl describe pod",
}
"""What to do where the explanation has no hint."""


def name(facts: Facts) -> Iterator[Finding]:
    """Judge the name, where there is one."""
    text = facts.plan.name
    if text is None:
        return
    if facts.cluster is not None and facts.cluster.namespace is False:
        namespace = facts.plan.namespace
        yield Finding(
            link="namespace",
            state="broken",
            found=f"the namespace {namespace} does not exist in this cluster: nothing can be imported into it",
            where=facts.cluster.url,
            expected="a namespace of the same name in every cluster that consumes the service (KEP-1645, namespace sameness)",
            fix=f"kubectl create namespace {namespace}",
        )
    yield from _explained(facts, text)
    direct = next((asked.named for asked in facts.servers if asked.named is not None and asked.named.rcode), None)
    if direct is not None and direct.rcode != "REFUSED":
        for asked in facts.resolvers:
            if asked.named is not None and asked.named.rcode and is_wired(asked, facts.plan.zone):
                yield _passed_on(facts, asked, asked.named, direct)


def _explained(facts: Facts, text: str) -> Iterator[Finding]:
    found = facts.explanation
    if found is not None and found.broken is not None:
        fix = (
            found.hints[0] if found.hints else _FIXES.get(found.broken, f"mcsdns explain {text} tells the whole chain")
        )
        expected = f"{text} has records"
        yield Finding(
            link=found.broken, state="broken", found=found.cause, where=f"view {found.view}", expected=expected, fix=fix
        )
    elif found is not None:
        yield Finding(
            link="name", state="ok", found=f"mcsdns answers {text}: {found.cause}", where=f"view {found.view}"
        )
    else:
        for asked in facts.servers:
            if asked.named is not None and asked.named.rcode:
                is_there = bool(asked.named.records)
                yield Finding(
                    link="name",
                    state="ok" if is_there else "broken",
                    found=f"mcsdns answers {text}: {said(asked.named)}",
                    where=asked.address,
                    expected="" if is_there else f"{text} has records",
                    fix="" if is_there else "name an admin address to be told why: --admin http://ADDRESS:9153",
                )
                return


def _passed_on(facts: Facts, asked: Asked, reply: Reply, direct: Reply) -> Finding:
    """Judge what a resolver makes of the name: a cache has the TTL that is left, and of a negative the zone's SOA."""
    where, text = f"{asked.address} ({asked.origin})", facts.plan.name
    if said(reply) == said(direct):
        return Finding(link="cache", state="ok", found=f"{text} is answered as mcsdns answers it", where=where)
    says = f"it says {said(reply)}, and mcsdns says {said(direct)}"
    if reply.ttl_s is None or not (reply.records or reply.soa == facts.plan.zone):
        return Finding(
            link="resolver",
            state="broken",
            found=f"something on the way answers {text} in mcsdns's place: {says}",
            where=where,
            expected="what mcsdns answers",
            fix=ELSEWHERE,
        )
    old = "an old negative answer" if not reply.records else "an older answer"
    return Finding(
        link="cache",
        state="broken",
        found=f"a cache in front holds {old} for {reply.ttl_s} s more: {says}",
        where=where,
        expected="what mcsdns answers",
        fix=f"wait until it is over; `cache` in the stub block says how long (denial 9984 5); if it is not over then: {ELSEWHERE}",
    )
