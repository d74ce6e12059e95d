"""
Requests to one API server, over one aiohttp session.

Rules:
1. Whatever goes wrong is a SourceError: ApiError and GoneError for what the server said, StreamError for what broke on
   the way, SourceError itself where the server was not reached.
2. A dead peer is noticed by the kernel too: TCP keepalive and TCP_USER_TIMEOUT.
3. Redirects are not followed: an API server sends none, a login page does.
4. Lists may be compressed by the server, watches never are: a compressed stream holds events back.
5. No error holds a token, nor the query string of a URL, nor the password of a proxy.

Not here: what the answers mean (`payload`, `watch`), when to ask again (`reflector`).
"""

from __future__ import annotations

import asyncio
import socket
import weakref
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final, NoReturn
from urllib.parse import urlsplit

import aiohttp
from aiohttp import ClientTimeout

from mcsdns.errors import SourceError, StreamError, TooLargeError
from mcsdns.source.kube.connection import Connection
from mcsdns.source.kube.payload import error_of
from mcsdns.source.kube.settings import Timing

READ_BUFFER: Final = 2 * 1024 * 1024
"""Bytes that are taken in before the peer is held back: one event is one line, and an object can have 1.5 MiB."""

BODY_LIMIT: Final = 16 * 1024 * 1024
"""Octets of a body, decompressed: ten times what a page of 500 has, and read in some 20 ms of the event loop."""

BODY_BUFFER: Final = 256 * 1024
"""Octets of a body that are taken in, and decompressed, in one turn of the event loop."""

KEEPALIVE: Final = (
    (socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1),
    (socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, 15),  # seconds without traffic before the first probe
    (socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, 5),  # seconds between probes
    (socket.IPPROTO_TCP, socket.TCP_KEEPCNT, 3),  # probes without an answer
    (socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, 30_000),  # milliseconds that data may stay unacknowledged
)
"""client-go's dialer has 30 s; half of it finds a half-open watch within `idle_limit_s` even if a probe is lost."""


class Stream:
    """A watch under way. Close it when done with it."""

    def __init__(self, response: aiohttp.ClientResponse) -> None:
        self._response = response
        self._is_over = False

    async def chunk(self) -> bytes:
        """
        Wait for the next bytes.

        Returns:
            At least one byte, or none at the regular end of the stream.

        Raises:
            StreamError: It was cut.
        """
        try:
            return await self._response.content.readany()
        except (aiohttp.ClientError, OSError):
            if self._is_over:
                return b""
            with _translated("watch"):
                raise

    def close(self) -> None:
        """End the watch. Its connection is closed with it."""
        self._response.close()

    def end(self) -> None:
        """End the watch for whoever waits for a chunk: that its connection is closed, aiohttp does not always tell."""
        self._is_over = True
        self._response.content.set_exception(aiohttp.ClientConnectionError("the connection has been replaced"))


class Client:
    """
    Talks to one API server with one set of credentials.

    Args:
        connection: Where, and as whom.
        timing: The limits.

    Attributes:
        server_certificate: What the last watch met (DER), or None.
    """

    def __init__(self, connection: Connection, timing: Timing) -> None:
        self.connection = connection
        self.is_retired = False
        self.server_certificate: bytes | None = None
        self._streams: weakref.WeakSet[Stream] = weakref.WeakSet()
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0, ssl=connection.ssl or True, socket_factory=_socket),
            read_bufsize=READ_BUFFER,
            headers={"User-Agent": "mcsdns", "Accept": "application/json"},
            cookie_jar=aiohttp.DummyCookieJar(),
            auto_decompress=True,
            trust_env=False,
        )
        self._short = ClientTimeout(
            total=timing.page_limit_s, connect=timing.connect_limit_s, sock_read=timing.read_limit_s
        )
        # The reflector watches the clock while it reads the body.
        self._long = ClientTimeout(total=None, connect=timing.connect_limit_s)
        self._head_limit_s = timing.read_limit_s

    def renew(self, connection: Connection) -> None:
        """Use another token from the next request on; the rest of the connection is the same."""
        self.connection = connection

    async def get(self, path: str, query: Mapping[str, str] | None = None) -> bytes:
        """
        Get a body.

        Raises:
            SourceError: As rule 1 says.
        """
        return await self._ask("GET", path, params=query)

    async def post(self, path: str, body: bytes) -> bytes:
        """As `get`, for the reviews that `mcsdns check` asks for."""
        return await self._ask("POST", path, data=body, headers={"Content-Type": "application/json"})

    async def certificate(self) -> bytes | None:
        """
        Return the server's certificate (DER), or None over plain http or through a proxy.

        aiohttp lets go of a connection as soon as a short answer has come, so this one is made for the purpose.
        """
        at, url = self.connection, urlsplit(self.connection.url)
        if at.ssl is None or at.proxy is not None or url.hostname is None:
            return None
        with _translated(at.url):
            async with asyncio.timeout(self._head_limit_s):
                _, writer = await asyncio.open_connection(
                    url.hostname, url.port or 443, ssl=at.ssl, server_hostname=at.server_name or url.hostname
                )
            writer.close()
            certificate: bytes | None = writer.get_extra_info("ssl_object").getpeercert(binary_form=True)
            return certificate

    async def watch(self, path: str, query: Mapping[str, str]) -> Stream:
        """
        Open a watch.

        Raises:
            SourceError: As rule 1 says.
        """
        with _translated(path, self.connection.proxy_name):
            async with asyncio.timeout(self._head_limit_s):
                response = await self._request(
                    "GET", path, params=query, timeout=self._long, headers={"Accept-Encoding": "identity"}
                )
            if response.status != 200:
                await _refused(response)
            if response.content_type != "application/json":
                response.close()
                raise StreamError(f"expected a watch of {path}, found {response.content_type[:64]!r}")
            tls = response.connection.transport.get_extra_info("ssl_object") if response.connection else None
            if tls is not None:
                self.server_certificate = tls.getpeercert(binary_form=True)
            stream = Stream(response)
            self._streams.add(stream)
            return stream

    async def close(self) -> None:
        """Close every connection. What is under way breaks."""
        self.is_retired = True
        for stream in self._streams:
            stream.end()
        await self._session.close()

    async def _ask(self, method: str, path: str, **more: Any) -> bytes:
        """Make one request and read its answer."""
        with _translated(path, self.connection.proxy_name):
            async with self._request(method, path, timeout=self._short, read_bufsize=BODY_BUFFER, **more) as response:
                if response.status not in {200, 201}:
                    await _refused(response)
                return await _body(response, path)

    def _request(self, method: str, path: str, **more: Any) -> Any:
        """Begin a request, with what every request has."""
        if self.is_retired:
            raise StreamError("the connection has been replaced")
        at = self.connection
        headers = dict(more.pop("headers", ()))
        if at.authorization is not None:
            headers["Authorization"] = at.authorization
        return self._session.request(
            method,
            at.url + path,
            headers=headers,
            proxy=at.proxy,
            server_hostname=at.server_name,
            allow_redirects=False,
            **more,
        )


