"""
The clusterset as files: a folder of manifests, dnsperf's questions, mcsdns's configuration, the zone's master file.
"""

import json
import subprocess
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import yaml

from .clusterset import ZONE, Object, Question, Service, manifests

IN_FILE: Final = 200
"""Services in one file of manifests."""
_TYPES: Final = {1: "A", 28: "AAAA", 33: "SRV"}
_Dumper: Any = getattr(yaml, "CSafeDumper", yaml.SafeDumper)


def write_manifests(services: Sequence[Service], folder: Path, form: str) -> list[Path]:
    """
    Write a folder of manifests, some hundred services to a file.

    Args:
        services: What it shall hold.
        folder: Made where absent; it should be empty.
        form: `json` (a list in a file) or `yaml` (several documents in a file).

    Returns:
        The files, in the order of the services.
    """
    folder.mkdir(parents=True, exist_ok=True)
    files: list[Path] = []
    for start in range(0, len(services), IN_FILE):
        files.append(folder / f"{start // IN_FILE:04}.{form}")
        files[-1].write_text(manifest_text([o for s in services[start : start + IN_FILE] for o in manifests(s)], form))
    return files


def manifest_text(objects: list[Object], form: str) -> str:
    """Return the content of one file."""
    if form == "json":
        return json.dumps({"apiVersion": "v1", "kind": "List", "items": objects}, separators=(",", ":"))
    return str(yaml.dump_all(objects, Dumper=_Dumper, sort_keys=False))


def write_questions(questions: Iterable[Question], path: Path) -> None:
    """Write the questions as dnsperf reads them."""
    path.write_text("".join(f"{question.name} {_TYPES[question.type]}\n" for question in questions))


def write_config(
    sources: Sequence[Mapping[str, object]],
    port: int,
    admin_port: int,
    path: Path,
    plane: str = "auto",
    **settings: object,
) -> None:
    """
    Write a configuration of mcsdns.

    Args:
        sources: Where each member cluster's objects come from, as in `clusters` of the configuration: `manifests` or `kubeconfig`.
        port: Where DNS is served.
        admin_port: Where HTTP is served.
        path: The file.
        plane: What answers.
        settings: Further keys.
    """
    content = {
        "zone": ZONE,
        "plane": plane,
        "listen": [{"address": f"127.0.0.1:{port}"}],
        "admin": f"127.0.0.1:{admin_port}",
        "lameduck_s": 0,
        "sync_deadline_s": 600,
        # 50,000 services in one cluster are more than a member is allowed by default.
        "quotas": {"names": 1_000_000, "endpoints": 10_000_000},
        "clusters": [{"name": f"member-{number:02}", **source} for number, source in enumerate(sources)],
        **settings,
    }
    path.write_text(yaml.safe_dump(content, sort_keys=False))


def export(config: Path, path: Path) -> None:
    """
    Let mcsdns write the zone's master file.

    Raises:
        subprocess.CalledProcessError: It could not.
    """
    command = [sys.executable, "-m", "mcsdns", "export", "--timeout", "300", "--config", str(config)]
    with path.open("wb") as file:
        subprocess.run(command, check=True, stdout=file, timeout=600)
