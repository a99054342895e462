"""A model whose small operations are kernels computes what it computed before."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from transformers import Gemma2Config, Gemma2ForCausalLM

from specchat.engine.cuda.fused import FusedModules, fuse
from specchat.engine.kv.page_pool import PagePool
from specchat.engine.kv.page_table import PageTable
from specchat.engine.model.batch import Rows, pack
from specchat.engine.model.runner import ModelRunner
from tests.engine.native.test_native import FAMILIES, KINDS, SIZES, bushy_tree, ids, make_runner


def logits(runner: ModelRunner) -> torch.Tensor:
    """Of a prompt and a draft tree, packed: few rows, as each takes the interpreter its time."""
    pool = PagePool(runner.pages, runner.cache.page_size)
    prompt, answer = (PageTable.open(pool, "", [0]) for _ in range(2))
    for table in (prompt, answer):
        table.reserve(40)
    parts = [Rows.chunk(prompt, ids(4), last=True), Rows.tree(answer, 5, bushy_tree(6))]
    with torch.inference_mode():
        return runner.eager.forward(pack(parts, runner.device)).logits.float()


@pytest.mark.parametrize("kind", ["float32", "bf16"])
@pytest.mark.parametrize("family", FAMILIES)
def test_the_logits_are_those_of_the_modules_that_were_replaced(family: str, kind: str) -> None:
    runner = make_runner(family, kind)
    expected = logits(runner)
    fused = fuse(runner.model)
    found = logits(runner)
    head_norms = 2 if "head norms" in family else 0
    assert len(fused) == SIZES["num_hidden_layers"] * (5 + head_norms) + 1  # the last norm
    error = (found - expected).abs().max() / expected.abs().max()
    assert error < (1e-5 if KINDS[kind][1] == torch.float32 else 0.05)
    with fused.left_out():
        assert logits(runner).equal(expected)
    assert logits(runner).equal(found)


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
