"""A supervisor ends the server: what is being answered is answered first."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import httpx
from openai import OpenAI

from tests.api.conftest import WAIT_S, eventually
from tests.ui.conftest import ROOT, free_port


def test_a_stream_ends_by_itself_before_the_server_does(
    tiny_model_dir: Path, tmp_path: Path
) -> None:
    port = free_port()
    own = {
        "MODEL": str(tiny_model_dir), "SPECULATORS": "ngram", "COMPILE": "false",
        "DTYPE": "float32", "PORT": str(port), "DESK_KEY": "open-sesame",
        "DATABASE_URL": f"sqlite:///{tmp_path / 'x.db'}",
    }  # fmt: skip
    environment = {**os.environ, **{f"SPECCHAT_{name}": value for name, value in own.items()}}
    with (tmp_path / "log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "app.py"], cwd=ROOT, env=environment, stdout=log, stderr=log
        )
        try:
            url = f"http://127.0.0.1:{port}"
            eventually(lambda: process.poll() is not None or _answers(url))
            stream = OpenAI(base_url=f"{url}/v1", api_key="none").chat.completions.create(
                model=tiny_model_dir.name,
                messages=[{"role": "user", "content": "Where is my refund?"}],
                max_tokens=800,
                stream=True,
                extra_body={"ignore_eos": True, "speculation": "off"},
            )
            next(iter(stream))
            process.send_signal(signal.SIGTERM)
            chunks = list(stream)
            assert chunks[-1].choices[0].finish_reason == "length"
            assert process.wait(WAIT_S) == 0
        finally:
            process.kill()
    said = (tmp_path / "log").read_text()
    assert "'port': " in said  # how it was set
    assert "'desk_key': 'set'" in said
    assert "sesame" not in said
    assert "Traceback" not in said


def _answers(url: str) -> bool:
    try:
        return httpx.get(f"{url}/health").status_code == 200
    except httpx.TransportError:
        return False
