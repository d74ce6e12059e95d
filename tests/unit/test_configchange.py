"""What another configuration asks of a running server."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from mcsdns.config import Config
from mcsdns.configchange import LIVE, RESTART, compare
from mcsdns.configfile import parse
from mcsdns.errors import ConfigError

LISTEN = "listen: [{address: 127.0.0.1:5300}]\n"
A, B, C = "{name: a, manifests: a}", "{name: b, manifests: b}", "{name: c, in_cluster: true}"


def config(*clusters: str, more: str = "", listen: str = LISTEN) -> Config:
    return parse(f"{listen}{more}\nclusters: [{', '.join(clusters)}]\n", Path("etc/mcsdns.yaml"))


CASES: list[tuple[str, Config, Config, dict[str, Any]]] = [
    ("nothing", config(A, B), config(A, B), {}),
    ("added", config(A, B), config(A, C, B), {"added": ("c",)}),
    ("removed", config(A, B, C), config(A, C), {"removed": ("b",)}),
    ("exchanged", config(A, B, C), config(A, "{name: d, manifests: b}", C), {"added": ("d",), "removed": ("b",)}),
    ("reordered", config(A, B, C), config(C, A, B), {"is_reordered": True}),
    ("added before", config(A, B), config(C, A, B), {"added": ("c",)}),
    ("folder", config(A, B), config(A, "{name: b, manifests: z}"), {"replaced": ("b",)}),
    ("kind of source", config(A, B), config(A, "{name: b, in_cluster: true}"), {"replaced": ("b",)}),
    (
        "context",
        config(A, "{name: b, kubeconfig: {path: k, context: x}}"),
        config(A, "{name: b, kubeconfig: {path: k, context: y}}"),
        {"replaced": ("b",)},
    ),
    (
        "insecure",
        config(A, "{name: b, kubeconfig: {path: k}}"),
        config(A, "{name: b, kubeconfig: {path: k, insecure: true}}"),
        {"replaced": ("b",)},
    ),
    ("id", config(A, B), config(A, "{name: b, manifests: b, id: bb}"), {"identified": ("b",)}),
    ("id and source", config(A, B), config(A, "{name: b, manifests: z, id: bb}"), {"replaced": ("b",)}),
    ("optional", config(A, B), config(A, "{name: b, manifests: b, optional: true}"), {"excused": ("b",)}),
    ("ttl", config(A, B), config(A, B, more="ttl: 30"), {"keys": ("ttl",)}),
    (
        "every other live key",
        config(A, B),
        config(A, B, more="{negative_ttl: 9, advertise: [10.0.0.1], sync_deadline_s: 1, lameduck_s: 2}"[1:-1].replace(", ", "\n")),
        {"keys": ("negative_ttl", "advertise", "sync_deadline_s", "lameduck_s")},
    ),
]  # fmt: skip


@pytest.mark.parametrize(("running", "new", "expected"), [case[1:] for case in CASES], ids=[case[0] for case in CASES])
def test_what_is_to_be_done(running: Config, new: Config, expected: dict[str, Any]) -> None:
    """Each difference is named by what is to be done about it, and nothing else is."""
    change = compare(running, new, [None])
    found = {
        key: getattr(change, key)
        for key in ("added", "removed", "replaced", "identified", "excused", "is_reordered", "keys", "waiting")
    }
    assert {key: value for key, value in found.items() if value} == expected
    assert change.config == new


WAITING = {
    "zone": "zone: other.example",
    "plane": "plane: python",
    "threads": "threads: 3",
    "pin": "pin: true",
    "admin": "admin: 127.0.0.1:1",
    "metrics": "metrics: {coredns_names: false}",
    "nsid": "nsid: x",
    "limits": "limits: {tcp_in_flight: 3}",
}


@pytest.mark.parametrize("key", WAITING)
def test_a_key_that_waits_for_a_restart(key: str) -> None:
    """It is named with what to do, stays as it was, and the rest of the file is applied."""
    change = compare(config(A, B, C), config(A, C, more=f"ttl: 9\n{WAITING[key]}"), [None])
    assert {name: "restart" in text for name, text in change.waiting.items()} == {key: True}
    assert (change.removed, change.config.ttl) == (("b",), 9)
    assert getattr(change.config, key) == getattr(config(A), key)


def test_every_key_is_applied_or_waits() -> None:
    """No key is forgotten: what is not live waits for a restart."""
    assert set(WAITING) | {"listen"} == set(RESTART)
    assert len({*LIVE, *RESTART}) == len(LIVE) + len(RESTART)


ADDRESS = "127.0.0.1:5300"
LISTENERS = [
    # what ran, what is asked for, the view that is served, and what waits
    ("address", LISTEN, "listen: [{address: 127.0.0.1:5301}]\n", None, {"listen": "restart mcsdns to apply it"}),
    (
        "one more",
        LISTEN,
        "listen: [{address: 127.0.0.1:5300}, {address: 127.0.0.1:5301}]\n",
        None,
        {"listen": "restart mcsdns to apply it"},
    ),
    (
        "another view",
        LISTEN,
        "listen: [{address: 127.0.0.1:5300, view: b}]\n",
        None,
        {"listen[0].view": f"{ADDRESS} goes on serving the view of no cluster in particular; restart mcsdns for that of b"},
    ),
    ("the same view, named", LISTEN, "listen: [{address: 127.0.0.1:5300, view: a}]\n", "a", {}),
    (
        "no longer the only cluster",
        LISTEN,
        LISTEN,
        "a",
        {
            "listen[0].view": f"{ADDRESS} goes on serving the view of a; "
            "write `view: a` to keep it, or restart mcsdns for that of no cluster in particular"
        },
    ),
]  # fmt: skip


@pytest.mark.parametrize(
    ("was", "listen", "view", "waiting"), [case[1:] for case in LISTENERS], ids=[case[0] for case in LISTENERS]
)
def test_listeners_keep_their_view(was: str, listen: str, view: str | None, waiting: dict[str, str]) -> None:
    """A listener serves what it was given at the start; what the file asks for beside that waits, with the words how to name it."""
    change = compare(config(A, B, listen=was), config(A, B, listen=listen), [view])
    assert change.waiting == waiting
    assert change.config.listen == config(A, listen=was).listen


def test_a_view_of_several_stays_when_one_cluster_is_left() -> None:
    """The other way round: the view of no cluster in particular stays, and that of the only cluster waits."""
    change = compare(config(A, B), config(A), [None])
    assert change.waiting["listen[0].view"].endswith("restart mcsdns for that of a")
    assert change.removed == ("b",)


def test_a_file_without_a_viewed_cluster_is_refused() -> None:
    """A listener's own cluster must stay: without it everything would be NXDOMAIN there."""
    with pytest.raises(ConfigError) as found:
        compare(config(A, B), config(B), ["a"], "etc/mcsdns.yaml")
    assert str(found.value) == (
        "etc/mcsdns.yaml: clusters: the cluster 'a' is missing, whose view 127.0.0.1:5300 serves while mcsdns runs; "
        "leave it in the file, or restart mcsdns to change what is served"
    )


def test_advertised_addresses_follow_what_is_bound() -> None:
    """Listeners that wait for a restart are not advertised."""
    change = compare(config(A), config(A, listen="listen: [{address: 127.0.0.9:53}]\n"), [None])
    assert change.config.advertised == (bytes((127, 0, 0, 1)),)
