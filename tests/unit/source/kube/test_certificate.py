"""Until when a certificate is good, judged by another library."""

from __future__ import annotations

from pathlib import Path

import pytest
from cryptography import x509
from hypothesis import given
from hypothesis import strategies as st

from mcsdns.source.kube.certificate import from_pem, not_after
from tests.source.certificates import Authority


@pytest.mark.parametrize("days", [1, 365, 36500])
def test_the_end(tmp_path: Path, days: int) -> None:
    """Both forms of time are read: UTCTime until 2049, GeneralizedTime after (RFC 5280 §4.1.2.5)."""
    path, _ = Authority(tmp_path).issue("it", days=days)
    expected = x509.load_pem_x509_certificate(path.read_bytes()).not_valid_after_utc
    der = from_pem("some text before\n" + path.read_text() + path.read_text())
    assert der is not None
    assert not_after(der) == expected


@given(st.binary(max_size=80))
def test_what_is_no_certificate(der: bytes) -> None:
    """Anything else has no end, and raises nothing."""
    assert not_after(der) is None


@pytest.mark.parametrize(
    "text", ["", "-----BEGIN CERTIFICATE-----", "-----BEGIN CERTIFICATE-----\n?\n-----END CERTIFICATE-----"]
)
def test_what_is_no_pem(text: str) -> None:
    """No certificate, no DER."""
    assert from_pem(text) is None
