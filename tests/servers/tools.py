"""
The programs of other projects that must be installed on the machine: which there are, and which package brings each.

Not here: the programs that we build ourselves (`build`).
"""

import os
import shutil
from typing import Final

# What Debian calls the package that holds the program; named in the error, so that a skipped test says what to install.
_PACKAGE: Final = {
    "chromium": "chromium",
    "conntrack": "conntrack",
    "dig": "bind9-dnsutils",
    "dnsmasq": "dnsmasq-base",
    "dnsperf": "dnsperf",
    "kdig": "knot-dnsutils",
    "ip": "iproute2",
    "knotd": "knot",
    "named-checkzone": "bind9-utils",
    "nft": "nftables",
    "nsd": "nsd",
    "nslookup": "bind9-dnsutils",
    "prometheus": "prometheus",
    "promtool": "prometheus",
    "unshare": "util-linux",
}

# Debian installs daemons and zone checkers where the PATH of an ordinary user does not look.
_DAEMON_FOLDERS: Final = ("/usr/local/sbin", "/usr/sbin", "/sbin", "/usr/local/go/bin")


class Missing(Exception):  # noqa: N818
    """A program that a test needs is not on this machine. The message says what to install."""


def have(tool: str) -> str | None:
    """
    Find a program that may or may not be installed.

    Args:
        tool: Name of the executable, such as `dnsperf` or `knotd`.

    Returns:
        The path of the executable, looked for in PATH and in the folders of daemons, or None.
    """
    return shutil.which(tool, path=os.pathsep.join([os.environ.get("PATH", os.defpath), *_DAEMON_FOLDERS]))


def need(tool: str) -> str:
    """
    Find a program that a test cannot do without.

    Args:
        tool: Name of the executable.

    Returns:
        The path of the executable.

    Raises:
        Missing: It is not installed. The message says what to install, such as the Debian package.
    """
    path = have(tool)
    if path is None:
        if tool == "go":
            raise Missing("go is not installed: install Go 1.26 or newer, which Debian 12 does not have")
        raise Missing(f"{tool} is not installed: apt-get install {_PACKAGE.get(tool, tool)}")
    return path
