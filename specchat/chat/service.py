"""The chat: a customer's question in, a streamed answer out, one stored turn for every answer."""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING

from specchat.chat import wording as say
from specchat.chat.answer.preparation import Preparation
from specchat.chat.answer.prompt import PromptBuild
from specchat.chat.answer.responder import Responder
from specchat.chat.answer.task import last_turn, salt, turns_from
from specchat.chat.company.profile import Company
from specchat.chat.handoff import Handoffs
from specchat.chat.knowledge import Exchange, Knowledge
from specchat.chat.question import clean_question
from specchat.chat.redaction.redact import Redaction
from specchat.chat.slots.filler import SlotFiller
from specchat.chat.slots.message import with_slots
from specchat.chat.turns.conversation_export import as_json, as_markdown
from specchat.chat.turns.learning import Learning, Learns
from specchat.chat.turns.repository import ConversationRepository
from specchat.chat.turns.retention import Retention
from specchat.chat.types import (
    AnswerOptions,
    AnswerUpdate,
    ChatError,
    ChatTurn,
    ConversationSummary,
    Segment,
)
from specchat.engine.errors import EngineError
from storage import FeedbackRecord, HandoffRow, Store
from storage.care.records import HandoffReason

if TYPE_CHECKING:
    from specchat.engine.interface import AnyModel

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
BEST_SCORE = 5  # of a conversation
PATIENCE_S = 3.0  # for answers to end when the chat is closed


