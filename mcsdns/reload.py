"""
Following the configuration file while the server runs.

Rules:
1. The content counts, not the file: a mounted ConfigMap changes by a symlink, and an editor writes what was there before.
2. A change counts when two looks in a row see the same: a half-written file is not taken. SIGHUP says that it is written.
3. A file that is missing, unreadable or wrong is refused, once for each content, with the words of its error. What is in force goes on.

Not here: what a change asks for (`mcsdns.configchange`), and doing it (`mcsdns.members`).
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable
from pathlib import Path

import structlog

from mcsdns.admin import state
from mcsdns.config import Config
from mcsdns.configchange import Change
from mcsdns.configfile import parse, read
from mcsdns.errors import ConfigError

LOOK_S = 0.4
"""Seconds between two looks: what a changed file removes is gone within a second, and a writer may rest for nearly half of one."""

_Seen = tuple[str, ConfigError | None]
"""What a look saw: the text of the file, or the words and the error that say why it cannot be read."""


class ConfigFile:
    """
    A configuration file that may change.

    Args:
        path: Where it is.
        reading: Gives its text, or raises `ConfigError`.
    """

    def __init__(self, path: Path, reading: Callable[[Path], str] = read) -> None:
        self.path = path
        self._reading = reading
        self._judged = ""
        self._last = ""

    def load(self) -> Config:
        """
        Read and check the file as it is. Later looks tell what is other than now.

        Raises:
            ConfigError: The file cannot be read, or something in it is wrong.
        """
        self._judged = self._last = text = self._reading(self.path)
        return parse(text, self.path)

    def look(self, *, is_asked: bool = False) -> Config | None:
        """
        Look whether the file has another content than the last that was judged.

        Args:
            is_asked: Take it as it is; else only what the look before saw as well.

        Returns:
            What another content says; None where there is none.

        Raises:
            ConfigError: There is another content, and it cannot be used.
        """
        text, error = self._see()
        before, self._last = self._last, text
        if text == self._judged or (text != before and not is_asked):
            return None
        self._judged = text
        if error is not None:
            raise error
        return parse(text, self.path)

    def _see(self) -> _Seen:
        try:
            return self._reading(self.path), None
        except ConfigError as error:
            return f"\0{error}", error  # no file of ours holds a NUL: the words are no text of a file


class Reload:
    """
    Has the configuration file looked at, and what it asks for applied.

    Args:
        file: The file.
        shown: Where is shown how it stands.
        compare: Tells what a configuration asks for; raises `ConfigError` where that cannot be.
        apply: Does it.
        look_s: Seconds between two looks.
    """

    def __init__(
        self,
        file: ConfigFile,
        shown: state.ConfigFile,
        compare: Callable[[Config], Change],
        apply: Callable[[Change], None],
        look_s: float = LOOK_S,
    ) -> None:
        self._file = file
        self._shown = shown
        self._compare = compare
        self._apply = apply
        self._look_s = look_s
        self._asked = asyncio.Event()
        self._log = structlog.get_logger().bind(path=str(file.path))

    def ask(self) -> None:
        """Have the file read at once."""
        self._asked.set()

    async def run(self) -> None:
        """Follow the file, until cancelled."""
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._look_s):
                    await self._asked.wait()
            is_asked = self._asked.is_set()
            self._asked.clear()
            try:
                await self._look(is_asked)
            except ConfigError as error:
                self._refuse(str(error))
            except Exception as error:  # noqa: BLE001 - a task boundary: what is in force goes on
                self._log.exception("configuration reload failed")
                self._refuse(f"mcsdns failed: {type(error).__name__}: {error}")

    async def _look(self, is_asked: bool) -> None:
        config = await asyncio.to_thread(self._file.look, is_asked=is_asked)
        if config is None:
            if is_asked:
                self._log.info("configuration unchanged", refused=self._shown.error)
            return
        change = self._compare(config)
        self._apply(change)
        self._shown.error = None
        self._shown.loaded_at = time.time()
        self._shown.waiting = change.waiting
        self._shown.reloads["success"] += 1
        self._tell(change)

    def _refuse(self, problem: str) -> None:
        self._shown.error = problem
        self._shown.reloads["failure"] += 1
        self._log.error("configuration refused", problem=problem, serving="what was read before")

    def _tell(self, change: Change) -> None:
        """Say what is other than before, and what waits."""
        facts = {
            "added": change.added,
            "removed": change.removed,
            "replaced": change.replaced,
            "identified": change.identified,
            "optional": change.excused,
            "reordered": change.is_reordered,
            "keys": change.keys,
        }
        self._log.info("configuration applied", **{what: fact for what, fact in facts.items() if fact})
        if change.waiting:
            self._log.warning("configuration keys wait for a restart", keys=dict(change.waiting))
