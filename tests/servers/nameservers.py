"""
Other name servers as processes: CoreDNS, and the authoritative servers NSD and Knot that speed is compared with.

NSD and Knot are set to do the least work for an answer: one worker, no rate limit, minimal responses.
"""

import random
import socket
import struct
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Final

from .build import binary
from .process import Server, free_port
from .tools import need

_SOA, _TXT = 6, 16
_IN, _CHAOS = 1, 3
_ASK_LIMIT_S: Final = 1.0


class CoreDns(Server):
    """
    CoreDNS of the pinned release with its stock plugins.

    Args:
        corefile_text: The Corefile. A server block without a port listens on `port`, one without `bind` on 127.0.0.1.
            May be assigned anew before a restart.
        folder: Where the Corefile and the log are.
        cpus: Numbers of the cores to run on, or None for all of them.
        name: Names the files, where one folder serves several.
    """

    def __init__(
        self, corefile_text: str, folder: Path, cpus: Collection[int] | None = None, name: str = "coredns"
    ) -> None:
        super().__init__(name, folder, cpus)
        self.corefile_text = corefile_text
        self.port = free_port()

    def command(self) -> list[str]:
        """Write the Corefile."""
        corefile = self.folder / f"{self.name}.Corefile"
        corefile.write_text(_bound(self.corefile_text))
        return [str(binary("coredns")), "-conf", str(corefile), "-dns.port", str(self.port)]

    def is_ready(self) -> bool:
        """Ask a question of class CHAOS: the server answers it before any plugin, and so without an upstream."""
        return _reply_flags(self.port, "version.bind", _TXT, _CHAOS) is not None


class _ZoneServer(Server):
    """A server of master files."""

    def __init__(self, name: str, zones: Mapping[str, Path], folder: Path, cpus: Collection[int] | None) -> None:
        super().__init__(name, folder, cpus)
        self.zones = {zone.rstrip("."): path.absolute() for zone, path in zones.items()}
        self.port = free_port()

    def is_ready(self) -> bool:
        """Ask for the SOA of each zone: the answer must be authoritative."""
        return all(_is_authoritative(self.port, zone) for zone in self.zones)


class Nsd(_ZoneServer):
    """
    NSD with one server process.

    Args:
        zones: The master file of each zone.
        folder: Where its configuration and log are.
        cpus: Numbers of the cores to run on, or None for all of them.
    """

    def __init__(self, zones: Mapping[str, Path], folder: Path, cpus: Collection[int] | None = None) -> None:
        super().__init__("nsd", zones, folder, cpus)

    def command(self) -> list[str]:
        """Write the configuration."""
        private = self.folder / "nsd"
        private.mkdir(exist_ok=True)
        lines = [
            "server:",
            f"  ip-address: 127.0.0.1@{self.port}",
            "  server-count: 1",
            '  username: ""',  # stay who we are: root, or an ordinary user
            '  chroot: ""',
            '  database: ""',
            f'  zonesdir: "{private}"',
            f'  pidfile: "{private}/nsd.pid"',
            f'  xfrdfile: "{private}/xfrd.state"',
            f'  xfrdir: "{private}"',
            f'  zonelistfile: "{private}/zone.list"',
            "  rrl-ratelimit: 0",
            "  minimal-responses: yes",
            "remote-control:",
            "  control-enable: no",
        ]
        for zone, path in self.zones.items():
            lines += ["zone:", f'  name: "{zone}"', f'  zonefile: "{path}"']
        configuration = self.folder / "nsd.conf"
        configuration.write_text("\n".join([*lines, ""]))
        return [need("nsd"), "-d", "-c", str(configuration)]


class Knot(_ZoneServer):
    """
    Knot DNS with one worker for each of UDP and TCP. Unless told otherwise it limits no rate and answers minimally.

    Args:
        zones: The master file of each zone.
        folder: Where its configuration, database and log are.
        cpus: Numbers of the cores to run on, or None for all of them.
    """

    def __init__(self, zones: Mapping[str, Path], folder: Path, cpus: Collection[int] | None = None) -> None:
        super().__init__("knotd", zones, folder, cpus)

    def command(self) -> list[str]:
        """Write the configuration."""
        private = self.folder / "knot"
        private.mkdir(exist_ok=True)
        lines = [
            "server:",
            f"    listen: 127.0.0.1@{self.port}",
            f'    rundir: "{private}"',
            "    udp-workers: 1",
            "    tcp-workers: 1",
            "    background-workers: 1",
            "log:",
            "  - target: stderr",
            "    any: info",
            "database:",
            f'    storage: "{private}"',
            "template:",
            "  - id: default",
            "    zonefile-sync: -1",  # never write to the caller's file
            "    journal-content: none",
            "zone:",
        ]
        for zone, path in self.zones.items():
            lines += [f'  - domain: "{zone}."', f'    file: "{path}"']
        configuration = self.folder / "knot.conf"
        configuration.write_text("\n".join([*lines, ""]))
        # An abstract socket for control: the path of a test's folder can be longer than a socket address holds.
        return [need("knotd"), "--config", str(configuration), "--socket", f"@mcsdns-{self.port}"]


def _bound(corefile_text: str) -> str:
    """Add `bind 127.0.0.1` to the server blocks that name no address to listen on."""
    lines: list[str] = []
    block, depth = 0, 0
    for line in corefile_text.splitlines():
        words = line.partition("#")[0].split()
        if depth == 0 and words[-1:] == ["{"] and not words[0].startswith("("):
            lines += [line, "    bind 127.0.0.1"]
            block = len(lines) - 1
        elif depth == 1 and words[:1] == ["bind"] and lines[block].strip() == "bind 127.0.0.1":
            lines[block] = line
        else:
            lines.append(line)
        depth += (words[-1:] == ["{"]) - (words[:1] == ["}"])
    return "\n".join([*lines, ""])


def _is_authoritative(port: int, zone: str) -> bool:
    flags = _reply_flags(port, zone, _SOA, _IN)
    return flags is not None and flags & 0x040F == 0x0400  # AA, NOERROR


def _reply_flags(port: int, name: str, qtype: int, qclass: int) -> int | None:
    """Ask 127.0.0.1 over UDP. Give the flags of the reply, 16 bits (RFC 1035 §4.1.1), or None where there is none."""
    number = random.randrange(1 << 16)
    labels = b"".join(bytes([len(label)]) + label.encode() for label in name.split(".") if label)
    query = struct.pack(">6H", number, 0, 1, 0, 0, 0) + labels + b"\0" + struct.pack(">2H", qtype, qclass)
    with socket.socket(type=socket.SOCK_DGRAM) as asker:
        asker.settimeout(_ASK_LIMIT_S)
        asker.connect(("127.0.0.1", port))
        try:
            asker.send(query)
            reply = asker.recv(65535)
        except OSError:
            return None
    if len(reply) < 12 or reply[:2] != query[:2]:
        return None
    return int.from_bytes(reply[2:4])
