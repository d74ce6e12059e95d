"""
The admin address: the pages of `mcsdns.admin.pages` over HTTP, for people, probes and Prometheus.

Rules:
1. GET and HEAD alone, but for `/querylog` (`mcsdns.admin.querylog`).
2. Nothing is kept by caches, guessed by type, or told to other sites (`_HEADERS`).
3. No line in the log for a request. One that is no HTTP is DEBUG; one that fails through a defect of ours is an error.
4. No response names the software beneath.

Not here: authentication. Who may reach the address is for the network to say.
"""

from __future__ import annotations

import asyncio
import logging
import os

import structlog
from aiohttp import web
from aiohttp.abc import AbstractStreamWriter
from aiohttp.http import RawRequestMessage
from aiohttp.http_exceptions import HttpProcessingError
from aiohttp.streams import StreamReader
from aiohttp.web_protocol import RequestHandler

from mcsdns.admin import querylog
from mcsdns.admin.pages import Pages
from mcsdns.admin.state import ServerState
from mcsdns.config import Address
from mcsdns.errors import ConfigError

CLOSE_S = 1.0
"""Seconds that open connections have to end when the server stops; a scrape takes milliseconds."""

_METHODS = ("GET", "HEAD")
_HEADERS = {
    "Cache-Control": "no-store",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "Vary": "Accept",
    "X-Content-Type-Options": "nosniff",
}
"""Of every response."""


class Admin:
    """
    A running admin server.

    Args:
        runner: What serves.
        port: The port that was bound.
    """

    def __init__(self, runner: web.ServerRunner, port: int) -> None:
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
    pages = Pages(state)

    async def respond(request: web.BaseRequest) -> web.Response:
        if request.path == querylog.PATH:
            return querylog.respond(state.plane.querylog, request)
        if request.method not in _METHODS:
            return web.Response(status=405, text="only GET and HEAD\n", headers={"Allow": ", ".join(_METHODS)})
        accept = ",".join(request.headers.getall("Accept", ()))
        page = await pages.get(request.path, list(request.query.items()), accept)
        headers = {"Content-Type": page.content_type, **page.headers}
        return web.Response(status=page.status, body=page.body, headers=headers)

    server = web.Server(respond, request_factory=_request, access_log=None, logger=_logger())
    runner = web.ServerRunner(server, shutdown_timeout=CLOSE_S)
    await runner.setup()
    site = web.TCPSite(runner, host, port)
    try:
        await site.start()
    except OSError as error:
        await runner.cleanup()
        reason = os.strerror(error.errno) if error.errno else str(error)
        fix = "stop what listens there, or set another `admin` address"
        raise ConfigError("", "admin", f"cannot listen on {Address(host, port)}: {reason}; {fix}") from error
    return Admin(runner, runner.addresses[0][1])


class _Request(web.BaseRequest):
    """A request whose response, even that to something that is no HTTP, does not name aiohttp and its version."""

    async def _prepare_hook(self, response: web.StreamResponse) -> None:
        response.headers["Server"] = "mcsdns"
        response.headers.update(_HEADERS)


def _request(
    message: RawRequestMessage,
    payload: StreamReader,
    protocol: RequestHandler,
    writer: AbstractStreamWriter,
    task: asyncio.Task[None],
) -> web.BaseRequest:
    return _Request(message, payload, protocol, writer, task, asyncio.get_running_loop())


def _logger() -> logging.Logger:
    """Return a logger for aiohttp that writes to ours; it stands outside the tree of loggers, so nobody else configures it."""
    logger = logging.Logger("mcsdns.admin")
    logger.addHandler(_ToStructlog())
    return logger


class _ToStructlog(logging.Handler):
    """Turns what aiohttp logs into our two events."""

    def emit(self, record: logging.LogRecord) -> None:
        log = structlog.get_logger()
        error = record.exc_info[1] if record.exc_info else None
        if isinstance(error, HttpProcessingError) or record.levelno <= logging.DEBUG:
            log.debug("admin request malformed", error=type(error).__name__)
        else:
            log.error("admin request failed", problem=record.getMessage(), exc_info=error)
