"""The app as a process of its own: started until it answers, and ended."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from urllib.error import URLError
from urllib.request import urlopen

START_S = 600.0
END_S = 120.0
"""Generous: the machine may be busy with other work."""


def start(
    command: Sequence[str], cwd: Path, environment: Mapping[str, str], log: Path, url: str
) -> subprocess.Popen[bytes]:
    """The process, once `url` answers; what it says goes to the end of `log`.

    Raises AssertionError with the log where it ends before, or does not answer in time.
    """
    with log.open("ab") as out:
        process = subprocess.Popen(command, cwd=cwd, env=environment, stdout=out, stderr=out)
    try:
        _wait_for(url, process, log)
    except BaseException:
        stop(process)
        raise
    return process


def stop(process: subprocess.Popen[bytes]) -> None:
    """As a server is stopped; one that does not end is killed."""
    process.terminate()
    try:
        process.wait(END_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


@contextmanager
def served(
    command: Sequence[str], cwd: Path, environment: Mapping[str, str], log: Path, url: str
) -> Iterator[None]:
    """`start`, and `stop` at the end."""
    process = start(command, cwd, environment, log, url)
    try:
        yield
    finally:
        stop(process)


def _wait_for(url: str, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + START_S
    while time.monotonic() < deadline:
        assert process.poll() is None, f"the app ended early:\n{log.read_text()[-4000:]}"
        try:
            with urlopen(url, timeout=5):
                return
        except (URLError, OSError):
            time.sleep(0.1)
    said = log.read_text()[-4000:]
    raise AssertionError(f"the app did not answer within {START_S:.0f} s:\n{said}")
