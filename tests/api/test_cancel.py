"""Who closes the connection ends the answer in the engine, and gives its pages back."""

from __future__ import annotations

from typing import Any

import pytest

from tests.api.conftest import Server, eventually

LONG = {"max_tokens": 1_900, "ignore_eos": True, "speculation": "off"}
HELLO = [{"role": "user", "content": "Where is my refund for the order?"}]


@pytest.fixture(autouse=True)
def _idle_before_and_after(server: Server) -> Any:
    eventually(server.idle)
    yield
    eventually(lambda: server.idle() and server.api.traffic.open == 0)


def running(server: Server) -> int:
    now = server.loaded.engine.snapshot()
    return now.running + now.waiting


def test_a_stream_that_is_closed_is_cancelled(server: Server) -> None:
    stream = server.client().chat.completions.create(
        model=server.model, messages=HELLO, stream=True, extra_body=LONG
    )  # fmt: skip
    next(iter(stream))
    assert running(server) == 1
    stream.close()
    eventually(lambda: running(server) == 0)


def test_every_choice_of_it_is_cancelled(server: Server) -> None:
    stream = server.client().chat.completions.create(
        model=server.model, messages=HELLO, stream=True, n=4, extra_body=LONG
    )
    next(iter(stream))
    assert running(server) == 4
    stream.close()
    eventually(lambda: running(server) == 0)


@pytest.mark.parametrize("kind", ["chat", "completions", "care"])
@pytest.mark.parametrize("stream", [False, True])
def test_a_connection_that_is_reset_ends_its_answer(
    server: Server, kind: str, stream: bool
) -> None:
    before = server.api.traffic.open
    body: dict[str, Any] = {"model": server.model, "stream": stream, **LONG}
    path = "completions" if kind == "completions" else "chat/completions"
    body |= {"prompt": "Where"} if kind == "completions" else {"messages": HELLO}
    if kind == "care":
        body |= {"model": "care-assistant", "ignore_eos": None, "max_tokens": 1_000}
        body |= {"temperature": 5.0, "seed": 4}  # it says much
    connection = server.send(path, body)
    eventually(lambda: server.api.traffic.open > before)
    connection.close()
    eventually(lambda: server.api.traffic.open == before)
    eventually(lambda: running(server) == 0)


def test_many_that_leave_at_once_leave_nothing_behind(server: Server) -> None:
    body = {"model": server.model, "messages": HELLO, "stream": True, **LONG}
    connections = [server.send("chat/completions", body) for _ in range(24)]
    eventually(lambda: running(server) > 8)
    for connection in connections:
        connection.close()
    eventually(server.idle)
    answer = server.client().chat.completions.create(
        model=server.model, messages=HELLO, max_tokens=3
    )
    assert answer.usage
    assert answer.usage.completion_tokens == 3
