"""Every kind of speculator, trained for a few steps on a tiny target, loaded and asked."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import AutoTokenizer
from typer.testing import CliRunner

from specchat.commands.train.group import train_app
from specchat.engine.errors import ModelLoadError
from specchat.engine.request import Request, SamplingParams
from specchat.loader import LoadOptions, load
from specchat.training.corpus.care_corpus import Message
from specchat.training.corpus.packing import Sample
from specchat.training.corpus.training_tasks import Task, make_tasks
from specchat.training.distillation.any_target import Assignment, frequent_tokens, train_speculator
from specchat.training.distillation.trainer import DistilSettings
from specchat.training.loop import Progress
from tests.speculators.conftest import keep_all_drafts  # noqa: F401

WORDS = ("refund", "order", "cancel", "status", "account", "number", "please", "sorry")
SETTINGS = DistilSettings(minutes=1000, lr=1e-2, rows=4, length=128, warmup=0.0)


@pytest.fixture(scope="module")
def tasks(tiny_model_dir: Path) -> list[Task]:
    conversations = [
        (Message("user", f"{a} {b}?"), Message("assistant", f"I look at the {b} of your {a}."))
        for a in WORDS
        for b in WORDS
    ]
    return make_tasks(AutoTokenizer.from_pretrained(tiny_model_dir), conversations, 100)


@pytest.fixture(scope="module")
def work(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Shared, so that the target answers only once."""
    return tmp_path_factory.mktemp("work")


def assignment(kind: str, target: Path, folder: Path, work: Path, **changes: Any) -> Assignment:
    order = Assignment(kind, str(target), folder / kind, work, max_new_tokens=24, settings=SETTINGS)
    return replace(order, **changes)


def quiet(line: str) -> None:
    pass


@pytest.mark.usefixtures("keep_all_drafts")
@pytest.mark.parametrize("kind", ["mlp", "medusa", "eagle3", "draft"])
def test_a_few_steps_teach_something_and_the_checkpoint_serves_the_target(
    kind: str, tiny_model_dir: Path, tasks: list[Task], tmp_path: Path, work: Path
) -> None:
    order = assignment(kind, tiny_model_dir, tmp_path, work)
    losses: list[float] = []
    acceptance = train_speculator(
        order, tasks, max_steps=20, say=quiet, watch=lambda p: losses.append(p.loss)
    )
    assert losses[-1] < 0.97 * losses[0]
    written = json.loads((order.out / "acceptance.json").read_text())
    assert written["mean_acceptance_length"] == pytest.approx(
        acceptance.mean_acceptance_length, abs=1e-3
    )
    assert len(written["rate_by_depth"]) >= 4

    loaded = load(
        LoadOptions(
            str(tiny_model_dir), (f"{kind}:{order.out}",), compile=False, kv_memory_bytes=2**21
        )
    )
    try:
        for temperature in (0.0, 0.8):
            plain, drafted = (
                _answer(loaded.engine, tasks[0], temperature, speculate)
                for speculate in (False, True)
            )
            assert drafted.tokens == plain.tokens
            assert drafted.drafted > 0
    finally:
        loaded.engine.close()


class _Answer:
    def __init__(self, deltas: list[Any]) -> None:
        self.tokens = [token.token_id for delta in deltas for token in delta.tokens]
        self.drafted = deltas[-1].stats.drafted


def _answer(engine: Any, task: Task, temperature: float, speculate: bool) -> _Answer:
    params = SamplingParams(
        max_tokens=30, temperature=temperature, seed=3, speculate=speculate, ignore_eos=True
    )
    return _Answer(list(engine.submit(Request(tuple(task.prompt.ids), params))))


def test_a_training_goes_on_where_it_was_interrupted(
    tiny_model_dir: Path, tasks: list[Task], tmp_path: Path, work: Path
) -> None:
    order = assignment("medusa", tiny_model_dir, tmp_path, tmp_path / "work")
    for name in ("own_answers.jsonl", "heldout_answers.jsonl"):
        if (work / name).exists():  # made by the tests before
            (tmp_path / "work").mkdir(exist_ok=True)
            (tmp_path / "work" / name).write_bytes((work / name).read_bytes())
    said: list[str] = []
    train_speculator(order, tasks, max_steps=2, say=said.append)
    assert not any("resumed" in line for line in said)
    steps: list[Progress] = []
    train_speculator(order, tasks, max_steps=5, say=said.append, watch=steps.append)
    assert any("resumed at step 2" in line for line in said)
    assert [progress.step for progress in steps] == [3, 4, 5]
    assert steps[-1].share == 1.0


def test_the_second_stage_goes_on_from_the_first(
    tiny_model_dir: Path, tasks: list[Task], tmp_path: Path
) -> None:
    first = assignment("mlp", tiny_model_dir, tmp_path, tmp_path / "work", stage=1)
    train_speculator(first, tasks, max_steps=2, say=quiet)
    assert not (tmp_path / "work/own_answers.jsonl").exists()
    said: list[str] = []
    train_speculator(replace(first, stage=2), tasks, max_steps=1, say=said.append)
    assert "going on from stage 1" in said


