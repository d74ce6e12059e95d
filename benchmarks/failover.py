"""
`python -m benchmarks.failover`: what fails when a replica does, seen through CoreDNS with each wiring at once.

Two replicas of mcsdns stand behind a Service (`service`). In front of it is one CoreDNS for each wiring (`wirings`), each under its own
steady load (`load`). Each event happens once in a round, to all of them at the same moment; before it every CoreDNS is started anew, so
that flows go to both replicas.

| event | what happens |
|---|---|
| `kill` | one of two replicas is killed (SIGKILL) and stays away |
| `drain` | one of two is told to stop (SIGTERM) and stays away |
| `rollout` | one after the other is replaced as a Deployment does it with `maxSurge: 1`, `maxUnavailable: 0` |
| `hang` | one of two is stopped (SIGSTOP) for 9 s: it takes queries and says nothing |
| `unsynced` | every API server is away; one replica dies and starts anew in its pod: it knows nothing |
| `dead` | both are killed, and start again 5 s later |

Not here: what a change of a replica's data does; nothing changes.
"""

import argparse
import contextlib
import json
import tempfile
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from statistics import quantiles
from typing import Final

from tests.servers.run import Cluster, CoreDns, need

from .asker import RIGHT
from .clusterset import manifests, services
from .load import FAILED, LOST, WRONG, Load, Seen
from .report import facts, say, table
from .service import PODS, Kubelet, Pod, enter_namespace
from .wirings import WIRINGS, Wiring

MODULE: Final = "benchmarks.failover"
HEAD: Final = (
    "wiring",
    "queries",
    "SERVFAIL",
    "no answer",
    "wrong",
    "of them warm",
    "p99 ms",
    "longest ms",
    "disturbed s",
)
FORMS: Final = ("{:,}", "{}", "{}", "{}", "{}", "{:.1f}", "{:.0f}", "{:.1f}")
SLOW_S: Final = 0.2
"""A query that takes longer counts as disturbed."""


class Stage:
    """
    The replicas with what stands behind them, and the events.

    Args:
        folder: Where files go.
        cluster: The member cluster; it runs.
    """

    def __init__(self, folder: Path, cluster: Cluster) -> None:
        sources = [{"kubeconfig": {"path": str(cluster.kubeconfig())}}]
        self._cluster = cluster
        self._pods = [Pod(address, sources, folder / address) for address in PODS]
        self._kubelet = Kubelet(self._pods)

    def __enter__(self) -> "Stage":
        for pod in self._pods[:2]:
            pod.start()
        self._kubelet.start()
        self._kubelet.wait_for(self._pods[:2])
        return self

    def __exit__(self, *_: object) -> None:
        self._kubelet.stop()
        for pod in self._pods:
            pod.kill()

    @contextlib.contextmanager
    def restored(self) -> Iterator[None]:
        """After the block, bring back what an event has taken away."""
        try:
            yield
        finally:
            if not self._cluster.api_server.is_running:
                self._cluster.restart()
            for pod in self._pods[:2]:
                pod.thaw()
                if not pod.is_running:
                    pod.start()
            self._kubelet.wait_for(self._pods[:2])

    def kill(self) -> None:
        """Kill one of two."""
        self._pods[0].kill()
        time.sleep(4.0)

    def drain(self) -> None:
        """Delete one of two."""
        self._pods[0].leave()
        time.sleep(1.0)

    def rollout(self) -> None:
        """Replace both. The third one stands in while they are away: addresses that a wiring names by themselves come back."""
        first, second, spare = self._pods
        spare.start()
        self._kubelet.wait_for([first, second, spare])
        for pod in (first, second):
            pod.leave()
            pod.start()
            self._kubelet.wait_for(self._pods)
        spare.leave()
        self._kubelet.wait_for([first, second])

    def hang(self) -> None:
        """Let one of two hang for a while."""
        self._pods[0].freeze()
        time.sleep(9.0)
        self._pods[0].thaw()
        time.sleep(3.0)

    def unsynced(self) -> None:
        """Start one of two anew while there is no API server."""
        self._cluster.kill()
        time.sleep(1.0)
        pod = self._pods[0]
        pod.kill()
        pod.awaits_ready = False
        pod.start()
        pod.awaits_ready = True
        time.sleep(8.0)

    def dead(self) -> None:
        """Kill both; start them again after 5 s."""
        for pod in self._pods[:2]:
            pod.kill()
        time.sleep(5.0)
        for pod in self._pods[:2]:
            pod.start()
        self._kubelet.wait_for(self._pods[:2])
        time.sleep(2.0)


