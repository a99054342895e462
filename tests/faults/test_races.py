"""Any order of what customers and colleagues do, against a model of what must hold.

SPECCHAT_FAULT_EXAMPLES sets how many orders hypothesis tries (8 without it); for a long run:

    SPECCHAT_FAULT_EXAMPLES=2000 pytest tests/faults/test_races.py

With SPECCHAT_FAULT_SHRINK set an order that fails is made as short as can be, which takes minutes.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Generator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from specchat.chat.types import AnswerOptions, AnswerUpdate, ChatError
from specchat.loader import LoadedModel
from tests.faults.watched import Watched, new_word

EXAMPLES = int(os.environ.get("SPECCHAT_FAULT_EXAMPLES", "8"))
STEPS = 50
PHASES = [Phase.generate] + [Phase.shrink] * ("SPECCHAT_FAULT_SHRINK" in os.environ)
OWNERS = 3
NUMBER = st.integers(0, 9)
SELDOM = 4  # of NUMBER: what takes much away happens where it is less
TOKENS = st.sampled_from([1, 4, 12])


@dataclass
class Said:
    """One turn as it must be found again."""

    turn_id: str
    word: str  # in the question, or in the answer of a colleague
    stored: bool
    by_person: bool = False


@dataclass
class Talk:
    """One conversation as it must be."""

    id: str
    owner: str
    kept: bool
    turns: list[Said] = field(default_factory=list)
    comments: set[str] = field(default_factory=set)
    under_way: Answering | None = None


@dataclass
class Answering:
    """An answer that is being read."""

    talk: Talk
    word: str
    updates: Generator[AnswerUpdate, None, None]
    replaces: tuple[Said, ...] = ()  # as soon as there is an answer
    by_person: bool = False  # a colleague answers
    last: AnswerUpdate | None = None


class Chats(RuleBasedStateMachine):
    """Several owners with several conversations each."""

    loaded: LoadedModel

    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        self.shop = Watched(self.loaded, Path(self.folder.name) / "chat.db")
        self.owners = [f"owner{new_word()}" for _ in range(OWNERS)]
        self.talks: list[Talk] = []
        self.erased: list[Talk] = []
        self.left: list[Answering] = []  # whose conversation was erased while they were read
        self.gone_words: set[str] = set()  # that must be nowhere any more
        self.removed_words: set[str] = set()  # of turns that were taken out
        self.gone_owners: set[str] = set()

    @property
    def service(self) -> Any:
        return self.shop.service

    def pick(self, number: int) -> Talk:
        return self.talks[number % len(self.talks)]

    # -- what customers do ---------------------------------------------------------------------

    @initialize()
    def open_two(self) -> None:
        for number, keep in enumerate((True, False)):
            self.begin(number, keep)

    @rule(number=NUMBER, keep=st.booleans())
    def begin(self, number: int, keep: bool) -> None:
        owner = self.owners[number % OWNERS]
        self.talks.append(Talk(self.service.new_conversation(owner, keep=keep), owner, keep))

    @precondition(lambda self: self.talks)
    @rule(number=NUMBER, tokens=TOKENS)
    def ask(self, number: int, tokens: int) -> None:
        self.asked(number, tokens, None)

    @precondition(lambda self: self.talks)
    @rule(number=NUMBER)
    def ask_more(self, number: int) -> None:
        """Again, for customers ask more often than they do anything else."""
        self.asked(number, 2, None)

    @precondition(lambda self: self.talks)
    @rule(number=NUMBER, tokens=st.sampled_from([12, 100]), updates=st.integers(1, 3))
    def start(self, number: int, tokens: int, updates: int) -> None:
        """Ask and read a little."""
        self.asked(number, tokens, updates)

    @precondition(lambda self: self.talks)
    @rule(number=NUMBER, updates=st.sampled_from([None, None, 1, 2]), tokens=TOKENS)
    def retry(self, number: int, updates: int | None, tokens: int) -> None:
        talk = self.pick(number)
        opened = self.service.retry(
            talk.id, owner=talk.owner, options=AnswerOptions(max_tokens=tokens)
        )
        if talk.under_way is None and (not talk.turns or talk.turns[-1].by_person):
            with pytest.raises(ChatError):
                next(opened)
            return
        word = talk.turns[-1].word if talk.turns else ""
        self.opened(Answering(talk, word, opened, tuple(talk.turns[-1:])), updates)

    @precondition(lambda self: self.talks)
    @rule(number=NUMBER, place=NUMBER, updates=st.sampled_from([None, None, 1, 2]))
    def edit(self, number: int, place: int, updates: int | None) -> None:
        talk, word = self.pick(number), new_word()
        if not talk.turns:
            return
        place %= len(talk.turns)
        opened = self.service.edit(
            talk.id, talk.turns[place].turn_id, f"where is my {word}", owner=talk.owner,
            options=AnswerOptions(max_tokens=6),
        )  # fmt: skip
        if talk.under_way is None and any(turn.by_person for turn in talk.turns[place:]):
            with pytest.raises(ChatError):
                next(opened)
            return
        self.opened(Answering(talk, word, opened, tuple(talk.turns[place:])), updates)

    @rule(number=NUMBER, how=st.sampled_from(["read", "stop", "leave"]))
    def end(self, number: int, how: str) -> None:
        """Read an answer to its end, stop it, or close the page."""
        under_way = [talk.under_way for talk in self.talks if talk.under_way]
        if not under_way:  # no precondition: the engine's pace must not decide what is drawn
            return
        asked = under_way[number % len(under_way)]
        if how == "stop":
            self.service.stop(asked.talk.id, owner=asked.talk.owner)
        self.read_on(asked, leave=how == "leave")

    @precondition(lambda self: self.talks)
    @rule(number=NUMBER)
    def undo(self, number: int) -> None:
        talk = self.pick(number)
        if talk.under_way or not talk.turns or talk.turns[-1].by_person:
            with pytest.raises(ChatError):
                self.service.undo(talk.id, owner=talk.owner)
            return
        self.service.undo(talk.id, owner=talk.owner)
        self.take_out(talk, talk.turns[-1:])

    @precondition(lambda self: self.talks)
    @rule(number=NUMBER, score=st.sampled_from([-1, 0, 1]))
    def rate(self, number: int, score: int) -> None:
        talk = self.pick(number)
        if talk.turns:
            self.service.rate_answer(talk.id, talk.turns[-1].turn_id, score, owner=talk.owner)

    @precondition(lambda self: self.talks)
    @rule(number=NUMBER, score=st.integers(1, 5))
    def comment(self, number: int, score: int) -> None:
        talk, word = self.pick(number), new_word()
        self.service.rate_conversation(talk.id, score, f"I like {word}", owner=talk.owner)
        assert (word in self.shop.rows("feedback")) is talk.kept
        (talk.comments if talk.kept else self.gone_words).add(word)

    @precondition(lambda self: self.talks)
    @rule(number=NUMBER)
    def keep(self, number: int) -> None:
        talk = self.pick(number)
        self.service.keep(talk.id, owner=talk.owner)
        talk.kept = True

    @precondition(lambda self: self.talks)
    @rule(number=NUMBER)
    def call_a_person(self, number: int) -> None:
        talk = self.pick(number)
        assert self.service.request_person(talk.id, owner=talk.owner).status != "closed"
        talk.kept = True

    @precondition(lambda self: self.talks)
    @rule(number=NUMBER)
    def back_to_the_assistant(self, number: int) -> None:
        talk = self.pick(number)
        self.service.cancel_person(talk.id, owner=talk.owner)
        found = self.service.handoff(talk.id, owner=talk.owner)
        assert found is None or found.status == "closed"

    # -- what colleagues do --------------------------------------------------------------------

    @rule(number=NUMBER, how=st.sampled_from(["reply", "reply", "take", "close"]))
    def at_the_desk(self, number: int, how: str) -> None:
        queue = self.service.handoffs.queue()
        if not queue:
            return
        case = queue[number % len(queue)]
        if how != "reply":
            getattr(self.service.handoffs, how)(case.handoff_id)
            return
        (talk,) = (talk for talk in self.talks if talk.id == case.conversation_id)
        word = new_word()
        self.service.handoffs.reply(case.handoff_id, f"we found your {word}")
        added = self.service.history(talk.id, talk.owner)[-1]
        assert word in added.answer
        talk.turns.append(Said(added.turn_id, word, stored=True, by_person=True))

    # -- erasing and starting anew -------------------------------------------------------------

    @precondition(lambda self: self.talks)
    @rule(number=NUMBER)
    def erase_one(self, number: int) -> None:
        if number >= SELDOM:
            return
        talk = self.pick(number)
        self.service.delete_conversation(talk.id, owner=talk.owner)
        self.is_erased(talk)

    @rule(number=NUMBER)
    def erase_all(self, number: int) -> None:
        if number >= SELDOM:
            return
        owner = self.owners[number % OWNERS]
        self.service.forget(owner)
        assert not self.shop.finds_pages_of(owner)
        for talk in [talk for talk in self.talks if talk.owner == owner]:
            self.is_erased(talk)
        self.gone_owners.add(owner)
        self.owners[number % OWNERS] = f"owner{new_word()}"

    @rule()
    def read_on_what_is_erased(self) -> None:
        if not self.left:
            return
        asked = self.left.pop()
        assert [update.status for update in asked.updates][-1:] in (["cancelled"], ["completed"])
        if asked.talk.owner in self.gone_owners:
            assert not self.shop.finds_pages_of(asked.talk.owner)

    @rule(number=NUMBER)
    def restart(self, number: int) -> None:
        if number >= SELDOM:
            return
        for talk in self.talks:
            if talk.under_way:
                self.read_on(talk.under_way)
        for asked in self.left:
            asked.updates.close()
        self.left.clear()
        self.shop.restart()
        for talk in [talk for talk in self.talks if not talk.kept]:
            self.is_erased(talk)
        for talk in self.talks:
            talk.turns = [turn for turn in talk.turns if turn.stored]

    # -- what follows --------------------------------------------------------------------------

    @property
    def busy(self) -> bool:
        return bool(self.left) or any(talk.under_way for talk in self.talks)

    def asked(self, number: int, tokens: int, updates: int | None) -> None:
        talk, word = self.pick(number), new_word()
        options = AnswerOptions(max_tokens=tokens)
        opened = self.service.answer(
            talk.id, f"where is my {word}", owner=talk.owner, options=options
        )
        by_person = talk.under_way is None and self.is_active(talk)
        self.opened(Answering(talk, word, opened, by_person=by_person), updates)

    def opened(self, asked: Answering, updates: int | None) -> None:
        """Read the first updates, or with None all."""
        talk = asked.talk
        if talk.under_way is not None:
            with pytest.raises(ChatError, match="still being answered"):
                next(asked.updates)
            return
        talk.under_way = asked
        for update in islice(asked.updates, updates):
            asked.last = update
        assert asked.last is not None
        if asked.last.done:
            self.read_on(asked)

    def read_on(self, asked: Answering, *, leave: bool = False) -> None:
        """Read an answer to its end, or leave; then the turn is there."""
        talk = asked.talk
        if leave:
            asked.updates.close()
        else:
            for update in asked.updates:
                asked.last = update
        talk.under_way = None
        assert asked.last is not None
        assert asked.last.status != "failed"
        self.take_out(talk, asked.replaces)
        self.removed_words.discard(asked.word)
        said = Said(asked.last.turn_id, asked.word, talk.kept, asked.by_person)
        talk.turns.append(said)

    def is_active(self, talk: Talk) -> bool:
        found = self.service.handoff(talk.id, owner=talk.owner)
        return found is not None and found.status == "active"

    def take_out(self, talk: Talk, gone: Sequence[Said]) -> None:
        self.removed_words |= {turn.word for turn in gone}
        talk.turns = [turn for turn in talk.turns if turn not in gone]

    def is_erased(self, talk: Talk) -> None:
        self.talks.remove(talk)
        self.erased.append(talk)
        self.gone_words |= {turn.word for turn in talk.turns} | talk.comments
        if talk.under_way is not None:
            self.gone_words.add(talk.under_way.word)
            self.left.append(talk.under_way)

    # -- what must hold ------------------------------------------------------------------------

    @invariant()
    def pages_are_whole(self) -> None:
        if not self.busy:
            self.shop.wait_idle()

    @invariant()
    def turns_are_as_they_were_said(self) -> None:
        assert self.shop.store.flush()
        for talk in self.talks:
            turns = self.service.history(talk.id, talk.owner)
            assert [turn.turn_id for turn in turns] == [turn.turn_id for turn in talk.turns]
            for turn, said in zip(turns, talk.turns, strict=True):
                assert said.word in turn.question + turn.answer
                assert turn.by_person is said.by_person
            if talk.kept:
                stored = self.shop.store.turns(talk.id)
                assert [t.turn_id for t in stored] == [t.turn_id for t in talk.turns if t.stored]

    @invariant()
    def nothing_is_kept_of_what_was_declined_or_erased(self) -> None:
        rows = self.shop.rows()
        declined = {t.word for talk in self.talks if not talk.kept for t in talk.turns}
        for word in declined | self.gone_words | self.gone_owners:
            assert word not in rows
        said = self.shop.rows("turn", "conversation")
        for word in self.removed_words:
            assert word not in said
        assert self.shop.learned_from() <= {talk.id for talk in self.talks if talk.kept}

    @invariant()
    def nobody_reads_what_is_somebody_elses(self) -> None:
        for talk in self.talks:
            other = next(owner for owner in self.owners if owner != talk.owner)
            with pytest.raises(LookupError):
                self.service.history(talk.id, other)
        for talk in self.erased[-3:]:
            with pytest.raises(LookupError):
                self.service.history(talk.id, talk.owner)
        for owner in self.owners:
            listed = {found.id for found in self.service.conversations(owner)}
            assert listed <= {talk.id for talk in self.talks if talk.owner == owner and talk.kept}

    @invariant()
    def a_conversation_waits_once(self) -> None:
        waiting = [case.conversation_id for case in self.service.handoffs.queue()]
        assert len(waiting) == len(set(waiting))
        assert set(waiting) <= {talk.id for talk in self.talks if talk.kept}

    def teardown(self) -> None:
        try:
            for asked in (*self.left, *(t.under_way for t in self.talks if t.under_way)):
                asked.updates.close()
            self.shop.wait_idle()
            found = self.shop.bytes()
            for word in self.gone_words | self.gone_owners | self.removed_words:
                assert word.encode() not in found or word in self.shop.rows("handoff")
        finally:
            self.shop.close()
            self.folder.cleanup()


def test_any_order_of_actions_leaves_pages_rows_and_owners_as_they_must_be(
    loaded: LoadedModel,
) -> None:
    machine = type("Chats", (Chats,), {"loaded": loaded})
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=EXAMPLES,
            stateful_step_count=STEPS,
            deadline=None,
            database=None,
            phases=PHASES,
            derandomize="SPECCHAT_FAULT_EXAMPLES" not in os.environ,
            suppress_health_check=list(HealthCheck),
        ),
    )
