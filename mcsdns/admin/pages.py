"""
What each path of the admin address shows, without HTTP.

| path     | answers                                                    | status                                             |
|----------|------------------------------------------------------------|----------------------------------------------------|
| /        | what is here, as text                                      | 200                                                |
| /healthz | that the process lives                                     | 200                                                |
| /readyz  | whether the server is ready, and why                       | 200, 503                                           |
| /metrics | Prometheus or OpenMetrics text                             | 200                                                |
| /status  | JSON, `mcsdns.admin.status.Status`                         | 200                                                |
| /explain | JSON, `mcsdns.admin.explain.Explanation`                   | 200 whatever the outcome; 400 if it cannot be read |

Rules:
1. Nothing here changes anything, and nothing awaits: a page shows one state.
2. Whatever is asked, there is a page for it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

import msgspec
from msgspec import Struct

from mcsdns.admin.exposition import exposition, registry
from mcsdns.admin.state import ServerState
from mcsdns.admin.status import status

if TYPE_CHECKING:
    from mcsdns.admin.explain import Explanation

Parameters = Sequence[tuple[str, str]]

_TEXT = "text/plain; charset=utf-8"
_JSON = "application/json"
_INDEX = """\
mcsdns {version}, zone {zone}

/healthz                        200 while the process lives
/readyz                         200 when ready, else 503, and why
/metrics                        for Prometheus
/status                         clusters, views, what is left out (JSON)
/explain?name=NAME&type=A&view= why a name answers what it does (JSON); `mcsdns explain NAME` shows it as text
"""


class Page(Struct, frozen=True):
    """What is sent back."""

    status: int
    content_type: str
    body: bytes


class Pages:
    """
    The pages of one server.

    Args:
        state: What they show.
    """

    def __init__(self, state: ServerState) -> None:
        self._state = state
        self._registry = registry(state)

    def get(self, path: str, parameters: Parameters = (), accept: str = "") -> Page:
        """
        Return the page at a path.

        Args:
            path: Decoded.
            parameters: Of the query string.
            accept: The Accept header.
        """
        match path:
            case "/":
                return _text(_INDEX.format(version=self._state.version, zone=self._state.config.zone))
            case "/healthz":
                return _text("alive\n")
            case "/readyz":
                is_ready, why = self._state.is_ready()
                return _text(f"{'ready' if is_ready else 'not ready'}: {why}\n", 200 if is_ready else 503)
            case "/metrics":
                body, content_type = exposition(self._registry, accept)
                return Page(200, content_type, body)
            case "/status":
                return _json(status(self._state))
            case "/explain":
                try:
                    return _json(explained(self._state, parameters))
                except ValueError as error:
                    return _text(f"{error}\n", 400)
        return _text("no such page; / lists them\n", 404)


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
    # Imported when it is first asked for: a start need not wait for it.
    from mcsdns.admin.explain import explain  # noqa: PLC0415

    return explain(
        asked["name"],
        asked["type"] or "A",
        view.view,
        state.mirrors,
        view.options,
        complete=view.complete,
        serial=view.serial,
        imported=view.services.keys(),
        refusals=[refusal for health in state.health.values() for refusal in health.refusals],
        unwell={name: health.trouble for name, health in state.health.items() if health.trouble is not None},
    )


def _text(text: str, code: int = 200) -> Page:
    # What cannot be written in UTF-8 (a lone surrogate from a query string) must not make a page fail.
    return Page(code, _TEXT, text.encode(errors="backslashreplace"))


def _json(value: object) -> Page:
    return Page(200, _JSON, msgspec.json.encode(value) + b"\n")
