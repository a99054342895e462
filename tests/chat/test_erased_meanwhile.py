"""What is erased while something else is on its way: nothing of it comes back."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from specchat.chat.redaction.redact import Redaction
from specchat.chat.turns.conversation import LiveConversation
from tests.chat.asked import OWNER, Make, ask, stored
from tests.chat.conftest import Chat


@pytest.fixture(params=["conversation", "owner"])
def erase(request: pytest.FixtureRequest) -> Callable[[Chat, str], None]:
    if request.param == "owner":
        return lambda chat, conversation: chat.service.forget(OWNER)
    return lambda chat, conversation: chat.service.delete_conversation(conversation, owner=OWNER)


def test_a_question_that_has_not_reached_the_engine_does_not(
    chat: Chat, erase: Callable[[Chat, str], None]
) -> None:
    conversation = chat.service.new_conversation(OWNER)
    stream = chat.service.answer(conversation, "hi there", owner=OWNER)
    next(stream)
    erase(chat, conversation)
    assert [update.status for update in stream] == ["cancelled"]
    assert chat.engine.streams == []  # its prompt would stay in the prefix cache


def test_a_conversation_erased_while_its_question_is_prepared_is_not_asked(
    chat: Chat, erase: Callable[[Chat, str], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    conversation = chat.service.new_conversation(OWNER)
    preparation = chat.service._preparation
    task = preparation.task

    def slow(*given: Any) -> Any:
        erase(chat, conversation)
        return task(*given)

    monkeypatch.setattr(preparation, "task", slow)
    updates = list(chat.service.answer(conversation, "hi there", owner=OWNER))
    assert updates[-1].status == "cancelled"
    assert chat.engine.streams == []


def test_a_conversation_erased_while_it_is_read_back_stays_gone(
    make_chat: Make, erase: Callable[[Chat, str], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = make_chat(), make_chat()
    conversation = first.service.new_conversation(OWNER)
    ask(first, "hi there", conversation)
    stored(first, conversation)
    repository = second.service._repository
    read_back = repository._read_back

    def slow(*given: Any) -> LiveConversation:
        found = read_back(*given)
        erase(first, conversation)
        return found

    monkeypatch.setattr(repository, "_read_back", slow)
    with pytest.raises(LookupError):
        second.service.history(conversation, OWNER)
    assert repository.in_memory(conversation) is None


@pytest.mark.parametrize("of", ["conversation", "owner"])
def test_a_conversation_read_back_while_it_is_erased_stays_gone(
    chat: Chat, of: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    conversation = chat.service.new_conversation(OWNER)
    ask(chat, "hi there", conversation)
    stored(chat, conversation)
    name = "delete_owner" if of == "owner" else "delete_conversation"
    erased = getattr(chat.store, name)

    def slow(*given: Any) -> None:
        assert chat.service.history(conversation, OWNER)
        erased(*given)

    monkeypatch.setattr(chat.store, name, slow)
    if of == "owner":
        chat.service.forget(OWNER)
    else:
        chat.service.delete_conversation(conversation, owner=OWNER)
    with pytest.raises(LookupError):
        chat.service.history(conversation, OWNER)


def test_a_conversation_that_begins_while_its_owner_is_erased_is_whole_or_unkept(
    chat: Chat, monkeypatch: pytest.MonkeyPatch
) -> None:
    created = chat.store.create_conversation

    def slow(*given: Any, **named: Any) -> str:
        assert chat.service._repository.in_memory(named["conversation_id"]) is not None
        return created(*given, **named)

    monkeypatch.setattr(chat.store, "create_conversation", slow)
    assert chat.service.is_kept(chat.service.new_conversation(OWNER), owner=OWNER)


def test_a_comment_is_kept_with_its_conversation_or_not_at_all(
    chat: Chat, monkeypatch: pytest.MonkeyPatch
) -> None:
    conversation = chat.service.new_conversation(OWNER, keep=False)
    live = chat.service._repository.open(conversation, OWNER)

    class Agreeing:
        """Agrees as soon as it was looked at once."""

        id, values = live.id, live.values
        looks = 0

        @property
        def kept(self) -> bool:
            self.looks += 1
            return self.looks > 1

    monkeypatch.setattr(chat.service._repository, "open", lambda *given: Agreeing())
    chat.service.rate_conversation(conversation, 5, "a quokka", owner=OWNER)
    assert [(row.conversation_id, row.comment) for row in chat.store.care.feedback()] == [
        (None, "")
    ]


def test_consent_that_comes_at_the_end_of_an_answer_keeps_no_half_of_it(
    chat: Chat, monkeypatch: pytest.MonkeyPatch
) -> None:
    conversation = chat.service.new_conversation(OWNER, keep=False)
    repository = chat.service._repository
    storable, agreeing = repository.storable, []

    def slow(text: str, live: LiveConversation) -> Redaction:
        found = storable(text, live)
        if not agreeing:
            agreeing.append(
                threading.Thread(
                    target=chat.service.keep, args=[conversation], kwargs={"owner": OWNER}
                )
            )
            agreeing[0].start()
            agreeing[0].join(0.3)  # as far as it comes
        return found

    monkeypatch.setattr(repository, "storable", slow)
    ask(chat, "where is my quokka", conversation)
    agreeing[0].join()
    assert chat.service.is_kept(conversation, owner=OWNER)
    assert stored(chat, conversation) == []
    ask(chat, "where is my numbat", conversation)
    (row,) = stored(chat, conversation)
    assert row.question == "where is my numbat"


@pytest.mark.parametrize("how", ["undo", "edit"])
def test_a_title_goes_with_the_question_that_it_is(chat: Chat, how: str, tmp_path: Path) -> None:
    conversation = chat.service.new_conversation(OWNER)
    turn = ask(chat, "where is my quokka", conversation)[-1].turn_id
    if how == "undo":
        chat.service.undo(conversation, owner=OWNER)
        ask(chat, "where is my numbat", conversation)
    else:
        list(chat.service.edit(conversation, turn, "where is my numbat", owner=OWNER))
    stored(chat, conversation)
    assert chat.store.conversation(conversation, OWNER).title == "where is my numbat"
    assert chat.store.wait_for_clean_log()
    assert not any(b"quokka" in file.read_bytes() for file in tmp_path.glob("chat.db*"))


def test_a_title_that_was_given_stays(chat: Chat) -> None:
    conversation = chat.service.new_conversation(OWNER)
    ask(chat, "where is my quokka", conversation)
    chat.service.rename_conversation(conversation, "Pets", owner=OWNER)
    chat.service.undo(conversation, owner=OWNER)
    assert chat.store.conversation(conversation, OWNER).title == "Pets"
