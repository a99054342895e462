"""Medusa heads against the published formula, in both checkpoint layouts, right and wrong."""

from __future__ import annotations

import itertools
import json
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file

from specchat.engine.drafting.draft_tree import ROOT, DraftContext, DraftTree
from specchat.engine.errors import ModelLoadError
from specchat.engine.sampling.sampler import gumbel_noise
from specchat.speculators.medusa.speculator import (
    LEAST_CHANCE,
    NODES,
    TOP_K,
    MedusaSpeculator,
    load_medusa,
)
from tests.engine.running import ask, ask_all, prompts, request

CPU = torch.device("cpu")
VOCAB, HIDDEN, HEADS, LAYERS = 40, 12, 3, 2
Tensors = dict[str, torch.Tensor]


def original(heads: int = HEADS, layers: int = LAYERS, vocab: int = VOCAB) -> Tensors:
    """A checkpoint's tensors under the names of the original repository."""
    generator = torch.Generator().manual_seed(0)
    shapes: dict[str, tuple[int, ...]] = {}
    for i in range(heads):
        for j in range(layers):
            shapes[f"{i}.{j}.linear.weight"] = (HIDDEN, HIDDEN)
            shapes[f"{i}.{j}.linear.bias"] = (HIDDEN,)
        shapes[f"{i}.{layers}.weight"] = (vocab, HIDDEN)
    return {name: torch.randn(shape, generator=generator) for name, shape in shapes.items()}


def vllm(tensors: Tensors, layers: int = LAYERS, *, bias: bool = True) -> Tensors:
    """The same weights under vLLM's names."""
    renamed = {}
    for name, tensor in tensors.items():
        head, layer, *rest = name.split(".")
        if int(layer) == layers:
            renamed[f"lm_heads.{head}.weight"] = tensor
        elif bias or rest[-1] == "weight":
            renamed[f"blocks.{head}.layers.{layer}.{rest[-1]}"] = tensor
    return renamed


def save(directory: Path, tensors: Tensors, **config: Any) -> Path:
    directory.mkdir(exist_ok=True)
    (directory / "config.json").write_text(json.dumps(config))
    save_file(tensors, directory / "model.safetensors")
    return directory


def load(directory: Path, **changed: Any) -> MedusaSpeculator:
    sizes = {"vocab_size": VOCAB, "hidden_size": HIDDEN, "dtype": torch.float32, "device": CPU}
    return load_medusa(directory, **{**sizes, **changed})


def context(
    hidden: torch.Tensor | None, *, seed: int | None = None, max_depth: int = 100
) -> DraftContext:
    gumbel = None if seed is None else gumbel_noise(seed, 50, 8, VOCAB, CPU)
    temperature = 0.0 if seed is None else 0.7
    return DraftContext("r", [3, 5], 1, "", hidden, temperature, gumbel, max_depth)


def chances(tensors: Tensors, asked: DraftContext, layers: int = LAYERS) -> list[torch.Tensor]:
    """Each head's probabilities, in double precision: x + silu(Wx + b) per layer, then the head."""
    assert asked.hidden is not None
    found = []
    for i in range(sum(name.endswith(f".{layers}.weight") for name in tensors)):
        x = asked.hidden.double()
        for j in range(layers):
            weight, bias = (tensors[f"{i}.{j}.linear.{k}"].double() for k in ("weight", "bias"))
            z = weight @ x + bias
            x = x + z / (1 + torch.exp(-z))
        scores = tensors[f"{i}.{layers}.weight"].double() @ x
        if asked.gumbel is not None:
            scores = scores / asked.temperature + asked.gumbel[i].double()
        found.append(scores.softmax(-1))
    return found


def likely_paths(levels: list[torch.Tensor]) -> list[tuple[tuple[int, ...], float]]:
    """The likeliest paths by trying all of them."""
    tops = [level.topk(min(TOP_K, len(level))) for level in levels]
    paths = []
    for depth in range(1, len(levels) + 1):
        ranked = [
            list(zip(t.indices.tolist(), t.values.tolist(), strict=True)) for t in tops[:depth]
        ]
        for path in itertools.product(*ranked):
            chance = 1.0
            for _, own in path:
                chance *= own
            paths.append((tuple(token for token, _ in path), chance))
    return sorted((p for p in paths if p[1] >= LEAST_CHANCE), key=lambda p: -p[1])[:NODES]


