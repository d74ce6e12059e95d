"""What is judged of one link: the value that a person reads."""

from __future__ import annotations

from typing import Literal

from msgspec import Struct

State = Literal["ok", "broken", "unknown"]


class Finding(Struct, frozen=True, kw_only=True):
    """
    What is so with one link between a pod that asks and the clusters that are watched.

    Args:
        link: Which: a word of the table in `mcsdns.doctor.judge`.
        state: `ok`, `broken`, or `unknown` where what was seen does not tell.
        found: What is so.
        where: The object or address that it is about.
        expected: What should be so; empty where it is.
        fix: What to do; empty where it is ok.
    """

    link: str
    state: State
    found: str
    where: str = ""
    expected: str = ""
    fix: str = ""
