"""
`python -m benchmarks.synthetic PORT SERVICES`: the native plane with mirror and builder; objects come from here, from no API server.

Reads commands from its standard input, one a line, and answers each with a line of JSON when it is carried out:
`changes RATE SECONDS` changes one headless service after the other; `prepare` makes the objects of a list of everything, with another
address in every service, and `republish` lists them; `publish COUNT` publishes single services straight into the plane; `end`.
"""

import asyncio
import gc
import json
import sys
import time
from collections.abc import Iterator
from typing import Any, Final

import msgspec
import uvloop

from mcsdns.builder import Builder
from mcsdns.clusterset.mirror import Mirror
from mcsdns.clusterset.model import View
from mcsdns.plane.base import Limits, Listener
from mcsdns.plane.native import NativePlane
from mcsdns.source.events import Apply, Event, Init, InitApply, InitDone, Resource
from mcsdns.source.objects import EndpointSlice, Object, ServiceImport
from mcsdns.source.pace import Pace
from mcsdns.zone.build import Options
from mcsdns.zone.names import from_text
from mcsdns.zone.rrset import Update
from mcsdns.zone.view import ZoneView

from .clusterset import ZONE, Service, imported_slice, manifests, services, text

CLUSTER: Final = "hub"
_TICK_S: Final = 0.001


class Synthetic:
    """
    One server and what changes in it.

    Args:
        count: Services.
    """

    def __init__(self, count: int) -> None:
        self._services = services(count)
        self._headless = [service for service in self._services if service.is_headless]
        self._changes = 0
        self.plane = NativePlane(Limits(), threads=1)
        self._updates: list[Update] = []
        self._view = ZoneView(View(CLUSTER), Options(from_text(ZONE)), int(time.time()))
        self.builder = Builder(
            [Mirror(CLUSTER, None)], (), [self._view], self._publish, lambda *_: None, stage=self.plane.stage
        )
        self._published = 0
        self._is_published = asyncio.Event()
        self._round = 0
        self._prepared: list[Event] = []

    def _publish(self, update: Update) -> None:
        self.plane.publish(update)
        self._published += 1
        self._is_published.set()

    def prepare(self) -> dict[str, Any]:
        """Make the objects of a list; services have an address that says which list it is."""
        self._round = self._round % 200 + 1
        self._prepared = list(_listing(self._services, self._round))
        return {"events": len(self._prepared)}

    async def list(self) -> dict[str, Any]:
        """List what was prepared."""
        pace = Pace()
        for event in self._prepared:
            self.builder.sink(event)
            if pace.is_due:
                await pace.rest()
        began, is_left = time.monotonic(), True
        while is_left:
            self._is_published.clear()
            await self._is_published.wait()
            is_left = self.builder.has_work
        return {"build_and_publish_s": time.monotonic() - began}

    async def change(self, rate: float, seconds: float) -> dict[str, Any]:
        """Change one headless service after the other, at a rate per second."""
        began, cpu, before, done = time.monotonic(), time.process_time(), self._published, 0
        while (passed := time.monotonic() - began) < seconds:
            while done < passed * rate:
                done += 1
                self._changes += 1
                service = self._headless[self._changes % len(self._headless)]
                self.builder.sink(Apply(CLUSTER, Resource.ENDPOINT_SLICES, self._changed(service, self._changes)))
            await asyncio.sleep(_TICK_S)
        spent = time.process_time() - cpu
        return {"changes": done, "publishes": self._published - before, "cpu": spent / seconds}

    def publish(self, count: int) -> dict[str, Any]:
        """Publish single services, as the builder would, and give the CPU time of each in µs."""
        view = ZoneView(View(CLUSTER), Options(from_text(ZONE)), 1)
        mirror = Mirror(CLUSTER, None)
        some = self._headless[:100] + [service for service in self._services[:500] if not service.is_headless]
        for event in _listing(some, 1):
            for key in mirror.feed(event):
                view.build(key, [mirror])
        update = view.take(complete=True)
        assert update is not None
        each = [msgspec.structs.replace(update, services={owner: one}) for owner, one in update.services.items()]
        cpu = time.process_time()
        for number in range(count):
            self.plane.publish(each[number % len(each)])
        return {"cpu_us": (time.process_time() - cpu) / count * 1e6}

    def _changed(self, service: Service, number: int) -> Object:
        return msgspec.convert(imported_slice(service, 0, bytes((250, *number.to_bytes(3, "big")))), EndpointSlice)


def _listing(of: list[Service], round_: int) -> Iterator[Event]:
    kinds: dict[Resource, list[Object]] = {resource: [] for resource in Resource}
    for service in of:
        for manifest in manifests(service):
            if manifest["kind"] == "ServiceImport":
                if not service.is_headless:
                    manifest["spec"]["ips"] = [text(bytes((249, round_, *service.number.to_bytes(3, "big")[1:])))]
                kinds[Resource.SERVICE_IMPORTS].append(msgspec.convert(manifest, ServiceImport))
            elif manifest["metadata"]["name"].endswith("east"):
                first = bytes((249, round_, *service.number.to_bytes(3, "big")[1:]))
                kinds[Resource.ENDPOINT_SLICES].append(
                    msgspec.convert(imported_slice(service, 0, first), EndpointSlice)
                )
            else:
                kinds[Resource.ENDPOINT_SLICES].append(msgspec.convert(manifest, EndpointSlice))
    for resource, objects in kinds.items():
        yield Init(CLUSTER, resource)
        yield from (InitApply(CLUSTER, resource, obj) for obj in objects)
        yield InitDone(CLUSTER, resource)


class _Lag:
    """Watches for how long the event loop was held at most."""

    def __init__(self) -> None:
        self.longest = 0.0

    async def watch(self) -> None:
        then = time.monotonic()
        while True:
            await asyncio.sleep(_TICK_S)
            now = time.monotonic()
            self.longest = max(self.longest, now - then - _TICK_S)
            then = now


async def _serve(port: int, count: int) -> None:
    server, lag = Synthetic(count), _Lag()
    server.builder.publish_first()
    await server.plane.start([Listener("127.0.0.1", port, View(CLUSTER).name)])
    loop = asyncio.get_running_loop()
    async with asyncio.TaskGroup() as tasks:
        running = [tasks.create_task(server.builder.run()), tasks.create_task(lag.watch())]
        server.prepare()
        told = await server.list()
        gc.freeze()
        while told.get("is_over") is None:
            print(json.dumps({**told, "longest_hold_ms": lag.longest * 1000}), flush=True)
            command, *numbers = (await loop.run_in_executor(None, sys.stdin.readline)).split() or ["end"]
            lag.longest = 0.0
            match command:
                case "changes":
                    told = await server.change(float(numbers[0]), float(numbers[1]))
                case "prepare":
                    told = server.prepare()
                case "republish":
                    told = await server.list()
                case "publish":
                    told = server.publish(int(numbers[0]))
                case _:
                    told = {"is_over": True}
        for task in running:
            task.cancel()
    await server.plane.stop()


if __name__ == "__main__":
    gc.disable()
    uvloop.run(_serve(int(sys.argv[1]), int(sys.argv[2])))