def drafted(tree: DraftTree) -> list[tuple[tuple[int, ...], float]]:
    """Every node's path and its chance, as stored."""
    paths: dict[int, tuple[tuple[int, ...], float]] = {ROOT: ((), 1.0)}
    for node, parent in enumerate(tree.parents):
        path, chance = paths[parent]
        paths[node] = (*path, tree.tokens[node]), chance * tree.confidence[node]
    return [paths[node] for node in range(len(tree))]


def assert_follows(tree: DraftTree, levels: list[torch.Tensor]) -> None:
    mine, right = drafted(tree), likely_paths(levels)
    assert {path for path, _ in mine} == {path for path, _ in right}
    assert [c for _, c in mine] == pytest.approx([c for _, c in right], abs=1e-5)
    assert set(tree.sources) <= {"medusa"}


@pytest.mark.parametrize("layout", ["original", "merged", "vllm", "vllm heads"])
@pytest.mark.parametrize(("heads", "layers"), [(1, 1), (3, 2), (5, 1)])
def test_drafts_follow_the_published_formula_in_every_layout(
    tmp_path: Path, layout: str, heads: int, layers: int
) -> None:
    tensors = original(heads, layers)
    written = {
        "original": tensors,
        "merged": {
            "model.norm.weight": torch.ones(3),
            **{f"medusa_head.{name}": t for name, t in tensors.items()},
        },
        "vllm": vllm(tensors, layers),
        "vllm heads": {f"medusa_heads.{name}": t for name, t in vllm(tensors, layers).items()},
    }[layout]
    speculator = load(save(tmp_path, written))
    for seed in range(5):
        hidden = torch.randn(HIDDEN, generator=torch.Generator().manual_seed(seed)) / 4
        asked = context(hidden)
        (tree,) = speculator.propose([asked])
        assert_follows(tree, chances(tensors, asked, layers))


def test_the_tree_is_wide_where_heads_are_unsure_and_narrow_where_they_are_sure(
    tmp_path: Path,
) -> None:
    tensors = original(3, 1)
    speculator = load(save(tmp_path, tensors))
    (sure,) = speculator.propose([context(torch.full((HIDDEN,), 9.0))])
    (unsure,) = speculator.propose([context(torch.full((HIDDEN,), 0.01))])
    assert len(sure.children(ROOT)) < len(unsure.children(ROOT))


@pytest.mark.parametrize("seed", range(4))
def test_sampled_drafts_use_the_noise_of_the_target(tmp_path: Path, seed: int) -> None:
    tensors = original()
    speculator = load(save(tmp_path, tensors))
    asked = context(torch.randn(HIDDEN, generator=torch.Generator().manual_seed(7)), seed=seed)
    (tree,) = speculator.propose([asked])
    assert_follows(tree, chances(tensors, asked))


def test_a_batch_is_drafted_as_its_members_alone(tmp_path: Path) -> None:
    speculator = load(save(tmp_path, original()))
    generator = torch.Generator().manual_seed(2)
    batch = [
        context(
            None if i == 3 else torch.randn(HIDDEN, generator=generator) / 2,
            seed=i if i % 2 else None,
            max_depth=1 + i % 4,
        )
        for i in range(7)
    ]
    together = speculator.propose(batch)
    for asked, tree in zip(batch, together, strict=True):
        (alone,) = speculator.propose([asked])
        assert tree.tokens == alone.tokens
        assert tree.max_depth <= asked.max_depth
        assert (len(tree) == 0) == (asked.hidden is None)


def test_an_empty_batch_is_no_error(tmp_path: Path) -> None:
    assert load(save(tmp_path, original())).propose([]) == []


def test_the_original_file_of_torch_save_is_read(tmp_path: Path) -> None:
    tensors = original()
    (tmp_path / "config.json").write_text(json.dumps({"medusa_num_heads": 2}))
    torch.save(tensors, tmp_path / "medusa_lm_head.pt")
    asked = context(torch.randn(HIDDEN))
    assert_follows(load(tmp_path).propose([asked])[0], chances(tensors, asked))


