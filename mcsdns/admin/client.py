"""
Asking a server's admin address, for the commands that show what it says.

Not here: what it answers (`mcsdns.admin.pages`).
"""

from __future__ import annotations

from collections.abc import Mapping
from http.client import HTTPException
from urllib.error import HTTPError, URLError
from urllib.parse import urlencode
from urllib.request import ProxyHandler, build_opener

from mcsdns.errors import ConfigError

MOST = 64 * 1024 * 1024
"""Octets of an answer that are read: `/status` of thousands of clusters is less."""


def get(admin: str, path: str, parameters: Mapping[str, str] | None = None, *, limit_s: float) -> bytes:
    """
    Get a page.

    Args:
        admin: The URL of the address, such as `http://127.0.0.1:9153`.
        path: Such as `/status`.
        parameters: Of the query string.
        limit_s: Seconds that a silence may last.

    Raises:
        ConfigError: It is no URL, nothing answers there, or what answers does not like what was asked.
    """
    if not admin.startswith(("http://", "https://")):
        raise ConfigError("", "--admin", f"expected a URL such as http://127.0.0.1:9153, found {admin!r}")
    url = f"{admin.rstrip('/')}{path}{f'?{urlencode(parameters)}' if parameters else ''}"
    try:
        # No proxy: an address of the cluster's own is asked.
        with build_opener(ProxyHandler({})).open(url, timeout=limit_s) as answer:
            found: bytes = answer.read(MOST)
            return found
    except HTTPError as error:
        with error:
            said = error.read(1024).decode(errors="replace").strip()
        raise ConfigError("", path.strip("/"), said or str(error)) from error
    except (OSError, HTTPException, ValueError) as error:  # ValueError: what urllib says of a bad URL
        reason = error.reason if isinstance(error, URLError) else error
        raise ConfigError("", "--admin", f"no mcsdns answers at {admin} ({reason}); name its admin address") from error
