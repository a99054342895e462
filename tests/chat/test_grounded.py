"""The chat on a model that reads pages: what it is given, what is shown, what is kept of it."""

from __future__ import annotations

import json
from typing import Any

import pytest

from specchat.chat import wording as say
from specchat.chat.answer.instructions import grounded_question, system_text
from specchat.chat.knowledge import Knowledge, Passage
from specchat.chat.service import ChatService
from storage import TurnGrounds
from tests.chat.asked import OWNER, Make, ask, stored
from tests.chat.conftest import Chat

TEMPLATE = "{% for m in messages %}<|{{ m.role }}|>{{ m.content }}<|end|>{% endfor %}<|assistant|>"
COST = "Standard delivery costs $4.90 and is free from $60. Express delivery costs $12.90."


@pytest.fixture
def chat(make_chat: Make, care_tokenizer: Any) -> Chat:
    tokenizer = care_tokenizer.__class__(
        tokenizer_object=care_tokenizer.backend_tokenizer, eos_token="<|end|>"
    )
    tokenizer.chat_template = TEMPLATE
    return make_chat(uses_slots=False, orders=True, tokenizer=tokenizer)


def says(chat: Chat, text: str) -> None:
    chat.engine.says((text, "target"))


def grounds(chat: Chat, conversation: str) -> TurnGrounds:
    found = stored(chat, conversation)[-1].grounds
    assert found is not None
    return found


# -- what the model is given -------------------------------------------------------------------


def test_the_prompt_is_word_for_word_that_of_the_training(chat: Chat) -> None:
    says(chat, "Standard delivery costs $4.90 and is free from $60.")
    conversation = chat.service.new_conversation(OWNER)
    ask(chat, "hello", conversation)
    ask(chat, "how much does delivery cost?", conversation)
    company = chat.service.company
    found = Knowledge(chat.store, company, None).judge("how much does delivery cost?").passages
    pages = [(page.title, page.text) for page in found]
    assert chat.prompt() == (
        f"<|system|>{system_text(company.name, company.description)}<|end|>"
        f"<|user|>hello<|end|><|assistant|>{say.TALK['greeting']}<|end|>"
        f"<|user|>{grounded_question('how much does delivery cost?', pages)}<|end|><|assistant|>"
    )
    race = chat.service.prompt_for("how much does delivery cost?")
    assert chat.tokenizer.decode(race.ids).endswith(chat.prompt().split("<|user|>")[-1])


def test_the_target_says_which_page_the_question_is_about(chat: Chat) -> None:
    company = chat.service.company
    question = "is delivery to other countries possible, what does it cost"
    found = Knowledge(chat.store, company, None).judge(question).found
    for second in (0.0, 9.0):
        says(chat, "We do not know.")
        chat.engine.likelihoods = [-5.0, -5.0 + second, -5.0, -5.0]
        ask(chat, question)
        first = found[1 if second else 0].passage
        assert f"Pages:\n## {first.title}\n" in chat.prompt()
    reads = [chat.tokenizer.decode(text.ids) for text in chat.engine.read[-4:]]
    assert all(read.endswith(f"Customer: {question}") for read in reads)
    ends = [chat.tokenizer.decode(text.ids[text.first :]) for text in chat.engine.read[-4:]]
    assert [end.strip() for end in ends] == [question] * 4
    request = chat.engine.streams[-1].request
    assert chat.tokenizer.decode(request.prompt_ids[: request.public_tokens]).endswith("Customer:")


def test_what_is_not_on_the_list_is_said_before_the_list(chat: Chat) -> None:
    says(chat, "We deliver to Germany, France and the Netherlands.")
    asked = ask(chat, "which countries do you deliver to, Switzerland too, or Germany?")[-1]
    assert asked.text.startswith("Not on the list: Switzerland.\n\n")
    asked = ask(chat, "which countries do you deliver to, Germany too?")[-1]
    assert "on the list" not in asked.text
    asked = ask(chat, "where is order 4417, and which countries, Switzerland too?")[-1]
    assert asked.lookups
    assert "on the list" not in asked.text  # the list need not be said beside an order


def test_the_assistant_says_all_that_was_chosen(make_chat: Make) -> None:
    chat = make_chat(uses_slots=False, model="care")
    says(chat, "Standard delivery costs $4.90.")
    last = ask(chat, "how much does delivery cost?")[-1]
    assert "is free from $60. Express delivery costs $12.90." in last.text
    assert last.grounds
    assert last.grounds.state == "page"


