"""`python app.py` as a process that may be killed, on a checkpoint that is made for it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from specchat.training.tokenizer import train_tokenizer
from tests import app_process
from tests.chat.conftest import TEXTS
from tests.chat.test_real_engine import save_tiny_care
from tests.ui.conftest import ROOT, free_port


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
        self.process.wait()

    def stop(self) -> None:
        """As a server is stopped; one that does not end is killed."""
        app_process.stop(self.process)


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
    url = f"http://127.0.0.1:{port}"
    began = time.monotonic()
    process = app_process.start([sys.executable, "app.py"], ROOT, environment, log, url)
    return App(process, url, time.monotonic() - began)
