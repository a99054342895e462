"""EAGLE-3 checkpoints in both layouts, and its published formula in double precision."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file

from specchat.engine.drafting.draft_tree import DraftContext

VOCAB, DRAFTED, TARGET_HIDDEN, HIDDEN = 40, 16, 12, 12
HEADS, KV_HEADS, HEAD_DIM, INNER, EPS, THETA = 4, 2, 4, 20, 1e-5, 10_000.0
LAYER: dict[str, Any] = {
    "model_type": "llama",
    "vocab_size": VOCAB,
    "hidden_size": HIDDEN,
    "intermediate_size": INNER,
    "num_hidden_layers": 1,
    "num_attention_heads": HEADS,
    "num_key_value_heads": KV_HEADS,
    "head_dim": HEAD_DIM,
    "rms_norm_eps": EPS,
    "rope_theta": THETA,
    "max_position_embeddings": 64,
    "hidden_act": "silu",
}
Tensors = dict[str, torch.Tensor]


def make_tensors(
    *,
    target_hidden: int = TARGET_HIDDEN,
    vocab: int = VOCAB,
    hidden: int = HIDDEN,
    drafted: int | None = DRAFTED,
    embedding: bool = False,
    scale: float = 0.5,
    **variants: bool,
) -> Tensors:
    """A checkpoint's tensors under the speculators library's names."""
    generator = torch.Generator().manual_seed(0)
    q, kv = HEADS * HEAD_DIM, KV_HEADS * HEAD_DIM
    shapes: dict[str, tuple[int, ...]] = {
        "fc.weight": (hidden, 3 * target_hidden),
        "layers.0.self_attn.q_proj.weight": (q, 2 * hidden),
        "layers.0.self_attn.k_proj.weight": (kv, 2 * hidden),
        "layers.0.self_attn.v_proj.weight": (kv, 2 * hidden),
        "layers.0.self_attn.o_proj.weight": (hidden, q),
        "layers.0.mlp.gate_proj.weight": (INNER, hidden),
        "layers.0.mlp.up_proj.weight": (INNER, hidden),
        "layers.0.mlp.down_proj.weight": (hidden, INNER),
        "lm_head.weight": (drafted or vocab, hidden),
    }
    norms = {
        f"layers.0.{n}.weight": hidden
        for n in ("hidden_norm", "input_layernorm", "post_attention_layernorm")
    } | {"norm.weight": hidden}
    if variants.get("norm_before_fc"):
        norms["input_norm.weight"] = 3 * target_hidden
    if variants.get("fc_norm"):
        norms |= {f"fc_norm.{i}.weight": target_hidden for i in range(3)}
    tensors = {n: torch.randn(s, generator=generator) * scale for n, s in shapes.items()}
    tensors |= {n: 1 + torch.randn(s, generator=generator) / 4 for n, s in norms.items()}
    if embedding:
        tensors["embed_tokens.weight"] = torch.randn(vocab, hidden, generator=generator)
    if drafted:
        kept = torch.randperm(vocab, generator=generator)[:drafted].sort().values
        tensors["d2t"] = kept - torch.arange(drafted)
        tensors["t2d"] = torch.zeros(vocab, dtype=torch.bool).index_fill(0, kept, True)
    return tensors


def native(directory: Path, tensors: Tensors, **config: Any) -> Path:
    """Write the layout of the paper's repository."""
    renamed = {n.replace("layers.0.", "midlayer."): t for n, t in tensors.items()}
    sizes = {"draft_vocab_size": len(tensors["lm_head.weight"])}
    raw = {"architectures": ["LlamaForCausalLMEagle3"], **LAYER, **sizes, **config}
    return _write(directory, renamed, raw)


def speculators(directory: Path, tensors: Tensors, **config: Any) -> Path:
    """Write the layout of the speculators library."""
    layer = {name: config.pop(name, value) for name, value in LAYER.items()}
    raw = {
        "architectures": ["Eagle3Speculator"],
        "speculators_model_type": "eagle3",
        "draft_vocab_size": len(tensors["lm_head.weight"]),
        "target_hidden_size": None,
        "transformer_layer_config": layer,
        **config,
    }
    return _write(directory, tensors, raw)


def _write(directory: Path, tensors: Tensors, config: dict[str, Any]) -> Path:
    directory.mkdir(exist_ok=True)
    (directory / "config.json").write_text(json.dumps(config))
    save_file({n: t.contiguous() for n, t in tensors.items()}, directory / "model.safetensors")
    return directory


