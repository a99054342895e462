"""Conversations of many customers: whose they are, retry, undo, deletion."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any, cast

import pytest

from specchat.chat.company.profile import Company
from specchat.chat.slots.filler import SlotValues
from specchat.chat.turns.conversation import LiveConversation, LiveConversations, LiveTurn
from specchat.chat.types import AnswerOptions, ChatError
from specchat.engine.errors import EngineClosedError
from tests.chat.asked import OWNER, Make, ask, stored
from tests.chat.conftest import Chat, pause


@pytest.mark.parametrize("restarted", [False, True])
def test_a_conversation_of_somebody_else_does_not_exist(make_chat: Make, restarted: bool) -> None:
    chat = make_chat()
    conversation = chat.service.new_conversation(OWNER)
    ask(chat, "hi there", conversation)
    service = make_chat().service if restarted else chat.service
    calls: list[Callable[[], Any]] = [
        lambda: service.history(conversation, "eve"),
        lambda: next(service.answer(conversation, "hi", owner="eve")),
        lambda: next(service.retry(conversation, owner="eve")),
        lambda: service.undo(conversation, owner="eve"),
        lambda: service.stop(conversation, owner="eve"),
        lambda: service.delete_conversation(conversation, owner="eve"),
    ]
    for call in calls:
        with pytest.raises(LookupError):
            call()
    assert service.conversations("eve") == []
    assert len(stored(chat, conversation)) == 1


def test_an_unknown_conversation_does_not_exist(chat: Chat) -> None:
    with pytest.raises(LookupError):
        chat.service.history("0" * 32, OWNER)


def test_one_question_of_a_conversation_at_a_time(chat: Chat) -> None:
    conversation = chat.service.new_conversation(OWNER)
    first = chat.service.answer(conversation, "hi there", owner=OWNER)
    next(first)
    with pytest.raises(ChatError, match="still being answered"):
        ask(chat, "and this?", conversation)
    with pytest.raises(ChatError, match="still being answered"):
        chat.service.undo(conversation, owner=OWNER)
    other = ask(chat, "another conversation", None)[-1]
    assert other.status == "completed"
    assert list(first)[-1].status == "completed"
    assert len(stored(chat, conversation)) == 1


def test_retry_replaces_the_answer_with_a_new_seed(chat: Chat) -> None:
    conversation = chat.service.new_conversation(OWNER)
    first = ask(chat, "order 4417 has not come", conversation, temperature=0.8)[-1]
    chat.engine.says(("Better.", "target"))
    options = AnswerOptions(temperature=0.8)
    again = list(chat.service.retry(conversation, owner=OWNER, options=options))[-1]
    assert again.text == "Better."
    assert again.seed != first.seed
    assert chat.engine.streams[0].request.prompt_ids == chat.engine.streams[1].request.prompt_ids
    assert [row.answer for row in stored(chat, conversation)] == ["Better."]
    assert [turn.answer for turn in chat.service.history(conversation, OWNER)] == ["Better."]
    fixed = list(chat.service.retry(conversation, owner=OWNER, options=AnswerOptions(seed=3)))
    assert fixed[-1].seed == 3


def test_seeds_differ_by_question_and_are_the_same_after_a_restart(make_chat: Make) -> None:
    chat = make_chat()
    conversation = chat.service.new_conversation(OWNER)
    seeds = [ask(chat, "hi there", conversation)[-1].seed for _ in range(2)]
    assert seeds[0] != seeds[1]
    chat.service.undo(conversation, owner=OWNER)
    assert chat.store.flush()
    assert ask(make_chat(), "hi there", conversation)[-1].seed == seeds[1]


def test_a_retry_that_fails_keeps_the_old_answer(chat: Chat) -> None:
    conversation = chat.service.new_conversation(OWNER)
    ask(chat, "hi there", conversation)
    chat.engine.says(EngineClosedError("gone"))
    assert list(chat.service.retry(conversation, owner=OWNER))[-1].status == "failed"
    assert [turn.answer for turn in chat.service.history(conversation, OWNER)] == ["Hello there."]
    assert [row.answer for row in stored(chat, conversation)] == ["Hello there."]


def test_undo_takes_the_last_turn_and_what_it_said_back(chat: Chat) -> None:
    conversation = chat.service.new_conversation(OWNER)
    ask(chat, "hi there", conversation)
    ask(chat, "order 4417 is late", conversation)
    chat.service.undo(conversation, owner=OWNER)
    assert [turn.question for turn in chat.service.history(conversation, OWNER)] == ["hi there"]
    assert [row.question for row in stored(chat, conversation)] == ["hi there"]
    chat.engine.says(("Of order ", "target"), ("{{order_number}}", "target"), (".", "target"))
    assert "4417" not in ask(chat, "which?", conversation)[-1].text
    assert "late" not in chat.prompt()


def test_an_empty_conversation_has_nothing_to_take_back(chat: Chat) -> None:
    conversation = chat.service.new_conversation(OWNER)
    with pytest.raises(ChatError, match="no question"):
        chat.service.undo(conversation, owner=OWNER)
    with pytest.raises(ChatError, match="no question"):
        next(chat.service.retry(conversation, owner=OWNER))


def test_a_deleted_conversation_is_gone_even_while_it_is_answered(chat: Chat) -> None:
    conversation = chat.service.new_conversation(OWNER)
    ask(chat, "hi there", conversation)
    stream = chat.service.answer(conversation, "hi there", owner=OWNER)
    next(stream)
    chat.service.delete_conversation(conversation, owner=OWNER)
    assert list(stream)[-1].status == "cancelled"
    with pytest.raises(LookupError):
        chat.service.history(conversation, OWNER)
    assert chat.service.conversations(OWNER) == []


def test_many_conversations_at_once_each_get_their_answer(chat: Chat) -> None:
    chat.engine.says(pause(0.01), ("Order ", "target"), ("{{order_number}}", "t"), (".", "target"))
    answers: dict[int, str] = {}

    def run(number: int) -> None:
        answers[number] = ask(chat, f"order {number} has not come")[-1].text

    threads = [threading.Thread(target=run, args=(1000 + i,)) for i in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert answers == {1000 + i: f"Order {1000 + i}." for i in range(16)}


def test_conversations_that_are_only_in_memory_stay_there_the_longest(company: Company) -> None:
    values = SlotValues.of(company)
    live = LiveConversations(stored=2, unstored=2)

    def begun(name: str, *, kept: bool) -> LiveConversation:
        return live.add(LiveConversation(name, OWNER, values, kept=kept))

    asked = begun("asked", kept=False)
    asked.turns = [cast(LiveTurn, None)]
    begun("empty", kept=False)
    for number in range(3):
        begun(f"kept {number}", kept=True)
    assert [one.id for one in live.all()] == ["asked", "empty", "kept 1", "kept 2"]
    begun("another", kept=False)
    assert [one.id for one in live.all()] == ["asked", "kept 1", "kept 2", "another"]
    with asked.one_at_a_time():
        for number in range(3):
            begun(f"more {number}", kept=False)
    assert {"asked", "more 2"} <= {one.id for one in live.all()}
