"""Who asks in a terminal: a random id of each system user, as the page gives one to each browser.

It is kept in the user's data directory, readable by this user alone, and says nothing about them.
"""

from __future__ import annotations

import os
import re
import secrets
from pathlib import Path

_ID = re.compile(r"[0-9a-f]{32}")


def own_id() -> str | None:
    """The id of this system user; None before `specchat ask` was first used. Raises OSError."""
    try:
        found = id_file().read_text(encoding="ascii", errors="replace").strip()
    except FileNotFoundError:
        return None
    return found if _ID.fullmatch(found) else None


def own_id_or_new() -> str:
    """The id of this system user, made and kept at the first call. Raises OSError."""
    known = own_id()
    if known is not None:
        return known
    made, file = secrets.token_hex(16), id_file()
    file.parent.mkdir(parents=True, exist_ok=True)
    with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as out:
        out.write(made + "\n")
    return made


def id_file() -> Path:
    """Where the id is kept."""
    import platformdirs

    return Path(platformdirs.user_data_dir("specchat")) / "terminal-id"
