"""The log says of every request what it took and how it ended, and no word of it."""

from __future__ import annotations

import json
import logging
from typing import Any

import pytest

from tests.api.conftest import Server, eventually


def lines(caplog: pytest.LogCaptureFixture) -> list[dict[str, Any]]:
    """What was written down."""
    messages = (r.getMessage() for r in caplog.records if r.name == "specchat.api.recording")
    return [json.loads(message) for message in messages]


def test_a_request_is_one_line_without_its_content(
    server: Server, caplog: pytest.LogCaptureFixture
) -> None:
    asked: list[Any] = [{"role": "user", "content": "Where is the quokka lamp of ann@x.example?"}]
    sent = []
    with caplog.at_level(logging.INFO):
        for model in (server.model, "care-assistant"):
            said = server.client().chat.completions.with_raw_response.create(
                model=model, messages=asked, max_tokens=7, user="ann"
            )
            sent.append(said.headers["x-request-id"])
        eventually(lambda: len(lines(caplog)) == 2)
    first, second = lines(caplog)
    assert [first["request_id"], second["request_id"]] == sent
    assert (first["route"], first["status"]) == ("/v1/chat/completions", 200)
    assert (first["model"], first["completion_tokens"]) == (server.model, 7)
    assert (first["caller"], first["finish"]) == ("local", "length")
    assert second["model"] == "care-assistant"
    assert "quokka" not in caplog.text
    assert "ann" not in caplog.text


def test_a_refusal_is_written_down_without_what_was_asked(
    server: Server, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO), server.http() as http:
        http.post("/v1/chat/completions", json={"model": "quokka", "messages": "quokka"})
        http.get("/v1/quokka?quokka=1")
        eventually(lambda: len(lines(caplog)) == 2)
    assert [line["status"] for line in lines(caplog)] == [400, 404]
    assert not any("quokka" in r.getMessage() for r in caplog.records if "specchat" in r.name)


def test_what_is_asked_every_few_seconds_is_not_written_down(
    server: Server, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO), server.http() as http:
        http.get("/health")
        http.get("/metrics")
        http.get("/v1/models")
        eventually(lambda: lines(caplog))
    assert [line["route"] for line in lines(caplog)] == ["/v1/models"]
