"""
What a plane counts, without locks and almost without work for a query.

Rules:
1. A query adds to one `Tally` that its rendered reply already holds; labels are worked out once for each reply that is rendered.
2. What a scrape reads (`mcsdns.metrics.Counters`) is made when it is asked for.
3. Labels are bounded: types from a fixed list, reasons and faults from enumerations; never a name or an address.

Source: the names and buckets of CoreDNS's `prometheus` plugin, which people already graph.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable, Mapping
from enum import StrEnum

import dnslib
from msgspec import Struct, field

from mcsdns.metrics import DURATION_BUCKETS_S, SIZE_BUCKETS, Counters, Distribution
from mcsdns.plane.generations import Generations
from mcsdns.wire.codes import Rcode

_TYPES = "A AAAA ANY AXFR CNAME DNSKEY DS HTTPS IXFR MX NS NSEC NSEC3 PTR RRSIG SOA SRV SVCB TXT"  # as CoreDNS 1.15
TYPE_LABELS: Mapping[int, str] = {getattr(dnslib.QTYPE, mnemonic): mnemonic for mnemonic in _TYPES.split()}
"""The types that have a label of their own."""
OTHER_TYPE = "other"


class Drop(StrEnum):
    """Why a query got no response."""

    NO_HEADER = "no-header"
    RESPONSE = "response"
    UNSENT = "unsent"
    """The system did not take the response: its buffer is full, or there is no route."""
    OVERFLOW = "overflow"
    """The system had no room for the query: the socket's receive buffer was full."""


class Refused(StrEnum):
    """Why a TCP connection was not accepted."""

    FULL = "full"
    """All connections are busy."""
    PER_CLIENT = "per-client"
    NO_DESCRIPTOR = "no-descriptor"
    """The system has no descriptor or memory left: counted for each try, not for each connection."""


class Closed(StrEnum):
    """Why we closed a TCP connection."""

    IDLE = "idle"
    EVICTED = "evicted"
    """The longest idle one, for a new one."""
    SLOW_MESSAGE = "slow-message"
    SLOW_READER = "slow-reader"
    MALFORMED = "malformed"


class Tally(Struct, gc=False):
    """
    Queries that share every label.

    Args:
        type: From `TYPE_LABELS`, or `other`.
        rcode: The response code.
        request_bucket: Index in `SIZE_BUCKETS`; one more for what is above the last.
        response_bucket: Likewise.
        is_truncated: TC.
        queries: How many.
        request_octets: Of all of them.
        response_octets: Of all their responses.
    """

    type: str
    rcode: int
    request_bucket: int
    response_bucket: int
    is_truncated: bool
    queries: int = 0
    request_octets: int = 0
    response_octets: int = 0


class Ledger(Struct, gc=False):
    """
    The tallies of one socket.

    Args:
        view: The view that it serves.
        proto: `udp` or `tcp`.
        family: `1` for IPv4, `2` for IPv6 (IANA, address family numbers).
        tallies: By everything that tells two of them apart.
        durations: Queries by bucket of `DURATION_BUCKETS_S`, the last for what is above.
        duration_s: The sum, in seconds, from when a query was read to when its response was handed to the system.
        cache_misses: Queries for which there was no rendered reply that is still right.
    """

    view: str
    proto: str
    family: str
    tallies: dict[tuple[str, int, int, int, bool], Tally] = field(default_factory=dict)
    durations: list[int] = field(default_factory=lambda: [0] * (len(DURATION_BUCKETS_S) + 1))
    duration_s: float = 0.0
    cache_misses: int = 0

    def tally(self, qtype: int | None, rcode: int, request: int, response: int, is_truncated: bool) -> Tally:
        """Return the tally for a query and a response of these sizes in octets."""
        key = (
            TYPE_LABELS.get(qtype, OTHER_TYPE) if qtype is not None else OTHER_TYPE,
            rcode,
            bisect_left(SIZE_BUCKETS, request),
            bisect_left(SIZE_BUCKETS, response),
            is_truncated,
        )
        found = self.tallies.get(key)
        if found is None:
            found = self.tallies[key] = Tally(*key)
        return found

    def took(self, seconds: float) -> None:
        """Count one answer in the bucket of its duration. The sum is the caller's to keep: it knows it without adding up."""
        self.durations[bisect_left(DURATION_BUCKETS_S, seconds)] += 1


