"""
Judges what was answered: by mcsdns itself, on its admin addresses, and on the ways that pods take.

Rules:
1. A path is judged by `dns-version.<zone>`, which mcsdns answers in any state, and by a name that no cache can have.
2. Of a path that fails it is told what stands at its end: nothing, somebody else, or something that does not reach mcsdns.
"""

from __future__ import annotations

from collections.abc import Iterator

from mcsdns.admin.status import ClusterStatus
from mcsdns.doctor.facts import TRANSPORTS, Asked, Facts, Reply, Transport
from mcsdns.doctor.finding import Finding

ELSEWHERE = (
    "look in the DNS server's configuration for a block of a longer zone, and in the stub block for anything but errors, cache,"
    " prometheus, loadbalance and forward: rewrite, template, hosts and acl answer before forward does"
)
"""What to do where something answers before mcsdns is asked."""
_BOTH = "open TCP beside UDP on the whole way: the Service's port 53, and 5353 in network policies and firewalls (docs/deploy.md)"


def servers(facts: Facts) -> Iterator[Finding]:
    """Judge what mcsdns answers when it is asked directly."""
    for asked in facts.servers:
        yield _server(facts, asked)


def _server(facts: Facts, asked: Asked) -> Finding:
    zone, where = facts.plan.zone, f"{asked.address} ({asked.origin})"
    expected = f"dns-version.{zone} is answered over UDP and TCP"
    bad = [transport for transport in TRANSPORTS if not _is_version(asked.version[transport])]
    if not bad:
        return Finding(link="mcsdns", state="ok", found=f"mcsdns answers for {zone} over UDP and TCP", where=where)
    reply = asked.version[bad[0]]
    fix = "see that mcsdns runs there and is ready (its log, /readyz), and that network policies let this host in"
    if len(bad) < len(TRANSPORTS):
        good = next(transport for transport in TRANSPORTS if transport not in bad)
        says = f"mcsdns answers over {good}, but not over {bad[0]} ({_what(reply)})"
        says += (
            ": answers that do not fit into UDP, and all of NodeLocal DNSCache's, are lost" if bad == ["TCP"] else ""
        )
        fix = _BOTH
    elif reply.problem:
        says = f"nothing answers at {asked.address}: {reply.problem}"
    elif reply.rcode == "REFUSED":
        served = sorted({status.zone for status in facts.status.values()} - {zone})
        says = f"what answers serves another zone than {zone}" + (f": {', '.join(served)}" if served else "")
        fix = (
            f"say --zone {served[0]}, or set `zone` in mcsdns's configuration"
            if served
            else "look at `zone` in its configuration"
        )
    else:
        says = f"what answers is no mcsdns: it says {_what(reply)} to dns-version.{zone}"
        fix = "name the address of mcsdns's Service: --server ADDRESS[:PORT]"
    return Finding(link="mcsdns", state="broken", found=says, where=where, expected=expected, fix=fix)


def clusters(facts: Facts) -> Iterator[Finding]:
    """Judge how each mcsdns stands with the clusters that it watches."""
    for url, status in facts.status.items():
        found = [one for cluster in status.clusters for one in _cluster(url, cluster)]
        for twin in status.duplicates:
            says = f"nothing of {twin.cluster} counts: its cluster id {twin.id} is that of {twin.taken_by}"
            fix = "give one of the two another `id` in mcsdns's configuration, or repair its ClusterProperty"
            found.append(_unheard(url, says, "a cluster id of its own for each cluster", fix))
        yield from found
        if not found:
            names = ", ".join(cluster.name for cluster in status.clusters)
            yield Finding(link="clusters", state="ok", found=f"mcsdns follows every cluster: {names}", where=url)


def _cluster(url: str, cluster: ClusterStatus) -> Iterator[Finding]:
    denied = {
        resource: one.problem
        for resource, one in cluster.resources.items()
        if one.problem and "HTTP 403" in one.problem
    }
    if denied:
        says = f"mcsdns may not read {', '.join(denied)} in {cluster.name} ({next(iter(denied.values()))})"
        fix = f"apply deploy/rbac.yaml in {cluster.name} and bind its role to mcsdns's identity; `mcsdns check` says what is missing"
        yield _unheard(url, says, "get, list and watch", fix)
    elif cluster.state == "unsynced":
        says = f"{cluster.name} has not been heard for {cluster.for_s:.0f} s ({cluster.cause}): what is not found is SERVFAIL"
        fix = f"see that mcsdns reaches the API server of {cluster.name}; `mcsdns check` says what is wrong"
        yield _unheard(url, says, "every cluster is heard", fix)
    elif cluster.state == "stale":
        says = f"{cluster.name} is stale for {cluster.for_s:.0f} s ({cluster.cause}): what it last said is served"
        fix = f"see that mcsdns reaches the API server of {cluster.name}; `mcsdns check` says what is wrong"
        yield _unheard(url, says, "every cluster is followed: changes there are not seen now", fix)


def _unheard(url: str, found: str, expected: str, fix: str) -> Finding:
    return Finding(link="clusters", state="broken", found=found, where=url, expected=expected, fix=fix)


