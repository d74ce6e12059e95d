"""
An HTTP proxy for tests: it takes CONNECT (RFC 9110 §9.3.6) and carries octets.

Not here: any other method, TLS of its own.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
from collections.abc import AsyncIterator


class ConnectProxy:
    """
    A proxy on 127.0.0.1.

    Attributes:
        targets: What it was asked to connect to.
        refusal: The status line's end, such as `403 Forbidden`; None lets in.
        login: `user:password` that it wants; None wants none.
        is_silent: It takes requests and never answers.
    """

    def __init__(self) -> None:
        self.targets: list[str] = []
        self.refusal: str | None = None
        self.login: str | None = None
        self.is_silent = False
        self.port = 0
        self._server: asyncio.Server | None = None
        self._tunnels: set[asyncio.StreamWriter] = set()

    async def start(self) -> None:
        """Listen, on the port that it had before."""
        self._server = await asyncio.start_server(self._take, "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        """Die: nothing listens any more, and every tunnel is cut."""
        if self._server is not None:
            self._server.close()
            self._server = None
        for writer in self._tunnels:
            writer.transport.abort()
        await asyncio.sleep(0)

    async def _take(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._tunnels.add(writer)
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
            _, target, _ = head[0].split()
            self.targets.append(target)
            fields = {name.lower(): value for name, _, value in (line.partition(": ") for line in head[1:])}
            if self.is_silent:
                await asyncio.sleep(3600)
            refusal = self.refusal
            if self.login is not None:
                wanted = "Basic " + base64.b64encode(self.login.encode()).decode()
                refusal = (
                    refusal if fields.get("proxy-authorization") == wanted else "407 Proxy Authentication Required"
                )
            if refusal is not None:
                writer.write(f"HTTP/1.1 {refusal}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n".encode())
                await writer.drain()
                return
            host, _, port = target.rpartition(":")
            far_reader, far_writer = await asyncio.open_connection(host, int(port))
            self._tunnels.add(far_writer)
            writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
            await asyncio.gather(_carry(reader, far_writer), _carry(far_reader, writer))
        except (OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass  # a task of asyncio.start_server that is cancelled would log that
        finally:
            writer.close()
            self._tunnels.discard(writer)


async def _carry(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        while octets := await reader.read(65536):
            writer.write(octets)
            await writer.drain()
    writer.close()


@contextlib.asynccontextmanager
async def connect_proxy() -> AsyncIterator[ConnectProxy]:
    """Run a proxy."""
    proxy = ConnectProxy()
    await proxy.start()
    try:
        yield proxy
    finally:
        await proxy.stop()
