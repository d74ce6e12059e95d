"""
The configuration file: YAML into settings, or an error that says what, where and what to do.

Rules:
1. An unknown key, a wrong type or a value out of bounds is a `ConfigError` that names the file and the place in it.
2. Paths are relative to the file that holds them.
3. What is returned is whole: no default is left to be filled in elsewhere.
"""

from __future__ import annotations

import ipaddress
import os
import re
from collections.abc import Hashable
from pathlib import Path
from typing import Any

import msgspec
import yaml

from mcsdns.config import Address, Cluster, ClusterQuotas, Config
from mcsdns.errors import ConfigError

MAX_NSID = 128
"""Longest `nsid` in octets: a pod's name and more. What does not fit beside an answer would never be sent."""
MAX_ZONE = 255 - 64 - 64 - 4
"""Longest zone name in octets, wire format: it leaves room for the longest service and namespace, and `svc` (RFC 1035 §2.3.4)."""

_LABEL = r"[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?"
_ZONE = re.compile(rf"{_LABEL}(\.{_LABEL})*\.?")
_CLUSTER_ID = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?(\.[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)?")


def load(path: Path) -> Config:
    """
    Read and check a configuration file.

    Raises:
        ConfigError: The file cannot be read, or something in it is wrong.
    """
    return parse(read(path), path)


def read(path: Path) -> str:
    """
    Read a configuration file, and do not look into it.

    Raises:
        ConfigError: It cannot be read.
    """
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
        raise ConfigError(str(path), "", f"cannot be read: {reason}") from error


def parse(text: str, path: Path) -> Config:
    """
    Check the text of a configuration file.

    Args:
        text: YAML.
        path: Where it stands: named in errors, and the base of relative paths.

    Raises:
        ConfigError: Something in it is wrong.
    """
    try:
        content = yaml.load(text, _Loader)  # noqa: S506 - a SafeLoader
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        where = f"line {mark.line + 1}, column {mark.column + 1}" if mark is not None else ""
        raise ConfigError(str(path), where, f"not valid YAML: {error.problem}") from error
    except yaml.reader.ReaderError as error:
        where = f"line {text.count(chr(10), 0, error.position) + 1}"
        raise ConfigError(str(path), where, f"not valid YAML: {error.reason}") from error
    except RecursionError as error:
        raise ConfigError(str(path), "", "not valid YAML: it is nested too deeply") from error
    if not isinstance(content, dict):
        raise ConfigError(str(path), "", "expected keys such as `clusters:`; see config/mcsdns.yaml")
    try:
        config = msgspec.convert(content, Config, dec_hook=_Hook(path.parent), str_keys=True)
    except msgspec.ValidationError as error:
        problem, _, place = str(error).partition(" - at `$")
        raise ConfigError(str(path), place.rstrip("`").lstrip("."), _plain(problem)) from error
    for where, problem in _problems(config):
        raise ConfigError(str(path), where, problem)
    return _filled(config)


def _filled(config: Config) -> Config:
    """Give each cluster every quota: its own, else that of all."""
    clusters = [
        msgspec.structs.replace(one, quotas=ClusterQuotas(**msgspec.structs.asdict(one.quotas.over(config.quotas))))
        for one in config.clusters
    ]
    return msgspec.structs.replace(config, clusters=clusters)


def parse_address(text: str) -> Address:
    """
    Read `host:port` or `[host]:port`, the host an IPv4 or IPv6 address.

    Raises:
        ValueError: It is not one; the message says what is.
    """
    match = re.fullmatch(r"(?:\[([^\]]+)\]|([^:\[\]]+)):(\d{1,5})", text)
    host = (match[1] or match[2]) if match else ""
    try:
        ipaddress.ip_address(host)
    except ValueError:
        match = None
    if match is None or int(match[3]) > 65535:
        raise ValueError(f"expected address:port such as 127.0.0.1:5300 or [::1]:5300, found {text!r}")
    return Address(host, int(match[3]))


def is_zone(text: str) -> bool:
    """Tell whether this is the name of a zone that can be served: not the root, and with room for services below it."""
    return text.isascii() and bool(_ZONE.fullmatch(text.lower())) and len(text.removesuffix(".")) + 2 <= MAX_ZONE


class _Loader(yaml.SafeLoader):
    """Refuses a key that stands twice (YAML would silently take the last) or is no text, and says where a value cannot be read."""

    def construct_object(self, node: yaml.Node, deep: bool = False) -> Any:
        try:
            return super().construct_object(node, deep=deep)
        except ValueError as error:  # `2026-13-01`, `0b_`
            raise self._error(node, str(error)) from error

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        seen: set[str] = set()
        for key_node, _ in node.value if isinstance(node, yaml.MappingNode) else ():
            if key_node.tag == "tag:yaml.org,2002:merge":
                continue
            if key_node.tag != "tag:yaml.org,2002:str":
                raise self._error(key_node, "expected a key such as `zone:`")
            if key_node.value in seen:
                raise self._error(key_node, f"the key {key_node.value!r} stands twice")
            seen.add(key_node.value)
        return super().construct_mapping(node, deep=deep)

    def _error(self, node: yaml.Node, problem: str) -> yaml.constructor.ConstructorError:
        return yaml.constructor.ConstructorError(None, None, problem, node.start_mark)


class _Hook:
    """Decodes the types that msgspec does not know."""

    def __init__(self, base: Path) -> None:
        self._base = base

    def __call__(self, kind: type[Any], value: Any) -> Any:
        if kind is Address and isinstance(value, str):
            return parse_address(value)
        if kind is Path and isinstance(value, str) and value:
            return self._path(value)
        expected = "a path" if kind is Path else "address:port such as 127.0.0.1:5300"
        raise ValueError(f"expected {expected}, found {value!r}")

    def _path(self, text: str) -> Path:
        try:
            path = self._base / Path(text).expanduser()
            if b"\0" not in os.fsencode(path):
                return path
        except (RuntimeError, UnicodeEncodeError):  # `~nobody`; half of a surrogate pair
            pass
        raise ValueError(f"expected a path, found {text!r}")


def _plain(problem: str) -> str:
    unknown = re.fullmatch(r"Object contains unknown field `(.*)`", problem)
    if unknown:
        return f"unknown key `{unknown[1]}`; config/mcsdns.yaml lists every key"
    missing = re.fullmatch(r"Object missing required field `(.*)`", problem)
    if missing:
        return f"the key `{missing[1]}` is missing"
    return problem[0].lower() + problem[1:]


def _problems(config: Config) -> list[tuple[str, str]]:
    """Return what the types alone cannot tell, as places and problems."""
    found: list[tuple[str, str]] = []
    if not is_zone(config.zone):
        found.append(("zone", f"expected a domain name of at most {MAX_ZONE - 2} characters, found {config.zone!r}"))
    if not config.clusters:
        found.append(("clusters", "expected at least one member cluster"))
    if not config.listen:
        found.append(("listen", "expected at least one address"))
    if config.nsid is not None and not (config.nsid.isascii() and 0 < len(config.nsid) <= MAX_NSID):
        found.append(("nsid", f"expected 1 to {MAX_NSID} ASCII characters, found {config.nsid[:MAX_NSID]!r}"))
    names: set[str] = set()
    ids: set[str] = set()
    for index, cluster in enumerate(config.clusters):
        found += _cluster_problems(f"clusters[{index}]", cluster, names)
        names.add(cluster.name)
        if cluster.id is not None and cluster.id in ids:
            found.append((f"clusters[{index}].id", f"another cluster has the id {cluster.id!r} already"))
        ids.add(cluster.id or "")
    addresses: set[Address] = set()
    for index, listen in enumerate(config.listen):
        if listen.view is not None and listen.view not in names:
            found.append(
                (f"listen[{index}].view", f"no cluster is named {listen.view!r}; known: {', '.join(sorted(names))}")
            )
        if listen.address in addresses and listen.address.port:
            found.append((f"listen[{index}].address", f"{listen.address} stands twice"))
        addresses.add(listen.address)
    for index, text in enumerate(config.advertise or ()):
        try:
            ipaddress.ip_address(text)
        except ValueError:
            found.append((f"advertise[{index}]", f"expected an IPv4 or IPv6 address, found {text!r}"))
    return found


def _cluster_problems(where: str, cluster: Cluster, names: set[str]) -> list[tuple[str, str]]:
    found: list[tuple[str, str]] = []
    if not _CLUSTER_ID.fullmatch(cluster.name):
        found.append(
            (f"{where}.name", f"expected one DNS label, or two with a dot, in lower case; found {cluster.name!r}")
        )
    if cluster.name == "any":
        found.append(
            (f"{where}.name", "the name `any` stands for the view of no cluster in particular; choose another")
        )
    if cluster.name in names:
        found.append((f"{where}.name", f"another cluster is named {cluster.name!r} already"))
    if cluster.id is not None and not _CLUSTER_ID.fullmatch(cluster.id):
        found.append((f"{where}.id", f"expected one DNS label, or two with a dot, in lower case; found {cluster.id!r}"))
    sources = [cluster.kubeconfig is not None, cluster.in_cluster, cluster.manifests is not None]
    if sum(sources) != 1:
        found.append((where, f"expected exactly one of kubeconfig, in_cluster, manifests; found {sum(sources)}"))
    return found
