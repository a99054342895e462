"""Weights that need no conversion are mapped from their files: what transformers would load."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import nn
from transformers import AutoConfig, AutoModelForCausalLM, AutoModelForImageClassification

from specchat.engine.errors import ModelLoadError
from specchat.engine.model.plain_weights import from_plain_weights
from specchat.engine.model.pretrained import load_causal_lm


@pytest.fixture
def directory(tmp_path: Path, tiny_model_dir: Path) -> Path:
    shutil.copytree(tiny_model_dir, tmp_path / "model")
    return tmp_path / "model"


def plain(directory: Path, dtype: torch.dtype = torch.float32) -> Any:
    config = AutoConfig.from_pretrained(directory)
    return from_plain_weights(AutoModelForCausalLM, directory, config, dtype)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_the_model_is_what_transformers_loads(directory: Path, dtype: torch.dtype) -> None:
    mine = plain(directory, dtype)
    theirs = AutoModelForCausalLM.from_pretrained(directory, dtype=dtype)
    assert type(mine) is type(theirs)
    assert not mine.training
    mine_state, their_state = mine.state_dict(), theirs.state_dict()
    assert mine_state.keys() == their_state.keys()
    assert all(torch.equal(mine_state[name], their_state[name]) for name in their_state)
    for (name, mine_buffer), (_, other) in zip(
        mine.named_buffers(), theirs.named_buffers(), strict=True
    ):
        assert torch.equal(mine_buffer, other), name
    assert mine.config.to_dict() == theirs.config.to_dict()


def test_tied_weights_stay_one(directory: Path) -> None:
    config = AutoConfig.from_pretrained(directory)
    config.tie_word_embeddings = True
    config.save_pretrained(directory)
    file = directory / "model.safetensors"
    save_file({n: w for n, w in load_file(file).items() if n != "lm_head.weight"}, file)
    model = plain(directory)
    assert model.lm_head.weight is model.model.embed_tokens.weight
    assert torch.equal(model.lm_head.weight, load_file(file)["model.embed_tokens.weight"])


def test_what_ends_an_answer_is_read_too(directory: Path) -> None:
    (directory / "generation_config.json").write_text('{"eos_token_id": [1, 2]}')
    model = load_causal_lm(directory, torch.float32, torch.device("cpu"))
    assert model.generation_config.eos_token_id == [1, 2]


@pytest.mark.parametrize("change", ["lacks", "shape", "name"])
def test_files_that_are_not_plain_are_left_to_transformers(directory: Path, change: str) -> None:
    file = directory / "model.safetensors"
    weights = load_file(file)
    weight = weights.pop("model.norm.weight")
    if change == "shape":
        weights["model.norm.weight"] = weight[:-1].clone()
    if change == "name":
        weights["transformer.norm.weight"] = weight
    save_file(weights, file)
    assert plain(directory) is None
    with pytest.raises(ModelLoadError, match=r"model\.norm\.weight|cannot be loaded"):
        load_causal_lm(directory, torch.float32, torch.device("cpu"))


def test_a_model_of_another_kind_or_damaged_is_left_to_transformers(directory: Path) -> None:
    config = AutoConfig.from_pretrained(directory)
    other = AutoModelForImageClassification
    assert from_plain_weights(other, directory, config, torch.float32) is None
    file = directory / "model.safetensors"
    file.write_bytes(file.read_bytes()[:200])
    assert plain(directory) is None


def test_random_numbers_are_made_again_afterwards(directory: Path) -> None:
    plain(directory)
    assert nn.Linear(8, 8).weight.std() > 0
