"""What is too much is refused with a word on when to come again; what has stopped says so."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
from openai import APIError, InternalServerError

from specchat.api.answers import reading
from specchat.api.connection import MAX_BODY_BYTES
from tests.api.conftest import WAIT_S, Server, eventually, load_tiny

HELLO: list[Any] = [{"role": "user", "content": "Where is my refund?"}]
LONG = {"max_tokens": 1_900, "ignore_eos": True, "speculation": "off"}


def begin(server: Server, **asked: Any) -> Any:
    """A stream that has begun and lasts."""
    stream = server.client().chat.completions.create(
        model=server.model, messages=HELLO, stream=True, extra_body={**LONG, **asked}
    )
    next(iter(stream))
    return stream


def test_a_body_that_is_too_large_is_refused(server: Server) -> None:
    kind = {"Content-Type": "application/json"}

    def parts() -> Any:
        yield from (b" " * 65_536 for _ in range(MAX_BODY_BYTES // 65_536 + 1))

    for body in (b" " * (MAX_BODY_BYTES + 1), parts()):  # with and without a length
        with server.http() as http:
            answer = http.post("/v1/chat/completions", content=body, headers=kind)
        assert answer.status_code == 413
        assert answer.json()["error"]["code"] == "request_too_large"


@pytest.mark.parametrize("stream", [False, True])
def test_a_full_engine_says_when_to_come_again(
    tiny_model_dir: Path, serve: Callable[..., Any], stream: bool
) -> None:
    small = load_tiny(tiny_model_dir, max_running=1, max_waiting=1)
    with serve(small) as server:
        runs = begin(server)
        with pytest.raises(InternalServerError):  # the second of three finds no place to wait
            server.client().chat.completions.create(
                model=server.model, messages=HELLO, n=3, extra_body=LONG
            )
        eventually(lambda: small.engine.snapshot().waiting == 0)  # none of them is left
        body = {"model": server.model, "messages": HELLO, **LONG}
        waits = server.send("chat/completions", body)
        eventually(lambda: small.engine.snapshot().waiting == 1)
        for model in (server.model, "care-assistant"):
            with pytest.raises(InternalServerError) as refused:
                server.client().chat.completions.create(model=model, messages=HELLO, stream=stream)
            assert (refused.value.status_code, refused.value.code) == (503, "engine_full")
            assert int(refused.value.response.headers["retry-after"]) >= 1
        runs.close()
        waits.close()
    small.engine.close()


def test_the_assistant_takes_so_many_questions_at_a_time(
    serve: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    with serve(concurrency=1) as server:
        answer_once, go = server.service.answer_once, threading.Event()

        def held(*given: Any, **options: Any) -> Any:
            go.wait(WAIT_S)
            yield from answer_once(*given, **options)

        monkeypatch.setattr(server.service, "answer_once", held)
        body = {"model": "care-assistant", "messages": HELLO}
        first = server.send("chat/completions", body)
        eventually(lambda: server.api.traffic.open == 1)
        with server.http() as http:
            refused = http.post("/v1/chat/completions", json=body)
            assert (refused.status_code, refused.json()["error"]["code"]) == (503, "full")
            go.set()
            assert first.recv(64).startswith(b"HTTP/1.1 200")
            first.close()
            assert http.post("/v1/chat/completions", json=body).status_code == 200


def test_a_server_that_is_to_end_lets_answers_end_and_begins_none(
    serve: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reading, "COALESCE_S", 0.0)
    with serve() as server:
        stream = begin(server, max_tokens=300)
        assert not server.api.traffic.drain(0.0)
        health = httpx.get(f"{server.url}/health")
        assert (health.status_code, health.json()["status"]) == (503, "draining")
        with pytest.raises(InternalServerError) as refused:
            begin(server)
        assert (refused.value.status_code, refused.value.code) == (503, "closing")
        assert refused.value.response.headers["retry-after"]
        care = httpx.post(
            f"{server.url}/v1/chat/completions",
            json={"model": "care-assistant", "messages": HELLO},
        )
        assert care.status_code == 503
        last = list(stream)[-1]
        assert last.choices[0].finish_reason == "length"
        assert server.api.traffic.drain(60.0)


def test_an_engine_that_ends_says_so_in_a_stream_and_to_all_after_it(
    tiny_model_dir: Path, serve: Callable[..., Any]
) -> None:
    own = load_tiny(tiny_model_dir)
    with serve(own) as server:
        assert httpx.get(f"{server.url}/health").json()["status"] == "ok"
        stream = begin(server)
        own.engine.close()
        with pytest.raises(APIError, match="ended by the server"):
            list(stream)
        health = httpx.get(f"{server.url}/health")
        assert (health.status_code, health.json()["status"]) == (503, "down")
        for model in (server.model, "care-assistant"):
            with pytest.raises(InternalServerError) as refused:
                server.client().chat.completions.create(model=model, messages=HELLO)
            assert (refused.value.status_code, refused.value.code) == (503, "engine_stopped")


def test_a_step_that_fails_ends_its_answers_and_the_next_ones_work(
    tiny_model_dir: Path, serve: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    own = load_tiny(tiny_model_dir)
    with serve(own) as server:
        stream = begin(server)
        with monkeypatch.context() as broken:
            broken.setattr(own.engine._runner, "forward", _fail)
            with pytest.raises(APIError, match="engine"):
                list(stream)
        said = server.client().chat.completions.create(
            model=server.model, messages=HELLO, max_tokens=2
        )
        assert said.usage
        assert said.usage.completion_tokens == 2
        with server.http() as http:
            assert 'vllm:request_success_total{engine="0",finished_reason="error"' in (
                http.get("/metrics").text
            )
    own.engine.close()


def test_a_prompt_that_ends_two_steps_is_refused(
    tiny_model_dir: Path, serve: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    own = load_tiny(tiny_model_dir)
    with serve(own) as server, server.http() as http:
        asked = {"model": server.model, "messages": HELLO, "max_tokens": 2}
        with monkeypatch.context() as broken:
            broken.setattr(own.engine._runner, "forward", _fail)
            for _ in range(2):
                assert http.post("/v1/chat/completions", json=asked).status_code == 503
        refused = http.post("/v1/chat/completions", json=asked)
        assert refused.status_code == 400
        assert refused.json()["error"]["code"] == "prompt_refused"
        other = {**asked, "messages": [{"role": "user", "content": "Where is my parcel?"}]}
        assert http.post("/v1/chat/completions", json=other).status_code == 200
    own.engine.close()


def test_a_step_that_hangs_ends_its_answers_and_says_so(
    tiny_model_dir: Path, serve: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    own, go_on = load_tiny(tiny_model_dir, step_limit_s=1.0), threading.Event()
    forward = own.engine._runner.forward

    def hanging(parts: Any) -> Any:
        go_on.wait()
        return forward(parts)

    with serve(own) as server:
        stream = begin(server)
        monkeypatch.setattr(own.engine._runner, "forward", hanging)
        with pytest.raises(APIError, match=r"engine has stopped|ended by the server"):
            list(stream)
        health = httpx.get(f"{server.url}/health")
        assert (health.status_code, health.json()["status"]) == (503, "down")
        assert health.json()["engine"]["failure"] == "a step has not ended within 1 s"
        with pytest.raises(InternalServerError):
            server.client().chat.completions.create(model=server.model, messages=HELLO)
    go_on.set()
    own.engine.close()


def _fail(*_: Any, **__: Any) -> Any:
    raise ValueError("a step that fails")
