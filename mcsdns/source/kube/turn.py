"""
The words of the reflector's state machine: what is remembered, what can be seen, and what a step tells to do. Values only.

Not here: which follows from which (`watch`), and how it is done (`reflector`).
"""

from __future__ import annotations

from enum import Enum, auto
from typing import Final

from msgspec import Struct


class Phase(Enum):
    """Where a reflector stands."""

    EMPTY = auto()
    LISTING = auto()
    WATCHING = auto()


class Told(Enum):
    """What the sink was last told as a whole."""

    NOTHING = auto()
    PARTIAL = auto()
    ABSENT = auto()
    LISTED = auto()


class Emit(Enum):
    """What goes to the sink: `Init`, an `InitApply` for each object of the page, `InitDone`, `InitDone(whole=False)`."""

    INIT = auto()
    ITEMS = auto()
    DONE = auto()
    PARTIAL = auto()


class After(Enum):
    """What to wait for before the next request."""

    NOW = auto()
    BACKOFF = auto()
    CONFIRM = auto()
    ABSENT = auto()
    DENIED = auto()


class State(Struct, frozen=True):
    """
    Everything that a reflector remembers between two requests.

    Attributes:
        phase: Where it stands.
        reason: Why it lists: `start`, `gone`, `check`, `restored`, `unreadable`, `version`, `absent`, `denied`, or
            `interrupted` for a check that broke off.
        rv: From where to watch; empty before the first list.
        list_rv: That of the list under way.
        listed: The objects in the pages of the list so far.
        is_confirming: The list under way is to confirm a doubtful one.
        told: What the sink knows.
        denied: How often in a row we were denied, failures between not counted.
    """

    phase: Phase = Phase.EMPTY
    reason: str = "start"
    rv: str = ""
    list_rv: str = ""
    listed: int = 0
    is_confirming: bool = False
    told: Told = Told.NOTHING
    denied: int = 0


class Page(Struct, frozen=True):
    """A page of a list came: `objects` in it that count, while `had` were known before the list began."""

    rv: str
    token: str
    objects: int
    had: int


class Progress(Struct, frozen=True):
    """Events came, the last of them with this resource version."""

    rv: str


class Bookmark(Struct, frozen=True):
    """The server says that there was nothing else up to this resource version."""

    rv: str


class Ended(Struct, frozen=True):
    """The server, or something between, ended the watch."""

    is_early: bool


class Silent(Struct, frozen=True):
    """Nothing came for the idle limit."""


class Gone(Struct, frozen=True):
    """The resource version, or the place in the list, is of no use any more (410, or ahead of the server)."""


class Unreadable(Struct, frozen=True):
    """An event that cannot be taken in, and would come again."""


class Absent(Struct, frozen=True):
    """The API server does not serve this resource (404, and its own list of what it serves agrees)."""


class Doomed(Struct, frozen=True):
    """The CRD of this resource is being deleted, and its objects with it."""


class Denied(Struct, frozen=True):
    """We may not read this resource (403)."""


class Failed(Struct, frozen=True):
    """Anything else: unreachable, refused, 429, 5xx, a wrong body."""

    is_worth_trying_at_once: bool = False


class CheckDue(Struct, frozen=True):
    """It is time to compare with a new list."""


Seen = Page | Progress | Bookmark | Ended | Silent | Gone | Unreadable | Absent | Doomed | Denied | Failed | CheckDue


class List(Struct, frozen=True):
    """Get a page: the first, or the one that the token names."""

    token: str = ""


class Watch(Struct, frozen=True):
    """Watch from this resource version."""

    rv: str


class Turn(Struct, frozen=True):
    """The outcome of a step: the new state, what is emitted now, and what is done after a wait."""

    state: State
    emits: tuple[Emit, ...]
    then: List | Watch
    after: After


START: Final = State()
