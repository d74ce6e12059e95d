"""What is the native plane's own: threads, sockets that share a port, what is counted by several threads, updates that are refused."""

from __future__ import annotations

import asyncio
import os
import resource
import socket
import time
from collections import Counter
from collections.abc import Callable, Coroutine
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import pytest
import structlog

from mcsdns.errors import PlaneError
from mcsdns.metrics import SIZE_BUCKETS
from mcsdns.plane.base import Limits, Listener
from mcsdns.plane.counters import TYPE_LABELS, Closed, Drop, Refused
from mcsdns.querylog import TAKE_S, Wanted
from mcsdns.wire.faults import Fault
from mcsdns.zone.rrset import ServiceRecords, Update
from tests import zones
from tests.planes import framed, native_extension, read_frame, serving, tcp_client, udp_client
from tests.wire.messages import WEB, ask, judge

if TYPE_CHECKING:
    from mcsdns.plane.native import NativePlane

UPDATE = zones.update(zones.TEST_ZONE)
HEADLESS = ask(f"hl.test.svc.{zones.ZONE}")
T = TypeVar("T")


def run(work: Coroutine[object, object, T]) -> T:
    return asyncio.run(work)


def wait_until(is_so: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 5
    while not is_so():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def started(stack: ExitStack, threads: int, *hosts: str, pin: bool = False) -> tuple[NativePlane, list[Listener]]:
    native_extension()
    from mcsdns.plane.native import NativePlane  # noqa: PLC0415 - it is not everywhere

    plane = NativePlane(Limits(), None, threads, pin=pin)
    plane.publish(UPDATE)
    listeners = run(plane.start([Listener(host, 0, "any") for host in hosts]))
    stack.callback(lambda: run(plane.stop()))
    return plane, list(listeners)


def test_clients_are_shared_out_between_threads() -> None:
    """Each thread has a socket of its own on the one port; every client is answered, and every query counted once."""
    with ExitStack() as stack:
        plane, (listener,) = started(stack, 4, "127.0.0.1")
        first: Counter[str] = Counter()
        for _ in range(200):
            with udp_client(listener.port) as client:
                client.send(HEADLESS)
                first[judge(HEADLESS, "udp", client.recv(512)).answer[0]] += 1
        assert plane.counters().requests == {("any", "udp", "1", "A"): 200}
        assert set(first) == {"10.1.0.1", "10.1.0.2", "10.2.0.1"}


def test_the_query_log_hears_every_thread() -> None:
    """Each thread records for itself, and all of it is written."""
    with ExitStack() as stack:
        plane, (listener,) = started(stack, 4, "127.0.0.1")
        clients = [stack.enter_context(udp_client(listener.port)) for _ in range(80)]
        said = stack.enter_context(structlog.testing.capture_logs())

        async def look() -> None:
            plane.querylog.start(Wanted(seconds=60))
            for client in clients:
                client.send(HEADLESS)
                client.recv(512)
            # A thread records when the client has its answer.
            await asyncio.sleep(2 * TAKE_S)
            plane.querylog.stop("done")

        run(look())
        assert Counter(line["event"] for line in said) == {"query log on": 1, "query": 80, "query log off": 1}


@pytest.mark.parametrize("pin", [False, True])
def test_threads_are_pinned_if_asked(pin: bool) -> None:
    """Each thread for UDP runs on one core, in turns; without the setting it runs wherever the process may."""
    cores = sorted(os.sched_getaffinity(0))
    with ExitStack() as stack:
        started(stack, 3, "127.0.0.1", pin=pin)
        # A thread gives itself its name.
        wait_until(lambda: len(udp_threads()) == 3)
        allowed = [sorted(os.sched_getaffinity(number)) for _, number in sorted(udp_threads().items())]
    assert allowed == [[cores[rank % len(cores)]] if pin else cores for rank in range(3)]


def udp_threads() -> dict[str, int]:
    tasks = {(task / "comm").read_text().strip(): int(task.name) for task in Path("/proc/self/task").iterdir()}
    return {name: number for name, number in tasks.items() if name.startswith("mcsdns-udp-")}


def test_several_listeners_share_the_threads() -> None:
    """A thread serves every listener: those that wait for one do not hold up another."""
    with ExitStack() as stack:
        plane, listeners = started(stack, 2, "127.0.0.1", "127.0.0.2", "0.0.0.0")
        for _ in range(20):
            for listener in listeners:
                host = "127.0.0.3" if listener.host == "0.0.0.0" else listener.host
                with udp_client(listener.port, host) as udp, tcp_client(listener.port, host) as tcp:
                    udp.send(ask())
                    assert udp.recv(512)
                    tcp.sendall(framed(ask()))
                    assert read_frame(tcp)
        assert sum(plane.counters().requests.values()) == 120


def test_nobody_else_can_share_the_port() -> None:
    """Sockets that share a port would let a second server take half of the queries: its TCP socket does not bind."""
    with ExitStack() as stack:
        plane, (listener,) = started(stack, 2, "127.0.0.1")
        second = type(plane)(Limits(), None, 2)
        second.publish(UPDATE)
        with pytest.raises(PlaneError, match="Address already in use"):
            run(second.start([listener]))
        with udp_client(listener.port) as client:
            client.send(ask())
            assert client.recv(512)


def test_after_stop_nothing_is_bound_and_the_counters_stay() -> None:
    """A stopped plane has closed every socket, and what it has counted can still be read."""
    with ExitStack() as stack:
        plane, (listener,) = started(stack, 3, "127.0.0.1")
        with udp_client(listener.port) as client:
            client.send(ask())
            client.recv(512)
        run(plane.stop())
        for kind in (socket.SOCK_DGRAM, socket.SOCK_STREAM):
            with socket.socket(socket.AF_INET, kind) as probe:
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                probe.bind((listener.host, listener.port))
        assert plane.counters().requests == {("any", "udp", "1", "A"): 1}


def test_an_update_that_cannot_stand_in_a_zone_is_an_error_of_ours() -> None:
    """It is said, and what was published before goes on being answered."""
    with ExitStack() as stack:
        plane, (listener,) = started(stack, 1, "127.0.0.1")
        odd = ServiceRecords(zones.name("x.test.svc"), {b"\x05cut": ()})
        with pytest.raises(
            PlaneError, match="the update 2 of the view 'any' cannot be taken over: expected owner names"
        ):
            plane.publish(Update("any", 2, True, UPDATE.apex, {odd.owner: odd}))
        with pytest.raises(PlaneError, match="services of the view 'any' cannot be taken over: expected owner names"):
            plane.stage("any", {odd.owner: odd})
        with pytest.raises(
            PlaneError, match="services of the view 'west' cannot be taken over: expected a first update"
        ):
            plane.stage("west", {})
        with udp_client(listener.port) as client:
            client.send(ask(WEB))
            assert judge(ask(WEB), "udp", client.recv(512)).answer == ["10.42.42.42"]


def test_without_descriptors_accepting_rests() -> None:
    """EMFILE: one line in the log when it begins and one when it is over; UDP and what is connected go on; it is counted."""
    with ExitStack() as stack:
        logs = stack.enter_context(structlog.testing.capture_logs())
        served = stack.enter_context(serving("native", [UPDATE]))
        before = stack.enter_context(tcp_client(served.port()))
        before.sendall(framed(ask()))
        assert read_frame(before)
        udp = stack.enter_context(udp_client(served.port()))
        waiting = stack.enter_context(socket.socket())
        waiting.settimeout(5)
        limits = resource.getrlimit(resource.RLIMIT_NOFILE)
        stack.callback(resource.setrlimit, resource.RLIMIT_NOFILE, limits)
        resource.setrlimit(
            resource.RLIMIT_NOFILE, (max(int(fd.name) for fd in Path("/proc/self/fd").iterdir()) + 1, limits[1])
        )
        with ExitStack() as taken:
            with suppress(OSError):
                while True:
                    taken.callback(os.close, os.dup(waiting.fileno()))
            waiting.connect(("127.0.0.1", served.port()))
            waiting.sendall(framed(ask()))
            wait_until(lambda: bool(logs))
            before.sendall(framed(ask()))
            assert read_frame(before)
            udp.send(ask())
            assert udp.recv(512)
        resource.setrlimit(resource.RLIMIT_NOFILE, limits)
        assert read_frame(waiting)
        wait_until(lambda: len(logs) == 2)
        assert 1 <= served.counters().tcp_refused["no-descriptor"] <= 5
    assert [line["event"] for line in logs] == ["cannot accept", "accepting again"]


def test_publishing_costs_what_changes() -> None:
    """A zone of 20,000 services: replacing one takes less than a hundredth of publishing all, and so does publishing what is staged."""
    zone = native_extension().Zone()
    one = zones.update("web.test.svc A 10.0.0.1")
    (records,) = [found for found in one.services.values() if found is not None]
    many = {
        zones.name(f"s{n}.n{n % 50}.svc"): ServiceRecords(
            b"", {zones.name(f"s{n}.n{n % 50}.svc"): records.nodes[records.owner]}
        )
        for n in range(20_000)
    }
    began = time.perf_counter()
    zone.publish(Update("any", 1, True, one.apex, many))
    whole = time.perf_counter() - began
    began = time.perf_counter()
    for _ in range(20):
        zone.publish(one)
    assert (time.perf_counter() - began) / 20 < whole / 100
    took = []
    for _ in range(5):
        zone.stage(many)
        began = time.perf_counter()
        zone.publish(one)
        took.append(time.perf_counter() - began)
    assert min(took) < whole / 100


def test_labels_and_buckets_are_those_of_the_python_plane() -> None:
    """Both planes count under the same names."""
    extension = native_extension()
    assert sorted(extension.TYPES) == sorted(TYPE_LABELS)
    assert tuple(extension.SIZE_BOUNDS) == SIZE_BUCKETS
    assert {
        "drops": [drop.value for drop in Drop if drop != Drop.OVERFLOW],
        "malformed": [fault.value for fault in Fault],
        "refused": [reason.value for reason in Refused],
        "closed": [reason.value for reason in Closed],
    } == extension.NAMES
