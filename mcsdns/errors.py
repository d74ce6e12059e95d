"""
Every error that mcsdns raises, in one tree.

Rules:
1. An error is raised where the fact is known and caught in one place.
2. A third party's exception is translated in the module that makes the call.
3. A message tells what was expected, what was found, where, and what to do. It never holds a secret.
"""

from __future__ import annotations


class McsdnsError(Exception):
    """The root: nothing else of ours is raised on purpose."""


class ConfigError(McsdnsError):
    """
    The configuration cannot be used: exit 2, without a traceback.

    Args:
        path: The file, as the user named it; empty for a command-line argument.
        where: The place in it, such as `clusters[1].kubeconfig`; empty for the file as a whole.
        problem: What was expected and found, and what to do.
    """

    def __init__(self, path: str, where: str, problem: str) -> None:
        super().__init__(": ".join(part for part in (path, where, problem) if part))
        self.path = path
        self.where = where
        self.problem = problem


class SourceError(McsdnsError):
    """A cluster's objects cannot be had just now: it never ends the process, it makes that cluster stale."""


class ApiError(SourceError):
    """
    An API server answered with a status that is not a success.

    Args:
        status: The HTTP status.
        reason: The server's words, at most 256 characters.
        retry_after_s: The least wait before the next try that the server asked for, or None.
    """

    def __init__(self, status: int, reason: str, retry_after_s: float | None = None) -> None:
        super().__init__(f"HTTP {status}: {reason[:256]}")
        self.status = status
        self.reason = reason[:256]
        self.retry_after_s = retry_after_s


class GoneError(SourceError):
    """The resource version has expired (HTTP 410): list again."""


class OtherClusterError(SourceError):
    """
    Another cluster answers at the address of the one that is followed.

    Args:
        expected: The UID of the namespace kube-system that was first seen.
        found: That of the cluster which answers now.
    """

    def __init__(self, expected: str, found: str) -> None:
        super().__init__(
            f"another cluster answers at this address: expected UID {expected} of namespace kube-system, found {found};"
            " lead the address back to the first cluster, or restart mcsdns to follow the other"
        )


class CrdDeletedError(SourceError):
    """
    The CRD of what is followed is being deleted, and its objects with it.

    Args:
        crd: Its name.
    """

    def __init__(self, crd: str) -> None:
        super().__init__(
            f"the CRD {crd} is being deleted, and every object of it: what was last heard is served until it is there again"
        )


class StreamError(SourceError):
    """A stream broke, fell silent, or carried something that is not what was asked for."""


class TooLargeError(StreamError):
    """A body is longer than is taken in: ask for less at once."""


class WireError(McsdnsError):
    """
    A DNS message that cannot be taken as it is: the peer's fault. It becomes `rcode`, or silence where that is None.

    Args:
        rcode: The response code to send (RFC 1035 §4.1.1), or None to send nothing.
        problem: What is wrong, for tests and people.
    """

    def __init__(self, rcode: int | None, problem: str) -> None:
        super().__init__(problem)
        self.rcode = rcode


class PlaneError(McsdnsError):
    """The part that answers on sockets cannot go on: ours, and it ends the process."""
