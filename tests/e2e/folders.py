"""Member clusters as folders of manifests, written by a test."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tests.manifests import service_import, together


def member(root: Path, name: str, *documents: str, **settings: Any) -> dict[str, Any]:
    """
    Write a member cluster with one file of manifests.

    Args:
        root: Where the configuration is.
        name: The cluster's, and the folder's.
        documents: Manifests.
        settings: Other keys of the cluster's configuration.

    Returns:
        Its entry in the configuration.
    """
    write(root / name / "objects.yaml", together(*documents))
    return {"name": name, "manifests": name} | settings


def write(path: Path, text: str) -> None:
    """Replace a file in one step, as editors and ConfigMap mounts do."""
    path.parent.mkdir(parents=True, exist_ok=True)
    new = path.with_name(f".{path.name}")
    new.write_text(text)
    new.replace(path)


def web(*ips: str) -> str:
    """Make the import of `web.test`, with a port."""
    return service_import("web", ips=ips, ports=["http 80/TCP"])
