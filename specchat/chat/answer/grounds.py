"""What an answer may stand on: pages that were found, orders that were looked up, what was said."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial

from specchat.chat.answer.instructions import grounded_question, system_text
from specchat.chat.answer.intent import Intent, asks_in_german, intent_of
from specchat.chat.answer.reading import PageReader
from specchat.chat.company import orders
from specchat.chat.company.listed import absent
from specchat.chat.company.order_table import OrderTable
from specchat.chat.company.orders import OrderLookup
from specchat.chat.company.profile import Company
from specchat.chat.knowledge import Exchange, Knowledge, Passage
from specchat.chat.slots.message import Message, joined
from specchat.chat.turns.colleague import told
from specchat.chat.types import ChatTurn


@dataclass(frozen=True, slots=True)
class Grounds:
    """What is known when a question is answered."""

    question: str
    intent: Intent
    passages: tuple[Passage, ...] = ()  # those to answer from, the likeliest first
    excerpts: tuple[str, ...] = ()  # of each passage, what an answer quotes
    chance: float = 0.0  # that one of them answers
    retrieved: tuple[tuple[str, float], ...] = ()  # ids of all that was looked at, with chances
    parts: int = 1  # questions in the message
    lookups: tuple[OrderLookup, ...] = ()
    said: tuple[str, ...] = ()  # earlier turns, and the company's own contacts
    german: bool = False  # the customer writes German, which the model does not
    verbatim: bool = False  # the model was taught to say the excerpts word for word
    told: str = ""  # what a colleague wrote that the question is about
    absent: tuple[str, ...] = ()  # what was asked for and is not on the list that answers

    @property
    def records(self) -> tuple[str, ...]:
        """The orders, as the model reads them: where the question is about them."""
        asked = self.lookups if self.intent == "question" else ()
        return tuple(map(orders.facts, asked))

    @property
    def known(self) -> tuple[str, ...]:
        """Every text that may support the answer, but for the orders."""
        pages = (f"{page.title}\n{page.text}" for page in self.passages)
        return (*pages, *self.said, self.question)

    def asked(self, most_passages: int) -> str:
        """The question with what was found for it, word for word as in training."""
        titles = (page.title for page in self.passages[:most_passages])
        pages = list(zip(titles, self.excerpts, strict=False))
        return grounded_question(self.question, pages, self.records)


class Grounder:
    """Finds what a question is to be answered from. Safe to use from any thread."""

    def __init__(
        self,
        company: Company,
        knowledge: Knowledge,
        table: OrderTable,
        *,
        speaks_german: bool,
        verbatim: bool = False,
        reader: PageReader | None = None,
    ) -> None:
        """Without a `reader` pages are ranked by search alone."""
        self._company = company
        self._knowledge = knowledge
        self._table = table
        self._speaks_german = speaks_german
        self._verbatim = verbatim
        self._reader = reader
        self.system = system_message(company)
        self._contacts = tuple(company.slot_values().values())

    def grounds(self, question: str, earlier: Sequence[ChatTurn] = (), salt: str = "") -> Grounds:
        """What there is for a question of the customer of `salt` that follows these turns."""
        intent = intent_of(question)
        german = not self._speaks_german and asks_in_german(question)
        said = tuple(text for turn in earlier for text in (turn.question, turn.answer) if text)
        grounds = Grounds(question, intent, said=(*said, *self._contacts), german=german)
        if intent == "person":  # whoever takes over sees the order
            return replace(grounds, lookups=self._lookups(question, earlier))
        if intent != "question":
            return grounds
        heard = told(question, earlier, self._knowledge.nearness)
        return self._found(replace(grounds, told=heard), earlier, salt)

    def _lookups(self, question: str, earlier: Sequence[ChatTurn]) -> tuple[OrderLookup, ...]:
        asked = [turn.question for turn in earlier if turn.question]
        return self._table.asked_about(question, asked, earlier[-1].answer if earlier else "")

    def _found(self, grounds: Grounds, earlier: Sequence[ChatTurn], salt: str) -> Grounds:
        question = grounds.question
        # What a colleague said of an order is newer than its record, unless it is asked after.
        lookups = self._lookups(question, () if grounds.told else earlier)
        reader = self._reader
        likelihoods = partial(reader.likelihoods, salt=salt) if reader else None
        judgement = self._knowledge.judge(question, exchanges(earlier), likelihoods)
        passages = () if lookups and only_a_number(question) else judgement.passages
        if grounds.german and (lookups or any(page.language != "de" for page in passages)):
            passages = tuple(map(self._in_english, passages))  # for the model to read
        excerpts = self._knowledge.excerpts(question, passages, exchanges(earlier))
        return Grounds(
            question,
            grounds.intent,
            passages,
            excerpts,
            judgement.chance if passages else 0.0,
            tuple((each.passage.id, round(each.chance, 4)) for each in judgement.found),
            len(judgement.searched_for),
            lookups,
            grounds.said,
            grounds.german,
            self._verbatim,
            grounds.told,
            absent(
                question,
                excerpts,
                (page.text for page in self._knowledge.passages()),
                german=any(page.language == "de" for page in passages),
            ),
        )

    def _in_english(self, passage: Passage) -> Passage:
        """The same page in the language of the model, where the company has it in both."""
        wanted = passage.id.replace(":de:", ":en:", 1)
        if wanted == passage.id:
            return passage
        return next((each for each in self._knowledge.passages() if each.id == wanted), passage)


def system_message(company: Company) -> Message:
    """What the assistant of a company is told before everything else."""
    return Message.of("system", system_text(company.name, company.description))


def exchanges(turns: Sequence[ChatTurn]) -> list[Exchange]:
    """Earlier turns as a follow-up leans on them; what a colleague says belongs to what was asked
    before it."""
    found: list[Exchange] = []
    for turn in turns:
        if turn.question or not found:
            found.append(Exchange(turn.question, turn.answer))
        elif turn.answer:
            found[-1] = Exchange(found[-1].question, f"{found[-1].answer}\n{turn.answer}".strip())
    return found


def conversation(messages: Sequence[Message]) -> list[Message]:
    """Messages in turn: what one side says in several goes together, as templates want it."""
    found: list[Message] = []
    for message in messages:
        if found and found[-1].role == message.role:
            text = f"{joined(found[-1].parts)}\n{joined(message.parts)}"
            found[-1] = Message.of(message.role, text)
        else:
            found.append(message)
    return found


def only_a_number(question: str) -> bool:
    """True for "4417" and "order 4417": there is nothing to look for in the pages."""
    return len(question.split()) <= 3
