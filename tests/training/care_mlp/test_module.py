"""The MLP speculator: IBM's checkpoint format, its formula, training, acceptance."""

import json
import math
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from transformers import LlamaForCausalLM
from transformers import PreTrainedTokenizerFast as Tokenizer

from specchat.training.care_mlp.features import extract_features, sample_features
from specchat.training.care_mlp.module import (
    MLPSpeculator,
    MLPSpeculatorConfig,
    bundled_config,
    load_speculator,
    save_speculator,
)
from specchat.training.care_mlp.two_stages import (
    Acceptance,
    SpeculatorSettings,
    SpeculatorTrainer,
    depth_loss,
    draft_acceptance,
    draw_runs,
    greedy_acceptance,
)
from specchat.training.corpus.own_answers import OwnAnswer
from specchat.training.corpus.packing import Sample
from specchat.training.target import target_config
from tests.training.test_training import TINY

CONFIG = MLPSpeculatorConfig(50, 32, 16, 3, (2, 1, 1), 2)


def reference_logits(
    tensors: dict[str, torch.Tensor], config: dict, hidden: torch.Tensor, tokens: list[int]
) -> list[torch.Tensor]:
    """IBM's forward pass on a checkpoint's tensors, written apart from the module."""
    n, inner = config["n_predict"], config["inner_dim"] or config["emb_dim"]
    state_weight = 0.5 ** (0.5 / n)
    emb_weight = math.sqrt((1 - state_weight**2) * inner / 2)

    def get(name: str, i: int, kind: str = "weight") -> torch.Tensor:
        key = f"speculator.{name}.{i}.{kind}"
        while key not in tensors:
            i -= 1
            key = f"speculator.{name}.{i}.{kind}"
        return tensors[key].float()

    def rms(x: torch.Tensor) -> torch.Tensor:
        return x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + 1e-6)

    state = rms(hidden) / math.sqrt(2) if config["scale_input"] else hidden
    logits = []
    for i, token in enumerate(tokens):
        state = get("proj", i) @ state + emb_weight / state_weight * get("emb", i)[token]
        state = get("ln", i) * rms(state) + get("ln", i, "bias")
        state = 0.5 * state * (1 + torch.erf(state / math.sqrt(2)))
        logits.append(get("head", i) @ state)
    return logits


@pytest.mark.parametrize("tied", [True, False])
@pytest.mark.parametrize("scaled", [True, False])
@pytest.mark.parametrize("inner", [16, 0])
def test_the_checkpoint_follows_the_reference(
    tmp_path: Path, tied: bool, scaled: bool, inner: int
) -> None:
    torch.manual_seed(0)
    config = replace(CONFIG, tie_weights=tied, scale_input=scaled, inner_dim=inner)
    model = MLPSpeculator(config)
    with torch.no_grad():
        for norm in model.ln:
            norm.weight.normal_()
            norm.bias.normal_()
    save_speculator(model, tmp_path, torch.float32)
    hidden, tokens = torch.randn(32), [4, 9, 30]
    expected = reference_logits(
        load_file(tmp_path / "model.safetensors"),
        json.loads((tmp_path / "config.json").read_text()),
        hidden,
        tokens,
    )
    loaded = load_speculator(tmp_path)
    state = loaded.input_state(hidden)
    for i, token in enumerate(tokens):
        state = loaded.step(state, torch.tensor(token), i)
        torch.testing.assert_close(loaded.logits(state, i), expected[i], atol=1e-5, rtol=1e-4)


def test_a_tied_checkpoint_holds_ibms_keys_only(tmp_path: Path) -> None:
    save_speculator(MLPSpeculator(CONFIG), tmp_path)
    tensors = load_file(tmp_path / "model.safetensors")
    assert set(tensors) == {
        f"speculator.{name}"
        for name in (
            "emb.0.weight",
            "proj.0.weight",
            "proj.1.weight",
            "head.0.weight",
            "ln.0.weight",
            "ln.0.bias",
        )
    }
    assert all(tensor.dtype == torch.bfloat16 for tensor in tensors.values())


def test_an_untied_checkpoint_holds_every_depth(tmp_path: Path) -> None:
    save_speculator(MLPSpeculator(replace(CONFIG, tie_weights=False)), tmp_path)
    tensors = load_file(tmp_path / "model.safetensors")
    assert len(tensors) == 5 * CONFIG.n_predict
    assert tensors["speculator.proj.0.weight"].shape == (16, 32)
    assert tensors["speculator.proj.2.weight"].shape == (16, 16)


def test_the_config_has_ibms_fields(tmp_path: Path) -> None:
    save_speculator(MLPSpeculator(CONFIG), tmp_path)
    config = json.loads((tmp_path / "config.json").read_text())
    assert config["architectures"] == ["MLPSpeculatorPreTrainedModel"]
    assert config["model_type"] == "mlp_speculator"
    assert {name: config[name] for name in ("vocab_size", "emb_dim", "inner_dim", "n_predict")} == {
        "vocab_size": 50,
        "emb_dim": 32,
        "inner_dim": 16,
        "n_predict": 3,
    }
    assert config["top_k_tokens_per_head"] == [2, 1, 1]
    assert config["n_candidates"] == 2
    assert config["tie_weights"]
    assert config["scale_input"]


def test_a_folder_without_a_speculator_is_a_clear_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"no config\.json"):
        load_speculator(tmp_path)


def test_starting_from_the_target_prefers_its_likely_tokens() -> None:
    torch.manual_seed(0)
    head = torch.randn(50, 32)
    model = MLPSpeculator(replace(CONFIG, inner_dim=32))
    model.start_from_target(head, head)
    token = torch.arange(50)
    near = model.emb[0](token) @ model.head[0].weight.T
    assert (near.argmax(-1) == token).float().mean() > 0.9


