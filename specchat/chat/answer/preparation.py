"""From a question to a request: rewritten, looked up, grounded, as a prompt with its settings."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING

from specchat.chat import wording as say
from specchat.chat.answer.floor import page_words
from specchat.chat.answer.grounds import Grounder, Grounds, conversation, system_message
from specchat.chat.answer.intent import asks_in_german, intent_of, talk_of
from specchat.chat.answer.prompt import PromptBuild, PromptBuilder, stop_texts
from specchat.chat.answer.reading import PageReader, alike
from specchat.chat.answer.streaming import StreamedAnswer
from specchat.chat.answer.task import Task, derived_seed, said_elsewhere, salt
from specchat.chat.company import orders
from specchat.chat.company.faq_search import FaqIndex
from specchat.chat.company.order_table import OrderTable
from specchat.chat.company.orders import OrderLookup
from specchat.chat.company.profile import Company, FaqEntry
from specchat.chat.knowledge import UNSURE, Exchange, Knowledge
from specchat.chat.question import clean_question
from specchat.chat.slots.filler import SlotFiller, SlotValues
from specchat.chat.slots.message import Message, Parts, with_slots
from specchat.chat.slots.rewrite import Rewrite, currency_of, rewrite_input
from specchat.chat.slots.vocabulary import SLOTS
from specchat.chat.turns.conversation import LiveConversation, LiveTurn
from specchat.chat.types import AnswerOptions, ChatError, Source
from specchat.engine.errors import RequestError
from specchat.engine.interface import Judges
from specchat.engine.output.thoughts import Thinking
from specchat.engine.request import Request, SamplingParams
from storage import Store, StoreError

if TYPE_CHECKING:
    from specchat.engine.interface import AnyModel

ASSISTANT = "care"
"""The bundled assistant, which was taught to say pages word for word."""

_ENGLISH_ONLY = re.compile(r"\bcare\b|smollm", re.IGNORECASE)
"""Names of models that write no German."""


class Preparation:
    """Prepares questions for one model and one company. Safe to use from any thread.

    A model that knows slots (`care-mini`) gets what was looked up as slot values and as the start
    of its answer. Every other model reads pages and orders next to the question.
    """

    def __init__(
        self,
        loaded: AnyModel,
        company: Company,
        store: Store,
        knowledge: Knowledge | None = None,
    ) -> None:
        """Without `knowledge` the company's pages are searched by words alone."""
        self._company = company
        self._slots = loaded.uses_slots
        self._context = loaded.engine.info.context_length
        self._prompts = PromptBuilder(loaded.tokenizer)
        self._thinking = Thinking.of(loaded.tokenizer, self._prompts.text("?"))
        self._stop = stop_texts(loaded.tokenizer)
        self._faq = FaqIndex(company.faq)
        self._table = OrderTable(company, store)
        self._grounder = None
        if not loaded.uses_slots:
            german = company.language == "de" or not _ENGLISH_ONLY.search(loaded.model)
            knowledge = knowledge or Knowledge(store, company, None)
            reader = None
            if isinstance(loaded.engine, Judges):
                reader = PageReader(
                    loaded.engine, self._context, self._prompts, system_message(company)
                )
            self._grounder = Grounder(
                company, knowledge, self._table, speaks_german=german,
                verbatim=loaded.model == ASSISTANT, reader=reader,
            )  # fmt: skip
        self.values = SlotValues.of(company)

    def task(self, live: LiveConversation, text: str, replaces: tuple[LiveTurn, ...] = ()) -> Task:
        """What is to be answered, and what is known when it is asked."""
        earlier = live.turns[: len(live.turns) - len(replaces)]
        before = replaces[0].values if replaces else live.values
        asked = earlier[-1].shown.answer if earlier else ""
        rewrite = self.rewritten(text, asked)
        grounds: Grounds | None = None
        same: FaqEntry | None = None
        sources: tuple[Source, ...] = ()
        if self._grounder is not None:
            heard = [turn.shown for turn in earlier if turn.shown.status != "failed"]
            grounds = self._grounder.grounds(text, heard, salt(live.owner))
            lookups = grounds.lookups
        else:
            lookups = self._lookups(text, asked, before.known.get("order_number", ""))
            same = self._faq.same(text) if not lookups else None
            sources = tuple(map(_source, self._faq.search(text) if same is None else (same,)))
        return Task(
            text=text,
            question=rewrite.parts,
            history=tuple(self._history(earlier)),
            before=before,
            values=before.with_customer(rewrite.values),
            sources=sources,
            lookups=lookups,
            opening=self._opening(lookups, same),
            position=replaces[0].position if replaces else live.asked,
            attempt=replaces[0].attempt + 1 if replaces else 0,
            replaces=replaces,
            grounds=grounds,
        )

    def answering(
        self, live: LiveConversation, task: Task, options: AnswerOptions, notes: tuple[str, ...]
    ) -> StreamedAnswer:
        """The request for a task, ready to be submitted. Raises ChatError as `answer` does."""
        params = self._params(live, options, task)
        prompt = self._prompt(task, params.max_tokens)
        if prompt.dropped_turns:
            notes = (*notes, say.dropped(prompt.dropped_turns))
        values = task.values.with_customer(orders.values(task.lookups) if self._slots else {})
        grounds = task.grounds
        return StreamedAnswer(
            request=Request(
                prompt.ids, params, salt=salt(live.owner), public_tokens=prompt.public_tokens
            ),
            filler=SlotFiller(values, enabled=self._slots),
            mode=options.mode,
            slots=self._slots,
            notes=notes,
            sources=task.sources,
            lookups=task.lookups,
            opening=task.opening,
            in_context=bool(grounds.passages) if grounds else task.opens_with_source,
            preface=_preface(grounds),
            reply=_reply(task.text, grounds),
            most_tokens=options.max_tokens if self._thinking.tokens else None,
            thoughts=self._thinking.start(),
        )

    def rewritten(self, text: str, asked: str) -> Rewrite:
        """The question as the model sees it: with slots only if it knows them."""
        if not self._slots:
            return Rewrite((text,), {})
        found = rewrite_input(text, asked=asked, account_types=self._company.account_types)
        currency = currency_of(text)
        if "refund_amount" in found.values and currency and "currency" not in found.values:
            return Rewrite(found.parts, {**found.values, "currency": currency})
        return found

    def slot_texts(self, values: SlotValues) -> dict[str, str]:
        """What stands for slots in a filled answer; nothing for models without slots."""
        if not self._slots:
            return {}
        return {name: value for name, value in values.known.items() if name in SLOTS}

    def prompt_for(
        self, question: str, max_tokens: int, earlier: Sequence[Exchange] = ()
    ) -> PromptBuild:
        """The prompt of a question that follows `earlier` turns. Raises ChatError as
        `ChatService.answer` does."""
        text = clean_question(question)
        history = [
            message
            for turn in earlier
            for message in (
                Message("user", self.rewritten(turn.question, "").parts),
                Message.of("assistant", turn.answer),
            )
        ]
        if self._grounder is not None:
            found = self._grounder.grounds(text, list(map(said_elsewhere, earlier)))
            return self._grounded(self._grounder, history, found, max_tokens)
        return self._built([*history, Message("user", self.rewritten(text, "").parts)], max_tokens)

    def filler_for(self, question: str) -> SlotFiller:
        """A fresh filler for the answer to a single question. Raises ChatError as above."""
        said = self.rewritten(clean_question(question), "").values
        return SlotFiller(self.values.with_customer(said), enabled=self._slots)

    def _lookups(self, text: str, asked: str, before: str) -> tuple[OrderLookup, ...]:
        """Orders the question names; none when the shop has no order table or it is away."""
        if not self._company.orders:
            return ()
        named = orders.numbers_in(text, asked, before)
        try:
            return orders.look_up(named, self._table.find)
        except StoreError:
            return ()

    def _opening(self, lookups: tuple[OrderLookup, ...], same: FaqEntry | None) -> Parts:
        """How the answer of a model with slots begins: what was looked up, said in slots."""
        if not self._slots:
            return ()
        if lookups or same is None:
            return orders.opening(lookups)
        return with_slots(same.answer, self.slot_texts(self.values))

    def _history(self, earlier: Sequence[LiveTurn]) -> Iterator[Message]:
        """Earlier turns as the model sees them. What a colleague said while the conversation was
        handed over belongs to it; a model with slots has never seen that."""
        for turn in earlier:
            if not turn.shown.by_person or self._slots:
                yield from turn.messages
                continue
            if turn.shown.question:
                yield Message.of("user", turn.shown.question)
            if turn.shown.answer:
                yield Message.of("assistant", say.COLLEAGUE_SAID + turn.shown.answer)

    def _params(self, live: LiveConversation, options: AnswerOptions, task: Task) -> SamplingParams:
        seed = options.seed
        if seed is None:
            seed = derived_seed(live.id, task.position, task.attempt)
        try:
            return SamplingParams(
                max_tokens=options.max_tokens + self._thought_tokens(options.max_tokens),
                temperature=options.temperature,
                seed=seed,
                stop=self._stop,
                speculate=options.mode == "speculative",
                speculators=options.speculators,
                max_nodes=options.max_nodes,
                adaptive=options.adaptive,
            )
        except RequestError as error:
            raise ChatError(say.bad_setting(error)) from error

    def _prompt(self, task: Task, max_tokens: int) -> PromptBuild:
        if self._grounder is not None and task.grounds is not None:
            return self._grounded(self._grounder, task.history, task.grounds, max_tokens)
        messages = [*task.history, Message("user", task.question)]
        return self._built(messages, max_tokens, task.opening)

    def _grounded(
        self, grounder: Grounder, history: Sequence[Message], grounds: Grounds, max_tokens: int
    ) -> PromptBuild:
        """The prompt as in training; with fewer pages, then without the system text, where it
        does not fit. The pages are everybody's where nothing private comes before them."""
        for system in ((grounder.system,), ()):
            for pages in range(len(grounds.passages), -1, -1):
                asked = Message.of("user", grounds.asked(pages))
                with suppress(ChatError):
                    found = self._built([*system, *conversation([*history, asked])], max_tokens)
                    if history or grounds.lookups or not system:
                        return found
                    blank = Message.of("user", replace(grounds, question="").asked(pages))
                    public = alike(found.ids, self._built([*system, blank], max_tokens).ids)
                    return replace(found, public_tokens=public)
        return self._built([Message.of("user", grounds.question)], max_tokens)

    def _built(
        self, messages: Sequence[Message], max_tokens: int, opening: Parts = ()
    ) -> PromptBuild:
        if max_tokens >= self._context:
            raise ChatError(say.too_long_answer(self._context, max_tokens))
        budget = self._context - max_tokens
        return self._prompts.build(messages, context_budget=budget, opening=opening)

    def _thought_tokens(self, answer: int) -> int:
        """What a model may think beside an answer of so many tokens: half of what that leaves, at
        the most."""
        return min(self._thinking.tokens, max(0, self._context - answer) // 2)


def _source(entry: FaqEntry) -> Source:
    return Source(entry.id, entry.question, entry.answer)


def _reply(question: str, grounds: Grounds | None) -> str:
    """The whole answer where no model is needed; "" where one is."""
    intent = grounds.intent if grounds else intent_of(question)
    if intent == "wordless":
        return say.WORDLESS
    if intent == "person":
        return say.PERSON_IN_GERMAN if asks_in_german(question) else say.PERSON
    if grounds is None:
        return ""
    if grounds.told and not (grounds.passages or grounds.lookups):
        return _quoted(grounds.told)
    said = _in_german(grounds) if grounds.german else ""
    return f"{_quoted(grounds.told)}\n\n{said}" if said and grounds.told else said


def _in_german(grounds: Grounds) -> str:
    """What can be said in German without a model that writes it: small talk, and German pages in
    their own words."""
    if grounds.intent == "talk":
        return say.TALK_IN_GERMAN[talk_of(grounds.question)]
    if grounds.lookups:
        return ""
    if not grounds.passages:
        return say.GERMAN_UNKNOWN
    if any(page.language != "de" for page in grounds.passages):
        return ""
    opening = say.GERMAN_UNSURE if grounds.chance < UNSURE else say.GERMAN_PAGE
    if grounds.absent:
        opening = say.not_listed_in_german(grounds.absent)
    return f"{opening}\n\n{page_words(grounds)}"


def _preface(grounds: Grounds | None) -> str:
    """What the chat says before the model's answer."""
    if grounds is None or grounds.intent != "question" or _reply(grounds.question, grounds):
        return ""
    german = f"{say.GERMAN} " if grounds.german else ""
    if grounds.told:
        return f"{_quoted(grounds.told)}\n\n{german}"
    opening = ""
    if grounds.lookups:
        pass  # the order is said, and a page beside it need not be
    elif grounds.absent:
        opening = say.not_listed(grounds.absent)
    elif grounds.passages and grounds.chance < UNSURE:
        opening = say.UNSURE
    return f"{german}{opening}\n\n" if opening else german


def _quoted(told: str) -> str:
    return f"{say.COLLEAGUE_SAID}“{told}”"
