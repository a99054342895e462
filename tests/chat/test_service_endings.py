"""How an answer may end: left, stopped, failed, cut; and questions that are refused."""

from __future__ import annotations

import threading
import time
from typing import Any

import pytest

from specchat.chat import wording as say
from specchat.chat.types import AnswerUpdate, ChatError
from specchat.engine.errors import EngineClosedError, QueueFullError, RefusedRequestError
from specchat.engine.request import FinishReason
from storage import StoreError
from tests.chat.asked import OWNER, Make, ask, stored
from tests.chat.conftest import Chat, ScriptedEngine, ScriptedStream, pause

# -- endings -----------------------------------------------------------------------------------


@pytest.mark.parametrize("updates_read", [1, 2])
def test_closing_the_page_cancels_and_stores_once(chat: Chat, updates_read: int) -> None:
    chat.engine.says(("Hello", "target"), pause(0.05), (" there", "target"), (" you", "target"))
    conversation = chat.service.new_conversation(OWNER)
    stream = chat.service.answer(conversation, "hi there", owner=OWNER)
    for _ in range(updates_read):
        next(stream)
    stream.close()
    (row,) = stored(chat, conversation)
    assert row.status == "cancelled"
    assert row.answer == ("" if updates_read == 1 else "Hello")
    assert (row.metrics is not None) == (updates_read == 2)
    assert all(s.closed and s.cancelled.is_set() for s in chat.engine.streams)
    (turn,) = chat.service.history(conversation, OWNER)
    assert turn.status == "cancelled"


def test_an_answer_that_was_never_read_is_not_asked(chat: Chat) -> None:
    conversation = chat.service.new_conversation(OWNER)
    chat.service.answer(conversation, "hi there", owner=OWNER).close()
    assert stored(chat, conversation) == []
    assert ask(chat, "hi there", conversation)[-1].status == "completed"


def test_stop_ends_the_stream_as_cancelled_with_statistics(chat: Chat) -> None:
    conversation = chat.service.new_conversation(OWNER)
    chat.engine.says(
        ("Hello", "target"), lambda: chat.service.stop(conversation, owner=OWNER), (" no", "target")
    )
    last = ask(chat, "hi there", conversation)[-1]
    assert (last.status, last.text, last.done) == ("cancelled", "Hello", True)
    assert last.stats is not None
    assert [row.status for row in stored(chat, conversation)] == ["cancelled"]


@pytest.mark.parametrize("fails_at", ["submit", "first", "later"])
def test_an_engine_error_is_a_failed_turn_that_keeps_what_was_said(
    chat: Chat, fails_at: str
) -> None:
    error = EngineClosedError("step loop failed")
    conversation = chat.service.new_conversation(OWNER)
    if fails_at == "submit":
        chat.engine.refuse = QueueFullError("64 requests wait already")
    else:
        chat.engine.says(*([("Hello", "target")] if fails_at == "later" else []), error)
    last = ask(chat, "hi there", conversation)[-1]
    assert (last.status, last.done) == ("failed", True)
    assert "try again" in last.notes[-1]
    (row,) = stored(chat, conversation)
    assert row.status == "failed"
    assert row.answer == ("Hello" if fails_at == "later" else "")
    chat.engine.refuse = None
    chat.engine.says(("Fine.", "target"))
    assert ask(chat, "and now?", conversation)[-1].status == "completed"
    assert "hi there" not in chat.prompt()


def test_a_question_that_ends_steps_is_refused_with_a_way_out(chat: Chat) -> None:
    chat.engine.refuse = RefusedRequestError("this prompt has ended two steps")
    last = ask(chat, "hi there", chat.service.new_conversation(OWNER))[-1]
    assert last.status == "failed"
    assert last.notes[-1] == say.REFUSED
    assert "talk to a person" in say.REFUSED


def test_an_unexpected_error_is_raised_and_stored_as_failed(chat: Chat) -> None:
    conversation = chat.service.new_conversation(OWNER)
    chat.engine.says(("Hello", "target"), ZeroDivisionError("a bug"))
    with pytest.raises(ZeroDivisionError):
        ask(chat, "hi there", conversation)
    assert [row.status for row in stored(chat, conversation)] == ["failed"]
    chat.engine.says(("Fine.", "target"))
    assert ask(chat, "again", conversation)[-1].status == "completed"


def test_an_answer_cut_by_its_limit_says_so(chat: Chat, monkeypatch: pytest.MonkeyPatch) -> None:
    def submit(self: ScriptedEngine, request: Any) -> ScriptedStream:
        return ScriptedStream(request, self.script, FinishReason.LENGTH)

    monkeypatch.setattr(ScriptedEngine, "submit", submit)
    assert "cut at 3 tokens" in ask(chat, "hi there")[-1].notes[-1]


