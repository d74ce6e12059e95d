"""
A Service of Kubernetes in front of some pods, as kube-proxy (mode nftables) lets the kernel make it, in a network namespace of its own.

| what | here | in a cluster |
|---|---|---|
| a new flow | goes to an endpoint drawn at random, by a DNAT rule of nftables | the same |
| a flow that is there | stays where it is: connection tracking | the same |
| an endpoint that is taken out | UDP flows to it are forgotten, TCP connections stay | the same |
| no endpoint | refused at once (ICMP) | the same |
| a pod that has died | its address refuses at once | the same: its network stays; a node that has died is silent, as a pod that hangs |
| readiness | `/readyz` each 2 s, two failures | the chart's probe |
| a process that has ended | is seen within 1 s | the kubelet's look at its containers |
| a pod that is told to stop | is no endpoint any more | the same |
| from there to the rules of a node | 1 s, always | API server and kube-proxy: less, or several seconds under load |

Not here: nodes. All pods, and who asks them, are in one namespace.
"""

import contextlib
import http.client
import os
import subprocess
import sys
import threading
import time
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Final

import yaml

from tests.servers.run import Server, need, wait_until

from .clusterset import ZONE

ADDRESS: Final = "10.96.0.53"
PODS: Final = ("10.1.0.1", "10.1.0.2", "10.1.0.3")
"""Two replicas, and the one that a rollout has besides."""
PORT, ADMIN_PORT = 53, 9153
LAMEDUCK_S: Final = 5.0
PROBE_S: Final = 2.0
"""Period and limit of the readiness probe."""
LOOK_S: Final = 1.0
"""Between two looks of the kubelet at its containers."""
PROPAGATION_S: Final = 1.0
_INSIDE: Final = "MCSDNS_BENCHMARK_NAMESPACE"


def enter_namespace(module: str) -> None:
    """
    Go on in a network namespace of our own, as its root: run the module again there. Returns at once when there already.

    Args:
        module: As `python -m` takes it; its arguments are those of this process.
    """
    if _INSIDE not in os.environ:
        unshare = [need("unshare"), "--user", "--map-root-user", "--net", sys.executable, "-m", module]
        os.environ[_INSIDE] = "1"
        os.execv(unshare[0], [*unshare, *sys.argv[1:]])
    _run("ip", "link", "set", "lo", "up")
    for pod in PODS:
        _run("ip", "address", "add", f"{pod}/32", "dev", "lo")
    _run("ip", "route", "add", f"{ADDRESS}/32", "dev", "lo")


def set_endpoints(pods: Sequence[str]) -> None:
    """Let new flows go to these pods, drawn at random; to none: refuse them."""
    chosen = ", ".join(f"{number} : {pod}" for number, pod in enumerate(pods))
    to = f"dnat to numgen random mod {len(pods)} map {{ {chosen} }}"
    rules = [f"ip daddr {ADDRESS} {over} dport {PORT} {to}" for over in ("udp", "tcp")] if pods else []
    lines = [
        "table ip service",
        "delete table ip service",
        "table ip service {",
        "chain endpoints { type nat hook output priority -100;",
        *rules,
        "}",
        "chain none { type filter hook output priority 0;",
        # An ICMP error that comes while connect(2) still runs, as it does on one machine, is not heeded; a reset is.
        f"ip daddr {ADDRESS} tcp dport {PORT} reject with tcp reset",
        f"ip daddr {ADDRESS} reject",
        "}",
        "}",
    ]
    subprocess.run([need("nft"), "-f", "-"], input="\n".join([*lines, ""]), text=True, check=True)


def forget_flows(pod: str) -> None:
    """Forget the UDP flows of the Service that go to a pod: their next datagram is a new flow."""
    command = [need("conntrack"), "-D", "-p", "udp", "--orig-dst", ADDRESS, "--reply-src", pod]
    # It fails where there is none.
    subprocess.run(command, capture_output=True, check=False)


