"""
`/omissions`: everything that is left out, and why, filtered and in pages: what `/status` and the metrics count, by name.
"""

from __future__ import annotations

from msgspec import Struct

from mcsdns.admin import asked
from mcsdns.admin.part import part
from mcsdns.admin.state import ServerState
from mcsdns.clusterset.model import Omission, Reason


class OmissionList(Struct, frozen=True):
    """
    One page of what is left out.

    Args:
        cluster: The configured name of the cluster that said it; empty: any.
        reason: Why it is left out; empty: any.
        page: The number of the page, from 1.
        pages: How many there are.
        total: How much is left out, on all pages.
        omissions: Those of this page, by reason, cluster and object.
    """

    cluster: str
    reason: str
    page: int
    pages: int
    total: int
    omissions: tuple[Omission, ...]


async def omissions(state: ServerState, parameters: asked.Parameters) -> OmissionList:
    """
    List what is left out.

    Args:
        state: Of the server.
        parameters: `cluster`, `reason`, `page`.

    Raises:
        ValueError: A parameter cannot be read; the message says which.
    """
    wanted = asked.read(parameters, "cluster", "reason", "page")
    number = asked.page_number(wanted["page"])
    cluster, reason = wanted["cluster"], wanted["reason"]
    if reason and reason not in set(Reason):
        raise ValueError(f"{reason[:32]!r} is no reason; expected one of {', '.join(Reason)}")
    await state.omissions.read(state.views)

    def is_wanted(omission: Omission) -> bool:
        return cluster in ("", omission.cluster) and reason in ("", omission.reason)

    found = await part(state.omissions.listed(state.mirrors), is_wanted, number)
    return OmissionList(cluster, reason, found.number, found.pages, found.total, found.rows)
