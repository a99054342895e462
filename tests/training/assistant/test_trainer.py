"""The adapter learns, is saved as peft saves it, and goes on where it was killed."""

from __future__ import annotations

import itertools
import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from peft import PeftModel
from torch import nn

from specchat.engine.model.pretrained import load_causal_lm, load_tokenizer
from specchat.training.assistant.adapted_linear import AdaptedLinear
from specchat.training.assistant.adapter import AdapterModel, AdapterShape
from specchat.training.assistant.evaluation import quick_look, quick_rows
from specchat.training.assistant.examples.desk import World
from specchat.training.assistant.examples.sheets import draw_sheets
from specchat.training.assistant.rows import Row, RowEncoder
from specchat.training.assistant.stage import AssistantPlace, train_assistant
from specchat.training.assistant.trainer import (
    AssistantSettings,
    AssistantTrainer,
    learning_rate,
)

SETTINGS = AssistantSettings(minutes=1000, examples=2, longest=3000, lr=1e-2, warmup_steps=1)
SHAPE = AdapterShape(rank=4, alpha=8, frozen_layers=1)


def base(directory: Path) -> nn.Module:
    model: nn.Module = load_causal_lm(directory, torch.float32, torch.device("cpu"))
    return model


@pytest.fixture(scope="module")
def encoder(tiny_model_dir: Path) -> RowEncoder:
    return RowEncoder(load_tokenizer(tiny_model_dir))


@pytest.fixture
def row(world: World, encoder: RowEncoder) -> Row:
    return next(encoder.rows(draw_sheets(world, "train", 3), 3000))


def trainer(directory: Path, world: World, encoder: RowEncoder, work: Path) -> AssistantTrainer:
    torch.manual_seed(0)
    model = AdapterModel(base(directory), SHAPE)
    return AssistantTrainer(model, encoder, world, work, SETTINGS)


def test_one_step_of_autograd_is_the_sum_it_stands_for() -> None:
    torch.manual_seed(0)
    x, weight, down, up = (
        torch.randn(shape, dtype=torch.float64, requires_grad=grad)
        for shape, grad in (((2, 3, 5), True), ((7, 5), False), ((2, 5), True), ((7, 2), True))
    )
    out = AdaptedLinear.apply(x, weight, down, up, 0.5)
    torch.testing.assert_close(out, x @ weight.T + 0.5 * (x @ down.T) @ up.T)
    assert torch.autograd.gradcheck(
        lambda x, down, up: AdaptedLinear.apply(x, weight, down, up, 0.5), (x, down, up)
    )


def test_a_row_has_the_losses_of_its_conversations(tiny_model_dir: Path, row: Row) -> None:
    plain = base(tiny_model_dir)
    branch = row.branches[-1]
    ids = [*row.trunk, *branch.asked, *branch.answer]
    logits = plain(torch.tensor([ids])).logits[0, -len(branch.answer) - 1 : -1]
    alone = nn.functional.cross_entropy(logits, torch.tensor(branch.answer), reduction="none")
    found = AdapterModel(plain, SHAPE).losses(row)
    torch.testing.assert_close(found.losses[-len(branch.answer) :], alone, rtol=1e-4, atol=1e-4)


def test_only_the_upper_layers_learn(tiny_model_dir: Path) -> None:
    model = AdapterModel(base(tiny_model_dir), SHAPE)
    names = model.state_dict()
    assert names
    assert all("layers.1." in name and "lora_" in name for name in names)


def test_the_loss_falls(
    tiny_model_dir: Path, world: World, encoder: RowEncoder, tmp_path: Path
) -> None:
    training = trainer(tiny_model_dir, world, encoder, tmp_path)
    rows = quick_rows(world, encoder, "train", 2, 3000)
    before = quick_look(training.model, rows)
    training.train(max_steps=8, say=lambda line: None)
    assert quick_look(training.model, rows).loss < before.loss


def test_a_saved_adapter_is_pefts(
    tiny_model_dir: Path, world: World, encoder: RowEncoder, row: Row, tmp_path: Path
) -> None:
    training = trainer(tiny_model_dir, world, encoder, tmp_path)
    training.train(max_steps=2, say=lambda line: None)
    training.model.save(tmp_path / "adapter", "owner/base", torch.float32)
    names = {file.name for file in (tmp_path / "adapter").iterdir()}
    assert names == {"adapter_config.json", "adapter_model.safetensors"}
    config = json.loads((tmp_path / "adapter/adapter_config.json").read_text())
    assert config["base_model_name_or_path"] == "owner/base"
    loaded = PeftModel.from_pretrained(base(tiny_model_dir), tmp_path / "adapter")
    ids = torch.tensor([[*row.trunk, *row.branches[0].asked, *row.branches[0].answer]])
    logits = loaded(ids).logits[0, len(row.trunk) + len(row.branches[0].asked) - 1 : -1]
    targets = torch.tensor(row.branches[0].answer)
    alone = nn.functional.cross_entropy(logits, targets, reduction="none")
    own = training.model.losses(Row(row.trunk, row.branches[:1])).losses
    torch.testing.assert_close(own, alone, rtol=1e-4, atol=1e-4)


def test_a_killed_training_goes_on_with_new_examples(
    tiny_model_dir: Path, world: World, encoder: RowEncoder, tmp_path: Path
) -> None:
    first = trainer(tiny_model_dir, world, encoder, tmp_path)
    first.train(max_steps=2, say=lambda line: None)
    second = trainer(tiny_model_dir, world, encoder, tmp_path)
    assert second.resume()
    for name, value in second.model.state_dict().items():
        torch.testing.assert_close(value, first.model.state_dict()[name])
    assert second.loop.counts["examples"] == first.loop.counts["examples"] > 0
    second.train(max_steps=3, say=lambda line: None)
    assert second.loop.step == 3
    assert second.loop.counts["runs"] == 2


def test_the_learning_rate_stays_and_then_falls() -> None:
    settings = replace(SETTINGS, lr=1.0, last_lr=0.1, flat=0.5)
    assert learning_rate(0.0, settings) == learning_rate(0.5, settings) == 1.0
    assert learning_rate(1.0, settings) == pytest.approx(0.1)


def test_a_base_without_upper_layers_is_refused(tiny_model_dir: Path) -> None:
    with pytest.raises(ValueError, match="frozen_layers must be below the base's 2 layers, got 2"):
        AdapterModel(base(tiny_model_dir), AdapterShape(frozen_layers=2))


def test_the_stage_writes_adapter_and_curve(
    tiny_model_dir: Path, texts: Path, tmp_path: Path
) -> None:
    said: list[str] = []
    place = AssistantPlace(
        texts=texts, work=tmp_path / "work", out=tmp_path / "adapter", base=tiny_model_dir,
        say=said.append, quick_rows=1, settings=replace(SETTINGS, minutes=1e-4), shape=SHAPE,
    )  # fmt: skip
    train_assistant(place)
    assert (place.out / "adapter_model.safetensors").stat().st_size > 0
    assert (place.work / "curve.jsonl").read_text().count("\n") == 2
    assert any("held out, unseen kinds" in line for line in said)
    train_assistant(place)
    assert any("resumed at step" in line for line in said)


def test_quick_rows_are_the_same_every_time(world: World, encoder: RowEncoder) -> None:
    rows = quick_rows(world, encoder, "unseen", 3, 3000)
    assert rows == quick_rows(world, encoder, "unseen", 3, 3000)
    drawn = encoder.rows(draw_sheets(world, "train", 3), 3000)
    assert not set(rows) & set(itertools.islice(drawn, 3))
