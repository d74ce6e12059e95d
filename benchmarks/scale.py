"""
`python -m benchmarks.scale`: what starts, memory and changes cost at 1,000, 10,000 and 50,000 services.

Rules:
1. From folders of manifests, and from a real kube-apiserver with CoreDNS `kubernetes … multicluster` beside mcsdns: the same
   objects, the same questions. Only one of the two runs at a time, in turns.
2. Servers are not pinned: the API server, the server that is measured and what asks it share the cores, as they do where
   they run. What asks and writes is on core 1, ahead of the others.
3. A row is made of medians over the rounds, but for what must not be at all, which is added up.
"""

import argparse
import contextlib
import tempfile
from collections.abc import Iterator
from pathlib import Path
from statistics import median
from typing import Final

from tests.servers.run import Cluster, Server

from .changes import cpu_of_change, latencies
from .clusterset import address_question, manifests, services
from .files import write_manifests
from .folder_changes import folder_changes
from .rates import HEAD as RATES
from .rates import Make, Plans, peers, rate_rows
from .report import facts, say, table
from .servers import Mcsdns, settle
from .start import Start, watch_start

YAML_MOST: Final = 10_000
"""Services: YAML takes a hundred times as long to read as JSON."""
SLOW: Final = 20.0
"""Changes a second where one change shall not meet another."""
LIMIT_S: Final = 300.0
PARTS: Final = ("json", "yaml", "api", "rates")

STARTS = ("services", "source", "server", "ready s", "first right s", "every name right s", "CPU s")
MEMORY = ("MB when right", "MB after all were asked", "MB peak", "false of answers")
CHANGES = ("services", "source", "server", "answer p50 ms", "p99 ms", "CPU ms per change", "changes")


class Scale:
    """The measurements, and the rows that they give."""

    def __init__(self, options: argparse.Namespace, folder: Path) -> None:
        self._options = options
        self._folder = folder
        self.starts: list[list[str]] = []
        self.changes: list[list[str]] = []
        self.rates: list[list[str]] = []

    def from_folder(self, count: int, form: str) -> None:
        """Measure with a folder of manifests."""
        say(f"{count} services, {form}")
        folder = self._folder / f"{form}-{count}"
        plane = self._options.plane
        every = services(count)
        files = write_manifests(every, folder / "objects", form)

        def make(waits: bool) -> Mcsdns:
            return Mcsdns([{"manifests": str(folder / "objects")}], folder / "mcsdns", waits=waits, plane=plane)

        if not self._starts(count, f"manifests, {form.upper()}", {"mcsdns": make}):
            return
        with make(True) as server:
            settle(server.pid)
            found = folder_changes(server.pid, server.port, every, files, self._options.changes, self._options.limit)
        p50, p99 = median(found.seconds), sorted(found.seconds)[int(len(found.seconds) * 0.99)]
        self.changes.append(
            [f"{count:,}", f"manifests, {form.upper()}", "mcsdns", f"{p50 * 1e3:.0f}", f"{p99 * 1e3:.0f}"]
        )
        self.changes[-1] += [f"{found.cpu_s * 1e3:.2f}", f"{len(found.seconds)}"]

    def from_api(self, count: int, *, has_starts: bool, has_rates: bool) -> None:
        """Measure with an API server."""
        folder = self._folder / f"api-{count}"
        with Cluster("hub", folder / "hub") as cluster:
            say(f"{count} services, loading the API server")
            with cluster.client() as api:
                api.bulk(manifest for service in services(count) for manifest in manifests(service))
            makes, plans = peers(cluster, folder, [self._options.plane]), Plans(cluster)
            if has_starts:
                self._starts(count, "API server", makes)
                for name, make in makes.items():
                    self._one_change(count, name, make, plans)
            if has_rates:
                options = self._options
                self.rates += rate_rows(makes, plans, options.rates, options.rounds, options.seconds)

    def _starts(self, count: int, source: str, makes: dict[str, Make]) -> bool:
        """Start each server in turns, and tell whether any start succeeded."""
        questions = [address_question(service) for service in services(count)]
        found: dict[str, list[Start]] = {name: [] for name in makes}
        for _ in range(self._options.rounds):
            for name, make in makes.items():
                server = make(False)
                admin_port = server.admin_port if isinstance(server, Mcsdns) else None
                with _stopped(server):
                    try:
                        found[name].append(watch_start(server, server.port, questions, admin_port, LIMIT_S))
                    except TimeoutError as error:
                        say(f"{count} services, {source}, {name}: **failed**: {error}")
                        continue
                say(f"{count} services, {source}, {name}: {found[name][-1]}")
        for name, rounds in found.items():
            failed = f"; {self._options.rounds - len(rounds)} failed" if len(rounds) < self._options.rounds else ""
            self.starts.append([f"{count:,}", source, name + failed, *(_start_row(rounds) if rounds else ())])
        return any(found.values())

    def _one_change(self, count: int, name: str, make: Make, plans: Plans) -> None:
        with make(True) as server:
            settle(server.pid)
            seen = latencies(server.port, plans.next(self._options.changes, SLOW))
            cpu_s = cpu_of_change(server.pid, plans.next(max(500, self._options.changes), 2.5 * SLOW))
        row = [f"{count:,}", "API server", name, f"{seen.at(50) * 1e3:.2f}", f"{seen.at(99) * 1e3:.2f}"]
        self.changes.append([*row, f"{cpu_s * 1e3:.2f}", f"{len(seen.seconds)}"])
        say(" | ".join(self.changes[-1]))


