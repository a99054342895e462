"""Care around an answer: orders, people, opinions, consent, forgetting, export."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from specchat.chat.answer.task import salt
from specchat.chat.redaction.redact import Redaction
from specchat.chat.turns.conversation import LiveConversation
from specchat.chat.types import AnswerOptions, ChatError
from specchat.engine.errors import EngineClosedError
from storage.care.records import HandoffStatus
from tests.chat.conftest import Chat
from tests.chat.test_service import OWNER, ask, stored

Make = Callable[..., Chat]
SECRET = "Zebulon Quackenbush"


# -- orders and grounding ----------------------------------------------------------------------


def test_an_order_gives_a_card_and_the_first_sentence(make_chat: Make) -> None:
    chat = make_chat(orders=True)
    chat.engine.says((" Anything else?", "target"))
    conversation = chat.service.new_conversation(OWNER)
    last = ask(chat, "where is order 4417?", conversation)[-1]
    assert last.text.startswith("Your order 4417 is on its way and should arrive on ")
    assert last.text.endswith(". Anything else?")
    assert last.lookups[0].order is not None
    assert last.lookups[0].order.status == "shipped"
    assert last.segments[0].source == "records"
    assert chat.prompt().endswith("should arrive on {{date}}.")
    assert not last.doubts
    again = ask(chat, "and when does it arrive?", conversation)[-1]
    assert again.lookups[0].number == "4417"
    assert "on {{date}}. Anything else?" in chat.prompt()


def test_an_order_that_does_not_exist_is_said_not_to(make_chat: Make) -> None:
    last = ask(make_chat(orders=True), "where is order 9999?")[-1]
    assert last.text.startswith("I could not find an order with the number 9999")
    assert last.doubts == ("no_such_order",)


def test_a_question_of_the_help_pages_is_answered_with_their_words(make_chat: Make) -> None:
    chat = make_chat()
    chat.engine.says((" Anything else?", "target"))
    last = ask(chat, "how much does the delivery cost?")[-1]
    assert last.text.startswith("Standard delivery costs $4.90 and is free from $60.")
    assert last.text.endswith(" Anything else?")
    assert [entry.id for entry in last.sources] == ["delivery-cost"]
    conversation = chat.service.new_conversation(OWNER)
    text = ask(chat, "how do I reach customer support?", conversation)[-1].text
    assert "+1 503-555-0142" in text
    assert "{{support_phone}}" in chat.prompt()  # the model goes on from its own slots
    assert chat.service.history(conversation, OWNER)[0].in_context
    ask(chat, "my lamp is broken since the delivery", conversation)
    assert not chat.service.history(conversation, OWNER)[1].in_context


# -- edit --------------------------------------------------------------------------------------


def test_an_edited_question_replaces_what_came_after_it(chat: Chat) -> None:
    conversation = chat.service.new_conversation(OWNER)
    first = ask(chat, "hi there", conversation)[-1]
    ask(chat, "order 4417 is late", conversation)
    ask(chat, "very late", conversation)
    second = chat.service.history(conversation, OWNER)[1].turn_id
    list(chat.service.edit(conversation, second, "order 5520 is late", owner=OWNER))
    turns = chat.service.history(conversation, OWNER)
    assert [turn.question for turn in turns] == ["hi there", "order 5520 is late"]
    assert turns[0].turn_id == first.turn_id
    assert [row.question for row in stored(chat, conversation)] == [
        "hi there",
        "order 5520 is late",
    ]
    chat.engine.says(("Of {{order_number}}", "target"))
    assert "4417" not in ask(chat, "which?", conversation)[-1].text


def test_an_edit_that_fails_keeps_what_was_there(chat: Chat) -> None:
    conversation = chat.service.new_conversation(OWNER)
    first = ask(chat, "hi there", conversation)[-1]
    chat.engine.says(EngineClosedError("gone"))
    list(chat.service.edit(conversation, first.turn_id, "hello?", owner=OWNER))
    assert [turn.question for turn in chat.service.history(conversation, OWNER)] == ["hi there"]
    with pytest.raises(ChatError, match="no longer there"):
        next(chat.service.edit(conversation, "unknown", "hello?", owner=OWNER))


# -- a person ----------------------------------------------------------------------------------


def test_asking_for_a_person_queues_with_ticket_and_summary(make_chat: Make) -> None:
    chat = make_chat(orders=True)
    conversation = chat.service.new_conversation(OWNER)
    ask(chat, f"my name is {SECRET}, where is order 4417?", conversation)
    handoff = ask(chat, "I want to talk to a person", conversation)[-1].handoff
    assert handoff is not None
    assert (handoff.status, handoff.position, handoff.reason) == ("waiting", 1, "asked")
    assert handoff.ticket.startswith("T-")
    assert "where is order 4417?" in handoff.summary
    assert "Order 4417: on its way." in handoff.summary
    assert SECRET not in handoff.summary
    assert chat.service.request_person(conversation, owner=OWNER) == handoff  # once is enough


def test_two_answers_that_do_not_help_hand_over_and_one_does_not(chat: Chat) -> None:
    conversation = chat.service.new_conversation(OWNER)
    chat.engine.says(("I am not sure.", "target"))
    first = ask(chat, "where is my refund?", conversation)[-1]
    assert (first.doubts, first.handoff) == (("admits",), None)
    second = ask(chat, "where is my refund, please?", conversation)[-1]
    assert second.handoff is not None
    assert second.handoff.reason == "failed"
    assert "gave 2 answers" in second.handoff.summary


def test_a_good_answer_between_two_bad_ones_does_not_hand_over(chat: Chat) -> None:
    conversation = chat.service.new_conversation(OWNER)
    for said in ("I am not sure.", "It is on its way.", "I am not sure."):
        chat.engine.says((said, "target"))
        last = ask(chat, "where is my refund?", conversation)[-1]
    assert last.handoff is None


def test_two_dislikes_hand_over(chat: Chat) -> None:
    conversation = chat.service.new_conversation(OWNER)
    turns = [ask(chat, "where is my refund?", conversation)[-1].turn_id for _ in range(2)]
    for turn in turns:
        chat.service.rate_answer(conversation, turn, -1, owner=OWNER)
    handoff = chat.service.handoff(conversation, owner=OWNER)
    assert handoff is not None
    assert "2 disliked" in handoff.summary


def test_without_consent_only_a_customer_who_asks_is_handed_over(chat: Chat) -> None:
    chat.engine.says(("I am not sure.", "target"))
    conversation = chat.service.new_conversation(OWNER, keep=False)
    for _ in range(2):
        last = ask(chat, "where is my green walrus?", conversation)[-1]
        assert last.handoff is None
        chat.service.rate_answer(conversation, last.turn_id, -1, owner=OWNER)
    assert chat.service.handoff(conversation, owner=OWNER) is None
    assert b"walrus" not in database_bytes(chat)
    asked = ask(chat, "I want to talk to a person", conversation)[-1].handoff
    assert asked is not None
    assert asked.reason == "asked"


def test_a_colleague_answers_instead_of_the_assistant_until_it_is_settled(chat: Chat) -> None:
    conversation = chat.service.new_conversation(OWNER)
    ask(chat, "I need a human", conversation)
    (waiting,) = chat.service.handoffs.queue()
    chat.service.handoffs.reply(waiting.handoff_id, "Hello, I am Ada.")
    asked = len(chat.engine.streams)
    passed_on = ask(chat, f"I am {SECRET}, order 4417", conversation)[-1]
    assert (passed_on.text, passed_on.done) == ("", True)
    assert len(chat.engine.streams) == asked
    desk = chat.service.handoffs.read(waiting.handoff_id)
    assert [(t.question, t.answer) for t in desk.turns if t.kind == "person"] == [
        ("", "Hello, I am [name]."),
        ("I am [name], order 4417", ""),
    ]
    said = chat.service.history(conversation, OWNER)
    assert [turn.by_person for turn in said] == [False, True, True]
    assert said[1].answer == "Hello, I am Ada."
    with pytest.raises(ChatError, match="colleague has answered"):
        chat.service.undo(conversation, owner=OWNER)
    chat.service.handoffs.close(waiting.handoff_id)
    assert ask(chat, "thanks", conversation)[-1].text == "Hello there."
    with pytest.raises(ChatError, match="closed"):
        chat.service.handoffs.reply(waiting.handoff_id, "too late")


def test_two_colleagues_at_once_are_read_in_the_order_that_is_stored(
    chat: Chat, monkeypatch: pytest.MonkeyPatch
) -> None:
    conversation = chat.service.new_conversation(OWNER)
    ask(chat, "I need a human", conversation)
    (waiting,) = chat.service.handoffs.queue()
    repository = chat.service._repository
    storable, others = repository.storable, []

    def slow(text: str, live: LiveConversation) -> Redaction:
        if not others:
            reply = chat.service.handoffs.reply
            others.append(threading.Thread(target=reply, args=[waiting.handoff_id, "second"]))
            others[0].start()
            others[0].join(0.3)  # as far as it comes
        return storable(text, live)

    monkeypatch.setattr(repository, "storable", slow)
    chat.service.handoffs.reply(waiting.handoff_id, "first")
    others[0].join()
    said = [turn.answer for turn in chat.service.history(conversation, OWNER)[1:]]
    assert said == ["first", "second"]
    assert [row.answer for row in stored(chat, conversation)[1:]] == said


def test_a_colleague_writes_into_a_conversation_that_has_left_memory(make_chat: Make) -> None:
    chat = make_chat()
    conversation = chat.service.new_conversation(OWNER)
    ask(chat, "I need a human", conversation)
    restarted = make_chat().service
    (waiting,) = restarted.handoffs.queue()
    restarted.handoffs.reply(waiting.handoff_id, "Hello.")
    with pytest.raises(ChatError, match="write a reply"):
        restarted.handoffs.reply(waiting.handoff_id, " ")
    with pytest.raises(LookupError):
        restarted.handoffs.reply("unknown", "Hello.")
    assert restarted.history(conversation, OWNER)[-1].answer == "Hello."


def test_a_customer_goes_back_to_the_assistant(chat: Chat) -> None:
    conversation = chat.service.new_conversation(OWNER)
    chat.service.request_person(conversation, owner=OWNER, reason="unsure")
    chat.service.cancel_person(conversation, owner=OWNER)
    handoff = chat.service.handoff(conversation, owner=OWNER)
    assert handoff is not None
    status: HandoffStatus = handoff.status
    assert status == "closed"
    assert chat.service.handoffs.queue() == []


# -- opinions ----------------------------------------------------------------------------------


def test_opinions_outlive_a_restart_and_are_bounded(make_chat: Make) -> None:
    chat = make_chat()
    conversation = chat.service.new_conversation(OWNER)
    turn = ask(chat, "hi there", conversation)[-1].turn_id
    chat.service.rate_answer(conversation, turn, 1, owner=OWNER)
    chat.service.rate_conversation(conversation, 4, f"from {SECRET}, Mr. Quack", owner=OWNER)
    (read,) = make_chat().service.history(conversation, OWNER)
    assert read.opinion == 1
    csat = next(row for row in chat.store.care.feedback(conversation) if row.kind == "csat")
    assert (csat.score, csat.comment) == (4, "from [name], [name]")
    with pytest.raises(ChatError, match="1 to 5, got 6"):
        chat.service.rate_conversation(conversation, 6, owner=OWNER)
    with pytest.raises(LookupError):
        chat.service.rate_answer(conversation, "unknown", 1, owner=OWNER)
    with pytest.raises(LookupError):
        chat.service.rate_answer(conversation, turn, 1, owner="eve")


# -- consent and forgetting --------------------------------------------------------------------


def database_bytes(chat: Chat) -> bytes:
    assert chat.store.flush()
    file = Path(str(chat.store._database.url.database))
    return b"".join(part.read_bytes() for part in file.parent.glob(f"{file.name}*"))


def test_without_consent_no_word_is_stored_but_what_it_cost(chat: Chat) -> None:
    chat.engine.says(("Mauve elephants.", "target"))
    conversation = chat.service.new_conversation(OWNER, keep=False)
    turn = ask(chat, "where is my green walrus?", conversation)[-1].turn_id
    chat.service.rate_answer(conversation, turn, 1, owner=OWNER)
    assert chat.service.history(conversation, OWNER)[0].answer == "Mauve elephants."
    raw = database_bytes(chat)
    assert b"walrus" not in raw
    assert b"Mauve" not in raw
    assert len(chat.store.metrics()) == 1
    assert chat.service.conversations(OWNER) == []
    chat.service.keep(conversation, owner=OWNER)
    ask(chat, "where is my blue walrus?", conversation)
    assert [row.question for row in stored(chat, conversation)] == ["where is my blue walrus?"]
    assert len(chat.service.conversations(OWNER)) == 1


def test_forget_me_leaves_nothing_and_frees_the_prefix_pages(chat: Chat) -> None:
    conversation = chat.service.new_conversation(OWNER)
    turn = ask(chat, "where is my green walrus?", conversation)[-1].turn_id
    chat.service.rate_answer(conversation, turn, 1, owner=OWNER)
    chat.service.request_person(conversation, owner=OWNER)
    other = chat.service.new_conversation("ben")
    list(chat.service.answer(other, "hi there", owner="ben"))
    assert b"walrus" in database_bytes(chat)

    chat.service.forget(OWNER)

    assert b"walrus" not in database_bytes(chat)
    with pytest.raises(LookupError):
        chat.service.history(conversation, OWNER)
    assert chat.store.care.feedback() == []
    assert chat.service.handoffs.queue() == []
    assert chat.engine.evicted == [salt(OWNER)]
    assert len(chat.service.history(other, "ben")) == 1


def test_an_answer_under_way_while_being_forgotten_is_not_stored(chat: Chat) -> None:
    conversation = chat.service.new_conversation(OWNER)
    stream = chat.service.answer(conversation, "where is my green walrus?", owner=OWNER)
    next(stream)
    forgetting = threading.Thread(target=chat.service.forget, args=[OWNER])
    forgetting.start()
    forgetting.join()
    assert list(stream)[-1].status == "cancelled"
    assert b"walrus" not in database_bytes(chat)


# -- titles, search, export --------------------------------------------------------------------


def test_conversations_are_renamed_and_found(chat: Chat) -> None:
    conversation = chat.service.new_conversation(OWNER)
    ask(chat, "where is my green walrus?", conversation)
    chat.service.rename_conversation(conversation, "My walrus, call +1 503-555-0117", owner=OWNER)
    (row,) = chat.service.conversations(OWNER, search="walrus hello")
    assert row.title == "My walrus, call [phone]"
    assert chat.service.conversations(OWNER, search="giraffe") == []
    with pytest.raises(ChatError, match="title"):
        chat.service.rename_conversation(conversation, "  ", owner=OWNER)
    with pytest.raises(LookupError):
        chat.service.rename_conversation(conversation, "Mine", owner="eve")


def test_an_export_holds_the_conversation_with_its_parameters(chat: Chat) -> None:
    conversation = chat.service.new_conversation(OWNER)
    ask(chat, "please send my refund", conversation, temperature=0.5, seed=7)
    read: Any = json.loads(chat.service.export(conversation, "json", owner=OWNER))
    (turn,) = read["turns"]
    assert (turn["question"], turn["answer"]) == ("please send my refund", "Hello there.")
    assert (turn["metrics"]["temperature"], turn["metrics"]["seed"]) == (0.5, 7)
    assert turn["sources"][0] == "refund-status"
    text = chat.service.export(conversation, "markdown", owner=OWNER, title="Walrus")
    assert text.startswith("# Walrus\n")
    assert "**You:**\n\n> please send my refund" in text
    with pytest.raises(LookupError):
        chat.service.export(conversation, "json", owner="eve")


def test_leaving_before_the_first_token_is_noticed(chat: Chat) -> None:
    conversation = chat.service.new_conversation(OWNER)
    stream = chat.service.answer(conversation, "hi there", owner=OWNER, options=AnswerOptions())
    assert next(stream).text == ""
    heartbeat: list[None] = [None, None]
    inner = chat.engine
    original = inner.submit

    def slow(request: Any) -> Any:
        made = original(request)
        real = made.next_within
        made.next_within = lambda timeout_s: heartbeat.pop() if heartbeat else real(timeout_s)
        return made

    inner.submit = slow  # type: ignore[method-assign]
    assert [next(stream).text for _ in range(2)] == ["", ""]  # no token yet, but a sign of life
    stream.close()
    assert [row.status for row in stored(chat, conversation)] == ["cancelled"]
