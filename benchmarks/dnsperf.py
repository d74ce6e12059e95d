"""
One run of dnsperf against one server, and what the server spent on it.
"""

import re
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Final, NamedTuple

from tests.servers.run import Server, need

MODES: Final = {
    "UDP": (),
    "UDP with EDNS": ("-e",),
    "UDP, a port for each query": ("-c", "400"),
    "TCP": ("-m", "tcp"),
}
"""How queries come, as dnsperf's options; of two `-c` the last counts. CoreDNS has a port of its own for each query under way."""
CLIENT_CORE: Final = 1
_COUNT = re.compile(r"(\d+)")
_RCODES = re.compile(r"(\w+) (\d+) \(")


class Run(NamedTuple):
    """What a run showed. `lost` counts queries without an answer within 5 s."""

    queries: int
    lost: int
    per_second: float
    cpu_us: float
    rcodes: dict[str, int]

    def share(self, rcode: str) -> float:
        """Return the part of the answers that had an rcode."""
        return self.rcodes.get(rcode, 0) / max(1, self.queries)


def run(
    server: Server,
    port: int,
    questions: Path,
    mode: str,
    seconds: float,
    rate: int | None = None,
    *,
    cores: str = str(CLIENT_CORE),
    clients: int = 8,
) -> Run:
    """
    Ask as fast as the server answers.

    Args:
        server: Whose CPU time is counted, children included.
        port: Where it is on 127.0.0.1.
        questions: dnsperf's file.
        mode: One of `MODES`.
        seconds: How long.
        rate: Queries per second at most.
        cores: Where dnsperf runs, as taskset takes it.
        clients: Its sockets.

    Raises:
        ValueError: dnsperf said something else than its statistics.
    """
    command = ["taskset", "-c", cores, need("dnsperf"), "-s", "127.0.0.1", "-p", str(port)]
    command += ["-d", str(questions), "-c", str(clients), "-q", "400", "-T", "1", "-l", str(seconds), *MODES[mode]]
    command += ["-Q", str(rate)] if rate is not None else []
    before = server.cpu_seconds()
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=seconds + 60)
    spent_s = server.cpu_seconds() - before
    return _read(done.stdout.splitlines(), spent_s, done.stderr)


def _read(lines: Sequence[str], spent_s: float, complaint: str) -> Run:
    said = {line.partition(":")[0].strip(): line.partition(":")[2].strip() for line in lines if ":" in line}
    try:
        completed = int(_COUNT.findall(said["Queries completed"])[0])
        return Run(
            completed,
            int(_COUNT.findall(said["Queries lost"])[0]),
            float(said["Queries per second"]),
            spent_s / max(1, completed) * 1e6,
            {rcode: int(count) for rcode, count in _RCODES.findall(said.get("Response codes", ""))},
        )
    except (KeyError, IndexError, ValueError) as error:
        raise ValueError(f"dnsperf said: {complaint} {' / '.join(lines)}") from error