def test_the_chat_goes_on_when_the_store_does_not(
    chat: Chat, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object, **__: object) -> None:
        raise StoreError("disk full")

    for name in ("create_conversation", "record_turn", "turns"):
        monkeypatch.setattr(chat.store, name, broken)
    conversation = chat.service.new_conversation(OWNER)
    last = ask(chat, "hi there", conversation)[-1]
    assert last.status == "completed"
    assert "cannot be saved" in last.notes[0]
    assert [turn.answer for turn in chat.service.history(conversation, OWNER)] == ["Hello there."]


@pytest.mark.parametrize("updates_read", [1, 2, 3])
def test_closing_the_chat_stores_every_turn_once(chat: Chat, updates_read: int) -> None:
    """Also of an answer that nobody reads on, whose stream is left or closed later."""
    chat.engine.says(("Hello", "target"), pause(0.05), (" there", "target"), (" you", "target"))
    conversation = chat.service.new_conversation(OWNER)
    stream = chat.service.answer(conversation, "hi there", owner=OWNER)
    for _ in range(updates_read):
        next(stream)
    chat.service.close(patience_s=0.1)
    (row,) = stored(chat, conversation)
    assert row.status == "cancelled"
    assert row.answer.startswith("" if updates_read == 1 else "Hello")
    stream.close()
    assert len(stored(chat, conversation)) == 1
    assert chat.store.health().lost == 0
    with pytest.raises(ChatError, match="being closed"):
        ask(chat, "and now?")


def test_closing_the_chat_waits_for_an_answer_that_is_read(chat: Chat) -> None:
    conversation = chat.service.new_conversation(OWNER)
    chat.engine.says(*[part for _ in range(200) for part in (("word ", "target"), pause(0.01))])
    updates: list[AnswerUpdate] = []
    reader = threading.Thread(
        target=lambda: updates.extend(chat.service.answer(conversation, "hi", owner=OWNER))
    )
    reader.start()
    while not updates:
        time.sleep(0.01)
    chat.service.close()
    chat.store.close()
    reader.join(10)
    assert updates[-1].status == "cancelled"
    assert chat.store.health().lost == 0
    assert chat.store.health().written == 2  # the conversation and its turn


# -- bad input ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("question", "said"),
    [
        ("", "type a question"),
        (" \n\t ", "type a question"),
        ("\u200b\x00", "type a question"),
        ("x" * 100_000, "100,000 characters; at most 20,000"),
    ],
)
def test_a_bad_question_is_refused_and_nothing_is_lost(
    chat: Chat, question: str, said: str
) -> None:
    conversation = chat.service.new_conversation(OWNER)
    ask(chat, "my order is 4417", conversation)
    with pytest.raises(ChatError, match=said):
        ask(chat, question, conversation)
    assert len(stored(chat, conversation)) == 1
    assert ask(chat, "hi there", conversation)[-1].status == "completed"


def test_a_question_longer_than_the_context_is_refused(make_chat: Make) -> None:
    chat = make_chat(context_length=300)
    with pytest.raises(ChatError, match="at most 100 fit"):
        ask(chat, "why " * 150, max_tokens=200)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"max_tokens": 4096}, "under 2048 tokens"),
        ({"max_tokens": 0}, "max_tokens must be"),
        ({"temperature": -1.0}, "temperature must be"),
        ({"seed": -1}, "seed must be"),
    ],
)
def test_a_setting_out_of_range_is_named(chat: Chat, options: dict[str, Any], said: str) -> None:
    with pytest.raises(ChatError, match=said):
        ask(chat, "hi there", **options)


@pytest.mark.parametrize("question", ["hi \ud800 there", "hi\x00 there", "e\u0301 \ud83d\ude00"])
def test_unusual_characters_are_answered_and_stored(chat: Chat, question: str) -> None:
    conversation = chat.service.new_conversation(OWNER)
    assert ask(chat, question, conversation)[-1].status == "completed"
    (row,) = stored(chat, conversation)
    row.question.encode()


def test_turns_that_no_longer_fit_are_said_to_leave(make_chat: Make) -> None:
    chat = make_chat(context_length=100)
    conversation = chat.service.new_conversation(OWNER)
    for _ in range(4):
        last = ask(chat, "tell me about the refund of my order", conversation, max_tokens=40)[-1]
    assert "earlier turn" in last.notes[0]
    assert len(chat.engine.streams[-1].request.prompt_ids) <= 60
    assert len(chat.service.history(conversation, OWNER)) == 4
