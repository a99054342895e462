"""A model whose small operations are kernels computes what it computed before."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from transformers import (
    Gemma2Config,
    Gemma2ForCausalLM,
    GraniteConfig,
    GraniteForCausalLM,
    MistralConfig,
    MistralForCausalLM,
    Qwen2Config,
    Qwen2ForCausalLM,
    Qwen3Config,
    Qwen3ForCausalLM,
)

from specchat.engine.cuda.fused import FusedModules, fuse
from specchat.engine.kv.page_pool import PagePool
from specchat.engine.kv.page_table import PageTable
from specchat.engine.model.batch import Rows, pack
from specchat.engine.model.runner import ModelRunner
from tests.engine.native.families import FAMILIES, LIKE_LLAMA, SIZES
from tests.engine.native.test_native import KINDS, bushy_tree, ids, make_runner

LAYER_TYPES = ["full_attention", *["sliding_attention"] * (SIZES["num_hidden_layers"] - 1)]


def logits(runner: ModelRunner, prompt: int = 4) -> torch.Tensor:
    """Of a prompt and a draft tree, packed: few rows, as each takes the interpreter its time."""
    pool = PagePool(runner.pages, runner.cache.page_size)
    asked, answer = (PageTable.open(pool, "", [0]) for _ in range(2))
    for table in (asked, answer):
        table.reserve(40)
    parts = [Rows.chunk(asked, ids(prompt), last=True), Rows.tree(answer, 5, bushy_tree(6))]
    with torch.inference_mode():
        return runner.eager.forward(pack(parts, runner.device)).logits.float()


@pytest.mark.parametrize("kind", ["float32", "bf16"])
@pytest.mark.parametrize("family", FAMILIES)
def test_the_logits_are_those_of_the_modules_that_were_replaced(family: str, kind: str) -> None:
    runner = make_runner(family, kind)
    expected = logits(runner)
    fused = fuse(runner.model)
    found = logits(runner)
    if family in LIKE_LLAMA:
        head_norms = 2 if "head norms" in family else 0
        assert len(fused) == SIZES["num_hidden_layers"] * (5 + head_norms) + 1  # the last norm
    error = (found - expected).abs().max() / expected.abs().max()
    assert error < (1e-5 if KINDS[kind][1] == torch.float32 else 0.05)
    with fused.left_out():
        assert logits(runner).equal(expected)
    assert logits(runner).equal(found)


WINDOWED = {
    "mistral": lambda: MistralForCausalLM(MistralConfig(**SIZES, sliding_window=3)),
    "qwen2 in some layers": lambda: Qwen2ForCausalLM(
        Qwen2Config(**SIZES, use_sliding_window=True, sliding_window=3, layer_types=LAYER_TYPES)
    ),
    "qwen3 in some layers": lambda: Qwen3ForCausalLM(
        Qwen3Config(
            **SIZES, head_dim=16, use_sliding_window=True, sliding_window=3, layer_types=LAYER_TYPES
        )
    ),
    "granite's own scale": lambda: GraniteForCausalLM(
        GraniteConfig(**SIZES, attention_multiplier=0.7)
    ),
}


@pytest.mark.parametrize("family", WINDOWED)
def test_attention_keeps_what_the_module_tells_it(family: str) -> None:
    """Windows and scales, wherever a family keeps them."""
    torch.manual_seed(0)
    model = WINDOWED[family]().eval()
    runner = ModelRunner(model, pages=64, page_size=4)
    expected = logits(runner, prompt=9)
    assert len(fuse(runner.model)) > SIZES["num_hidden_layers"] * 4
    torch.testing.assert_close(logits(runner, prompt=9), expected, rtol=1e-4, atol=1e-4)
    tokens = torch.tensor([ids(9)])
    with torch.no_grad():
        model.set_attn_implementation("eager")
        plain = type(model)(model.config)
        plain.load_state_dict(model.state_dict())
        plain.set_attn_implementation("eager")
        torch.testing.assert_close(
            expected[0], plain.eval()(tokens).logits[0, -1], rtol=1e-4, atol=1e-4
        )


def test_what_means_something_else_is_left_as_it_is(caplog: pytest.LogCaptureFixture) -> None:
    """Gemma's norms multiply with 1 + weight, its gates are GELU."""
    model = Gemma2ForCausalLM(Gemma2Config(**SIZES, head_dim=16)).eval()
    for module in model.modules():
        if type(module).__name__.endswith("RMSNorm"):
            nn.init.normal_(module.weight, 1.0, 0.3)  # type: ignore[arg-type]
            module.variance_epsilon = module.eps  # type: ignore[assignment]
    with caplog.at_level("INFO"):
        assert len(fuse(model)) == 0
    assert "means something else here" in caplog.text


class Quantised(torch.Tensor):
    """A weight that is stored as something else."""


@pytest.mark.parametrize("kind", [torch.Tensor, Quantised])
def test_query_key_and_value_are_one_product_where_they_are_plain(kind: type[torch.Tensor]) -> None:
    runner = make_runner()
    expected = logits(runner)
    layers = [layer.self_attn for layer in runner.model.model.layers]
    for layer in layers:
        weight = layer.k_proj.weight.detach().as_subclass(kind)
        layer.k_proj.weight = nn.Parameter(weight, requires_grad=False)
    fuse(runner.model)
    for layer in layers:
        one, other = (p.weight.untyped_storage().data_ptr() for p in (layer.q_proj, layer.k_proj))
        assert (one == other) == (kind is torch.Tensor)
    torch.testing.assert_close(
        logits(runner).as_subclass(torch.Tensor), expected, rtol=1e-4, atol=1e-4
    )


def test_a_module_that_somebody_replaced_is_left_to_him() -> None:
    runner = make_runner()
    norm = runner.model.model.norm
    vars(norm)["forward"] = norm.forward
    assert len(fuse(runner.model)) == SIZES["num_hidden_layers"] * 5


def test_a_kernel_that_fails_is_not_used(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    from specchat.engine.cuda import fused_kernels

    def fail(*args: torch.Tensor) -> torch.Tensor:
        raise RuntimeError("no GPU here")

    monkeypatch.setattr(fused_kernels, "silu_times", fail)
    runner = make_runner()
    expected = logits(runner)
    fused = fuse(runner.model)
    assert len(fused) == SIZES["num_hidden_layers"] * 4 + 1
    torch.testing.assert_close(logits(runner), expected, rtol=1e-4, atol=1e-4)
    assert "no GPU here" in caplog.text


def test_a_cpu_computes_the_modules_as_they_are() -> None:
    assert isinstance(make_runner().eager.fused, FusedModules)
    assert len(make_runner().eager.fused) == 0
