"""
Logging: structlog to standard error, one line a fact, as text for people or as JSON for machines.

Rules:
1. An event is constant and in lower case; what varies is a key.
2. A line's `timestamp` is when it is written, unless it brings one: of what was noted before (`mcsdns.querylog`).
3. A line tells a transition, never a retry, and nothing is logged for a DNS query but while the query log is on (`mcsdns.querylog`).
"""

from __future__ import annotations

import logging
import sys
from typing import Literal

import structlog

LEVELS = ("debug", "info", "warning", "error")
Format = Literal["text", "json"]


def configure(level: str, form: Format) -> None:
    """
    Set up logging for the process.

    Args:
        level: One of `LEVELS`: the least that is shown.
        form: `text` or `json`.
    """
    renderer: structlog.typing.Processor = (
        structlog.processors.JSONRenderer()
        if form == "json"
        else structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty(), pad_event_to=24)
    )
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.MaybeTimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(getattr(logging, level.upper())),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=False,
    )
