"""What a person who trains did wrong, as one line."""

from collections.abc import Iterator
from contextlib import contextmanager

import typer


@contextmanager
def clear_errors() -> Iterator[None]:
    """Turns a user's mistake into one line and exit status 2."""
    try:
        yield
    except Exception as error:
        if not _is_users_mistake(error):
            raise
        typer.echo(f"error: {error}", err=True)
        raise typer.Exit(2) from None


def _is_users_mistake(error: Exception) -> bool:
    from specchat.engine.errors import EngineError
    from storage import StoreError

    kinds = (FileNotFoundError, ValueError, KeyError, EngineError, StoreError)
    return isinstance(error, kinds)
