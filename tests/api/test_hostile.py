"""What hostile clients do: bodies made to break something, connections reset, answers not read.
Whoever is answered beside them gets what they would get alone."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import hypothesis
import pytest
from hypothesis import strategies as st

from tests.api.conftest import Server, eventually

HELLO = [{"role": "user", "content": "Where is my refund for the order?"}]
EXAMPLES = 120
RESETS = 30
STALLED = 8

_WORDS = [
    "",
    "x",
    "\0",
    "\ufeff",
    "\u200d",
    "🧑\u200d🚀",
    "<|end|>",
    "a" * 5_000,
    "e\u0301",
    "{{",
    "�",
]
NUMBERS = st.sampled_from(
    [0, 1, -1, 2, 0.5, 1e308, -1e308, 1e-320, 2**31, 2**63, 2**70, -(2**63), 10**30, True, "1", ""]
)
TEXTS = st.one_of(st.sampled_from(_WORDS), st.text(max_size=20))
VALUES = st.recursive(
    st.one_of(st.none(), NUMBERS, TEXTS),
    lambda inner: st.one_of(
        st.lists(inner, max_size=6), st.dictionaries(TEXTS, inner, max_size=4)
    ),
    max_leaves=6,
)  # fmt: skip
FIELDS = (
    "n", "best_of", "logprobs", "top_logprobs", "temperature", "top_p", "top_k", "min_p", "seed",
    "stop", "stop_token_ids", "frequency_penalty", "presence_penalty", "repetition_penalty",
    "logit_bias", "max_tokens", "max_completion_tokens", "min_tokens", "ignore_eos", "echo",
    "stream", "stream_options", "speculation", "user", "cache_salt", "tools", "response_format",
)  # fmt: skip
MESSAGES = st.one_of(
    VALUES,
    st.lists(
        st.fixed_dictionaries({"role": st.one_of(st.sampled_from(["user", "assistant"]), VALUES),
                               "content": st.one_of(TEXTS, VALUES)}),
        max_size=3,
    ),
)  # fmt: skip
BODIES = st.builds(
    lambda model, messages, prompt, rest: {"max_tokens": 2, "model": model, "messages": messages,
                                           "prompt": prompt, **rest},
    st.one_of(st.sampled_from(["", "", "care-assistant"]), VALUES),
    st.one_of(st.just(HELLO), MESSAGES),
    st.one_of(st.just("Where"), VALUES),
    st.dictionaries(st.sampled_from(FIELDS), VALUES, max_size=4),
)  # fmt: skip


@pytest.fixture(autouse=True)
def _idle_before_and_after(server: Server) -> Iterator[None]:
    eventually(server.idle)
    yield
    eventually(lambda: server.idle() and server.api.traffic.open == 0)


def neighbour(server: Server, tokens: int = 400) -> dict[str, Any]:
    """What somebody asks meanwhile: sampled, so that one number drawn too many would show."""
    return {
        "model": server.model, "messages": HELLO, "max_tokens": tokens, "temperature": 0.7,
        "seed": 5, "extra_body": {"ignore_eos": True},
    }  # fmt: skip


def test_no_body_is_a_fault_of_ours_or_changes_what_a_neighbour_is_told(server: Server) -> None:
    client, statuses = server.client(), set()
    alone = client.chat.completions.create(**neighbour(server)).choices[0].message.content
    over, told = threading.Event(), []

    def go_on_asking() -> None:
        while not over.is_set():
            stream = client.chat.completions.create(**neighbour(server), stream=True)
            told.append("".join(chunk.choices[0].delta.content or "" for chunk in stream))

    @hypothesis.settings(
        max_examples=EXAMPLES, database=None, derandomize=True, deadline=None,
        suppress_health_check=list(hypothesis.HealthCheck), phases=[hypothesis.Phase.generate],
    )  # fmt: skip
    @hypothesis.given(st.sampled_from(["chat/completions", "completions"]), BODIES)
    def asked(path: str, body: dict[str, Any]) -> None:
        left_out = "prompt" if path == "chat/completions" else "messages"
        given = {name: value for name, value in body.items() if name != left_out}
        given["model"] = given["model"] or server.model
        answer = http.post(f"/v1/{path}", content=json.dumps(given).encode(), headers=_JSON)
        statuses.add(answer.status_code)
        assert answer.status_code < 500, (given, answer.text)
        if answer.status_code != 200:
            assert answer.json()["error"]["message"]

    with server.http() as http, ThreadPoolExecutor(1) as beside:
        asking = beside.submit(go_on_asking)
        try:
            asked()
        finally:
            over.set()
        asking.result()
    assert statuses >= {200, 400}
    assert set(told) == {alone}


def test_every_question_whose_connection_is_reset_costs_one_cancelled_turn(server: Server) -> None:
    body = {
        "model": "care-assistant", "messages": HELLO, "stream": True, "max_tokens": 1_000,
        "temperature": 5.0, "seed": 4,
    }  # fmt: skip
    assert server.store.flush()
    before = {row.turn_id for row in server.store.metrics()}
    for _ in range(RESETS):
        connection = server.send("chat/completions", body)
        eventually(lambda: server.loaded.engine.snapshot().running)
        connection.close()
        eventually(server.idle)
    eventually(lambda: server.idle() and server.api.traffic.open == 0)
    assert server.store.flush()
    rows = [row for row in server.store.metrics() if row.turn_id not in before]
    assert [row.status for row in rows] == ["cancelled"] * RESETS


def test_who_does_not_read_keeps_nobody_waiting(server: Server) -> None:
    body = {
        "model": server.model, "messages": HELLO, "stream": True, "max_tokens": 1_500, "n": 2,
        "ignore_eos": True, "logprobs": True, "top_logprobs": 20,
    }  # fmt: skip
    client = server.client()
    alone = client.chat.completions.create(**neighbour(server, 60)).choices[0].message.content
    stalled = [_without_room(server.send("chat/completions", body)) for _ in range(STALLED)]
    for connection in stalled:
        assert connection.recv(1)
    for _ in range(4):
        told = client.chat.completions.create(**neighbour(server, 60))
        assert told.choices[0].message.content == alone
    for connection in stalled:
        connection.close()


_JSON = {"Content-Type": "application/json"}


def _without_room(connection: socket.socket) -> socket.socket:
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
    return connection
