"""All conversations as text, for whoever trains on them."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.orm import Session

from storage.models import Conversation, Turn


@dataclass(frozen=True, slots=True)
class Exchange:
    """A question and its answer, redacted."""

    question: str
    answer: str


@dataclass(frozen=True, slots=True)
class Dialogue:
    """One conversation's turns in order, as long as the model completed them."""

    conversation_id: str
    exchanges: tuple[Exchange, ...]


def dialogues(session: Session, limit: int | None) -> list[Dialogue]:
    """Conversations with at least one completed turn, last used first."""
    latest = select(Conversation.id).order_by(Conversation.updated_at.desc(), Conversation.id)
    ids = list(session.scalars(latest if limit is None else latest.limit(limit)))
    found = [Dialogue(name, _exchanges(session, name)) for name in ids]
    return [dialogue for dialogue in found if dialogue.exchanges]


def _exchanges(session: Session, conversation_id: str) -> tuple[Exchange, ...]:
    turns = select(Turn).where(Turn.conversation_id == conversation_id).order_by(Turn.position)
    said: list[Exchange] = []
    for turn in session.scalars(turns):
        if turn.removed:
            continue
        if turn.status != "completed" or turn.kind != "chat":  # cut short, or a colleague took over
            break
        said.append(Exchange(turn.question, turn.answer))
    return tuple(said)
