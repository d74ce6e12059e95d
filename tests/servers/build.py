"""
Builds the Go programs among the real peers, once, into a cache folder outside the checkout.

    python -m tests.servers.build [etcd] [kube-apiserver] [coredns] [kubectl] [helm] [resolve] [crds] [monitors]

Rules:

1. A binary is named by what it was built from: name, version, and a hash of its sources, its flags and Go's version.
   What is in the cache under that name is right, so finding it costs milliseconds, and nothing there ever changes.
2. One build at a time on a machine (a lock file): a build fills every core, and two test runs must not build the same.
3. A binary appears whole or not at all: it is renamed into place. A build that was cut short leaves nothing of use.

The cache folder is `$MCSDNS_CACHE`, else `$XDG_CACHE_HOME/mcsdns`, else `~/.cache/mcsdns`. Remove it at any time.
"""

import fcntl
import functools
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from .tools import Missing, need

__all__ = ["BINARIES", "BuildError", "Missing", "binary", "cache_folder", "crd_manifests", "monitor_manifests"]

_HERE: Final = Path(__file__).resolve().parent


@dataclass(frozen=True)
class Module:
    """A Go module here that builds a program: its folder, what it pins if anything, where the version is stamped in, what is built."""

    folder: str
    pins: str
    stamp: str | None = None
    package: str = "."


BINARIES: Final = {
    "etcd": Module("etcd", "go.etcd.io/etcd/server/v3"),
    "kube-apiserver": Module("kubernetes", "k8s.io/kubernetes", "k8s.io/component-base/version.gitVersion"),
    "coredns": Module("coredns", "github.com/coredns/coredns"),
    "kubectl": Module("kubectl", "k8s.io/kubectl", "k8s.io/component-base/version.gitVersion"),
    "helm": Module("helm", "helm.sh/helm/v3", package="helm.sh/helm/v3/cmd/helm"),
    # Go's own resolver, as programs that are built without cgo have it.
    "resolve": Module("resolve", ""),
}
_CRDS: Final = Module("mcs-api", "sigs.k8s.io/mcs-api")
_MONITORS: Final = Module("prometheus-operator", "github.com/prometheus-operator/prometheus-operator")


class BuildError(Exception):
    """The Go tool failed. The message holds the end of what it said."""


def cache_folder() -> Path:
    """Give the folder that binaries and manifests are kept in. It need not exist yet."""
    if chosen := os.environ.get("MCSDNS_CACHE"):
        return Path(chosen).absolute()
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base).absolute() if base else Path.home() / ".cache") / "mcsdns"


@functools.cache
def binary(name: str) -> Path:
    """
    Give the path of a program, building it first where the cache does not hold it.

    Args:
        name: One of `BINARIES`.

    Returns:
        An executable file in the cache folder.

    Raises:
        Missing: Go is not installed.
        BuildError: The build failed.
    """
    module = BINARIES[name]
    version = _pinned_version(module)
    # Without file-system paths and without debug information: the same bytes wherever it is built, and half the size.
    flags = "-s -w" if module.stamp is None else f"-s -w -X {module.stamp}={version}"

    def build(target: Path) -> None:
        _go("build", "-trimpath", "-ldflags", flags, "-o", str(target / name), module.package, folder=module.folder)

    return _cached(name, version, _key(module, flags), build) / name


@functools.cache
def crd_manifests() -> list[Path]:
    """
    Give the CRDs that a member cluster of a clusterset holds: ServiceImport, ServiceExport, ClusterProperty.

    The first two are those of the pinned mcs-api release, copied to the cache; the third is our own, in `crds/`, as
    no module has it.

    Returns:
        One YAML file for each CRD.

    Raises:
        Missing: Go is not installed.
        BuildError: The module could not be had.
    """

    folder = _crd_folder("crds", _CRDS, "config/crd/*.yaml")
    return [*sorted(folder.glob("*.yaml")), *sorted((_HERE / "crds").glob("*.yaml"))]


