"""
The values that the clusterset is made of: frozen, compact, free of Kubernetes' spelling.

Rules:
1. Addresses are packed bytes in network order; names are lower case; strings that repeat are interned.
2. A value holds only what was accepted. What was not is an `Omission` beside it.
3. Equal facts make equal values, so that a change that changes nothing is seen to be none. The resource version alone does not count.
"""

from __future__ import annotations

import re
from enum import StrEnum
from typing import NamedTuple

from msgspec import Struct

_LABEL = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")


def is_label(text: str) -> bool:
    """Tell whether `text` is one RFC 1123 label in lower case, of at most 63 octets."""
    return _LABEL.fullmatch(text) is not None


def is_cluster_id(text: str) -> bool:
    """Tell whether `text` is a cluster id: one RFC 1123 label, or two with a dot between (KEP-2149)."""
    parts = text.split(".")
    return len(parts) <= 2 and all(is_label(part) for part in parts)


class ServiceKey(NamedTuple):
    """Which service: the same in every cluster (namespace sameness, KEP-1645)."""

    namespace: str
    name: str


class ServiceType(StrEnum):
    """`spec.type` of a ServiceImport."""

    CLUSTERSET_IP = "ClusterSetIP"
    HEADLESS = "Headless"


class Reason(StrEnum):
    """Why something was left out, or is not as its author may think. A bounded set: it labels a metric."""

    MALFORMED = "malformed"
    BAD_NAME = "bad-name"
    BAD_TYPE = "bad-type"
    BAD_ADDRESS = "bad-address"
    BAD_PORT = "bad-port"
    BAD_HOSTNAME = "bad-hostname"
    BAD_CLUSTER_ID = "bad-cluster-id"
    NO_SOURCE_CLUSTER = "no-source-cluster"
    NO_ADDRESS = "no-address"
    NOT_READY = "not-ready"
    NOT_EXPORTED = "not-exported"
    EXPORT_CONFLICT = "export-conflict"
    IMPORT_DIFFERS = "import-differs"
    OUTRANKED = "outranked"
    NAME_TOO_LONG = "name-too-long"
    NAME_TAKEN = "name-taken"
    ANSWER_TOO_LARGE = "answer-too-large"
    DUPLICATE_CLUSTER_ID = "duplicate-cluster-id"


class Omission(Struct, frozen=True, gc=False, order=True):
    """
    Something that was left out, and why.

    Args:
        reason: From the bounded set.
        cluster: The configured name of the watched cluster that said it.
        object: `Kind namespace/name`.
        detail: What exactly, in words for a person.
    """

    reason: Reason
    cluster: str
    object: str
    detail: str


class ObjectRef(Struct, frozen=True, gc=False, order=True):
    """
    An object that had a part in an answer.

    Args:
        cluster: The configured name of the watched cluster that holds it.
        kind: Its Kubernetes kind.
        namespace: Its namespace.
        name: Its name.
        resource_version: Its version there, or empty.
        note: What part it had, in words.
    """

    cluster: str
    kind: str
    namespace: str
    name: str
    resource_version: str
    note: str


class Port(Struct, frozen=True, gc=False, order=True):
    """
    A port that may be published.

    Args:
        name: Lower case; empty where it has none.
        protocol: `tcp`, `udp` or `sctp`.
        number: 1–65535.
    """

    name: str
    protocol: str
    number: int


class Endpoint(Struct, frozen=True, gc=False, order=True):
    """
    One address of a ready endpoint.

    Args:
        address: 4 or 16 octets, network order.
        host: The label under which it is found: the hostname, or the address as its slice spells it with `-`; empty where it
            may have none.
    """

    address: bytes
    host: str


class Import(Struct, frozen=True, gc=False):
    """What one cluster's ServiceImport says."""

    key: ServiceKey
    type: ServiceType
    ips: tuple[bytes, ...]
    ports: tuple[Port, ...]
    clusters: tuple[str, ...]
    omissions: tuple[tuple[Reason, str], ...]


class Export(Struct, frozen=True, gc=False):
    """What one cluster's ServiceExport says. `conflict` is the message of a Conflict condition that is true, or empty."""

    key: ServiceKey
    is_valid: bool
    conflict: str


class Slice(Struct, frozen=True, gc=False):
    """
    What one EndpointSlice says.

    Args:
        name: The object's name.
        key: The service.
        is_imported: It speaks for `source_cluster`; else it is native and speaks for the cluster that holds it.
        source_cluster: The id it names; None where an imported slice names none that is valid.
        endpoints: Ready ones, sorted, each once.
        ports: As they stand; sorted, each once.
        omissions: What was left out of it.
        waiting: The host labels that its endpoints would have that are not ready, sorted.
    """

    name: str
    key: ServiceKey
    is_imported: bool
    source_cluster: str | None
    endpoints: tuple[Endpoint, ...]
    ports: tuple[Port, ...]
    omissions: tuple[tuple[Reason, str], ...]
    waiting: tuple[str, ...] = ()


class Property(Struct, frozen=True, gc=False):
    """The ClusterProperty that names the cluster, where it holds a valid id."""

    cluster_id: str


class Rejected(Struct, frozen=True, gc=False):
    """An object of which nothing counts. `key` is the service it is about, where that can be told."""

    key: ServiceKey | None
    reason: Reason
    detail: str


class Backends(Struct, frozen=True, gc=False, order=True):
    """
    The endpoints of one believed slice.

    Args:
        cluster_id: The source cluster, or None where nobody says which.
        endpoints: Ready ones, sorted.
        ports: The slice's own.
    """

    cluster_id: str | None
    endpoints: tuple[Endpoint, ...]
    ports: tuple[Port, ...]


class Service(Struct, frozen=True, gc=False):
    """
    One service as one consuming cluster sees it.

    Args:
        key: Namespace and name.
        cluster: The configured name of the watched cluster whose import counts.
        type: ClusterSetIP or Headless.
        ips: Addresses of a ClusterSetIP service, sorted.
        ports: Ports of a ClusterSetIP service, sorted.
        backends: Endpoints of a headless service, sorted by cluster id and address.
        reserved: Ids of two labels that member clusters have: below the service they name clusters, and may own no records.
        omissions: What was left out, sorted.
        objects: What had a part in it, sorted.
    """

    key: ServiceKey
    cluster: str
    type: ServiceType
    ips: tuple[bytes, ...]
    ports: tuple[Port, ...]
    backends: tuple[Backends, ...]
    reserved: frozenset[str]
    omissions: tuple[Omission, ...]
    objects: tuple[ObjectRef, ...]


class View(Struct, frozen=True):
    """The zone as one consuming cluster sees it. `cluster` is its configured name; None: no cluster in particular."""

    cluster: str | None = None

    @property
    def name(self) -> str:
        """How the view is called in logs, metrics and commands: the cluster's name, or `any`."""
        return self.cluster if self.cluster is not None else "any"
