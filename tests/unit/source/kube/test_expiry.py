"""When credentials end; that it is exposed is tests/source/test_expiry.py's."""

from __future__ import annotations

import base64
import json
from pathlib import Path

import pytest

from mcsdns.source.kube.connection import Connection
from mcsdns.source.kube.expiry import expiries
from mcsdns.source.kube.kubeconfig import Entry
from tests.source.certificates import Authority


def jwt(**claims: object) -> str:
    """Make a header with a token of three parts, signed by nobody."""
    parts = [base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=").decode() for part in ({}, claims)]
    return f"Bearer {parts[0]}.{parts[1]}.signature"


@pytest.mark.parametrize(
    ("connection", "expected"),
    [
        (Connection(url="u"), {}),
        (Connection(url="u", authorization=jwt(exp=1_900_000_000)), {"renewed-token": 1.9e9}),
        (Connection(url="u", authorization=jwt(exp=1.9e9), renews_token=False), {"token": 1.9e9}),
        (Connection(url="u", authorization="Bearer opaque", expires_at=1.8e9), {"renewed-token": 1.8e9}),
        (Connection(url="u", authorization="Bearer opaque"), {}),
        (Connection(url="u", authorization=jwt(sub="x")), {}),
        (Connection(url="u", authorization=jwt(exp="soon")), {}),
        (Connection(url="u", authorization="Bearer a.b.c"), {}),
        (Connection(url="u", authorization="Bearer a.é.c"), {}),
        (Connection(url="u", authorization="Basic dTpw"), {}),
        (Connection(url="u", client_certificate="no PEM"), {}),
    ],
)
def test_tokens(connection: Connection, expected: dict[str, float]) -> None:
    """What is known of a token's end: its issuer's word, else its own; nothing where it has none, or it is none of ours to read."""
    assert expiries(connection, b"no certificate") == expected


def test_certificates(tmp_path: Path) -> None:
    """Ours and the server's, to the second."""
    authority = Authority(tmp_path)
    ours, _ = authority.issue("client", days=3)
    found = expiries(Connection(url="u", client_certificate=ours.read_text()), None)
    assert set(found) == {"client-certificate"}
    assert 2.9 * 86400 < found["client-certificate"] - ours.stat().st_mtime <= 3 * 86400


@pytest.mark.parametrize(
    ("user", "is_fixed"),
    [
        ({"token": "t"}, True),
        ({"token": "t", "tokenFile": "f"}, False),
        ({"exec": {}}, False),
        ({"client-certificate": "c"}, False),
        ({}, False),
    ],
)
def test_whose_token_it_is(user: dict[str, object], is_fixed: bool) -> None:
    """A token that stands in the kubeconfig is renewed by no machine."""
    assert Entry(Path("k"), "c", {}, user, {}).has_fixed_token is is_fixed
