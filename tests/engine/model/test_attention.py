"""Paged tree attention against transformers' eager attention, for each family of models."""

from __future__ import annotations

import random
from typing import Any

import pytest
import torch
import transformers as hf

from specchat.engine.drafting.draft_tree import ROOT, DraftTree
from specchat.engine.errors import ModelLoadError
from specchat.engine.kv.page_pool import PagePool
from specchat.engine.kv.page_table import PageTable
from specchat.engine.model.batch import Rows
from specchat.engine.model.runner import ModelRunner
from specchat.engine.model.shape import read_shape
from specchat.engine.model.step_output import StepOutput

VOCAB = 60
CONTEXT = 128
SMALL: dict[str, Any] = {
    "vocab_size": VOCAB,
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "max_position_embeddings": CONTEXT,
    "initializer_range": 0.4,  # large enough that attention matters
    "pad_token_id": 0,
    "bos_token_id": 1,
    "eos_token_id": 2,
}
GROUPED = SMALL | {"num_key_value_heads": 2}
GPT2 = {
    "vocab_size": VOCAB, "n_embd": 32, "n_layer": 2, "n_head": 4, "n_positions": CONTEXT,
    "initializer_range": 0.4, "bos_token_id": 1, "eos_token_id": 2,
}  # fmt: skip
EXPERTS = {"num_local_experts": 4, "num_experts_per_tok": 2}
CONFIGS: dict[str, Any] = {
    "llama": lambda: hf.LlamaConfig(**GROUPED),
    "llama with a head size of its own": lambda: hf.LlamaConfig(**GROUPED, head_dim=12),
    "qwen2": lambda: hf.Qwen2Config(**GROUPED),
    "qwen2 with mixed windows": lambda: hf.Qwen2Config(
        **GROUPED, use_sliding_window=True, sliding_window=5, max_window_layers=1
    ),
    "qwen3": lambda: hf.Qwen3Config(**GROUPED, head_dim=16),
    "granite": lambda: hf.GraniteConfig(
        **GROUPED, attention_multiplier=0.4, embedding_multiplier=3.0, logits_scaling=2.0,
        residual_multiplier=0.3,
    ),
    "granitemoe": lambda: hf.GraniteMoeConfig(**GROUPED, **EXPERTS, attention_multiplier=0.4),
    "mistral with a window": lambda: hf.MistralConfig(**GROUPED, sliding_window=6),
    "gemma2": lambda: hf.Gemma2Config(
        **GROUPED, head_dim=8, sliding_window=6, attn_logit_softcapping=2.0,
        final_logit_softcapping=5.0, query_pre_attn_scalar=16,
    ),
    "gemma3": lambda: hf.Gemma3TextConfig(
        **GROUPED, head_dim=8, sliding_window=6, query_pre_attn_scalar=16,
        layer_types=["sliding_attention", "full_attention"],
    ),
    "gpt_oss with sinks": lambda: hf.GptOssConfig(
        **GROUPED, **EXPERTS, head_dim=8, sliding_window=6,
        layer_types=["sliding_attention", "full_attention"],
    ),
    "gpt2": lambda: hf.GPT2Config(**GPT2),
    "gpt2 scaled by layer": lambda: hf.GPT2Config(**GPT2, scale_attn_by_inverse_layer_idx=True),
    "gpt_bigcode": lambda: hf.GPTBigCodeConfig(**GPT2, multi_query=True),
    "gpt_neox": lambda: hf.GPTNeoXConfig(**SMALL, rotary_pct=0.5),
    "opt": lambda: hf.OPTConfig(
        **{k: v for k, v in SMALL.items() if k not in ("intermediate_size", "initializer_range")},
        ffn_dim=48, word_embed_proj_dim=32, init_std=0.4, dropout=0.0,
    ),
    "phi": lambda: hf.PhiConfig(**GROUPED, partial_rotary_factor=0.5),
    "phi3": lambda: hf.Phi3Config(**GROUPED),
    "stablelm": lambda: hf.StableLmConfig(**GROUPED, use_qkv_bias=True),
    "starcoder2": lambda: hf.Starcoder2Config(**GROUPED, sliding_window=6),
    "cohere": lambda: hf.CohereConfig(**GROUPED),
    "olmo2": lambda: hf.Olmo2Config(**GROUPED),
    "smollm3": lambda: hf.SmolLM3Config(**GROUPED),
}  # fmt: skip


