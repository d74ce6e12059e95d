"""
What stands between the reader and the API server of the model test, in the places of the parts that have sockets and threads.

`standing_in` puts them there: everything else of the chain is the product's own, `Link` and `KubeSource` included.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Iterator, Mapping
from random import Random
from typing import Any
from unittest.mock import patch

from mcsdns.errors import StreamError
from mcsdns.source import pace
from mcsdns.source.kube import cluster as cluster_module
from mcsdns.source.kube import link as link_module
from mcsdns.source.kube.connection import Connection
from mcsdns.source.kube.settings import InCluster
from tests.source.model_server import Answered, ModelServer
from tests.source.model_stream import ModelStream


class ModelClient:
    """In the place of `Client`: asks the server of the connection's URL."""

    def __init__(self, servers: Mapping[str, ModelServer], connection: Connection) -> None:
        self.connection = connection
        self.is_retired = False
        self._server = servers[connection.url]
        self._streams: list[ModelStream] = []

    def renew(self, connection: Connection) -> None:
        """Use another token."""
        self.connection = connection

    async def get(self, path: str, query: Mapping[str, str] | None = None) -> bytes:
        """Get a body."""
        try:
            body = await self._server.get(path, query or {}, self._authorize())
        except Answered as answer:
            body = answer.body
        self._check()
        return body

    async def watch(self, path: str, query: Mapping[str, str]) -> ModelStream:
        """Open a watch."""
        stream = await self._server.watch(path, query, self._authorize())
        self._check()
        self._streams.append(stream)
        return stream

    async def close(self) -> None:
        """End everything."""
        self.is_retired = True
        for stream in self._streams:
            stream.end()

    def _authorize(self) -> str | None:
        self._check()
        return self.connection.authorization

    def _check(self) -> None:
        if self.is_retired:
            raise StreamError("the connection has been replaced")


class ModelCredentials:
    """In the place of `Credentials`: what is in the server's file of credentials just now."""

    def __init__(self, servers: Mapping[str, ModelServer], cluster: str) -> None:
        self._servers, self._cluster = servers, cluster

    def load(self) -> Connection:
        """Read everything."""
        server = self._servers[self._cluster]
        authorization = f"Bearer {server.token}"
        return Connection(url=server.cluster, authorization=authorization, identity=str(server.identity).encode())

    def digest(self) -> bytes:
        """Tell one content from another."""
        server = self._servers[self._cluster]
        return f"{server.token} {server.identity}".encode()


class ModelLink(link_module.Link):
    """A `Link` without threads: time would pass without them."""

    async def _in_thread(self, work: Callable[[], Any]) -> Any:
        return work()


@contextlib.contextmanager
def standing_in(servers: Mapping[str, ModelServer], rng: Random) -> Iterator[None]:
    """
    Put the parts of this module into their places.

    Long work in the event loop gives way by chance instead of by the clock, so that an example can be repeated, and so that what
    happens in between does happen.

    Args:
        servers: By cluster, as soon as there is a request; `InCluster.folder` names the cluster.
        rng: Draws when work gives way.
    """

    async def rest(self: pace.Pace) -> None:
        for _ in range(rng.randint(1, 12)):
            await asyncio.sleep(0)

    def credentials(settings: InCluster) -> ModelCredentials:
        return ModelCredentials(servers, settings.folder.name)

    def client(connection: Connection, *_: object, **__: object) -> ModelClient:
        return ModelClient(servers, connection)

    with (
        patch.object(cluster_module, "Credentials", credentials),
        patch.object(cluster_module, "Link", ModelLink),
        patch.object(link_module, "Client", client),
        patch.object(pace.Pace, "rest", rest),
        patch.object(pace.Pace, "is_due", property(lambda self: rng.random() < 0.25)),
    ):
        yield
