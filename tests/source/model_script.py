"""
What happens in an example of the model test: scripts of actions, drawn so that a shorter and plainer one is a smaller one.

| action                                        | what it does                                                              |
|-----------------------------------------------|---------------------------------------------------------------------------|
| wait s                                        | time passes; then everything is checked                                   |
| turns n                                       | the event loop goes round so often                                        |
| put, remove cluster resource object           | an object is written or deleted                                           |
| scene cluster service                         | a headless service of this cluster: import, export, slice of its own      |
| fill cluster                                  | more than 20 ServiceExports of no consequence are written                 |
| trouble cluster resource verb what, then      | a kind of requests is in trouble from now on; open watches suffer `then`  |
| heal cluster                                  | no more trouble there                                                     |
| touch cluster resource how                    | open watches end, break, are cut in their next line, or fall silent       |
| compact, restore cluster                      | etcd forgets the past, or goes back                                       |
| serve cluster resource versions               | the CRD is served in these versions, or not installed                     |
| doom cluster resource kept                    | after a rest, the CRD is being deleted, and its objects but for so many   |
| lie cluster resource percent                  | the next list holds only so much of what there is                         |
| rotate cluster how                            | other credentials: at once, in the server first, or another connection    |
"""

from __future__ import annotations

from typing import Any, Final, NamedTuple

from hypothesis import strategies as st

from mcsdns.source.events import Resource
from tests.source.model_bodies import WRONG
from tests.source.model_objects import CLUSTERS, EXPORTS, IMPORTS, KEYS, PROPERTIES, SERVICES, SHAPES, SLICES
from tests.source.model_server import VERSIONS

Action = tuple[Any, ...]


class Script(NamedTuple):
    """
    An example.

    Attributes:
        clusters: How many there are.
        has_optional: The last of them is optional.
        page: Objects in a page of a list.
        seed: Of everything that is left to chance: jitter, where chunks end, when work gives way.
        before: What happens before the reader begins.
        actions: What happens then.
    """

    clusters: int
    has_optional: bool
    page: int
    seed: int
    before: list[Action]
    actions: list[Action]


_WAITS: Final = (0.02, 0.02, 0.02, 0.3, 1.0, 3.0, 3.0, 12.0, 35.0, 100.0, 200.0, 500.0)
_LIST_TROUBLES: Final = (
    ("refused", None),
    ("hang", None),
    ("cut", None),
    ("gone", None),
    *(("tail", (code, None)) for code in (410, 410, 500)),
    *(("status", (code, None)) for code in (401, 403, 404, 429, 500, 502, 503, 504)),
    *(("status", (code, 20.0)) for code in (429, 503)),
    *(("wrong", body) for body in WRONG),
    *(("slow", seconds) for seconds in (0.5, 5.0, 20.0)),
)
_WATCH_TROUBLES: Final = (
    ("refused", None),
    ("hang", None),
    ("cut", None),
    ("cut", None),
    ("gone", None),
    ("ends", None),
    ("silent", None),
    ("doubles", None),
    *(("status", (code, None)) for code in (401, 403, 404, 429, 500, 503)),
    ("status", (503, 20.0)),
    ("wrong", "html"),
    ("slow", 5.0),
)
_TOUCHES: Final = ("end", "fail", "cut", "freeze")
_RESOURCES: Final = (*Resource, SLICES, IMPORTS, SLICES)
_SERVED: Final = [
    (resource, versions)
    for resource in (IMPORTS, EXPORTS, PROPERTIES)
    for versions in ((), (), VERSIONS[resource], VERSIONS[resource][:1], VERSIONS[resource][1:])
]

_cluster = st.sampled_from((*CLUSTERS, *CLUSTERS[:2], CLUSTERS[0]))
_resource = st.sampled_from(_RESOURCES)
_scope = st.sampled_from((None, None, *_RESOURCES))


@st.composite
def _puts(draw: st.DrawFn) -> Action:
    resource = draw(_resource)
    shapes = len(SHAPES[resource])
    if resource is PROPERTIES and draw(st.booleans()):
        resource, shapes = IMPORTS, len(SHAPES[IMPORTS])
    key = draw(st.sampled_from(KEYS[resource]))
    return "put", draw(_cluster), resource, key, draw(st.integers(0, shapes - 1))


@st.composite
def _removes(draw: st.DrawFn) -> Action:
    resource = draw(_resource)
    return "remove", draw(_cluster), resource, draw(st.sampled_from(KEYS[resource])), draw(st.booleans())


@st.composite
def _troubles(draw: st.DrawFn) -> Action:
    verb = draw(st.sampled_from(("watch", "list", "both", "both")))
    what = draw(st.sampled_from(_LIST_TROUBLES if verb != "watch" else _WATCH_TROUBLES))
    return "trouble", draw(_cluster), draw(_scope), verb, what, draw(st.sampled_from((None, None, *_TOUCHES)))


_wait = st.sampled_from(_WAITS).map(lambda seconds: ("wait", seconds))
_rare = st.one_of(
    st.tuples(st.just("compact"), _cluster),
    st.tuples(st.just("compact"), _cluster),
    st.tuples(st.just("restore"), _cluster, st.integers(1, 12)),
    st.tuples(st.just("serve"), _cluster, st.sampled_from(_SERVED)),
    st.tuples(st.just("lie"), _cluster, st.sampled_from((*_RESOURCES, EXPORTS)), st.sampled_from((0, 0, 30))),
    st.tuples(st.just("rotate"), _cluster, st.sampled_from(("both", "server", "connection"))),
    st.tuples(st.just("fill"), _cluster),
    st.tuples(st.just("turns"), st.integers(1, 6)),
)
_actions: st.SearchStrategy[Action] = st.one_of(
    _wait,
    _puts(),
    _puts(),
    _removes(),
    st.tuples(st.just("scene"), _cluster, st.sampled_from(SERVICES)),
    _wait,
    _puts(),
    _troubles(),
    st.tuples(st.just("heal"), _cluster),
    st.tuples(st.just("touch"), _cluster, _scope, st.sampled_from(_TOUCHES)),
    _rare,
    _rare,
    st.tuples(st.just("doom"), _cluster, st.sampled_from((IMPORTS, EXPORTS, PROPERTIES)), st.integers(0, 1)),
    _wait,
)


@st.composite
def scripts(draw: st.DrawFn) -> Script:
    """Draw an example."""
    return Script(
        draw(st.sampled_from((1, 2, 2, 3))),
        draw(st.booleans()),
        draw(st.sampled_from((500, 2, 1, 3))),
        draw(st.integers(0, 2**16)),
        draw(st.lists(_actions, max_size=16)),
        draw(st.lists(_actions, min_size=8, max_size=40)),
    )