class Pod(Server):
    """
    A replica of mcsdns.

    Args:
        address: Where it listens: port 53 and the admin port.
        sources: Its member clusters, as in the configuration.
        folder: Where its configuration and log are.
    """

    start_limit_s = 60.0
    stop_limit_s = LAMEDUCK_S + 10.0

    def __init__(self, address: str, sources: Sequence[Mapping[str, object]], folder: Path) -> None:
        super().__init__(f"mcsdns-{address}", folder)
        self.address = address
        self.is_leaving = False
        self.awaits_ready = True
        self._sources = sources

    def command(self) -> list[str]:
        """Write the configuration."""
        path = self.folder / f"{self.name}.yaml"
        content = {
            "zone": ZONE,
            "threads": 2,
            "listen": [{"address": f"{self.address}:{PORT}"}],
            "admin": f"{self.address}:{ADMIN_PORT}",
            "lameduck_s": LAMEDUCK_S,
            "clusters": [{"name": f"member-{number}", **source} for number, source in enumerate(self._sources)],
        }
        path.write_text(yaml.safe_dump(content, sort_keys=False))
        self.is_leaving = False
        return [sys.executable, "-m", "mcsdns", "serve", "--config", str(path)]

    def is_ready(self) -> bool:
        """Ask its admin address whether it is ready; or only whether it is there."""
        return probe(self.address, "/readyz" if self.awaits_ready else "/healthz", 1.0)

    def leave(self) -> None:
        """Delete the pod: it is told to stop, and new flows shall avoid it; returns when it has ended."""
        self.is_leaving = True
        self.stop()


class Kubelet(threading.Thread):
    """Keeps the endpoints of the Service to those pods that are ready."""

    def __init__(self, pods: Sequence[Pod]) -> None:
        super().__init__(name="kubelet", daemon=True)
        self.endpoints: list[str] = []
        self._pods = pods
        self._failures = dict.fromkeys((pod.address for pod in pods), 2)
        self._probe_at = 0.0
        self._is_over = threading.Event()

    def run(self) -> None:
        """Look, until it is over."""
        set_endpoints(self.endpoints)
        while not self._is_over.wait(LOOK_S):
            if (now := time.monotonic()) >= self._probe_at:
                self._probe_at = now + PROBE_S
                for pod in self._pods:
                    self._probe(pod)
            ready = [pod.address for pod in self._pods if self._is_ready(pod)]
            if ready != self.endpoints:
                time.sleep(PROPAGATION_S)
                self._take(ready)

    def stop(self) -> None:
        """End it."""
        self._is_over.set()
        self.join()

    def wait_for(self, pods: Collection[Pod]) -> None:
        """Wait until these pods, and no others, are the endpoints."""
        expected = sorted(pod.address for pod in pods)
        wait_until(lambda: sorted(self.endpoints) == expected, 60.0, f"the endpoints are {expected}")

    def _probe(self, pod: Pod) -> None:
        if not pod.is_running or not probe(pod.address, "/readyz", PROBE_S):
            self._failures[pod.address] += 1
        else:
            self._failures[pod.address] = 0

    def _is_ready(self, pod: Pod) -> bool:
        if not pod.is_running:
            # What starts anew has to prove itself.
            self._failures[pod.address] = 2
        return pod.is_running and not pod.is_leaving and self._failures[pod.address] < 2

    def _take(self, ready: list[str]) -> None:
        set_endpoints(ready)
        for gone in set(self.endpoints) - set(ready):
            forget_flows(gone)
        self.endpoints = ready


def probe(address: str, path: str, limit_s: float) -> bool:
    """Ask an admin address, and tell whether it says yes in time."""
    with contextlib.suppress(OSError, http.client.HTTPException):
        connection = http.client.HTTPConnection(address, ADMIN_PORT, timeout=limit_s)
        with contextlib.closing(connection):
            connection.request("GET", path)
            return connection.getresponse().status == 200
    return False


def _run(*command: str) -> None:
    subprocess.run([need(command[0]), *command[1:]], check=True)
