"""The MLP speculator against IBM's published formula, and its checkpoints, right and wrong."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file

from specchat.engine.drafting.draft_tree import ROOT, DraftContext, DraftTree
from specchat.engine.errors import ModelLoadError
from specchat.engine.sampling.sampler import gumbel_noise
from specchat.speculators.mlp.speculator import MAX_SIBLINGS, MlpSpeculator, load_mlp

CPU = torch.device("cpu")
VOCAB, HIDDEN, INNER, DEPTH = 40, 12, 8, 3
CONFIG: dict[str, Any] = {
    "architectures": ["MLPSpeculatorPreTrainedModel"],
    "model_type": "mlp_speculator",
    "vocab_size": VOCAB,
    "emb_dim": HIDDEN,
    "inner_dim": INNER,
    "n_predict": DEPTH,
    "top_k_tokens_per_head": [2, 1, 1],
    "n_candidates": 2,
    "tie_weights": False,
    "scale_input": False,
}
Tensors = dict[str, torch.Tensor]


def random_tensors(config: dict[str, Any]) -> Tensors:
    """A checkpoint's tensors under IBM's names; a tied file holds each shared one once."""
    generator = torch.Generator().manual_seed(0)
    inner = config["inner_dim"] or config["emb_dim"]
    shapes = {}
    for i in range(config["n_predict"]):
        shapes |= {
            f"emb.{i}.weight": (VOCAB, inner),
            f"proj.{i}.weight": (inner, config["emb_dim"] if i == 0 else inner),
            f"head.{i}.weight": (VOCAB, inner),
            f"ln.{i}.weight": (inner,),
            f"ln.{i}.bias": (inner,),
        }
    if config["tie_weights"]:
        first = ("emb.0", "head.0", "ln.0", "proj.0", "proj.1")
        shapes = {k: v for k, v in shapes.items() if k.startswith(first)}
    return {
        f"speculator.{name}": torch.randn(shape, generator=generator)
        for name, shape in shapes.items()
    }


def save(directory: Path, config: dict[str, Any], tensors: Tensors) -> Path:
    directory.mkdir(exist_ok=True)
    (directory / "config.json").write_text(json.dumps(config))
    save_file(tensors, directory / "model.safetensors")
    return directory


def load(directory: Path, **changed: Any) -> MlpSpeculator:
    sizes = {"vocab_size": VOCAB, "hidden_size": HIDDEN, "dtype": torch.float32, "device": CPU}
    return load_mlp(directory, **{**sizes, **changed})


def context(
    hidden: torch.Tensor | None, token: int, *, seed: int | None = None, temperature: float = 0.0
) -> DraftContext:
    gumbel = None if seed is None else gumbel_noise(seed, 50, 8, VOCAB, CPU)
    return DraftContext("r", [3, token], 1, "", hidden, temperature, gumbel, 100)


def reference(
    config: dict[str, Any], tensors: Tensors, asked: DraftContext
) -> list[tuple[list[int], list[float]]]:
    """Each stage's best tokens and their probabilities, with numbers in double precision."""
    n = config["n_predict"]
    inner = config["inner_dim"] or config["emb_dim"]

    def weight(kind: str, i: int, what: str = "weight") -> torch.Tensor:
        while f"speculator.{kind}.{i}.{what}" not in tensors:
            i -= 1
        return tensors[f"speculator.{kind}.{i}.{what}"].double()

    def rms(x: torch.Tensor) -> torch.Tensor:
        return x / torch.sqrt((x**2).mean() + 1e-6)

    sw = 0.5 ** (0.5 / n)
    ew = math.sqrt((1 - sw**2) * inner / 2)
    assert asked.hidden is not None
    state, token = asked.hidden.double(), asked.tokens[-1]
    if config["scale_input"]:
        state = rms(state) / math.sqrt(2)
    stages = []
    for i in range(n):
        state = weight("proj", i) @ state + ew / sw * weight("emb", i)[token]
        state = weight("ln", i) * rms(state) + weight("ln", i, "bias")
        state = state / 2 * (1 + torch.erf(state / math.sqrt(2)))
        logits = weight("head", i) @ state
        ranked = logits
        if asked.gumbel is not None:
            logits = logits / asked.temperature
            ranked = logits + asked.gumbel[i].double()
        best = ranked.topk(MAX_SIBLINGS).indices
        stages.append((best.tolist(), ranked.softmax(-1)[best].tolist()))
        token = int(best[0])
    return stages


