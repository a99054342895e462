"""From a question to a request: rewritten, looked up, grounded, as a prompt with its settings."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from specchat.chat import wording as say
from specchat.chat.answer.prompt import PLAIN_STOP, PromptBuild, PromptBuilder
from specchat.chat.answer.streaming import StreamedAnswer
from specchat.chat.answer.task import Task, derived_seed, salt
from specchat.chat.company import orders
from specchat.chat.company.faq_search import FaqIndex
from specchat.chat.company.grounding import system_messages, with_facts
from specchat.chat.company.orders import OrderLookup
from specchat.chat.company.profile import Company, FaqEntry
from specchat.chat.question import clean_question
from specchat.chat.slots.filler import SlotFiller, SlotValues
from specchat.chat.slots.message import Message, Parts, with_slots
from specchat.chat.slots.rewrite import Rewrite, currency_of, rewrite_input
from specchat.chat.slots.vocabulary import SLOTS
from specchat.chat.turns.conversation import LiveConversation, LiveTurn
from specchat.chat.types import AnswerOptions, ChatError
from specchat.engine.errors import RequestError
from specchat.engine.request import Request, SamplingParams
from storage import Store, StoreError

if TYPE_CHECKING:
    from specchat.loader import LoadedModel


class Preparation:
    """Prepares questions for one model and one company. Safe to use from any thread.

    The bundled model knows slots: what was looked up becomes slot values and the start of its
    answer. Other models read it next to the question.
    """

    def __init__(self, loaded: LoadedModel, company: Company, store: Store) -> None:
        self._company = company
        self._store = store
        self._slots = loaded.uses_slots
        self._context = loaded.engine.info.context_length
        self._prompts = PromptBuilder(loaded.tokenizer)
        self._stop = () if getattr(loaded.tokenizer, "chat_template", None) else PLAIN_STOP
        self._verification = loaded.options.verification
        self._faq = FaqIndex(company.faq)
        self.values = SlotValues.of(company)

    def task(self, live: LiveConversation, text: str, replaces: tuple[LiveTurn, ...] = ()) -> Task:
        """What is to be answered, and what is known when it is asked."""
        earlier = live.turns[: len(live.turns) - len(replaces)]
        before = replaces[0].values if replaces else live.values
        asked = earlier[-1].shown.answer if earlier else ""
        rewrite = self.rewritten(text, asked)
        lookups = self._lookups(text, asked, before.known.get("order_number", ""))
        same = self._faq.same(text) if self._slots and not lookups else None
        return Task(
            text=text,
            question=self._grounded(rewrite.parts, text, lookups),
            history=tuple(message for turn in earlier for message in turn.messages),
            before=before,
            values=before.with_customer(rewrite.values),
            sources=self._faq.search(text) if same is None else (same,),
            lookups=lookups,
            opening=self._opening(lookups, same),
            position=replaces[0].position if replaces else live.asked,
            attempt=replaces[0].attempt + 1 if replaces else 0,
            replaces=replaces,
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
            in_context=bool(task.sources) and (not self._slots or task.opens_with_source),
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

    def prompt_for(self, question: str, max_tokens: int) -> PromptBuild:
        """The prompt of a single question. Raises ChatError as `ChatService.answer` does."""
        text = clean_question(question)
        message = Message("user", self._grounded(self.rewritten(text, "").parts, text, ()))
        return self._built([message], (), max_tokens)

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
            return orders.look_up(named, self._store.care.order)
        except StoreError:
            return ()

    def _opening(self, lookups: tuple[OrderLookup, ...], same: FaqEntry | None) -> Parts:
        """How the answer of a model with slots begins: what was looked up, said in slots."""
        if not self._slots:
            return ()
        if lookups or same is None:
            return orders.opening(lookups)
        return with_slots(same.answer, self.slot_texts(self.values))

    def _grounded(self, parts: Parts, text: str, lookups: tuple[OrderLookup, ...]) -> Parts:
        if self._slots:
            return parts
        return with_facts(parts, self._company, self._faq.search(text), lookups)

    def _params(self, live: LiveConversation, options: AnswerOptions, task: Task) -> SamplingParams:
        seed = options.seed
        if seed is None:
            seed = derived_seed(live.id, task.position, task.attempt)
        try:
            return SamplingParams(
                max_tokens=options.max_tokens,
                temperature=options.temperature,
                seed=seed,
                stop=self._stop,
                speculate=options.mode == "speculative",
                speculators=options.speculators,
                max_nodes=options.max_nodes,
                verification=self._verification,
            )
        except RequestError as error:
            raise ChatError(say.bad_setting(error)) from error

    def _prompt(self, task: Task, max_tokens: int) -> PromptBuild:
        messages = [*task.history, Message("user", task.question)]
        try:
            return self._built(messages, task.opening, max_tokens)
        except ChatError:
            if self._slots:
                raise
        plain = self.rewritten(task.text, "").parts  # the facts do not fit: the question alone
        return self._built([*task.history, Message("user", plain)], task.opening, max_tokens)

    def _built(self, messages: list[Message], opening: Parts, max_tokens: int) -> PromptBuild:
        context = self._context
        if max_tokens >= context:
            raise ChatError(say.too_long_answer(context, max_tokens))
        budget = context - max_tokens
        if not self._slots:  # the bundled model has never seen a system message
            for system in system_messages(self._company):
                with suppress(ChatError):  # too long: try the next, shorter one
                    return self._prompts.build([system, *messages], context_budget=budget)
        return self._prompts.build(messages, context_budget=budget, opening=opening)
