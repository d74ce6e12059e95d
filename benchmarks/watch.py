"""
`python -m benchmarks.watch`: what it takes to follow many member clusters, at rest, in a storm and in an outage.

| part | what is measured | module |
|---|---|---|
| `rest` | starts, memory, connections and CPU with 1, 10 and 20 clusters that say nothing | `rest` |
| `rates` | from the acknowledgement of a change to its answer, at 100, 500 and 1,000 a second, beside CoreDNS | `rates` |
| `relist` | 20 clusters that are all listed again at once, 10,000 slices each | `relist` |
| `failing` | requests per second against a server that fails, for hours | `virtual` |
| `outage` | an hour without any cluster | `virtual` |

Not here: a single start and a single change (`scale`).
"""

import argparse
import logging
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Final

import structlog

from tests.servers.run import Cluster

from .clusterset import manifests, services
from .fleet import Fleet
from .rates import HEAD, Plans, peers, rate_rows
from .relist import HEAD as RELIST
from .relist import relist_rows
from .report import facts, say, table
from .rest import HEAD as REST
from .rest import SLOPE, rest_tables
from .virtual import FAILING, OUTAGE, failing_rows, outage_rows

SLICES_AT_REST: Final = 2
"""Of each service, as in the other benchmarks."""
SERVICES_AT_RATES: Final = 10_000
CORE: Final = {1}
"""Where the fleet is: mcsdns has the other."""


class Watch:
    """The measurements; each part returns its tables."""

    def __init__(self, options: argparse.Namespace, folder: Path) -> None:
        self._options = options
        self._folder = folder

    def rest(self) -> str:
        """Watch clusters that say nothing."""
        options, folder = self._options, self._folder / "rest"
        with Fleet(folder, max(options.clusters), options.services, SLICES_AT_REST, CORE) as fleet:
            rows, slopes = rest_tables(fleet, options.clusters, options.planes, options.rest, folder)
        return f"{table(REST, rows)}\n{table(SLOPE, slopes)}"

    def rates(self) -> str:
        """Watch one cluster that changes all the time."""
        options, folder = self._options, self._folder / "rates"
        with Cluster("hub", folder / "hub") as cluster:
            say(f"loading {options.at_rates} services")
            with cluster.client() as api:
                api.bulk(manifest for service in services(options.at_rates) for manifest in manifests(service))
            makes = peers(cluster, folder, options.planes)
            return table(HEAD, rate_rows(makes, Plans(cluster), options.rates, options.rounds, options.seconds))

    def relist(self) -> str:
        """Let every cluster be listed again at once."""
        options, rows = self._options, []
        clusters, count, slices = max(options.clusters), options.services, options.slices
        for shares in (False, True):
            folder = self._folder / f"relist-{shares}"
            shape = f"{count} in all clusters" if shares else f"{count} in each of {clusters} clusters"
            say(f"{shape}, {slices} slices each")
            with Fleet(folder, clusters, count, slices, CORE, shares=shares) as fleet:
                asked = fleet.questions(clusters)
                rows += relist_rows(fleet, shape, asked, options.planes, options.seconds / 2, folder)
        return table(RELIST, rows)

    def failing(self) -> str:
        """Count requests against a server that fails."""
        return table(FAILING, failing_rows())

    def outage(self) -> str:
        """Take all clusters away for an hour."""
        return table(OUTAGE, outage_rows(max(self._options.clusters), self._options.services))


PARTS: Final[dict[str, Callable[[Watch], str]]] = {
    "rest": Watch.rest,
    "rates": Watch.rates,
    "relist": Watch.relist,
    "failing": Watch.failing,
    "outage": Watch.outage,
}


def main() -> None:
    """Measure, and print the tables."""
    options = _options()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    print(facts("benchmarks.watch"), flush=True)
    with tempfile.TemporaryDirectory(prefix="mcsdns-watch-") as name:
        watch = Watch(options, Path(name))
        for part in options.parts:
            say(part)
            print(PARTS[part](watch), flush=True)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.watch", description=main.__doc__)
    parser.add_argument("--parts", nargs="+", choices=[*PARTS], default=[*PARTS])
    parser.add_argument("--planes", nargs="+", choices=["native", "python"], default=["native", "python"])
    parser.add_argument("--clusters", type=int, nargs="+", default=[1, 10, 20], help="numbers of clusters, rising")
    parser.add_argument("--services", type=int, default=500, help="in each cluster")
    parser.add_argument("--slices", type=int, default=20, help="of each service, where all is listed again")
    parser.add_argument("--rest", type=float, default=60.0, help="seconds in which nothing happens")
    parser.add_argument("--rates", type=int, nargs="+", default=[100, 500, 1000], help="changes a second")
    parser.add_argument("--at-rates", type=int, default=SERVICES_AT_RATES, help="services, where changes come at rates")
    parser.add_argument("--rounds", type=int, default=2, help="of each rate")
    parser.add_argument("--seconds", type=float, default=10.0, help="of each rate")
    parser.add_argument("--quick", action="store_true", help="see whether it works: few clusters, services and seconds")
    options = parser.parse_args()
    if options.quick:
        options.clusters, options.services, options.slices, options.rest = [1, 3], 50, 4, 3.0
        options.rates, options.at_rates, options.rounds, options.seconds = [50], 400, 1, 2.0
    return options


if __name__ == "__main__":
    main()
