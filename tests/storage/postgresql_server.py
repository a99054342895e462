"""A real PostgreSQL for the tests: Debian's programs, an empty cluster, ended with the tests."""

from __future__ import annotations

import glob
import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.ui.conftest import free_port

PLACES = "/usr/lib/postgresql/*/bin"
SETTINGS = ("fsync=off", "full_page_writes=off", "listen_addresses=127.0.0.1", "max_connections=50")


@contextmanager
def postgresql_server() -> Iterator[str]:
    """The URL of a fresh server on this machine."""
    programs = _programs()
    port = free_port()
    directory = Path(tempfile.mkdtemp(prefix="specchat-postgresql-"))
    as_user = _unprivileged(directory)
    cluster = directory / "cluster"
    settings = (*SETTINGS, f"unix_socket_directories={directory}", f"port={port}")
    options = " ".join(f"-c {each}" for each in settings)

    def run(program: str, *arguments: str) -> None:
        done = subprocess.run(
            [programs / program, *arguments], capture_output=True, text=True, timeout=120, **as_user
        )
        assert done.returncode == 0, f"{program}: {done.stdout}{done.stderr}"

    try:
        run(
            "initdb", "-D", str(cluster), "-U", "specchat", "-A", "trust", "--no-sync", "-E", "UTF8"
        )
        # Without a log of its own the server would hold the pipe of pg_ctl open.
        log = str(directory / "log")
        run("pg_ctl", "-D", str(cluster), "-w", "-l", log, "-o", options, "start")
        try:
            yield f"postgresql://specchat@127.0.0.1:{port}/postgres"
        finally:
            run("pg_ctl", "-D", str(cluster), "-m", "immediate", "stop")
    finally:
        shutil.rmtree(directory, ignore_errors=True)


def _programs() -> Path:
    """Where initdb is. Its absence is a fault of the set-up, not a reason to skip."""
    found = sorted(glob.glob(PLACES))
    on_path = shutil.which("initdb")
    assert found or on_path, "PostgreSQL is not installed; `make postgresql` installs it"
    return Path(found[-1]) if found else Path(str(on_path)).parent


def _unprivileged(directory: Path) -> dict[str, Any]:
    """Options of a process that is not root's, which PostgreSQL refuses to be."""
    if os.geteuid() != 0:
        return {"cwd": directory}
    someone = pwd.getpwnam("postgres")
    os.chown(directory, someone.pw_uid, someone.pw_gid)
    return {"cwd": directory, "user": someone.pw_uid, "group": someone.pw_gid, "extra_groups": []}
