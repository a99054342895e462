"""A question of a conversation that somebody else keeps: answered as any, and forgotten."""

from __future__ import annotations

import threading

import pytest

from specchat.chat.knowledge import Exchange
from specchat.chat.types import AnswerOptions, AnswerUpdate, ChatError
from specchat.engine.errors import QueueFullError
from tests.chat.asked import OWNER, Make, ask
from tests.chat.conftest import Chat


def ask_once(chat: Chat, question: str, *earlier: Exchange) -> AnswerUpdate:
    return list(chat.service.answer_once(earlier, question, owner=OWNER))[-1]


def test_a_model_that_reads_pages_reads_what_was_said_too(make_chat: Make) -> None:
    chat = make_chat(uses_slots=False)
    ask_once(chat, "and when will it come?", Exchange("a lamp please", "Which lamp do you mean?"))
    prompt = chat.prompt()
    for text in ("a lamp please", "Which lamp do you mean?", "and when will it come?"):
        assert text in prompt


def test_what_was_said_before_is_in_the_prompt_as_in_a_conversation(chat: Chat) -> None:
    conversation = chat.service.new_conversation(OWNER, keep=False)
    first = ask(chat, "where is order 4417", conversation)[-1]
    ask(chat, "and when will it come?", conversation)
    ask_once(chat, "and when will it come?", Exchange("where is order 4417", first.text))
    assert chat.engine.streams[-1].request.prompt_ids == chat.engine.streams[-2].request.prompt_ids


def test_nothing_of_it_is_kept_but_what_it_cost(chat: Chat) -> None:
    before = len(chat.store.metrics())
    ended = ask_once(chat, "cancel the quokka lamp", Exchange("hi", "hello"))
    assert ended.status == "completed"
    assert chat.store.flush()
    (row, *_) = chat.store.metrics()
    assert len(chat.store.metrics()) == before + 1
    assert row.completion_tokens == 3
    assert chat.service.conversations(OWNER) == []


def test_nobody_is_handed_over(make_chat: Make) -> None:
    chat = make_chat(uses_slots=False)
    for question in ("I want a person", "where is order 999999", "where is order 999999"):
        assert ask_once(chat, question).handoff is None
    assert chat.service.handoffs.queue() == []


def test_a_question_that_cannot_be_asked_is_refused(chat: Chat) -> None:
    with pytest.raises(ChatError, match="question first"):
        ask_once(chat, " ")
    options = AnswerOptions(temperature=9.0)
    with pytest.raises(ChatError, match="temperature"):
        list(chat.service.answer_once((), "hi there", owner=OWNER, options=options))


def test_an_update_says_why_the_model_ended(chat: Chat) -> None:
    last = ask_once(chat, "hi there")
    assert (last.finish, last.error) == ("stop", None)
    chat.engine.refuse = QueueFullError("9 requests wait")
    last = ask_once(chat, "hi there")
    assert (last.status, last.finish, last.error) == ("failed", None, chat.engine.refuse)


def test_a_chat_that_drains_lets_answers_end_and_takes_no_question(chat: Chat) -> None:
    go = threading.Event()
    chat.engine.says(("Hello", "target"), lambda: go.wait(60) and None, (" there", "target"))
    conversation = chat.service.new_conversation(OWNER)
    stream = chat.service.answer(conversation, "hi there", owner=OWNER)
    next(stream)
    assert not chat.service.drain(0.0)
    with pytest.raises(ChatError, match="being closed"):
        ask(chat, "hi there")
    go.set()
    assert list(stream)[-1].status == "completed"
    assert chat.service.drain(60.0)