class ChatService:
    """Conversations of many customers on one engine. Safe to use from any thread.

    `owner` says whose data is meant: a conversation of somebody else does not exist for them
    (LookupError). Prefix pages are shared within one owner only.
    """

    def __init__(
        self,
        loaded: AnyModel,
        store: Store,
        company: Company,
        *,
        knowledge: Knowledge | None = None,
        learn: bool = False,
        retention_days: int | None = None,
    ) -> None:
        """`knowledge` is what models without slots answer from; without it they have the company's
        own pages, found by words alone.

        With `learn` the engine drafts from the answers given here too, where it can.

        What is older than `retention_days` is erased, now and daily (0: nothing is too old), and
        what is erased beside this is forgotten here; None leaves the store's age alone.
        """
        self._loaded = loaded
        self._company = company
        self._told: list[Callable[[], None]] = []
        self._preparation = Preparation(loaded, company, store, knowledge)
        self.learning = None
        if learn and isinstance(loaded.engine, Learns):
            self.learning = self._learning(loaded.engine, store)
        self._repository = ConversationRepository(store, company, self._preparation, self.learning)
        self.handoffs = Handoffs(store, self._repository)
        self._responder = Responder(
            loaded.engine, self._preparation, self._repository, self.handoffs
        )
        if retention_days is not None:
            Retention(store, retention_days, self.forget_erased)

    @property
    def loaded(self) -> AnyModel:
        """The model and engine that answer."""
        return self._loaded

    @property
    def company(self) -> Company:
        """The shop that the chat speaks for."""
        return self._company

    def when_erased(self, tell: Callable[[], None]) -> None:
        """Call `tell` behind every erasure: whoever has shown what was said may keep it too."""
        self._told.append(tell)

    def drain(self, patience_s: float) -> bool:
        """Take no further question and let every answer end by itself; False where some are left
        after `patience_s`."""
        return self._responder.drain(patience_s)

    def close(self, patience_s: float = PATIENCE_S) -> None:
        """Stop every answer and take no further question; each turn is stored when this returns.

        Before the engine is closed, so that what was said so far is measured, and before the store.
        """
        self._responder.close(patience_s)

    # -- conversations -------------------------------------------------------------------------

    def new_conversation(self, owner: str, *, keep: bool = True) -> str:
        """Start a conversation and return its id. It goes on in memory when the store fails.

        Without `keep` no word of it is stored, only what its answers cost.
        """
        return self._repository.new(owner, keep=keep).id

    def keep(self, conversation_id: str, *, owner: str) -> None:
        """What is said from now on may be stored. Raises LookupError if not the owner's."""
        self._repository.keep(self._repository.open(conversation_id, owner))

    def is_kept(self, conversation_id: str, *, owner: str) -> bool:
        """True when what is said there is stored. Raises LookupError if not the owner's."""
        return self._repository.open(conversation_id, owner).kept

    def conversations(
        self, owner: str, limit: int = 50, *, search: str = ""
    ) -> list[ConversationSummary]:
        """The owner's stored conversations, last used first; with `search` those with its words.

        Conversations nobody asked anything in are left out.
        """
        return self._repository.summaries(owner, limit, search)

    def history(self, conversation_id: str, owner: str) -> list[ChatTurn]:
        """The turns in order: as they were said while in memory, redacted after that.

        Raises:
            LookupError: there is no such conversation of this owner.
        """
        return self._repository.history(self._repository.open(conversation_id, owner))

    def rename_conversation(self, conversation_id: str, name: str, *, owner: str) -> None:
        """Give it another title. Raises LookupError if not the owner's, ChatError if empty."""
        live = self._repository.open(conversation_id, owner)
        if not name.strip():
            raise ChatError(say.EMPTY_TITLE)
        self._repository.rename(live, name)

    def export(self, conversation_id: str, form: str, *, owner: str, title: str = "") -> str:
        """The conversation as "json" or "markdown". Raises LookupError if not the owner's."""
        turns = self.history(conversation_id, owner)
        named = title or (turns[0].question if turns else "")
        return as_json(named, turns) if form == "json" else as_markdown(named, turns)

    def delete_conversation(self, conversation_id: str, *, owner: str) -> None:
        """Erase a conversation from memory, store and prefix cache. Raises LookupError."""
        self._repository.delete(self._repository.open(conversation_id, owner))
        self._evict(owner)

    def forget(self, owner: str) -> None:
        """Erase everything of this owner: conversations, turns, feedback, hand-offs, races, and
        the prefix pages in the engine.

        Raises:
            StoreError: the database is busy; the erasure stays queued.
        """
        try:
            self._repository.forget(owner)
        finally:
            self._evict(owner)

    def forget_erased(self) -> None:
        """Let go of everything that is no longer in the store, because a command beside the app
        or its age has erased it. Raises StoreError."""
        for owner in self._repository.forget_erased():
            self._evict(owner)

    def undo(self, conversation_id: str, *, owner: str) -> None:
        """Remove the last turn. Raises ChatError when there is none, or one is being answered."""
        live = self._repository.open(conversation_id, owner)
        with live.one_at_a_time():
            turn = last_turn(live)
            live.values = turn.values
            self._repository.remove(live, [turn.shown.turn_id])

    def stop(self, conversation_id: str, *, owner: str) -> None:
        """Stop the answer that is under way; its stream ends as cancelled. Without one: nothing."""
        stop = self._repository.open(conversation_id, owner).stop
        if stop is not None:
            stop()

    def is_answering(self, conversation_id: str, *, owner: str) -> bool:
        """True while a question of the conversation is being answered."""
        return self._repository.open(conversation_id, owner).answering.locked()

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
        While a colleague has the conversation the question goes to them instead.

        Raises:
            LookupError: there is no such conversation of this owner.
            ChatError: the question is empty or too long, a setting is out of range, or another
                question of this conversation is being answered. Nothing is stored then.
        """
        live = self._repository.open(conversation_id, owner)
        text = clean_question(question)
        with live.one_at_a_time():
            yield from self._responder.to(live, text, options)

    def answer_once(
        self,
        earlier: Sequence[Exchange],
        question: str,
        *,
        owner: str,
        options: AnswerOptions = _DEFAULT,
    ) -> Generator[AnswerUpdate, None, None]:
        """Answer a question of a conversation that its caller keeps, behind its `earlier` turns.

        No word of it is stored or remembered here, only what the answer cost; nobody is handed
        over. Yields as `answer` does.

        Raises:
            ChatError: as `answer`.
        """
        text = clean_question(question)
        live = self._repository.passing(owner, earlier)
        yield from self._responder.by_model(live, text, options)

    def retry(
        self, conversation_id: str, *, owner: str, options: AnswerOptions = _DEFAULT
    ) -> Generator[AnswerUpdate, None, None]:
        """Answer the last question again, with a new seed unless `options` name one.

        The new answer takes the old one's place as soon as there is one. Raises as `answer`.
        """
        live = self._repository.open(conversation_id, owner)
        with live.one_at_a_time():
            turn = last_turn(live)
            yield from self._responder.by_model(live, turn.shown.question, options, (turn,))

    def edit(
        self,
        conversation_id: str,
        turn_id: str,
        question: str,
        *,
        owner: str,
        options: AnswerOptions = _DEFAULT,
    ) -> Generator[AnswerUpdate, None, None]:
        """Ask a question of the conversation differently.

        The new turn takes the place of the old one and of all that came after it, as soon as
        there is an answer. Raises as `answer`; ChatError too when the turn is not in memory.
        """
        live = self._repository.open(conversation_id, owner)
        text = clean_question(question)
        with live.one_at_a_time():
            yield from self._responder.by_model(live, text, options, turns_from(live, turn_id))

    def rate_answer(self, conversation_id: str, turn_id: str, score: int, *, owner: str) -> None:
        """Like (1) or dislike (-1) an answer, or take it back (0).

        Two dislikes hand over a conversation that is kept.

        Raises:
            LookupError: there is no such conversation of this owner, or no such answer in it.
            StoreError: the database refused it.
        """
        live = self._repository.open(conversation_id, owner)
        if all(turn.turn_id != turn_id for turn in self._repository.history(live)):
            raise LookupError("no such answer")
        before = live.opinions.get(turn_id, 0)
        kept = live.id if live.kept else None
        self._repository.rate(
            live,
            FeedbackRecord(kind="answer", score=score, conversation_id=kept, turn_id=turn_id),
        )
        if score == -1 and before != -1:
            with suppress(ChatError):
                self.handoffs.disliked(live)

    def rate_conversation(
        self, conversation_id: str, score: int, comment: str = "", *, owner: str
    ) -> None:
        """How content the customer is, 1 to 5, with a comment.

        Raises:
            LookupError: there is no such conversation of this owner.
            ChatError: the score is out of range.
            StoreError: the database refused it.
        """
        live = self._repository.open(conversation_id, owner)
        if not 1 <= score <= BEST_SCORE:
            raise ChatError(say.bad_score(score, BEST_SCORE))
        kept = live.kept  # once: a comment without its conversation could never be erased
        self._repository.rate(
            live,
            FeedbackRecord(
                kind="csat",
                score=score,
                conversation_id=live.id if kept else None,
                comment=self._repository.redacted(comment, live).text if kept else "",
            ),
        )

    # -- a person ------------------------------------------------------------------------------

    def request_person(
        self, conversation_id: str, *, owner: str, reason: HandoffReason = "asked"
    ) -> HandoffRow:
        """Queue the customer for a person; the conversation is kept from now on.

        Raises:
            LookupError: there is no such conversation of this owner.
            ChatError: the desk cannot be reached.
        """
        return self.handoffs.request(self._repository.open(conversation_id, owner), reason)

    def cancel_person(self, conversation_id: str, *, owner: str) -> None:
        """Back to the assistant. Raises LookupError if not the owner's."""
        self.handoffs.cancel(self._repository.open(conversation_id, owner))

    def handoff(self, conversation_id: str, *, owner: str) -> HandoffRow | None:
        """The newest hand-off, closed or not. Raises LookupError if not the owner's."""
        return self.handoffs.of(self._repository.open(conversation_id, owner))

    # -- what the race uses --------------------------------------------------------------------

    def prompt_for(
        self,
        question: str,
        max_tokens: int = _DEFAULT.max_tokens,
        earlier: Sequence[Exchange] = (),
    ) -> PromptBuild:
        """The prompt of a question by itself or behind `earlier` turns, with what is found for it.
        Raises ChatError as `answer` does."""
        return self._preparation.prompt_for(question, max_tokens, earlier)

    def filler_for(self, question: str) -> SlotFiller:
        """A fresh filler for the answer to a single question. Raises ChatError as `answer`."""
        return self._preparation.filler_for(question)

    def redacted(self, text: str) -> Redaction:
        """The text as it may be stored; the shop's own contacts stay."""
        return self._repository.redacted(text)

    def _learning(self, engine: Learns, store: Store) -> Learning:
        shop, loaded, known = self._company, self._loaded, self._preparation.slot_texts
        texts = [entry.answer for entry in shop.faq] + [reply.text for reply in shop.replies]
        values = known(self._preparation.values)
        own = [with_slots(text, values) for text in texts]
        return Learning(engine, loaded.tokenizer, store, loaded.engine.info.name, own)

    def _evict(self, owner: str) -> None:
        with suppress(EngineError):  # a closed engine holds no pages
            self._loaded.engine.evict_salt(salt(owner))
        for tell in self._told:
            tell()
