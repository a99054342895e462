"""`specchat bench answers` on a real engine with a tiny random model."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from specchat.commands import main

ROWS = (
    {"id": "any", "kind": "talk", "turns": [{"q": "hello"}, {"q": "Where is my order?"}]},
    {"id": "never", "turns": [{"q": "hello", "must": [["no random model says this"]]}]},
)
TASK = {
    "id": "t", "collection": "c", "answerability": ["ANSWERABLE"], "answer": "In 30 days.",
    "messages": [{"role": "user", "content": "When?"}], "passages": ["Refunds take 30 days."],
}  # fmt: skip


@pytest.fixture(autouse=True)
def _small_and_eager(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SPECCHAT_COMPILE", "false")
    monkeypatch.setenv("SPECCHAT_SPECULATORS", "ngram")
    monkeypatch.setenv("SPECCHAT_KV_MEMORY", "8MiB")


def lines(file: Path, *rows: object) -> Path:
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return file


def answers(*arguments: object) -> Result:
    return CliRunner().invoke(main.app, ["bench", "answers", *map(str, arguments)])


def test_the_report_has_the_names_of_the_contract(tiny_model_dir: Path, tmp_path: Path) -> None:
    out = tmp_path / "answers.json"
    result = answers(
        lines(tmp_path / "set.jsonl", *ROWS), "--mtrag", lines(tmp_path / "mtrag.jsonl", TASK),
        "--model", tiny_model_dir, "--max-tokens", 4, "--out", out,
    )  # fmt: skip
    assert result.exit_code == 0, result.output
    report = json.loads(out.read_text())
    summary = report["summary"]
    assert (summary["conversations"], summary["right"], summary["invented"]) == (2, 1, 0)
    assert summary["share_right"] == 0.5
    assert {"rouge_l", "declined_unanswerable", "declined_answerable"} <= set(summary)
    assert [row["right"] for row in report["rows"]] == [True, False]
    assert "1 of 2 conversations right (50%)" in result.output


def test_a_wrong_file_ends_with_a_sentence(tmp_path: Path) -> None:
    result = answers(lines(tmp_path / "set.jsonl", {"id": "a"}))
    assert result.exit_code == 2
    assert 'line 1: "turns" must be a list of at least one turn' in result.output
