"""
The installed command `mcsdns`, as its users run it: a server on free ports, and the verbs that look once.

Rules:
1. Where it listens is read from its log line `serving`, as it binds the ports itself: nobody can take them in between.
2. What is to become so is asked again and again until a deadline (`eventually`); nothing sleeps for a time and hopes.
"""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sysconfig
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Final, Literal, NamedTuple

import dns.edns
import dns.message
import dns.name
import dns.query
import dns.rcode
import dns.rdatatype
import yaml

from tests.servers import process

COMMAND: Final = Path(sysconfig.get_path("scripts")) / "mcsdns"
"""The command as pip installed it."""
ZONE: Final = "clusterset.local"
_ANSWER_LIMIT_S: Final = 5.0
_POLL_S: Final = 0.01

Settings = Mapping[str, Any]
Line = dict[str, Any]


class Status(NamedTuple):
    """An HTTP answer of the admin address."""

    code: int
    text: str

    @property
    def json(self) -> Any:
        """Read the body as JSON."""
        return json.loads(self.text)


class Answer(NamedTuple):
    """
    What a test asks of a DNS response, in presentation form.

    Args:
        rcode: Its mnemonic; `NODATA` for NOERROR without an answer.
        rdata: The answer section, sorted.
        ede: The codes of extended errors (RFC 8914).
    """

    rcode: str
    rdata: tuple[str, ...] = ()
    ede: tuple[int, ...] = ()


NODATA: Final = Answer("NODATA")
NXDOMAIN: Final = Answer("NXDOMAIN")
NOT_READY: Final = Answer("SERVFAIL", (), (14,))
"""Nothing is found, and not every cluster has been heard (design.md §6)."""


def found(*rdata: str) -> Answer:
    """Give the answer that holds these."""
    return Answer("NOERROR", tuple(sorted(rdata)))


class Server(process.Server):
    """
    `mcsdns serve` with a configuration of the test's.

    Args:
        folder: Where the configuration and the log are.
        clusters: The configuration's `clusters`; relative paths are relative to `folder`.
        until: When `start` returns: `ready` (every cluster has been heard) or `serving` (the sockets answer).
        settings: Other keys of the configuration. Without them: one listener and the admin address on free ports, and no lame duck.
    """

    stop_limit_s = 20.0

    def __init__(
        self,
        folder: Path,
        clusters: Sequence[Settings],
        *,
        until: Literal["ready", "serving"] = "ready",
        log_level: str = "info",
        **settings: Any,
    ) -> None:
        super().__init__("mcsdns", folder)
        self.settings: dict[str, Any] = {
            "listen": [{"address": "127.0.0.1:0"}],
            "admin": "127.0.0.1:0",
            "lameduck_s": 0,
            "clusters": list(clusters),
        } | settings
        self.until = until
        self.config_path = self.folder / "mcsdns.yaml"
        self._log_level = log_level
        self._log_start = 0

    def command(self) -> list[str]:
        """Write the configuration, and note where the log of this run begins."""
        self.config_path.write_text(yaml.safe_dump(self.settings, sort_keys=False))
        self._log_start = self.log_path.stat().st_size if self.log_path.exists() else 0
        return [
            str(COMMAND), "serve", "--config", str(self.config_path), "--log-format", "json", "--log-level", self._log_level
        ]  # fmt: skip

    def is_ready(self) -> bool:
        """Tell whether it serves, or whether it says that it is ready."""
        is_serving = any(True for _ in self.logged("serving"))
        return is_serving and (self.until == "serving" or self.admin("/readyz").code == 200)

    def logged(self, event: str = "") -> Iterator[Line]:
        """Give the lines that this run has logged, with this event or with any."""
        if not self.log_path.exists():
            return
        with self.log_path.open() as log:
            log.seek(self._log_start)
            for line in log:
                if line.startswith("{") and line.endswith("\n"):
                    fact = json.loads(line)
                    if event in ("", fact["event"]):
                        yield fact

    @property
    def addresses(self) -> list[tuple[str, int]]:
        """Where the listeners are, in the order of the configuration."""
        line = next(self.logged("serving"))
        return [_address(text.partition(" ")[0]) for text in line["listen"]]

    @property
    def admin_url(self) -> str:
        """Where the admin address is."""
        return f"http://{next(self.logged('serving'))['admin']}"

    def admin(self, path: str, accept: str = "*/*") -> Status:
        """Ask the admin address, as one that takes this media type."""
        return get(self.admin_url + path, accept)

    def response(
        self, name: str, qtype: str = "A", *, tcp: bool = False, at: int | tuple[str, int] = 0, **edns: Any
    ) -> dns.message.Message:
        """
        Ask one question.

        Args:
            name: Below the zone, or absolute with a dot at the end.
            qtype: The mnemonic of a type.
            tcp: Over TCP; else over UDP.
            at: The listener's number, or a host and port.
            edns: As for `dns.message.make_query`.
        """
        host, port = self.addresses[at] if isinstance(at, int) else at
        query = dns.message.make_query(absolute(name), qtype, **({"use_edns": 0, "payload": 1232} | edns))
        send = dns.query.tcp if tcp else dns.query.udp
        return send(query, host, _ANSWER_LIMIT_S, port)

    def ask(
        self, name: str, qtype: str = "A", *, tcp: bool = False, at: int | tuple[str, int] = 0, **edns: Any
    ) -> Answer:
        """Ask one question, and give what a test compares."""
        return reading(self.response(name, qtype, tcp=tcp, at=at, **edns))

    def terminate(self, number: signal.Signals = signal.SIGTERM) -> None:
        """Send a signal to the process, and do not wait."""
        os.kill(self.pid, number)

    def wait(self, limit_s: float) -> int:
        """Wait for the process to end, and give its exit code."""
        return self._running().wait(limit_s)


