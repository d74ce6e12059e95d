"""
`python -m benchmarks.native`: what the native plane's costs depend on: sizes of answers, size of the zone, number of threads.

Rules:
1. Servers are on core 0, dnsperf is on core 1, and runs are interleaved, as in `queries`. mcsdns serves from a folder of manifests,
   NSD and Knot from its export.
2. A connection for each query is asked one after the other (`stream`). Large answers are those of one headless service each, asked
   alone, with EDNS over UDP (cut at 1,232 octets) and over TCP (`stream`).
3. Threads: the server has both cores, and dnsperf, with 64 sockets, one of them as well. So what two threads bring is read from
   the CPU that a query costs: twice the cost of one thread over that of two.
"""

import argparse
import contextlib
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from statistics import median
from typing import Any, Final

from tests.servers.run import Knot, Nsd, rss_bytes

from .clusterset import NOERROR, SRV, ZONE, A, Object, Question, mix, services
from .dnsperf import CLIENT_CORE, run
from .files import export, manifest_text, write_manifests, write_questions
from .queries import SERVER_CORE, measure
from .report import facts, say, table
from .servers import Mcsdns
from .stream import connection_cost_us, cost_us

_ENDPOINTS: Final = (60, 300, 1500)
_IN_SLICE: Final = 100
_CLIENTS: Final = 64
_COPIES: Final = 1000


def main() -> None:
    """Measure, and print the tables."""
    parts = {"large": _large, "sizes": _sizes, "threads": _threads, "memory": _memory}
    parser = argparse.ArgumentParser(prog="python -m benchmarks.native", description=main.__doc__)
    parser.add_argument("--parts", nargs="+", choices=parts, default=[*parts])
    parser.add_argument("--seconds", type=float, default=4.0, help="of each run")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--sizes", type=int, nargs="+", default=[1_000, 10_000, 100_000], help="services")
    options = parser.parse_args()
    print(facts("benchmarks.native"))
    for part in options.parts:
        with tempfile.TemporaryDirectory(prefix="mcsdns-native-") as name, contextlib.ExitStack() as stack:
            print(parts[part](options, Path(name), stack), flush=True)


def _large(options: argparse.Namespace, folder: Path, stack: contextlib.ExitStack) -> str:
    source = folder / "manifests"
    source.mkdir()
    objects = [manifest for count in _ENDPOINTS for manifest in _headless(count)]
    (source / "large.json").write_text(manifest_text(objects, "json"))
    mcsdns = Mcsdns([{"manifests": str(source)}], folder / "mcsdns", {SERVER_CORE}, plane="native")
    master = folder / "zone"
    export(mcsdns.write_config(), master)
    servers: dict[str, Any] = {
        "mcsdns": mcsdns,
        "NSD": Nsd({ZONE: master}, folder / "nsd", {SERVER_CORE}),
        "Knot": Knot({ZONE: master}, folder / "knot", {SERVER_CORE}),
    }
    for server in servers.values():
        stack.enter_context(server)
    rows: list[list[str]] = []
    small = f"pod-1.east.large-60.team.svc.{ZONE}"
    each = [
        {name: connection_cost_us(server, server.port, small, options.seconds) for name, server in servers.items()}
        for _ in range(options.rounds)
    ]
    rows.append(_row("one address", "TCP, a connection each", each))
    for count in _ENDPOINTS:
        for text, qtype in (("A", A), ("SRV", SRV)):
            question = Question(f"large-{count}.team.svc.{ZONE}", qtype, NOERROR, frozenset())
            questions = folder / f"{count}-{text}"
            write_questions([question] * _COPIES, questions)
            over_udp = [
                {name: one.cpu_us for name, one in found.items()}
                for found in measure(options, servers, questions, "UDP with EDNS")
            ]
            over_tcp = [
                {
                    name: cost_us(server, server.port, question.name, qtype, options.seconds)
                    for name, server in servers.items()
                }
                for _ in range(options.rounds)
            ]
            for mode, rounds in (("UDP", over_udp), ("TCP", over_tcp)):
                rows.append(_row(f"{count} endpoints, {text}", mode, rounds))
                say(" ".join(rows[-1]))
    return table(["answers", "over", *(f"{name} µs" for name in servers), "mcsdns ÷ NSD", "÷ Knot"], rows)


def _row(what: str, mode: str, rounds: Sequence[Mapping[str, float]]) -> list[str]:
    costs = [f"{median(found[name] for found in rounds):.2f}" for name in rounds[0]]
    ratios = [f"{median(found['mcsdns'] / found[base] for found in rounds):.2f}" for base in ("NSD", "Knot")]
    return [what, mode, *costs, *ratios]