def build(config: Any) -> Any:
    """A random model in float32 whose biases and norms are random too."""
    with torch.random.fork_rng():
        torch.manual_seed(1)
        model = hf.AutoModelForCausalLM.from_config(config, dtype=torch.float32).eval()
        with torch.no_grad():
            for name, parameter in model.named_parameters():
                if parameter.ndim == 1 or "sinks" in name:
                    parameter.add_(torch.randn_like(parameter) * 0.2)
    return model


def reference(model: Any, tokens: list[int]) -> torch.Tensor:
    """transformers' own logits `[len(tokens), vocab]`."""
    model.set_attn_implementation("eager")
    with torch.inference_mode():
        return model(torch.tensor([tokens]), use_cache=False).logits[0].clone()


def scattered(pool: PagePool, rng: random.Random) -> PageTable:
    """A table over 10 pages that lie anywhere and in any order."""
    pages = pool.allocate(20)
    rng.shuffle(pages)
    mine, others = pages[:10], pages[10:]
    pool.release(others)
    return PageTable(pool, pages=mine)


def bushy(rng: random.Random, nodes: int) -> DraftTree:
    tree = DraftTree()
    for _ in range(nodes):
        tree.add(rng.randrange(3, VOCAB), rng.randint(max(ROOT, len(tree) - 6), len(tree) - 1), "x")
    return tree


def path_to(tree: DraftTree, node: int) -> list[int]:
    path: list[int] = []
    while node > ROOT:
        path.insert(0, tree.tokens[node])
        node = tree.parents[node]
    return path