def test_a_pickle_that_holds_more_than_tensors_is_not_run(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text("{}")
    torch.save({"0.0.linear.weight": Path("x")}, tmp_path / "medusa_lm_head.pt")
    with pytest.raises(ModelLoadError, match=r"medusa_lm_head.pt is damaged or no file of tensors"):
        load(tmp_path)


def test_layers_without_a_bias_are_read(tmp_path: Path) -> None:
    tensors = original()
    plain = {n: torch.zeros_like(t) if n.endswith("bias") else t for n, t in tensors.items()}
    speculator = load(save(tmp_path, vllm(tensors, bias=False), num_heads=HEADS))
    asked = context(torch.randn(HIDDEN) / 2)
    assert_follows(speculator.propose([asked])[0], chances(plain, asked))


@pytest.mark.parametrize("name", ["lm_head.weight", "lm_heads.0.weight"])
def test_one_vocabulary_matrix_may_serve_all_heads(tmp_path: Path, name: str) -> None:
    tensors = original()
    shared = tensors[f"0.{LAYERS}.weight"]
    written = {n: t for n, t in vllm(tensors).items() if not n.startswith("lm_heads")}
    speculator = load(save(tmp_path, {**written, name: shared}, original_lm_head=True))
    tensors |= {f"{i}.{LAYERS}.weight": shared for i in range(HEADS)}
    asked = context(torch.randn(HIDDEN) / 2)
    assert_follows(speculator.propose([asked])[0], chances(tensors, asked))


@pytest.mark.parametrize("cut", [False, True])
@pytest.mark.parametrize("seed", [None, 3])
def test_a_reduced_vocabulary_is_mapped_back(tmp_path: Path, cut: bool, seed: int | None) -> None:
    kept = torch.tensor([7, 1, 33, 20, 21, 39, 0, 5, 11])
    tensors = original()
    written = vllm(tensors) | {"token_map": kept}
    if cut:  # the file may hold the whole matrix or the kept rows
        written = {n: t[kept] if n.startswith("lm_heads") else t for n, t in written.items()}
    speculator = load(save(tmp_path, written, vocab_size=VOCAB, truncated_vocab_size=len(kept)))
    asked = context(torch.randn(HIDDEN, generator=torch.Generator().manual_seed(4)), seed=seed)
    (tree,) = speculator.propose([asked])
    assert set(tree.tokens) <= set(kept.tolist())
    right = []
    for level in chances(tensors, asked):
        only = torch.zeros_like(level)
        only[kept] = level[kept] / level[kept].sum()
        right.append(only)
    mine = drafted(tree)
    assert [c for _, c in mine] == pytest.approx([c for _, c in likely_paths(right)], abs=1e-5)


def save_tiny(directory: Path, vocab: int, hidden: int) -> Path:
    """Random heads for the tiny model."""
    generator = torch.Generator().manual_seed(0)
    tensors = {}
    for i in range(3):
        tensors[f"{i}.0.linear.weight"] = torch.randn(hidden, hidden, generator=generator) / 9
        tensors[f"{i}.0.linear.bias"] = torch.zeros(hidden)
        tensors[f"{i}.1.weight"] = torch.randn(vocab, hidden, generator=generator)
    return save(directory, tensors, medusa_num_heads=3)


@pytest.mark.usefixtures("keep_all_drafts")
@pytest.mark.parametrize("temperature", [0.0, 0.8])
def test_answers_are_the_targets_own(
    engines: Any, tiny_tokenizer: Any, tmp_path: Path, temperature: float
) -> None:
    vocab = len(tiny_tokenizer)
    engine = engines(load(save_tiny(tmp_path, vocab, 64), vocab_size=vocab, hidden_size=64))
    asked = [
        request(prompt, temperature=temperature, seed=i, max_tokens=30, speculate=speculate)
        for speculate in (True, False)
        for i, prompt in enumerate(prompts(4))
    ]
    answers = ask_all(engine, asked)
    assert [a.said for a in answers[:4]] == [a.said for a in answers[4:]]
    assert all(a.stats.drafted_by_source.get("medusa") for a in answers[:4])


@pytest.mark.usefixtures("keep_all_drafts")
def test_heads_that_know_the_text_are_accepted(engines: Any, tmp_path: Path) -> None:
    """The target always says the same token, and so do heads whose bias outweighs all else."""
    favourite, tensors = 77, {}
    for i in range(3):
        tensors[f"{i}.0.linear.weight"] = torch.zeros(64, 64)
        tensors[f"{i}.0.linear.bias"] = torch.eye(64)[0] * 100
        tensors[f"{i}.1.weight"] = torch.zeros(320, 64)
        tensors[f"{i}.1.weight"][favourite, 0] = 1.0
    speculator = load(save(tmp_path, tensors), vocab_size=320, hidden_size=64)
    answer = ask(engines(speculator), prompts(1)[0], max_tokens=13, logit_bias={favourite: 100.0})
    assert answer.tokens == (favourite,) * 13
    assert answer.stats.steps == 3
    assert answer.stats.accepted_by_source == {"medusa": 9}


@pytest.mark.parametrize(
    ("changes", "config", "message"),
    [
        ({"0.0.linear.bias": None}, {}, "tensor 0.0.linear.bias is missing"),
        ({"1.2.weight": None}, {}, "tensor 1.2.weight is missing"),
        ({"2.1.linear.weight": None}, {}, "tensor 2.1.linear.weight is missing"),
        ({n: None for n in original() if n[0] == "1"}, {}, "Medusa head 1 is missing"),
        ({"3.weight": torch.ones(2)}, {}, "tensor 3.weight belongs to no Medusa head"),
        ({}, {"medusa_num_heads": 4}, "medusa_num_heads is 4, but the file holds 3 heads"),
        ({}, {"vocab_size": 50}, "a vocabulary of 50 .* but this one has 40 and 12"),
        (
            {"0.0.linear.weight": torch.ones(9, 12)},
            {},
            r"shape \[12, 12\], got \[9, 12\]",
        ),
    ],
)
def test_a_checkpoint_that_does_not_fit_is_refused_by_name(
    tmp_path: Path, changes: dict[str, torch.Tensor | None], config: dict[str, Any], message: str
) -> None:
    tensors = {n: t for n, t in {**original(), **changes}.items() if t is not None}
    save(tmp_path, tensors, **config)
    with pytest.raises(ModelLoadError, match=message) as error:
        load(tmp_path)
    assert str(tmp_path) in str(error.value)


@pytest.mark.parametrize(
    ("changes", "config", "message"),
    [
        ({}, {"num_heads": 2}, "num_heads is 2, but the file holds 3 heads"),
        ({"lm_heads.1.weight": None}, {}, "tensor lm_heads.1.weight is missing"),
        ({"token_map": torch.tensor([1, 40])}, {}, "token_map names token 40"),
        ({"token_map": torch.tensor([1, 1])}, {}, "token_map must be a list of different tokens"),
        ({"extra": torch.ones(1)}, {}, "tensor extra belongs to no Medusa head"),
    ],
)
def test_a_checkpoint_in_vllms_layout_that_does_not_fit_is_refused_by_name(
    tmp_path: Path, changes: dict[str, torch.Tensor | None], config: dict[str, Any], message: str
) -> None:
    tensors = {n: t for n, t in {**vllm(original()), **changes}.items() if t is not None}
    with pytest.raises(ModelLoadError, match=message):
        load(save(tmp_path, tensors, **config))


def test_another_target_is_refused_with_both_sizes(tmp_path: Path) -> None:
    save(tmp_path, original())
    with pytest.raises(ModelLoadError, match="vocabulary of 40, but the target's has 320"):
        load(tmp_path, vocab_size=320)
    with pytest.raises(ModelLoadError, match="size 12, but the target's have 64"):
        load(tmp_path, hidden_size=64)


@pytest.mark.parametrize("content", [b"", b"no safetensors", b"\xff" * 100])
def test_a_damaged_file_is_named(tmp_path: Path, content: bytes) -> None:
    save(tmp_path, original())
    (tmp_path / "model.safetensors").write_bytes(content)
    with pytest.raises(ModelLoadError, match=r"model.safetensors is damaged"):
        load(tmp_path)


def test_a_file_without_heads_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelLoadError, match="holds no Medusa heads"):
        load(save(tmp_path, {"model.norm.weight": torch.ones(3)}))
