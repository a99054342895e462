"""What a message is: a question, small talk, a wish for a person, no words."""

from __future__ import annotations

import pytest

from specchat.chat.answer.intent import intent_of


@pytest.mark.parametrize(
    "text",
    ["hi", "hey there 😊", "thanks, that helps", "are you a robot?",
     "am i talking to a real person",
     "good evening", "help", "ok thx", "Danke schön!", "cheers mate", "thanks a lot guys",
     "thanks a lot, that was it",
     "hallo zusammen", "thanks, you're a star", "ur a legend!!", "really appreciate it",
     "You have been very helpful, thank you so much", "great service", "das war sehr nett",
     "thanks that helped", "ok thank you, I'll do that then", "that solved it, thank you so much",
     "thx, makes sense now", "thanks a million, that clears it up",
     "danke, das hat mir sehr geholfen", "never mind, found it"],
)  # fmt: skip
def test_small_talk(text: str) -> None:
    assert intent_of(text) == "talk"


@pytest.mark.parametrize(
    "text",
    ["I want to talk to a person", "agent", "human please", "connect me to someone",
     "i dont want to talk to a bot", "can someone call me", "talk to someone", "I need a human",
     "Agent, please!", "can you put me on to a person", "who can i speak to",
     "no offence but i'd rather talk to somebody who works there",
     "pass me over to your manager", "put me through to customer service staff",
     "Ich möchte mit einem Menschen sprechen",
     "Kann ich mit jemandem reden?", "Mitarbeiter bitte", "Ich brauche einen Menschen",
     "Gibt es hier auch echte Menschen?", "Kann mich jemand anrufen?",
     "Could you transfer me to customer support", "Is there a person I can talk to?",
     "escalate this to a supervisor"],
)  # fmt: skip
def test_a_wish_for_a_person(text: str) -> None:
    assert intent_of(text) == "person"


@pytest.mark.parametrize(
    "text",
    ["I don't want to talk to an agent, just tell me about refunds",
     "Ich will nicht mit einem Mitarbeiter sprechen, nur wissen, wie Rückgaben gehen",
     "hi, how long does delivery take", "is the express service great?", "great, but my lamp broke",
     "love it, can I get a second one?", "thanks, and how much is it?",
     "do you need a manager's signature?", "the agent at the door was rude",
     "do I need to speak to someone to return it?", "can I return this without talking to a human?",
     "Muss ich mit einem Mitarbeiter sprechen, um zu kündigen?", "kein Mensch hat mir geantwortet",
     "I talked to an agent yesterday and he said 5 days", "I need support with my return",
     "thanks, I want to cancel", "thanks but it did not help", "thank you, and the refund?",
     "thank you, my order came", "thanks, still waiting", "thanks, i have a problem",
     "thanks, that is not right", "thanks, what now", "a person signed for my parcel",
     "how do I talk about this in a review", "I want my money"],
)  # fmt: skip
def test_a_question(text: str) -> None:
    assert intent_of(text) == "question"


def test_no_words() -> None:
    for message in ("😊👍", "???", "❤️", "1️⃣ 👍🏽", "🇩🇪", ":D", "xD :-)", "<3", "¯\\_(ツ)_/¯", "…"):
        assert intent_of(message) == "wordless", message
    for message in ("3", "XS", "4417", "ok"):
        assert intent_of(message) != "wordless", message


def test_a_long_message_is_read_in_no_time() -> None:
    assert intent_of("hi " * 6_000) == "question"