def main() -> None:
    """Measure, and print the tables."""
    options = _options()
    head = facts("benchmarks.scale")
    with tempfile.TemporaryDirectory(prefix="mcsdns-scale-") as name:
        scale = Scale(options, Path(name))
        try:
            for count in options.sizes:
                for form in ("json", "yaml"):
                    if form in options.parts and (form == "json" or count <= YAML_MOST):
                        scale.from_folder(count, form)
                has_starts, has_rates = "api" in options.parts, "rates" in options.parts and count == options.rates_at
                if has_starts or has_rates:
                    scale.from_api(count, has_starts=has_starts, has_rates=has_rates)
        finally:  # what was measured before an error is worth reading
            print(head)
            print(table(STARTS + MEMORY, scale.starts))
            print(table(CHANGES, scale.changes))
            print(table(RATES, scale.rates))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.scale", description=main.__doc__)
    parser.add_argument("--sizes", type=int, nargs="+", default=[1_000, 10_000, 50_000])
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=[*PARTS])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--plane", choices=["auto", "native", "python"], default="auto", help="of mcsdns")
    parser.add_argument("--changes", type=int, default=200, help="where one change is measured")
    parser.add_argument("--limit", type=float, default=120.0, help="seconds for the changes of one folder")
    parser.add_argument("--rates", type=int, nargs="+", default=[100, 300, 500], help="changes a second")
    parser.add_argument("--rates-at", type=int, default=10_000, help="services, where changes come at rates")
    parser.add_argument("--seconds", type=float, default=20.0, help="of each rate")
    parser.add_argument("--quick", action="store_true", help="see whether it works: 400 services, one round")
    options = parser.parse_args()
    if options.quick:
        options.sizes, options.rates_at, options.rates = [400], 400, [50]
        options.rounds, options.changes, options.seconds = 1, 20, 2.0
    return options


@contextlib.contextmanager
def _stopped(server: Server) -> Iterator[None]:
    """End a server after the block, wherever it stands."""
    try:
        yield
    finally:
        server.stop()


def _start_row(rounds: list[Start]) -> list[str]:
    ready = [start.ready_s for start in rounds if start.ready_s is not None]
    times = [[start.first_right_s for start in rounds], [start.all_right_s for start in rounds]]
    memory = [[start.rss for start in rounds], [start.asked_rss for start in rounds], [start.peak for start in rounds]]
    false, answers = sum(start.false for start in rounds), sum(start.answers for start in rounds)
    return [
        f"{median(ready):.2f}" if ready else "–",
        *(f"{median(column):.2f}" for column in times),
        f"{median(start.cpu_s for start in rounds):.2f}",
        *(f"{median(column) / 1e6:.0f}" for column in memory),
        f"{false} of {answers:,}",
    ]


if __name__ == "__main__":
    main()