async def _body(response: aiohttp.ClientResponse, path: str) -> bytes:
    """Read a body. Octets are counted as they come, decompressed: no header is believed."""
    chunks: list[bytes] = []
    size = 0
    while chunk := await response.content.readany():
        size += len(chunk)
        if size > BODY_LIMIT:
            response.close()
            raise TooLargeError(f"{path}: expected at most {BODY_LIMIT >> 20} MiB in one page, found more")
        chunks.append(chunk)
    return b"".join(chunks)


async def _refused(response: aiohttp.ClientResponse) -> NoReturn:
    """Raise what an answer that is not a success stands for."""
    body = await response.content.read(READ_BUFFER)
    response.close()
    raise error_of(response.status, body, _seconds(response.headers.get("Retry-After")))


def _seconds(value: str | None) -> float | None:
    """Read `Retry-After` (RFC 9110 §10.2.3). API servers send seconds; a date is left to the back-off."""
    return float(value) if value is not None and value.isdecimal() and len(value) < 6 else None


def _socket(address: tuple[Any, ...]) -> socket.socket:
    """Make a socket that notices a dead peer."""
    made = socket.socket(*address[:3])
    for level, option, value in KEEPALIVE:
        made.setsockopt(level, option, value)
    return made


@contextmanager
def _translated(what: str, proxy: str = "") -> Iterator[None]:
    """
    Turn what aiohttp raises into our errors.

    Args:
        what: What was asked for.
        proxy: Host and port of the proxy between, or nothing.
    """
    through = f", through the proxy {proxy}" if proxy else ""
    try:
        yield
    except aiohttp.ClientHttpProxyError as error:
        # No answer of the API server: its own 403 would say something of the resource.
        raise SourceError(f"the proxy {proxy} does not let us through: HTTP {error.status}") from error
    except aiohttp.ClientConnectorCertificateError as error:
        raise SourceError(f"TLS with {error.host}:{error.port} failed{through}: {error.certificate_error}") from error
    except aiohttp.ClientProxyConnectionError as error:
        raise SourceError(f"cannot connect to the proxy {proxy}: {error.os_error}") from error
    except aiohttp.ClientConnectorError as error:
        raise SourceError(f"cannot connect to {error.host}:{error.port}{through}: {error.os_error}") from error
    except aiohttp.ConnectionTimeoutError as error:
        raise SourceError(f"{what}: no connection within the limit{through}") from error
    except TimeoutError as error:
        raise StreamError(f"{what}: the server fell silent{through}") from error
    except aiohttp.InvalidURL as error:
        raise SourceError("the server's URL in the kubeconfig cannot be used") from error
    except (aiohttp.ClientError, OSError) as error:
        # Its text would hold the URL, with the query string (rule 5).
        words = error.message if isinstance(error, aiohttp.ClientResponseError) else str(error)
        raise StreamError(f"{what}: {type(error).__name__}{through}: {words[:160]}") from error