EVENTS: Final[dict[str, Callable[[Stage], None]]] = {
    "kill": Stage.kill,
    "drain": Stage.drain,
    "rollout": Stage.rollout,
    "hang": Stage.hang,
    "unsynced": Stage.unsynced,
    "dead": Stage.dead,
}
Found = dict[str, list[list[Seen]]]
"""What was seen in each round, by wiring."""


def main() -> None:
    """Measure, and print the tables."""
    options = _options()
    for tool in ("ip", "nft", "conntrack"):
        need(tool)
    enter_namespace(MODULE)
    print(facts(MODULE), flush=True)
    wirings = [wiring for wiring in WIRINGS if not options.wirings or wiring.name in options.wirings]
    with tempfile.TemporaryDirectory(prefix="mcsdns-failover-") as name:
        found = _measured(options, wirings, Path(name))
    for event, by_wiring in found.items():
        rows = [[name, *map(str.format, FORMS, _figures(rounds))] for name, rounds in by_wiring.items()]
        print(f"### {event}\n\n{table(HEAD, rows)}", flush=True)
    if options.json:
        figures = {
            event: {name: dict(zip(HEAD[1:], _figures(rounds), strict=True)) for name, rounds in by_wiring.items()}
            for event, by_wiring in found.items()
        }
        options.json.write_text(json.dumps(figures))


def _measured(options: argparse.Namespace, wirings: Sequence[Wiring], folder: Path) -> dict[str, Found]:
    found: dict[str, Found] = {event: {wiring.name: [] for wiring in wirings} for event in options.events}
    with contextlib.ExitStack() as stack:
        cluster = stack.enter_context(Cluster("member", folder / "member"))
        say(f"loading {options.services} services")
        with cluster.client() as api:
            api.bulk(manifest for service in services(options.services) for manifest in manifests(service))
        stage = stack.enter_context(Stage(folder, cluster))
        fronts = {wiring.name: _front(wiring, folder / f"front-{number}") for number, wiring in enumerate(wirings)}
        for event in [*options.events] * options.rounds:
            say(event)
            with _started(fronts.values()), stage.restored():
                ports = {name: front.port for name, front in fronts.items()}
                with Load(ports, options.services, options.rate) as load:
                    time.sleep(options.warm_up)
                    since = time.monotonic()
                    EVENTS[event](stage)
                    seen = load.seen(since, time.monotonic())
            for name, one in seen.items():
                found[event][name].append(one)
    return found


def _front(wiring: Wiring, folder: Path) -> CoreDns:
    front = CoreDns("", folder)
    front.corefile_text = wiring.corefile(front.port)
    return front


@contextlib.contextmanager
def _started(fronts: Collection[CoreDns]) -> Iterator[None]:
    """Start all anew: nothing is cached, and no flow stands from before."""
    with contextlib.ExitStack() as stack, ThreadPoolExecutor(8) as pool:
        for front in fronts:
            stack.callback(front.kill)
        list(pool.map(CoreDns.start, fronts))
        yield


def _figures(rounds: Sequence[Sequence[Seen]]) -> list[float]:
    """Return what stands in a row, in the order of `HEAD`."""
    everything = [seen for one in rounds for seen in one]
    failed = [seen for seen in everything if seen.verdict != RIGHT]
    took = [seen.took for seen in everything]
    return [
        len(everything),
        *(sum(seen.verdict == verdict for seen in failed) for verdict in (FAILED, LOST, WRONG)),
        sum(seen.kind == "warm" for seen in failed),
        quantiles(took, n=100, method="inclusive")[98] * 1e3,
        max(took) * 1e3,
        max(map(_disturbed, rounds)),
    ]


def _disturbed(seen: Sequence[Seen]) -> float:
    """Return the seconds from the first query that failed or took long to the last."""
    at = [one.at for one in seen if one.verdict != RIGHT or one.took > SLOW_S]
    return max(at) - min(at) if at else 0.0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog=f"python -m {MODULE}", description=main.__doc__)
    parser.add_argument("--events", nargs="+", choices=[*EVENTS], default=[*EVENTS])
    parser.add_argument("--wirings", nargs="+", choices=[wiring.name for wiring in WIRINGS], help="default: all")
    parser.add_argument("--rate", type=float, default=200.0, help="queries a second through each wiring")
    parser.add_argument("--services", type=int, default=2000)
    parser.add_argument(
        "--warm-up", type=float, default=6.0, help="seconds of load before an event; a cache keeps what it has for 5"
    )
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--json", type=Path, help="write the figures here as well")
    parser.add_argument("--quick", action="store_true", help="see whether it works: one round")
    options = parser.parse_args()
    if options.quick:
        options.rounds = 1
    return options


if __name__ == "__main__":
    main()
