"""config/mcsdns.yaml is the reference of the configuration: it can be used as it stands, names every key, and tells the defaults."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import msgspec
import pytest
import yaml

from mcsdns.config import Address, Cluster, Config, Kubeconfig, Limits, Listen, Metrics, Quotas
from mcsdns.configchange import LIVE
from mcsdns.configfile import load

ROOT = Path(__file__).parents[2]
REFERENCE = ROOT / "config" / "mcsdns.yaml"
TEXT = REFERENCE.read_text()
STRUCTS = (Config, Listen, Limits, Metrics, Quotas, Cluster, Kubeconfig)
EXAMPLES = {
    Config: {"clusters"},
    Cluster: {"name", "kubeconfig", "in_cluster", "manifests", "id", "quotas"},
    Kubeconfig: {"path", "context"},
    Listen: {"address"},
}
"""What has no default, or stands in the file as an example of its form."""


def test_it_is_a_configuration() -> None:
    """The file is read without a complaint."""
    config = load(REFERENCE)
    assert [cluster.name for cluster in config.clusters]


def test_the_demo_is_a_configuration() -> None:
    """So is that of the demo, and its folders are there."""
    config = load(ROOT / "config" / "demo.yaml")
    for cluster in config.clusters:
        assert cluster.manifests is not None
        assert cluster.manifests.is_dir()


@pytest.mark.parametrize("struct", STRUCTS, ids=lambda struct: struct.__name__)
def test_every_key_is_named(struct: type[msgspec.Struct]) -> None:
    """Every key stands in the file, as a value or as a comment."""
    for field in msgspec.structs.fields(struct):
        assert re.search(rf"^[ #-]*{field.encode_name}:", TEXT, re.MULTILINE), field.encode_name


@pytest.mark.parametrize("struct", STRUCTS, ids=lambda struct: struct.__name__)
def test_the_values_that_stand_there_are_the_defaults(struct: type[msgspec.Struct]) -> None:
    """A value of the file is the default that is in force where the key is left out."""
    defaults = _defaults(struct)
    for written in _written(struct):
        for key in written.keys() & defaults.keys() - EXAMPLES.get(struct, set()):
            assert written[key] == defaults[key], key


@pytest.mark.parametrize("struct", STRUCTS, ids=lambda struct: struct.__name__)
def test_a_key_without_its_default_as_a_value_says_what_it_is(struct: type[msgspec.Struct]) -> None:
    """Where the default is no value (None), the comment above the key says in words what is so then."""
    for key, default in _defaults(struct).items():
        if default is None and key not in {"kubeconfig", "manifests"}:
            above = re.search(rf"((?:^ *#.*\n)*)^[ #-]*{key}:", TEXT, re.MULTILINE)
            assert above is not None
            assert "Default:" in above[1], key


@pytest.mark.parametrize("name", [field.name for field in msgspec.structs.fields(Config)])
def test_every_key_has_a_comment(name: str) -> None:
    """Each key of the first level is explained by a comment above it."""
    assert re.search(rf"^# .*\n(# )?{name}:", TEXT, re.MULTILINE)


@pytest.mark.parametrize(
    ("struct", "key", "bounds"),
    [
        (Config, "ttl", (0, 86400)),
        (Config, "negative_ttl", (0, 86400)),
        (Config, "sync_deadline_s", (0, 3600)),
        (Config, "lameduck_s", (0, 3600)),
        (Limits, "udp_payload", (512, 4096)),
        (Quotas, "names", (1, 1_000_000)),
        (Quotas, "endpoints_per_name", (1, 10_000_000)),
        (Quotas, "endpoints", (1, 10_000_000)),
        (Quotas, "object_bytes", (1_000, 2_000_000)),
    ],
)
def test_bounds_are_as_written(struct: type[msgspec.Struct], key: str, bounds: tuple[int, int]) -> None:
    """Bounds that the comment names are those that are in force."""
    comment = re.search(rf"((?:^ *#.*\n)+)^ *{key}:", TEXT, re.MULTILINE)
    assert comment is not None
    assert f"{bounds[0]} to {bounds[1]}" in comment[1]
    kind = msgspec.structs.fields(struct)[[f.name for f in msgspec.structs.fields(struct)].index(key)].type
    for value, is_right in ((bounds[0], True), (bounds[1], True), (bounds[0] - 1, False), (bounds[1] + 1, False)):
        try:
            msgspec.convert(value, kind)
        except msgspec.ValidationError:
            assert not is_right, value
        else:
            assert is_right, value


def test_the_head_names_what_is_applied_without_a_restart() -> None:
    """The comment at the head names the keys that a running server takes, and no other."""
    head = TEXT.partition("\n\n")[0]
    sentence = re.search(r"Without a restart it applies ([^.]*)\.", head.replace("\n#", ""))
    assert sentence is not None
    assert set(re.findall(r"\w+", sentence[1])) & {field.name for field in msgspec.structs.fields(Config)} == set(LIVE)


def _defaults(struct: type[msgspec.Struct]) -> dict[str, Any]:
    """Give the default of each key that has one, as it would be written."""
    found: dict[str, Any] = {}
    for field in msgspec.structs.fields(struct):
        if not field.required:
            default = field.default if field.default is not msgspec.NODEFAULT else field.default_factory()
            found[field.encode_name] = msgspec.to_builtins(default, enc_hook=_encoded)
    return found


def _encoded(value: object) -> str:
    assert isinstance(value, (Address, Path))
    return str(value)


def _written(struct: type[msgspec.Struct]) -> list[dict[str, Any]]:
    """Give the places of the file that a struct stands for."""
    content = yaml.safe_load(TEXT)
    clusters = content["clusters"]
    places: dict[type[msgspec.Struct], list[dict[str, Any]]] = {
        Config: [content | {"listen": [one | {"view": None} for one in content["listen"]]}],
        Listen: content["listen"],
        Limits: [content["limits"]],
        Metrics: [content["metrics"]],
        Quotas: [content["quotas"]],
        Cluster: clusters,
        Kubeconfig: [cluster["kubeconfig"] for cluster in clusters if "kubeconfig" in cluster],
    }
    return places[struct]
