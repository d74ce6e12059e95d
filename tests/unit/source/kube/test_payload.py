"""What an API server sends around objects, right and wrong."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mcsdns.errors import ApiError, GoneError, StreamError
from mcsdns.source.kube import payload
from mcsdns.source.kube.discovery import KINDS

IMPORTS = next(kind for kind in KINDS if kind.name == "ServiceImport")
HEAD = '"kind":"ServiceImportList","apiVersion":"multicluster.x-k8s.io/v1beta1"'


def status(**fields: object) -> bytes:
    return msgspec.json.encode({"kind": "Status", "status": "Failure", **fields})


def test_a_page() -> None:
    """Items stay raw; the rest is what the state machine needs."""
    body = (
        f'{{{HEAD},"metadata":{{"resourceVersion":"7","continue":"t","remainingItemCount":3}},"items":[{{"a":1}},5]}}'
    )
    page = payload.read_page(body.encode(), IMPORTS)
    assert (page.metadata.resource_version, page.metadata.token, page.metadata.remaining) == ("7", "t", 3)
    assert [bytes(raw) for raw in page.items or ()] == [b'{"a":1}', b"5"]


def test_no_items_at_all() -> None:
    """Go writes a list without items as null."""
    page = payload.read_page(f'{{{HEAD},"metadata":{{"resourceVersion":"7"}},"items":null}}'.encode(), IMPORTS)
    assert page.items is None


@given(st.binary(max_size=60) | st.text(max_size=60).map(str.encode))
def test_any_other_body_is_refused(body: bytes) -> None:
    """A body is a page, a line, or a StreamError, and nothing else."""
    with pytest.raises(StreamError):
        payload.read_page(body, IMPORTS)
    with pytest.raises(StreamError):
        payload.read_line(body)


@pytest.mark.parametrize(
    ("code", "body", "expected"),
    [
        (410, b"", GoneError),
        (410, status(code=410, reason="Expired"), GoneError),
        (None, status(code=410, reason="Gone"), GoneError),
        (504, status(code=504, details={"causes": [{"reason": "ResourceVersionTooLarge"}]}), GoneError),
        (504, status(code=504, message="Too large resource version: 9, current: 5"), GoneError),
        (504, status(code=504, message="timeout"), ApiError),
        (None, status(code=500, message="etcdserver: leader changed"), ApiError),
        (503, b"<html>bad gateway</html>", ApiError),
        (403, b'{"kind":"Pod"}', ApiError),
    ],
)
def test_errors(code: int | None, body: bytes, expected: type[Exception]) -> None:
    """A resource version that is of no use is Gone; all else is what the server says."""
    assert type(payload.error_of(code, body)) is expected


def test_retry_after() -> None:
    """From the header, or else from the Status of a 429 or 503."""
    body = status(code=429, details={"retryAfterSeconds": 3})
    found = [payload.error_of(429, body, 9.0), payload.error_of(429, body), payload.error_of(500, body)]
    assert [error.retry_after_s for error in found if isinstance(error, ApiError)] == [9.0, 3.0, None]


def test_little_of_a_body_is_shown() -> None:
    """At most 256 characters, on one line."""
    error = payload.error_of(500, b"a\n" * 10_000)
    assert isinstance(error, ApiError)
    assert len(error.reason) == 256
    assert "\n" not in error.reason


def test_the_first_event_of_a_watch_is_about_what_was_asked_for() -> None:
    """Its kind and API group are checked; any version will do."""
    good = b'{"type":"ADDED","object":{"kind":"ServiceImport","apiVersion":"multicluster.x-k8s.io/v1alpha1"}}'
    payload.check_head(payload.read_line(good), IMPORTS)
    for bad in (good.replace(b"ServiceImport", b"Pod"), good.replace(b"x-k8s", b"k8s"), b'{"type":"ADDED","object":7}'):
        with pytest.raises(StreamError):
            payload.check_head(payload.read_line(bad), IMPORTS)
