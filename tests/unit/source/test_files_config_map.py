"""A folder that is a mounted ConfigMap."""

from __future__ import annotations

from pathlib import Path

from mcsdns.source.files import Folder, Look
from tests.manifests import service_import, write


def names(look: Look | None) -> list[str]:
    assert look is not None
    return sorted(name for _, _, name in look.objects)


def config_map(volume: Path, generation: str, files: dict[str, str]) -> None:
    """Write a ConfigMap volume as the kubelet does: a new generation, and one atomic swap of the link `..data`."""
    for name, text in files.items():
        write(volume / generation / name, text)
    link = volume / "..data_tmp"
    link.symlink_to(generation)
    link.rename(volume / "..data")
    for name in files:
        if not (volume / name).is_symlink():
            (volume / name).symlink_to(f"..data/{name}")
    for path in volume.iterdir():
        if path.is_symlink() and not path.exists():
            path.unlink()


def test_a_mounted_config_map_is_swapped_as_one(tmp_path: Path) -> None:
    """A ConfigMap's files are links through `..data`; when that is swapped, all files change in the same look."""
    config_map(tmp_path, "..2026_01", {"a.yaml": service_import("web"), "b.yaml": service_import("db")})
    folder = Folder(tmp_path)
    assert names(folder.look()) == ["db", "web"]
    config_map(tmp_path, "..2026_02", {"a.yaml": service_import("db"), "b.yaml": service_import("web2")})
    looks = [look for _ in range(4) if (look := folder.look()) is not None]
    assert [names(look) for look in looks] == [["db", "web2"]]


def test_a_key_that_is_removed_goes_with_the_swap(tmp_path: Path) -> None:
    """A key that the new generation lacks is gone; what stays is never absent."""
    config_map(tmp_path, "..2026_01", {"a.yaml": service_import("web"), "b.yaml": service_import("db")})
    folder = Folder(tmp_path)
    folder.look()
    config_map(tmp_path, "..2026_02", {"a.yaml": service_import("web")})
    looks = [look for _ in range(4) if (look := folder.look()) is not None]
    assert [names(look) for look in looks] == [["web"]]
