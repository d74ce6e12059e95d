"""
What is wrong, from `/status`, as sentences for the top of the status page. Pure.

Rules:
1. The worst comes first: what stops the server, then what concerns a whole cluster, then what concerns single objects.
2. Each is said in words, with since when and what it means for the answers; how bad it is does not hang on a colour.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Literal

from msgspec import Struct

from mcsdns.admin.status import ClusterStatus, Status

Degree = Literal["Wrong", "Attention", "Left out"]
"""Wrong: names may go unanswered, or it will get worse by itself. Attention: somebody should look. Left out: single objects."""


MAX_AMONG = 3
"""Refused objects of one quota and kind that are named: which controller floods shows in any of them."""


class Trouble(Struct, frozen=True):
    """
    One thing that is wrong.

    Args:
        degree: How bad it is.
        text: What is so, and what it means; empty where `omissions` say it.
        cluster: The member cluster that it concerns; empty: the server.
        omissions: What is left out of what that cluster says, by reason.
        for_s: For how many seconds, where that is known.
    """

    degree: Degree
    text: str
    cluster: str = ""
    omissions: Mapping[str, int] = {}
    for_s: float | None = None


def troubles(of: Status) -> list[Trouble]:
    """Return what is wrong, the worst first."""
    found = [*_server(of), *(trouble for cluster in of.clusters for trouble in _cluster(cluster))]
    degrees: tuple[Degree, ...] = ("Wrong", "Attention", "Left out")
    return sorted(found, key=lambda one: degrees.index(one.degree))


def _server(of: Status) -> Iterator[Trouble]:
    if not of.ready:
        yield Trouble("Wrong", f"The server is not ready: {of.why}.")
    if of.config.error is not None:
        yield Trouble("Wrong", f"The configuration file was refused, and what was in force goes on: {of.config.error}")
    for view in of.views:
        if not view.complete:
            yield Trouble(
                "Wrong", f"In the view {view.name} a name that is not found is SERVFAIL: a cluster is not heard."
            )
    for one in of.duplicates:
        text = f"Nothing that it says counts: its cluster id {one.id} belongs to {one.taken_by}. Give one of the two another id."
        yield Trouble("Wrong", text, one.cluster)
    for key, what in of.config.waiting_for_restart.items():
        yield Trouble("Attention", f"A change of the configuration waits for a restart: {key}: {what}")


def _cluster(of: ClusterStatus) -> Iterator[Trouble]:
    if of.state == "unsynced":
        yield Trouble("Wrong", f"Unsynced, nothing of it is answered: {of.cause}", of.name, for_s=of.for_s)
    elif of.state == "stale":
        yield Trouble("Wrong", f"Stale, what it last said is answered: {of.cause}", of.name, for_s=of.for_s)
    elif not of.whole:
        yield Trouble("Wrong", "It could not be read whole: some of its objects may be missing.", of.name)
    for name, quota in of.quotas.items():
        if quota.refused:
            among = ", ".join(f"{kind} {one}" for kind, shown in quota.among.items() for one in shown[:MAX_AMONG])
            text = (
                f"{quota.refused:,} objects are refused: the quota {name} allows {quota.limit:,}. Among them: {among}"
            )
            yield Trouble("Wrong", text, of.name)
    if of.coming is not None:
        yield Trouble("Attention", f"Its new source is not heard whole yet, the old one counts: {of.coming}", of.name)
    if of.property_id is not None and of.property_id != of.id:
        text = f"Its ClusterProperty says {of.property_id}, and the configuration {of.id}, which counts."
        yield Trouble("Attention", text, of.name)
    if of.uid_problem is not None:
        yield Trouble("Attention", f"Whether it is the same cluster as ever cannot be told: {of.uid_problem}", of.name)
    for what, problem in of.problems.items():
        yield Trouble("Attention", f"{what}: {problem}", of.name)
    if of.omissions:
        yield Trouble("Left out", "", of.name, of.omissions)
