"""A conversation as a file for its owner: JSON for programs, Markdown for people."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Any

from specchat.chat.types import ChatTurn


def as_json(title: str, turns: Sequence[ChatTurn]) -> str:
    """Everything there is, with the settings and measurements of each answer."""
    return json.dumps(
        {"title": title, "turns": [turn_values(turn) for turn in turns]},
        ensure_ascii=False,
        indent=2,
    )


def as_markdown(title: str, turns: Sequence[ChatTurn]) -> str:
    """Question and answer in order, with their times and sources."""
    parts = [f"# {_line(title)}"]
    for turn in turns:
        parts.append(f"*{_time(turn.created_at)}*")
        if turn.question:
            parts.append(f"**You:**\n\n{_quoted(turn.question)}")
        if turn.answer:
            who = "Colleague" if turn.by_person else "Assistant (AI)"
            parts.append(f"**{who}:**\n\n{_quoted(turn.answer)}")
        if turn.status != "completed":
            parts.append(f"*({turn.status})*")
        if turn.sources:
            parts.append("Help pages: " + "; ".join(source.title for source in turn.sources))
    return "\n\n".join(parts) + "\n"


def turn_values(turn: ChatTurn) -> dict[str, Any]:
    """A turn as JSON values."""
    numbers = turn.footer_stats
    return {
        "id": turn.turn_id,
        "created_at": turn.created_at.isoformat(),
        "question": turn.question,
        "answer": turn.answer,
        "by": "person" if turn.by_person else "assistant",
        "status": turn.status,
        "opinion": turn.opinion,
        "sources": [source.id for source in turn.sources],
        "grounds": None if turn.grounds is None else asdict(turn.grounds),
        "orders": [lookup.number for lookup in turn.lookups],
        "metrics": None if numbers is None else plain_values(asdict(numbers)),
    }


def plain_values(values: dict[str, Any]) -> dict[str, Any]:
    """With times as text, which JSON has no form for."""
    return {
        name: value.isoformat() if isinstance(value, datetime) else value
        for name, value in values.items()
    }


def _quoted(text: str) -> str:
    """As a quotation, so that its own markup stays inside."""
    return "\n".join(f"> {line}" for line in text.splitlines())


def _line(text: str) -> str:
    return " ".join(text.split())


def _time(value: datetime) -> str:
    return value.strftime("%Y-%m-%d %H:%M UTC")
