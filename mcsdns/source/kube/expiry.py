"""
When what a connection rests on ends: certificates and tokens, by kind. Pure.

| kind                 | what                                                              | who renews it |
|----------------------|-------------------------------------------------------------------|---------------|
| `client-certificate` | ours                                                              | a person      |
| `server-certificate` | the API server's, as the last watch met it                        | its operator  |
| `token`              | one that stands in the kubeconfig                                 | a person      |
| `renewed-token`      | one of a file, a plugin, an OIDC issuer or a service account      | a machine     |

A kind that the connection does not have, or whose end cannot be read (an opaque token), is absent.

Not here: whether they are good. A token is read and not verified: it is ours.
"""

from __future__ import annotations

import base64

import msgspec
from msgspec import Struct

from mcsdns.source.kube.certificate import from_pem, not_after
from mcsdns.source.kube.connection import Connection


class _Claims(Struct):
    exp: float | None = None


def expiries(connection: Connection, server: bytes | None) -> dict[str, float]:
    """
    Tell when the parts of a connection end.

    Args:
        connection: As it was read last.
        server: The server's certificate (DER), or None where none was seen.

    Returns:
        Seconds since 1970, by kind.
    """
    token = "renewed-token" if connection.renews_token else "token"
    ends = {
        "client-certificate": _end(from_pem(connection.client_certificate or "")),
        "server-certificate": _end(server),
        token: connection.expires_at or _claimed(connection.authorization or ""),
    }
    return {kind: end for kind, end in ends.items() if end is not None}


def _end(der: bytes | None) -> float | None:
    at = not_after(der) if der is not None else None
    return at.timestamp() if at is not None else None


def _claimed(authorization: str) -> float | None:
    """Read the claim `exp` of a JWT (RFC 7519 §4.1.4)."""
    parts = authorization.removeprefix("Bearer ").split(".")
    if len(parts) != 3:
        return None
    try:
        claims = base64.urlsafe_b64decode(parts[1] + "=" * (-len(parts[1]) % 4))
        return msgspec.json.decode(claims, type=_Claims).exp
    except (ValueError, msgspec.MsgspecError):
        return None