def replicas(facts: Facts) -> Iterator[Finding]:
    """Judge whether replicas hold the same zone, and give the same answer for the name."""
    expected = "the same answer, whichever replica is asked"
    fix = "compare their configurations and /status: a cluster that one of them does not hear, another version, view or `advertise`"
    views: dict[str, dict[str, str]] = {}
    for url, status in facts.status.items():
        for view in status.views:
            views.setdefault(view.name, {})[url] = view.hash
    for name, hashes in views.items():
        where = ", ".join(hashes)
        if len(set(hashes.values())) > 1 and name in facts.moving:
            says = (
                f"the view {name} changes while it is looked at, so its replicas cannot be compared by mcsdns_zone_hash"
            )
            calm = "name one record, with --name, or look at the alert McsdnsReplicasDisagree"
            yield Finding(link="replicas", state="unknown", found=says, where=where, expected=expected, fix=calm)
        elif len(set(hashes.values())) > 1:
            each = ", ".join(f"{url} has {value}" for url, value in hashes.items())
            says = f"replicas hold different records for the view {name}: by mcsdns_zone_hash, {each}"
            yield Finding(link="replicas", state="broken", found=says, where=where, expected=expected, fix=fix)
        elif len(hashes) > 1:
            yield Finding(
                link="replicas", state="ok", found=f"{len(hashes)} replicas hold the same view {name}", where=where
            )
    named = {
        asked.address: said(asked.named) for asked in facts.servers if asked.named is not None and asked.named.rcode
    }
    if len(set(named.values())) > 1:
        each = ", ".join(f"{address} says {what}" for address, what in named.items())
        says = f"replicas answer {facts.plan.name} differently: {each}"
        yield Finding(link="replicas", state="broken", found=says, where=", ".join(named), expected=expected, fix=fix)


def resolvers(facts: Facts) -> Iterator[Finding]:
    """Judge the ways that pods take."""
    for asked in facts.resolvers:
        yield _resolver(facts, asked)


def _resolver(facts: Facts, asked: Asked) -> Finding:
    zone, where = facts.plan.zone, f"{asked.address} ({asked.origin})"
    expected = f"dns-version.{zone} is answered over UDP and TCP, as mcsdns answers it"
    ill = {transport: ill for transport in TRANSPORTS if (ill := _illness(facts, asked, transport))}
    if not ill:
        return Finding(link="resolver", state="ok", found=f"{zone} is answered over UDP and TCP", where=where)
    transport, (says, fix) = next(iter(ill.items()))
    if len(ill) < len(TRANSPORTS):
        fix = _BOTH
        says = f"over {transport}: {says}"
    return Finding(link="resolver", state="broken", found=says, where=where, expected=expected, fix=fix)


def is_wired(asked: Asked, zone: str) -> bool:
    """Tell whether the zone reaches mcsdns through a resolver, over UDP."""
    return _is_version(asked.version["UDP"]) or asked.fresh["UDP"].soa == zone


def _illness(facts: Facts, asked: Asked, transport: Transport) -> tuple[str, str] | None:
    """Return what is wrong over a transport, and what to do; None where nothing is."""
    version, fresh, zone = asked.version[transport], asked.fresh[transport], facts.plan.zone
    wiring = "see the stub block; `mcsdns wiring --for PLATFORM --service-ip IP` prints it (docs/wiring.md)"
    reply = version if not _is_version(version) else fresh
    if reply.problem:
        return f"it does not answer: {reply.problem}", "see that the cluster's DNS runs, and that this host may ask it"
    if reply.rcode == "SERVFAIL" and not (reply is fresh and _is_waiting(facts)):
        return (
            "it sends the zone on, but gets no answer (SERVFAIL)",
            f"see that it can reach mcsdns at the address of its block; {wiring}",
        )
    if not _is_version(version) and reply.soa not in (None, zone):
        return f"somebody else answers for {zone}: {reply.rcode} from the zone {reply.soa or '.'}", wiring
    if not _is_version(version):
        return f"it does not send {zone} to mcsdns: it says {_what(reply)} to dns-version.{zone}", wiring
    if not (_is_denied(fresh, zone) or fresh.rcode == "SERVFAIL"):
        says = f"something on the way answers names of svc.{zone} in mcsdns's place: it says {_what(fresh)} to one that nobody has"
        return says, ELSEWHERE
    return None


def _is_denied(reply: Reply, zone: str) -> bool:
    return reply.rcode == "NXDOMAIN" and reply.soa in (None, zone)


def _is_waiting(facts: Facts) -> bool:
    """Tell whether mcsdns itself keeps its negatives back: then that says nothing about a path."""
    return any(not view.complete for status in facts.status.values() for view in status.views) or any(
        reply.rcode == "SERVFAIL" for asked in facts.servers for reply in asked.fresh.values()
    )


def _is_version(reply: Reply) -> bool:
    return reply.rcode == "NOERROR" and bool(reply.records)


def said(reply: Reply | None) -> str:
    """Return a reply in words."""
    if reply is None or reply.problem:
        return reply.problem if reply is not None else "nothing"
    if reply.rcode == "NOERROR":
        return ", ".join(reply.records) or "NODATA"
    return reply.rcode


def _what(reply: Reply) -> str:
    return said(reply)
