"""`specchat data backup` and `restore`."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from specchat.commands.shared import AsJson, explained
from specchat.settings import load_settings

if TYPE_CHECKING:
    from storage.archive.backup import Backup


def backup(
    file: Annotated[Path, typer.Argument(help="A new file.")],
    as_json: AsJson = False,
) -> None:
    """Write the whole database into one file that only you may read. The app may be running; what
    waits beside a database that was busy is written to it first.

    What is erased later stays in it: keep backups no longer than data may be kept.
    """
    with explained():
        from storage.archive.backup import back_up

        _say_backup(back_up(load_settings().database_url, file), f"written to {file}", as_json)


def restore(
    file: Annotated[Path, typer.Argument(help="What `specchat data backup` wrote.")],
    as_json: AsJson = False,
) -> None:
    """Put a backup into an empty database, of the same kind or another: it moves a store from
    SQLite to PostgreSQL.

    What was erased after the backup was made is back with it: erase it again.
    """
    with explained():
        from storage.archive.backup import restore as put_back

        _say_backup(put_back(load_settings().database_url, file), "restored", as_json)


def _say_backup(found: Backup, done: str, as_json: bool) -> None:
    if as_json:
        typer.echo(json.dumps({**asdict(found), "created_at": found.created_at.isoformat()}))
        return
    typer.echo(
        f"{done}: {found.conversations:,} conversations, {found.rows:,} rows, as of "
        f"{found.created_at:%Y-%m-%d %H:%M} UTC"
    )
    if found.waiting:
        typer.echo(
            f"{found.waiting:,} changes are not in it: they wait for a database that is busy or "
            "full; make another when it is free",
            err=True,
        )
