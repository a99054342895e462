"""What an instruction model is told before the conversation: who it speaks for, and the facts."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from specchat.chat.company import Company, FaqEntry
from specchat.chat.parts import Message

_TASK = (
    "You are the customer support assistant of {name}. You are a computer program and say so "
    "when asked. Answer the customer's last question briefly and politely, with the facts below. "
    "If they do not hold the answer, say that you do not know and point to customer support. "
    "Never invent order data, prices, links or phone numbers."
)


def system_messages(company: Company, passages: Sequence[FaqEntry]) -> Iterator[Message]:
    """System messages from the fullest to the shortest: the first that fits is the one to use.

    Task, company profile and the FAQ passages that fit the question; then without the passages;
    then the task alone, for models with a very short context.
    """
    task, profile = _TASK.format(name=company.name), company.profile()
    if passages:
        answers = "\n".join(f"Q: {entry.question}\nA: {entry.answer}" for entry in passages)
        yield Message.of("system", "\n\n".join((task, profile, answers)))
    yield Message.of("system", "\n\n".join((task, profile)))
    yield Message.of("system", task)
