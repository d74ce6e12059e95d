"""What the threads of the native plane have counted, by the labels of `mcsdns.metrics.Counters`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import TypeVar

from mcsdns import _plane
from mcsdns.metrics import Counters, Distribution
from mcsdns.plane.base import Listener
from mcsdns.plane.counters import OTHER_TYPE, TYPE_LABELS, Drop
from mcsdns.plane.generations import Generations
from mcsdns.wire.codes import Rcode

_Key = TypeVar("_Key")
_LABELS = (*(TYPE_LABELS[number] for number in _plane.TYPES), OTHER_TYPE)


def summarize(
    listeners: Sequence[Listener], server: _plane.Server | None, generations: Generations, receive_buffer: int
) -> Counters:
    """
    Add up what was counted, by label.

    Args:
        listeners: In the order in which the server was given them.
        server: The threads; None: none have been started.
        generations: What the plane was given.
        receive_buffer: As in `Counters`.
    """
    requests: Counter[tuple[str, str, str, str]] = Counter()
    responses: Counter[tuple[str, str]] = Counter()
    truncated: dict[tuple[str, str], int] = {}
    durations: dict[str, Distribution] = {}
    request_sizes: dict[tuple[str, str], Distribution] = {}
    response_sizes: dict[tuple[str, str], Distribution] = {}
    drops: Counter[str] = Counter()
    malformed: Counter[str] = Counter()
    for counted in server.counted() if server is not None else ():
        listener = listeners[counted.listener]
        view, proto = where = listener.view, "tcp" if counted.is_tcp else "udp"
        family = "2" if ":" in listener.host else "1"
        for label, count in zip(_LABELS, counted.types, strict=True):
            if count:
                requests[view, proto, family, label] += count
        for rcode in Rcode:
            if count := counted.rcodes[rcode]:
                responses[view, rcode.name] += count
        if sum(counted.types):
            truncated[where] = truncated.get(where, 0) + counted.truncated
        _add(durations, view, counted.durations, counted.duration_s)
        _add(request_sizes, where, counted.request_sizes, counted.request_octets)
        _add(response_sizes, where, counted.response_sizes, counted.response_octets)
        drops.update(dict(counted.drops))
        malformed.update(dict(counted.malformed))
    if server is not None and (overflow := server.dropped()):
        drops[Drop.OVERFLOW] = overflow
    return Counters(
        requests=requests,
        responses=responses,
        truncated=truncated,
        durations=durations,
        request_sizes=request_sizes,
        response_sizes=response_sizes,
        drops=drops,
        malformed=malformed,
        panics=0,
        tcp_open=server.tcp_open() if server is not None else 0,
        tcp_refused=dict(server.tcp_refused()) if server is not None else {},
        tcp_closed=dict(server.tcp_closed()) if server is not None else {},
        # Every answer is put together from RRsets that were rendered when they were published.
        cache_hits=requests.total(),
        cache_misses=0,
        publishes=Counter(generations.publishes),
        generation_ages_s=generations.ages_s(),
        receive_buffer=receive_buffer,
    )


def _add(to: dict[_Key, Distribution], key: _Key, counts: Iterable[int], total: float) -> None:
    found = to.get(key)
    if found is not None:
        counts = (mine + more for mine, more in zip(found.counts, counts, strict=True))
        total += found.sum
    to[key] = Distribution(tuple(counts), total)
