"""The files of a folder, from one look to the next. What is told of them is in test_folder_source.py."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from mcsdns.errors import SourceError
from mcsdns.source.files import Folder, Look
from tests.manifests import service_import, together, write

HALF = service_import("web")[:-20]


def names(look: Look | None) -> list[str]:
    assert look is not None
    return sorted(name for _, _, name in look.objects)


def settled(folder: Folder) -> list[str]:
    """Look until a change has settled, and return what counts then."""
    last = None
    for _ in range(3):
        last = folder.look() or last
    return names(last)


def test_at_the_start_one_look_is_enough(tmp_path: Path) -> None:
    """The first look counts at once; one without a change returns None."""
    write(tmp_path / "a.yaml", service_import("web"))
    folder = Folder(tmp_path)
    assert names(folder.look()) == ["web"]
    assert folder.look() is None


def test_an_empty_folder_is_an_empty_cluster(tmp_path: Path) -> None:
    """A folder that can be read and holds nothing says so."""
    look = Folder(tmp_path).look()
    assert look is not None
    assert (look.objects, look.problems, look.whole) == ({}, {}, True)


def test_a_change_counts_in_the_second_look_that_sees_it(tmp_path: Path) -> None:
    """A file counts when it has been the same in two looks."""
    folder = Folder(tmp_path)
    folder.look()
    write(tmp_path / "a.yaml", service_import("web"))
    assert folder.look() is None
    assert names(folder.look()) == ["web"]


def test_a_file_that_goes_on_changing_does_not_count_yet(tmp_path: Path) -> None:
    """A half-written file is not an empty one: while it changes between looks, what was read before stays."""
    path = tmp_path / "a.yaml"
    write(path, service_import("web"))
    folder = Folder(tmp_path)
    folder.look()
    text = service_import("db")
    for end in (10, 50, len(text)):
        path.write_text(text[:end])
        assert folder.look() is None
    assert names(folder.look()) == ["db"]


def test_a_file_that_is_replaced_in_two_steps_never_vanishes(tmp_path: Path) -> None:
    """A file that is away in one look and back in the next was about to be replaced: nothing is deleted."""
    path = tmp_path / "a.yaml"
    write(path, service_import("web"))
    folder = Folder(tmp_path)
    folder.look()
    path.unlink()
    assert folder.look() is None
    write(path, service_import("db"))
    assert folder.look() is None
    assert names(folder.look()) == ["db"]


def test_a_deleted_file_is_gone_in_the_second_look(tmp_path: Path) -> None:
    """What is not there in two looks is gone."""
    write(tmp_path / "a.yaml", service_import("web"))
    folder = Folder(tmp_path)
    folder.look()
    (tmp_path / "a.yaml").unlink()
    assert folder.look() is None
    assert names(folder.look()) == []


def test_a_renamed_file_is_never_absent(tmp_path: Path) -> None:
    """A file under a new name counts in the same look in which the old name is gone."""
    write(tmp_path / "a.yaml", service_import("web"))
    folder = Folder(tmp_path)
    folder.look()
    (tmp_path / "a.yaml").rename(tmp_path / "b.yaml")
    looks = [look for _ in range(4) if (look := folder.look()) is not None]
    assert [names(look) for look in looks] == [["web"]]


def test_a_broken_file_keeps_its_last_good_content(tmp_path: Path) -> None:
    """A file that does not parse keeps its last good content, and the folder stays whole."""
    path = tmp_path / "a.yaml"
    write(path, service_import("web"))
    folder = Folder(tmp_path)
    folder.look()
    write(path, HALF)
    assert folder.look() is None
    look = folder.look()
    assert names(look) == ["web"]
    assert look is not None
    assert look.whole
    assert "last good content counts" in look.problems["a.yaml"]
    write(path, service_import("db"))
    folder.look()
    look = folder.look()
    assert names(look) == ["db"]
    assert look is not None
    assert not look.problems


def test_a_file_that_never_parsed_leaves_the_folder_less_than_whole(tmp_path: Path) -> None:
    """Of a file that never parsed nothing is known: its absence proves nothing."""
    write(tmp_path / "a.yaml", service_import("web"))
    write(tmp_path / "sub" / "b.yaml", HALF)
    folder = Folder(tmp_path)
    look = folder.look()
    assert names(look) == ["web"]
    assert look is not None
    assert not look.whole
    assert list(look.problems) == ["sub/b.yaml"]
    (tmp_path / "sub" / "b.yaml").unlink()
    folder.look()
    look = folder.look()
    assert look is not None
    assert look.whole
    assert not look.problems


def test_a_file_that_may_not_be_read_is_tried_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file that cannot be read is tried at every look: permissions change without its time, size and inode."""
    write(tmp_path / "a.yaml", service_import("web"))
    write(tmp_path / "b.yaml", service_import("db"))
    real = Path.read_bytes
    denied = True

    def read_bytes(path: Path) -> bytes:
        if denied and path.name == "b.yaml":
            raise PermissionError(13, "Permission denied")
        return real(path)

    monkeypatch.setattr(Path, "read_bytes", read_bytes)
    folder = Folder(tmp_path)
    look = folder.look()
    assert look is not None
    assert names(look) == ["web"]
    assert not look.whole
    assert "Permission denied" in look.problems["b.yaml"]
    assert folder.look() is None, "the same again is no news"
    denied = False
    look = folder.look()
    assert look is not None
    assert names(look) == ["db", "web"]
    assert look.whole


