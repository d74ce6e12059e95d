"""
What crosses from Python to the native plane: an `Update` as plain tuples of bytes, which the extension converts once.

The extension renders what it is given and keeps none of it, so nothing of Python lives on in a snapshot.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from mcsdns.zone.rrset import Node, RRset, Update

if TYPE_CHECKING:
    from mcsdns._plane import Nodes, Records, Zone


def publish(zone: Zone, update: Update) -> None:
    """
    Take an update over into a view of the native plane, as a whole.

    Raises:
        ValueError: It holds what cannot stand in a zone; nothing was taken over.
    """
    apex = update.apex
    services = [
        (owner, None if records is None else _nodes(records.nodes)) for owner, records in update.services.items()
    ]
    zone.publish(update.complete, apex.zone, _records(apex.soa), _nodes(apex.nodes), services)


def _nodes(nodes: Mapping[bytes, Node]) -> Nodes:
    return [(owner, _rrsets(node)) for owner, node in nodes.items()]


def _rrsets(node: Iterable[RRset]) -> list[Records]:
    return [_records(rrset) for rrset in node]


def _records(rrset: RRset) -> Records:
    return int(rrset.type), rrset.ttl, rrset.rdata
