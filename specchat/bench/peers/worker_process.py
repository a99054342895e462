"""A worker as seen from outside: a process that answers one prompt at a time, or says why not."""

from __future__ import annotations

import contextlib
import json
import os
import queue
import subprocess
import tempfile
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

LOOP = Path(__file__).parent / "workers" / "loop.py"
READY_WITHIN_S = 900.0
ANSWER_WITHIN_S = 600.0
GONE_WITHIN_S = 10.0
_TOLD_LINES = 3  # of a dead worker's stderr

_THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")
_ONLY_OURS = ("PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV")


class WorkerError(Exception):
    """A worker could not start, died, took too long or could not answer."""


@dataclass(frozen=True, slots=True)
class Launch:
    """How a worker is started."""

    python: Path
    worker: Path  # the file with `load`
    config: Mapping[str, Any]  # as `workers/loop.py` describes it
    path: Path | None = None  # where our own worker finds this project
    mode: Mapping[str, Any] = field(default_factory=dict)  # sent with each prompt

    @property
    def process(self) -> str:
        """The same for launches that one process can serve."""
        return json.dumps([str(self.worker), dict(self.config)], sort_keys=True)


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer and when its tokens came, in milliseconds since the prompt was read."""

    ids: tuple[int, ...]  # without the token that ended it
    first_ms: float
    last_ms: float
    total_ms: float

    @property
    def tpot_ms(self) -> float:
        """Time of each token after the first; nan for fewer than two."""
        if len(self.ids) < 2:
            return float("nan")
        return (self.last_ms - self.first_ms) / (len(self.ids) - 1)


class Worker:
    """Starts at once; `wait_until_ready` before the first `ask`. One caller at a time."""

    def __init__(self, launch: Launch) -> None:
        self._said = tempfile.TemporaryFile("w+", errors="replace")  # noqa: SIM115
        self._replies: queue.Queue[str] = queue.Queue()
        command = [launch.python, LOOP, launch.worker, json.dumps(dict(launch.config))]
        try:
            self._process = subprocess.Popen(
                [str(part) for part in command],
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self._said,
                text=True, encoding="utf-8", env=_variables(launch),
            )  # fmt: skip
        except OSError as error:
            raise WorkerError(f"cannot start {launch.python}: {error}") from None
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._input: IO[str] = self._process.stdin
        threading.Thread(target=self._read, args=(self._process.stdout,), daemon=True).start()

    def wait_until_ready(self, within_s: float = READY_WITHIN_S) -> None:
        """Waits for the model to be loaded.

        Raises:
            WorkerError: it cannot be loaded, or not in time.
        """
        self._reply(within_s)

    def ask(
        self,
        ids: Sequence[int],
        max_tokens: int,
        mode: Mapping[str, Any],
        within_s: float = ANSWER_WITHIN_S,
    ) -> Answer:
        """The answer to one prompt in one of the peer's modes.

        Raises:
            WorkerError: there is none.
        """
        try:
            asked = {"ids": list(ids), "max_tokens": max_tokens, "mode": dict(mode)}
            self._input.write(json.dumps(asked) + "\n")
            self._input.flush()
        except OSError:
            raise WorkerError(self._last_words()) from None
        reply = self._reply(within_s)
        try:
            times = [float(reply[name]) for name in ("first_ms", "last_ms", "total_ms")]
            return Answer(tuple(reply["ids"]), *times)
        except (KeyError, TypeError, ValueError):
            raise WorkerError(f"no answer: {str(reply)[:200]}") from None

    def close(self) -> None:
        """Ends the process, whatever it does."""
        with contextlib.suppress(OSError):  # it died with something unread
            self._input.close()
        try:
            self._process.wait(GONE_WITHIN_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._said.close()

    def _reply(self, within_s: float) -> dict[str, Any]:
        try:
            line = self._replies.get(timeout=within_s)
        except queue.Empty:
            self._process.kill()
            raise WorkerError(f"no answer within {within_s:.0f} s") from None
        try:
            reply = json.loads(line)
        except json.JSONDecodeError:
            raise WorkerError(self._last_words()) from None
        if not isinstance(reply, dict) or "error" in reply:
            raise WorkerError(str(reply["error"] if isinstance(reply, dict) else reply)[:500])
        return reply

    def _read(self, replies: IO[str]) -> None:
        for line in replies:
            self._replies.put(line)
        self._replies.put("")  # it is gone

    def _last_words(self) -> str:
        """Why a worker is gone, as far as it said so."""
        try:
            code: object = self._process.wait(GONE_WITHIN_S)
        except subprocess.TimeoutExpired:
            code = "none"
        self._said.seek(0)
        lines = [line.strip() for line in self._said if line.strip()][-_TOLD_LINES:]
        return "; ".join([f"the worker ended with exit code {code}", *lines])


def _variables(launch: Launch) -> dict[str, str]:
    """A worker computes with as many threads as it is told, and asks no hub for anything."""
    found = {name: value for name, value in os.environ.items() if name not in _ONLY_OURS}
    found |= dict.fromkeys(_THREADS, str(launch.config["threads"]))
    found |= {"HF_HUB_OFFLINE": "1", "TOKENIZERS_PARALLELISM": "false"}
    if launch.path is not None:
        found["PYTHONPATH"] = str(launch.path)
    return found