def test_a_draft_model_may_go_on_from_another(
    tiny_model_dir: Path, tasks: list[Task], tmp_path: Path, work: Path
) -> None:
    order = assignment("draft", tiny_model_dir, tmp_path, work / "x", stage=1)
    order = replace(order, start=str(tiny_model_dir), settings=replace(SETTINGS, lr=1e-6))
    acceptance = train_speculator(order, tasks, max_steps=1, say=quiet)
    assert acceptance.mean_acceptance_length > 3  # it began as the target itself


def test_what_cannot_be_trained_is_said(
    tiny_model_dir: Path, tasks: list[Task], tmp_path: Path, work: Path
) -> None:
    order = assignment("eagle9", tiny_model_dir, tmp_path, work)
    with pytest.raises(ValueError, match="kind must be one of mlp, medusa, eagle3, draft"):
        train_speculator(order, tasks)
    order = assignment("medusa", tiny_model_dir, tmp_path, work)
    with pytest.raises(ValueError, match="0 questions are too few"):
        train_speculator(order, [])
    with pytest.raises(ModelLoadError, match="'nothing'"):
        train_speculator(replace(order, target="nothing"), tasks, say=quiet)
    unanswered = [replace(task, answer=None) for task in tasks]
    with pytest.raises(ValueError, match="stage 1 learns from answers in the text"):
        train_speculator(replace(order, stage=1), unanswered, say=quiet)
    short = replace(order, settings=replace(SETTINGS, length=4))
    with pytest.raises(ValueError, match="fits into 4 tokens"):
        train_speculator(replace(short, kind="mlp"), tasks, max_steps=1, say=quiet)


def test_a_checkpoint_of_another_shape_is_named(
    tiny_model_dir: Path, tasks: list[Task], tmp_path: Path, work: Path
) -> None:
    folder = work / "mlp" / "stage2"
    folder.mkdir(parents=True, exist_ok=True)
    keep = (folder / "checkpoint.pt").read_bytes() if (folder / "checkpoint.pt").exists() else b""
    torch.save({"network": {}, "optimizer": {}, "seconds": 0, "step": 0}, folder / "checkpoint.pt")
    order = assignment("mlp", tiny_model_dir, tmp_path, work)
    with pytest.raises(ValueError, match=r"checkpoint.pt is of another training; remove"):
        train_speculator(order, tasks, max_steps=1, say=quiet)
    if keep:
        (folder / "checkpoint.pt").write_bytes(keep)


def test_frequent_tokens_are_those_of_the_answers() -> None:
    samples = [
        Sample([1, 2, *[9] * 2998, 7], [0.0, 0.0, *[1.0] * 2999]),
        Sample([5, 3], [0.0, 1.0]),
    ]
    assert frequent_tokens(samples).tolist() == [9]  # 7 and 3 are one in a thousand together
    assert frequent_tokens(samples[1:]).tolist() == [3]


def test_the_command_trains_on_a_file_and_prints_the_report(
    tiny_model_dir: Path, tmp_path: Path
) -> None:
    file = tmp_path / "mine.jsonl"
    lines = [
        {"messages": [{"role": "user", "content": f"{a} {b}"}, {"role": "assistant", "content": a}]}
        for a in WORDS
        for b in WORDS[:4]
    ]
    file.write_text("".join(json.dumps(line) + "\n" for line in lines))
    result = CliRunner().invoke(
        train_app,
        ["speculator", "--kind", "medusa", "--target", str(tiny_model_dir), "--stage", "1",
         "--conversations", str(file), "--out", str(tmp_path / "out"), "--work",
         str(tmp_path / "work"), "--max-steps", "2", "--length", "300"],
    )  # fmt: skip
    assert result.exit_code == 0, result.output
    report = json.loads(result.stdout)
    assert report["kind"] == "medusa"
    assert (tmp_path / "out/medusa/model.safetensors").exists()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--kind", "eagle9"], "--kind must be one of mlp, medusa, eagle3, draft"),
        (["--target", "no such model"], "model 'no such model' is no bundled model"),
        (["--conversations", "/no/file"], "no conversations file /no/file"),
        (["--from-history", "--conversations", "x"], "choose one of"),
        (["--from-history", "--database", "what"], "the database URL cannot be read"),
        (["--from-history", "--database", "sqlite:///EMPTY"], "no conversation yet"),
    ],
)
def test_a_mistake_ends_the_command_with_one_message(
    options: list[str], message: str, tiny_model_dir: Path, tmp_path: Path
) -> None:
    options = [option.replace("EMPTY", str(tmp_path / "empty.db")) for option in options]
    given = options if "--target" in options else [*options, "--target", str(tiny_model_dir)]
    result = CliRunner().invoke(train_app, ["speculator", *given])
    assert result.exit_code == 2
    assert message in result.stderr
    assert "Traceback" not in result.output
