"""A virtual environment for each peer, in the user's cache: made once for each set of versions."""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
import sys
from pathlib import Path

from filelock import FileLock

from specchat.bench.peers.pinned import Peer

COMPLETE = "complete"  # a file that says so: a folder without it was never finished
LONGEST_INSTALL_S = 3600.0
_TOLD_LINES = 5  # of what a failed command said


class InstallError(Exception):
    """A peer cannot be installed; the message ends with what the installer said."""


def environment_of(peer: Peer, folder: Path) -> Path:
    """The Python of the peer's environment, installed below `folder` now if it never was.

    Environments of the peer's earlier versions are removed.

    Raises:
        InstallError: the environment cannot be made.
    """
    wanted = folder / f"{peer.name}-{_key(peer)}"
    python = wanted / "bin" / "python"
    folder.mkdir(parents=True, exist_ok=True)
    with FileLock(f"{wanted}.lock"):
        if not (wanted / COMPLETE).exists():
            for earlier in folder.glob(f"{peer.name}-*/"):
                shutil.rmtree(earlier, ignore_errors=True)
            _install(peer, wanted, python)
            (wanted / COMPLETE).touch()
    return python


def installed_versions(python: Path) -> list[str]:
    """What is installed beside that Python, as `name==version`."""
    return _ran([str(python), "-m", "pip", "freeze", "--all"]).splitlines()


def _install(peer: Peer, wanted: Path, python: Path) -> None:
    pip = [str(python), "-m", "pip", "--disable-pip-version-check"]
    _ran([sys.executable, "-m", "venv", "--clear", str(wanted)])
    alone = ["--no-deps"] if peer.complete else []
    _ran([*pip, "install", "--quiet", *alone, *peer.requirements])


def _key(peer: Peer) -> str:
    told = [peer.requirements, sys.version_info[:2]]
    return hashlib.sha256(json.dumps(told).encode()).hexdigest()[:12]


def _ran(command: list[str]) -> str:
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=LONGEST_INSTALL_S, check=True
        )
    except subprocess.CalledProcessError as error:
        said = (error.stderr or error.stdout).strip().splitlines()[-_TOLD_LINES:]
        raise InstallError("\n".join(said) or f"{command[0]} failed") from None
    except (OSError, subprocess.TimeoutExpired) as error:
        raise InstallError(str(error)) from None
    return done.stdout
