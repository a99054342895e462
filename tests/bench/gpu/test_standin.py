"""Stand-ins say what the small model says: exactly the greedy text, in float32, at small sizes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import AutoModelForCausalLM

from specchat.bench.gpu.copies import NONE, adding_up, cancelling, enlarge, factors
from specchat.bench.gpu.standin import SHAPES, TINY, Shape, build_standin
from specchat.bench.gpu.standin_mlp import enlarge_heads
from specchat.loader import BUNDLED
from specchat.speculators.mlp.heads import MlpConfig, MlpHeads
from specchat.speculators.shared.checkpoint_files import read_config, read_tensors

CPU = torch.device("cpu")
CARE = BUNDLED / "care-mini"
SHAPE = Shape(
    "a test", hidden=192, inner=290, layers=5, heads=16, kv_heads=4, head_dim=32, vocab=500,
    drafter_inner=96,
)  # fmt: skip


def greedy(model: Any, prompt: list[int], count: int) -> list[int]:
    ids = list(prompt)
    with torch.inference_mode():
        for _ in range(count):
            ids.append(int(model(torch.tensor([ids]), use_cache=False).logits[0, -1].argmax()))
    return ids[len(prompt) :]


def small_model(directory: Path) -> Any:
    return AutoModelForCausalLM.from_pretrained(directory, dtype=torch.float32).eval()


@pytest.fixture(scope="module")
def pair(tiny_model_dir: Path) -> tuple[Any, Any]:
    small = small_model(tiny_model_dir)
    return small, build_standin(small, SHAPE, torch.float32, CPU)


def test_a_stand_in_has_the_shape(pair: tuple[Any, Any]) -> None:
    _, big = pair
    layer = big.model.layers[0]
    assert len(big.model.layers) == 5
    assert layer.self_attn.q_proj.weight.shape == (16 * 32, 192)
    assert layer.self_attn.k_proj.weight.shape == (4 * 32, 192)
    assert layer.mlp.down_proj.weight.shape == (192, 290)
    assert big.lm_head.weight.shape == (500, 192)


def test_no_added_weight_of_a_stand_in_is_zero(pair: tuple[Any, Any]) -> None:
    """The tiny model's padding token has an embedding of zeros; nothing else has."""
    _, big = pair
    padding = torch.arange(500) % 320 == 0
    for name, parameter in big.named_parameters():
        if name in ("model.embed_tokens.weight", "lm_head.weight"):
            assert int((parameter[~padding] == 0).sum()) == 0, name
        elif name != "lm_head.bias":
            assert int((parameter == 0).sum()) == 0, name


def test_a_stand_in_gives_the_small_model_s_logits_and_hidden_states(pair: tuple[Any, Any]) -> None:
    small, big = pair
    ids = torch.tensor([[7, 80, 9, 200, 31, 44]])
    with torch.inference_mode():
        one = small(ids, output_hidden_states=True)
        two = big(ids, output_hidden_states=True)
    torch.testing.assert_close(two.logits[..., :320], one.logits, atol=2e-3, rtol=2e-3)
    assert (two.logits[..., 320:] < -5000).all()
    copies = two.hidden_states[-1].view(1, 6, 3, 64)
    for k in range(3):
        torch.testing.assert_close(copies[:, :, k], one.hidden_states[-1], atol=2e-4, rtol=2e-4)


def test_a_stand_in_s_greedy_text_is_the_small_model_s(pair: tuple[Any, Any]) -> None:
    small, big = pair
    for prompt in ([5, 6, 7], [100, 101], [42]):
        assert greedy(big, prompt, 24) == greedy(small, prompt, 24)


def test_positions_are_not_rounded_with_the_weights(tiny_model_dir: Path) -> None:
    big = build_standin(small_model(tiny_model_dir), SHAPE, torch.bfloat16, CPU)
    exact = small_model(tiny_model_dir).model.rotary_emb.inv_freq
    assert big.model.layers[0].mlp.up_proj.weight.dtype == torch.bfloat16
    assert big.model.rotary_emb.inv_freq.equal(exact.repeat_interleave(2))


