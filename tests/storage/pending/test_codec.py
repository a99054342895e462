"""A change becomes a line and comes back as it was; anything else is refused."""

from __future__ import annotations

from datetime import UTC, date, datetime
from functools import partial
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from storage import FeedbackRecord, HandoffRecord, TurnGrounds
from storage.pending.changes import CODEC
from storage.pending.codec import Codec
from storage.personal import erasure
from storage.personal.records import Subject
from storage.writes import add_audit, add_race, add_turn, remove_turn
from tests.storage.stored_examples import audit, race, turn

TEXT = st.text(st.characters(codec=None), max_size=30)


def _back(work: partial[Any]) -> Any:
    return CODEC.work(CODEC.line(work)).keywords


@given(question=TEXT, answer=TEXT, chance=st.floats(allow_nan=False))
def test_a_turn_comes_back_as_it_was(question: str, answer: str, chance: float) -> None:
    grounds = TurnGrounds(state="grounded", retrieved={question: chance}, unsupported=(answer,))
    record = turn("c", question=question, answer=answer, grounds=grounds)
    assert _back(partial(add_turn, record=record)) == {"record": record}


def test_every_other_change_comes_back_as_it_was() -> None:
    now = datetime.now(UTC)
    handoff = HandoffRecord(conversation_id="c", ticket="T1", reason="asked", summary="")
    for work in (
        partial(add_race, record=race()),
        partial(add_audit, record=audit()),
        partial(remove_turn, turn_id="t"),
        partial(CODEC.work(CODEC.line(partial(remove_turn, turn_id="t"))).func, turn_id="u"),
        partial(erasure.erase, subject=Subject(owner="ann"), actor="customer", now=now),
        partial(erasure.erase_before, cutoff=now, actor="retention", now=now),
    ):
        assert _back(work) == work.keywords
    assert _back(partial(add_turn, record=handoff)) == {"record": handoff}
    opinion = FeedbackRecord(kind="csat", score=4, conversation_id=None)
    assert _back(partial(add_turn, record=opinion)) == {"record": opinion}


@given(st.binary(max_size=60))
def test_what_is_no_line_is_refused(line: bytes) -> None:
    with pytest.raises(ValueError, match="the line is"):
        CODEC.work(line)


@given(st.data())
def test_a_damaged_line_is_refused(data: st.DataObject) -> None:
    line = CODEC.line(partial(add_turn, record=turn("c")))
    at = data.draw(st.integers(0, len(line) - 2))
    other = data.draw(st.integers(33, 126).filter(lambda byte: byte != line[at]))
    with pytest.raises(ValueError, match="the line is"):
        CODEC.work(line[:at] + bytes([other]) + line[at + 1 :])


def test_what_another_version_wrote_is_refused() -> None:
    def added_later(day: date) -> None: ...

    line = Codec((added_later,), ()).line(partial(added_later, day=date(2026, 1, 2)))
    with pytest.raises(ValueError, match="of another version"):
        CODEC.work(line)


def test_only_known_changes_are_written() -> None:
    assert CODEC.writes(partial(add_turn, record=turn("c")))
    assert not CODEC.writes(add_turn)
    assert not CODEC.writes(partial(print, end=""))
