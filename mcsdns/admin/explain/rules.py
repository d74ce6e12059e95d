"""
The clauses that decide what is answered, each as a sentence with its source.

Rules:
1. An explanation names exactly one of them: the one that decided.
2. A clause says what is so for every name of its kind. What is so for the one that was asked is the cause, beside it.
"""

from __future__ import annotations

from enum import StrEnum


class Rule(StrEnum):
    """The deciding clauses. Their values are for people and may be reworded; their names are for tests."""

    OUTSIDE = "A name outside the zone is refused: the server speaks for its own zone alone (RFC 8914, code 20)."
    TRANSFER = "AXFR and IXFR are refused: the zone is not transferred (RFC 8914, code 18)."
    INCOMPLETE = (
        "A name that is not found is SERVFAIL, never NXDOMAIN, until every member cluster has been heard whole"
        " (RFC 8914, code 14)."
    )
    APEX = "The zone's own name owns SOA and NS, whatever the clusters say (RFC 1035 §4.2.1)."
    NAME_SERVER = "The name server's own name owns the addresses of `advertise` (RFC 1034 §4.2.1)."
    SCHEMA_VERSION = (
        "dns-version.<zone> owns the TXT record of the schema version and nothing else"
        " (KEP-1645 specification.md, schema version)."
    )
    EMPTY_NON_TERMINAL = "A name without records of its own, under which names exist, is NODATA (RFC 8020 §2)."
    NAMESPACE = "<ns>.svc.<zone> exists, without records, while the namespace holds an imported service (RFC 8020 §2)."
    NO_NAMESPACE = (
        "A namespace without any imported service does not exist, nor does anything below it"
        " (KEP-1645 specification.md; RFC 8020 §2)."
    )
    NOT_IMPORTED = (
        "A service has a name in the zone if and only if the consuming cluster holds a ServiceImport of it"
        " (KEP-1645, ServiceImport and DNS)."
    )
    QUOTA = (
        "What a member cluster holds beyond its quotas is refused, the newest first, and is not in the zone"
        " (config/mcsdns.yaml, quotas)."
    )
    NO_SUCH_NAME = "The schema defines no such name below the zone (KEP-1645 specification.md)."
    NO_POD = "The multicluster schema has no names of pods by address: pod.<zone> does not exist (KEP-1645 specification.md)."
    NO_WILDCARD = "There are no wildcards: * is a label like any other (KEP-1645 specification.md; RFC 4592)."
    CLUSTERSET_IP = (
        "A ClusterSetIP service owns A and AAAA from the valid addresses of its import's spec.ips, whatever its ports or"
        " backends (KEP-1645 specification.md, ClusterSetIP services)."
    )
    NO_ADDRESS = (
        "A ClusterSetIP import without a valid address exists without records, and without SRV names until it has one"
        " (KEP-1645 specification.md; RFC 2782)."
    )
    CLUSTERSET_IP_HOSTS = (
        "A ClusterSetIP service owns no host names and no cluster names: below it are the names of its named ports alone"
        " (KEP-1645 specification.md, ClusterSetIP services)."
    )
    HEADLESS = (
        "A headless service owns A and AAAA from every ready endpoint of every cluster, each address once"
        " (KEP-1645 specification.md, headless services)."
    )
    NOT_READY = (
        "A headless service without a ready endpoint does not exist, and nothing below it (KEP-1645 specification.md,"
        " headless services)."
    )
    HOST = (
        "<hostname>.<clusterid>.<svc>… owns the addresses of the ready endpoints of that hostname in that cluster"
        " (KEP-1645 specification.md, headless services)."
    )
    HOST_NEEDS_CLUSTER = (
        "A host name stands below a cluster id: <hostname>.<svc>… does not exist"
        " (KEP-1645 specification.md, headless services)."
    )
    CLUSTER_ID = (
        "<clusterid>.<svc>… must not own records; it is an empty non-terminal while host names are below it"
        " (KEP-1645 specification.md; RFC 8020 §2)."
    )
    SRV = "_<port>._<proto>.<svc>… owns SRV for each named port of the service (KEP-1645 specification.md; RFC 2782)."
    SERVICE_SRV = "A service's name owns SRV for all of its ports, one for each port number and target (mcs-api conformance suite)."
    SERVICE_TYPES = "A service's name owns A, AAAA and SRV and no other type (KEP-1645 specification.md)."
    HOST_TYPES = "A host name owns A and AAAA and no other type (KEP-1645 specification.md, headless services)."
    NOTHING_BELOW = "Nothing exists below a host name or the name of a port (KEP-1645 specification.md; RFC 8020 §2)."
