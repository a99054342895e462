"""What the engine is taught of the answers that were given, and what it is not."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from specchat.chat.answer.prompt import PROMPT_TOKENS
from specchat.chat.service import AnswerUpdate
from storage import Store
from tests.chat.conftest import Chat, ScriptedEngine

ANSWER = (
    ("Your order ", "target"), ("{{order_number}}", "target"), (" is ", "target"),
    ("on its way", "mlp"), (".", "target"),
)  # fmt: skip


@pytest.fixture
def learning(make_chat: Callable[..., Chat]) -> Chat:
    """A chat that learns, with nothing but the shop's own texts learned yet."""
    chat = make_chat(learn=True)
    chat.engine.says(*ANSWER)
    assert chat.service.learning is not None
    assert chat.service.learning.wait(240)
    return chat


def ask(chat: Chat, question: str, *, owner: str = "ann", keep: bool = True) -> AnswerUpdate:
    conversation = chat.service.new_conversation(owner, keep=keep)
    *_, last = chat.service.answer(conversation, question, owner=owner)
    return last


def taught(chat: Chat) -> list[str]:
    """What was taught, as text, without the shop's own."""
    assert chat.service.learning is not None
    assert chat.service.learning.wait(240)
    own = len(chat.service.company.faq) + len(chat.service.company.replies)
    return [chat.tokenizer.decode(ids) for ids in chat.engine.learned[own:]]


def test_an_answer_is_learned_as_the_model_wrote_it(learning: Chat) -> None:
    shown = ask(learning, "Where is my order 4417?").text
    assert "4417" in shown
    (text,) = taught(learning)
    assert "<|assistant|>" in text  # behind the end of the prompt; the shop's FAQ may open it
    assert text.endswith("Your order {{order_number}} is on its way.<|end|>")


def test_an_answer_is_learned_behind_the_end_of_its_prompt(learning: Chat) -> None:
    ask(learning, "Where in the world is it?")
    taught(learning)
    prompt = learning.engine.streams[-1].request.prompt_ids
    assert tuple(learning.engine.learned[-1][:PROMPT_TOKENS]) == prompt[-PROMPT_TOKENS:]


def test_the_shops_own_texts_are_learned_behind_the_last_id_of_every_prompt(learning: Chat) -> None:
    ask(learning, "Where is it?")
    prompt = learning.engine.streams[-1].request.prompt_ids
    taught(learning)
    assert {ids[0] for ids in learning.engine.learned[:-1]} == {prompt[-1]}


def test_faq_answers_and_canned_replies_are_learned(learning: Chat) -> None:
    texts = [learning.tokenizer.decode(ids) for ids in learning.engine.learned]
    company = learning.service.company
    assert len(texts) == len(company.faq) + len(company.replies)
    assert company.replies
    assert all(text.startswith("<|assistant|>") for text in texts)


def test_nothing_personal_is_learned(learning: Chat) -> None:
    learning.engine.says(
        ("Dear Greta Nilsson, I wrote to greta.nilsson@example.com", "target"),
        (" and will call +46 70 123 45 67.", "target"),
    )
    ask(learning, "My name is Greta Nilsson. Is my account there?")
    (text,) = taught(learning)
    assert "Greta" not in text
    assert "@" not in text
    assert "123" not in text


def test_conversations_that_are_not_kept_teach_nothing(learning: Chat) -> None:
    ask(learning, "Where is it?", keep=False)
    assert taught(learning) == []


def test_answers_that_were_stopped_or_failed_teach_nothing(learning: Chat) -> None:
    learning.engine.says(("Well", "target"), RuntimeError("broken"))
    conversation = learning.service.new_conversation("ann")
    with pytest.raises(RuntimeError, match="broken"):
        list(learning.service.answer(conversation, "Where is it?", owner="ann"))
    learning.engine.says(*ANSWER)
    stream = learning.service.answer(conversation, "And now?", owner="ann")
    next(stream)
    stream.close()
    assert taught(learning) == []


def test_a_restart_keeps_what_was_learned(
    learning: Chat, make_chat: Callable[..., Chat], store: Store
) -> None:
    ask(learning, "Where is my order 4417?")
    before = taught(learning)
    store.flush()
    again = make_chat(learn=True)
    assert taught(again) == before != []


