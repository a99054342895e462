"""Holds conversations with an assistant, whatever it is made of."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from specchat.bench.answers.conversations import ExpectedConversation
from specchat.bench.answers.scoring import Answer, ScoredConversation, score_conversation


@dataclass(frozen=True, slots=True)
class Said:
    """A turn that is over."""

    question: str
    answer: Answer


class Assistant(Protocol):
    """Whatever answers customers."""

    def ask(self, question: str, earlier: Sequence[Said]) -> Answer:
        """The answer to a question that is asked after `earlier`; nothing else is remembered."""
        ...


def hold(conversation: ExpectedConversation, assistant: Assistant) -> ScoredConversation:
    """Asks the conversation's questions one after the other, and judges the answers."""
    said: list[Said] = []
    for turn in conversation.turns:
        said.append(Said(turn.question, assistant.ask(turn.question, tuple(said))))
    return score_conversation(conversation, [turn.answer for turn in said])


def hold_all(
    conversations: Sequence[ExpectedConversation],
    assistant: Assistant,
    on_done: Callable[[int, int], None] = lambda done, total: None,
) -> list[ScoredConversation]:
    """All conversations, in order; `on_done` is told how many of how many are over."""
    scored: list[ScoredConversation] = []
    for conversation in conversations:
        scored.append(hold(conversation, assistant))
        on_done(len(scored), len(conversations))
    return scored
