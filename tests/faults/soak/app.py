"""`python app.py` as a process that may be killed, on a checkpoint that is made for it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import httpx

from specchat.training.tokenizer import train_tokenizer
from tests.chat.conftest import TEXTS
from tests.chat.test_real_engine import save_tiny_care
from tests.ui.conftest import ROOT, START_S, free_port

_END_S = 120.0


def checkpoint(folder: Path) -> Path:
    """A tiny model in the folder, written where there is none."""
    path = folder / "model"
    if not (path / "model.safetensors").exists():
        path.mkdir(parents=True, exist_ok=True)
        save_tiny_care(path, train_tokenizer(TEXTS, 420))
    return path


@dataclass(frozen=True)
class App:
    """A running app, and how long it took until its page answered."""

    process: subprocess.Popen[bytes]
    url: str
    start_s: float

    def rss_bytes(self) -> int:
        """Memory that the process holds now."""
        told = subprocess.run(
            ["ps", "-o", "rss=", "-p", str(self.process.pid)],
            capture_output=True, text=True, check=True,
        )  # fmt: skip
        return int(told.stdout) * 1024

    def kill(self) -> None:
        """SIGKILL: nothing of it gets to say goodbye."""
        self.process.send_signal(signal.SIGKILL)
        self.process.wait(_END_S)

    def stop(self) -> None:
        """As a server is stopped; one that does not end is killed."""
        self.process.terminate()
        try:
            self.process.wait(_END_S)
        except subprocess.TimeoutExpired:
            self.kill()


def start(model: Path, database: Path) -> App:
    """Start the app and wait until its page answers. Raises AssertionError when it ends first."""
    port, log = free_port(), database.with_suffix(".log")
    given = {name: value for name, value in os.environ.items() if not name.startswith("SPECCHAT_")}
    environment = given | {
        "SPECCHAT_MODEL": str(model),
        "SPECCHAT_SPECULATORS": "ngram,suffix",
        "SPECCHAT_PORT": str(port),
        "SPECCHAT_DATABASE_URL": f"sqlite:///{database}",
        "SPECCHAT_COMPILE": "false",
        "SPECCHAT_DTYPE": "float32",
        "SPECCHAT_MAX_TOKENS": "48",
    }
    began = time.monotonic()
    with log.open("ab") as out:
        process = subprocess.Popen(
            [sys.executable, "app.py"], cwd=ROOT, env=environment, stdout=out, stderr=out
        )
    app = App(process, f"http://127.0.0.1:{port}", 0.0)
    try:
        _wait_for(app, log)
    except BaseException:
        app.kill()
        raise
    return App(process, app.url, time.monotonic() - began)


def _wait_for(app: App, log: Path) -> None:
    deadline = time.monotonic() + START_S
    while time.monotonic() < deadline:
        assert app.process.poll() is None, f"app.py ended early:\n{log.read_text()[-4000:]}"
        try:
            httpx.get(app.url, timeout=5).raise_for_status()
            return
        except httpx.HTTPError:
            time.sleep(0.1)
    raise AssertionError(f"app.py did not answer within {START_S:.0f} s: {log}")
