"""The API in the one application that Gradio serves, from its start to its end."""

from __future__ import annotations

import logging
import os
import signal
import threading
from concurrent.futures import Future
from pathlib import Path

import httpx
import pytest
from openai import OpenAI

from specchat.settings import Settings
from specchat.ui import serve
from tests.api.conftest import WAIT_S, eventually
from tests.ui.conftest import free_port

KEY = "a-key-of-a-test-0123"


def test_page_and_api_are_one_server_that_ends_its_answers_first(
    tiny_model_dir: Path,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(serve, "DRAIN_S", WAIT_S)
    settings = Settings(
        model=str(tiny_model_dir),
        speculators=("ngram",),
        compile=False,
        dtype="float32",
        kv_memory=8 * 2**20,
        port=free_port(),
        host="127.0.0.1",
        database_url=f"sqlite:///{tmp_path / 'x.db'}",
        desk_key="open-sesame",
        api_keys=(KEY,),
    )
    url = f"http://127.0.0.1:{settings.port}"
    seen: Future[None] = Future()
    ended = threading.Event()

    def use() -> None:
        try:
            _use(url, tiny_model_dir.name)
            seen.set_result(None)
        except BaseException as error:
            seen.set_exception(error)
            if not ended.is_set():
                os.kill(os.getpid(), signal.SIGTERM)

    before = signal.getsignal(signal.SIGTERM)
    visitor = threading.Thread(target=use, daemon=True)
    visitor.start()
    try:
        with caplog.at_level(logging.INFO, "specchat"), pytest.raises(KeyboardInterrupt):
            serve.launch(settings)
    finally:
        ended.set()
        signal.signal(signal.SIGTERM, before)
    seen.result(WAIT_S)
    assert '"completion_tokens": 500' in caplog.text
    assert f"'port': {settings.port}" in caplog.text  # how it was set
    assert "open to 1 keys" in caplog.text
    for secret in (KEY, "sesame", "quokka"):
        assert secret not in caplog.text


def _use(url: str, model: str) -> None:
    """What visitors do; in the middle of the last answer a supervisor ends the server."""
    eventually(lambda: _answers(url))
    assert "<html" in httpx.get(url, timeout=WAIT_S).text
    assert httpx.get(f"{url}/v1/openapi.json").json()["paths"]["/v1/chat/completions"]
    assert httpx.get(f"{url}/metrics").status_code == 401
    assert httpx.get(f"{url}/v1/nothing").json()["error"]["code"] == "unknown_url"
    client = OpenAI(base_url=f"{url}/v1", api_key=KEY, max_retries=0)
    stream = client.chat.completions.create(
        model=model,
        messages=[{"role": "user", "content": "Where is the quokka lamp?"}],
        max_tokens=500,
        stream=True,
        extra_body={"ignore_eos": True, "speculation": "off"},
    )
    chunks = [next(iter(stream))]
    os.kill(os.getpid(), signal.SIGTERM)
    eventually(lambda: httpx.get(f"{url}/health").json()["status"] == "draining")
    chunks += stream
    assert chunks[-1].choices[0].finish_reason == "length"
    assert len(chunks) > 3  # they were not gathered on their way


def _answers(url: str) -> bool:
    try:
        return httpx.get(f"{url}/health").status_code == 200
    except httpx.TransportError:
        return False
