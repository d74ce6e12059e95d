"""
One server as a process: started, waited for, frozen, ended by its id.

Rules:

1. `start` returns when the server answers, and raises with the end of its log when it ends or the deadline passes.
2. A server has a process group of its own, so that its children (NSD works in one) are frozen and ended with it, and so
   that Ctrl-C at the terminal ends the tests but leaves the servers to the tests' own `with` blocks.
3. Should this process end without a word (SIGKILL), a guard ends the server: a shell that waits for a pipe to close.

Not here: what a server's configuration looks like (`control_plane`, `nameservers`).
"""

import os
import random
import signal
import socket
import subprocess
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final, Self

_POLL_S: Final = 0.02
_TICKS_PER_S: Final = os.sysconf("SC_CLK_TCK")


class StartError(Exception):
    """A server ended early, or did not answer in time. The message holds the end of its log."""


class Server(ABC):
    """
    One server, on 127.0.0.1, that can be started again and again on the same port with what it has kept.

    Args:
        name: Names the log file, `<name>.log`, to which each start appends.
        folder: Where the server's files are. Made where absent; never removed.
        cpus: Numbers of the cores to run on, or None for all of them.
    """

    start_limit_s = 30.0
    stop_limit_s = 15.0

    def __init__(self, name: str, folder: Path, cpus: Collection[int] | None = None) -> None:
        self.name = name
        self.folder = folder.absolute()
        self.log_path = self.folder / f"{name}.log"
        self._cpus = cpus
        self._process: subprocess.Popen[bytes] | None = None
        self._guard: subprocess.Popen[bytes] | None = None

    @abstractmethod
    def command(self) -> list[str]:
        """Write whatever files the server reads, and give the command line that runs it in the foreground."""

    @abstractmethod
    def is_ready(self) -> bool:
        """Ask the server whether it serves. An `OSError` counts as no."""

    @property
    def pid(self) -> int:
        """The id of the running process, which leads a process group of the same id."""
        if self._process is None:
            raise StartError(f"{self.name} is not running")
        return self._process.pid

    @property
    def is_running(self) -> bool:
        """Whether the process lives, frozen or not. Any thread may ask."""
        process = self._process
        return process is not None and process.poll() is None

    def start(self) -> None:
        """
        Start the server and wait until it serves.

        Raises:
            StartError: It ended, or did not serve within `start_limit_s`. It is not running then.
            Missing: A program is not installed.
        """
        if self.is_running:
            raise StartError(f"{self.name} runs already, as process {self.pid}")
        self._forget()
        self.folder.mkdir(parents=True, exist_ok=True)
        command = self.command()
        with self.log_path.open("ab") as log, _running_on(self._cpus):
            self._process = subprocess.Popen(
                command,
                cwd=self.folder,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self._guard = subprocess.Popen(
            ["/bin/sh", "-c", f"read -r _; kill -9 -{self.pid} {self.pid}"],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        try:
            wait_until(self._is_up, self.start_limit_s, f"{self.name} serves")
        except BaseException as error:
            self.kill()
            if isinstance(error, TimeoutError):
                raise StartError(f"{error}\n{self.log_tail()}") from None
            raise

    def stop(self) -> None:
        """End the server with SIGTERM, after `stop_limit_s` with SIGKILL. Nothing happens where it is not running."""
        if self.is_running:
            self._signal(signal.SIGTERM)
            self._signal(signal.SIGCONT)
            with suppress(subprocess.TimeoutExpired):
                self._running().wait(self.stop_limit_s)
        self.kill()

    def kill(self) -> None:
        """End the server with SIGKILL, as the kernel's out-of-memory killer would."""
        family = _family(self._process.pid) if self._process is not None else []
        self._signal(signal.SIGKILL)
        if self._process is not None:
            self._process.wait()
            # Its children are nobody's now. Until they are gone too, the port is not free.
            wait_until(lambda: not any(map(_is_alive, family)), self.stop_limit_s, f"the children of {self.name} end")
        self._forget()

    def freeze(self) -> None:
        """Stop the server's clock (SIGSTOP): its connections stay open and it says nothing, as a half-dead node."""
        self._signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Let a frozen server go on."""
        self._signal(signal.SIGCONT)

    def restart(self) -> None:
        """Stop the server and start it on the same port with the data it has kept."""
        self.stop()
        self.start()

    def cpu_seconds(self) -> float:
        """Give the CPU time used by the server and its child processes: user + system, of all threads, in seconds."""
        return cpu_seconds(self.pid)

    def log_tail(self, lines: int = 30) -> str:
        """Give the end of the log, with the name of the file."""
        text = self.log_path.read_text(errors="replace") if self.log_path.exists() else ""
        return "\n".join([f"{self.log_path} ends with:", *text.splitlines()[-lines:]])

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def _is_up(self) -> bool:
        if not self.is_running:
            raise StartError(f"{self.name} ended with exit code {self._running().returncode}\n{self.log_tail()}")
        with suppress(OSError):
            return self.is_ready()
        return False

    def _running(self) -> subprocess.Popen[bytes]:
        if self._process is None:
            raise StartError(f"{self.name} is not running")
        return self._process

    def _signal(self, number: int) -> None:
        process = self._process
        if process is None or (process.poll() is not None and Path(f"/proc/{process.pid}").exists()):
            return  # the server has ended and its id belongs to a stranger
        with suppress(ProcessLookupError):
            os.killpg(process.pid, number)

    def _forget(self) -> None:
        """Let go of a process that has ended, and of its guard, which must not outlive it: ids are used again."""
        if self._guard is not None:
            self._guard.kill()
            self._guard.communicate()
        self._process = self._guard = None


@contextmanager
def _running_on(cpus: Collection[int] | None) -> Iterator[None]:
    """For the time of the block, keep this thread, and so what it starts, to some cores."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, before if cpus is None else cpus)
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def wait_until(is_so: Callable[[], bool], limit_s: float, what: str) -> None:
    """
    Ask again and again until the answer is yes.

    Args:
        is_so: The question.
        limit_s: The deadline, in seconds from now.
        what: What is waited for, for the error.

    Raises:
        TimeoutError: The deadline passed.
    """
    deadline = time.monotonic() + limit_s
    while not is_so():
        if time.monotonic() > deadline:
            raise TimeoutError(f"waited {limit_s:g} s in vain until {what}")
        time.sleep(_POLL_S)


def free_port() -> int:
    """
    Give a port of 127.0.0.1 that nothing listens on, over UDP or TCP.

    It lies below those that the kernel hands out for outgoing connections (32768 and up), so that no client takes it
    while the server that owns it is stopped.
    """
    for _ in range(1000):
        port = random.randint(20000, 32767)
        tcp, udp = socket.socket(type=socket.SOCK_STREAM), socket.socket(type=socket.SOCK_DGRAM)
        with tcp, udp, suppress(OSError):
            tcp.bind(("127.0.0.1", port))
            udp.bind(("127.0.0.1", port))
            return port
    raise StartError("no free port of 127.0.0.1 found between 20000 and 32767")


def cpu_seconds(pid: int) -> float:
    """
    Give the CPU time that a process and its living children have used.

    Args:
        pid: The id of a process.

    Returns:
        User + system, of all threads, in seconds; the kernel counts in hundredths.

    Source: proc(5), /proc/pid/stat.
    """
    return sum(int(ticks) for one in _family(pid) for ticks in _stat(one)[11:13]) / _TICKS_PER_S


def rss_bytes(pid: int) -> int:
    """
    Give the memory that a process and its living children hold resident, in bytes. Shared pages count for each of them.

    Args:
        pid: The id of a process.

    Source: proc(5), /proc/pid/stat.
    """
    return sum(int(_stat(one)[21]) for one in _family(pid)) * os.sysconf("SC_PAGE_SIZE")


def _stat(pid: int) -> list[str]:
    """Give the fields of /proc/pid/stat from the third on; the second, the name, may hold blanks and parentheses."""
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()


def _is_alive(pid: int) -> bool:
    with suppress(FileNotFoundError, ProcessLookupError):
        return _stat(pid)[0] != "Z"
    return False


def _family(pid: int) -> list[int]:
    """Give a process and all that descend from it, as far as they live."""
    found = [pid]
    for parent in found:
        with suppress(FileNotFoundError, ProcessLookupError):
            for thread in Path(f"/proc/{parent}/task").iterdir():
                found += map(int, (thread / "children").read_text().split())
    return found
