"""
The JSON that an API server sends around objects: pages of lists, lines of watches, and Status.

Rules:
1. Whatever is not exactly what was asked for is a StreamError, whatever the HTTP status: a wrong body must never
   look like an empty list.
2. Objects stay raw here, and are decoded one by one (`mcsdns.source.objects`), so that one bad object costs no other.

Not here: requests (`mcsdns.source.kube.client`).
"""

from __future__ import annotations

from typing import Final

import msgspec
from msgspec import Raw, Struct, field

from mcsdns.errors import ApiError, GoneError, StreamError
from mcsdns.source.kube.discovery import Kind

BODY_SHOWN: Final = 256
"""Characters of a body that an error may show."""


class _ListMeta(Struct):
    resource_version: str = field(default="", name="resourceVersion")
    token: str | None = field(default=None, name="continue")
    remaining: int | None = field(default=None, name="remainingItemCount")


class ListPage(Struct):
    """One page of a list. `items` are JSON objects that nobody has looked into."""

    kind: str
    api_version: str = field(name="apiVersion")
    metadata: _ListMeta
    items: list[Raw] | None


class WatchLine(Struct):
    """One event of a watch: ADDED, MODIFIED, DELETED, BOOKMARK or ERROR, and its object."""

    type: str
    object: Raw


class _Meta(Struct):
    resource_version: str = field(name="resourceVersion")


class _Head(Struct):
    kind: str
    api_version: str = field(name="apiVersion")


class _Versioned(Struct):
    metadata: _Meta


class _Cause(Struct):
    reason: str | None = None


class _Details(Struct):
    retry_after_s: float | None = field(default=None, name="retryAfterSeconds")
    causes: list[_Cause] | None = None


class _Status(Struct):
    kind: str
    code: int = 500
    reason: str | None = None
    message: str | None = None
    details: _Details | None = None


_page: Final = msgspec.json.Decoder(ListPage)
_line: Final = msgspec.json.Decoder(WatchLine)
_head: Final = msgspec.json.Decoder(_Head)
_versioned: Final = msgspec.json.Decoder(_Versioned)
_status: Final = msgspec.json.Decoder(_Status)


def read_page(body: bytes, kind: Kind) -> ListPage:
    """
    Read a page of a list.

    Args:
        body: What came with status 200.
        kind: What was asked for.

    Raises:
        StreamError: It is something else: not JSON, another kind, another API group, without items or resource version.
    """
    try:
        page = _page.decode(body)
    except msgspec.MsgspecError as error:
        raise StreamError(f"expected a {kind.name}List, found {shown(body)!r}: {error}") from error
    if page.kind != f"{kind.name}List" or page.api_version.rpartition("/")[0] != kind.group:
        raise StreamError(f"expected a {kind.name}List of {kind.group}, found {page.kind!r} of {page.api_version!r}")
    if not page.metadata.resource_version:
        raise StreamError(f"the {kind.name}List has no resource version")
    return page


def read_line(line: bytes) -> WatchLine:
    """
    Read a line of a watch.

    Raises:
        StreamError: It is no watch event.
    """
    try:
        return _line.decode(line)
    except msgspec.MsgspecError as error:
        raise StreamError(f"expected a watch event, found {shown(line)!r}: {error}") from error


def check_head(line: WatchLine, kind: Kind) -> None:
    """
    Make sure that an event is about the kind that was asked for.

    Raises:
        StreamError: It is about another.
    """
    try:
        head = _head.decode(line.object)
    except msgspec.MsgspecError as error:
        raise StreamError(f"a watch event holds no object: {error}") from error
    if head.kind != kind.name or head.api_version.rpartition("/")[0] != kind.group:
        raise StreamError(f"expected events of {kind.name}, found {head.kind!r} of {head.api_version!r}")


def read_bookmark(line: WatchLine) -> str:
    """
    Read the resource version of a bookmark.

    Raises:
        StreamError: It has none.
    """
    try:
        return _versioned.decode(line.object).metadata.resource_version
    except msgspec.MsgspecError as error:
        raise StreamError(f"a bookmark without a resource version: {error}") from error


def error_of(status: int | None, body: bytes | Raw, retry_after_s: float | None = None) -> ApiError | GoneError:
    """
    Make the error that an answer stands for.

    Args:
        status: The HTTP status, or None for an ERROR event, whose Status carries it.
        body: A Status, or whatever else came.
        retry_after_s: From the header, or None.

    Returns:
        GoneError where the resource version is of no use: expired, or ahead of the server (a restored etcd).
    """
    try:
        found = _status.decode(body)
    except msgspec.MsgspecError:
        found = None
    if found is None or found.kind != "Status":
        code = 500 if status is None else status
        return GoneError("HTTP 410") if code == 410 else ApiError(code, shown(bytes(body)), retry_after_s)
    code, details = found.code if status is None else status, found.details
    words = shown((found.message or found.reason or "").encode())
    causes = {cause.reason for cause in details.causes or ()} if details else set()
    if code == 410 or "ResourceVersionTooLarge" in causes or "Too large resource version" in words:
        return GoneError(words)
    if retry_after_s is None and details is not None and code in {429, 503}:
        retry_after_s = details.retry_after_s
    return ApiError(code, words, retry_after_s)


def shown(body: bytes) -> str:
    """Return the beginning of a body for people, on one line."""
    return " ".join(body[: 4 * BODY_SHOWN].decode("utf-8", "replace").split())[:BODY_SHOWN]