@functools.cache
def monitor_manifests() -> list[Path]:
    """
    Give the CRDs of ServiceMonitor, PodMonitor and PrometheusRule, of the pinned release of the Prometheus operator.

    Raises:
        Missing: Go is not installed.
        BuildError: The module could not be had.
    """
    crds = "example/prometheus-operator-crd/monitoring.coreos.com_*"
    folder = _crd_folder("monitoring", _MONITORS, f"{crds}monitors.yaml", f"{crds}prometheusrules.yaml")
    return sorted(folder.glob("*.yaml"))


def _crd_folder(name: str, module: Module, *patterns: str) -> Path:
    """Give the cache's folder with the files of a module that match any of the patterns."""

    def copy(target: Path) -> None:
        answer = json.loads(_go("mod", "download", "-json", module.pins, folder=module.folder))
        for pattern in patterns:
            for manifest in Path(answer["Dir"]).glob(pattern):
                shutil.copyfile(manifest, target / manifest.name)

    return _cached(name, _pinned_version(module), _key(module, ""), copy)


def _cached(name: str, version: str, key: str, make: Callable[[Path], None]) -> Path:
    """Give the cache's folder for this name and key, having `make` fill it where there is none yet."""
    cache = cache_folder()
    wanted = cache / f"{name}-{version}-{key}"
    if wanted.is_dir():
        return wanted
    cache.mkdir(parents=True, exist_ok=True)
    with _lock(cache / "build.lock"):
        if not wanted.is_dir():  # another process may have built it while we waited for the lock
            with tempfile.TemporaryDirectory(prefix=f".{name}-", dir=cache) as unfinished:
                content = Path(unfinished, "content")
                content.mkdir()
                make(content)
                content.rename(wanted)
    return wanted


@contextmanager
def _lock(path: Path) -> Iterator[None]:
    """Hold a lock that the kernel gives back when the process ends, however it ends."""
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _pinned_version(module: Module) -> str:
    if not module.pins:
        return "own"
    text = (_HERE / module.folder / "go.mod").read_text()
    match = re.search(rf"^(?:require)?\s+{re.escape(module.pins)} (v\S+)", text, re.MULTILINE)
    if match is None:
        raise BuildError(f"{module.folder}/go.mod does not require {module.pins}")
    return match[1]


def _key(module: Module, flags: str) -> str:
    digest = hashlib.sha256(f"{_go_version()}\0{flags}\0".encode())
    for path in sorted((_HERE / module.folder).glob("*")):
        digest.update(path.read_bytes())
    return digest.hexdigest()[:16]


@functools.cache
def _go_version() -> str:
    """Give the version of Go with its platform, such as `go version go1.26.8 linux/amd64`."""
    return _go("version").strip()


def _go(*arguments: str, folder: str = "") -> str:
    """Run the Go tool in a folder here, without cgo: no C compiler is needed, and upstream builds its releases so."""
    command = [need("go"), *arguments]
    environment = {**os.environ, "CGO_ENABLED": "0", "GOWORK": "off"}
    done = subprocess.run(command, cwd=_HERE / folder, env=environment, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        said = (done.stderr + done.stdout).strip()
        raise BuildError(f"go {' '.join(arguments)} in tests/servers/{folder} failed:\n{said[-4000:]}")
    return done.stdout


def main(names: list[str]) -> int:
    """
    Build what is named, or everything, and print where each is and how long it took.

    Args:
        names: Of `BINARIES`, or `crds`, `monitors`; none at all means all of them.

    Returns:
        The exit code: 2 for a name that is not known, 1 for a build that failed.
    """
    known = [*BINARIES, "crds", "monitors"]
    if unknown := [name for name in names if name not in known]:
        print(f"not known: {', '.join(unknown)}; expected some of: {', '.join(known)}", file=sys.stderr)
        return 2
    try:
        for name in names or known:
            started_s = time.monotonic()
            folders = {"crds": crd_manifests, "monitors": monitor_manifests}
            made = folders[name]() if name in folders else [binary(name)]
            print(f"{name}: {time.monotonic() - started_s:.1f} s", *made, sep="\n  ", flush=True)
    except (BuildError, Missing) as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
