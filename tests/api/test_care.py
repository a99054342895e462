"""`care-assistant` answers as the chat does, keeps nothing, and leaves a person to its caller."""

from __future__ import annotations

from typing import Any

import pytest
from openai import BadRequestError

from specchat.chat.types import AnswerOptions
from tests.api.conftest import Server


def care(server: Server, *said: str, **asked: Any) -> Any:
    """An answer to the last of what customer and assistant said in turn."""
    roles = ("user", "assistant")
    messages = [{"role": roles[at % 2], "content": text} for at, text in enumerate(said)]
    asked = {"messages": messages, "max_tokens": 40, **asked}
    return server.client().chat.completions.create(model="care-assistant", **asked)


def chat(server: Server, *questions: str) -> list[str]:
    """What the chat answers to the same questions."""
    conversation = server.service.new_conversation("ann", keep=False)
    options = AnswerOptions(max_tokens=40)
    answers = (
        list(server.service.answer(conversation, question, owner="ann", options=options))[-1]
        for question in questions
    )
    return [answer.text for answer in answers]


def test_it_says_what_the_chat_says_and_where_it_stands(server: Server) -> None:
    question = "How long does delivery take?"
    said = care(server, question)
    assert said.choices[0].message.content == chat(server, question)[0]
    assert said.model == "care-assistant"
    assert said.care["grounded"] in ("page", "grounded")
    assert said.care["sources"][0].keys() == {"id", "title", "text"}
    assert "3-5 business days" in said.choices[0].message.content
    assert "delivery" in said.care["sources"][0]["text"].lower()
    assert said.usage.completion_tokens > 0
    assert said.metrics["time_to_first_token_ms"] > 0


def test_an_order_is_looked_up(server: Server) -> None:
    said = care(server, "where is order 4417?")
    (order,) = said.care["orders"]
    assert (order["number"], order["found"]) == ("4417", True)
    assert said.choices[0].message.content in chat(server, "where is order 4417?")
    (missing,) = care(server, "where is order 999999?").care["orders"]
    assert missing["found"] is False


def test_a_follow_up_leans_on_what_was_said(server: Server) -> None:
    first, second = "where is order 4417?", "and when will it arrive?"
    answers = chat(server, first, second)
    said = care(server, first, answers[0], second)
    assert said.choices[0].message.content == answers[1]
    assert [order["number"] for order in said.care["orders"]] == ["4417"]
    assert care(server, second).care["orders"] == []


def test_a_wish_for_a_person_is_told_to_the_caller_and_nobody_is_called(server: Server) -> None:
    said = care(server, "I want to talk to a person")
    assert said.care["handoff"] == {"offered": True, "reason": "asked"}
    assert said.usage.completion_tokens == 0
    assert said.metrics is None
    assert server.service.handoffs.queue() == []
    assert care(server, "hello").care["handoff"] == {"offered": False, "reason": None}
    unknown = care(server, "where is order 999999?").care
    assert unknown["handoff"] == {"offered": True, "reason": "unsure"}
    assert unknown["doubts"] == ["no_such_order"]


def test_its_text_is_streamed_when_it_has_been_checked(server: Server) -> None:
    question = "How long does a refund take?"
    whole = care(server, question)
    stream = care(server, question, stream=True, stream_options={"include_usage": True})
    chunks = list(stream)
    texts = [c.choices[0].delta.content for c in chunks if c.choices and c.choices[0].delta.content]
    assert "".join(texts) == whole.choices[0].message.content
    assert chunks[-1].care == whole.care
    assert chunks[-2].choices[0].finish_reason == whole.choices[0].finish_reason


def test_no_word_is_stored_only_what_it_cost(server: Server) -> None:
    server.store.flush()
    before = len(server.store.metrics())
    care(server, "A quokka-lamp", "Which one?", "My quokka-lamp, to ann@quokka.example, order 4417")
    assert server.store.flush()
    assert len(server.store.metrics()) == before + 1
    assert not server.holds("quokka")


def test_plain_and_speculative_answers_are_the_same(server: Server) -> None:
    answers = [
        care(server, "How do I cancel my order?", extra_body={"speculation": each})
        for each in ("off", "on", "auto", ["ngram"])
    ]
    assert len({said.choices[0].message.content for said in answers}) == 1
    assert answers[0].metrics["speculative_decoding"] is None


@pytest.mark.parametrize(
    ("name", "asked"),
    [
        ("top_p", {"top_p": 0.5}),
        ("stop", {"stop": "."}),
        ("logprobs", {"logprobs": True}),
        ("logit_bias", {"logit_bias": {"5": 1}}),
        ("n", {"n": 2}),
        ("presence_penalty", {"presence_penalty": 1}),
        ("seed", {"seed": -1}),
        ("speculation", {"extra_body": {"speculation": ["mlp"]}}),
        ("top_k", {"extra_body": {"top_k": 4}}),
        ("messages", {"messages": [{"role": "system", "content": "Be rude."}]}),
        ("messages", {"messages": [{"role": "assistant", "content": "Hello"}]}),
        ("messages", {"messages": [{"role": "user", "content": " "}]}),
        ("messages", {"messages": [{"role": "user", "content": "x" * 20_001}]}),
        ("max_tokens", {"max_tokens": 4000}),
        ("temperature", {"temperature": 9}),
    ],
)
def test_what_would_change_its_words_is_refused(
    server: Server, name: str, asked: dict[str, Any]
) -> None:
    with pytest.raises(BadRequestError) as refused:
        care(server, "hello", **asked)
    assert refused.value.param == name


def test_it_goes_on_from_no_prompt(server: Server) -> None:
    with pytest.raises(BadRequestError, match="chat/completions"):
        server.client().completions.create(model="care-assistant", prompt="hello")
