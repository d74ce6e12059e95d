"""
Where one API server is and as whom it is asked: the value between `credentials` and `client`.

Not here: how it comes about.
"""

from __future__ import annotations

import ssl
from urllib.parse import urlsplit

from msgspec import Struct


class Connection(Struct, frozen=True, kw_only=True):
    """
    Attributes:
        url: The API server, without a trailing slash.
        ssl: What to trust and which client certificate to show; None for plain http.
        authorization: The value of the header: a secret.
        proxy: The URL of a proxy: it may hold a secret.
        server_name: The name to ask for and to check in TLS, where it is not that in the URL.
        identity: A digest of all of this but `authorization`: where it is the same, only the token has changed.
        place: A digest of `url` and of the authority that is trusted there: where it is another, so may the cluster be.
        expires_at: Seconds since 1970 after which the token is not good any more, or None where that is not known.
        renews_token: Another token comes before this one ends, without a person's doing.
        client_certificate: The client certificate as PEM, or None.
    """

    url: str
    ssl: ssl.SSLContext | None = None
    authorization: str | None = None
    proxy: str | None = None
    server_name: str | None = None
    identity: bytes = b""
    place: bytes = b""
    expires_at: float | None = None
    renews_token: bool = True
    client_certificate: str | None = None

    @property
    def proxy_name(self) -> str:
        """Host and port of the proxy, without what is secret in its URL; nothing where there is none."""
        at = urlsplit(self.proxy or "")
        return f"{at.hostname}:{at.port or (443 if at.scheme == 'https' else 80)}" if at.hostname else ""

    def __repr__(self) -> str:
        """Name the server and nothing else: the rest is secret."""
        return f"Connection({self.url!r})"
