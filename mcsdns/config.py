"""
The configuration: one YAML file, every key with its default, its bounds and its reason in `config/mcsdns.yaml`.

Rules:
1. An unknown key, a wrong type or a value out of bounds is a `ConfigError` that names the file and the place in it.
2. Paths are relative to the file that holds them.
3. What is returned is whole: no default is left to be filled in elsewhere.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Hashable
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec
import yaml
from msgspec import Meta, Struct, field

from mcsdns.errors import ConfigError

MAX_ZONE = 255 - 64 - 64 - 4
"""Longest zone name in octets, wire format: it leaves room for the longest service and namespace, and `svc` (RFC 1035 §2.3.4)."""

_LABEL = r"[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?"
_ZONE = re.compile(rf"{_LABEL}(\.{_LABEL})*\.?")
_CLUSTER_ID = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?(\.[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)?")

Seconds = Annotated[float, Meta(ge=0, le=3600)]
Ttl = Annotated[int, Meta(ge=0, le=86400)]


class Address:
    """
    An address and port to listen on. No Struct: in the file it is one string, which the decoder hands to `parse_address`.

    Args:
        host: IPv4 or IPv6, without brackets.
        port: 0 lets the system choose.
    """

    __slots__ = ("host", "port")

    def __init__(self, host: str, port: int) -> None:
        self.host = host
        self.port = port

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Address) and (self.host, self.port) == (other.host, other.port)

    def __hash__(self) -> int:
        return hash((self.host, self.port))

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    @property
    def is_wildcard(self) -> bool:
        """Whether it stands for every address of the host."""
        return ipaddress.ip_address(self.host).is_unspecified


class Limits(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """
    What a plane allows.

    Args:
        udp_payload: Largest UDP response, octets (RFC 9715, DNS flag day 2020).
        tcp_connections: Connections at once, over all listeners.
        tcp_connections_per_client: Connections at once from one address.
        tcp_idle_s: Seconds without a whole message before a connection is closed; CoreDNS reuses one for 10 s.
        tcp_message_s: Seconds in which a message must be complete, from its first octet.
        tcp_write_s: Seconds that a write may stall.
        tcp_in_flight: Queries in flight on one connection.
    """

    udp_payload: Annotated[int, Meta(ge=512, le=4096)] = 1232
    tcp_connections: Annotated[int, Meta(ge=1, le=1_000_000)] = 4096
    tcp_connections_per_client: Annotated[int, Meta(ge=1, le=1_000_000)] = 512
    tcp_idle_s: Annotated[float, Meta(gt=0, le=3600)] = 30.0
    tcp_message_s: Annotated[float, Meta(gt=0, le=60)] = 2.0
    tcp_write_s: Annotated[float, Meta(gt=0, le=60)] = 2.0
    tcp_in_flight: Annotated[int, Meta(ge=1, le=65536)] = 1000


class Listen(Struct, frozen=True, forbid_unknown_fields=True):
    """An address served over UDP and TCP, and the view it serves (None: see `Config.view_of`)."""

    address: Address
    view: str | None = None


class Kubeconfig(Struct, frozen=True, forbid_unknown_fields=True):
    """
    A kubeconfig file.

    Args:
        path: The file.
        context: The context in it; None: its current one.
        insecure: Accept plain http and `insecure-skip-tls-verify`.
    """

    path: Path
    context: str | None = None
    insecure: bool = False


class Cluster(Struct, frozen=True, forbid_unknown_fields=True):
    """A member cluster to watch, from exactly one of `kubeconfig`, `in_cluster`, `manifests`."""

    name: str
    kubeconfig: Kubeconfig | None = None
    in_cluster: bool = False
    manifests: Path | None = None
    id: str | None = None
    optional: bool = False


class Config(Struct, frozen=True, forbid_unknown_fields=True):
    """The configuration as a whole."""

    clusters: list[Cluster]
    zone: str = "clusterset.local"
    ttl: Ttl = 5
    negative_ttl: Ttl = 5
    plane: Literal["auto", "native", "python"] = "auto"
    listen: list[Listen] = field(default_factory=lambda: [Listen(Address("127.0.0.1", 5300))])
    advertise: list[str] | None = None
    admin: Address = field(default_factory=lambda: Address("127.0.0.1", 9153))
    nsid: str | None = None
    sync_deadline_s: Seconds = 30.0
    lameduck_s: Seconds = 5.0
    limits: Limits = field(default_factory=Limits)

    def view_of(self, listen: Listen) -> str | None:
        """Return the cluster whose view a listener serves: its own, else the only cluster, else none in particular."""
        if listen.view is not None:
            return listen.view
        return self.clusters[0].name if len(self.clusters) == 1 else None

    def viewed(self, view: str | None) -> Config:
        """
        Return this configuration with one view alone.

        Args:
            view: A cluster's name; None: the first listener's view.

        Raises:
            ConfigError: No cluster has that name.
        """
        if view is not None and view not in {cluster.name for cluster in self.clusters}:
            known = ", ".join(cluster.name for cluster in self.clusters)
            raise ConfigError("", "view", f"no cluster is named {view!r}; known: {known}")
        first = self.listen[0]
        return msgspec.structs.replace(self, listen=[msgspec.structs.replace(first, view=view or first.view)])

    @property
    def views(self) -> list[str | None]:
        """The views that are served, each once, in the order of the listeners."""
        return list(dict.fromkeys(self.view_of(listen) for listen in self.listen))

    @property
    def advertised(self) -> tuple[bytes, ...]:
        """The packed addresses of the name server: `advertise`, else the listen addresses that are not wildcards."""
        if self.advertise is not None:
            return tuple(ipaddress.ip_address(text).packed for text in self.advertise)
        hosts = dict.fromkeys(listen.address.host for listen in self.listen if not listen.address.is_wildcard)
        return tuple(ipaddress.ip_address(host).packed for host in hosts)


def load(path: Path) -> Config:
    """
    Read and check a configuration file.

    Raises:
        ConfigError: The file cannot be read, or something in it is wrong.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
        raise ConfigError(str(path), "", f"cannot be read: {reason}") from error
    return parse(text, path)


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
    return config


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
            return self._base / Path(value).expanduser()
        expected = "a path" if kind is Path else "address:port such as 127.0.0.1:5300"
        raise ValueError(f"expected {expected}, found {value!r}")


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
    zone = config.zone.removesuffix(".")
    if not config.zone.isascii() or not _ZONE.fullmatch(config.zone.lower()) or len(zone) + 2 > MAX_ZONE:
        found.append(("zone", f"expected a domain name of at most {MAX_ZONE - 2} characters, found {config.zone!r}"))
    if not config.clusters:
        found.append(("clusters", "expected at least one member cluster"))
    if not config.listen:
        found.append(("listen", "expected at least one address"))
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
