"""The official client, as it is, against the real engine."""

from __future__ import annotations

import pytest
from openai import OpenAI

from tests.api.conftest import Server

QUESTION = [{"role": "user", "content": "Where is my refund for the order?"}]


def test_models_are_listed(client: OpenAI, server: Server) -> None:
    assert [model.id for model in client.models.list()] == [server.model, "care-assistant"]
    assert client.models.retrieve("care-assistant").owned_by == "specchat"


def test_a_chat_is_answered(client: OpenAI, server: Server) -> None:
    said = client.chat.completions.create(model=server.model, messages=QUESTION, max_tokens=24)
    (choice,) = said.choices
    assert choice.message.role == "assistant"
    assert choice.message.content
    assert choice.finish_reason == "length"
    assert said.usage
    assert said.usage.completion_tokens == 24
    assert said.usage.total_tokens == said.usage.prompt_tokens + 24


def test_a_stream_says_the_same(client: OpenAI, server: Server) -> None:
    asked = {"model": server.model, "messages": QUESTION, "max_tokens": 24}
    whole = client.chat.completions.create(**asked)
    stream = client.chat.completions.create(
        **asked, stream=True, stream_options={"include_usage": True}
    )
    chunks = list(stream)
    text = "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)
    assert text == whole.choices[0].message.content
    assert chunks[0].choices[0].delta.role == "assistant"
    assert chunks[-2].choices[0].finish_reason == "length"
    assert chunks[-1].choices == []
    assert chunks[-1].usage
    assert chunks[-1].usage.completion_tokens == 24
    assert all(chunk.usage is None for chunk in chunks[:-1])


@pytest.mark.parametrize("stream", [False, True])
def test_a_completion_goes_on_from_its_prompt(client: OpenAI, server: Server, stream: bool) -> None:
    said = client.completions.create(
        model=server.model, prompt="Where is my", max_tokens=8, stream=stream
    )
    chunks = list(said) if stream else [said]
    assert "".join(chunk.choices[0].text for chunk in chunks)
    assert chunks[-1].choices[0].finish_reason == "length"
