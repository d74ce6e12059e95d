"""
The servers that are compared: mcsdns as a process, and CoreDNS with `kubernetes … multicluster`.

Each can be started without waiting for it, so that the wait itself can be measured.
"""

import http.client
import os
import sys
import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from tests.servers.run import CoreDns, Server, free_port

from .clusterset import ZONE
from .files import write_config


class Mcsdns(Server):
    """
    mcsdns, from the interpreter that runs the benchmark.

    Args:
        sources: Where each member cluster's objects come from, as in `clusters` of the configuration: `manifests` or `kubeconfig`.
        folder: Where its configuration and log are.
        cpus: Numbers of the cores to run on, or None for all of them.
        waits: `start` returns when it is ready; else as soon as the process exists.
        plane: What answers: `auto`, `native` or `python`.
        settings: Further keys of the configuration.
    """

    start_limit_s = 120.0

    def __init__(
        self,
        sources: Sequence[Mapping[str, object]],
        folder: Path,
        cpus: Collection[int] | None = None,
        *,
        waits: bool = True,
        plane: str = "auto",
        settings: Mapping[str, object] | None = None,
    ) -> None:
        super().__init__("mcsdns", folder, cpus)
        self.port, self.admin_port = free_port(), free_port()
        self.config_path = self.folder / "mcsdns.yaml"
        self._sources = sources
        self._plane = plane
        self._settings = settings or {}
        self._waits = waits

    def write_config(self) -> Path:
        """Write its configuration, and return the file."""
        self.folder.mkdir(parents=True, exist_ok=True)
        write_config(self._sources, self.port, self.admin_port, self.config_path, self._plane, **self._settings)
        return self.config_path

    def command(self) -> list[str]:
        """Write the configuration."""
        return [sys.executable, "-m", "mcsdns", "serve", "--config", str(self.write_config())]

    def is_ready(self) -> bool:
        """Ask its admin address."""
        return not self._waits or is_ready(self.admin_port)


class Multicluster(CoreDns):
    """
    CoreDNS with `kubernetes … multicluster` for the zone, without a cache.

    Args:
        kubeconfig: The member cluster.
        folder, cpus, waits: As for `Mcsdns`.
    """

    def __init__(
        self, kubeconfig: Path, folder: Path, cpus: Collection[int] | None = None, *, waits: bool = True
    ) -> None:
        corefile = f"""{ZONE} {{
    kubernetes {ZONE} {{
        kubeconfig {kubeconfig}
        multicluster {ZONE}
    }}
}}
"""
        super().__init__(corefile, folder, cpus)
        self._waits = waits

    def is_ready(self) -> bool:
        """Ask it something."""
        return not self._waits or super().is_ready()


def is_ready(admin_port: int) -> bool:
    """Ask /readyz of mcsdns."""
    connection = http.client.HTTPConnection("127.0.0.1", admin_port, timeout=5)
    try:
        connection.request("GET", "/readyz")
        return connection.getresponse().status == 200
    except http.client.HTTPException:
        return False
    finally:
        connection.close()


def cpu_clock(pid: int) -> float:
    """
    Give the CPU time of one process, all threads and those that have ended included, in seconds.

    Unlike /proc/pid/stat it counts nanoseconds, which the cost of one change needs.

    Source: clock_getcpuclockid(3); kernel/time/posix-cpu-timers.c: `~pid << 3 | CPUCLOCK_SCHED`.
    """
    return time.clock_gettime(~pid << 3 | 2)


def settle(pid: int, limit_s: float = 120.0) -> None:
    """Wait until a process has used less than a twentieth of a core for two seconds; after the limit go on all the same."""
    deadline = time.monotonic() + limit_s
    spent = 1.0
    while spent > 0.1 and time.monotonic() < deadline:
        before = cpu_clock(pid)
        time.sleep(2.0)
        spent = cpu_clock(pid) - before


def peak_bytes(pid: int) -> int:
    """Give the most memory that a process has held resident, in bytes (proc(5), VmHWM)."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024
    raise ProcessLookupError(pid)


@contextmanager
def kept_awake(cpus: Collection[int]) -> Iterator[None]:
    """For the time of the block, run on some cores, ahead of others where that is allowed: what measures must not wait."""
    before, priority = os.sched_getaffinity(0), os.getpriority(os.PRIO_PROCESS, 0)
    os.sched_setaffinity(0, cpus)
    with suppress(PermissionError):
        os.setpriority(os.PRIO_PROCESS, 0, priority - 10)
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)
        os.setpriority(os.PRIO_PROCESS, 0, priority)
