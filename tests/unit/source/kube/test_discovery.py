"""Which version of a resource an API server serves."""

from __future__ import annotations

import msgspec
import pytest

from mcsdns.errors import ApiError, StreamError
from mcsdns.source.kube.discovery import KINDS, find, resources_served, verbs_served, versions_served

IMPORTS = next(kind for kind in KINDS if kind.name == "ServiceImport")
ALL = ["get", "list", "watch"]


class Server:
    """Serves discovery for the versions of one group."""

    def __init__(self, **versions: list[str]) -> None:
        self.versions = versions
        self.asked: list[str] = []

    async def get(self, path: str) -> bytes:
        self.asked.append(path)
        if path == "/apis":
            served = [{"version": version} for version in self.versions]
            groups = [{"name": IMPORTS.group, "versions": served}] if served else []
            return msgspec.json.encode({"kind": "APIGroupList", "groups": groups})
        version = path.rpartition("/")[2]
        if version not in self.versions or self.versions[version] == ["404"]:
            raise ApiError(404, "not found")
        resources = [{"name": name, "verbs": ALL} for name in self.versions[version]]
        group_version = f"{IMPORTS.group}/{version}"
        return msgspec.json.encode({"kind": "APIResourceList", "groupVersion": group_version, "resources": resources})


@pytest.mark.parametrize(
    ("server", "expected"),
    [
        (Server(v1alpha1=["serviceimports"], v1beta1=["serviceimports"]), "v1beta1"),
        (Server(v1beta1=["serviceimports"]), "v1beta1"),
        (Server(v1alpha1=["serviceimports"]), "v1alpha1"),
        (Server(v1beta1=["serviceexports"], v1alpha1=["serviceexports", "serviceimports"]), "v1alpha1"),
        (Server(v1beta1=["404"], v1alpha1=["serviceimports"]), "v1alpha1"),
        (Server(v2=["serviceimports"]), None),
        (Server(v1beta1=["serviceexports"]), None),
        (Server(), None),
    ],
)
async def test_the_preferred_version_that_is_served(server: Server, expected: str | None) -> None:
    """v1beta1 before v1alpha1, each only if it has this very resource; none is no error."""
    assert await find(server.get, IMPORTS) == expected


@pytest.mark.parametrize(
    "body", [b"", b"<html>", b"{}", b'{"kind":"PodList","groups":[]}', b'{"kind":"APIGroupList"}', b"[]"]
)
def test_what_is_no_list_of_groups_proves_nothing(body: bytes) -> None:
    """Absence is concluded from a right answer only."""
    with pytest.raises(StreamError, match="APIGroupList"):
        versions_served(body, IMPORTS.group)


def test_a_resource_has_to_be_listed_and_watched() -> None:
    """What cannot be listed and watched is not served."""
    some = [{"name": "a", "verbs": ALL}, {"name": "b", "verbs": ["create"]}, {"name": "c", "verbs": ["list"]}]
    body = msgspec.json.encode({"kind": "APIResourceList", "groupVersion": "g/v1", "resources": some})
    assert resources_served(body, "g/v1") == {"a"}
    with pytest.raises(StreamError, match="expected the resources of g/v2"):
        resources_served(body, "g/v2")


@pytest.mark.parametrize(
    ("server", "expected"),
    [
        (Server(v1beta1=["serviceimports"]), frozenset(ALL)),
        (Server(v1beta1=["serviceexports"]), None),
        (Server(v1alpha1=["serviceimports"]), None),
        (Server(), None),
    ],
)
async def test_what_can_be_done_with_a_version(server: Server, expected: frozenset[str] | None) -> None:
    """None where the server itself says that it does not serve it so."""
    assert await verbs_served(server.get, IMPORTS, "v1beta1") == expected


async def test_a_404_is_no_word_of_a_server_without_discovery() -> None:
    """It says nothing: it is raised."""

    async def get(path: str) -> bytes:
        raise ApiError(404, "page not found")

    with pytest.raises(ApiError, match="404"):
        await verbs_served(get, IMPORTS, "v1beta1")
