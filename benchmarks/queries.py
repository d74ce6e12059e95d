"""
`python -m benchmarks.queries`: CPU per query and queries per second of mcsdns (both planes), CoreDNS, NSD and Knot.

Rules:
1. All serve the same names: mcsdns and CoreDNS from the same kube-apiserver, NSD and Knot from `mcsdns export`.
2. Servers are pinned to core 0, dnsperf to core 1. The runs are interleaved, one server after the other, again and
   again; a row is made of medians, and a ratio of the median of the ratios within each round.
3. Before a figure counts, a sample of the answers of each server is compared with what is right; a row whose rcodes
   differ from the mix, or with lost queries, is marked.
"""

import argparse
import contextlib
import json
import tempfile
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from statistics import median
from typing import Any, Final

from tests.servers.run import Cluster, Knot, Nsd

from .clusterset import ZONE, Question, manifests, mix, services
from .dnsperf import MODES, Run, run
from .files import export, write_questions
from .plot import mode_table
from .report import facts, say
from .servers import Mcsdns, Multicluster
from .verify import wrong_answers

PLANES: Final = ("native", "python")
SERVERS: Final = (*(f"mcsdns-{plane}" for plane in PLANES), "CoreDNS", "NSD", "Knot")
SERVER_CORE: Final = 0
BASES: Final = ("NSD", "CoreDNS")
SAMPLE: Final = 400
"""Questions whose answers are compared, of each server."""
TOLERANCE: Final = 0.005
"""Share by which rcodes may differ from the mix: a run ends somewhere within the questions."""

Rounds = Sequence[Mapping[str, Run]]


def main() -> None:
    """Measure, and print the table."""
    options = _options()
    head = facts("benchmarks.queries")
    with tempfile.TemporaryDirectory(prefix="mcsdns-queries-") as name, contextlib.ExitStack() as stack:
        servers, questions, drawn = start(options.services, options.servers, Path(name), stack)
        for server, peer in servers.items():
            say(f"comparing answers of {server}")
            if wrong := wrong_answers(peer.port, drawn[:SAMPLE]):
                raise SystemExit(f"{server} answers wrong, {len(wrong)} of {SAMPLE}; the first: {wrong[0]}")
        print(head)
        modes = {}
        for mode in options.modes:
            modes[mode] = figures(measure(options, servers, questions, mode), drawn)
            print(mode_table(mode, modes[mode]), flush=True)
    if options.json is not None:
        options.json.write_text(json.dumps({"head": head.splitlines(), "modes": modes}, indent=1) + "\n")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.queries", description=main.__doc__)
    parser.add_argument("--services", type=int, default=10_000)
    parser.add_argument("--seconds", type=float, default=10.0, help="of each run")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--modes", nargs="+", choices=[*MODES], default=[*MODES])
    parser.add_argument("--servers", nargs="+", choices=SERVERS, default=SERVERS)
    parser.add_argument(
        "--json", type=Path, metavar="FILE", help="write the figures there as well, for benchmarks.plot"
    )
    parser.add_argument(
        "--quick", action="store_true", help="see whether it works: 500 services, runs of 1 s, one round"
    )
    options = parser.parse_args()
    if options.quick:
        options.services, options.seconds, options.rounds = 500, 1.0, 1
    return options


def start(
    size: int, names: Collection[str], folder: Path, stack: contextlib.ExitStack
) -> tuple[dict[str, Any], Path, list[Question]]:
    """
    Start servers with the same names.

    Args:
        size: How many services they serve.
        names: Of `SERVERS`.
        folder: Where all of them keep their files.
        stack: Ends them.

    Returns:
        The servers by name, the file of questions for dnsperf, and the questions.
    """
    cluster = stack.enter_context(Cluster("hub", folder / "hub"))
    say(f"loading {size} services")
    with cluster.client() as api:
        api.bulk(manifest for service in services(size) for manifest in manifests(service))
    drawn = mix(size)
    questions, master = folder / "questions", folder / "zone"
    write_questions(drawn, questions)
    kubeconfig, pinned = cluster.kubeconfig(), {SERVER_CORE}
    source = {"kubeconfig": {"path": str(kubeconfig)}}
    planes = {plane: Mcsdns([source], folder / plane, pinned, plane=plane) for plane in PLANES}
    export(planes["python"].write_config(), master)
    servers: dict[str, Any] = {
        **{f"mcsdns-{plane}": server for plane, server in planes.items()},
        "CoreDNS": Multicluster(kubeconfig, folder / "coredns", pinned),
        "NSD": Nsd({ZONE: master}, folder / "nsd", pinned),
        "Knot": Knot({ZONE: master}, folder / "knot", pinned),
    }
    servers = {name: server for name, server in servers.items() if name in names}
    for name, server in servers.items():
        say(f"starting {name}")
        stack.enter_context(server)
    return servers, questions, drawn


def measure(options: argparse.Namespace, servers: Mapping[str, Any], questions: Path, mode: str) -> Rounds:
    """Run every server once to warm up, and then in rounds: `seconds` and `rounds` of the options."""
    for server in servers.values():
        run(server, server.port, questions, mode, min(3.0, options.seconds))
    rounds: list[dict[str, Run]] = []
    for number in range(options.rounds):
        rounds.append({})
        for name, server in servers.items():
            rounds[-1][name] = found = run(server, server.port, questions, mode, options.seconds)
            say(
                f"{mode}, round {number + 1}, {name}: {found.per_second:,.0f} queries/s, {found.cpu_us:.2f} µs, {found.rcodes}"
            )
    return rounds


def figures(rounds: Rounds, drawn: Sequence[Question]) -> dict[str, dict[str, Any]]:
    """Return what is told of each server in some rounds in which these questions were asked, as exact as it is printed."""
    bases = [base for base in BASES if base in rounds[0]]
    found: dict[str, dict[str, Any]] = {}
    for name in rounds[0]:
        runs = [one[name] for one in rounds]
        costs = [run.cpu_us for run in runs]
        found[name] = {
            "cpu_us": round(median(costs), 2),
            "cpu_us_least": round(min(costs), 2),
            "cpu_us_most": round(max(costs), 2),
            "ratios": {base: round(median(r[name].cpu_us / r[base].cpu_us for r in rounds), 2) for base in bases},
            "per_second": round(median(run.per_second for run in runs)),
            "answers": _fault(runs, drawn) or "all right",
        }
    return found


def _fault(runs: Sequence[Run], drawn: Sequence[Question]) -> str:
    """Tell what is wrong with the answers of some runs."""
    lost, queries = sum(found.lost for found in runs), sum(found.queries for found in runs)
    negative = sum(question.rcode != 0 for question in drawn) / len(drawn)
    odd = {rcode for found in runs for rcode in found.rcodes} - {"NOERROR", "NXDOMAIN"}
    shares = [found.share("NXDOMAIN") for found in runs]
    faults = [f"{lost} of {queries} lost"] if lost else []
    faults += [f"**{rcode}**" for rcode in sorted(odd)]
    if any(abs(share - negative) > TOLERANCE for share in shares):
        faults.append(f"NXDOMAIN {min(shares):.1%}–{max(shares):.1%} in place of {negative:.1%}")
    return ", ".join(faults)


if __name__ == "__main__":
    main()
