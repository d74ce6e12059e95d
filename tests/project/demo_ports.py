"""The ports that the demo and the README name: 5300 and 5301 for DNS, 9153 for HTTP. One test at a time may have them."""

from __future__ import annotations

import fcntl
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.servers.run import wait_until

LIMIT_S = 60.0


@contextmanager
def demo_ports() -> Iterator[None]:
    """Wait until no other test run on this machine has the demo's ports, and have them for the block."""
    with (Path(tempfile.gettempdir()) / "mcsdns-demo-ports.lock").open("w") as lock:

        def is_ours() -> bool:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                return False
            return True

        wait_until(is_ours, LIMIT_S, "other tests leave the demo's ports")
        yield
