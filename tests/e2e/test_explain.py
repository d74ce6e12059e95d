"""`mcsdns explain` as a person has it before them: on a terminal, and while it changes."""

from __future__ import annotations

import json
import os
import pty
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from tests.e2e.conftest import Serve
from tests.e2e.folders import member, write
from tests.e2e.server import COMMAND, ZONE, run
from tests.manifests import imported_slice, service_import, together
from tests.servers.run import free_port

NAME = f"db.test.svc.{ZONE}"
HEADLESS = service_import("db", headless=True)


class Watch:
    """`mcsdns explain --watch` under way."""

    def __init__(self, running: subprocess.Popen[str], path: Path) -> None:
        self._running = running
        self._path = path

    def until(self, *words: str) -> list[str]:
        """Wait until each of the words has been printed, and give all lines so far."""
        deadline = time.monotonic() + 10
        while True:
            text = self._path.read_text()
            if all(word in text for word in words):
                return text.splitlines()
            assert time.monotonic() < deadline, text
            time.sleep(0.02)

    def interrupt(self) -> int:
        """Press Ctrl-C, and give the exit code."""
        self._running.send_signal(signal.SIGINT)
        return self._running.wait(10)


@contextmanager
def watching(folder: Path, *arguments: str) -> Iterator[Watch]:
    """Watch, with what is printed in a file."""
    path = folder / "printed"
    command = [str(COMMAND), "explain", NAME, "--watch", "--interval", "0.1", *arguments]
    with (
        path.open("w") as printed,
        subprocess.Popen(command, stdout=printed, stderr=subprocess.STDOUT, text=True, preexec_fn=_heed) as running,  # noqa: PLW1509 - no thread runs here
    ):
        try:
            yield Watch(running, path)
        finally:
            running.kill()


def _heed() -> None:
    """Heed SIGINT, even where the tests run in the background of a shell that has it ignored."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def test_watch(serve: Serve, tmp_path: Path) -> None:
    """It prints when something has changed, with the time, and not before; Ctrl-C ends it with the code of what was last found."""
    server = serve([member(tmp_path, "west", HEADLESS)])
    objects = tmp_path / "west" / "objects.yaml"
    with watching(tmp_path, "--admin", server.admin_url) as watch:
        lines = watch.until("broken at: endpoints", "may say")
        write(objects, together(HEADLESS, imported_slice("db", "east", "db-0=10.0.0.1 !ready")))
        watch.until("broken at: ready")
        time.sleep(0.5)
        write(objects, together(HEADLESS, imported_slice("db", "east", "db-0=10.0.0.1")))
        lines = watch.until("NOERROR: ", "ok  record", "IN\tA\t10.0.0.1")
        assert [line.split(":")[0] for line in lines if line.startswith("N")] == ["NXDOMAIN", "NXDOMAIN", "NOERROR"]
        assert sum(line.startswith(";;;; ") for line in lines) == 3
        assert watch.interrupt() == 0
    with watching(tmp_path, "--admin", server.admin_url, "--output", "json") as watch:
        (line,) = watch.until("explanation")
        assert json.loads(line)["explanation"]["outcome"] == "NOERROR"
        write(objects, service_import("other"))
        lines = watch.until("NXDOMAIN")
        assert json.loads(lines[-1])["explanation"]["broken"] == "exported"
        assert watch.interrupt() == 1


def test_watch_over_a_restart(serve: Serve, tmp_path: Path) -> None:
    """A server that goes is told once, and waited for."""
    server = serve([member(tmp_path, "west", HEADLESS)], admin=f"127.0.0.1:{free_port()}")
    with watching(tmp_path, "--admin", server.admin_url) as watch:
        watch.until("broken at: endpoints")
        server.stop()
        watch.until("no mcsdns answers at")
        time.sleep(0.5)
        server.start()
        deadline = time.monotonic() + 10
        while sum(line.startswith(";;;; ") for line in watch.until("endpoints")) < 2:
            assert time.monotonic() < deadline
            time.sleep(0.05)
        assert sum("no mcsdns answers at" in line for line in watch.until("endpoints")) == 1
        assert watch.interrupt() == 1


def test_colours_on_a_terminal(tmp_path: Path) -> None:
    """A terminal has colours; one with NO_COLOR has none; a file has none."""
    config = tmp_path / "mcsdns.yaml"
    config.write_text(f"clusters: {json.dumps([member(tmp_path, 'west', HEADLESS)])}")
    arguments = ("explain", NAME, "--config", str(config))
    coloured = _on_a_terminal(arguments)
    assert "\x1b[31m\x1b[1mNXDOMAIN\x1b[0m: " in coloured
    assert "\x1b[31mBROKEN\x1b[0m  endpoints" in coloured
    assert "\x1b[32mok\x1b[0m      zone" in coloured
    plain = run(*arguments).stdout
    assert "\x1b" not in plain
    assert _on_a_terminal(arguments, NO_COLOR="1").replace("\r\n", "\n") == plain


def _on_a_terminal(arguments: tuple[str, ...], **environ: str) -> str:
    """Run a verb with a terminal for its output, and give what it shows."""
    ours, theirs = pty.openpty()
    environment = (
        {name: value for name, value in os.environ.items() if name != "NO_COLOR"} | {"TERM": "xterm"} | environ
    )
    with subprocess.Popen([COMMAND, *arguments], stdout=theirs, stderr=theirs, env=environment):
        os.close(theirs)
        shown = b""
        with suppress(OSError):  # the end of a terminal (EIO)
            while chunk := os.read(ours, 65536):
                shown += chunk
        os.close(ours)
    return shown.decode()


def test_without_a_server_a_cluster_that_is_not_heard_is_told(tmp_path: Path) -> None:
    """With --config, too, it is said why a cluster was not heard; and while it is waited for, standard error says how far it is."""
    kubeconfig = tmp_path / "kubeconfig"
    kubeconfig.write_text(
        "apiVersion: v1\nkind: Config\ncurrent-context: x\n"
        "contexts: [{name: x, context: {cluster: x, user: x}}]\nusers: [{name: x, user: {token: y}}]\n"
        f"clusters: [{{name: x, cluster: {{server: 'https://127.0.0.1:{free_port()}'}}}}]\n"
    )
    config = tmp_path / "mcsdns.yaml"
    clusters = [member(tmp_path, "west", HEADLESS), {"name": "north", "kubeconfig": {"path": str(kubeconfig)}}]
    config.write_text(f"clusters: {json.dumps(clusters)}")
    done = run("explain", f"x.{NAME}", "--config", str(config), "--timeout", "7")
    assert done.returncode == 1
    assert done.stdout.startswith(
        "SERVFAIL: the name is not found, and may be in a cluster that has not been heard whole: north"
    )
    assert "north is unsynced for" in done.stdout
    assert "cannot connect to 127.0.0.1:" in done.stdout
    (line, *_) = done.stderr.splitlines()
    assert line.startswith("mcsdns: hearing clusters [##########----------] 1 of 2, 1 objects, ")