def close(out: torch.Tensor, expected: torch.Tensor) -> None:
    torch.testing.assert_close(out, expected, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("family", CONFIGS)
def test_packed_trees_on_scattered_pages_equal_eager_attention(family: str) -> None:
    """Two requests in one pack, prefilled in chunks, then verified with trees of two shapes."""
    rng = random.Random(3)
    model = build(CONFIGS[family]())
    prompts = [[rng.randrange(3, VOCAB) for _ in range(n)] for n in (21, 9)]
    trees = [bushy(rng, 14), DraftTree.chain([rng.randrange(3, VOCAB) for _ in range(5)], "x")]
    expected = [
        [reference(model, [*prompt, *path_to(tree, node)])[-1] for node in range(ROOT, len(tree))]
        for prompt, tree in zip(prompts, trees, strict=True)
    ]
    runner = ModelRunner(model, pages=48, page_size=4)
    pool = PagePool(48, 4)
    tables = [scattered(pool, rng) for _ in prompts]
    for cut in ((0, 7), (7, None)):
        chunks = [prompt[:-1][slice(*cut)] for prompt in prompts]
        runner.forward([Rows.chunk(t, c, last=False) for t, c in zip(tables, chunks, strict=True)])
        for table, chunk in zip(tables, chunks, strict=True):
            table.advance(len(chunk))
    out = runner.forward(
        [Rows.tree(t, p[-1], tree) for t, p, tree in zip(tables, prompts, trees, strict=True)]
    )
    close(out.logits.clone(), torch.stack([row for rows in expected for row in rows]))


@pytest.mark.parametrize("family", ["llama", "granite", "gemma2", "gpt2", "opt", "phi", "stablelm"])
def test_hidden_states_are_those_the_head_reads(family: str) -> None:
    model = build(CONFIGS[family]())
    runner = ModelRunner(model, pages=8)
    pool = PagePool(8)
    table = PageTable(pool, pages=pool.allocate(4))
    heads_input: list[torch.Tensor] = []
    model.get_output_embeddings().register_forward_pre_hook(
        lambda module, args: heads_input.append(args[0].clone())
    )
    out = runner.forward([Rows.chunk(table, list(range(3, 30)), last=True)])
    torch.testing.assert_close(out.hidden.clone()[None], heads_input[-1])


def prefilled(runner: ModelRunner, pool: PagePool, tokens: list[int]) -> PageTable:
    table = scattered(pool, random.Random(0))
    runner.forward([Rows.chunk(table, tokens, last=False)])
    table.advance(len(tokens))
    return table


def test_rows_of_an_accepted_path_can_be_moved_and_attended_to() -> None:
    model = build(CONFIGS["llama"]())
    prompt = list(range(3, 20))
    tree = DraftTree()
    tree.add(30, ROOT, "x")
    right = tree.add(31, ROOT, "x")
    tree.add(32, 0, "x")
    end = tree.add(33, right, "x")
    expected = reference(model, [*prompt, 31, 33, 40])[-1]
    runner = ModelRunner(model, pages=48, page_size=4)
    table = prefilled(runner, PagePool(48, 4), prompt[:-1])
    runner.forward([Rows.tree(table, prompt[-1], tree)])
    slots = table.slots(table.length, len(tree) + 1)
    runner.cache.move([slots[right + 1], slots[end + 1]], slots[1:3])
    table.advance(3)
    out = runner.forward([Rows.tree(table, 40, DraftTree())])
    close(out.logits[0].clone(), expected)


def test_moving_rows_reads_all_before_it_writes_any() -> None:
    runner = ModelRunner(build(CONFIGS["llama"]()), pages=2)
    layer = runner.cache.keys[0]
    layer[:5] = torch.arange(5.0)[:, None, None]
    runner.cache.move([2, 3, 1], [1, 2, 3])
    assert layer[:5, 0, 0].tolist() == [0.0, 2.0, 3.0, 1.0, 4.0]
    assert runner.cache.rows_moved == 3 * len(runner.cache.keys)


def test_moving_rows_onto_themselves_is_free() -> None:
    runner = ModelRunner(build(CONFIGS["llama"]()), pages=2)
    runner.cache.move([1, 2], [1, 2])
    assert runner.cache.rows_moved == 0


def test_a_tree_of_63_nodes_uses_all_bits() -> None:
    rng = random.Random(5)
    model = build(CONFIGS["llama"]())
    prompt = list(range(3, 12))
    tree = bushy(rng, 63)
    nodes = [ROOT, 0, 30, 61, 62]
    expected = [reference(model, [*prompt, *path_to(tree, node)])[-1] for node in nodes]
    runner = ModelRunner(model, pages=48, page_size=4)
    pool = PagePool(48, 4)
    pages = pool.allocate(40)
    rng.shuffle(pages)
    table = PageTable(pool, pages=pages)
    runner.forward([Rows.chunk(table, prompt[:-1], last=False)])
    table.advance(len(prompt) - 1)
    out: StepOutput = runner.forward([Rows.tree(table, prompt[-1], tree)])
    close(out.logits[[node + 1 for node in nodes]], torch.stack(expected))


OLD: dict[str, Any] = {
    "bloom": lambda: hf.BloomConfig(vocab_size=VOCAB, hidden_size=32, n_layer=1, n_head=2),
    "falcon": lambda: hf.FalconConfig(
        vocab_size=VOCAB, hidden_size=32, num_hidden_layers=1, num_attention_heads=2
    ),
    "codegen": lambda: hf.CodeGenConfig(
        vocab_size=VOCAB, n_embd=32, n_layer=1, n_head=4, rotary_dim=4, n_positions=64
    ),
}  # fmt: skip
"""Families that transformers moves to its attention interface one by one, from version to version.
"""
UNSUPPORTED: dict[str, Any] = {
    "mamba beside attention": lambda: hf.GraniteMoeHybridConfig(
        **GROUPED, layer_types=["mamba", "attention"], mamba_n_heads=4, mamba_expand=2,
        mamba_d_head=16, mamba_d_state=8, shared_intermediate_size=48,
    ),
    "a linear attention beside attention": lambda: hf.Qwen3NextConfig(
        **GROUPED, layer_types=["linear_attention", "full_attention"], head_dim=8,
        linear_num_value_heads=2, linear_num_key_heads=2, linear_key_head_dim=8,
        linear_value_head_dim=8, num_experts=4, num_experts_per_tok=2, moe_intermediate_size=16,
        shared_expert_intermediate_size=16,
    ),
    "keys and values of different sizes": lambda: hf.DeepseekV3Config(
        **SMALL, num_key_value_heads=4, q_lora_rank=16, kv_lora_rank=16, qk_rope_head_dim=4,
        qk_nope_head_dim=8, v_head_dim=8, n_routed_experts=4, num_experts_per_tok=2, n_group=2,
        topk_group=1, moe_intermediate_size=16, first_k_dense_replace=2,
    ),
    "attention in chunks": lambda: hf.Llama4TextConfig(
        **GROUPED, intermediate_size_mlp=48, head_dim=8, num_local_experts=2,
        num_experts_per_tok=1, attention_chunk_size=4,
        layer_types=["chunked_attention", "full_attention"],
    ),
}  # fmt: skip


@pytest.mark.parametrize("family", UNSUPPORTED)
def test_a_model_that_the_paged_cache_cannot_serve_is_refused(family: str) -> None:
    model = build(UNSUPPORTED[family]())
    with pytest.raises(ModelLoadError, match=type(model).__name__):
        ModelRunner(model, pages=4)


@pytest.mark.parametrize("family", OLD)
def test_a_model_that_ignores_the_attention_interface_is_refused(
    family: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = build(OLD[family]())
    ignores = classmethod(lambda cls: False)  # what transformers reads from such a model's source
    monkeypatch.setattr(type(model), "_can_set_attn_implementation", ignores)
    with pytest.raises(ModelLoadError, match=type(model).__name__):
        ModelRunner(model, pages=4)


@pytest.mark.parametrize("family", OLD)
def test_an_old_family_is_either_refused_or_served_right(family: str) -> None:
    model, prompt = build(OLD[family]()), list(range(3, 20))
    expected = reference(model, prompt)[-1]
    try:
        runner = ModelRunner(model, pages=48, page_size=4)
    except ModelLoadError:
        return
    table = scattered(PagePool(48, 4), random.Random(0))
    out = runner.forward([Rows.chunk(table, prompt, last=True)])
    close(out.logits[0].clone(), expected)


def test_a_granite_without_mamba_layers_is_served() -> None:
    config = hf.GraniteMoeHybridConfig(
        **GROUPED, layer_types=["attention"] * 2, num_local_experts=0, shared_intermediate_size=48,
        mamba_n_heads=4, mamba_expand=2, mamba_d_head=16, position_embedding_type="rope",
    )  # fmt: skip
    model = build(config)
    prompt = list(range(3, 20))
    expected = reference(model, prompt)[-1]
    runner = ModelRunner(model, pages=48, page_size=4)
    table = scattered(PagePool(48, 4), random.Random(0))
    out = runner.forward([Rows.chunk(table, prompt, last=True)])
    close(out.logits[0].clone(), expected)


def test_a_model_that_stretches_its_positions_is_limited_to_what_it_was_trained_on() -> None:
    """Long-context rotations depend on the longest request of a batch; see "Phi-3"."""
    config = hf.Phi3Config(
        **GROUPED, original_max_position_embeddings=32,
        rope_parameters={
            "rope_type": "longrope", "rope_theta": 1e4, "short_factor": [1.0] * 4,
            "long_factor": [2.0] * 4, "original_max_position_embeddings": 32,
        },
    )  # fmt: skip
    assert read_shape(config, torch.float32).context_length == 32


def test_a_configuration_of_no_language_model_is_refused_by_name() -> None:
    with pytest.raises(ModelLoadError, match="ResNetConfig is no decoder-only language model"):
        read_shape(hf.ResNetConfig(), torch.float32)