def test_a_file_that_changes_while_it_is_read_does_not_count(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was read counts only if the file is still the one that was seen: between the two a writer may have begun."""
    path = tmp_path / "a.yaml"
    write(path, together(service_import("web"), service_import("db")))
    real = Path.read_bytes

    def read_while_it_is_written(path: Path) -> bytes:
        path.write_text(service_import("web"))
        return real(path)

    folder = Folder(tmp_path)
    with monkeypatch.context() as patch:
        patch.setattr(Path, "read_bytes", read_while_it_is_written)
        look = folder.look()
    assert look is not None
    assert not look.whole, "it exists, and nothing of it is known yet"
    path.write_text(together(service_import("web"), service_import("db")))
    assert settled(folder) == ["db", "web"]


def test_a_folder_that_vanishes_is_an_outage(tmp_path: Path) -> None:
    """A folder that cannot be read is an outage, not an empty cluster; when it is back as it was, nothing has changed."""
    inner = tmp_path / "cluster"
    write(inner / "a.yaml", service_import("web"))
    folder = Folder(inner)
    folder.look()
    inner.rename(tmp_path / "away")
    for _ in range(3):
        with pytest.raises(SourceError, match="cluster cannot be read: No such file"):
            folder.look()
    (tmp_path / "away").rename(inner)
    assert folder.look() is None
    assert folder.look() is None


def test_a_folder_that_is_not_there_yet(tmp_path: Path) -> None:
    """A folder that comes late is read in the first look that finds it."""
    folder = Folder(tmp_path / "late")
    with pytest.raises(SourceError):
        folder.look()
    write(tmp_path / "late" / "a.yaml", service_import("web"))
    assert names(folder.look()) == ["web"]


def test_a_file_in_place_of_the_folder_is_an_outage(tmp_path: Path) -> None:
    """A path that is no folder cannot be read."""
    write(tmp_path / "a.yaml", service_import("web"))
    with pytest.raises(SourceError, match="Not a directory"):
        Folder(tmp_path / "a.yaml").look()


def test_of_duplicates_the_first_file_counts(tmp_path: Path) -> None:
    """Of an object that stands in two files, the one in the first file (by path) counts; the other is named."""
    write(tmp_path / "b.yaml", service_import("web", ips=["10.0.0.2"]))
    write(tmp_path / "a.yaml", service_import("web", ips=["10.0.0.1"]))
    folder = Folder(tmp_path)
    look = folder.look()
    assert look is not None
    assert "10.0.0.1" in str(look.objects)
    assert "10.0.0.2" not in str(look.objects)
    assert list(look.problems) == ["b.yaml"]
    (tmp_path / "a.yaml").unlink()
    folder.look()
    look = folder.look()
    assert look is not None
    assert "10.0.0.2" in str(look.objects), "the other one takes its place"
    assert not look.problems


def test_an_object_that_moves_between_files_is_never_absent(tmp_path: Path) -> None:
    """An object may move from one file to another: both are seen in the same look."""
    write(tmp_path / "a.yaml", together(service_import("web"), service_import("db")))
    write(tmp_path / "b.yaml", service_import("x"))
    folder = Folder(tmp_path)
    folder.look()
    write(tmp_path / "a.yaml", service_import("web"))
    write(tmp_path / "b.yaml", together(service_import("x"), service_import("db")))
    looks = [look for _ in range(4) if (look := folder.look()) is not None]
    assert [names(look) for look in looks] == [["db", "web", "x"]]


@pytest.mark.parametrize(
    ("name", "counts"),
    [
        ("a.yaml", True),
        ("a.yml", True),
        ("a.json", True),
        ("deep/er/a.yaml", True),
        (".hidden.yaml", False),
        (".git/a.yaml", False),
        ("..data/a.yaml", False),
        ("a.yaml~", False),
        ("a.yaml.bak", False),
        ("a.txt", False),
        ("yaml", False),
    ],
)
def test_which_files_are_read(tmp_path: Path, name: str, counts: bool) -> None:
    """YAML and JSON files at any depth; names that begin with a dot are passed over."""
    write(tmp_path / name, service_import("web"))
    assert names(Folder(tmp_path).look()) == (["web"] if counts else [])


def test_problems_in_a_file_are_told(tmp_path: Path) -> None:
    """What in a file could not be taken is told under its name; the rest of it counts."""
    write(tmp_path / "a.yaml", together(service_import("web"), "{kind: ServiceImport}"))
    look = Folder(tmp_path).look()
    assert look is not None
    assert names(look) == ["web"]
    assert look.whole
    assert list(look.problems) == ["a.yaml"]


def test_nothing_is_read_twice(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file that did not change is not read again."""
    write(tmp_path / "a.yaml", service_import("web"))
    write(tmp_path / "b.yaml", HALF)
    folder = Folder(tmp_path)
    folder.look()

    def read_bytes(path: Path) -> bytes:
        raise AssertionError(f"{path} is read again")

    monkeypatch.setattr(Path, "read_bytes", read_bytes)
    for _ in range(3):
        assert folder.look() is None


def test_a_file_that_vanishes_during_a_look_is_no_outage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is absent from this look, as one that was deleted a moment sooner."""
    write(tmp_path / "a.yaml", service_import("web"))
    write(tmp_path / "b.yaml", service_import("db"))
    folder = Folder(tmp_path)
    listed = folder._files

    def then_gone(*arguments: Any) -> Any:
        files = listed(*arguments)
        (tmp_path / "b.yaml").unlink(missing_ok=True)
        return files

    monkeypatch.setattr(folder, "_files", then_gone)
    assert names(folder.look()) == ["web"]


def test_links_that_lead_round_are_passed_over(tmp_path: Path) -> None:
    """A link to itself is no file, and a link to a folder above is not followed again."""
    write(tmp_path / "a.yaml", service_import("web"))
    (tmp_path / "loop.yaml").symlink_to("loop.yaml")
    (tmp_path / "self").symlink_to(tmp_path)
    (tmp_path / "nowhere.yaml").symlink_to("nosuch")
    assert names(Folder(tmp_path).look()) == ["web"]
