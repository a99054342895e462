"""Everything that is stored of somebody as a file: JSON for programs, Markdown for people."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, replace
from typing import Any

from specchat.chat.answer.task import shown_from
from specchat.chat.turns.conversation_export import as_markdown, plain_values, turn_values
from specchat.chat.types import ChatTurn
from storage import MetricRow, StoredConversation, StoredData, StoredRace

_UNTITLED = "Conversation"


def data_as_json(data: StoredData) -> str:
    """All conversations with turns, opinions and hand-offs; races; measurements of no owner."""
    return json.dumps(
        {
            "conversations": [_conversation(each) for each in data.conversations],
            "races": [_race(each) for each in data.races],
            "measurements": [_metrics(each) for each in data.measurements],
        },
        ensure_ascii=False,
        indent=2,
    )


def data_as_markdown(data: StoredData) -> str:
    """All conversations and races to read; of measurements how many there are."""
    parts = [_conversation_text(each) for each in data.conversations]
    parts += [_race_text(each) for each in data.races]
    if data.measurements:
        parts.append(f"Measurements of answers without text: {len(data.measurements)}\n")
    return "\n---\n\n".join(parts)


def _conversation(stored: StoredConversation) -> dict[str, Any]:
    row = stored.row
    return {
        "id": row.id,
        "owner": stored.owner,
        "title": row.title,
        "created_at": row.created_at.isoformat(),
        "updated_at": row.updated_at.isoformat(),
        "turns": [turn_values(turn) for turn in _turns(stored)],
        "feedback": [plain_values(asdict(each)) for each in stored.feedback],
        "handoffs": [plain_values(asdict(each)) for each in stored.handoffs],
    }


def _race(race: StoredRace) -> dict[str, Any]:
    values: dict[str, Any] = plain_values(asdict(race))
    return values | {"plain": _metrics(race.plain), "speculative": _metrics(race.speculative)}


def _metrics(row: MetricRow | None) -> dict[str, Any] | None:
    return None if row is None else plain_values(asdict(row))


def _turns(stored: StoredConversation) -> list[ChatTurn]:
    scores: Mapping[str | None, int] = {each.turn_id: each.score for each in stored.feedback}
    turns = (shown_from(row) for row in stored.turns)
    return [replace(turn, opinion=scores.get(turn.turn_id, 0)) for turn in turns]


def _conversation_text(stored: StoredConversation) -> str:
    text = as_markdown(stored.row.title or _UNTITLED, _turns(stored))
    heard = [each for each in stored.feedback if each.kind == "csat"]
    notes = [f"Conversation {stored.row.id} of owner {stored.owner}"]
    notes += [f"Score {each.score} of 5: {each.comment}".rstrip(": ") for each in heard]
    notes += [f"Hand-off {each.ticket} ({each.status}): {each.summary}" for each in stored.handoffs]
    return text + "\n" + "\n".join(f"- {' '.join(note.split())}" for note in notes) + "\n"


def _race_text(race: StoredRace) -> str:
    same = "the same answer" if race.identical else "different answers"
    said = [f"# Race: {' '.join(race.prompt.split()) or 'question not kept'}"]
    said += [f"*{race.created_at:%Y-%m-%d %H:%M UTC}*, plain and speculative gave {same}."]
    answers = [race.answer] if race.identical else [race.answer, race.plain_answer]
    said += ["\n".join(f"> {line}" for line in text.splitlines()) for text in answers if text]
    return "\n\n".join([*said, f"- Race {race.race_id} of owner {race.owner}"]) + "\n"