def test_an_order_is_not_lost_behind_a_page(make_chat: Make) -> None:
    chat = make_chat(uses_slots=False, model="care", orders=True)
    says(chat, "Your order 4417 is on its way.")
    assert ask(chat, "where is order 4417?")[-1].text == "Your order 4417 is on its way."
    says(chat, "Your order 4417 is on its way.")
    says(chat, "Sign in and open My Orders. The link appears there.")
    assert ask(chat, "tracking number for order 4417")[-1].text.startswith("Your order 4417 is")
    says(chat, "Your order 4417 is on its way.")
    both = ask(chat, "where is order 4417, and how much does delivery cost?")[-1].text
    assert "4417" in both
    assert "Express delivery costs $12.90." in both


def test_what_is_to_be_done_about_an_order_is_said_too(make_chat: Make) -> None:
    chat = make_chat(uses_slots=False, model="care", orders=True)
    for question in ("I want to cancel order 4417", "order 4417: can i change the address?"):
        says(chat, "Your order 4417 is on its way.")
        said = ask(chat, question)[-1].text
        assert said.startswith("Your order 4417 is on its way.")
        assert "My Orders, choose the order" in said
    says(chat, "Your order 4417 is on its way.")
    assert ask(chat, "was order 4417 cancelled?")[-1].text == "Your order 4417 is on its way."