class Totals(Struct, gc=False):
    """What is counted for the plane as a whole."""

    drops: Counter[str] = field(default_factory=Counter)
    malformed: Counter[str] = field(default_factory=Counter)
    panics: int = 0
    tcp_open: int = 0
    tcp_refused: Counter[str] = field(default_factory=Counter)
    tcp_closed: Counter[str] = field(default_factory=Counter)


def summarize(
    ledgers: Iterable[Ledger], totals: Totals, generations: Generations, overflow: int, receive_buffer: int
) -> Counters:
    """
    Add up what was counted, by label.

    Args:
        ledgers: One for each socket.
        totals: Of the plane.
        generations: What it was given.
        overflow: Datagrams that the system has dropped because a socket's buffer was full.
        receive_buffer: As in `Counters`.
    """
    requests: Counter[tuple[str, str, str, str]] = Counter()
    responses: Counter[tuple[str, str]] = Counter()
    truncated: Counter[tuple[str, str]] = Counter()
    durations: dict[str, _Sum] = {}
    request_sizes: dict[tuple[str, str], _Sum] = {}
    response_sizes: dict[tuple[str, str], _Sum] = {}
    misses = 0
    for ledger in ledgers:
        where = ledger.view, ledger.proto
        misses += ledger.cache_misses
        asked = request_sizes.setdefault(where, _Sum(len(SIZE_BUCKETS)))
        sent = response_sizes.setdefault(where, _Sum(len(SIZE_BUCKETS)))
        durations.setdefault(ledger.view, _Sum(len(DURATION_BUCKETS_S))).add(ledger.durations, ledger.duration_s)
        for tally in ledger.tallies.values():
            requests[ledger.view, ledger.proto, ledger.family, tally.type] += tally.queries
            responses[ledger.view, Rcode(tally.rcode).name] += tally.queries
            truncated[where] += tally.queries * tally.is_truncated
            asked.add_one(tally.request_bucket, tally.queries, tally.request_octets)
            sent.add_one(tally.response_bucket, tally.queries, tally.response_octets)
    return Counters(
        requests=requests,
        responses=responses,
        truncated=truncated,
        durations={view: total.distribution() for view, total in durations.items()},
        request_sizes={where: total.distribution() for where, total in request_sizes.items()},
        response_sizes={where: total.distribution() for where, total in response_sizes.items()},
        drops=totals.drops + Counter({Drop.OVERFLOW.value: overflow}),
        malformed=Counter(totals.malformed),
        panics=totals.panics,
        tcp_open=totals.tcp_open,
        tcp_refused=Counter(totals.tcp_refused),
        tcp_closed=Counter(totals.tcp_closed),
        cache_hits=requests.total() - misses,
        cache_misses=misses,
        publishes=Counter(generations.publishes),
        generation_ages_s=generations.ages_s(),
        receive_buffer=receive_buffer,
    )


class _Sum:
    def __init__(self, bounds: int) -> None:
        self._counts = [0] * (bounds + 1)
        self._sum = 0.0

    def add(self, counts: Iterable[int], total: float) -> None:
        self._counts = [mine + more for mine, more in zip(self._counts, counts, strict=True)]
        self._sum += total

    def add_one(self, bucket: int, count: int, total: float) -> None:
        self._counts[bucket] += count
        self._sum += total

    def distribution(self) -> Distribution:
        return Distribution(tuple(self._counts), self._sum)