def reading(response: dns.message.Message) -> Answer:
    """Give what a test compares."""
    rdata = tuple(sorted(rdata.to_text() for rrset in response.answer for rdata in rrset))
    codes = tuple(option.code for option in response.options if isinstance(option, dns.edns.EDEOption))
    rcode = dns.rcode.to_text(response.rcode())
    return Answer("NODATA" if rcode == "NOERROR" and not rdata else rcode, rdata, codes)


def absolute(name: str) -> dns.name.Name:
    """Read a name: below the zone, or absolute with a dot at the end."""
    return dns.name.from_text(name, dns.name.from_text(ZONE))


def get(url: str, accept: str = "*/*") -> Status:
    """Ask over HTTP."""
    try:
        request = urllib.request.Request(url, headers={"Accept": accept})
        with urllib.request.urlopen(request, timeout=_ANSWER_LIMIT_S) as answer:
            return Status(answer.status, answer.read().decode())
    except urllib.error.HTTPError as error:
        with error:
            return Status(error.code, error.read().decode())


def run(*arguments: str | Path, limit_s: float = 60.0, **environ: str) -> subprocess.CompletedProcess[str]:
    """
    Run a verb of the command to its end.

    Args:
        arguments: The verb and what follows it.
        limit_s: The deadline, in seconds.
        environ: Added to the environment.
    """
    return subprocess.run(
        [COMMAND, *arguments],
        capture_output=True,
        text=True,
        timeout=limit_s,
        check=False,
        stdin=subprocess.DEVNULL,
        env=os.environ | environ,
    )


def complaints(stderr: str) -> str:
    """Return what a verb wrote to standard error but for how far it was, which it tells where it takes over a second."""
    return re.sub(
        r"^mcsdns: (hearing clusters|checking clusters|looking at DNS)\b.*, \d+ s\n", "", stderr, flags=re.MULTILINE
    )


def eventually(ask: Callable[[], object], expected: object, limit_s: float = 1.0) -> float:
    """
    Ask until the answer is what it should become.

    Args:
        ask: The question.
        expected: The answer.
        limit_s: The deadline, in seconds from now.

    Returns:
        How long it took, in seconds.
    """
    started = time.monotonic()
    while True:
        last = ask()
        took_s = time.monotonic() - started
        if last == expected:
            return took_s
        assert took_s < limit_s, f"after {took_s:.2f} s still {last!r}, expected {expected!r}"
        time.sleep(_POLL_S)


def always(ask: Callable[[], object], expected: object, for_s: float) -> None:
    """Ask for a while, and hold every answer to what it should stay."""
    until = time.monotonic() + for_s
    while time.monotonic() < until:
        assert ask() == expected
        time.sleep(_POLL_S)


def is_closed(address: tuple[str, int]) -> bool:
    """Tell whether nothing listens on a TCP address."""
    with suppress(OSError), socket.create_connection(address, timeout=1.0):
        return False
    return True


def _address(text: str) -> tuple[str, int]:
    host, _, port = text.rpartition(":")
    return host.strip("[]"), int(port)
