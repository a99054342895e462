"""Conversations to put a load on the engine when no prompts file is given: made from the FAQ."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass

from specchat.bench.prompts import Message, Prompt


@dataclass(frozen=True, slots=True)
class Question:
    """A frequent question with the answer the company gives."""

    question: str
    answer: str


@dataclass(frozen=True, slots=True)
class Scenario:
    """Prompts, and which of them are the turns of one conversation (as indices, in order)."""

    prompts: tuple[Prompt, ...]
    sessions: tuple[tuple[int, ...], ...]


def faq_scenario(
    questions: Sequence[Question], *, conversations: int, turns: int, seed: int
) -> Scenario:
    """Conversations whose every turn asks another of the `questions`, drawn at random.

    A turn's prompt holds the turns before it with the company's own answers: what a customer's
    second question looks like to the engine.

    Raises:
        ValueError: fewer questions than turns.
    """
    if len(questions) < turns:
        raise ValueError(f"{turns} turns need as many questions, got {len(questions)}")
    rng = random.Random(seed)
    prompts: list[Prompt] = []
    sessions = []
    for number in range(conversations):
        messages: tuple[Message, ...] = ()
        session = []
        for turn, each in enumerate(rng.sample(questions, turns), start=1):
            messages = (*messages, Message("user", each.question))
            session.append(len(prompts))
            prompts.append(Prompt(f"faq-{number:04d}/{turn}", messages))
            messages = (*messages, Message("assistant", each.answer))
        sessions.append(tuple(session))
    return Scenario(tuple(prompts), tuple(sessions))


def single_turns(prompts: Sequence[Prompt]) -> Scenario:
    """Every prompt as a conversation of its own."""
    return Scenario(tuple(prompts), tuple((index,) for index in range(len(prompts))))


def interleaved(sessions: Sequence[Sequence[int]], together: int = 8) -> tuple[int, ...]:
    """All turns in one order in which `together` conversations go on at the same time."""
    order: list[int] = []
    for start in range(0, len(sessions), together):
        block = sessions[start : start + together]
        for turn in range(max(map(len, block))):
            order += [session[turn] for session in block if turn < len(session)]
    return tuple(order)
