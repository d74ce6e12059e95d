"""
`/querylog`: whoever is on the machine (or in the pod) switches the query log on and off.

| method | what                                                                                               |
|--------|----------------------------------------------------------------------------------------------------|
| GET    | how it stands                                                                                      |
| POST   | on, for `seconds` (60), of a `sample` (1), for names within `suffix` and clients of `client` (CIDR) |
| DELETE | off                                                                                                |

Rules:
1. Only 127.0.0.1 and ::1 may ask. Other loopback addresses may not: the proxy of a service mesh speaks from one for everybody.
2. `Host` names the loopback too, so that no page whose name was turned to 127.0.0.1 gets here (DNS rebinding).
3. What changes something needs the header `Mcsdns-Request`, which a page of another site cannot send without asking first, and asking
   (OPTIONS) is refused.

Not here: what is logged (`mcsdns.querylog`).
"""

from __future__ import annotations

from collections.abc import Iterable
from ipaddress import ip_network
from urllib.parse import urlsplit

import msgspec
from aiohttp import web

from mcsdns.querylog import QueryLog, Wanted
from mcsdns.zone.names import from_text

PATH = "/querylog"
MOST_S = 600.0
"""Seconds, at most: it is for a person who is looking, and ends when they have forgotten it."""
HEADER = "Mcsdns-Request"
_LOOPBACK = ("127.0.0.1", "::1", "::ffff:127.0.0.1")
_NAMES = ("localhost", "127.0.0.1", "::1")
_CURL = f"curl -X POST -H '{HEADER}: 1' 'localhost:9153{PATH}?seconds=60&suffix=test.svc.clusterset.local'"


def respond(log: QueryLog, request: web.BaseRequest) -> web.Response:
    """
    Answer a request for `/querylog`.

    Args:
        log: The plane's.
        request: What was asked, and by whom.
    """
    if request.remote not in _LOOPBACK or urlsplit(f"//{request.host}").hostname not in _NAMES:
        return _text("only from this machine: log in to it, or use kubectl port-forward, and ask localhost\n", 403)
    if request.method not in ("GET", "HEAD", "POST", "DELETE"):
        return web.Response(
            status=405, text="only GET, POST and DELETE\n", headers={"Allow": "GET, HEAD, POST, DELETE"}
        )
    if request.method in ("POST", "DELETE"):
        if HEADER not in request.headers:
            return _text(f"the header {HEADER} is missing: {_CURL}\n", 403)
        if request.method == "DELETE":
            log.stop("asked for")
        else:
            try:
                log.start(wanted(request.query.items()))
            except ValueError as error:
                return _text(f"{error}\n", 400)
    return web.Response(body=msgspec.json.encode(log.status()) + b"\n", content_type="application/json")


def wanted(parameters: Iterable[tuple[str, str]]) -> Wanted:
    """
    Read what is to be logged.

    Args:
        parameters: Of the query string.

    Raises:
        ValueError: One is unknown, twice there, or not what it should be; the message says which and what is expected.
    """
    given: dict[str, str] = {}
    for name, value in parameters:
        if name not in ("seconds", "sample", "suffix", "client"):
            raise ValueError(f"unknown parameter {name[:32]!r}; expected seconds, sample, suffix, client")
        if name in given:
            raise ValueError(f"the parameter {name} stands twice")
        given[name] = value
    try:
        client = ip_network(given["client"]) if "client" in given else None
    except ValueError:
        raise ValueError(f"client is {given['client'][:64]!r}; expected a network such as 10.0.0.0/8") from None
    return Wanted(
        seconds=_number("seconds", given.get("seconds", "60"), MOST_S),
        sample=_number("sample", given.get("sample", "1"), 1.0),
        suffix=from_text(given["suffix"]) if "suffix" in given else None,
        client=client,
    )


def _number(name: str, text: str, most: float) -> float:
    """Read a number above 0."""
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0.0 < value <= most:
        raise ValueError(f"{name} is {text[:32]!r}; expected a number above 0, at most {most:g}")
    return value


def _text(text: str, status: int) -> web.Response:
    return web.Response(status=status, text=text)
