"""The commands on a real engine with a tiny random model: nothing is doubled here."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from specchat.bench.arms import arm_request, run_together
from specchat.bench.prompts import read_prompts
from specchat.commands import main, shared
from specchat.engine.request import SamplingParams
from specchat.loader import LoadOptions, load
from specchat.settings import Settings
from specchat.speculators.suffix.store_file import save_store, vocabulary_of

QUESTIONS = ("Where is my refund?", "cancel cancel cancel my order my order", "order order order")


@pytest.fixture(autouse=True)
def _eager(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SPECCHAT_COMPILE", "false")
    monkeypatch.setenv("SPECCHAT_SPECULATORS", "ngram")
    monkeypatch.setenv("SPECCHAT_KV_MEMORY", "8MiB")


@pytest.fixture
def prompts_file(tmp_path: Path) -> Path:
    file = tmp_path / "prompts.jsonl"
    rows = (
        {"id": f"q{i}", "messages": [{"role": "user", "content": text}]}
        for i, text in enumerate(QUESTIONS)
    )
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return file


def _run(*arguments: object) -> Result:
    return CliRunner().invoke(main.app, [str(argument) for argument in arguments])


@pytest.mark.parametrize("temperature", [0, 0.8])
def test_an_audit_finds_no_loss(
    tiny_model_dir: Path, prompts_file: Path, temperature: float
) -> None:
    options = ("--max-tokens", 24, "--temperature", temperature, "--seed", 11, "--concurrency", 3)
    result = _run("audit", prompts_file, "--model", tiny_model_dir, *options, "--json")
    assert result.exit_code == 0, result.output
    summary = json.loads(result.stdout)["summary"]
    assert summary["lossless"]
    assert summary["prompts"] == len(QUESTIONS)


def test_an_audit_with_drafts_that_are_accepted_finds_no_loss(
    tiny_model_dir: Path, prompts_file: Path, tmp_path: Path
) -> None:
    """The random model repeats nothing, so a store of its own answers gives it good drafts."""
    store = tmp_path / "suffix_store.safetensors"
    _save_answers(tiny_model_dir, prompts_file, store)
    options = ("--raw", "--speculators", f"suffix:{store}", "--max-tokens", 24, "--json")
    race = _run("race", prompts_file, "--model", tiny_model_dir, *options, "--repeats", 1)
    assert race.exit_code == 0, race.output
    pairs = json.loads(race.stdout)["pairs"]
    assert sum(pair["speculative"]["accepted"] for pair in pairs) > 0
    assert all(pair["identical"] for pair in pairs)
    audit = _run("audit", prompts_file, "--model", tiny_model_dir, *options)
    assert audit.exit_code == 0, audit.output


def test_a_race_measures_both_arms(tiny_model_dir: Path, prompts_file: Path) -> None:
    options = ("--max-tokens", 24, "--repeats", 1)
    result = _run("race", prompts_file, "--model", tiny_model_dir, *options, "--json")
    assert result.exit_code == 0, result.output
    report = json.loads(result.stdout)
    assert report["summary"]["identical"] == len(QUESTIONS)
    assert report["environment"]["backend"] == "eager"
    assert report["environment"]["speculators"] == ["ngram"]
    assert all(pair["plain"]["e2e_ms"] > 0 for pair in report["pairs"])


def test_ask_gives_the_same_answer_plain_and_speculative(tiny_model_dir: Path) -> None:
    asked = ("ask", "Where is my refund?", "--model", tiny_model_dir, "--max-tokens", 16)
    sampled = (*asked, "--temperature", 0.9, "--seed", 5, "--json")
    speculative, plain = _run(*sampled), _run(*sampled, "--plain")
    assert speculative.exit_code == plain.exit_code == 0, speculative.output + plain.output
    assert json.loads(speculative.stdout)["answer"] == json.loads(plain.stdout)["answer"]


def test_a_model_that_is_not_there_is_named(prompts_file: Path, tmp_path: Path) -> None:
    result = _run("race", prompts_file, "--model", tmp_path / "nowhere")
    assert result.exit_code == 2
    assert str(tmp_path / "nowhere") in result.stderr


def test_damaged_weights_are_named(
    tiny_model_dir: Path, prompts_file: Path, tmp_path: Path
) -> None:
    damaged = tmp_path / "damaged"
    shutil.copytree(tiny_model_dir, damaged)
    weights = damaged / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:1000])
    result = _run("audit", prompts_file, "--model", damaged)
    assert result.exit_code == 2
    assert str(damaged) in result.stderr


def _save_answers(model: Path, prompts_file: Path, store: Path) -> None:
    options = LoadOptions(str(model), (), compile=False, kv_memory_bytes=8 * 2**20)
    loaded = load(options)
    with shared.prompt_encoding(loaded, Settings(), raw=True) as encode:
        prompts = shared.encode_prompts(encode, read_prompts(prompts_file), 1000)
    params = SamplingParams(max_tokens=24)
    requests = [arm_request(p.ids, params, speculate=False, salt="") for p in prompts]
    answers = [result.token_ids for result in run_together(loaded.engine, requests)]
    loaded.engine.close()
    save_store(store, [((), answer) for answer in answers], vocabulary_of(loaded.tokenizer))
