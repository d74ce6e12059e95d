"""
What every script prints around its figures: when, with what, on which machine; and its table.
"""

import os
import platform
import shlex
import subprocess
import sys
import time
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path

from tests.servers.run import binary

_ROOT = Path(__file__).parent.parent


def say(text: str) -> None:
    """Tell the person who waits how far it is, apart from the result."""
    print(f"# {text}", file=sys.stderr, flush=True)


def facts(module: str) -> str:
    """
    Return the lines that head a result.

    Args:
        module: The script, as `python -m` takes it.
    """
    revision = _said("git", "-C", str(_ROOT), "describe", "--always", "--dirty")
    servers = [
        f"mcsdns {metadata.version('mcsdns')} ({revision})",
        _said(str(binary("coredns")), "-version").replace("CoreDNS-", "CoreDNS "),
        _said("nsd", "-v"),
        _said("knotd", "--version").replace("knotd (", "").replace("), version", ""),
        _said("dnsperf", "-h", find="Version").replace("Version", "dnsperf"),
        f"Python {platform.python_version()}",
    ]
    machine = f"{os.cpu_count()} × {_cpu_model()}, {_memory_gib():.0f} GiB, Linux {platform.release()}"
    lines = [
        shlex.join(["python", "-m", module, *sys.argv[1:]]),
        f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC; {', '.join(servers)}",
        f"{machine}, {idle_share():.0%} idle before the start",
    ]
    return "".join(f"{line}\n" for line in lines)


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a Markdown table. Columns but the first are aligned to the right."""
    align = ["---", *["--:"] * (len(head) - 1)]
    return "".join(f"| {' | '.join(row)} |\n" for row in [head, align, *rows])


def idle_share(seconds: float = 2.0) -> float:
    """Watch the machine for some time, and return the share of all cores that was idle (proc(5), /proc/stat)."""
    before = _cpu_ticks()
    time.sleep(seconds)
    spent = [now - then for now, then in zip(_cpu_ticks(), before, strict=True)]
    return (spent[3] + spent[4]) / max(1, sum(spent[:8]))


def _cpu_ticks() -> list[int]:
    with Path("/proc/stat").open() as file:
        return [int(ticks) for ticks in file.readline().split()[1:]]


def _cpu_model() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()


def _memory_gib() -> float:
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30


def _said(*command: str, find: str = "") -> str:
    """Return the first line that a program says, or the first with a word in it."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=30)
    except OSError:
        return f"{command[0]} is not here"
    lines = [line.strip() for line in (done.stdout + done.stderr).splitlines() if find in line]
    return lines[0] if lines else f"{command[0]} says nothing"
