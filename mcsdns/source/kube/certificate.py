"""
Until when a certificate is good. Pure.

The standard library tells that of a peer's certificate only where it was checked, and of our own not at all; so the two
dates are taken out of the DER here (RFC 5280 §4.1: they are the fifth field, counted from the optional version).

Not here: whether a certificate is to be trusted; TLS sees to that.
"""

from __future__ import annotations

import ssl
from datetime import UTC, datetime
from typing import Final

_SEQUENCE: Final = 0x30
_VERSION: Final = 0xA0
_UTC_TIME: Final = 0x17
_GENERALIZED_TIME: Final = 0x18
_BEGIN: Final = "-----BEGIN CERTIFICATE-----"
_END: Final = "-----END CERTIFICATE-----"


def from_pem(text: str) -> bytes | None:
    """Return the first certificate of a PEM file as DER, or None where there is none."""
    _, begin, rest = text.partition(_BEGIN)
    inner, end, _ = rest.partition(_END)
    if not begin or not end:
        return None
    try:
        return ssl.PEM_cert_to_DER_cert(f"{_BEGIN}{inner}{_END}") or None
    except ValueError:
        return None


def not_after(der: bytes) -> datetime | None:
    """
    Return when a certificate ends.

    Args:
        der: One certificate.

    Returns:
        The moment, in UTC; None where this is no certificate that we can read.
    """
    try:
        body = _content(_content(der, _SEQUENCE)[0], _SEQUENCE)[0]
        if body[0] == _VERSION:
            body = _content(body, _VERSION)[1]
        for tag in (0x02, _SEQUENCE, _SEQUENCE):  # serial number, algorithm, issuer
            body = _content(body, tag)[1]
        dates = _content(_content(body, _SEQUENCE)[0], None)[1]
        text = _content(dates, None)[0].decode("ascii")
        form = {_UTC_TIME: "%y%m%d%H%M%SZ", _GENERALIZED_TIME: "%Y%m%d%H%M%SZ"}[dates[0]]
        return datetime.strptime(text, form).replace(tzinfo=UTC)
    except (IndexError, KeyError, ValueError):
        return None


def _content(der: bytes, tag: int | None) -> tuple[bytes, bytes]:
    """Take one element off: what is in it, and what follows it (X.690 §8.1)."""
    if tag is not None and der[0] != tag:
        raise ValueError(der[0])
    length, start = der[1], 2
    if length & 0x80:
        start += length & 0x7F
        length = int.from_bytes(der[2:start], "big")
    if len(der) < start + length:
        raise ValueError(length)
    return der[start : start + length], der[start + length :]
