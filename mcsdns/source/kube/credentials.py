"""
Reads where and as whom a cluster is asked. The only module that imports the `kubernetes` package.

Rules:
1. The package does what it is good at: tokens and their files, exec plugins, OIDC, in-cluster. It is imported at first use:
   0.13 s and 19 MiB.
2. Its errors may hold secrets, so they are told in our own words.
3. It writes keys to files. They are put into a private folder in memory (`/dev/shm`) where there is one, and removed as
   soon as the TLS context holds them.
4. It is never given a way to write the kubeconfig back, and its default configuration is never set.

Everything here blocks: `link` calls it in a thread.
"""

from __future__ import annotations

import hashlib
import logging
import os
import ssl
import tempfile
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit
from urllib.request import getproxies_environment, proxy_bypass

from mcsdns.errors import SourceError
from mcsdns.source.kube import kubeconfig
from mcsdns.source.kube.connection import Connection
from mcsdns.source.kube.settings import InCluster, KubeconfigSettings, KubeSettings

MEMORY: Final = Path("/dev/shm")  # noqa: S108 - a private folder is made in it

_files_lock: Final = threading.Lock()
"""The package shares the files that it writes between clusters: one cluster's must not be removed under another's hands."""


class Credentials:
    """
    One cluster's credentials.

    Args:
        settings: Where they are.
        environ: The environment, for in-cluster and for proxies.
    """

    def __init__(self, settings: KubeSettings, environ: Mapping[str, str] = os.environ) -> None:
        self._settings = settings
        self._environ = environ
        self._loader: Any = None
        self._loader_digest = b""

    def load(self) -> Connection:
        """
        Read everything anew. A plugin is run again.

        Raises:
            SourceError: It cannot be used: which file, which context, why, and what to do.
        """
        if isinstance(self._settings, InCluster):
            return self._load_in_cluster(self._settings)
        return self._load_kubeconfig(self._settings)

    def digest(self) -> bytes:
        """Return a digest of the content of every file that belongs to the connection. Never raises."""
        digest = hashlib.sha256()
        for path in self._files():
            try:
                digest.update(path.read_bytes())
            except OSError as error:
                digest.update(str(error.errno).encode())
            digest.update(b"\0")
        return digest.digest()

    def _files(self) -> Iterator[Path]:
        """Name the files."""
        if isinstance(self._settings, InCluster):
            yield from (self._settings.folder / "token", self._settings.folder / "ca.crt")
            return
        try:
            yield from kubeconfig.read(self._settings.path, self._settings.context).files()
        except SourceError:
            yield self._settings.path

    def _load_in_cluster(self, settings: InCluster) -> Connection:
        """Read a service account."""
        from kubernetes.config import incluster_config  # noqa: PLC0415 - rule 1

        package: Any = incluster_config  # it has no usable types
        authority = settings.folder / "ca.crt"
        loader = package.InClusterConfigLoader(
            token_filename=str(settings.folder / "token"), cert_filename=str(authority), environ=self._environ
        )
        try:
            loader._load_config()  # `load_and_set` does no more than copy the result
        except (package.ConfigException, OSError, ValueError) as error:
            raise SourceError(
                f"in-cluster: {error}; is this a pod with a service account token in {settings.folder}?"
            ) from None
        authorization = "Bearer " + str(loader.token).partition(" ")[2].strip()
        context = _tls(f"in-cluster, {authority}", authority=authority)
        place = _identity(loader.host, authority.read_bytes())
        proxy = self._proxy(str(loader.host))
        kubeconfig.check_proxy("in-cluster", proxy)
        return Connection(
            url=loader.host,
            ssl=context,
            authorization=authorization,
            proxy=proxy,
            identity=place,
            place=place,
        )

    def _load_kubeconfig(self, settings: KubeconfigSettings) -> Connection:
        """Read a kubeconfig."""
        digest = self.digest()
        entry = kubeconfig.read(settings.path, settings.context)
        if not settings.allow_insecure:
            kubeconfig.check_security(entry)
        # Kept while the files are the same: it holds what OIDC has renewed, which is not written back.
        if self._loader is None or digest != self._loader_digest:
            self._loader, self._loader_digest = None, b""
            loader = _loader(entry)
        else:
            loader = self._loader
        with _memory_folder() as folder:
            loader._temp_file_path = str(folder)  # a new one each time
            _authenticate(loader, entry)
            with _files_lock:
                connection = self._connect(loader, entry)
        self._loader, self._loader_digest = loader, digest
        return connection

    def _connect(self, loader: Any, entry: kubeconfig.Entry) -> Connection:
        """Make a connection of what the package has read."""
        with _own_words(entry.where, "its certificates or keys cannot be used"):
            loader._load_cluster_info()  # `load_and_set` would run the plugin again
        found = vars(loader)
        url = found["host"]
        authority, certificate, key = (_path(found.get(name)) for name in ("ssl_ca_cert", "cert_file", "key_file"))
        context = None
        if url.startswith("https://"):
            context = _tls(entry.where, authority, certificate, key, is_checked=found.get("verify_ssl", True))
        proxy = found.get("proxy") or self._proxy(url)
        kubeconfig.check_proxy(entry.where, proxy)
        server_name = found.get("tls_server_name")
        contents = [path.read_bytes() for path in (authority, certificate, key) if path is not None]
        token = found.get("token")
        expiry = found.get("expiry")
        return Connection(
            url=url,
            ssl=context,
            authorization=" ".join(str(token).split()) if token else None,
            proxy=proxy,
            server_name=server_name,
            identity=_identity(url, *contents, repr((proxy, server_name, found.get("verify_ssl"))).encode()),
            place=_identity(url, authority.read_bytes() if authority is not None else b""),
            expires_at=expiry.timestamp() if expiry is not None else None,
            renews_token=not entry.has_fixed_token,
            client_certificate=certificate.read_text("utf-8", "replace") if certificate is not None else None,
        )

    def _proxy(self, url: str) -> str | None:
        """Find the proxy that the environment names, as every Kubernetes client does."""
        proxies = getproxies_environment() if self._environ is os.environ else {}
        at = urlsplit(url)
        if not proxies or proxy_bypass(at.netloc):
            return None
        return proxies.get(at.scheme) or proxies.get("all")