def _headless(count: int) -> Iterator[Object]:
    """Give the objects of a headless service with that many endpoints, in one cluster."""
    name, port = f"large-{count}", {"name": "http", "protocol": "TCP", "port": 8080}
    yield {
        "apiVersion": "multicluster.x-k8s.io/v1beta1",
        "kind": "ServiceImport",
        "metadata": {"namespace": "team", "name": name},
        "spec": {"type": "Headless", "ports": [port]},
        "status": {"clusters": [{"cluster": "east"}]},
    }
    for start in range(0, count, _IN_SLICE):
        numbers = range(start, min(count, start + _IN_SLICE))
        labels = {
            "multicluster.kubernetes.io/service-name": name,
            "multicluster.kubernetes.io/source-cluster": "east",
        }
        yield {
            "apiVersion": "discovery.k8s.io/v1",
            "kind": "EndpointSlice",
            "metadata": {"namespace": "team", "name": f"{name}-{start}", "labels": labels},
            "addressType": "IPv4",
            "endpoints": [
                {"addresses": [f"10.1.{number >> 8}.{number & 255}"], "hostname": f"pod-{number}"} for number in numbers
            ],
            "ports": [port],
        }


def _sizes(options: argparse.Namespace, folder: Path, stack: contextlib.ExitStack) -> str:
    started: dict[int, tuple[Mcsdns, Path]] = {}
    for count in options.sizes:
        server, questions = _serving(count, folder / str(count), stack, {SERVER_CORE})
        started[count] = server, questions
    found: dict[int, list[float]] = {count: [] for count in started}
    for number in range(options.rounds + 1):
        for count, (server, questions) in started.items():
            cost = run(server, server.port, questions, "UDP", options.seconds).cpu_us
            say(f"round {number}, {count} services: {cost:.2f} µs")
            # The first round warms up.
            found[count] += [cost] if number else []
    least = min(started)
    rows = [
        [f"{count:,}", f"{median(costs):.2f}", f"{median(map(_ratio, costs, found[least])):.2f}"]
        for count, costs in found.items()
    ]
    return table(["services", "CPU µs per UDP query", f"÷ {least:,}"], rows)


def _ratio(one: float, other: float) -> float:
    return one / other


def _threads(options: argparse.Namespace, folder: Path, stack: contextlib.ExitStack) -> str:
    started = {threads: _serving(10_000, folder / str(threads), stack, None, threads=threads) for threads in (1, 2)}
    rounds: list[dict[int, Any]] = []
    for number in range(options.rounds):
        rounds.append({})
        for threads, (server, questions) in started.items():
            rounds[-1][threads] = one = run(
                server, server.port, questions, "UDP", options.seconds, cores=str(CLIENT_CORE), clients=_CLIENTS
            )
            say(f"round {number + 1}, {threads} threads: {one.per_second:,.0f}/s, {one.cpu_us:.2f} µs")
    scale = median(2 * found[1].cpu_us / found[2].cpu_us for found in rounds)
    rows = []
    for threads in started:
        cost = median(found[threads].cpu_us for found in rounds)
        per_second = median(found[threads].per_second for found in rounds)
        rows.append([str(threads), f"{per_second:,.0f}", f"{per_second * cost / 1e6:.2f}", f"{cost:.2f}"])
    rows[-1].append(f"{scale:.2f}")
    rows[0].append("1")
    return table(
        ["threads", "queries/s", "cores used by the server", "CPU µs per query", "× one thread, per core"], rows
    )


def _memory(_: argparse.Namespace, folder: Path, stack: contextlib.ExitStack) -> str:
    rows = []
    for plane in ("native", "python"):
        for count in (1, 10_000):
            server, _questions = _serving(count, folder / f"{plane}-{count}", stack, None, plane=plane)
            rows.append([plane, f"{count:,}", f"{rss_bytes(server.pid) / 1e6:.0f}"])
            server.stop()
    return table(["plane", "services", "MB resident"], rows)


def _serving(
    count: int,
    folder: Path,
    stack: contextlib.ExitStack,
    cpus: set[int] | None,
    plane: str = "native",
    threads: int = 1,
) -> tuple[Mcsdns, Path]:
    """Start mcsdns with that many services, and write questions about them."""
    say(f"starting with {count} services")
    write_manifests(services(count), folder / "manifests", "json")
    questions = folder / "questions"
    write_questions(mix(count), questions)
    settings = {"threads": threads}
    server = Mcsdns([{"manifests": str(folder / "manifests")}], folder / "mcsdns", cpus, plane=plane, settings=settings)
    stack.enter_context(server)
    return server, questions


if __name__ == "__main__":
    main()
