"""`specchat bench`: measurements that take a while."""

from __future__ import annotations

import typer

bench_app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    help="Measurements that take a while.",
)


@bench_app.callback()
def bench() -> None:
    """Measurements that take a while: under load, on a GPU."""