def _loader(entry: kubeconfig.Entry) -> Any:
    """Make the package's loader for one context."""
    from kubernetes.config import kube_config  # noqa: PLC0415 - rule 1

    package: Any = kube_config  # it has no usable types
    with _own_words(entry.where, "the file is not as a kubeconfig should be"):
        # `path` is what relative file names in it are relative to.
        node = package.ConfigNode("kubeconfig", entry.content, str(entry.path.absolute()))
        return package.KubeConfigLoader(config_dict=node, active_context=entry.context, config_base_path=None)


def _authenticate(loader: Any, entry: kubeconfig.Entry) -> None:
    """Get a token or a client certificate: from the file, from another, from a plugin, from an OIDC issuer."""
    for name in ("token", "expiry", "cert_file", "key_file"):
        vars(loader).pop(name, None)
    with _own_words(entry.where, "its credentials cannot be had"), _said() as said:
        loader._load_authentication()  # see `_connect`
    # The package logs the failure of a plugin and goes on without credentials.
    if "exec" in entry.user and not {"token", "cert_file"} & set(vars(loader)):
        raise SourceError(f"{entry.where}: the exec plugin gave no credentials: {' '.join(said)[:256]}")


@contextmanager
def _said() -> Iterator[list[str]]:
    """Collect what the package logs on the root logger in this thread, and keep it from being logged."""
    said: list[str] = []
    thread = threading.get_ident()

    def collect(record: logging.LogRecord) -> bool:
        if record.thread != thread or record.module != "kube_config":
            return True
        said.append(record.getMessage())
        return False

    root = logging.getLogger()
    root.addFilter(collect)
    try:
        yield said
    finally:
        root.removeFilter(collect)


@contextmanager
def _own_words(where: str, problem: str) -> Iterator[None]:
    """Turn whatever the package and its dependencies raise into one error, without what they may have quoted."""
    try:
        yield
    except FileNotFoundError as error:
        raise SourceError(f"{where}: {problem}: no such file: {error.filename}") from None
    except Exception as error:  # noqa: BLE001 - it lets through whatever YAML, OIDC, HTTP and TLS libraries raise
        missing = str(error) if str(error).startswith("File does not exist: ") else ""
        raise SourceError(f"{where}: {problem}: {missing or type(error).__name__}") from None


@contextmanager
def _memory_folder() -> Iterator[Path]:
    """Make a private folder, in memory where that is possible: the root of a container is often read-only."""
    with tempfile.TemporaryDirectory(
        prefix="mcsdns-", dir=MEMORY if os.access(MEMORY, os.W_OK) else None, ignore_cleanup_errors=True
    ) as folder:
        yield Path(folder)


def _tls(
    where: str,
    authority: Path | None = None,
    certificate: Path | None = None,
    key: Path | None = None,
    *,
    is_checked: bool = True,
) -> ssl.SSLContext:
    """Make a TLS context that trusts the cluster's own authority alone, or the system's where it names none."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if not is_checked:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    try:
        if authority is not None:
            context.load_verify_locations(cafile=authority)
        elif is_checked:
            context.load_default_certs()
    except (OSError, ssl.SSLError) as error:
        raise SourceError(f"{where}: the certificate authority cannot be used: {error.strerror}") from None
    if certificate is not None:
        try:
            context.load_cert_chain(
                certificate, key, password=""
            )  # an empty one, so that nobody is asked on the terminal
        except (OSError, ssl.SSLError) as error:
            raise SourceError(
                f"{where}: the client certificate or its key cannot be used: {error.strerror or error.args[-1]}"
            ) from None
    return context


def _path(name: str | None) -> Path | None:
    """Return a path, or None where there is none."""
    return Path(name) if name else None


def _identity(*parts: str | bytes) -> bytes:
    """Return a digest of parts."""
    digest = hashlib.sha256()
    for part in parts:
        digest.update(hashlib.sha256(part.encode() if isinstance(part, str) else part).digest())
    return digest.digest()
