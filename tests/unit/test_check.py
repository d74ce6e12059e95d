"""What `mcsdns check` finds in folders; API servers are in tests/e2e."""

from __future__ import annotations

import asyncio
from pathlib import Path

from mcsdns.check import Report, check, text
from mcsdns.config import Cluster, Config
from tests.manifests import cluster_property, service_import, write


def checked(*clusters: Cluster) -> Report:
    return asyncio.run(check(Config(list(clusters)), 5.0))


def member(tmp_path: Path, name: str, content: str, cluster_id: str | None = None) -> Cluster:
    folder = tmp_path / name
    folder.mkdir()
    write(folder / "all.yaml", content)
    return Cluster(name, manifests=folder, id=cluster_id)


def test_a_good_folder(tmp_path: Path) -> None:
    """Its id and where that comes from, and how many objects there are."""
    report = checked(member(tmp_path, "west", cluster_property("w.eu")))
    (west,) = report.clusters
    assert report.ok
    assert (west.cluster_id, west.id_source, west.findings) == ("w.eu", "ClusterProperty", ())
    assert {one.resource.value: one.objects for one in west.resources}["clusterproperties"] == 1


def test_a_property_that_is_no_cluster_id_does_not_count(tmp_path: Path) -> None:
    """The name counts, as for the server, and the operator is told."""
    (west,) = checked(member(tmp_path, "west", cluster_property("Bad_Id"))).clusters
    assert (west.cluster_id, west.id_source) == ("west", "name")
    assert [(one.level, "'Bad_Id'" in one.problem) for one in west.findings] == [("warning", True)]


def test_a_configured_id_wins_and_it_is_said(tmp_path: Path) -> None:
    """Configuration and ClusterProperty disagree."""
    (west,) = checked(member(tmp_path, "west", cluster_property("other"), "mine")).clusters
    assert (west.cluster_id, west.id_source, west.ok) == ("mine", "configuration", True)
    assert "other" in west.findings[0].problem


def test_two_clusters_with_one_id(tmp_path: Path) -> None:
    """The second is the one that does not count."""
    report = checked(member(tmp_path, "a", cluster_property("same")), member(tmp_path, "b", cluster_property("same")))
    assert [one.ok for one in report.clusters] == [True, False]
    assert not report.ok


def test_what_is_wrong_with_files(tmp_path: Path) -> None:
    """A file that cannot be read makes the folder less than whole: names may be missing. The others are told as warnings."""
    west = member(tmp_path, "west", service_import("web"))
    write(tmp_path / "west" / "broken.yaml", "{")
    report = checked(west, Cluster("gone", manifests=tmp_path / "nosuch"))
    assert [[one.level for one in cluster.findings] for cluster in report.clusters] == [["error"], ["error"]]
    said = text(report)
    assert "broken.yaml: not valid YAML" in said
    assert "gone: NOT OK" in said
    assert said.count("fix: ") == 2
