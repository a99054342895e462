"""Stand-in targets: the bundled model's text at a large model's cost.

The small model is embedded in a Llama of the large one's sizes. Every added channel works on real
activations, with weights other than 0, and none changes the logits:

* the residual stream holds several copies of the small one, so RMSNorm sees the same mean square;
* products read the copies with factors that add up to 1 (see `copies`);
* a head's dimensions are repeated in pairs that rotate at the small head's frequencies;
* heads and MLP channels are repeated, and added layers are copies of the small model's whose last
  products cancel;
* added tokens of the vocabulary get a bias that no sampling overcomes.

Greedy text and acceptance are the bundled model's (up to rounding), a step's cost is the shape's.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import nn
from transformers import AutoModelForCausalLM

from specchat.bench.gpu.copies import enlarge, factors

NEVER = -1e4
"""Bias of tokens that the small model does not have."""


@dataclass(frozen=True, slots=True)
class Shape:
    """Sizes of a stand-in."""

    name: str
    hidden: int
    inner: int
    layers: int
    heads: int
    kv_heads: int
    head_dim: int
    vocab: int
    drafter_inner: int  # of the MLP speculator published for the model
    note: str = ""

    @property
    def label(self) -> str:
        """How results of it are named, everywhere."""
        return f"stand-in with the shape of {self.name}"


SHAPES = (
    Shape("Granite-8B-Code", 4096, 14336, 36, 32, 8, 128, 49152, 4096),
    Shape(
        "Granite-20B-Code", 6144, 16384, 52, 48, 4, 128, 49152, 4096,
        note="gated MLP of as many weights as the original's two products; four key heads, which "
        "the bundled model needs, instead of one",
    ),
    Shape("Llama-3.1-8B", 4096, 14336, 32, 32, 8, 128, 128256, 3072),
)  # fmt: skip
TINY = Shape("a tiny test model", 320, 1024, 4, 8, 2, 80, 5000, 512, note="for trying on CPU")


def build_standin(small: Any, shape: Shape, dtype: torch.dtype, device: torch.device) -> Any:
    """A transformers Llama of `shape` that says what `small`, a Llama, says.

    Raises:
        ValueError: a size of `shape` is not what copies of `small`'s can fill.
    """
    config = small.config
    _check(config, shape)
    maps = _Maps.make(config, shape)
    big = _empty(config, shape, dtype, device)
    frequencies = small.model.rotary_emb.inv_freq.float().to(device)  # before they are rounded
    source = small.to(device=device, dtype=dtype)
    real = {(2 * i + 1) * shape.layers // (2 * config.num_hidden_layers): i
            for i in range(config.num_hidden_layers)}  # fmt: skip
    with torch.no_grad():
        tokens = torch.arange(shape.vocab) % config.vocab_size
        embedding = source.model.embed_tokens.weight
        big.model.embed_tokens.weight.copy_(enlarge(embedding, tokens, maps.hidden))
        big.model.norm.weight.copy_(source.model.norm.weight[maps.hidden.to(device)])
        reading = factors(maps.hidden)
        big.lm_head.weight.copy_(enlarge(source.lm_head.weight, tokens, maps.hidden, reading))
        big.lm_head.bias.zero_()
        big.lm_head.bias[config.vocab_size :] = NEVER
        ratio = shape.head_dim // _head_dim(config)
        for name in ("inv_freq", "original_inv_freq"):
            setattr(big.model.rotary_emb, name, frequencies.repeat_interleave(ratio).clone())
        for place, layer in enumerate(big.model.layers):
            donor = real.get(place, place % config.num_hidden_layers)
            _fill_layer(layer, source.model.layers[donor], maps, added=place not in real)
            layer.self_attn.scaling = source.model.layers[donor].self_attn.scaling / ratio
    return big.eval()


@dataclass(frozen=True, slots=True)
class _Maps:
    """The small channel that each large one repeats."""

    hidden: torch.Tensor
    query: torch.Tensor  # heads x head_dim
    kv: torch.Tensor
    inner: torch.Tensor

    @classmethod
    def make(cls, config: Any, shape: Shape) -> _Maps:
        dim = _head_dim(config)
        dims = _dimensions(dim, shape.head_dim)
        kv_heads = torch.arange(shape.kv_heads) * config.num_key_value_heads // shape.kv_heads
        group = shape.heads // shape.kv_heads
        small_group = config.num_attention_heads // config.num_key_value_heads
        head = torch.arange(shape.heads)
        heads = kv_heads[head // group] * small_group + head % group % small_group
        return cls(
            torch.arange(shape.hidden) % config.hidden_size,
            (heads[:, None] * dim + dims).flatten(),
            (kv_heads[:, None] * dim + dims).flatten(),
            torch.arange(shape.inner) % config.intermediate_size,
        )


def _dimensions(small: int, large: int) -> torch.Tensor:
    """A head's dimensions: both halves of each rotated pair are repeated side by side."""
    ratio = large // small
    half = torch.arange(small // 2).repeat_interleave(ratio)
    return torch.cat([half, half + small // 2])


def _fill_layer(layer: Any, donor: Any, maps: _Maps, *, added: bool) -> None:
    attention, mlp = donor.self_attn, donor.mlp
    read = factors(maps.hidden)

    def fill(target: Any, source: Any, rows: torch.Tensor, columns: torch.Tensor,
             weights: torch.Tensor) -> None:  # fmt: skip
        target.weight.copy_(enlarge(source.weight, rows, columns, weights))

    fill(layer.self_attn.q_proj, attention.q_proj, maps.query, maps.hidden, read)
    fill(layer.self_attn.k_proj, attention.k_proj, maps.kv, maps.hidden, read)
    fill(layer.self_attn.v_proj, attention.v_proj, maps.kv, maps.hidden, read)
    write = factors(maps.query, cancel=added)
    fill(layer.self_attn.o_proj, attention.o_proj, maps.hidden, maps.query, write)
    fill(layer.mlp.gate_proj, mlp.gate_proj, maps.inner, maps.hidden, read)
    fill(layer.mlp.up_proj, mlp.up_proj, maps.inner, maps.hidden, read)
    write = factors(maps.inner, cancel=added)
    fill(layer.mlp.down_proj, mlp.down_proj, maps.hidden, maps.inner, write)
    hidden = maps.hidden.to(layer.input_layernorm.weight.device)
    layer.input_layernorm.weight.copy_(donor.input_layernorm.weight[hidden])
    layer.post_attention_layernorm.weight.copy_(donor.post_attention_layernorm.weight[hidden])


def _empty(config: Any, shape: Shape, dtype: torch.dtype, device: torch.device) -> Any:
    sizes = {
        "hidden_size": shape.hidden,
        "intermediate_size": shape.inner,
        "num_hidden_layers": shape.layers,
        "num_attention_heads": shape.heads,
        "num_key_value_heads": shape.kv_heads,
        "head_dim": shape.head_dim,
        "vocab_size": shape.vocab,
        "tie_word_embeddings": False,
    }
    values = {k: v for k, v in config.to_dict().items() if k not in ("dtype", "torch_dtype")}
    with torch.device("meta"):
        big = AutoModelForCausalLM.from_config(type(config)(**(values | sizes)), dtype=dtype)
        big.lm_head = nn.Linear(shape.hidden, shape.vocab, bias=True, dtype=dtype)
    return big.to_empty(device=device)


def _head_dim(config: Any) -> int:
    return getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads


def _check(config: Any, shape: Shape) -> None:
    small_group = config.num_attention_heads // config.num_key_value_heads
    wrong = [
        f"{name} must be a multiple of {small}, got {large}"
        for name, large, small in (
            ("hidden", shape.hidden, config.hidden_size),
            ("kv_heads", shape.kv_heads, config.num_key_value_heads),
            ("heads", shape.heads, shape.kv_heads * small_group),
            ("head_dim", shape.head_dim, _head_dim(config)),
        )
        if large % small
    ]
    if shape.inner < 2 * config.intermediate_size:
        wrong.append(f"inner must be at least {2 * config.intermediate_size}, got {shape.inner}")
    if shape.vocab < config.vocab_size:
        wrong.append(f"vocab must be at least {config.vocab_size}, got {shape.vocab}")
    if shape.heads * shape.head_dim < 2 * config.num_attention_heads * _head_dim(config):
        wrong.append("heads x head_dim must be at least twice the small model's")
    if wrong:
        raise ValueError(f"{shape.name}: " + "; ".join(wrong))
