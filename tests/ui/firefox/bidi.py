"""A stock Firefox, driven by what it speaks itself: WebDriver BiDi over a web socket.

https://www.w3.org/TR/webdriver-bidi/. Playwright needs a Firefox of its own, which packages of
distributions are not, and Selenium a program that Debian does not have.
"""

from __future__ import annotations

import base64
import json
import re
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from websockets.sync.client import ClientConnection, connect

BROWSERS = ("firefox-esr", "firefox")
BLANK = "about:blank"
WAIT_S = 120.0  # generous: the machine may be busy with other work
QUIET = {
    "app.normandy.enabled": False,
    "app.update.enabled": False,
    "browser.newtabpage.enabled": False,
    "browser.safebrowsing.downloads.remote.enabled": False,
    "browser.safebrowsing.malware.enabled": False,
    "browser.safebrowsing.phishing.enabled": False,
    "browser.shell.checkDefaultBrowser": False,
    "browser.startup.page": 0,
    "datareporting.policy.dataSubmissionEnabled": False,
    "extensions.update.enabled": False,
    "network.captive-portal-service.enabled": False,
    "network.connectivity-service.enabled": False,
    "services.settings.server": "",
    "toolkit.telemetry.enabled": False,
}
"""It asks nobody but the page."""


@contextmanager
def firefox(folder: Path) -> Iterator[Firefox]:
    """The system's Firefox, with a new profile in `folder`. Its absence is a fault of the set-up,
    not a reason to skip."""
    executable = next(filter(None, map(shutil.which, BROWSERS)), None)
    assert executable, f"none of {', '.join(BROWSERS)} is on PATH; `make firefox` installs one"
    prefs = (f"user_pref({json.dumps(name)}, {json.dumps(to)});" for name, to in QUIET.items())
    (folder / "user.js").write_text("\n".join(prefs))
    log = folder / "firefox.log"
    command = [executable, "--headless", "--no-remote", "--profile", str(folder)]
    with log.open("wb") as out:
        process = subprocess.Popen(
            [*command, "--remote-debugging-port", "0"], stdout=out, stderr=subprocess.STDOUT
        )
    try:
        with connect(f"{_address(process, log)}/session", max_size=None) as socket:
            yield Firefox(socket)
    finally:
        process.terminate()
        process.wait(WAIT_S)


def _address(process: subprocess.Popen[bytes], log: Path) -> str:
    deadline = time.monotonic() + WAIT_S
    while time.monotonic() < deadline:
        found = re.search(r"WebDriver BiDi listening on (ws://\S+)", log.read_text())
        if found:
            return found[1]
        assert process.poll() is None, f"Firefox ended early:\n{log.read_text()[-4000:]}"
        time.sleep(0.1)
    raise AssertionError(
        f"Firefox did not answer within {WAIT_S:.0f} s:\n{log.read_text()[-4000:]}"
    )


class Firefox:
    """One window, and what went wrong in it."""

    def __init__(self, socket: ClientConnection) -> None:
        self._socket = socket
        self._asked = 0
        self._noted: list[tuple[float, str]] = []  # at ms since the epoch
        self._left: list[tuple[float, float]] = []  # from when to when pages were left
        self._command("session.new", capabilities={})
        self._command("session.subscribe", events=["log.entryAdded"])
        self._window = self._command("browsingContext.create", type="window")["context"]

    @property
    def errors(self) -> list[str]:
        """What went wrong since `forget`. What a page had under way when it was left, and could not
        end, is no error."""
        return [
            text
            for at, text in self._noted
            if not any(began <= at <= ended for began, ended in self._left)
        ]

    def forget(self) -> None:
        """Let go of what went wrong so far."""
        self._noted.clear()

    def open(self, url: str, width: int, height: int) -> None:
        """Go to a page in a window of that many pixels."""
        began = 1000 * time.time()
        self._command("browsingContext.navigate", context=self._window, url=BLANK, wait="complete")
        self._left.append((began, 1000 * time.time()))
        size = {"width": width, "height": height}
        self._command("browsingContext.setViewport", context=self._window, viewport=size)
        self._command("browsingContext.navigate", context=self._window, url=url, wait="complete")

    def value(self, script: str) -> Any:
        """What an expression in the page's language comes to: text, a number, true or false.

        Raises AssertionError where it fails there.
        """
        said = self._command(
            "script.evaluate",
            expression=script,
            target={"context": self._window},
            awaitPromise=True,
        )
        assert said["type"] == "success", said["exceptionDetails"]["text"]
        return said["result"].get("value")

    def wait_for(self, script: str) -> Any:
        """The same, once it is neither empty nor false."""
        deadline = time.monotonic() + WAIT_S
        while not (value := self.value(script)):
            assert time.monotonic() < deadline, f"{script} is not so within {WAIT_S:.0f} s"
            time.sleep(0.05)
        return value

    def click(self, selector: str) -> None:
        """Press the middle of an element, once there is one, as a person with a mouse does."""
        node = self._node(selector)
        at = {"type": "pointerMove", "x": 0, "y": 0, "origin": {"type": "element", "element": node}}
        pressed = [{"type": kind, "button": 0} for kind in ("pointerDown", "pointerUp")]
        self._act({"type": "pointer", "id": "mouse", "actions": [at, *pressed]})

    def type(self, text: str) -> None:
        """Press the keys of a text, in whatever has the focus."""
        keys = [{"type": kind, "value": key} for key in text for kind in ("keyDown", "keyUp")]
        self._act({"type": "key", "id": "keyboard", "actions": keys})

    def picture(self, file: Path) -> None:
        """What the window shows, as a PNG."""
        data = self._command("browsingContext.captureScreenshot", context=self._window)["data"]
        file.write_bytes(base64.b64decode(data))

    def _node(self, selector: str) -> dict[str, Any]:
        quoted = json.dumps(selector)
        self.wait_for(f"document.querySelector({quoted})?.checkVisibility() === true")
        self.value(f"document.querySelector({quoted}).scrollIntoView({{block: 'nearest'}})")
        locator = {"type": "css", "value": selector}
        found = self._command(
            "browsingContext.locateNodes", context=self._window, locator=locator, maxNodeCount=1
        )
        return {"sharedId": found["nodes"][0]["sharedId"]}

    def _act(self, source: dict[str, Any]) -> None:
        self._command("input.performActions", context=self._window, actions=[source])

    def _command(self, method: str, **parameters: Any) -> dict[str, Any]:
        self._asked += 1
        message = {"id": self._asked, "method": method, "params": parameters}
        self._socket.send(json.dumps(message))
        while True:
            said = json.loads(self._socket.recv(WAIT_S))
            if said["type"] == "event":
                self._note(said["params"])
            elif said["id"] == self._asked:
                assert said["type"] == "success", f"{method}: {said.get('message')}"
                return said["result"]

    def _note(self, entry: dict[str, Any]) -> None:
        if entry["level"] == "error":
            self._noted.append((float(entry["timestamp"]), str(entry["text"])))
