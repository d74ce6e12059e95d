"""
The query log: lines for some of the queries, for some minutes, for a person who looks for a fault. Off unless it was switched on.

```
Python plane ──► note ──────────► write ──► a line
native plane ──► recorder ─ take ──┘         (rust/src/querylog: what is wanted is judged in its threads)
```

Rules:
1. Off, it costs a plane one look at a flag for each batch of queries and a branch for each query.
2. It ends by itself, `seconds` after it was switched on at the latest. There is one; switching it on again replaces what was asked for.
3. It writes at most `RATE` lines a second. What is more is counted, and the count is told at the end and by `status`.
4. A line holds names and addresses of clients, which the log otherwise never does: so it is for the loopback address to switch on
   (`mcsdns.admin.querylog`), and that is said in the log, with what was asked for.
5. A line tells the same of the same query, whichever plane has answered it. Its `timestamp` is when the query was read.

Not here: who may switch it on. Why it is so: docs/decisions/0011-query-log.md.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Network, IPv6Network, ip_address
from random import Random
from typing import Protocol

import structlog
from msgspec import Struct

from mcsdns.errors import WireError
from mcsdns.wire.codes import Rcode
from mcsdns.wire.query import Query, parse
from mcsdns.zone.masterfile import type_text
from mcsdns.zone.names import is_within, to_text

RATE = 100
"""Lines a second, at most: some 30 KB, which a person can follow and a log's storage does not notice; writing them takes some 5 ms."""
TAKE_S = 0.1
"""Seconds between two looks at what a recorder has: soon for who watches the log, and 10 times a second costs nothing."""


class Wanted(Struct, frozen=True, kw_only=True):
    """
    Which queries are logged.

    Args:
        seconds: For how long.
        sample: The share of queries that are looked at at all, above 0 and at most 1.
        suffix: Only names at or below this one, lower case, wire format.
        client: Only from this network.
    """

    seconds: float
    sample: float = 1.0
    suffix: bytes | None = None
    client: IPv4Network | IPv6Network | None = None


class Noted(Struct, frozen=True, kw_only=True):
    """
    What a line tells of a query that is wanted.

    Args:
        view: Of the listener.
        proto: `udp` or `tcp`.
        client: An address.
        name: In wire format, lower case; None: it cannot be read.
        type: The QTYPE, likewise.
        rcode: All 12 bits; None: there was no response.
        size: Octets of the response; 0: there was none.
        duration_s: From reading the query to handing over its response.
        ago_s: Since it was read.
    """

    view: str
    proto: str
    client: str
    name: bytes | None
    type: int | None
    rcode: int | None
    size: int
    duration_s: float
    ago_s: float


class Recorder(Protocol):
    """What notes queries in place of `QueryLog.note`: threads that have no time for that."""

    def start(self, wanted: Wanted) -> None:
        """Record what is wanted from now on; what was recorded before is forgotten."""

    def stop(self) -> None:
        """Record nothing more; what was recorded can be taken once."""

    def take(self, most: int) -> tuple[Sequence[Noted], int]:
        """Give what was recorded since the last call, oldest first, at most so much; and how many were wanted beside that."""


class QueryLogStatus(Struct, frozen=True, kw_only=True):
    """
    How it stands with the query log.

    Args:
        on: Queries are being logged.
        left_s: For how long still.
        sample: As asked for.
        suffix: Likewise, in presentation form.
        client: Likewise.
        written: Lines since it was last switched on.
        suppressed: Queries that were wanted and got no line, because there were more than `RATE` in a second.
    """

    on: bool
    left_s: float = 0.0
    sample: float = 1.0
    suffix: str | None = None
    client: str | None = None
    written: int = 0
    suppressed: int = 0


