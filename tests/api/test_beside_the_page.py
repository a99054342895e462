"""The API in the one application that Gradio serves, as `app.py` composes it."""

from __future__ import annotations

import logging
from pathlib import Path

import httpx
import pytest
from openai import OpenAI

from specchat.settings import Settings
from specchat.ui.serve import compose, listen
from tests.ui.conftest import free_port

KEY = "a-key-of-a-test-0123"


def test_page_and_api_are_one_server(
    tiny_model_dir: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    settings = Settings(
        model=str(tiny_model_dir),
        speculators=("ngram",),
        compile=False,
        dtype="float32",
        port=free_port(),
        host="127.0.0.1",
        database_url=f"sqlite:///{tmp_path / 'x.db'}",
        api_keys=(KEY,),
    )
    parts = compose(settings)
    url = f"http://127.0.0.1:{settings.port}"
    with caplog.at_level(logging.INFO, logger="specchat.api"):
        try:
            listen(parts.page, settings, parts.company, parts.api.routes())
            assert "<html" in httpx.get(url, timeout=60).text
            assert httpx.get(f"{url}/health").json()["status"] == "ok"
            assert httpx.get(f"{url}/v1/openapi.json").json()["paths"]["/v1/chat/completions"]
            assert httpx.get(f"{url}/metrics").status_code == 401
            assert httpx.get(f"{url}/v1/nothing").json()["error"]["code"] == "unknown_url"
            client = OpenAI(base_url=f"{url}/v1", api_key=KEY, max_retries=0)
            stream = client.chat.completions.create(
                model=tiny_model_dir.name,
                messages=[{"role": "user", "content": "Where is the quokka lamp?"}],
                max_tokens=200,
                stream=True,
                extra_body={"ignore_eos": True},
            )
            said = [chunk.choices[0].delta.content or "" for chunk in stream]
            assert len(said) > 3  # it was not gathered on its way
        finally:
            parts.close()
    assert '"completion_tokens": 200' in caplog.text
    assert "quokka" not in caplog.text
    assert KEY not in caplog.text