def test_another_model_does_not_learn_what_this_one_wrote(
    learning: Chat, make_chat: Callable[..., Chat], store: Store
) -> None:
    ask(learning, "Where is my order 4417?")
    store.flush()
    other = ScriptedEngine()
    other.info.name = "another"
    assert taught(make_chat(learn=True, engine=other)) == []


def forget_all(chat: Chat, conversation: str) -> None:
    chat.service.forget("ann")


def delete(chat: Chat, conversation: str) -> None:
    chat.service.delete_conversation(conversation, owner="ann")


def undo(chat: Chat, conversation: str) -> None:
    chat.service.undo(conversation, owner="ann")


@pytest.mark.parametrize("erase", [forget_all, delete, undo])
def test_what_is_erased_is_unlearned(
    learning: Chat, make_chat: Callable[..., Chat], store: Store, erase: Any
) -> None:
    ask(learning, "Where is my order 4417?", owner="bob")
    learning.engine.says(("That is Ann's own answer.", "target"))
    conversation = learning.service.new_conversation("ann")
    list(learning.service.answer(conversation, "Where is it?", owner="ann"))
    assert len(taught(learning)) == 2
    erase(learning, conversation)
    assert not any("Ann" in learning.tokenizer.decode(ids) for ids in learning.engine.learned)
    assert len(taught(learning)) == 1
    store.flush()
    assert taught(make_chat(learn=True)) == taught(learning)


def test_what_is_erased_before_it_was_learned_is_not_learned_later(learning: Chat) -> None:
    """The answer waits behind a long job when its owner asks to be forgotten."""
    import threading

    assert learning.service.learning is not None
    go = threading.Event()
    learning.service.learning._jobs.put(go.wait)  # type: ignore[arg-type]
    ask(learning, "Where is my order 4417?")
    learning.service.forget("ann")
    go.set()
    assert taught(learning) == []
    ask(learning, "I am back. Where is my order 4417?")
    assert len(taught(learning)) == 1


def test_a_cut_answer_is_learned_without_an_end(learning: Chat) -> None:
    conversation = learning.service.new_conversation("ann")
    options = learning.service.answer.__kwdefaults__["options"]
    from dataclasses import replace

    list(
        learning.service.answer(
            conversation, "Where is it?", owner="ann", options=replace(options, max_tokens=5)
        )
    )
    (text,) = taught(learning)
    assert text.endswith("on its way.")


def test_a_chat_that_does_not_learn_teaches_nothing(make_chat: Callable[..., Chat]) -> None:
    chat = make_chat()
    assert chat.service.learning is None
    ask(chat, "Where is my order 4417?")
    assert chat.engine.learned == []


@pytest.mark.parametrize("erases", ["conversation", "owner", "store"])
def test_an_answer_that_ends_while_it_is_erased_is_neither_learned_nor_stored(
    learning: Chat, erases: str
) -> None:
    """Its stream does not hear of the erasure: it completes."""
    service = learning.service
    conversation = service.new_conversation("ann")

    def erase() -> None:
        if erases == "conversation":
            service.delete_conversation(conversation, owner="ann")
        elif erases == "owner":
            service.forget("ann")
        else:
            learning.store.delete_owner("ann")
            service.forget_erased()
        learning.engine.streams[-1].cancelled.clear()

    learning.engine.says(*ANSWER, erase)
    updates = list(service.answer(conversation, "Where is my order 4417?", owner="ann"))
    assert updates[-1].status == "completed"
    assert taught(learning) == []
    assert learning.store.flush()
    assert learning.store.turns(conversation) == []
    assert learning.store.conversations("ann") == []
    assert learning.store.health().lost == 0


def test_a_conversation_that_was_forgotten_is_not_kept_again(learning: Chat) -> None:
    """Asking for a person keeps a conversation, but not one that was erased meanwhile."""
    service = learning.service
    conversation = service.new_conversation("ann", keep=False)
    updates = service.answer(conversation, "I want to talk to a person", owner="ann")
    next(updates)
    service.forget("ann")
    list(updates)
    assert learning.store.flush()
    assert learning.store.conversations("ann") == []
    assert service.handoffs.queue() == []
