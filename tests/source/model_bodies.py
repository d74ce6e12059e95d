"""Bodies of the model test without objects: what a server says that it serves, and what is no answer to what was asked."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Final

import msgspec

from mcsdns.source.events import Resource
from mcsdns.source.kube.payload import error_of
from tests.source.model_store import GROUPS

encode = msgspec.json.encode
DOOMED: Final = ["delete", "deletecollection", "get", "list", "watch"]
VERBS: Final = [*DOOMED, "patch", "create", "update"]
"""What is offered of a resource; of one whose CRD is being deleted, less."""

WRONG: Final = {
    "html": b"<html><body>Sign in</body></html>",
    "{}": b"{}",
    "null": b'{"kind":"List","apiVersion":"v1","metadata":{"resourceVersion":"9"},"items":null}',
    "other": b'{"kind":"PodList","apiVersion":"v1","metadata":{"resourceVersion":"9"},"items":[]}',
    "group": b'{"kind":"%sList","apiVersion":"example.org/v1","metadata":{"resourceVersion":"9"},"items":[]}',
    "no rv": b'{"kind":"%sList","apiVersion":"%s/v1","metadata":{},"items":[]}',
}
"""Bodies with status 200 that are no lists of what was asked for."""


def document(path: list[str], served: Mapping[Resource, tuple[str, ...]], doomed: Collection[Resource]) -> bytes:
    """
    Give a discovery document, or raise what stands for one that there is not.

    Args:
        path: Its parts, `apis` first.
        served: The versions of each resource.
        doomed: Those whose CRD is being deleted.
    """
    known = {f"{GROUPS[r]}/{version}" for r in Resource for version in served[r]}
    if path == ["apis"]:
        groups: dict[str, list[dict[str, str]]] = {}
        for one in sorted(known):
            group, _, version = one.partition("/")
            groups.setdefault(group, []).append({"groupVersion": one, "version": version})
        return encode({"kind": "APIGroupList", "groups": [{"name": g, "versions": v} for g, v in groups.items()]})
    wanted = "/".join(path[1:])
    if wanted not in known:
        raise error_of(404, b"404 page not found\n")
    names = [r for r in Resource if GROUPS[r] == path[1] and path[2] in served[r]]
    resources = [{"name": name, "verbs": DOOMED if name in doomed else VERBS} for name in names]
    return encode({"kind": "APIResourceList", "groupVersion": wanted, "resources": resources})
