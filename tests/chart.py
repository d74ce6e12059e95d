"""
The Helm chart, rendered; and what is made of it: `deploy/mcsdns.yaml` and the table of values in the chart's README.

    python -m tests.chart

writes both. A test holds them to what it would write.
"""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final, NamedTuple

import yaml

from tests.servers.run import binary

ROOT: Final = Path(__file__).parents[1]
CHART: Final = ROOT / "deploy" / "helm" / "mcsdns"
README: Final = CHART / "README.md"
PLAIN: Final = ROOT / "deploy" / "mcsdns.yaml"
NAMESPACE: Final = "mcsdns"
KUBERNETES: Final = "1.37.2"
"""The version that helm is told to render for: that of the API server in the tests."""

_PLAIN_HEAD: Final = """\
# mcsdns in the cluster that it watches: the Helm chart (deploy/helm/mcsdns) with its defaults. Made by `make manifests`; do not edit.
#   kubectl apply -f deploy/mcsdns.yaml
"""
_TABLE_HEAD: Final = "| value | default | |\n|---|---|---|\n"

Values = Mapping[str, Any]
Object = dict[str, Any]


class ChartError(Exception):
    """Helm refused. The message holds what it said."""


class Documented(NamedTuple):
    """A value of the chart: its path, its default, and the comment above it."""

    path: str
    default: object
    comment: str


def helm(*arguments: str | Path, stdin: str = "") -> str:
    """
    Run helm.

    Raises:
        ChartError: It failed.
    """
    done = subprocess.run(
        [binary("helm"), *arguments], input=stdin, capture_output=True, text=True, timeout=60, check=False
    )
    if done.returncode != 0:
        raise ChartError(done.stderr)
    return done.stdout


def text(values: Values, release: str = "mcsdns") -> str:
    """Render the chart with values, as YAML."""
    arguments = ("--namespace", NAMESPACE, "--kube-version", KUBERNETES, "--values", "-")
    return helm("template", release, CHART, *arguments, stdin=json.dumps(values))


def rendered(values: Values | None = None, release: str = "mcsdns") -> list[Object]:
    """Render the chart with values, as objects."""
    return [one for one in yaml.safe_load_all(text(values or {}, release)) if one]


def documented() -> Iterator[Documented]:
    """Give every value of values.yaml, in its order. A mapping whose keys have no comments of their own is one value."""
    lines = (CHART / "values.yaml").read_text().splitlines()
    comment: list[str] = []
    path: list[str] = []
    for line in lines:
        key = re.match(r"( *)(\w+):", line)
        if re.match(r" *#", line):
            comment.append(line.strip(" #"))
        elif key is not None:
            path = [*path[: len(key[1]) // 2], key[2]]
            if comment:
                yield Documented(".".join(path), _at(path), " ".join(comment))
            comment = []
        else:
            comment = []


def undocumented() -> list[str]:
    """Give the paths of scalars and lists in values.yaml that no documented value covers."""
    covered = [one.path for one in documented()]
    found = _leaves(yaml.safe_load((CHART / "values.yaml").read_text()))
    return [leaf for leaf in found if not any(leaf == one or leaf.startswith(f"{one}.") for one in covered)]


def table() -> str:
    """Write the table of values."""
    rows = (
        f"| `{one.path}` | `{json.dumps(one.default, ensure_ascii=False)}` | {one.comment} |\n" for one in documented()
    )
    return _TABLE_HEAD + "".join(rows)


def readme() -> str:
    """Write the chart's README: what stands there, with the table as it should be."""
    head, _, _ = README.read_text().partition(_TABLE_HEAD)
    return head + table()


def plain() -> str:
    """Write deploy/mcsdns.yaml."""
    return _PLAIN_HEAD + text({"namespace": {"create": True}}).replace("managed-by: Helm", "managed-by: kubectl")


def _at(path: list[str]) -> object:
    value = yaml.safe_load((CHART / "values.yaml").read_text())
    for key in path:
        value = value[key]
    return value


def _leaves(value: object, path: str = "") -> Iterator[str]:
    if isinstance(value, dict) and value:
        for key, one in value.items():
            yield from _leaves(one, f"{path}.{key}" if path else key)
    else:
        yield path


if __name__ == "__main__":
    README.write_text(readme())
    PLAIN.write_text(plain())
