"""EAGLE-3 checkpoints: what is read from both layouts, and what is refused by name."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch

from specchat.engine.errors import ModelLoadError
from specchat.speculators.eagle3.checkpoint import load_network
from tests.speculators.eagle3.reference import (
    LAYERS,
    LAYOUTS,
    TARGET_HIDDEN,
    VOCAB,
    Tensors,
    make_tensors,
    native,
    speculators,
)


def read(directory: Path, **changed: Any) -> Any:
    sizes = {"vocab_size": VOCAB, "hidden_size": TARGET_HIDDEN, "layers": LAYERS, "head": None}
    return load_network(directory, **{**sizes, **changed})


def test_the_papers_layers_are_read_unless_others_are_named(
    tmp_path: Path, tensors: Tensors
) -> None:
    assert read(native(tmp_path, tensors)).config.aux_layers == (2, 4, 5)
    ids = [1, 3, 7]
    named = native(tmp_path, tensors, eagle_aux_hidden_state_layer_ids=ids)
    assert read(named).config.aux_layers == (1, 3, 7)
    nested = native(tmp_path, tensors, eagle_config={"eagle_aux_hidden_state_layer_ids": ids})
    assert read(nested).config.aux_layers == (1, 3, 7)


def test_a_file_of_torch_save_is_read(tmp_path: Path, tensors: Tensors) -> None:
    native(tmp_path, tensors)
    (tmp_path / "model.safetensors").unlink()
    renamed = {n.replace("layers.0.", "midlayer."): t for n, t in tensors.items()}
    torch.save(renamed, tmp_path / "pytorch_model.bin")
    assert torch.equal(read(tmp_path).fc.weight, tensors["fc.weight"])


def test_the_targets_vocabulary_matrix_serves_where_none_is_written(tmp_path: Path) -> None:
    tensors = make_tensors(drafted=None)
    matrix = tensors.pop("lm_head.weight")
    directory = native(tmp_path, {**tensors, "lm_head.weight": matrix})
    from safetensors.torch import save_file

    save_file(tensors, directory / "model.safetensors")
    assert torch.equal(read(directory, head=matrix).lm_head.weight, matrix)
    with pytest.raises(ModelLoadError, match=r"tensor lm_head.weight is missing"):
        read(directory)


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize(
    "name",
    ["fc.weight", "norm.weight", "layers.0.self_attn.k_proj.weight", "layers.0.hidden_norm.weight"],
)
def test_a_missing_tensor_is_named(
    tmp_path: Path, layout: str, name: str, tensors: Tensors
) -> None:
    directory = LAYOUTS[layout](tmp_path, {n: t for n, t in tensors.items() if n != name})
    with pytest.raises(ModelLoadError, match=f"tensor {name} is missing"):
        read(directory)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"layers.1.mlp.up_proj.weight": torch.ones(2)}, "belongs to no EAGLE-3 head"),
        ({"input_norm.weight": torch.ones(36)}, "input_norm.weight belongs to no EAGLE-3 head"),
        ({"fc.weight": torch.ones(12, 24)}, r"fc.weight must have shape \[12, 36\]"),
        (
            {"layers.0.self_attn.k_proj.weight": torch.ones(12, 24)},
            r"shape \[8, 24\], got \[12, 24\]",
        ),
        ({"d2t": None}, "d2t is missing, though 16 of 40 tokens are drafted"),
        ({"d2t": torch.zeros(9).long()}, r"d2t must have shape \[16\]"),
        ({"d2t": torch.full((16,), 30)}, "d2t must name 16 different tokens below 40"),
        ({"d2t": -torch.arange(16)}, "it names 1, from 0 to 0"),
        ({"t2d": torch.zeros(40).bool()}, "t2d and d2t name different tokens"),
        ({"lm_head.weight": torch.ones(17, 12)}, r"d2t must have shape \[17\]"),
    ],
)
def test_a_tensor_that_does_not_fit_is_refused_by_name(
    tmp_path: Path, tensors: Tensors, changes: Tensors, message: str
) -> None:
    changed = {n: t for n, t in {**tensors, **changes}.items() if t is not None}
    with pytest.raises(ModelLoadError, match=message) as error:
        read(native(tmp_path, changed))
    assert str(tmp_path) in str(error.value)


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"vocab_size": 50}, "vocabulary of 50, but the target's has 40"),
        ({"target_hidden_size": 99}, "size 99, but the target's have 12"),
        ({"num_hidden_layers": 2}, "num_hidden_layers must be 1, got 2"),
        ({"model_type": "qwen3"}, "must be a 'llama' one, got 'qwen3'"),
        ({"num_attention_heads": 0}, r"config.json is no Llama layer"),
        ({"hidden_size": None}, r"config.json"),
        ({"draft_vocab_size": 41}, "draft_vocab_size must be from 1 to 40, got 41"),
        ({"draft_vocab_size": "16"}, "draft_vocab_size must be from 1 to 40, got '16'"),
        ({"eagle_aux_hidden_state_layer_ids": [1, 2, 8]}, r"\[1, 2, 8\].* layers 0 to 7"),
        ({"eagle_aux_hidden_state_layer_ids": "all"}, "'all'"),
        ({"eagle_aux_hidden_state_layer_ids": [1, 2]}, r"fc.weight must have shape \[12, 24\]"),
    ],
)
@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_configuration_that_does_not_fit_is_refused_by_name(
    tmp_path: Path, tensors: Tensors, layout: str, config: dict[str, Any], message: str
) -> None:
    with pytest.raises(ModelLoadError, match=message):
        read(LAYOUTS[layout](tmp_path, tensors, **config))


def test_another_target_is_refused(tmp_path: Path, tensors: Tensors) -> None:
    native(tmp_path, tensors)
    with pytest.raises(ModelLoadError, match="size 12, but the target's have 64"):
        read(tmp_path, hidden_size=64)
    with pytest.raises(ModelLoadError, match=r"layers \[2, 1, 0\]|layers 0 to 1"):
        read(tmp_path, layers=2)


@pytest.mark.parametrize("layer", [None, [], "llama"])
def test_a_layer_that_is_no_object_is_refused(tmp_path: Path, tensors: Tensors, layer: Any) -> None:
    directory = speculators(tmp_path, tensors, transformer_layer_config=layer)
    with pytest.raises(ModelLoadError, match="transformer_layer_config must be an object"):
        read(directory)


def test_another_kind_of_speculator_is_refused(tmp_path: Path, tensors: Tensors) -> None:
    directory = speculators(tmp_path, tensors, speculators_model_type="eagle")
    with pytest.raises(ModelLoadError, match="must be 'eagle3', got 'eagle'"):
        read(directory)


@pytest.mark.parametrize("content", [b"", b"no safetensors", b"\xff" * 100])
def test_a_damaged_file_is_named(tmp_path: Path, tensors: Tensors, content: bytes) -> None:
    native(tmp_path, tensors)
    (tmp_path / "model.safetensors").write_bytes(content)
    with pytest.raises(ModelLoadError, match=r"model.safetensors is damaged"):
        read(tmp_path)


def test_a_narrow_head_without_an_embedding_is_refused(tmp_path: Path) -> None:
    tensors = make_tensors(hidden=24, drafted=None)
    directory = native(tmp_path, tensors, hidden_size=24, target_hidden_size=TARGET_HIDDEN)
    with pytest.raises(ModelLoadError, match="has no embed_tokens"):
        read(directory)
    assert json.loads((directory / "config.json").read_text())["hidden_size"] == 24
