"""The API beside the engine behind it: the same requests both ways."""

from __future__ import annotations

import json
from contextlib import closing
from pathlib import Path

import pytest
from fastapi import FastAPI
from typer.testing import CliRunner

from specchat.bench.http.report import http_report, http_text
from specchat.bench.http.rounds import Client, HttpPlan, Round, Wave, served
from specchat.commands import main
from specchat.engine.errors import EngineError
from specchat.engine.request import SamplingParams

QUESTIONS = ("Where is my refund?", "cancel cancel cancel my order my order", "order order order")


def test_both_ways_give_as_many_tokens(
    tiny_model_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SPECCHAT_COMPILE", "false")
    monkeypatch.setenv("SPECCHAT_SPECULATORS", "ngram")
    monkeypatch.setenv("SPECCHAT_KV_MEMORY", "8MiB")
    monkeypatch.setenv("SPECCHAT_DATABASE_URL", f"sqlite:///{tmp_path}/bench.db")
    file = tmp_path / "prompts.jsonl"
    rows = (
        {"id": f"q{i}", "messages": [{"role": "user", "content": text}]}
        for i, text in enumerate(QUESTIONS)
    )
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    options = ("--streams", 2, "--repeats", 2, "--max-tokens", 12, "--raw", "--json")
    words = ["bench", "http", file, "--model", tiny_model_dir, *options]
    result = CliRunner().invoke(main.app, [str(word) for word in words])
    assert result.exit_code == 0, result.output
    report = json.loads(result.stdout)
    assert report["summary"]["rounds"] == len(report["rounds"]) == 4
    for each in report["rounds"]:
        assert each["engine"]["tokens"] == each["http"]["tokens"] > 0
        assert each["http"]["first_ms"] > 0


def test_what_the_server_refuses_is_said() -> None:
    app = FastAPI()
    with (
        served(app) as url,
        closing(Client(url)) as client,
        pytest.raises(EngineError, match="Not Found"),
    ):
        client.ask([{"prompt": [1]}])


def test_the_report_compares_round_by_round() -> None:
    rounds = [Round(Wave(100, 1.0, 50.0), Wave(100, 1.25, 53.0)) for _ in range(6)]
    report = http_report(rounds, HttpPlan("m", SamplingParams()), {})
    assert report["summary"]["throughput_ratio"] == pytest.approx(0.8)
    assert report["summary"]["added_first_ms"] == pytest.approx(3.0)
    assert "0.800 of it (0.800 to 0.800)" in http_text(report)