def drafted(tree: DraftTree) -> list[tuple[list[int], list[float]]]:
    """The tree by depth: tokens and confidences, the chain's first."""
    return [
        (
            [tree.tokens[i] for i, d in enumerate(tree.depths) if d == depth],
            [tree.confidence[i] for i, d in enumerate(tree.depths) if d == depth],
        )
        for depth in range(1, tree.max_depth + 1)
    ]


def assert_equals(tree: DraftTree, expected: list[tuple[list[int], list[float]]]) -> None:
    mine = drafted(tree)
    assert [tokens for tokens, _ in mine] == [tokens for tokens, _ in expected]
    for (_, chances), (_, right) in zip(mine, expected, strict=True):
        assert chances == pytest.approx(right, abs=1e-5)


@pytest.mark.parametrize("tied", [False, True])
@pytest.mark.parametrize("scaled", [False, True])
@pytest.mark.parametrize("inner", [INNER, 0])
@pytest.mark.parametrize("depth", [2, 3, 5])
def test_drafts_follow_the_published_formula(
    tmp_path: Path, tied: bool, scaled: bool, inner: int, depth: int
) -> None:
    config = CONFIG | {
        "tie_weights": tied, "scale_input": scaled, "inner_dim": inner, "n_predict": depth
    }  # fmt: skip
    tensors = random_tensors(config)
    speculator = load(save(tmp_path, config, tensors))
    for seed in range(4):
        hidden = torch.randn(HIDDEN, generator=torch.Generator().manual_seed(seed)) * 3
        asked = context(hidden, token=seed)
        (tree,) = speculator.propose([asked])
        assert_equals(tree, reference(config, tensors, asked))


def test_a_tied_file_with_all_tensors_written_out_is_accepted(tmp_path: Path) -> None:
    config = CONFIG | {"tie_weights": True}
    tied = random_tensors(config)
    whole = dict(tied)
    for i in range(1, DEPTH):
        for name in ("emb.{}.weight", "head.{}.weight", "ln.{}.weight", "ln.{}.bias"):
            whole[f"speculator.{name.format(i)}"] = tied[f"speculator.{name.format(0)}"].clone()
    whole["speculator.proj.2.weight"] = tied["speculator.proj.1.weight"].clone()
    asked = context(torch.randn(HIDDEN), 5)
    short = load(save(tmp_path / "short", config, tied)).propose([asked])
    long = load(save(tmp_path / "long", config, whole)).propose([asked])
    assert short == long


def test_the_runners_up_hang_beside_the_chain(tmp_path: Path) -> None:
    speculator = load(save(tmp_path, CONFIG, random_tensors(CONFIG)))
    (tree,) = speculator.propose([context(torch.randn(HIDDEN), 5)])
    chain = [ROOT, *range(0, DEPTH * MAX_SIBLINGS, MAX_SIBLINGS)][:DEPTH]
    assert tree.parents == [parent for parent in chain for _ in range(MAX_SIBLINGS)]
    assert set(tree.sources) == {"mlp"}


@pytest.mark.parametrize("temperature", [0.5, 1.0])
def test_sampled_drafts_use_the_noise_of_the_target(tmp_path: Path, temperature: float) -> None:
    tensors = random_tensors(CONFIG)
    speculator = load(save(tmp_path, CONFIG, tensors))
    hidden = torch.randn(HIDDEN, generator=torch.Generator().manual_seed(1))
    chains = set()
    for seed in range(6):
        asked = context(hidden, 5, seed=seed, temperature=temperature)
        (tree,) = speculator.propose([asked])
        assert_equals(tree, reference(CONFIG, tensors, asked))
        chains.add(tuple(tokens[0] for tokens, _ in drafted(tree)))
    assert len(chains) > 1


@pytest.mark.parametrize("count", [2, 4, 5, 16, 19])
def test_a_batch_is_drafted_as_its_members_alone(tmp_path: Path, count: int) -> None:
    speculator = load(save(tmp_path, CONFIG, random_tensors(CONFIG)))
    generator = torch.Generator().manual_seed(2)
    batch = [
        context(
            torch.randn(HIDDEN, generator=generator),
            i,
            seed=i if i % 3 else None,
            temperature=0.8 if i % 3 else 0.0,
        )
        for i in range(count)
    ]
    together = speculator.propose(batch)
    for asked, tree in zip(batch, together, strict=True):
        (alone,) = speculator.propose([asked])
        assert_equals(tree, drafted(alone))


def test_a_request_without_a_hidden_state_gets_no_draft(tmp_path: Path) -> None:
    speculator = load(save(tmp_path, CONFIG, random_tensors(CONFIG)))
    first, second = speculator.propose([context(None, 5), context(torch.randn(HIDDEN), 5)])
    assert len(first) == 0
    assert len(second) > 0


