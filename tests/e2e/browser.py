"""
Debian's Chromium, headless, driven over the DevTools protocol through a pipe: no port, no driver program, no framework.

Rules:
1. It reaches 127.0.0.1 alone: every other host fails to resolve, and requests are noted (`Tab.requests`), so that a test can see that
   there was none.
2. What a page complains about (script errors, violations of its policy) is kept in `Tab.complaints`.
3. A step that does not come to its end within `LIMIT_S` fails.

Playwright and Selenium would bring a driver of their own for what is a page of code here.
Source: https://chromedevtools.github.io/devtools-protocol/
"""

from __future__ import annotations

import base64
import json
import os
import select
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

from tests.servers.tools import need

LIMIT_S: Final = 60.0

_FLAGS: Final = (
    "--headless=new", "--remote-debugging-pipe", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-extensions",
    "--disable-background-networking", "--disable-component-update", "--disable-sync", "--disable-dev-shm-usage", "--hide-scrollbars",
    "--force-device-scale-factor=1", "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
)  # fmt: skip
_KEYS: Final = {"Tab": (9, ""), "Enter": (13, "\r"), "Space": (32, " ")}

Message = dict[str, Any]


class Browser:
    """
    A running Chromium, until the `with` block ends.

    Args:
        folder: For its profile.
    """

    def __init__(self, folder: Path) -> None:
        program = need("chromium")
        to_child, self._write = os.pipe()
        self._read, from_child = os.pipe()
        command = [program, *_FLAGS, f"--user-data-dir={folder / 'profile'}", "about:blank"]
        # Chromium speaks on the descriptors 3 and 4.
        self._process = subprocess.Popen(
            ["bash", "-c", f'exec "$@" 3<&{to_child} 4>&{from_child}', "chromium", *command],
            pass_fds=(to_child, from_child),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        os.close(to_child)
        os.close(from_child)
        self._buffer = b""
        self._last_id = 0
        self._tabs: dict[str, Tab] = {}

    def __enter__(self) -> Self:
        """Give the browser."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End it."""
        self._process.terminate()
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        os.close(self._write)
        os.close(self._read)

    def tab(self, width: int = 1280, height: int = 900, *, scripts: bool = True, dark: bool = False) -> Tab:
        """
        Open a tab.

        Args:
            width: Of the page, CSS pixels; below 600 it is a phone.
            height: Likewise.
            scripts: Whether pages may run scripts.
            dark: Whether the person prefers dark colours.
        """
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        tab = self._tabs[session] = Tab(self, session)
        for domain in ("Page", "Runtime", "Network", "Log", "Audits"):
            tab.call(f"{domain}.enable")
        tab.call(
            "Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=width < 600
        )
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        tab.call("Emulation.setEmulatedMedia", features=[scheme])
        tab.call("Emulation.setScriptExecutionDisabled", value=not scripts)
        return tab

    def call(self, method: str, session: str = "", **parameters: Any) -> Message:
        """Ask the browser, or a tab, and wait for the answer."""
        self._last_id += 1
        number = self._last_id
        message = {"id": number, "method": method, "params": parameters} | ({"sessionId": session} if session else {})
        os.write(self._write, json.dumps(message).encode() + b"\0")
        until = time.monotonic() + LIMIT_S
        while True:
            answer = self.next(until)
            if answer.get("id") == number:
                assert "error" not in answer, f"{method}: {answer['error']}"
                result: Message = answer["result"]
                return result

    def next(self, until: float) -> Message:
        """Return the next message, after its tab has taken note of it."""
        while b"\0" not in self._buffer:
            ready, _, _ = select.select([self._read], [], [], max(0.0, until - time.monotonic()))
            assert ready, f"the browser said nothing for {LIMIT_S} s"
            octets = os.read(self._read, 1 << 20)
            assert octets, "the browser ended"
            self._buffer += octets
        octets, _, self._buffer = self._buffer.partition(b"\0")
        message: Message = json.loads(octets)
        tab = self._tabs.get(message.get("sessionId", ""))
        if tab is not None and "method" in message:
            tab.note(message["method"], message["params"])
        return message


class Tab:
    """
    One tab.

    Attributes:
        complaints: What went wrong in the page, or was forbidden.
        loads: How many pages have been loaded whole.
    """

    def __init__(self, browser: Browser, session: str) -> None:
        self._browser = browser
        self._session = session
        self._asked: dict[str, str] = {}
        self.complaints: list[str] = []
        self.loads = 0

    @property
    def requests(self) -> list[str]:
        """Every URL that was asked for, but for what the page's policy kept from being sent."""
        return list(self._asked.values())

    def call(self, method: str, **parameters: Any) -> Message:
        """Ask the tab."""
        return self._browser.call(method, self._session, **parameters)

    def note(self, event: str, parameters: Message) -> None:
        """Take note of an event."""
        match event:
            case "Network.requestWillBeSent":
                self._asked[parameters["requestId"]] = parameters["request"]["url"]
            case "Network.loadingFailed" if parameters.get("blockedReason") == "csp":
                self._asked.pop(parameters["requestId"], None)
            case "Page.loadEventFired":
                self.loads += 1
            case "Runtime.exceptionThrown":
                self.complaints.append(str(parameters["exceptionDetails"].get("exception", parameters)))
            case "Log.entryAdded" if parameters["entry"]["source"] != "network":
                self.complaints.append(parameters["entry"]["text"])
            case "Audits.issueAdded":
                self.complaints.append(json.dumps(parameters["issue"]))

    def open(self, url: str) -> None:
        """Go to a URL, and wait until it is loaded."""
        before = self.loads
        found = self.call("Page.navigate", url=url)
        assert "errorText" not in found, f"{url}: {found['errorText']}"
        self.loaded(before)

    def loaded(self, before: int) -> None:
        """Wait until more pages have been loaded than before."""
        until = time.monotonic() + LIMIT_S
        while self.loads <= before:
            self._browser.next(until)

    def evaluate(self, expression: str) -> Any:
        """Return the value of a JavaScript expression in the page. It works where the page's own scripts are off as well."""
        found = self.call("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in found, found
        return found["result"].get("value")

    def press(self, key: str) -> None:
        """Press a key: `Tab`, `Enter`, `Space`."""
        code, text = _KEYS[key]
        asked = {"key": key if key != "Space" else " ", "code": key, "windowsVirtualKeyCode": code}
        self.call("Input.dispatchKeyEvent", type="keyDown", text=text, **asked)
        self.call("Input.dispatchKeyEvent", type="keyUp", **asked)

    def type(self, text: str) -> None:
        """Type a text into what has the focus."""
        self.call("Input.insertText", text=text)

    def texts(self, selector: str) -> Sequence[str]:
        """Return the text of every element that a CSS selector finds."""
        found: list[str] = self.evaluate(
            f"[...document.querySelectorAll({json.dumps(selector)})].map(e => e.textContent)"
        )
        return found

    def picture(self, path: Path, *, whole: bool = False) -> None:
        """Write what is seen, or the whole page, as a PNG."""
        asked: Message = {"format": "png", "captureBeyondViewport": whole}
        if whole:
            size = self.call("Page.getLayoutMetrics")["cssContentSize"]
            asked["clip"] = {"x": 0, "y": 0, "width": size["width"], "height": size["height"], "scale": 1}
        path.write_bytes(base64.b64decode(self.call("Page.captureScreenshot", **asked)["data"]))
