"""
The wirings that are compared: what `mcsdns wiring` prints, and changes of it.

A change is a line of the block that is shipped and what stands in its place, so that none can miss its mark unseen.
"""

from typing import Final, NamedTuple

from mcsdns.wiring import Upstream, filled

from .clusterset import ZONE
from .service import ADDRESS, PODS

Change = tuple[str, str]
"""A line of the shipped block, and what stands in its place; an empty place takes it out."""


class Wiring(NamedTuple):
    """A wiring: its name in tables, what is changed in the platform's block, and whether that names the pods, not the Service."""

    name: str
    changes: tuple[Change, ...] = ()
    platform: str = "coredns"
    names_pods: bool = False

    def corefile(self, port: int) -> str:
        """Return the Corefile of a CoreDNS that listens on a port of 127.0.0.1."""
        upstream = Upstream(PODS[:2] if self.names_pods else [ADDRESS])
        bind = ["127.0.0.1"] if self.platform == "nodelocal" else None
        text = filled(self.platform, upstream, ZONE, listen_port=str(port), bind=bind)
        for before, after in self.changes:
            text = _changed(text, before, after)
        # Many stand side by side here: one port for metrics is too few.
        return "".join(f"{line}\n" for line in text.splitlines() if "prometheus" not in line)


def _changed(text: str, before: str, after: str) -> str:
    lines = text.splitlines()
    places = [number for number, line in enumerate(lines) if line.strip() == before]
    if len(places) != 1:
        raise ValueError(f"expected the line {before!r} once in what is shipped, found it {len(places)} times:\n{text}")
    lines[places[0]] = after
    return "\n".join(lines)


STALE: Final = "serve_stale 30s verify"
FAILS: Final = "max_fails 2"
CHECK: Final = "health_check 500ms"
READ: Final = (CHECK, f"{CHECK}\nread_timeout 500ms")
SIX: Final = (FAILS, f"{FAILS}\nmax_connect_attempts 6")
FRESH: Final = (STALE, f"{STALE}\nservfail 0")
VERIFY: Final = (STALE, "serve_stale 30s verify 200ms")
OVER: Final = (CHECK, f"{CHECK}\nfailover SERVFAIL")

WIRINGS: Final = (
    Wiring("shipped"),
    Wiring("max_fails 0", ((FAILS, "max_fails 0"),)),
    Wiring("max_fails 1", ((FAILS, "max_fails 1"),)),
    Wiring("health_check 1s", ((CHECK, "health_check 1s"),)),
    Wiring("no serve_stale", ((STALE, ""),)),
    Wiring("servfail 0", (FRESH,)),
    Wiring("no serve_stale, servfail 0", ((STALE, "servfail 0"),)),
    Wiring("serve_stale immediate", ((STALE, "serve_stale 30s immediate"),)),
    Wiring("serve_stale verify 200ms", (VERIFY,)),
    Wiring("read_timeout 500ms", (READ,)),
    Wiring("max_connect_attempts 6", (SIX,)),
    Wiring("max_connect_attempts 0", ((FAILS, f"{FAILS}\nmax_connect_attempts 0"),)),
    Wiring("read 500ms, attempts 6", (READ, SIX)),
    Wiring("read 500ms, attempts 6, verify 200ms", (READ, SIX, VERIFY)),
    Wiring("force_tcp", ((CHECK, f"{CHECK}\nforce_tcp"),)),
    Wiring("nodelocal", (), "nodelocal"),
    Wiring("nodelocal, read 500ms, attempts 6", (READ, SIX), "nodelocal"),
    Wiring("pods, random", (), names_pods=True),
    Wiring("pods, round_robin", ((CHECK, f"{CHECK}\npolicy round_robin"),), names_pods=True),
    Wiring("pods, sequential", ((CHECK, f"{CHECK}\npolicy sequential"),), names_pods=True),
    Wiring("pods, failover SERVFAIL", (OVER,), names_pods=True),
    Wiring("pods, failover, read 500ms", (OVER, (FAILS, f"{FAILS}\nread_timeout 500ms")), names_pods=True),
)
"""The Service's address unless `pods` is said. What is not said is as shipped: `max_fails 2`, `health_check 500ms`, policy random."""
