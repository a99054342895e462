"""Eight threads do what customers and colleagues do, all at once, against one chat."""

from __future__ import annotations

import random
import sqlite3
import threading
from collections.abc import Callable
from contextlib import closing, suppress
from dataclasses import dataclass, field
from pathlib import Path

from specchat.chat.types import AnswerOptions, ChatError
from specchat.loader import LoadedModel
from tests.faults.watched import Watched, new_word

THREADS = 8
ACTIONS = 200  # of each thread
OWNERS = 4
EXPECTED = (ChatError, LookupError)
"""What a customer is told who comes too late; anything else is a fault."""


@dataclass
class Place:
    """One conversation and every word that was said in it."""

    id: str
    owner: str
    keep: bool
    agreed: bool  # a word of it may have been stored
    words: list[str] = field(default_factory=list)
    erased: bool = False


class Crowd:
    """Customers and colleagues who act at random."""

    def __init__(self, shop: Watched) -> None:
        self.shop = shop
        self.service = shop.service
        self.owners = [f"owner{new_word()}" for _ in range(OWNERS)]
        self.places = [self.place(owner, keep) for owner in self.owners for keep in (True, False)]
        self.erased_owners: list[str] = []
        self.faults: list[BaseException] = []

    def place(self, owner: str, keep: bool) -> Place:
        return Place(self.service.new_conversation(owner, keep=keep), owner, keep, keep)

    def run(self, seed: int) -> None:
        rng = random.Random(seed)
        actions: list[Callable[[Place, random.Random], None]] = [
            self.ask, self.ask, self.ask, self.retry, self.edit, self.undo, self.stop, self.rate,
            self.call, self.back, self.desk, self.desk, self.keep, self.erase, self.forget,
            self.read, self.read,
        ]  # fmt: skip
        try:
            for _ in range(ACTIONS):
                with suppress(*EXPECTED):
                    rng.choice(actions)(rng.choice(self.places), rng)
        except BaseException as error:
            self.faults.append(error)

    def ask(self, place: Place, rng: random.Random) -> None:
        word = new_word()
        place.words.append(word)
        self.read_some(
            self.service.answer(
                place.id, f"where is my {word}", owner=place.owner,
                options=AnswerOptions(max_tokens=rng.choice([1, 8, 40])),
            ),
            rng,
        )  # fmt: skip

    def retry(self, place: Place, rng: random.Random) -> None:
        options = AnswerOptions(max_tokens=8)
        self.read_some(self.service.retry(place.id, owner=place.owner, options=options), rng)

    def edit(self, place: Place, rng: random.Random) -> None:
        turns = self.service.history(place.id, place.owner)
        if turns:
            word = new_word()
            place.words.append(word)
            turn = rng.choice(turns).turn_id
            self.read_some(
                self.service.edit(
                    place.id, turn, f"where is my {word}", owner=place.owner,
                    options=AnswerOptions(max_tokens=8),
                ),
                rng,
            )  # fmt: skip

    def read_some(self, updates: object, rng: random.Random) -> None:
        left = rng.choice([None, None, None, 1, 2])
        with closing(updates) as reading:  # type: ignore[type-var]
            for number, update in enumerate(reading):  # type: ignore[var-annotated, arg-type]
                assert update.status != "failed", update.notes
                if number + 1 == left:
                    return

    def undo(self, place: Place, rng: random.Random) -> None:
        self.service.undo(place.id, owner=place.owner)

    def stop(self, place: Place, rng: random.Random) -> None:
        self.service.stop(place.id, owner=place.owner)

    def rate(self, place: Place, rng: random.Random) -> None:
        word = new_word()
        place.words.append(word)
        self.service.rate_conversation(place.id, 4, f"I like {word}", owner=place.owner)
        for turn in self.service.history(place.id, place.owner)[-1:]:
            self.service.rate_answer(place.id, turn.turn_id, rng.choice([-1, 1]), owner=place.owner)

    def call(self, place: Place, rng: random.Random) -> None:
        if place.keep:  # one that was declined stays so
            self.service.request_person(place.id, owner=place.owner)

    def back(self, place: Place, rng: random.Random) -> None:
        self.service.cancel_person(place.id, owner=place.owner)

    def desk(self, place: Place, rng: random.Random) -> None:
        for case in self.service.handoffs.queue()[:1]:
            word = new_word()
            for other in list(self.places):
                if other.id == case.conversation_id:
                    other.words.append(word)
            self.service.handoffs.reply(case.handoff_id, f"we found your {word}")
            if rng.random() < 0.5:
                self.service.handoffs.close(case.handoff_id)

    def keep(self, place: Place, rng: random.Random) -> None:
        if place.keep:
            self.service.keep(place.id, owner=place.owner)

    def erase(self, place: Place, rng: random.Random) -> None:
        self.service.delete_conversation(place.id, owner=place.owner)
        place.erased = True
        self.places.append(self.place(place.owner, place.keep))

    def forget(self, place: Place, rng: random.Random) -> None:
        if rng.random() < 0.5 or len(self.erased_owners) > OWNERS:
            return
        owner = f"owner{new_word()}"
        for keep in (True, False):
            self.places.append(self.place(owner, keep))
        self.service.forget(place.owner)
        for other in list(self.places):
            other.erased |= other.owner == place.owner
        self.erased_owners.append(place.owner)

    def read(self, place: Place, rng: random.Random) -> None:
        other = f"owner{new_word()}"
        try:
            self.service.history(place.id, other)
        except LookupError:
            pass
        else:
            raise AssertionError("a conversation of somebody else was read")
        self.service.history(place.id, place.owner)


def test_many_at_once_leave_pages_rows_and_owners_as_they_must_be(
    loaded: LoadedModel, tmp_path: Path
) -> None:
    shop = Watched(loaded, tmp_path / "chat.db")
    crowd = Crowd(shop)
    threads = [threading.Thread(target=crowd.run, args=(seed,)) for seed in range(THREADS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert crowd.faults == []
    for owner in crowd.erased_owners:  # what began while its owner was erased
        shop.service.forget(owner)
    for place in crowd.places:
        place.erased |= place.owner in crowd.erased_owners
    shop.wait_idle()
    _rows_are_as_they_must_be(crowd)
    _memory_and_rows_agree(crowd)
    shop.close()


def _rows_are_as_they_must_be(crowd: Crowd) -> None:
    gone = set(crowd.erased_owners)
    for place in crowd.places:
        if place.erased or not place.keep:
            gone |= set(place.words)
    found = crowd.shop.bytes()
    assert [word for word in gone if word.encode() in found] == []
    assert crowd.shop.learned_from() <= {p.id for p in crowd.places if p.keep and not p.erased}
    waiting = [case.conversation_id for case in crowd.service.handoffs.queue()]
    assert len(waiting) == len(set(waiting))
    with closing(sqlite3.connect(crowd.shop.database)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        assert connection.execute("PRAGMA foreign_key_check").fetchall() == []
    health = crowd.shop.store.health()
    assert (health.lost, health.queued) == (0, 0)


def _memory_and_rows_agree(crowd: Crowd) -> None:
    """Every conversation that is left reads the same after a restart."""
    left = [place for place in crowd.places if not place.erased]
    before = {p.id: _turns(crowd.shop, p) for p in left if p.keep}
    crowd.shop.restart()
    assert {p.id: _turns(crowd.shop, p) for p in left if p.keep} == before


def _turns(shop: Watched, place: Place) -> list[str]:
    return [turn.turn_id for turn in shop.service.history(place.id, place.owner)]
