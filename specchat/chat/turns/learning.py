"""Growth: what the engine drafts from, beside its seed, are the answers that were given here.

Only redacted answers of conversations that are kept are learned, as the model wrote them, for all
customers of the shop. The store is what is remembered; this is taught anew when the chat starts,
and whatever is erased there is unlearned here.
"""

from __future__ import annotations

import logging
import queue
import threading
from array import array
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

from specchat.chat.answer.prompt import PromptBuilder
from specchat.chat.slots.message import Parts, parsed
from storage import Store, StoreError
from storage.written_answers import WrittenAnswer

log = logging.getLogger(__name__)

MOST_ANSWERS = 4_000
"""Of the latest are kept: about as many as the seed of the bundled model has."""


@runtime_checkable
class Learns(Protocol):
    """What is needed of the engine."""

    def learn(
        self, answers: Sequence[Sequence[int]], salt: str = "", *, fresh: bool = False
    ) -> None: ...


@dataclass(frozen=True, slots=True)
class _Learned:
    conversation_id: str
    owner: str
    ids: array[int]


class Learning:
    """Teaches an engine on a thread of its own, so that no answer waits. Thread-safe."""

    def __init__(
        self,
        engine: Learns,
        tokenizer: Any,
        store: Store,
        model: str,
        own_texts: Iterable[Parts] = (),
    ) -> None:
        """`own_texts` are the shop's: FAQ answers and canned replies. What the store has of `model`
        is learned in the background."""
        self._engine = engine
        self._store = store
        self._model = model
        self._prompts = PromptBuilder(tokenizer)
        self._own_texts = tuple(own_texts)
        self._own: list[list[int]] = []
        self._answers: dict[str, _Learned] = {}  # by turn, oldest first
        self._forgotten: dict[str, int] = {}  # a turn, conversation or owner -> when
        self._now = 0
        self._lock = threading.Lock()
        self._jobs: queue.SimpleQueue[Callable[[], None]] = queue.SimpleQueue()
        threading.Thread(target=self._work, name="specchat-learning", daemon=True).start()
        self._jobs.put(self._begin)

    def add(self, answer: WrittenAnswer) -> None:
        """Learn a new answer soon."""
        asked = self._tick()
        self._jobs.put(lambda: self._learn([answer], asked))

    def forget(
        self, *, turns: Iterable[str] = (), conversation_id: str = "", owner: str | None = None
    ) -> None:
        """Unlearn these turns, a conversation, or all that an owner was told.

        Nothing of it is drafted from when this returns; the rest is there again soon after.
        """
        gone = {*turns, *([conversation_id] if conversation_id else [])}
        if owner is not None:
            gone.add(_owner_key(owner))
        with self._lock:
            self._now += 1
            self._forgotten.update(dict.fromkeys(gone, self._now))
            kept = {t: a for t, a in self._answers.items() if gone.isdisjoint(_keys(t, a))}
            if len(kept) == len(self._answers):
                return
            self._answers = kept
            self._engine.learn((), fresh=True)
        self._jobs.put(self._relearn)

    def forget_erased(self) -> None:
        """Unlearn what somebody else erased from the store, such as a command beside the app.

        Raises:
            StoreError: the store does not answer.
        """
        with self._lock:
            learned = set(self._answers)
        if learned and self._store.flush():
            kept = self._store.written_answers(self._model, MOST_ANSWERS)
            gone = learned - {answer.turn_id for answer in kept}
            if gone:
                self.forget(turns=gone)

    def wait(self, timeout_s: float = 10.0) -> bool:
        """Wait until everything so far is learned; False after `timeout_s`."""
        done = threading.Event()
        self._jobs.put(done.set)
        return done.wait(timeout_s)

    # On the thread

    def _work(self) -> None:
        while True:
            job = self._jobs.get()
            try:
                job()
            except Exception:  # drafts are a matter of speed; the chat goes on
                log.exception("an answer was not learned")

    def _begin(self) -> None:
        self._own = [self._prompts.answer(text, whole=True) for text in self._own_texts]
        asked = self._tick()
        with self._lock:
            self._engine.learn(self._own)
        with suppress(StoreError):
            self._learn(self._store.written_answers(self._model, MOST_ANSWERS), asked)

    def _learn(self, answers: Sequence[WrittenAnswer], asked: int) -> None:
        """Learn what was not forgotten since `asked`."""
        new = {each.turn_id: self._learned(each) for each in answers}
        with self._lock:
            kept = {
                turn: each
                for turn, each in new.items()
                if turn not in self._answers
                and all(self._forgotten.get(key, -1) < asked for key in _keys(turn, each))
            }
            self._answers.update(kept)
            for turn in list(self._answers)[:-MOST_ANSWERS]:
                del self._answers[turn]
            self._engine.learn([each.ids for each in kept.values()])

    def _relearn(self) -> None:
        with self._lock:
            answers = [each.ids for each in self._answers.values()]
            self._engine.learn([*self._own, *answers], fresh=True)

    def _learned(self, answer: WrittenAnswer) -> _Learned:
        ids = self._prompts.answer(
            parsed(answer.text), whole=answer.whole, question=parsed(answer.question)
        )
        return _Learned(answer.conversation_id, answer.owner, array("i", ids))

    def _tick(self) -> int:
        with self._lock:
            self._now += 1
            return self._now


def _keys(turn_id: str, answer: _Learned) -> tuple[str, str, str]:
    return turn_id, answer.conversation_id, _owner_key(answer.owner)


def _owner_key(owner: str) -> str:
    return f"owner {owner}"
