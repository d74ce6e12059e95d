"""Addresses to listen on, as they stand in the configuration."""

from __future__ import annotations

import pytest

from mcsdns.config import Address
from mcsdns.configfile import parse_address


@pytest.mark.parametrize(
    ("text", "host", "port"),
    [
        ("127.0.0.1:53", "127.0.0.1", 53),
        ("[::1]:5300", "::1", 5300),
        ("0.0.0.0:0", "0.0.0.0", 0),
        ("[fe80::1%eth0]:53", "fe80::1%eth0", 53),
        ("10.0.0.1:65535", "10.0.0.1", 65535),
    ],
)
def test_addresses(text: str, host: str, port: int) -> None:
    """`host:port` or `[host]:port`, and it is written as it was read."""
    address = parse_address(text)
    assert (address.host, address.port, str(address)) == (host, port, text)
    assert address == Address(host, port)
    assert hash(address) == hash(Address(host, port))
    assert address != text


@pytest.mark.parametrize(
    "text",
    [
        "",
        ":53",
        "127.0.0.1",
        "127.0.0.1:",
        "::1:53",
        "[::1]",
        "127.0.0.1:65536",
        "127.0.0.1:-1",
        "a:53",
        "1.2.3:53",
        "[]:53",
    ],
)
def test_what_is_no_address(text: str) -> None:
    """Anything else says what was expected and found."""
    with pytest.raises(ValueError, match="expected address:port"):
        parse_address(text)


@pytest.mark.parametrize(
    ("host", "is_wildcard"), [("0.0.0.0", True), ("::", True), ("127.0.0.1", False), ("::1", False)]
)
def test_wildcards(host: str, is_wildcard: bool) -> None:
    """Whether an address stands for every address of the host."""
    assert Address(host, 53).is_wildcard is is_wildcard
