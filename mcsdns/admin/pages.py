"""
What each path of the admin address shows, without HTTP.

| path       | answers                                                        | status                                             |
|------------|----------------------------------------------------------------|----------------------------------------------------|
| /          | what is here, as text; as HTML the status page                 | 200                                                |
| /healthz   | that the process lives                                         | 200                                                |
| /readyz    | whether the server is ready, and why                           | 200, 503                                           |
| /metrics   | Prometheus or OpenMetrics text                                 | 200                                                |
| /status    | `mcsdns.admin.status.Status` as JSON or HTML                   | 200                                                |
| /explain   | `mcsdns.admin.explain.Explanation` as JSON or HTML             | 200 whatever the outcome; 400 if it cannot be read |
| /services  | `mcsdns.admin.service_list.ServiceList` as JSON or HTML        | 200; 400 if it cannot be read                      |
| /omissions | `mcsdns.admin.omission_list.OmissionList` as JSON or HTML      | 200; 400 if it cannot be read                      |

Rules:
1. Nothing here changes anything. A page shows one state, but for what is read of tens of thousands of services: that gives way.
2. Whatever is asked, there is a page for it.
3. HTML is for those who ask for it (`mcsdns.admin.asked`); it says the same as the JSON, and is written in a thread.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import msgspec
from msgspec import Struct

from mcsdns.admin import asked, document
from mcsdns.admin.asked import Parameters
from mcsdns.admin.exposition import exposition, registry
from mcsdns.admin.omission_list import omissions
from mcsdns.admin.service_list import services
from mcsdns.admin.state import ServerState
from mcsdns.admin.status import Status, status
from mcsdns.admin.trouble import troubles
from mcsdns.clusterset.model import Reason
from mcsdns.source.pace import Pace

if TYPE_CHECKING:
    from mcsdns.admin.explain import Explanation

_TEXT = "text/plain; charset=utf-8"
_JSON = "application/json"
_INDEX = """\
mcsdns {version}, zone {zone}

/healthz                        200 while the process lives
/readyz                         200 when ready, else 503, and why
/metrics                        for Prometheus
/status                         clusters, views, what is left out (JSON)
/explain?name=NAME&type=A&view= why a name answers what it does (JSON); `mcsdns explain NAME` shows it as text
/services?q=&cluster=&view=     the services with their clusters and endpoints, 100 a page: &page=2 (JSON)
/omissions?cluster=&reason=     what is left out, and why, 100 a page (JSON)
/querylog                       a log of queries for some minutes: POST, GET, DELETE, from this machine alone (JSON)

A browser gets pages: of /status, /explain, /services and /omissions, and / for all of it.
"""


class Page(Struct, frozen=True):
    """What is sent back. `headers` are those that this page has beside the ones that all have."""

    status: int
    content_type: str
    body: bytes
    headers: Mapping[str, str] = {}


class Pages:
    """
    The pages of one server.

    Args:
        state: What they show.
    """

    def __init__(self, state: ServerState) -> None:
        self._state = state
        self._registry = registry(state)

    async def get(self, path: str, parameters: Parameters = (), accept: str = "") -> Page:
        """
        Return the page at a path.

        Args:
            path: Decoded.
            parameters: Of the query string.
            accept: The Accept header.
        """
        match path:
            case "/healthz":
                return _text("alive\n")
            case "/readyz":
                is_ready, why = self._state.is_ready()
                return _text(f"{'ready' if is_ready else 'not ready'}: {why}\n", 200 if is_ready else 503)
            case "/metrics":
                body, content_type = await exposition(self._state, self._registry, accept)
                return Page(200, content_type, body)
        try:
            if asked.prefers_html(accept):
                return await self._for_people(path, parameters)
            return await self._for_machines(path, parameters)
        except ValueError as error:
            if asked.prefers_html(accept):
                return await self._html("problem", 400, problem=str(error), asked=dict(parameters))
            return _text(f"{error}\n", 400)

    async def _for_machines(self, path: str, parameters: Parameters) -> Page:
        match path:
            case "/":
                return _text(_INDEX.format(version=self._state.version, zone=self._state.config.zone))
            case "/status":
                return _json(await self._status())
            case "/explain":
                return _json(await explained(self._state, parameters))
            case "/services":
                return _json(await services(self._state, parameters))
            case "/omissions":
                return _json(await omissions(self._state, parameters))
        return _text("no such page; / lists them\n", 404)

    async def _for_people(self, path: str, parameters: Parameters) -> Page:
        match path:
            case "/" | "/status":
                found = await self._status()
                return await self._html("status", here="/", status=found, troubles=troubles(found), asked={})
            case "/explain":
                wanted = dict(parameters)
                of = await explained(self._state, parameters) if parameters else None
                return await self._html("explain", here=path, explanation=of, asked=wanted)
            case "/services":
                listed = await services(self._state, parameters)
                return await self._html("services", here=path, listed=listed, asked={})
            case "/omissions":
                left_out = await omissions(self._state, parameters)
                return await self._html("omissions", here=path, listed=left_out, reasons=[*Reason])
        return await self._html("problem", 404, problem=f"There is no page {path}.", asked={})

    async def _status(self) -> Status:
        await self._state.omissions.read(self._state.views)
        return status(self._state, self._state.omissions.counted(self._state.mirrors))

    async def _html(self, template: str, code: int = 200, here: str = "", **values: Any) -> Page:
        """Write a page: what it says is told now, and what every page says of the server beside it."""
        server = {
            "here": here,
            "zone": self._state.config.zone.removesuffix("."),
            "version": self._state.version,
            "views": [view.view.name for view in self._state.views],
            "clusters": [mirror.cluster for mirror in self._state.mirrors],
            "now": datetime.now(UTC),
        }
        body = await asyncio.to_thread(document.render, template, server | values)
        return Page(code, document.CONTENT_TYPE, body, {"Content-Security-Policy": document.policy()})


async def explained(state: ServerState, parameters: Iterable[tuple[str, str]]) -> Explanation:
    """
    Explain what the parameters of a request ask for.

    Args:
        state: Of the server.
        parameters: `name`; `type`, by default A; `view`, by default the first listener's.

    Raises:
        ValueError: A parameter is missing, unknown, twice there or cannot be read; the message says which.
    """
    wanted = asked.read(parameters, "name", "type", "view")
    if not wanted["name"]:
        raise ValueError("the parameter name is missing; expected /explain?name=NAME&type=A")
    view = state.view(wanted["view"])
    # Imported when it is first asked for: a start need not wait for it.
    from mcsdns.admin.explain import Around, explain, path_of_absent  # noqa: PLC0415

    around: Around | None = None
    path = path_of_absent(wanted["name"], view.options.zone, view.services.keys())
    if path:
        around, pace = Around(path), Pace()
        for key in list(view.services):
            around.take(key)
            if pace.is_due:
                await pace.rest()
    return explain(
        wanted["name"],
        wanted["type"] or "A",
        view.view,
        state.mirrors,
        view.options,
        complete=view.complete,
        serial=view.serial,
        imported=view.services.keys(),
        around=around,
        refusals=[refusal for health in state.health.values() for refusal in health.refusals],
        unwell={name: health.trouble for name, health in state.health.items() if health.trouble is not None},
    )


def _text(text: str, code: int = 200) -> Page:
    # What cannot be written in UTF-8 (a lone surrogate from a query string) must not make a page fail.
    return Page(code, _TEXT, text.encode(errors="backslashreplace"))


def _json(value: object) -> Page:
    return Page(200, _JSON, msgspec.json.encode(value) + b"\n")
