"""What can be wrong with a query: a bounded set, which labels a metric."""

from __future__ import annotations

from enum import StrEnum

from mcsdns.errors import WireError
from mcsdns.wire.codes import Rcode


class Fault(StrEnum):
    """The part of a query that is malformed."""

    COUNTS = "counts"
    """The counts of the header: not one question, or records where a query has none."""
    QUESTION = "question"
    RECORD = "record"
    OPT = "opt"
    TSIG = "tsig"


class MalformedError(WireError):
    """
    A query that becomes FORMERR.

    Args:
        fault: What is malformed.
        problem: How, for tests and people.
    """

    def __init__(self, fault: Fault, problem: str) -> None:
        super().__init__(Rcode.FORMERR, f"{fault}: {problem}")
        self.fault = fault
