"""The query log of a plane that serves: the same lines from both, and nobody waits for them."""

from __future__ import annotations

import random
import socket
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from ipaddress import ip_network
from statistics import median
from typing import Any

import pytest
from structlog.testing import capture_logs

from mcsdns import querylog
from mcsdns.querylog import RATE, Wanted
from mcsdns.zone.names import from_text
from tests import zones
from tests.plane.test_addresses import needs_ipv6
from tests.planes import Served, framed, read_frame, serving, tcp_client, udp_client
from tests.wire.messages import WEB, ask, header, opt, question, tsig

UPDATE = zones.update(zones.TEST_ZONE)
LAST = ask("last.", "TXT")
"""What is asked behind a query that may get no answer."""
Lines = list[dict[str, Any]]


def wait_until(is_so: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 5
    while not is_so():
        assert time.monotonic() < deadline
        time.sleep(0.01)


@contextmanager
def logging(served: Served, **wanted: Any) -> Iterator[Lines]:
    """Switch the query log on, and off at the end of the block. Then there are the lines, but for those about `LAST`."""
    found: Lines = []
    with capture_logs() as said:
        served.run(start(served, **wanted))
        try:
            yield found
        finally:
            served.run(stop(served))
        found += [dict(line) for line in said if line["event"] == "query" and line["name"] != "last."]


async def start(served: Served, **wanted: Any) -> None:
    served.plane.querylog.start(Wanted(**{"seconds": 60.0} | wanted))


async def stop(served: Served) -> None:
    served.plane.querylog.stop("the test has seen enough")


def noted(served: Served) -> int:
    """Tell how many were wanted so far."""
    return served.plane.querylog.written + served.plane.querylog.suppressed


def over_udp(port: int, *queries: bytes, host: str = "127.0.0.1", source: str = "") -> list[bytes]:
    """Ask, and give what was answered, when no more comes. Answers to what came together come in any order."""
    answers: list[bytes] = []
    with udp_client(port, host) if not source else socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        if source:
            client.settimeout(5)
            client.bind((source, 0))
            client.connect((host, port))
        for query in (*queries, LAST):
            client.send(query)
        while not any(answer[:2] == LAST[:2] and b"\x04last" in answer for answer in answers):
            answers.append(client.recv(65535))
        # What left together is all there, but for a moment.
        client.settimeout(0.02)
        with suppress(TimeoutError):
            while True:
                answers.append(client.recv(65535))
    return [answer for answer in answers if b"\x04last" not in answer]


def over_tcp(port: int, *queries: bytes, host: str = "127.0.0.1") -> list[bytes]:
    """Ask, and give what was answered until the end."""
    answers: list[bytes] = []
    with tcp_client(port, host) as client:
        client.sendall(b"".join(map(framed, queries)))
        client.shutdown(socket.SHUT_WR)
        while (answer := read_frame(client)) is not None:
            answers.append(answer)
    return answers


def facts(lines: Lines) -> list[tuple[object, ...]]:
    """Give what does not depend on time."""
    keys = ("view", "client", "proto", "name", "type", "rcode", "size")
    for line in lines:
        assert set(line) == {"event", "log_level", "timestamp", "duration_ms", *keys}
        assert 0 <= line["duration_ms"] < 5000
    return [tuple(line[key] for key in keys) for line in lines]


def test_a_line_for_each_query(plane_name: str) -> None:
    """Both transports: who asked what in which view, and what they got, how large, how soon; names are in lower case."""
    queries = [ask("WEB.test.svc.clusterset.local."), ask("nosuch.test.svc.clusterset.local.", "SRV"), ask(WEB, 65280)]
    with serving(plane_name, [UPDATE]) as served:
        over_udp(served.port(), *queries)
        with logging(served) as lines:
            before = datetime.now(UTC) - timedelta(milliseconds=1)
            udp = [answer for query in queries for answer in over_udp(served.port(), query)]
            tcp = over_tcp(served.port(), *queries)
            after = datetime.now(UTC) + timedelta(milliseconds=1)
            wait_until(lambda: noted(served) == 9)
        over_udp(served.port(), *queries)
    asked = [
        ("web.test.svc.clusterset.local.", "A", "NOERROR"),
        ("nosuch.test.svc.clusterset.local.", "SRV", "NXDOMAIN"),
        ("web.test.svc.clusterset.local.", "TYPE65280", "NOERROR"),
    ]
    assert facts(lines) == [
        ("any", "127.0.0.1", proto, *what, len(answer))
        for proto, answers in (("udp", udp), ("tcp", tcp))
        for what, answer in zip(asked, answers, strict=True)
    ]
    assert all(line["duration_ms"] > 0 for line in lines)
    assert all(before <= datetime.fromisoformat(line["timestamp"]) <= after for line in lines)


ODD = [
    (b"x", None, None, None),
    (header(0x8000), None, None, None),
    (ask(flags=0x8100), None, None, None),
    (header(), None, None, "FORMERR"),
    (header(counts=(2, 0, 0, 0)) + question() * 2, None, None, "FORMERR"),
    (ask(WEB, "A", opt()[:-1]), WEB, "A", "FORMERR"),
    (ask(WEB, "A", opt(version=1)), WEB, "A", "BADVERS"),
    (ask(WEB, "A", tsig()), WEB, "A", "NOTAUTH"),
    (ask(WEB, "AXFR"), WEB, "AXFR", "REFUSED"),
    (ask(WEB, "A", flags=0x2800), WEB, "A", "NOTIMP"),
    (ask("."), ".", "A", "REFUSED"),
    (ask(b'\x07\xff \x00\\."a\x00'), r"\255\032\000\\\.\"a.", "A", "REFUSED"),
    (ask("many.test.svc.clusterset.local."), "many.test.svc.clusterset.local.", "A", "NOERROR"),
]


@pytest.mark.parametrize(("query", "name", "qtype", "rcode"), ODD)
def test_what_is_odd(plane_name: str, query: bytes, name: str | None, qtype: str | None, rcode: str | None) -> None:
    """A query without a response has neither rcode nor size, one that cannot be read no name; the rcode above 15 is told."""
    with serving(plane_name, [UPDATE]) as served, logging(served) as lines:
        udp, tcp = over_udp(served.port(), query), over_tcp(served.port(), query)
        wait_until(lambda: noted(served) == 3)
    sizes = [len(answers[0]) if answers else 0 for answers in (udp, tcp)]
    assert facts(lines) == [
        ("any", "127.0.0.1", proto, name, qtype, rcode, size) for proto, size in zip(("udp", "tcp"), sizes, strict=True)
    ]


def test_a_length_of_zero(plane_name: str) -> None:
    """What ends a TCP connection is seen, and so is an empty datagram."""
    with serving(plane_name, [UPDATE]) as served, logging(served) as lines:
        over_udp(served.port(), b"")
        over_tcp(served.port(), ask(), b"", ask())
        wait_until(lambda: noted(served) == 4)
    assert [(line["proto"], line["name"], line["rcode"]) for line in lines] == [
        ("udp", None, None),
        ("tcp", WEB, "NOERROR"),
        ("tcp", None, None),
    ]


@needs_ipv6
@pytest.mark.parametrize("host", ["::1", "::"])
def test_an_ipv6_client(plane_name: str, host: str) -> None:
    """Its address as people write it."""
    with serving(plane_name, [UPDATE], hosts=[host]) as served, logging(served, client=ip_network("::/64")) as lines:
        over_udp(served.port(), ask(), host="::1")
        over_tcp(served.port(), ask(), host="::1")
        wait_until(lambda: noted(served) == 3)
    assert [(line["proto"], line["client"]) for line in lines] == [("udp", "::1"), ("tcp", "::1")]


def test_listeners_and_views(plane_name: str) -> None:
    """A line names the view of the listener that was asked, on a wildcard address as well."""
    updates = [zones.update(zones.RECORDS, view=view) for view in ("west", "east")]
    with serving(plane_name, updates, hosts=["127.0.0.1", "0.0.0.0"]) as served, logging(served) as lines:
        for number, listener in enumerate(served.listeners):
            over_udp(listener.port, ask(f"u{number}."))
            over_tcp(listener.port, ask(f"t{number}."))
        wait_until(lambda: noted(served) == 12)
    assert [listener.view for listener in served.listeners] == ["west", "west", "east", "east"]
    assert {(line["proto"], line["name"]): line["view"] for line in lines} == {
        (proto, f"{proto[0]}{number}."): view
        for proto in ("udp", "tcp")
        for number, view in enumerate(["west", "west", "east", "east"])
    }


@pytest.mark.parametrize(
    ("suffix", "is_wanted"),
    [
        ("test.svc.clusterset.local", True),
        ("WEB.test.svc.clusterset.local", True),
        ("est.svc.clusterset.local", False),
        ("a.web.test.svc.clusterset.local", False),
        (".", True),
    ],
)
def test_a_suffix(plane_name: str, suffix: str, is_wanted: bool) -> None:
    """Names at or below it, in any case, label by label; what has no name is not within the root either."""
    with serving(plane_name, [UPDATE]) as served, logging(served, suffix=from_text(suffix)) as lines:
        over_udp(served.port(), ask("wEb.tEst.svc.clusterset.local."), b"x", header())
        over_tcp(served.port(), ask(), header())
        time.sleep(0.15)
    assert len(lines) == 2 * is_wanted


def test_a_network(plane_name: str) -> None:
    """Clients of the network alone."""
    with (
        serving(plane_name, [UPDATE], hosts=["0.0.0.0"]) as served,
        logging(served, client=ip_network("127.0.0.2/31")) as lines,
    ):
        for last in (1, 2, 3, 4):
            over_udp(served.port(), ask(), source=f"127.0.0.{last}")
            over_tcp(served.port(), ask())
        wait_until(lambda: noted(served) == 4)
    assert [line["client"] for line in lines] == ["127.0.0.2", "127.0.0.3"]


def test_a_sample(plane_name: str) -> None:
    """About so large a share, of the queries over either transport."""
    with serving(plane_name, [UPDATE]) as served, logging(served, sample=0.25):
        for _ in range(25):
            over_udp(served.port(), *[ask()] * 19)
            over_tcp(served.port(), *[ask()] * 20)
        time.sleep(0.15)
        assert 150 <= noted(served) <= 350


def test_it_ends_with_its_time(plane_name: str) -> None:
    """What was asked in time is written, and what is asked later is not even recorded; another start counts anew."""
    with serving(plane_name, [UPDATE]) as served, capture_logs() as said:
        served.run(start(served, seconds=0.3))
        over_udp(served.port(), ask())
        wait_until(lambda: not served.plane.querylog.is_on)
        over_udp(served.port(), ask("late."))
        served.run(start(served))
        over_tcp(served.port(), ask("again."))
        served.run(stop(served))
    assert [line.get("name") or line["event"] for line in said] == [
        "query log on",
        WEB,
        "last.",
        "query log off",
        "query log on",
        "again.",
        "query log off",
    ]
    assert (said[3]["why"], said[3]["written"], said[-1]["written"]) == ("the time is over", 2, 1)


def test_another_start_replaces(plane_name: str) -> None:
    """What was asked for before is over, with its count, and what was noted for it is written."""
    with serving(plane_name, [UPDATE]) as served, capture_logs() as said:
        served.run(start(served))
        over_tcp(served.port(), ask())
        served.run(start(served, suffix=from_text("test.svc.clusterset.local")))
        over_tcp(served.port(), ask(), ask("other."))
        served.run(stop(served))
    events = [line.get("name") or line["event"] for line in said]
    assert events == ["query log on", WEB, "query log off", "query log on", WEB, "query log off"]
    assert [line["written"] for line in said if line["event"] == "query log off"] == [1, 1]


def test_the_end_of_the_server(plane_name: str) -> None:
    """A server that stops says that the log ends with it, and writes what it has noted."""
    with capture_logs() as said:
        with serving(plane_name, [UPDATE]) as served:
            served.run(start(served))
            over_tcp(served.port(), ask())
        assert not served.plane.querylog.is_on
    assert [line.get("why") or line.get("name") for line in said] == [None, WEB, "the server stops"]


def mutated(rng: random.Random) -> bytes:
    seeds = [ask(), ask(WEB, "A", opt()), ask(WEB, "SRV", opt(version=1)), ask(WEB, "A", tsig()), header(), b""]
    packet = bytearray(rng.choice(seeds))
    for _ in range(rng.randrange(5)):
        at = rng.randrange(len(packet) + 1)
        match rng.randrange(3):
            case 0:
                packet[at:at] = rng.randbytes(rng.randrange(9))
            case 1:
                del packet[at:]
            case _:
                packet[at : at + 1] = rng.randbytes(1)
    return bytes(packet)


TCP_PACKETS = [query for query, _, _, _ in ODD]


def lines_of(plane_name: str, packets: Sequence[bytes], size: int) -> Lines:
    """Give the lines of hostile packets, a few of which are on their way at once."""
    with serving(plane_name, [UPDATE]) as served, logging(served) as lines:
        for at in range(0, len(packets), size):
            before = noted(served)
            over_udp(served.port(), *packets[at : at + size])
            wait_until(lambda before=before, at=at: noted(served) == before + len(packets[at : at + size]) + 1)  # type: ignore[misc]
        before = noted(served)
        for packet in TCP_PACKETS:
            over_tcp(served.port(), packet, ask())
        wait_until(lambda: noted(served) == before + 2 * len(TCP_PACKETS))
    return lines


def test_both_planes_write_the_same_of_any_packet(monkeypatch: pytest.MonkeyPatch) -> None:
    """Hostile packets are answered as ever, and their lines agree in all but time."""
    monkeypatch.setattr(querylog, "RATE", 1_000_000)
    rng = random.Random(7)
    packets = [mutated(rng) for _ in range(1000)]
    found = {name: facts(lines_of(name, packets, 100)) for name in ("python", "native")}
    assert len(found["python"]) >= 1000
    assert found["native"] == found["python"]
    assert len(Counter(line[5] for line in found["python"])) >= 4, "they differ in their rcodes"


@pytest.mark.parametrize(("queries", "most_ratio"), [(20_000, 3.0)])
def test_under_load(plane_name: str, queries: int, most_ratio: float) -> None:
    """No query is lost or held up by it, lines keep to their rate, and all others are counted."""
    queries //= 1 if plane_name == "native" else 10
    with serving(plane_name, [UPDATE]) as served:
        load(served.port(), queries // 4)
        idle = load(served.port(), queries)
        with logging(served) as lines:
            began = time.monotonic()
            busy = load(served.port(), queries)
            wait_until(lambda: noted(served) == queries)
            took_s = time.monotonic() - began
            written = served.plane.querylog.written
    assert written == len(lines) <= RATE * (int(took_s) + 2)
    assert written >= RATE
    if plane_name == "native":
        # The Python plane writes between two answers, so there it costs what a line costs.
        assert median(busy) < most_ratio * median(idle)


def load(port: int, queries: int, window: int = 50) -> list[float]:
    """Ask so many; give the seconds of each window of queries that were on their way at once."""
    took = []
    with udp_client(port) as client:
        for _ in range(queries // window):
            began = time.perf_counter()
            for _ in range(window):
                client.send(ask())
            for _ in range(window):
                client.recv(512)
            took.append(time.perf_counter() - began)
    return took
