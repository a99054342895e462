"""A chat page of somebody else: the requests that open-webui sends to a server of this kind."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from tests.api.conftest import Server

HEADERS = {"Authorization": "Bearer none", "Content-Type": "application/json"}
TASK = (
    "### Task:\nGive this conversation a short title with an emoji.\n### Output:\n"
    'JSON: { "title": "the title" }\n### Chat History:\nUSER: Where is my refund?\n'
    "ASSISTANT: On its way."
)


@pytest.fixture
def page(server: Server) -> Iterator[httpx.Client]:
    """It is given the address with /v1 and any key."""
    with httpx.Client(base_url=f"{server.url}/v1", headers=HEADERS, timeout=120) as http:
        yield http


def test_it_lists_models_by_id(page: httpx.Client, server: Server) -> None:
    listed = page.get("/models").json()
    assert listed["object"] == "list"
    assert {each["id"] for each in listed["data"]} == {server.model, "care-assistant"}


@pytest.mark.parametrize("assistant", [False, True])
def test_it_streams_a_chat_and_asks_what_it_took(
    page: httpx.Client, server: Server, assistant: bool
) -> None:
    body = {
        "stream": True,
        "model": "care-assistant" if assistant else server.model,
        "messages": [
            {"role": "user", "content": "Hello"},
            {"role": "assistant", "content": "Hello! How can I help you today?"},
            {"role": "user", "content": [{"type": "text", "text": "Where is my refund?"}]},
        ],
        "stream_options": {"include_usage": True},
    }
    with page.stream("POST", "/chat/completions", json=body) as answer:
        assert answer.headers["content-type"].startswith("text/event-stream")
        lines = [line for line in answer.iter_lines() if line.startswith("data: ")]
    assert lines[-1] == "data: [DONE]"
    chunks: list[Any] = [json.loads(line.removeprefix("data: ")) for line in lines[:-1]]
    said = [c["choices"][0]["delta"].get("content") for c in chunks if c["choices"]]
    assert "".join(filter(None, said))
    assert chunks[-1]["usage"]["total_tokens"] > 0


def test_it_has_a_title_made(page: httpx.Client, server: Server) -> None:
    body = {
        "model": server.model,
        "messages": [{"role": "user", "content": TASK}],
        "stream": False,
        "max_completion_tokens": 1_000,
    }
    answer = page.post("/chat/completions", json=body)
    assert answer.status_code == 200, answer.text
    assert answer.json()["choices"][0]["message"]["content"]


def test_it_passes_its_settings_on(page: httpx.Client, server: Server) -> None:
    body = {
        "model": server.model,
        "messages": [
            {"role": "system", "content": "Be brief."},
            {"role": "user", "content": "Where is it?"},
        ],
        "stream": False,
        "max_tokens": 8,
        "temperature": 0.8,
        "top_p": 0.9,
        "top_k": 40,
        "min_p": 0.0,
        "frequency_penalty": 0.1,
        "presence_penalty": 0.0,
        "seed": 42,
        "stop": ["###"],
        "logit_bias": {"5": -100},
    }
    answer = page.post("/chat/completions", json=body)
    assert answer.status_code == 200, answer.text
    assert answer.json()["usage"]["completion_tokens"] <= 8


def test_its_tools_are_refused_by_name(page: httpx.Client, server: Server) -> None:
    body = {
        "model": server.model,
        "messages": [{"role": "user", "content": "Where is it?"}],
        "tools": [{"type": "function", "function": {"name": "search", "parameters": {}}}],
    }
    answer = page.post("/chat/completions", json=body)
    assert answer.status_code == 400
    assert answer.json()["error"]["param"] == "tools"
