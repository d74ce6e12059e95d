"""
What people and programs ask a name server with, each asked here of one server at 127.0.0.1: dig, kdig, nslookup, Go's resolver, and
glibc's through a resolv.conf of its own.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from tests.servers.run import binary, need

HOST: Final = "127.0.0.1"
_LIMIT_S: Final = 30.0
_GETADDRINFO: Final = """
import json, socket, sys
try:
    found = socket.getaddrinfo(sys.argv[1], None, type=socket.SOCK_STREAM)
    print(json.dumps(sorted({one[4][0] for one in found})))
except socket.gaierror as error:
    print(json.dumps(error.errno == socket.EAI_NONAME and "no such name" or str(error)))
"""

Client = Callable[[int, str], list[str]]


def dig(port: int, name: str, *options: str) -> list[str]:
    """Give what `dig +short` prints, sorted."""
    return sorted(_run(need("dig"), f"@{HOST}", "-p", str(port), "+short", *options, name).splitlines())


def kdig(port: int, name: str, *options: str) -> list[str]:
    """Give what `kdig +short` prints, sorted."""
    printed = _run(need("kdig"), f"@{HOST}", "-p", str(port), "+short", *options, name)
    # It leaves a line empty where it asks again over TCP.
    return sorted(line for line in printed.splitlines() if line)


def nslookup(port: int, name: str, qtype: str = "") -> str:
    """Give what nslookup prints."""
    kind = [f"-type={qtype}"] if qtype else []
    return _run(need("nslookup"), f"-port={port}", *kind, name, HOST, is_always_right=False)


def addresses_of(printed: str) -> list[str]:
    """
    Read the addresses of nslookup's output.

    Source: as the mcs-api conformance suite reads them: an `Address:` that follows a `Name:`.
    """
    return sorted(one.strip() for one in re.findall(r"Name:.*\s*Address:\s*(.*)", printed))


def services_of(printed: str) -> list[tuple[int, str]]:
    """
    Read the SRV records of nslookup's output: port and target.

    Source: as the mcs-api conformance suite reads them: the last two tokens after `=`. It runs busybox's nslookup, which ends a target
    without a dot; BIND's ends it with one.
    """
    found = re.findall(r".*=\s*\d*\s*\d*\s*(\d*)\s*([a-zA-Z0-9-.]*)", printed)
    return sorted((int(port or 0), target.rstrip(".")) for port, target in found)


def go(port: int, kind: str, name: str) -> Any:
    """Ask through the resolver of Go's standard library, without cgo."""
    return json.loads(_run(binary("resolve"), f"{HOST}:{port}", kind, name))


def by_nslookup(port: int, name: str) -> list[str]:
    """Give the addresses that nslookup prints."""
    return addresses_of(nslookup(port, name, "A"))


def by_go(port: int, name: str) -> list[str]:
    """Give the addresses that a Go program finds."""
    hosts: list[str] = go(port, "host", name)["hosts"]
    return sorted(hosts)


class Libc:
    """
    glibc's resolver, in a mount namespace with a resolv.conf that names one server.

    glibc asks port 53 and no other, so the server must listen there: on a loopback address that nobody else has. Both need root.

    Args:
        folder: Where the resolv.conf is.
        address: The server's.
    """

    def __init__(self, folder: Path, address: str) -> None:
        self._resolv = folder / "resolv.conf"
        self._resolv.write_text(f"nameserver {address}\noptions timeout:3 attempts:2\n")
        self._nsswitch = folder / "nsswitch.conf"
        self._nsswitch.write_text("hosts: files dns\n")

    def getaddrinfo(self, name: str) -> Any:
        """Ask as Python's `socket` does. Gives the addresses, sorted, or what went wrong."""
        return json.loads(self._inside(sys.executable, "-c", _GETADDRINFO, name))

    def getent(self, name: str) -> list[str]:
        """Ask as `getent ahostsv4` does. Gives the addresses, sorted."""
        return sorted({line.split()[0] for line in self._inside("getent", "ahostsv4", name).splitlines()})

    def _inside(self, *command: str) -> str:
        mounts = f"mount --bind {self._resolv} /etc/resolv.conf; mount --bind {self._nsswitch} /etc/nsswitch.conf; "
        return _run("unshare", "--mount", "sh", "-ec", f'{mounts} exec "$@"', "sh", *command)


def is_root() -> bool:
    """Tell whether mounts and port 53 are allowed."""
    return os.geteuid() == 0


def _run(*command: str | Path, is_always_right: bool = True) -> str:
    done = subprocess.run(
        command, capture_output=True, text=True, timeout=_LIMIT_S, check=False, stdin=subprocess.DEVNULL
    )
    assert done.returncode == 0 or not is_always_right, f"{command}: {done.stdout}{done.stderr}"
    return done.stdout
