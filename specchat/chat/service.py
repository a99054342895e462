"""The chat: a customer's question in, a streamed answer out, one stored turn for every answer."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import suppress
from typing import TYPE_CHECKING

from specchat.chat.answering import Answering
from specchat.chat.company import Company
from specchat.chat.conversation import LiveConversation, LiveConversations, LiveTurn
from specchat.chat.faq import FaqIndex
from specchat.chat.grounding import system_messages
from specchat.chat.parts import Message, with_slots
from specchat.chat.prompt import PLAIN_STOP, PromptBuild, PromptBuilder
from specchat.chat.record import metrics_from
from specchat.chat.redact import Redaction, describe, redact
from specchat.chat.rewrite import Rewrite, currency_of, rewrite_input
from specchat.chat.slots import SlotFiller, SlotValues
from specchat.chat.slots_vocab import SLOTS
from specchat.chat.task import Task, derived_seed, last_turn, salt, shown_from, title
from specchat.chat.text import clean_question
from specchat.chat.types import (
    AnswerOptions,
    AnswerUpdate,
    ChatError,
    ChatTurn,
    ConversationSummary,
    Segment,
)
from specchat.engine.errors import EngineError, RequestError
from specchat.engine.request import Request, SamplingParams
from storage import Store, StoreError, TurnMetrics, TurnRecord
from storage.records import new_id

if TYPE_CHECKING:
    from specchat.loader import LoadedModel

__all__ = [
    "AnswerOptions",
    "AnswerUpdate",
    "ChatError",
    "ChatService",
    "ChatTurn",
    "ConversationSummary",
    "Segment",
]

_DEFAULT = AnswerOptions()
_FLUSH_S = 0.5  # to wait for turns on their way into the store, before reading from it


class ChatService:
    """Conversations of many customers on one engine. Safe to use from any thread.

    `owner` says whose data is meant: a conversation of somebody else does not exist for them
    (LookupError). Prefix pages are shared within one owner only.
    """

    def __init__(self, loaded: LoadedModel, store: Store, company: Company) -> None:
        self._loaded = loaded
        self._engine = loaded.engine
        self._info = loaded.engine.info
        self._slots = loaded.uses_slots
        self._store = store
        self._company = company
        self._prompts = PromptBuilder(loaded.tokenizer)
        self._stop = () if getattr(loaded.tokenizer, "chat_template", None) else PLAIN_STOP
        self._faq = FaqIndex(company.faq)
        self._values = SlotValues.of(company)
        self._live = LiveConversations()

    @property
    def loaded(self) -> LoadedModel:
        """The model and engine that answer."""
        return self._loaded

    @property
    def company(self) -> Company:
        """The shop that the chat speaks for."""
        return self._company

    # -- conversations -------------------------------------------------------------------------

    def new_conversation(self, owner: str) -> str:
        """Start a conversation and return its id. It goes on in memory when the store fails."""
        saved = True
        try:
            conversation_id = self._store.create_conversation(owner)
        except StoreError:
            saved, conversation_id = False, new_id()
        self._live.add(LiveConversation(conversation_id, owner, self._values, saved=saved))
        return conversation_id

    def conversations(self, owner: str, limit: int = 50) -> list[ConversationSummary]:
        """The owner's conversations, last used first; those nobody asked anything are left out."""
        self._store.flush(_FLUSH_S)  # a turn that has just ended belongs in the list
        rows = self._store.conversations(owner, limit)
        return [
            ConversationSummary(row.id, row.title or "New conversation", row.updated_at, row.turns)
            for row in rows
            if row.turns
        ]

    def history(self, conversation_id: str, owner: str) -> list[ChatTurn]:
        """The turns in order: as they were said while in memory, redacted after that.

        Raises:
            LookupError: there is no such conversation of this owner.
        """
        live = self._open(conversation_id, owner)
        shown = [turn.shown for turn in live.turns]
        skip = {turn.turn_id for turn in shown} | live.removed
        try:
            stored = self._store.turns(conversation_id)
        except StoreError:
            stored = []
        earlier = [shown_from(row) for row in stored if row.turn_id not in skip]
        return [*earlier, *shown]

    def delete_conversation(self, conversation_id: str, *, owner: str) -> None:
        """Erase a conversation from memory and store. Raises LookupError if not the owner's."""
        live = self._open(conversation_id, owner)
        if live.stop is not None:
            live.stop()
        self._live.discard(conversation_id)
        with suppress(LookupError):  # one that was never saved
            self._store.delete_conversation(conversation_id, owner)

    def undo(self, conversation_id: str, *, owner: str) -> None:
        """Remove the last turn. Raises ChatError when there is none, or one is being answered."""
        live = self._open(conversation_id, owner)
        with live.one_at_a_time():
            turn = last_turn(live)
            live.values = turn.values
            self._remove(live, turn.shown.turn_id)

    def stop(self, conversation_id: str, *, owner: str) -> None:
        """Stop the answer that is under way; its stream ends as cancelled. Without one: nothing."""
        stop = self._open(conversation_id, owner).stop
        if stop is not None:
            stop()

    # -- answers -------------------------------------------------------------------------------

    def answer(
        self,
        conversation_id: str,
        question: str,
        *,
        owner: str,
        options: AnswerOptions = _DEFAULT,
    ) -> Generator[AnswerUpdate, None, None]:
        """Answer a question: updates about every 40 ms, the last one with `done`.

        One turn is stored for every answer, whether it completes, fails or is closed early.

        Raises:
            LookupError: there is no such conversation of this owner.
            ChatError: the question is empty or too long, a setting is out of range, or another
                question of this conversation is being answered. Nothing is stored then.
        """
        live = self._open(conversation_id, owner)
        text = clean_question(question)
        with live.one_at_a_time():
            yield from self._answer(live, text, options)

    def retry(
        self, conversation_id: str, *, owner: str, options: AnswerOptions = _DEFAULT
    ) -> Generator[AnswerUpdate, None, None]:
        """Answer the last question again, with a new seed unless `options` name one.

        The new answer takes the old one's place as soon as there is one. Raises as `answer`.
        """
        live = self._open(conversation_id, owner)
        with live.one_at_a_time():
            turn = last_turn(live)
            yield from self._answer(live, turn.shown.question, options, instead_of=turn)

    def _answer(
        self,
        live: LiveConversation,
        text: str,
        options: AnswerOptions,
        instead_of: LiveTurn | None = None,
    ) -> Generator[AnswerUpdate, None, None]:
        task = self._task(live, text, instead_of)
        params = self._params(live, options, task)
        prompt = self._prompt(text, task.messages, params.max_tokens)
        answering = Answering(
            request=Request(prompt.ids, params, salt=salt(live.owner)),
            filler=SlotFiller(task.values, enabled=self._slots),
            mode=options.mode,
            slots=self._slots,
            notes=self._notes(live, text, prompt),
            sources=self._faq.search(text),
        )
        live.stop = answering.stop
        try:
            yield answering.update()
            yield from answering.updates(self._engine)
        except (GeneratorExit, KeyboardInterrupt):
            raise
        except BaseException:
            answering.fail("Something went wrong while answering. Please try again.")
            raise
        finally:
            live.stop = None
            answering.settle()
            self._finish(live, answering, task)
        yield answering.update()

    def _task(self, live: LiveConversation, text: str, instead_of: LiveTurn | None) -> Task:
        """What is to be answered, and what is known when it is asked."""
        earlier = live.turns[:-1] if instead_of else live.turns
        before = instead_of.values if instead_of else live.values
        rewrite = self._rewritten(text, earlier[-1].shown.answer if earlier else "")
        return Task(
            text=text,
            question=rewrite.parts,
            history=tuple(message for turn in earlier for message in turn.messages),
            before=before,
            values=before.with_customer(rewrite.values),
            position=instead_of.position if instead_of else live.asked,
            attempt=instead_of.attempt + 1 if instead_of else 0,
            instead_of=instead_of,
        )

    def _finish(self, live: LiveConversation, answering: Answering, task: Task) -> None:
        """Keep the turn in memory and store it, whatever became of it."""
        shown = ChatTurn(
            turn_id=answering.turn_id,
            question=task.text,
            answer=answering.text,
            status=answering.ended_as,
            mode=answering.mode,
            footer_stats=self._metrics(answering),
            created_at=answering.created_at,
            segments=tuple(answering.segments),
            sources=answering.sources,
        )
        self._store_turn(live, shown)
        if task.instead_of is not None:
            if shown.status == "failed" and not shown.answer:  # the old answer is worth more
                self._remove(live, shown.turn_id)
                return
            self._remove(live, task.instead_of.shown.turn_id)
        live.values = task.values
        live.asked = max(live.asked, task.position + 1)
        live.append(
            LiveTurn(
                shown=shown,
                question=task.question,
                answer=answering.parts,
                values=task.before,
                position=task.position,
                attempt=task.attempt,
            )
        )

    def _metrics(self, answering: Answering) -> TurnMetrics | None:
        if answering.stats is None:
            return None
        backend = ""
        with suppress(EngineError):  # it may have been closed meanwhile
            backend = self._engine.snapshot().backend
        return metrics_from(
            answering.stats,
            answering.request.params,
            self._info,
            answering.mode,
            backend=backend,
        )

    # -- what the race uses --------------------------------------------------------------------

    def prompt_for(self, question: str, max_tokens: int = _DEFAULT.max_tokens) -> PromptBuild:
        """The prompt of a single question. Raises ChatError as `answer` does."""
        text = clean_question(question)
        message = Message("user", self._rewritten(text, "").parts)
        return self._prompt(text, [message], max_tokens)

    def filler_for(self, question: str) -> SlotFiller:
        """A fresh filler for the answer to a single question. Raises ChatError as `answer`."""
        said = self._rewritten(clean_question(question), "").values
        values = self._values.with_customer(said)
        return SlotFiller(values, enabled=self._slots)

    # -- parts of an answer --------------------------------------------------------------------

    def _rewritten(self, text: str, asked: str) -> Rewrite:
        """The question as the model sees it: with slots only if it knows them."""
        if not self._slots:
            return Rewrite((text,), {})
        found = rewrite_input(text, asked=asked, account_types=self._company.account_types)
        currency = currency_of(text)
        if "refund_amount" in found.values and currency and "currency" not in found.values:
            return Rewrite(found.parts, {**found.values, "currency": currency})
        return found

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
            )
        except RequestError as error:
            raise ChatError(f"This setting does not work: {error}.") from error

    def _prompt(self, text: str, messages: list[Message], max_tokens: int) -> PromptBuild:
        context = self._info.context_length
        if max_tokens >= context:
            raise ChatError(
                f"The longest answer must be under {context} tokens, the model's context; "
                f"got {max_tokens}."
            )
        budget = context - max_tokens
        if self._slots:  # the bundled model has never seen a system message
            return self._prompts.build(messages, context_budget=budget)
        for system in system_messages(self._company, self._faq.search(text)):
            with suppress(ChatError):  # too long: try the next, shorter one
                return self._prompts.build([system, *messages], context_budget=budget)
        return self._prompts.build(messages, context_budget=budget)

    def _notes(self, live: LiveConversation, text: str, prompt: PromptBuild) -> tuple[str, ...]:
        notes = [] if live.saved else ["This conversation cannot be saved at the moment."]
        dropped = prompt.dropped_turns
        if dropped:
            turns = (
                "1 earlier turn no longer fits"
                if dropped == 1
                else (f"{dropped} earlier turns no longer fit")
            )
            notes.append(f"{turns} the model's memory.")
        hidden = self.redacted(text).counts
        if hidden:
            notes.append(f"Hidden in the record: {describe(hidden)}.")
        return tuple(notes)

    # -- memory and store ----------------------------------------------------------------------

    def _open(self, conversation_id: str, owner: str) -> LiveConversation:
        """The conversation in memory, read back from the store when it has to be."""
        live = self._live.get(conversation_id)
        if live is None:
            live = self._live.add(self._read_back(conversation_id, owner))
        if live.owner != owner:
            raise LookupError(f"no conversation {conversation_id!r} of this owner")
        return live

    def _read_back(self, conversation_id: str, owner: str) -> LiveConversation:
        """The conversation as the store has it: redacted."""
        self._store.flush(_FLUSH_S)
        row = self._store.conversation(conversation_id, owner)
        live = LiveConversation(conversation_id, owner, self._values, titled=bool(row.title))
        for turn in self._store.turns(conversation_id):
            before = live.values
            rewrite = self._rewritten(turn.question, live.last_answer)
            live.values = before.with_customer(rewrite.values)
            answer = with_slots(turn.answer, self._slot_texts(live.values))
            live.append(LiveTurn(shown_from(turn), rewrite.parts, answer, before, turn.position, 0))
            live.asked = turn.position + 1
        return live

    def _slot_texts(self, values: SlotValues) -> dict[str, str]:
        """What stands for slots in a filled answer; nothing for models without slots."""
        if not self._slots:
            return {}
        return {name: value for name, value in values.known.items() if name in SLOTS}

    def _remove(self, live: LiveConversation, turn_id: str) -> None:
        live.remove(turn_id)
        with suppress(StoreError):
            self._store.remove_turn(turn_id)

    def _store_turn(self, live: LiveConversation, turn: ChatTurn) -> None:
        """Queue the turn, redacted. The chat goes on when the store cannot take it."""
        question = self.redacted(turn.question).text
        record = TurnRecord(
            conversation_id=live.id,
            question=question,
            answer=self.redacted(turn.answer).text,
            status=turn.status,
            metrics=turn.footer_stats,
            turn_id=turn.turn_id,
            created_at=turn.created_at,
        )
        with suppress(StoreError, LookupError):
            self._store.record_turn(record)
            if not live.titled:
                live.titled = True
                self._store.rename_conversation(live.id, live.owner, title(question))

    def redacted(self, text: str) -> Redaction:
        """The text as it may be stored; the shop's own contacts stay."""
        company = self._company
        return redact(text, keep=company.public_contacts, region=company.phone_region)
