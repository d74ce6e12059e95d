"""
How one cluster is reached, and the numbers by which it is followed.

Not here: reading the configuration file (`mcsdns.configfile`), and the files named here (`mcsdns.source.kube.credentials`).
"""

from __future__ import annotations

from pathlib import Path

from msgspec import Struct

SERVICE_ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")


class KubeconfigSettings(Struct, frozen=True):
    """
    A cluster reached by a kubeconfig file.

    Attributes:
        path: The file.
        context: Which of its contexts; None means its `current-context`.
        allow_insecure: Plain http, `insecure-skip-tls-verify` and the like may be used (`kubeconfig.insecure: true`).
    """

    path: Path
    context: str | None = None
    allow_insecure: bool = False


class InCluster(Struct, frozen=True):
    """
    The cluster whose pod this process is.

    Attributes:
        folder: Where the kubelet puts `token` and `ca.crt` of the service account.
    """

    folder: Path = SERVICE_ACCOUNT


KubeSettings = KubeconfigSettings | InCluster


class Timing(Struct, frozen=True):
    """
    Every delay and limit of a reflector, in seconds. They are not in the configuration; tests make them small.

    Attributes:
        backoff_first_s: The longest first wait after a failure (client-go: 0.8).
        backoff_most_s: The longest wait (client-go: 30).
        backoff_reset_s: After so long without a failure the waits begin anew (client-go: 120).
        burst_s: At most five tries in this time, whatever the jitter draws.
        early_end_s: A watch that ends sooner counts as a failure; a healthy one lives for minutes.
        idle_limit_s: Silence after which a watch is opened anew. Bookmarks come each minute, so this is one and a half.
        watch_limit_s: Bounds of the server's limit for a watch, drawn anew each time so that they do not end together.
        recheck_s: Between lists that check what the watch told; ± 20 %.
        recheck_soon_s: The same from the beginning of an outage; ± 20 %. An API server that comes back with an older etcd
            takes our resource version, which lies in its future, and says nothing: only a list finds that out.
        room_s: Between lists that look what fits into a quota by now.
        absent_s: Between looks for a CRD that is not installed.
        denied_s: Bounds of the wait after a 403: RBAC is repaired by people, in minutes.
        identity_gap_s: At most two questions which cluster it is are asked in this time, whatever breaks.
        removal_settle_s: From a deletion to the question whether its CRD is being deleted: a discovery that lags behind the
            watch must not be believed. It was never seen to (docs/decisions/0013), so this is room for a server that is worse.
        removal_gap_s: At most one such question in this time, however many objects are deleted.
        removal_limit_s: For one such question.
        confirm_s: Before the second list that confirms a suddenly empty one.
        connect_limit_s: For TCP and TLS.
        read_limit_s: Silence after which a request that is not a watch has failed.
        page_limit_s: For one page as a whole.
        poll_s: Between looks whether files of credentials have changed.
        refused_poll_s: The same while the server refuses our credentials (rotation must be found within 5 s).
        load_limit_s: For reading credentials, exec plugins included.
    """

    backoff_first_s: float = 0.8
    backoff_most_s: float = 30.0
    backoff_reset_s: float = 120.0
    burst_s: float = 10.0
    early_end_s: float = 1.0
    idle_limit_s: float = 90.0
    watch_limit_s: tuple[int, int] = (290, 580)
    recheck_s: float = 600.0
    recheck_soon_s: float = 10.0
    room_s: float = 30.0
    absent_s: float = 30.0
    denied_s: tuple[float, float] = (30.0, 60.0)
    identity_gap_s: float = 2.0
    removal_settle_s: float = 0.02
    removal_gap_s: float = 0.1
    removal_limit_s: float = 5.0
    confirm_s: float = 2.0
    connect_limit_s: float = 10.0
    read_limit_s: float = 30.0
    page_limit_s: float = 120.0
    poll_s: float = 10.0
    refused_poll_s: float = 2.0
    load_limit_s: float = 30.0