def test_it_says_where_it_is_not_sure(chat: Chat, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("specchat.chat.answer.preparation.UNSURE", 1.1)
    says(chat, COST)
    assert ask(chat, "how much does delivery cost?")[-1].text == f"{say.UNSURE}\n\n{COST}"
    monkeypatch.setattr("specchat.chat.answer.preparation.UNSURE", 0.0)
    says(chat, COST)
    assert ask(chat, "how much does delivery cost?")[-1].text == COST


def test_what_is_private_is_not_everybodys(chat: Chat) -> None:
    conversation = chat.service.new_conversation(OWNER)
    for question in ("order 4417 and what does delivery cost?", "how much does delivery cost?"):
        says(chat, COST)
        ask(chat, question, conversation)
        request = chat.engine.streams[-1].request
        public = chat.tokenizer.decode(request.prompt_ids[: request.public_tokens])
        assert public.endswith("<|user|>")


def test_an_order_is_read_where_the_question_is_about_it(chat: Chat) -> None:
    conversation = chat.service.new_conversation(OWNER)
    says(chat, "Your order 4417 is on its way.")
    assert ask(chat, "Bestellung 004417?", conversation)[-1].lookups[0].number == "4417"
    assert "Orders:\nOrder 4417: on its way." in chat.prompt()
    assert ask(chat, "and when does it arrive?", conversation)[-1].lookups
    assert not ask(chat, "My laptop's screen arrived cracked", conversation)[-1].lookups
    assert "Orders:" not in chat.prompt().split("<|user|>")[-1]


def test_pages_give_way_when_the_context_is_short(make_chat: Make) -> None:
    chat = make_chat(uses_slots=False, context_length=420)
    assert ask(chat, "how much does delivery cost?", max_tokens=20)[-1].status == "completed"
    assert len(chat.engine.streams[0].request.prompt_ids) <= 400
    assert "Customer: how much does delivery cost?" in chat.prompt()


def test_what_a_colleague_said_is_part_of_the_conversation(chat: Chat) -> None:
    conversation = chat.service.new_conversation(OWNER)
    handoff = ask(chat, "I want to talk to a person", conversation)[-1].handoff
    assert handoff is not None
    chat.service.handoffs.reply(handoff.handoff_id, "I refund 20 EUR by Friday.")
    chat.service.handoffs.close(handoff.handoff_id)
    says(chat, "You get 20 EUR by Friday.")
    last = ask(chat, "when does my money come?", conversation)[-1]
    assert f"{say.COLLEAGUE_SAID}I refund 20 EUR by Friday.<|end|>" in chat.prompt()
    assert last.text == "You get 20 EUR by Friday."


def test_a_colleagues_word_is_newer_than_records_and_pages(make_chat: Make) -> None:
    chat = make_chat(uses_slots=False, orders=True)
    conversation = chat.service.new_conversation(OWNER)
    says(chat, "It is on its way.")
    ask(chat, "Where is order 4417?", conversation)
    handoff = chat.service.request_person(conversation, owner=OWNER)
    chat.service.handoffs.reply(handoff.handoff_id, "I refund 20 EUR by Friday.")
    chat.service.handoffs.close(handoff.handoff_id)
    quoted = f"{say.COLLEAGUE_SAID}“I refund 20 EUR by Friday.”"
    last = ask(chat, "by when exactly is my refund?", conversation)[-1]
    assert last.text.startswith(quoted)
    assert last.lookups == ()
    assert quoted in chat.service.export(conversation, "json", owner=OWNER)
    for question in ("where is order 4417?", "do you sell lamps?"):
        assert quoted not in ask(chat, question, conversation)[-1].text


def test_a_german_question_behind_a_colleagues_word_is_told_it(chat: Chat) -> None:
    conversation = chat.service.new_conversation(OWNER)
    handoff = chat.service.request_person(conversation, owner=OWNER)
    chat.service.handoffs.reply(handoff.handoff_id, "I refund 20 EUR by Friday.")
    chat.service.handoffs.close(handoff.handoff_id)
    last = ask(chat, "Wann kommt das Geld?", conversation)[-1]
    assert last.text.startswith(f"{say.COLLEAGUE_SAID}“I refund 20 EUR by Friday.”")


# -- what is shown -----------------------------------------------------------------------------


def test_a_grounded_answer_stays_and_names_the_page_it_used(chat: Chat) -> None:
    says(chat, "Happy to help. Standard delivery costs $4.90 and is free from $60.")
    conversation = chat.service.new_conversation(OWNER)
    last = ask(chat, "how much does delivery cost?", conversation)[-1]
    assert last.text.startswith("Happy to help. Standard delivery")
    assert "delivery-cost" in last.sources[0].id or "delivery-fees" in last.sources[0].id
    assert grounds(chat, conversation).state == "grounded"
    assert not last.doubts


@pytest.mark.parametrize(
    "written",
    ["I'm sorry, I don't know that.", "It costs $7.50.", "I will refund your delivery.", ""],
)
def test_a_page_that_fits_takes_the_place_of_an_answer_that_fails(chat: Chat, written: str) -> None:
    says(chat, written)
    conversation = chat.service.new_conversation(OWNER)
    *streamed, last = ask(chat, "how much does delivery cost?", conversation)
    assert streamed[-1].text in (written, "")
    assert "$4.90" in last.text
    assert {segment.source for segment in last.segments} == {"page"}
    assert last.stats is not None
    (row,) = stored(chat, conversation)
    assert row.answer == last.text == chat.service.history(conversation, OWNER)[0].answer
    assert row.grounds is not None
    assert row.grounds.state == "page"
    assert row.grounds.unsupported == (("$7.50",) if "7.50" in written else ())


def test_an_order_is_told_where_the_model_fails(chat: Chat) -> None:
    says(chat, "Your order was delivered by FedEx.")
    conversation = chat.service.new_conversation(OWNER)
    last = ask(chat, "where is order 4417?", conversation)[-1]
    assert last.text.startswith("Your order 4417 is on its way. Expected on ")
    assert grounds(chat, conversation).state == "order"
    says(chat, "It is on its way.")
    missing = ask(chat, "and order 9999?", conversation)[-1]
    assert missing.doubts == ("no_such_order",)


def test_an_invention_without_a_page_becomes_i_do_not_know(chat: Chat) -> None:
    says(chat, "Saturn has 146 moons.")
    conversation = chat.service.new_conversation(OWNER)
    last = ask(chat, "which moons orbit the planet saturn?", conversation)[-1]
    assert last.text == say.UNKNOWN
    assert (last.sources, last.doubts) == ((), ("admits",))
    assert grounds(chat, conversation) == TurnGrounds(
        state="unknown", retrieved=grounds(chat, conversation).retrieved, unsupported=("146",)
    )


def test_small_talk_has_no_pages_and_a_smiley_gets_a_question(chat: Chat) -> None:
    says(chat, "Hi there! What can I do for you?")
    conversation = chat.service.new_conversation(OWNER)
    assert ask(chat, "good morning!", conversation)[-1].text.startswith("Hi there!")
    assert "<|user|>Pages: none\n\nCustomer: good morning!<|end|>" in chat.prompt()
    assert ask(chat, "😊", conversation)[-1].text == say.WORDLESS
    assert len(chat.engine.streams) == 1
    assert grounds(chat, conversation).state == "talk"


@pytest.mark.parametrize(
    ("asked", "said"),
    [("hi", "greeting"), ("thanks a lot!", "thanks"), ("bye", "goodbye"), ("r u a bot", "robot")],
)
def test_small_talk_is_never_declined(chat: Chat, asked: str, said: str) -> None:
    says(chat, "I'm sorry, I don't know.")
    assert ask(chat, asked)[-1].text == say.TALK[said]
    says(chat, "I'm a real person.")
    assert ask(chat, asked)[-1].text == say.TALK[said]


def test_a_person_is_promised_only_with_a_hand_over(chat: Chat) -> None:
    says(chat, "I'm connecting you now.")
    conversation = chat.service.new_conversation(OWNER)
    wish = ask(chat, "Ich möchte mit einem Menschen sprechen", conversation)[-1]
    assert (wish.text, wish.handoff is not None) == (say.PERSON_IN_GERMAN, True)
    other = chat.service.new_conversation(OWNER)
    refused = "I don't want to talk to an agent, just tell me what delivery costs"
    assert ask(chat, refused, other)[-1].handoff is None


def test_a_german_question_is_answered_by_the_german_page(chat: Chat) -> None:
    conversation = chat.service.new_conversation(OWNER)
    last = ask(chat, "Was kostet die Standardlieferung?", conversation)[-1]
    assert last.text.startswith((say.GERMAN_PAGE, say.GERMAN_UNSURE))
    assert "4,90" in last.text
    assert last.sources
    assert last.grounds
    assert (last.grounds.state, last.grounds.unsupported) == ("page", ())
    other = chat.service.new_conversation(OWNER)
    unknown = ask(chat, "Wird es morgen in Bremen regnen?", other)[-1]
    assert unknown.text == say.GERMAN_UNKNOWN


@pytest.mark.parametrize(
    ("message", "kind"), [("Hallo!", "greeting"), ("Danke schön", "thanks"), ("Tschüss", "goodbye")]
)
def test_german_small_talk_is_answered_in_german(chat: Chat, message: str, kind: str) -> None:
    assert ask(chat, message)[-1].text == say.TALK_IN_GERMAN[kind]


def test_without_german_pages_an_honest_sentence_comes_first(
    make_chat: Make,
) -> None:
    chat = make_chat(uses_slots=False, german=False)
    says(chat, "Standard delivery costs $4.90 and is free from $60.")
    last = ask(chat, "Was kostet die standard delivery?")[-1]
    assert last.text.startswith(f"{say.GERMAN} Standard delivery costs $4.90")


# -- what is kept ------------------------------------------------------------------------------


def test_an_export_says_what_each_answer_stands_on(chat: Chat) -> None:
    says(chat, "It costs $7.50.")
    conversation = chat.service.new_conversation(OWNER)
    ask(chat, "how much does delivery cost?", conversation)
    (turn,) = json.loads(chat.service.export(conversation, "json", owner=OWNER))["turns"]
    assert turn["grounds"]["state"] == "page"
    assert turn["grounds"]["unsupported"] == ["$7.50"]
    assert turn["grounds"]["retrieved"]


def test_without_consent_no_word_of_it_is_kept(chat: Chat) -> None:
    says(chat, "It costs $7.50.")
    conversation = chat.service.new_conversation(OWNER, keep=False)
    ask(chat, "how much does delivery cost?", conversation)
    assert chat.store.flush()
    assert chat.store.grounds() == [TurnGrounds(state="page", unsupported=("",))]


def test_imported_documents_are_answered_from(chat: Chat, make_chat: Make) -> None:
    loaded, company = chat.service.loaded, chat.service.company
    knowledge = Knowledge(chat.store, company, None)
    knowledge.add([Passage("w", "walrus.md", "Adopting a walrus", "A walrus eats 50 kg a day.")])
    service = ChatService(loaded, chat.store, company, knowledge=knowledge)
    says(chat, "A walrus eats 50 kg a day.")
    conversation = service.new_conversation(OWNER)
    last = list(service.answer(conversation, "what does a walrus eat?", owner=OWNER))[-1]
    assert [source.title for source in last.sources] == ["Adopting a walrus"]