class Reference:
    """The formula, each place computed from all rows anew."""

    def __init__(self, tensors: Tensors, embedding: torch.Tensor, **variants: bool) -> None:
        self.w = {n: t.double() for n, t in tensors.items() if t.is_floating_point()}
        self.embedding = self.w.get("embed_tokens.weight", embedding.double())
        self.variants = variants
        drafted = len(self.w["lm_head.weight"])
        self.ids = torch.arange(drafted) + tensors.get("d2t", torch.zeros(drafted)).long()

    def chain(
        self,
        asked: DraftContext,
        aux: torch.Tensor,
        positions: list[int],
        depth: int,
        siblings: int = 2,
    ) -> list[tuple[list[int], list[float]]]:
        """Each place's best tokens and chances. `aux [rows, 3 x target_hidden]` are the target's
        states at `positions`, the last of which lies in front of the last known token."""
        hidden = [self.project(row.double()) for row in aux]
        following = [asked.tokens[position + 1] for position in positions]
        places = list(positions)
        chain = []
        for depth_now in range(depth):
            out = self.layer(torch.stack(hidden), following, places)[-1]
            state = self.norm(out, "norm")
            scores = self.w["lm_head.weight"] @ state
            if asked.gumbel is not None:
                noise = asked.gumbel[depth_now].double()[self.ids]
                scores = scores / asked.temperature + noise
            best = scores.topk(siblings).indices
            chain.append((self.ids[best].tolist(), scores.softmax(-1)[best].tolist()))
            hidden.append(state if self.variants.get("norm_output") else out)
            following.append(chain[-1][0][0])
            places.append(places[-1] + 1)
        return chain

    def project(self, aux: torch.Tensor) -> torch.Tensor:
        if self.variants.get("norm_before_fc"):
            aux = self.norm(aux, "input_norm")
        if self.variants.get("fc_norm"):
            parts = aux.chunk(3)
            aux = torch.cat([self.norm(p, f"fc_norm.{i}") for i, p in enumerate(parts)])
        return self.w["fc.weight"] @ aux

    def layer(self, hidden: torch.Tensor, tokens: list[int], positions: list[int]) -> torch.Tensor:
        normed = self.norm(hidden, "layers.0.hidden_norm")
        residual = normed if self.variants.get("norm_before_residual") else hidden
        embeds = self.norm(self.embedding[tokens], "layers.0.input_layernorm")
        x = torch.cat([embeds, normed], -1)
        count = len(tokens)
        q = self.rotate(self.linear(x, "q").view(count, HEADS, HEAD_DIM), positions)
        k = self.rotate(self.linear(x, "k").view(count, KV_HEADS, HEAD_DIM), positions)
        v = self.linear(x, "v").view(count, KV_HEADS, HEAD_DIM)
        k, v = (t.repeat_interleave(HEADS // KV_HEADS, 1) for t in (k, v))
        scores = torch.einsum("qhd,khd->hqk", q, k) / HEAD_DIM**0.5
        later = torch.ones(count, count).triu(1).bool()
        weights = scores.masked_fill(later, -torch.inf).softmax(-1)
        mixed = torch.einsum("hqk,khd->qhd", weights, v).reshape(count, -1)
        out = residual + self.linear(mixed, "o")
        z = self.norm(out, "layers.0.post_attention_layernorm")
        gate, up, down = (self.w[f"layers.0.mlp.{n}_proj.weight"] for n in ("gate", "up", "down"))
        gated = z @ gate.T
        return out + (gated / (1 + torch.exp(-gated)) * (z @ up.T)) @ down.T

    def linear(self, x: torch.Tensor, name: str) -> torch.Tensor:
        return x @ self.w[f"layers.0.self_attn.{name}_proj.weight"].T

    def norm(self, x: torch.Tensor, name: str) -> torch.Tensor:
        return x / torch.sqrt((x**2).mean(-1, keepdim=True) + EPS) * self.w[f"{name}.weight"]

    def rotate(self, x: torch.Tensor, positions: list[int]) -> torch.Tensor:
        half = HEAD_DIM // 2
        angles = torch.tensor(positions).double()[:, None] * THETA ** (
            -torch.arange(half).double() / half
        )
        cos, sin = angles.cos()[:, None], angles.sin()[:, None]
        first, second = x[..., :half], x[..., half:]
        return torch.cat([first * cos - second * sin, second * cos + first * sin], -1)


LAYERS = 8
"""Of the target."""
LAYOUTS = {"native": native, "speculators": speculators}
