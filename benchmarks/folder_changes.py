"""
What a change in a folder of manifests costs: a file is replaced, and its name asked until the answer reflects it.
"""

import os
import time
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Final, NamedTuple

from .asker import RIGHT, Asker, sleep_until
from .clusterset import Question, Service, address_question, text
from .files import IN_FILE
from .servers import cpu_clock
from .writes import address_of

_ASK_S: Final = 0.002
_IDLE_S: Final = 5.0
_CHANGE_LIMIT_S: Final = 60.0


class Changes(NamedTuple):
    """What was seen: seconds from the replaced file to the right answer, each; CPU seconds of one change."""

    seconds: list[float]
    cpu_s: float


def folder_changes(
    pid: int, port: int, services: Sequence[Service], files: Sequence[Path], changes: int, limit_s: float
) -> Changes:
    """
    Change one endpoint of one service after the other. The files are as before when this returns.

    Args:
        pid: The server's only process.
        port: Where it is on 127.0.0.1.
        services: All of them, as `files.write_manifests` took them.
        files: What that returned.
        changes: How many to make.
        limit_s: After which no more are made.

    Raises:
        TimeoutError: An answer did not come to be right within a minute.
    """
    targets = [service for service in services if service.is_headless]
    before, began = cpu_clock(pid), time.monotonic()
    time.sleep(_IDLE_S)
    idle = (cpu_clock(pid) - before) / _IDLE_S
    before, began = cpu_clock(pid), time.monotonic()
    seconds: list[float] = []
    while len(seconds) < changes and time.monotonic() - began < limit_s:
        service = targets[len(seconds) % len(targets)]
        file = files[service.number // IN_FILE]
        content = file.read_text()
        _replace(file, _changed(content, service, address_of(len(seconds))))
        seconds.append(_seen_after(port, _question(service, address_of(len(seconds)))))
        _replace(file, content)
        _seen_after(port, _question(service, None))
    # Two changes of the file each: there and back.
    spent = cpu_clock(pid) - before - idle * (time.monotonic() - began)
    return Changes(seconds, spent / (2 * len(seconds)))


def _question(service: Service, first: bytes | None) -> Question:
    right = address_question(service)
    if first is None:
        return right
    addresses = {address for _, address in service.endpoints()} - {service.endpoint(0, 0)}
    return right._replace(answer=frozenset({first, *addresses}))


def _changed(content: str, service: Service, first: bytes) -> str:
    """Return the content of a file with another first endpoint of a service, in JSON or YAML."""
    old, new = text(service.endpoint(0, 0)), text(first)
    for before, after in ('""', ("- ", "\n")):
        content = content.replace(f"{before}{old}{after}", f"{before}{new}{after}")
    return content


def _replace(file: Path, content: str) -> None:
    draft = file.with_name(f".{file.name}")
    draft.write_text(content)
    os.replace(draft, file)  # noqa: PTH105 - Path.replace is the same, and reads as if text were replaced


def _seen_after(port: int, question: Question) -> float:
    began = time.monotonic()
    with closing(Asker(port, [question])) as asker:
        while asker.ask(0, 1.0) != RIGHT:
            sleep_until(time.monotonic() + _ASK_S)
            if time.monotonic() - began > _CHANGE_LIMIT_S:
                raise TimeoutError(f"{question.name} did not become right within {_CHANGE_LIMIT_S:g} s")
    return time.monotonic() - began
