"""What an instruction model is told: who it speaks for, and the facts a question is about.

Task and profile are the same for every question and stand first, so that the prefix cache holds
them; what differs by question stands next to the question.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from specchat.chat.company.orders import OrderLookup
from specchat.chat.company.orders import facts as order_facts
from specchat.chat.company.profile import Company, FaqEntry
from specchat.chat.slots.message import Message, Parts

_TASK = (
    "You are the customer support assistant of {name}. You are a computer program and say so "
    "when asked. Answer the customer's last question briefly and politely, with the facts given "
    "here and next to the question. If they do not hold the answer, say that you do not know and "
    "point to customer support. Never invent order data, prices, links or phone numbers."
)
_FACTS = "Facts from {name}'s records:\n{facts}\n\nThe customer writes:\n"


def system_messages(company: Company) -> Iterator[Message]:
    """System messages from the fullest to the shortest: the first that fits is the one to use.

    Task and company profile; then the task alone, for models with a very short context.
    """
    task = _TASK.format(name=company.name)
    yield Message.of("system", "\n\n".join((task, company.profile())))
    yield Message.of("system", task)


def with_facts(
    question: Parts,
    company: Company,
    passages: Sequence[FaqEntry],
    lookups: Sequence[OrderLookup],
) -> Parts:
    """The question with the FAQ passages and orders it is about before it."""
    facts = [
        *(order_facts(lookup) for lookup in lookups),
        *(f"Q: {entry.question}\nA: {entry.answer}" for entry in passages),
    ]
    if not facts:
        return question
    return (_FACTS.format(name=company.name, facts="\n".join(facts)), *question)
