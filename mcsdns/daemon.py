"""
The server: how its parts are wired, in what order they start and stop, and what ends it.

Start: the views are published empty, the sockets are bound, the admin address is served, and then the clusters are listed. So
every query has an answer from the first moment on: SERVFAIL until a cluster has been heard (design.md §6).
Stop, at SIGTERM: not ready at once, queries answered for `lameduck_s`, then everything is closed. SIGINT or a second signal skips
the wait.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import signal
from collections.abc import Sequence

import structlog

from mcsdns.admin import http
from mcsdns.admin.state import ServerState
from mcsdns.assembly import Assembly
from mcsdns.builder import Builder
from mcsdns.clusterset.model import View
from mcsdns.config import Address, Config
from mcsdns.plane.base import Listener
from mcsdns.plane.choice import make_plane
from mcsdns.watchdog import Watchdog

GC_THRESHOLD = (2000, 10, 100)
"""
When Python looks for garbage that refers to itself. By default it goes through everything whenever 70,000 objects have come, which is
one list of 10,000 EndpointSlices, and holds the event loop for it; here, whenever 2,000,000 have, and through the youngest 20,000 else.
"""


class Daemon:
    """
    One running server.

    Args:
        config: What it is to do.

    Raises:
        PlaneError: The plane that was asked for is not there.
    """

    def __init__(self, config: Config) -> None:
        self._config = config
        self._log = structlog.get_logger()
        self._assembly = Assembly(config)
        nsid = config.nsid.encode() if config.nsid is not None else None
        self._plane = make_plane(config.plane, config.limits, nsid, config.threads)
        self._state = ServerState(config, self._plane, self._is_ready)
        self._state.mirrors = self._assembly.mirrors
        self._state.health = {member.name: member.health for member in self._assembly.members}
        self._state.views = self._assembly.views
        optional = [member.name for member in self._assembly.members if member.is_optional]
        self._builder = Builder(
            self._assembly.mirrors, optional, self._assembly.views, self._plane.publish, self._state.observe_programming
        )
        self._is_past_deadline = False
        self._stop = asyncio.Event()
        self._stop_now = asyncio.Event()

    async def run(self) -> None:
        """
        Serve until a signal comes.

        Raises:
            PlaneError: A DNS address cannot be bound.
            ConfigError: The admin address cannot be bound.
        """
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, self._on_signal, number.name)
        gc.disable()
        self._builder.publish_first()
        listeners = await self._plane.start(self._listeners())
        self._state.listeners = listeners
        try:
            admin = await http.start(self._state, self._config.admin.host, self._config.admin.port)
            try:
                await self._serve(listeners, admin.port)
            finally:
                await admin.close()
        finally:
            await self._plane.stop()
        self._log.info("stopped")

    def _listeners(self) -> list[Listener]:
        config = self._config
        return [Listener(at.address.host, at.address.port, View(config.view_of(at)).name) for at in config.listen]

    async def _serve(self, listeners: Sequence[Listener], admin_port: int) -> None:
        """Run every task until a signal comes, and then for as long as the lame duck lasts."""
        addresses = [Address(listener.host, listener.port) for listener in listeners]
        self._log.info(
            "serving",
            zone=self._config.zone,
            listen=[f"{address} view={listener.view}" for address, listener in zip(addresses, listeners, strict=True)],
            admin=str(Address(self._config.admin.host, admin_port)),
            clusters=[member.name for member in self._assembly.members],
        )
        watchdog = Watchdog(addresses)
        watchdog.start()
        async with asyncio.TaskGroup() as tasks:
            running = [
                tasks.create_task(member.run(self._builder.sink), name=member.name) for member in self._assembly.members
            ]
            running.append(tasks.create_task(self._builder.run(), name="builder"))
            running.append(tasks.create_task(self._wait_for_clusters(), name="sync deadline"))
            await self._stop.wait()
            await self._lame_duck()
            for task in running:
                task.cancel()
        watchdog.stop()

    async def _wait_for_clusters(self) -> None:
        """Say when the server has become ready, and end the wait for optional clusters at the sync deadline."""
        try:
            async with asyncio.timeout(self._config.sync_deadline_s):
                await self._builder.all_heard.wait()
            self._log.info("ready", services={view.view.name: len(view.services) for view in self._assembly.views})
        except TimeoutError:
            self._log.warning(
                "sync deadline passed", waits_for=self._builder.waits_for, answers="SERVFAIL where nothing is found"
            )
        self._is_past_deadline = True
        self._builder.end_of_wait()
        # What the first lists made lives as long as the process: the collector need not look at it, neither then nor now.
        gc.freeze()
        gc.set_threshold(*GC_THRESHOLD)
        gc.enable()

    def _is_ready(self) -> tuple[bool, str]:
        """Tell whether the server is ready, and why or why not (design.md §6)."""
        if self._stop.is_set():
            return False, "stopping"
        if self._builder.all_heard.is_set():
            return True, "every cluster has been heard"
        unheard = [mirror.cluster for mirror in self._assembly.mirrors if not mirror.is_heard]
        if self._is_past_deadline:
            return True, f"the sync deadline has passed; not heard yet: {', '.join(unheard)}"
        return False, f"not heard yet: {', '.join(unheard)}"

    def _on_signal(self, name: str) -> None:
        # A person at a terminal (SIGINT) is no load balancer that has to learn of it first.
        is_at_once = self._stop.is_set() or name == "SIGINT"
        if is_at_once:
            self._stop_now.set()
        self._log.info("stopping", signal=name, lameduck_s=0.0 if is_at_once else self._config.lameduck_s)
        self._stop.set()

    async def _lame_duck(self) -> None:
        """Go on answering while clients learn that the server is leaving; a second signal ends it."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self._config.lameduck_s):
                await self._stop_now.wait()
