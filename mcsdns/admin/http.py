"""
The admin address: HTTP for people, probes and Prometheus.

| path     | answers                                                    | status                                      |
|----------|------------------------------------------------------------|---------------------------------------------|
| /        | what is here, as text                                      | 200                                         |
| /healthz | that the process lives                                     | 200                                         |
| /readyz  | why the server is ready, or is not                         | 200, 503                                    |
| /metrics | Prometheus or OpenMetrics text                             | 200                                         |
| /status  | JSON, `mcsdns.admin.status.Status`                         | 200                                         |
| /explain | JSON, `mcsdns.admin.explain.Explanation`                   | 200 whatever the outcome; 400 if it cannot be read |

Rules:
1. GET and HEAD alone; nothing here changes anything.
2. No line in the log for a request.
3. Nothing awaits while state is read: a response shows one state.

Not here: authentication. The address is for the pod's own network (deploy/ has the NetworkPolicy).
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator

import msgspec
from aiohttp import web

from mcsdns.admin.explain import Explanation, explain
from mcsdns.admin.exposition import exposition, registry
from mcsdns.admin.state import ServerState
from mcsdns.admin.status import status
from mcsdns.config import Address
from mcsdns.errors import ConfigError
from mcsdns.source.health import State

CLOSE_S = 1.0
"""Seconds that open connections have to end when the server stops; a scrape takes milliseconds."""

_INDEX = """\
mcsdns {version}, zone {zone}

/healthz                        200 while the process lives
/readyz                         200 when ready, else 503, and why
/metrics                        for Prometheus
/status                         clusters, views, what is left out (JSON)
/explain?name=NAME&type=A&view= why a name answers what it does (JSON); `mcsdns explain NAME` shows it as text
"""


class Admin:
    """
    A running admin server.

    Args:
        runner: What serves.
        port: The port that was bound.
    """

    def __init__(self, runner: web.AppRunner, port: int) -> None:
        self._runner = runner
        self.port = port

    async def close(self) -> None:
        """Close the address and every connection."""
        await self._runner.cleanup()


async def start(state: ServerState, host: str, port: int) -> Admin:
    """
    Serve the admin address.

    Args:
        state: What is shown.
        host: An IPv4 or IPv6 address.
        port: 0 lets the system choose.

    Raises:
        ConfigError: The address cannot be bound.
    """
    runner = web.AppRunner(application(state), access_log=None, shutdown_timeout=CLOSE_S)
    await runner.setup()
    site = web.TCPSite(runner, host, port)
    try:
        await site.start()
    except OSError as error:
        await runner.cleanup()
        reason = os.strerror(error.errno) if error.errno else str(error)
        problem = (
            f"cannot listen on {Address(host, port)}: {reason}; stop what listens there, or set another `admin` address"
        )
        raise ConfigError("", "admin", problem) from error
    return Admin(runner, runner.addresses[0][1])


def application(state: ServerState) -> web.Application:
    """Return the paths above, as an application that serves one state."""
    app = web.Application()
    app.on_response_prepare.append(_hide_server)
    pages = _Pages(state)
    app.router.add_get("/", pages.index)
    app.router.add_get("/healthz", pages.healthz)
    app.router.add_get("/readyz", pages.readyz)
    app.router.add_get("/metrics", pages.metrics)
    app.router.add_get("/status", pages.status)
    app.router.add_get("/explain", pages.explain)
    return app


async def _hide_server(_: web.Request, response: web.StreamResponse) -> None:
    # aiohttp names itself, its version and Python's.
    response.headers["Server"] = "mcsdns"


class _Pages:
    """One method for each path."""

    def __init__(self, state: ServerState) -> None:
        self._state = state
        self._registry = registry(state)

    async def index(self, _: web.Request) -> web.Response:
        return web.Response(text=_INDEX.format(version=self._state.version, zone=self._state.config.zone))

    async def healthz(self, _: web.Request) -> web.Response:
        return web.Response(text="alive\n")

    async def readyz(self, _: web.Request) -> web.Response:
        is_ready, why = self._state.is_ready()
        return web.Response(status=200 if is_ready else 503, text=f"{'ready' if is_ready else 'not ready'}: {why}\n")

    async def metrics(self, request: web.Request) -> web.Response:
        body, content_type = exposition(self._registry, request.headers.get("Accept", ""))
        return web.Response(body=body, headers={"Content-Type": content_type})

    async def status(self, _: web.Request) -> web.Response:
        return _json(status(self._state))

    async def explain(self, request: web.Request) -> web.Response:
        try:
            return _json(explained(self._state, request.query.items()))
        except ValueError as error:
            return web.Response(status=400, text=f"{error}\n")


def explained(state: ServerState, parameters: Iterable[tuple[str, str]]) -> Explanation:
    """
    Explain what the parameters of a request ask for.

    Args:
        state: Of the server.
        parameters: `name`; `type`, by default A; `view`, by default the first listener's.

    Raises:
        ValueError: A parameter is missing, unknown, twice there or cannot be read; the message says which.
    """
    asked = {"name": "", "type": "", "view": ""}
    for parameter, value in parameters:
        if parameter not in asked:
            raise ValueError(f"unknown parameter {parameter[:32]!r}; expected {', '.join(asked)}")
        if asked[parameter]:
            raise ValueError(f"the parameter {parameter} stands twice")
        asked[parameter] = value
    if not asked["name"]:
        raise ValueError("the parameter name is missing; expected /explain?name=NAME&type=A")
    view = state.view(asked["view"] or None)
    if view is None:
        known = ", ".join(one.view.name for one in state.views)
        raise ValueError(f"no listener serves the view {asked['view'][:64]!r}; served: {known}")
    found = explain(
        asked["name"],
        asked["type"] or "A",
        view.view,
        state.mirrors,
        view.options,
        complete=view.complete,
        serial=view.serial,
    )
    return (
        found if found.outcome == "REFUSED" else msgspec.structs.replace(found, hints=(*found.hints, *_unwell(state)))
    )


def _unwell(state: ServerState) -> Iterator[str]:
    """Give a hint for each cluster that is not followed just now."""
    for name, health in state.health.items():
        if health.state is State.STALE:
            yield f"{name} is stale for {health.for_s():.0f} s ({health.cause}): what it last said is served"
        elif health.state is State.UNSYNCED:
            yield f"{name} is unsynced for {health.for_s():.0f} s: {health.cause}"


def _json(value: object) -> web.Response:
    return web.Response(body=msgspec.json.encode(value) + b"\n", content_type="application/json")
