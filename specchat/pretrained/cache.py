"""Models made on this machine, kept in the user's cache: each is made once and appears whole."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

import platformdirs
from filelock import FileLock, Timeout

from specchat.engine.errors import ModelLoadError

LONGEST_WAIT_S = 900.0  # for another process that makes the same model
COMPLETE = "complete"  # a file that says so: a folder without it was never finished


def cache_folder() -> Path:
    """Where made models are kept."""
    return Path(platformdirs.user_cache_dir("specchat")) / "models"


def kept(name: str, make: Callable[[Path], None]) -> Path:
    """The directory `name` of the cache, made by `make` in an empty folder if it is not there.

    It appears whole or not at all, and one process makes it.

    Raises:
        ModelLoadError: what `make` raises, or the cache cannot be written.
    """
    wanted = cache_folder() / name
    if (wanted / COMPLETE).exists():
        return wanted
    try:
        wanted.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(f"{wanted}.lock", timeout=LONGEST_WAIT_S):
            if not (wanted / COMPLETE).exists():
                _make(wanted, make)
    except (OSError, Timeout) as error:
        raise ModelLoadError(f"{wanted} cannot be written: {error}") from None
    return wanted


def keep_newest(folder: Path, count: int) -> None:
    """Removes all finished models of a folder but the `count` made last."""
    made = [path.parent for path in folder.glob(f"*/{COMPLETE}")]
    made.sort(key=lambda path: (path / COMPLETE).stat().st_mtime, reverse=True)
    for old in made[count:]:
        shutil.rmtree(old, ignore_errors=True)


def _make(wanted: Path, make: Callable[[Path], None]) -> None:
    partial = Path(tempfile.mkdtemp(prefix=f".{wanted.name}-", dir=wanted.parent))
    try:
        partial.chmod(0o755)  # mkdtemp lets nobody else read
        make(partial)
        (partial / COMPLETE).touch()
        shutil.rmtree(wanted, ignore_errors=True)  # one that was never finished
        partial.rename(wanted)
    finally:
        shutil.rmtree(partial, ignore_errors=True)
