"""
What a plane counts, without locks and almost without work for a query.

Rules:
1. A query adds to one `Tally` that its rendered reply already holds; labels are worked out once for each reply that is rendered.
2. `Counters` is what a scrape reads: plain numbers by label, made when it is asked for.
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

from mcsdns.wire.codes import Rcode

_TYPES = "A AAAA ANY AXFR CNAME DNSKEY DS HTTPS IXFR MX NS NSEC NSEC3 PTR RRSIG SOA SRV SVCB TXT"  # as CoreDNS 1.15
TYPE_LABELS: Mapping[int, str] = {getattr(dnslib.QTYPE, mnemonic): mnemonic for mnemonic in _TYPES.split()}
"""The types that have a label of their own."""
OTHER_TYPE = "other"

DURATION_BOUNDS_S = tuple(0.00025 * 2**power for power in range(16))
"""Upper bounds of the buckets for the time that an answer takes, seconds: 0.25 ms, doubling."""
SIZE_BOUNDS = (0, 100, 200, 300, 400, 511, 1023, 2047, 4095, 8291, 16_000, 32_000, 48_000, 64_000)
"""Upper bounds of the buckets for the sizes of messages, octets."""


class Drop(StrEnum):
    """Why a query got no response."""

    NO_HEADER = "no-header"
    RESPONSE = "response"
    UNSENT = "unsent"
    """The system did not take the response: its buffer is full, or there is no route."""


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
        request_bucket: Index in `SIZE_BOUNDS`; one more for what is above the last.
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
        durations: Queries by bucket of `DURATION_BOUNDS_S`, the last for what is above.
        duration_s: The sum, in seconds, from when a query was read to when its response was handed to the system.
        cache_misses: Queries for which there was no rendered reply that is still right.
    """

    view: str
    proto: str
    family: str
    tallies: dict[tuple[str, int, int, int, bool], Tally] = field(default_factory=dict)
    durations: list[int] = field(default_factory=lambda: [0] * (len(DURATION_BOUNDS_S) + 1))
    duration_s: float = 0.0
    cache_misses: int = 0

    def tally(self, qtype: int | None, rcode: int, request: int, response: int, is_truncated: bool) -> Tally:
        """Return the tally for a query and a response of these sizes in octets."""
        key = (
            TYPE_LABELS.get(qtype, OTHER_TYPE) if qtype is not None else OTHER_TYPE,
            rcode,
            bisect_left(SIZE_BOUNDS, request),
            bisect_left(SIZE_BOUNDS, response),
            is_truncated,
        )
        found = self.tallies.get(key)
        if found is None:
            found = self.tallies[key] = Tally(*key)
        return found

    def took(self, seconds: float) -> None:
        """Count one answer in the bucket of its duration. The sum is the caller's to keep: it knows it without adding up."""
        self.durations[bisect_left(DURATION_BOUNDS_S, seconds)] += 1


class Totals(Struct, gc=False):
    """What is counted for the plane as a whole."""

    drops: Counter[str] = field(default_factory=Counter)
    malformed: Counter[str] = field(default_factory=Counter)
    panics: int = 0
    tcp_open: int = 0
    tcp_refused: Counter[str] = field(default_factory=Counter)
    tcp_closed: Counter[str] = field(default_factory=Counter)


class Histogram(Struct, frozen=True):
    """
    A histogram.

    Args:
        counts: Observations in each bucket (not cumulative); one more for what is above the last bound.
        sum: Of all observations, in their unit.
    """

    counts: tuple[int, ...]
    sum: float


class Counters(Struct, frozen=True, kw_only=True):
    """
    What a plane has counted since it began.

    Args:
        requests: Answered queries by view, `udp` or `tcp`, family (`1` IPv4, `2` IPv6) and type.
        responses: By view and rcode.
        truncated: Responses with TC by view and proto.
        durations: By view, in seconds, with `DURATION_BOUNDS_S`.
        request_sizes: By view and proto, in octets, with `SIZE_BOUNDS`.
        response_sizes: Likewise.
        drops: Queries without a response, by `Drop`.
        malformed: Queries that got FORMERR, by `wire.faults.Fault`.
        panics: Answers that failed through an error of ours.
        tcp_open: Connections that are open now.
        tcp_refused: Connections that were not accepted, by `Refused`.
        tcp_closed: Connections that we closed, by `Closed`.
        cache_hits: Answers from a rendered reply.
        cache_misses: Answers that had to be rendered.
    """

    requests: Mapping[tuple[str, str, str, str], int]
    responses: Mapping[tuple[str, str], int]
    truncated: Mapping[tuple[str, str], int]
    durations: Mapping[str, Histogram]
    request_sizes: Mapping[tuple[str, str], Histogram]
    response_sizes: Mapping[tuple[str, str], Histogram]
    drops: Mapping[str, int]
    malformed: Mapping[str, int]
    panics: int
    tcp_open: int
    tcp_refused: Mapping[str, int]
    tcp_closed: Mapping[str, int]
    cache_hits: int
    cache_misses: int


def summarize(ledgers: Iterable[Ledger], totals: Totals) -> Counters:
    """Add up what was counted, by label."""
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
        asked = request_sizes.setdefault(where, _Sum(len(SIZE_BOUNDS)))
        sent = response_sizes.setdefault(where, _Sum(len(SIZE_BOUNDS)))
        durations.setdefault(ledger.view, _Sum(len(DURATION_BOUNDS_S))).add(ledger.durations, ledger.duration_s)
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
        durations={view: total.histogram() for view, total in durations.items()},
        request_sizes={where: total.histogram() for where, total in request_sizes.items()},
        response_sizes={where: total.histogram() for where, total in response_sizes.items()},
        drops=Counter(totals.drops),
        malformed=Counter(totals.malformed),
        panics=totals.panics,
        tcp_open=totals.tcp_open,
        tcp_refused=Counter(totals.tcp_refused),
        tcp_closed=Counter(totals.tcp_closed),
        cache_hits=requests.total() - misses,
        cache_misses=misses,
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

    def histogram(self) -> Histogram:
        return Histogram(tuple(self._counts), self._sum)