class QueryLog:
    """
    Writes what was asked and answered.

    Args:
        clock: Seconds, from any time on, never going back.
        rng: Draws the sample.
        recorder: Of a plane that does not call `note`.

    Attributes:
        is_on: Queries are to be handed to `note`.
    """

    def __init__(
        self,
        clock: Callable[[], float] = time.monotonic,
        rng: Random | None = None,
        *,
        recorder: Recorder | None = None,
    ) -> None:
        self.is_on = False
        self.written = 0
        self.suppressed = 0
        self._clock = clock
        self._rng = rng or Random()  # noqa: S311 - a sample is no secret
        self._wanted = Wanted(seconds=0.0)
        self._until = 0.0
        self._second = 0
        self._within = 0
        self._timer: asyncio.TimerHandle | None = None
        self._recorder = recorder
        self._taking: asyncio.TimerHandle | None = None
        self._log = structlog.get_logger()

    def start(self, wanted: Wanted) -> None:
        """Log from now on, in the running loop, in place of what was asked for before."""
        self.stop("replaced")
        self._wanted = wanted
        self.written = self.suppressed = self._within = 0
        self._until = self._clock() + wanted.seconds
        self._timer = asyncio.get_running_loop().call_later(wanted.seconds, self.stop, "the time is over")
        self.is_on = True
        self._log.warning(
            "query log on", seconds=wanted.seconds, sample=wanted.sample, suffix=self._suffix(), client=self._client()
        )
        if self._recorder is not None:
            self._recorder.start(wanted)
            self._follow(self._recorder)

    def stop(self, why: str) -> None:
        """Cease to log; nothing happens where it is off."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._taking is not None:
            self._taking.cancel()
            self._taking = None
        if self.is_on:
            self.is_on = False
            if self._recorder is not None:
                self._recorder.stop()
                self._take(self._recorder)
            self._log.warning("query log off", why=why, written=self.written, suppressed=self.suppressed)

    def status(self) -> QueryLogStatus:
        """Tell how it stands."""
        left_s = max(0.0, self._until - self._clock()) if self.is_on else 0.0
        return QueryLogStatus(
            on=self.is_on,
            left_s=round(left_s, 3),
            sample=self._wanted.sample,
            suffix=self._suffix(),
            client=self._client(),
            written=self.written,
            suppressed=self.suppressed,
        )

    def note(
        self, query: bytes, response: bytes | None, *, view: str, proto: str, client: str, duration_s: float
    ) -> None:
        """
        Write a line for a query, if it is wanted. To be called while `is_on`.

        Args:
            query: As it came.
            response: What was answered; None: nothing.
            view: Of the listener.
            proto: `udp` or `tcp`.
            client: An address.
            duration_s: From reading the query to handing over its response.
        """
        wanted = self._wanted
        is_drawn = wanted.sample == 1.0 or self._rng.random() < wanted.sample
        if not is_drawn or (wanted.client is not None and not _is_from(client, wanted.client)):
            return
        try:
            asked = parse(query)
        except WireError:
            asked = Query(0)
        question = asked.question
        if wanted.suffix is not None and (question is None or not is_within(question.name, wanted.suffix)):
            return
        if not self._room():
            self.suppressed += 1
            return
        noted = Noted(
            view=view,
            proto=proto,
            client=client,
            name=question.name if question is not None else None,
            type=question.type if question is not None else None,
            rcode=_rcode(asked, response) if response is not None else None,
            size=len(response) if response is not None else 0,
            duration_s=duration_s,
            ago_s=duration_s,
        )
        self._write(noted)

    def _write(self, noted: Noted) -> None:
        """Write a line, for which there is room in this second."""
        self._within += 1
        self.written += 1
        at = datetime.now(UTC) - timedelta(seconds=noted.ago_s)
        self._log.warning(
            "query",
            timestamp=at.isoformat().replace("+00:00", "Z"),
            view=noted.view,
            client=noted.client,
            proto=noted.proto,
            name=to_text(noted.name) if noted.name is not None else None,
            type=type_text(noted.type) if noted.type is not None else None,
            rcode=Rcode(noted.rcode).name if noted.rcode is not None else None,
            size=noted.size,
            duration_ms=round(noted.duration_s * 1000, 3),
        )

    def _room(self) -> int:
        """Tell how many lines may be written in this second."""
        second = int(self._clock())
        if second != self._second:
            self._second, self._within = second, 0
        return RATE - self._within

    def _follow(self, recorder: Recorder) -> None:
        """Write what is recorded, again and again."""
        self._taking = asyncio.get_running_loop().call_later(TAKE_S, self._follow, recorder)
        self._take(recorder)

    def _take(self, recorder: Recorder) -> None:
        """Write what was recorded."""
        recorded, suppressed = recorder.take(self._room())
        self.suppressed += suppressed
        for noted in recorded:
            self._write(noted)

    def _suffix(self) -> str | None:
        return to_text(self._wanted.suffix) if self._wanted.suffix is not None else None

    def _client(self) -> str | None:
        return str(self._wanted.client) if self._wanted.client is not None else None


def _rcode(asked: Query, response: bytes) -> int:
    low = response[3] & 0xF
    # Its upper bits stand in the OPT record; this is the only one that has any (RFC 6891 §6.1.3).
    is_version_unknown = low == 0 and asked.opt is not None and asked.opt.version > 0
    return Rcode.BADVERS if is_version_unknown else low


def _is_from(client: str, network: IPv4Network | IPv6Network) -> bool:
    try:
        address = ip_address(client)
    except ValueError:  # a TCP client that has already gone has no address
        return False
    return (getattr(address, "ipv4_mapped", None) or address) in network
