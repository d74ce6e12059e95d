"""
What a test or a benchmark imports of the real peers.

    with Cluster("west", folder) as west:
        west.client().apply(manifest)
        mcsdns_reads(west.kubeconfig())

Each server is a context manager with `start`, `stop`, `kill`, `freeze`, `thaw` and `restart`. The programs that we
build are built when they are first started, which takes minutes: run `python -m tests.servers.build` before the tests.
"""

from .api import Api, Object, StatusError
from .build import BuildError, binary, crd_manifests, monitor_manifests
from .cluster import Cluster, start_all
from .control_plane import ApiServer, Etcd
from .nameservers import CoreDns, Knot, Nsd
from .process import Server, StartError, cpu_seconds, free_port, rss_bytes, wait_until
from .prometheus import Prometheus
from .tools import Missing, have, need

__all__ = [
    "Api",
    "ApiServer",
    "BuildError",
    "Cluster",
    "CoreDns",
    "Etcd",
    "Knot",
    "Missing",
    "Nsd",
    "Object",
    "Prometheus",
    "Server",
    "StartError",
    "StatusError",
    "binary",
    "cpu_seconds",
    "crd_manifests",
    "free_port",
    "have",
    "monitor_manifests",
    "need",
    "rss_bytes",
    "start_all",
    "wait_until",
]
