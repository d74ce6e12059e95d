"""
The server: how its parts are wired, in what order they start and stop, and what ends it.

Start: the views are published empty, the sockets are bound, the admin address is served, and then the clusters are listed. So
every query has an answer from the first moment on: SERVFAIL until a cluster has been heard (design.md §6).
Stop, at SIGTERM: not ready at once, queries answered for `lameduck_s`, then everything is closed. SIGINT or a second signal skips
the wait. SIGHUP: the configuration file is read at once; it is followed without one as well.
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
from mcsdns.configchange import Change, compare
from mcsdns.members import Members
from mcsdns.plane.base import Listener
from mcsdns.plane.choice import make_plane
from mcsdns.reload import ConfigFile, Reload
from mcsdns.watchdog import Watchdog

GC_THRESHOLD = (2000, 10, 100)
"""
When Python looks for garbage that refers to itself. By default it goes through everything whenever 70,000 objects have come, which is
one list of 10,000 EndpointSlices, and holds the event loop for it; here, whenever 2,000,000 have, and through the youngest 20,000 else.
"""

LISTING_S = 3.0
"""Seconds between two lines about first lists that are under way: most are over before the first."""


class Daemon:
    """
    One running server.

    Args:
        config: What it is to do.
        file: Where that was read, and is followed; None: nowhere.

    Raises:
        PlaneError: The plane that was asked for is not there.
    """

    def __init__(self, config: Config, file: ConfigFile | None = None) -> None:
        self._log = structlog.get_logger()
        self._served = [config.view_of(listen) for listen in config.listen]
        self._assembly = Assembly(config)
        nsid = config.nsid.encode() if config.nsid is not None else None
        self._plane = make_plane(config.plane, config.limits, nsid, config.threads, pin=config.pin)
        path = str(file.path) if file is not None else None
        self._state = ServerState(config, self._plane, self._is_ready, path=path)
        self._state.views = self._assembly.views
        self._builder = Builder(
            self._assembly.mirrors,
            (),
            self._assembly.views,
            self._plane.publish,
            self._state.observe_programming,
            stage=self._plane.stage,
        )
        self._members = Members(self._assembly, self._builder, self._state)
        self._reload = (
            Reload(file, self._state.config_file, self._compare, self._members.apply) if file is not None else None
        )
        self._stop = asyncio.Event()
        self._stop_now = asyncio.Event()

    @property
    def _config(self) -> Config:
        """What is in force."""
        return self._assembly.config

    async def run(self) -> None:
        """
        Serve until a signal comes.

        Raises:
            PlaneError: A DNS address cannot be bound.
            ConfigError: The admin address cannot be bound.
        """
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, self._on_signal, number.name)
        asyncio.get_running_loop().add_signal_handler(signal.SIGHUP, self._on_hangup)
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
        addresses = [listen.address for listen in self._config.listen]
        return [Listener(at.host, at.port, View(view).name) for at, view in zip(addresses, self._served, strict=True)]

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
            self._members.start(tasks)
            running = [
                tasks.create_task(self._builder.run(), name="builder"),
                tasks.create_task(self._wait_for_clusters(), name="first lists"),
                tasks.create_task(self._tell_lists(), name="progress"),
            ]
            if self._reload is not None:
                running.append(tasks.create_task(self._reload.run(), name="configuration"))
            await self._stop.wait()
            await self._lame_duck()
            self._members.stop()
            for task in running:
                task.cancel()
        watchdog.stop()

    def _compare(self, config: Config) -> Change:
        return compare(self._config, config, self._served, self._state.config_file.path or "")

    async def _wait_for_clusters(self) -> None:
        """Say when the server has become ready; who is missing at the sync deadline is said by `Members`."""
        await self._builder.settled.wait()
        if not self._unheard():
            self._log.info("ready", services={view.view.name: len(view.services) for view in self._assembly.views})
        # What the first lists made lives as long as the process: the collector need not look at it, neither then nor now.
        gc.freeze()
        gc.set_threshold(*GC_THRESHOLD)
        gc.enable()

    def _unheard(self) -> list[str]:
        return [mirror.cluster for mirror in self._assembly.mirrors if not mirror.is_whole]

    async def _tell_lists(self) -> None:
        """Say now and then how far first lists are, as long as they get on: at the start, and of clusters that are added."""
        told: dict[str, int] = {}
        while True:
            await asyncio.sleep(LISTING_S)
            now = {mirror.cluster: mirror.size for mirror in self._assembly.mirrors if not mirror.is_heard}
            for cluster, objects in now.items():
                if objects != told.get(cluster, 0):
                    self._log.info("listing", cluster=cluster, objects=objects)
            told = now

    def _is_ready(self) -> tuple[bool, str]:
        """Tell whether the server is ready, and why or why not (design.md §6). One that was stays so, whatever is added."""
        if self._stop.is_set():
            return False, "stopping"
        unheard = ", ".join(self._unheard())
        # One that has heard nobody knows nothing, however long it has waited: a replica that knows something is to be asked.
        if not self._builder.settled.is_set() or all(mirror.is_silent for mirror in self._assembly.mirrors):
            return False, f"not heard whole yet: {unheard}"
        return (
            True,
            f"the first wait for clusters is over; not heard whole yet: {unheard}"
            if unheard
            else "every cluster has been heard whole",
        )

    def _on_signal(self, name: str) -> None:
        # A person at a terminal (SIGINT) is no load balancer that has to learn of it first.
        is_at_once = self._stop.is_set() or name == "SIGINT"
        if is_at_once:
            self._stop_now.set()
        self._log.info("stopping", signal=name, lameduck_s=0.0 if is_at_once else self._config.lameduck_s)
        self._stop.set()

    def _on_hangup(self) -> None:
        if self._reload is not None:
            self._reload.ask()
        else:
            self._log.info("nothing to read again", signal="SIGHUP", reason="no --config was named")

    async def _lame_duck(self) -> None:
        """Go on answering while clients learn that the server is leaving; a second signal ends it."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self._config.lameduck_s):
                await self._stop_now.wait()
