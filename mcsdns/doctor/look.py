"""
Looks at everything that `doctor` judges: the cluster, the servers, the paths that pods take, the admin addresses.

Rules:
1. Nothing is raised: what cannot be looked at is `Unseen`.
2. What was named is asked, and then nothing else of its kind. What is only found in the cluster, and /etc/resolv.conf, is asked
   from inside a pod alone: from outside, a ClusterIP that is silent proves nothing, and another resolver is none of our business.
   A pod's /etc/resolv.conf with the node's resolvers (`dnsPolicy: Default`, as mcsdns's own pods have) is not asked either: it is not
   the way that other pods take.

Not here: what follows from it (`judge`).
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path

import msgspec

from mcsdns.admin import client
from mcsdns.admin.explain import Explanation
from mcsdns.admin.status import Status
from mcsdns.doctor.ask import ask_all, type_of
from mcsdns.doctor.cluster import ClusterReader
from mcsdns.doctor.facts import Asked, Cluster, Facts, Plan, Unseen, with_port
from mcsdns.errors import ConfigError, SourceError
from mcsdns.source.kube.link import Link
from mcsdns.source.kube.settings import InCluster, KubeconfigSettings, Timing

RESOLV_CONF = Path("/etc/resolv.conf")
ADMIN_PORT = 9153
SETTLE_S = 1.0
"""Seconds after which replicas that differ are asked again: one of them may have been quicker with a change."""


async def look(plan: Plan) -> Facts:
    """Look at everything."""
    unseen: list[Unseen] = []
    cluster = await _cluster(plan, unseen)
    status, moving, explanation = await _admins(plan, cluster, unseen)
    named = None
    if plan.name is not None:
        named = (plan.name, explanation.type if explanation is not None else type_of(plan.name))
    servers = await _ask(plan, dict(_servers(plan, cluster)), named)
    resolvers = await _ask(plan, dict(_resolvers(plan, cluster, unseen)), named)
    if not servers:
        fix = "name it: --server ADDRESS[:PORT]"
        unseen.append(Unseen("mcsdns itself", "no address of it is known that can be asked from here", fix))
    if not resolvers:
        fix = "name what pods ask: --resolver ADDRESS, or run doctor in a pod"
        unseen.append(Unseen("the way that pods take", "no resolver is known that can be asked from here", fix))
    return Facts(
        plan=plan,
        cluster=cluster,
        servers=servers,
        resolvers=resolvers,
        status=status,
        moving=moving,
        explanation=explanation,
        unseen=tuple(unseen),
    )


async def _cluster(plan: Plan, unseen: list[Unseen]) -> Cluster | None:
    if plan.kubeconfig is None and not plan.is_inside:
        why = "this does not run in a pod, and no --kubeconfig is given"
        unseen.append(Unseen("the cluster's DNS configuration", why, "give --kubeconfig FILE, or run doctor in a pod"))
        return None
    # The client for API servers costs a tenth of a second to import.
    from mcsdns.source.kube.credentials import Credentials  # noqa: PLC0415

    settings = KubeconfigSettings(plan.kubeconfig, plan.context) if plan.kubeconfig is not None else InCluster()
    link = Link("doctor", Credentials(settings), Timing())
    try:
        reader = ClusterReader(await link.client(), plan)
        cluster = await reader.read()
    except SourceError as error:
        unseen.append(Unseen("the cluster's DNS configuration", str(error)))
        return None
    finally:
        await link.close()
    unseen += reader.unseen
    return cluster


def _servers(plan: Plan, cluster: Cluster | None) -> Iterator[tuple[str, str]]:
    if plan.servers:
        yield from ((address, "--server") for address in plan.servers)
    elif cluster is not None and plan.is_inside:
        for service in cluster.services:
            yield from ((with_port(ip), service.where) for ip in service.ips)
        yield from ((address, "replica") for address in cluster.replicas)


def _resolvers(plan: Plan, cluster: Cluster | None, unseen: list[Unseen]) -> Iterator[tuple[str, str]]:
    if plan.resolvers:
        yield from ((address, "--resolver") for address in plan.resolvers)
        return
    if not plan.is_inside:
        return
    if cluster is not None:
        yield from ((with_port(ip), "the cluster's DNS") for ip in cluster.dns_ips)
        for server in cluster.nameservers:
            if server.platform == "nodelocal":
                yield from ((with_port(ip), server.kind) for ip in server.corefile.binds[:1])
    servers, search = _configured()
    if any(".svc." in f".{domain}." for domain in search):
        yield from ((with_port(ip), str(RESOLV_CONF)) for ip in servers)
    elif servers:
        why = "it has the node's resolvers, not those that pods ask (dnsPolicy: Default)"
        unseen.append(
            Unseen(str(RESOLV_CONF), why, "run doctor in a pod with dnsPolicy: ClusterFirst, or name --resolver")
        )


def _configured() -> tuple[list[str], list[str]]:
    """Return the name servers and the search list of resolv.conf (resolv.conf(5))."""
    servers: list[str] = []
    search: list[str] = []
    with suppress(OSError):
        for line in RESOLV_CONF.read_text(errors="replace").splitlines():
            words = line.split()
            if words[:1] == ["nameserver"]:
                servers += words[1:2]
            elif words[:1] == ["search"]:
                search = words[1:]
    return servers, search


async def _ask(plan: Plan, addresses: Mapping[str, str], named: tuple[str, str] | None) -> tuple[Asked, ...]:
    asked = (ask_all(address, origin, plan.zone, named, plan.limit_s) for address, origin in addresses.items())
    return tuple(await asyncio.gather(*asked))


async def _admins(
    plan: Plan, cluster: Cluster | None, unseen: list[Unseen]
) -> tuple[dict[str, Status], frozenset[str], Explanation | None]:
    urls = plan.admins
    if not urls and plan.is_inside and cluster is not None:
        urls = tuple(
            f"http://{with_port(replica.rpartition(':')[0].strip('[]'), ADMIN_PORT)}" for replica in cluster.replicas
        )
    if not urls:
        why, fix = "no admin address is known", "name that of mcsdns: --admin http://ADDRESS:9153"
        unseen.append(Unseen("which clusters mcsdns hears, and what it makes of names", why, fix))
    status, before = await _statuses(plan, urls, unseen), frozenset[tuple[str, str, str]]()
    if len(status) > 1 and len({view.hash for one in status.values() for view in one.views}) > 1:
        before = _hashes(status)
        await asyncio.sleep(SETTLE_S)
        status = await _statuses(plan, urls, [])
    moving = frozenset(view for _, view, _ in before - _hashes(status))
    explanation = await _explained(plan, next(iter(status)), unseen) if plan.name is not None and status else None
    return status, moving, explanation


def _hashes(status: Mapping[str, Status]) -> frozenset[tuple[str, str, str]]:
    return frozenset((url, view.name, view.hash) for url, one in status.items() for view in one.views)


async def _statuses(plan: Plan, urls: tuple[str, ...], unseen: list[Unseen]) -> dict[str, Status]:
    async def one(url: str) -> Status | None:
        try:
            body = await asyncio.to_thread(client.get, url, "/status", limit_s=plan.limit_s)
            return msgspec.json.decode(body, type=Status)
        except (ConfigError, msgspec.MsgspecError) as error:
            fix = "let this host reach it (the chart's networkPolicy), or run doctor in mcsdns's own pod"
            unseen.append(Unseen(f"{url}/status", str(error), fix))
            return None

    found = await asyncio.gather(*(one(url) for url in urls))
    return {url: status for url, status in zip(urls, found, strict=True) if status is not None}


async def _explained(plan: Plan, url: str, unseen: list[Unseen]) -> Explanation | None:
    assert plan.name is not None  # noqa: S101 - the caller has seen to it
    asked = {"name": plan.name} | ({"view": plan.view} if plan.view else {})
    first = type_of(plan.name)
    found: Explanation | None = None
    try:
        for rr_type in (first, "AAAA") if first == "A" else (first,):
            more = asked | {"type": rr_type}
            body = await asyncio.to_thread(client.get, url, "/explain", more, limit_s=plan.limit_s)
            one = msgspec.json.decode(body, type=Explanation)
            if found is None or one.outcome == "NOERROR":
                found = one
            if one.outcome != "NODATA":
                break
    except (ConfigError, msgspec.MsgspecError) as error:
        unseen.append(Unseen(f"why {plan.name} answers what it does", str(error)))
    return found
