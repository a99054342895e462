"""`specchat data`: what is stored about customers, and how much of it is personal."""

from __future__ import annotations

import json
from typing import Annotated, Any

import typer

data_app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    help="What is stored about customers.",
)


@data_app.callback()
def data() -> None:
    """What is stored about customers."""


@data_app.command()
def redaction(
    messages: Annotated[int, typer.Option(min=1, help="Made-up messages of each kind.")] = 2_000,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the messages.")] = 7,
    missed: Annotated[bool, typer.Option("--missed", help="List what was not found.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the report as JSON.")] = False,
) -> None:
    """Precision and recall of redaction on made-up messages, by kind of personal data."""
    from specchat.chat import redaction_check as check

    report: dict[str, Any] = {}
    for name, unseen in (("known templates", False), ("unseen templates", True)):
        score = check.score(check.messages(messages, seed, unseen=unseen))
        report[name] = {
            "messages": score.messages,
            "items": score.items.total(),
            "recall": round(score.recall(), 4),
            "precision": round(score.precision(), 4),
            "kinds": {
                kind: {
                    "items": score.items[kind],
                    "recall": round(score.recall(kind), 4),
                    "precision": round(score.precision(kind), 4),
                }
                for kind in sorted(score.items)
            },
        }
        if missed:
            report[name] |= {"missed": score.missed, "wrong": score.wrong}
    typer.echo(json.dumps(report, indent=2, ensure_ascii=False) if as_json else _text(report))


def _text(report: dict[str, Any]) -> str:
    lines = []
    for name, part in report.items():
        lines.append(
            f"{name}: {part['messages']:,} messages, {part['items']:,} items, "
            f"recall {part['recall']:.3f}, precision {part['precision']:.3f}"
        )
        lines += [
            f"  {kind:8} {found['items']:6,} items   recall {found['recall']:.3f}   "
            f"precision {found['precision']:.3f}"
            for kind, found in part["kinds"].items()
        ]
        lines += [f"  not found: {text}" for text in part.get("missed", ())]
        lines += [f"  without need: {text}" for text in part.get("wrong", ())]
    return "\n".join(lines)
