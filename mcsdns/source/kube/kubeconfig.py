"""
What a kubeconfig file says about one context, and what is wrong with it. Pure but for reading the file.

Rules:
1. An error names the file, the context and what to do. It never shows a value from the file: any could be a secret.
   (The messages of PyYAML and of the kubernetes package do show them, and are not passed on.)
2. What would make the connection insecure is refused unless the configuration allows it by name.

Not here: credentials themselves (`credentials`).

Source: client-go `tools/clientcmd/api/v1` (the file format).
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

import yaml
from msgspec import Struct

from mcsdns.errors import SourceError

_CLUSTER_FILES: Final = ("certificate-authority",)
_USER_FILES: Final = ("client-certificate", "client-key", "tokenFile")


class Entry(Struct, frozen=True):
    """
    One context of a kubeconfig file, with what it refers to.

    Attributes:
        path: The file.
        context: The context's name.
        cluster: The cluster's part of the file.
        user: The user's part of the file; empty where the context names none.
        content: The whole file.
    """

    path: Path
    context: str
    cluster: dict[str, Any]
    user: dict[str, Any]
    content: dict[str, Any]

    def __repr__(self) -> str:
        """Name the place and nothing else: the rest is secret."""
        return f"Entry({str(self.path)!r}, {self.context!r})"

    @property
    def where(self) -> str:
        """Name the file and the context, to begin an error with."""
        return f"kubeconfig {self.path}, context {self.context!r}"

    @property
    def has_fixed_token(self) -> bool:
        """Whether the token stands in the file itself, so that no machine renews it."""
        return "token" in self.user and not {"tokenFile", "exec", "auth-provider"} & self.user.keys()

    def files(self) -> Iterator[Path]:
        """Name the files whose content belongs to the connection."""
        yield self.path
        provider = self.user.get("auth-provider")
        config = provider.get("config") if isinstance(provider, dict) else None
        parts = ((self.cluster, _CLUSTER_FILES), (self.user, _USER_FILES), (config, ("idp-certificate-authority",)))
        for part, names in parts:
            for name in names:
                value = part.get(name) if isinstance(part, dict) else None
                if isinstance(value, str) and value:
                    yield self.path.parent / value


def read(path: Path, context: str | None) -> Entry:
    """
    Read one context of a file.

    Args:
        path: The file.
        context: The context's name; None means the file's `current-context`.

    Raises:
        SourceError: It cannot be read, or does not say what is needed.
    """
    content = _parse(path)
    name = context if context is not None else content.get("current-context")
    if not isinstance(name, str) or not name:
        raise SourceError(f"kubeconfig {path}: it has no current-context; name one in `kubeconfig.context`")
    where = f"kubeconfig {path}, context {name!r}"
    found = _named(content, "contexts", "context", name, f"kubeconfig {path}")
    cluster_name, user_name = found.get("cluster"), found.get("user")
    if not isinstance(cluster_name, str):
        raise SourceError(f"{where}: it names no cluster")
    cluster = _named(content, "clusters", "cluster", cluster_name, where)
    user = _named(content, "users", "user", user_name, where) if isinstance(user_name, str) and user_name else {}
    server = cluster.get("server")
    if not isinstance(server, str) or not server.startswith(("https://", "http://")):
        raise SourceError(f"{where}: `server` of cluster {cluster_name!r} must be an https:// URL")
    return Entry(path, name, cluster, user, content)


def check_security(entry: Entry) -> None:
    """
    Refuse what would let another answer in the API server's place.

    Raises:
        SourceError: It would.
    """
    advice = "or allow it with `kubeconfig.insecure: true`, if nobody can get between"
    if str(entry.cluster["server"]).startswith("http://"):
        raise SourceError(f"{entry.where}: `server` is plain http; use https, {advice}")
    if entry.cluster.get("insecure-skip-tls-verify"):
        raise SourceError(
            f"{entry.where}: `insecure-skip-tls-verify` is set; give `certificate-authority` instead, {advice}"
        )
    provider = entry.user.get("auth-provider")
    if isinstance(provider, dict) and provider.get("name") == "oidc":
        config = provider.get("config")
        # The kubernetes package would send the client secret and the refresh token without checking who takes them.
        if not isinstance(config, dict) or not any(name.startswith("idp-certificate-authority") for name in config):
            raise SourceError(
                f"{entry.where}: the auth-provider `oidc` has no `idp-certificate-authority`; give it, {advice}"
            )


def check_proxy(where: str, url: str | None) -> None:
    """
    Refuse a proxy that we cannot use.

    Raises:
        SourceError: It is none that takes HTTP (SOCKS, mostly), or its URL is none.
    """
    try:
        at = urlsplit(url or "http://none")
        is_good = at.scheme in {"http", "https"} and bool(at.hostname) and at.port != 0
    except ValueError:
        is_good = False
    if not is_good:
        raise SourceError(f"{where}: the proxy (`proxy-url`, or from the environment) must be http://<host>:<port>")


def _parse(path: Path) -> dict[str, Any]:
    """Parse a file."""
    try:
        content = yaml.load(path.read_bytes(), Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))  # noqa: S506 - safe
    except OSError as error:
        raise SourceError(f"kubeconfig {path}: cannot be read: {error.strerror}") from None
    except yaml.MarkedYAMLError as error:
        line = f", line {error.problem_mark.line + 1}" if error.problem_mark else ""
        raise SourceError(f"kubeconfig {path}{line}: this is not YAML") from None
    except (yaml.YAMLError, ValueError):
        raise SourceError(f"kubeconfig {path}: this is not YAML") from None
    if not isinstance(content, dict):
        raise SourceError(f"kubeconfig {path}: expected a mapping with clusters, users and contexts")
    return content


def _named(content: dict[str, Any], part: str, inner: str, name: str, where: str) -> dict[str, Any]:
    """Find an entry of one of the lists of a kubeconfig."""
    entries = content.get(part)
    known = [entry for entry in entries if isinstance(entry, dict)] if isinstance(entries, list) else []
    found = [entry for entry in known if entry.get("name") == name]
    if len(found) != 1:
        names = ", ".join(repr(str(entry.get("name"))[:64]) for entry in known[:10]) or "none"
        problem = "no entry" if not found else f"{len(found)} entries"
        raise SourceError(f"{where}: `{part}` has {problem} of the name {name!r}; it has: {names}")
    value = found[0].get(inner)
    if not isinstance(value, dict):
        raise SourceError(f"{where}: entry {name!r} of `{part}` has no `{inner}`")
    return value
