"""Weights in few bits: how far they are from what they were, and that they are their own model."""

from __future__ import annotations

import pytest
import torch
from transformers import LlamaConfig, LlamaForCausalLM

from specchat.engine.errors import ModelLoadError
from specchat.engine.model.pretrained import load_causal_lm
from specchat.engine.model.quantized import GROUP, quantize_model, quantized, to_int4, to_int8


def test_int8_numbers_are_within_half_a_step_of_each_row() -> None:
    weight = torch.randn(9, 40) * torch.logspace(-3, 3, 9)[:, None]
    weight[4] = 0
    found = to_int8(weight)
    assert found.kind == "int8"
    assert found.numbers.abs().amax(1).tolist() == [127] * 4 + [0] + [127] * 4
    off = (found.values() - weight).abs()
    assert bool((off <= 0.501 * found.scales[:, None]).all())


def test_int4_numbers_are_within_half_a_step_of_each_group() -> None:
    weight = torch.randn(5, 3 * GROUP) * torch.logspace(-2, 2, 5)[:, None]
    weight[2] = 0.25
    found = to_int4(weight)
    assert found.kind == "int4"
    assert found.numbers.max() == 15
    steps = found.scales.float().repeat_interleave(GROUP, 1)
    off = (found.values() - weight).abs()
    assert bool((off <= 0.53 * steps).all())


def test_a_model_holds_what_its_numbers_stand_for() -> None:
    sizes = {"hidden_size": 64, "intermediate_size": 48, "num_attention_heads": 4}
    config = LlamaConfig(vocab_size=30, num_hidden_layers=1, tie_word_embeddings=True, **sizes)
    model = LlamaForCausalLM(config)
    quantize_model(model, "int4")
    layer = model.model.layers[0]
    kinds = {}
    for name, module in (
        ("gate", layer.mlp.gate_proj), ("down", layer.mlp.down_proj), ("head", model.lm_head)
    ):  # fmt: skip
        found = quantized(module.weight)
        assert found is not None
        assert torch.equal(found.values(), module.weight)
        kinds[name] = found.kind
    assert kinds == {"gate": "int4", "down": "int8", "head": "int8"}  # 48 columns are no groups
    assert model.lm_head.weight is model.model.embed_tokens.weight
    assert quantized(layer.input_layernorm.weight) is None


def test_int4_is_refused_where_there_is_no_native_step(tiny_model_dir) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(ModelLoadError, match="int4 is for CPUs; on a GPU use int8 or fp8"):
        load_causal_lm(tiny_model_dir, torch.bfloat16, torch.device("cuda"), "int4")