def test_added_layers_work_on_real_activations(pair: tuple[Any, Any]) -> None:
    """Their products before the last one are as large as the real layers'; the last one cancels."""
    _, big = pair
    seen: dict[int, float] = {}
    left: dict[int, float] = {}
    for place, layer in enumerate(big.model.layers):
        layer.mlp.down_proj.register_forward_hook(
            lambda module, inputs, output, place=place: (
                seen.__setitem__(place, float(inputs[0].abs().mean())),
                left.__setitem__(place, float(output.abs().max())),
            )[-1]
        )
    with torch.inference_mode():
        big(torch.tensor([[7, 80, 9]]))
    for layer in big.model.layers:
        layer.mlp.down_proj._forward_hooks.clear()
    added = [place for place in seen if left[place] < 1e-3 * max(left.values())]
    assert len(added) == 3
    assert min(seen[place] for place in added) > 0.1 * max(seen.values())


def test_the_bundled_draft_enlarged_to_the_tiny_shape_says_the_same() -> None:
    """The stand-in that the command builds for `--tiny`."""
    small = small_model(CARE / "draft")
    prompt = [1, 50, 60, 70]
    expected = greedy(small, prompt, 8)
    assert greedy(build_standin(small, TINY, torch.float32, CPU), prompt, 8) == expected


def test_enlarged_heads_draft_what_the_small_ones_draft() -> None:
    directory = CARE / "mlp_speculator"
    config = MlpConfig.read(read_config(directory), directory)
    tensors = {name: tensor.float() for name, tensor in read_tensors(directory).items()}
    small = MlpHeads(config, tensors, directory)
    shape = Shape("a test", 1024, 0, 0, 0, 0, 0, 5000, drafter_inner=768)
    big = enlarge_heads(small, shape, torch.float32, CPU)
    hidden = torch.randn(3, 512)
    token = torch.tensor([5, 77, 4000])
    neutral = torch.ones(1, 1), torch.zeros(1, 1, 1)
    with torch.inference_mode():
        tokens, chances = small(hidden, token, *neutral, 2)
        more, same = big(hidden.repeat(1, 2), token, *neutral, 2)
    assert more.equal(tokens)
    torch.testing.assert_close(same, chances, atol=1e-4, rtol=1e-3)


@pytest.mark.parametrize("shape", SHAPES, ids=lambda shape: shape.name)
def test_the_real_shapes_hold_the_bundled_model(shape: Shape) -> None:
    from transformers import AutoConfig

    from specchat.bench.gpu.standin import _check

    _check(AutoConfig.from_pretrained(CARE / "target"), shape)


def test_a_shape_that_copies_cannot_fill_is_refused(tiny_model_dir: Path) -> None:
    shape = Shape("odd", 100, 290, 5, 16, 4, 32, 500, 96)
    with pytest.raises(ValueError, match="odd: hidden must be a multiple of 64, got 100"):
        build_standin(small_model(tiny_model_dir), shape, torch.float32, CPU)


@pytest.mark.parametrize("count", range(1, 40))
def test_factors_add_up(count: int) -> None:
    assert sum(adding_up(count)) == 1.0
    assert len(adding_up(count)) == count
    if count > 1:
        assert sum(cancelling(count)) == 0.0
        assert len(cancelling(count)) == count
        assert 0 not in cancelling(count)


def test_factors_scale_bf16_weights_without_rounding() -> None:
    weight = torch.randn(1, 7).bfloat16()
    columns = torch.arange(70) % 7
    big = enlarge(weight, torch.zeros(1, dtype=torch.int64), columns, factors(columns))
    total = big.double().view(1, 10, 7).sum(1)
    assert total.equal(weight.double())


def test_a_channel_that_repeats_none_has_no_factor() -> None:
    assert factors(torch.tensor([0, 1, 0, NONE])).tolist() == [0.5, 1.0, 0.5, 0.0]
