"""One example: what the assistant is given, what a customer asks, what it answers."""

from __future__ import annotations

from dataclasses import dataclass

from specchat.chat.answer.instructions import grounded_question, system_text
from specchat.chat.slots.message import Message


@dataclass(frozen=True)
class Given:
    """What stands before the question."""

    name: str  # of the company
    description: str
    passages: tuple[tuple[str, str], ...] = ()  # title, text
    orders: tuple[str, ...] = ()
    history: tuple[tuple[str, str], ...] = ()  # earlier questions and their answers


@dataclass(frozen=True)
class Example:
    """One question with the answer to learn."""

    kind: str  # of question, for reports
    given: Given
    question: str
    lead: str
    says: tuple[str, ...]  # the sentences of the answer, as they stand in what was given
    needs: tuple[str, ...] = ()  # those of them without which it is wrong; (): all

    @property
    def answer(self) -> str:
        """The answer in one piece; a list begins a line of its own."""
        said = " ".join(self.says)
        between = "\n" if said[:2] in ("- ", "* ", "• ", "1.") else " "
        return between.join(filter(None, (self.lead, said)))

    @property
    def needed(self) -> tuple[str, ...]:
        """The sentences without which an answer is wrong."""
        return self.needs or self.says

    @property
    def grounded(self) -> bool:
        """Whether something was found that answers."""
        return bool(self.given.passages or self.given.orders)

    def messages(self) -> list[Message]:
        """The conversation up to the question, as the chat builds it."""
        given = self.given
        system = Message.of("system", system_text(given.name, given.description))
        earlier = [
            message
            for question, answer in given.history
            for message in (Message.of("user", question), Message.of("assistant", answer))
        ]
        asked = grounded_question(self.question, given.passages, given.orders)
        return [system, *earlier, Message.of("user", asked)]


Sheet = tuple[Example, ...]
"""Examples that share what is given."""
