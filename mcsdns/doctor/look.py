"""
Looks at everything that `doctor` judges: the cluster, the servers, the paths that pods take, the admin addresses.

Rules:
1. Nothing is raised: what cannot be looked at is `Unseen`.
2. What was named is asked, and then nothing else of its kind. What is only found in the cluster, and /etc/resolv.conf, is asked
   from inside a pod alone: from outside, a ClusterIP that is silent proves nothing, and another resolver is none of our business.

Not here: what follows from it (`judge`).
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping
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
    servers = await _ask(plan, dict(_servers(plan, cluster)))
    resolvers = await _ask(plan, dict(_resolvers(plan, cluster)))
    if not servers:
        fix = "name it: --server ADDRESS[:PORT]"
        unseen.append(Unseen("mcsdns itself", "no address of it is known that can be asked from here", fix))
    if not resolvers:
        fix = "name what pods ask: --resolver ADDRESS, or run doctor in a pod"
        unseen.append(Unseen("the way that pods take", "no resolver is known that can be asked from here", fix))
    status, explanation = await _admins(plan, cluster, unseen)
    return Facts(
        plan=plan,
        cluster=cluster,
        servers=servers,
        resolvers=resolvers,
        status=status,
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


def _resolvers(plan: Plan, cluster: Cluster | None) -> Iterator[tuple[str, str]]:
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
    yield from ((with_port(ip), str(RESOLV_CONF)) for ip in _configured())


def _configured() -> Iterator[str]:
    """Give the name servers of resolv.conf (resolv.conf(5))."""
    try:
        lines = RESOLV_CONF.read_text(errors="replace").splitlines()
    except OSError:
        return
    for line in lines:
        words = line.split()
        if words[:1] == ["nameserver"] and len(words) > 1:
            yield words[1]


async def _ask(plan: Plan, addresses: Mapping[str, str]) -> tuple[Asked, ...]:
    asked = (ask_all(address, origin, plan.zone, plan.name, plan.limit_s) for address, origin in addresses.items())
    return tuple(await asyncio.gather(*asked))


async def _admins(
    plan: Plan, cluster: Cluster | None, unseen: list[Unseen]
) -> tuple[dict[str, Status], Explanation | None]:
    urls = plan.admins
    if not urls and plan.is_inside and cluster is not None:
        urls = tuple(
            f"http://{with_port(replica.rpartition(':')[0].strip('[]'), ADMIN_PORT)}" for replica in cluster.replicas
        )
    if not urls:
        why, fix = "no admin address is known", "name that of mcsdns: --admin http://ADDRESS:9153"
        unseen.append(Unseen("which clusters mcsdns hears, and what it makes of names", why, fix))
    status = await _statuses(plan, urls, unseen)
    if len({view.hash for one in status.values() for view in one.views}) > 1:
        await asyncio.sleep(SETTLE_S)
        status = await _statuses(plan, urls, [])
    explanation = await _explained(plan, next(iter(status)), unseen) if plan.name is not None and status else None
    return status, explanation


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
    asked = {"name": plan.name, "type": type_of(plan.name)} | ({"view": plan.view} if plan.view else {})
    try:
        body = await asyncio.to_thread(client.get, url, "/explain", asked, limit_s=plan.limit_s)
        return msgspec.json.decode(body, type=Explanation)
    except (ConfigError, msgspec.MsgspecError) as error:
        unseen.append(Unseen(f"why {plan.name} answers what it does", str(error)))
        return None