def test_features_align_hidden_states_with_later_tokens() -> None:
    sample = Sample([1, 2, 7, 8, 9, 3], [0, 0, 1, 1, 1, 0])
    hidden = torch.arange(6)[:, None].float()
    features = sample_features(sample, hidden, depth=2)
    assert features.hidden[:, 0].tolist() == [1, 2, 3]  # states that gave 7, 8, 9
    assert features.tokens.tolist() == [[7, 8, 9], [8, 9, 3], [9, 3, 0]]
    assert features.valid.tolist() == [[True, True], [True, False], [False, False]]


def test_runs_stay_inside_the_positions() -> None:
    index = draw_runs(20, 50, 8, torch.Generator().manual_seed(0))
    assert index.min() >= 0
    assert index.max() < 20
    assert (index.diff(dim=1) == 1).all()
    with pytest.raises(ValueError, match="too few"):
        draw_runs(5, 1, 8, torch.Generator())


@pytest.fixture(scope="module")
def target(tokenizer: Tokenizer) -> LlamaForCausalLM:
    torch.manual_seed(3)
    return LlamaForCausalLM(target_config(tokenizer, **TINY)).eval()


@pytest.fixture(scope="module")
def answers(target: LlamaForCausalLM) -> list[OwnAnswer]:
    prompts = [[1, 2, 40 + n, 41 + n, 4, 3] for n in range(24)]
    with torch.no_grad():
        whole = target.generate(torch.tensor(prompts), max_new_tokens=40, do_sample=False).tolist()
    return [
        OwnAnswer(str(n), 0.0, prompt, _until_end(ids[len(prompt) :], target.config.eos_token_id))
        for n, (prompt, ids) in enumerate(zip(prompts, whole, strict=True))
    ]


def _until_end(ids: list[int], end: int) -> list[int]:
    return ids[: ids.index(end) + 1] if end in ids else ids


def test_training_on_own_answers_raises_acceptance_and_resumes(
    target: LlamaForCausalLM, answers: list[OwnAnswer], tokenizer: Tokenizer, tmp_path: Path
) -> None:
    features = extract_features(
        target, [a.sample() for a in answers], 3, 64, 4, say=lambda line: None
    )
    model = MLPSpeculator(bundled_config(len(tokenizer), 32, inner_dim=32, n_predict=3))
    settings = SpeculatorSettings(
        minutes=1000, lr=5e-3, runs=4, run_length=16, warmup=0.0, compile=False
    )
    before = greedy_acceptance(model, target, answers).mean_acceptance_length
    trainer = SpeculatorTrainer(model, target.lm_head.weight.detach(), tmp_path, settings)
    trainer.train(features, max_steps=40, say=lambda line: None)
    after = greedy_acceptance(model, target, answers).mean_acceptance_length
    assert after > before + 0.5

    other = SpeculatorTrainer(
        MLPSpeculator(model.config), target.lm_head.weight.detach(), tmp_path, settings
    )
    assert other.resume()
    assert other.step == 40
    assert greedy_acceptance(other.model, target, answers).mean_acceptance_length == after


def test_the_loss_tells_how_often_both_would_draw_the_token_with_the_same_noise() -> None:
    p = torch.tensor([[0.5, 0.3, 0.2], [0.2, 0.2, 0.6], [0.9, 0.05, 0.05]])
    q = torch.tensor([[0.2, 0.5, 0.3], [0.4, 0.3, 0.3], [0.9, 0.05, 0.05]])
    token = torch.tensor([0, 0, 1])
    loss, right, agreed = depth_loss(q.log(), p, token, soft_share=0.25)
    spread = -(p * q.log()).sum(-1)
    hard = -q.log()[range(3), token]
    torch.testing.assert_close(loss, 0.25 * spread + 0.75 * hard)
    assert right.tolist() == [False, True, False]
    torch.testing.assert_close(agreed, torch.tensor([0.2 / 0.5, 1.0, 1.0]))


def test_acceptance_counts_steps_and_depths() -> None:
    acceptance = Acceptance(steps=10, accepted_by_depth=(8, 4, 0))
    assert acceptance.mean_acceptance_length == pytest.approx(2.2)
    assert acceptance.rate_by_depth == pytest.approx((0.8, 0.5, 0.0))


def test_greedy_acceptance_walks_as_a_decoder_would(target: LlamaForCausalLM) -> None:
    """A speculator that is always right takes depth + 1 tokens a step."""

    class Oracle(MLPSpeculator):
        def propose(self, hidden: torch.Tensor, token: torch.Tensor, depth: int) -> torch.Tensor:
            place = torch.arange(len(token))[:, None] + torch.arange(depth)
            return (60 + 1 + place).clamp(max=79)

    answer = OwnAnswer("a", 0.0, [1, 2, 3], list(range(60, 80)))
    oracle = Oracle(bundled_config(400, 32, 16, n_predict=3))
    acceptance = greedy_acceptance(oracle, target, [answer])
    # 19 tokens follow the first: four steps of 3 + 1 tokens, then 3 that end the answer.
    assert acceptance.steps == 5
    assert acceptance.accepted_by_depth == (5, 5, 5)


def test_a_draft_model_that_is_the_target_is_always_right(
    target: LlamaForCausalLM, answers: list[OwnAnswer]
) -> None:
    acceptance = draft_acceptance(target, answers, depth=3)
    tokens = sum(len(answer.answer) - 1 for answer in answers)
    assert set(acceptance.rate_by_depth[:1]) == {1.0}
    assert acceptance.steps == sum(math.ceil((len(a.answer) - 1) / 4) for a in answers)
    assert acceptance.mean_acceptance_length * acceptance.steps == pytest.approx(tokens, rel=0.1)