def test_an_empty_batch_is_no_error(tmp_path: Path) -> None:
    assert load(save(tmp_path, CONFIG, random_tensors(CONFIG))).propose([]) == []


def test_the_checkpoints_precision_gives_way_to_the_targets(tmp_path: Path) -> None:
    tensors = {name: t.bfloat16() for name, t in random_tensors(CONFIG).items()}
    speculator = load(save(tmp_path, CONFIG, tensors))
    asked = context(torch.randn(HIDDEN), 5)
    assert_equals(speculator.propose([asked])[0], reference(CONFIG, tensors, asked))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"model_type": "llama"}, "model_type must be 'mlp_speculator', got 'llama'"),
        ({"n_predict": 0}, "n_predict must be at least 1, got 0"),
        ({"n_predict": "3"}, "n_predict must be at least 1, got '3'"),
        ({"emb_dim": None}, "emb_dim must be at least 1, got None"),
        ({"inner_dim": 9}, r"must have shape \[40, 9\], got \[40, 8\]"),
        ({"inner_dim": -1}, "inner_dim"),
        ({"inner_dim": "8"}, "inner_dim"),
        ({"n_predict": 4}, "tensor speculator.emb.3.weight is missing"),
        ({"n_predict": 2}, r"tensor speculator.emb.2.weight belongs to none of .* 2 stages"),
    ],
)
def test_a_configuration_that_does_not_fit_is_refused_by_name(
    tmp_path: Path, changes: dict[str, Any], message: str
) -> None:
    save(tmp_path, CONFIG | changes, random_tensors(CONFIG))
    with pytest.raises(ModelLoadError, match=message):
        load(tmp_path)


def test_another_vocabulary_is_refused_with_both_sizes(tmp_path: Path) -> None:
    save(tmp_path, CONFIG, random_tensors(CONFIG))
    with pytest.raises(ModelLoadError, match=r"vocabulary of 40, but the target's has 49152"):
        load(tmp_path, vocab_size=49152)


def test_another_hidden_size_is_refused_with_both_sizes(tmp_path: Path) -> None:
    save(tmp_path, CONFIG, random_tensors(CONFIG))
    with pytest.raises(ModelLoadError, match=r"size 12, but the target's have 64"):
        load(tmp_path, hidden_size=64)


@pytest.mark.parametrize("name", ["proj.1.weight", "ln.2.bias", "head.0.weight"])
def test_a_missing_tensor_is_named(tmp_path: Path, name: str) -> None:
    tensors = random_tensors(CONFIG)
    del tensors[f"speculator.{name}"]
    save(tmp_path, CONFIG, tensors)
    with pytest.raises(ModelLoadError, match=f"tensor speculator.{name} is missing"):
        load(tmp_path)


@pytest.mark.parametrize("name", ["model.norm.weight", "speculator.emb.0.bias2", "lm_head.weight"])
def test_a_tensor_that_belongs_elsewhere_is_named(tmp_path: Path, name: str) -> None:
    save(tmp_path, CONFIG, random_tensors(CONFIG) | {name: torch.ones(2)})
    with pytest.raises(ModelLoadError, match=f"tensor {name} belongs to none"):
        load(tmp_path)


@pytest.mark.parametrize("content", [b"", b"no safetensors", b"\xff" * 100])
def test_a_damaged_file_is_named(tmp_path: Path, content: bytes) -> None:
    save(tmp_path, CONFIG, random_tensors(CONFIG))
    (tmp_path / "model.safetensors").write_bytes(content)
    with pytest.raises(ModelLoadError, match=r"model.safetensors is damaged"):
        load(tmp_path)


def test_a_file_cut_short_is_named(tmp_path: Path) -> None:
    path = save(tmp_path, CONFIG, random_tensors(CONFIG)) / "model.safetensors"
    path.write_bytes(path.read_bytes()[:-50])
    with pytest.raises(ModelLoadError, match=r"model.safetensors is damaged"):
        load(tmp_path)


def test_a_directory_without_weights_is_refused(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text(json.dumps(CONFIG))
    with pytest.raises(ModelLoadError, match=r"holds no .safetensors file"):
        load(tmp_path)


@pytest.mark.parametrize("content", ["{not json", "[1, 2]", "\x00"])
def test_a_configuration_that_is_no_json_object_is_named(tmp_path: Path, content: str) -> None:
    (tmp_path / "config.json").write_text(content)
    with pytest.raises(ModelLoadError, match=r"config.json"):
        load(tmp_path)


def test_a_directory_that_is_no_checkpoint_is_named(tmp_path: Path) -> None:
    with pytest.raises(ModelLoadError, match=r"is no speculator checkpoint: no config.json"):
        load(tmp_path / "nothing")
