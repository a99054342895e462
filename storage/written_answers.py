"""Answers as the model wrote them, for whoever drafts from them."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.orm import Session

from storage.models import Conversation, Metrics, Turn


@dataclass(frozen=True, slots=True)
class WrittenAnswer:
    """A stored answer, redacted, its slots unfilled."""

    turn_id: str
    conversation_id: str
    owner: str
    question: str  # that it answers, redacted
    text: str
    whole: bool  # the model ended it, not the limit of its length


def written_answers(session: Session, model: str, limit: int) -> list[WrittenAnswer]:
    """Answers of a model, the newest `limit`, oldest first."""
    found = (
        select(Turn.id, Conversation.id, Conversation.owner, Turn.question, Turn.written, Metrics)
        .join(Conversation, Conversation.id == Turn.conversation_id)
        .join(Metrics, Metrics.turn_id == Turn.id)
        .where(Turn.written != "", Turn.removed.is_(False), Metrics.model == model)
        .order_by(Turn.created_at.desc(), Turn.id)
        .limit(limit)
    )
    rows = session.execute(found).tuples()
    answers = [
        WrittenAnswer(
            turn, conversation, owner, question, text, cost.completion_tokens < cost.max_tokens
        )
        for turn, conversation, owner, question, text, cost in rows
    ]
    return answers[::-1]
