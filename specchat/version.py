"""Which code this is: the package version and, in a checkout, the commit."""

from __future__ import annotations

import functools
import subprocess
from importlib import metadata
from pathlib import Path

VERSION = "0.1.0"
_ROOT = Path(__file__).resolve().parents[1]


@functools.cache
def code_version() -> str:
    """Version for the record: `0.1.0+g1a2b3c4`, with `.dirty` when tracked files differ."""
    described = commit()
    return f"{VERSION}+g{described}" if described else VERSION


@functools.cache
def commit() -> str:
    """Short commit of the checkout this runs from, `.dirty` appended; "" outside a checkout."""
    if not (_ROOT / ".git").exists():
        return ""
    head = _git("rev-parse", "--short", "HEAD")
    changed = head and _git("status", "--porcelain", "--untracked-files=no")
    return f"{head}.dirty" if changed else head


def library_version(name: str) -> str:
    """Version of an installed distribution, "" when it is not installed."""
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return ""


def _git(*arguments: str) -> str:
    try:
        done = subprocess.run(
            ["git", "-C", str(_ROOT), *arguments],
            capture_output=True,
            text=True,
            timeout=5,
            check=True,
        )
    except (OSError, subprocess.SubprocessError):
        return ""
    return done.stdout.strip()
