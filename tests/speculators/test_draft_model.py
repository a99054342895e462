"""A draft model against transformers' own forward pass, what it keeps, and what it refuses."""

from __future__ import annotations

import copy
import json
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import AutoModelForCausalLM

from specchat.engine.drafting.draft_tree import ROOT, DraftTree
from specchat.engine.drafting.speculator import DraftContext
from specchat.engine.errors import ModelLoadError
from specchat.engine.model.runner import ModelRunner
from specchat.engine.sampling.noise import gumbel_noise
from specchat.speculators.draft_model import CHUNK, DEPTH, DraftModelSpeculator, load_draft_model
from specchat.speculators.shared.chain import SIBLINGS
from tests.engine.running import ask, ask_all, prompts, request, wait_idle

CPU = torch.device("cpu")
VOCAB = 320


@pytest.fixture
def small(small_model_dir: Path) -> DraftModelSpeculator:
    return speculator(small_model_dir)


@pytest.fixture(scope="session")
def plain(small_model_dir: Path) -> Any:
    """The draft model with transformers' own attention."""
    return AutoModelForCausalLM.from_pretrained(
        small_model_dir, dtype=torch.float32, attn_implementation="eager"
    ).eval()


def speculator(directory: Path, pages: int = 64, **options: Any) -> DraftModelSpeculator:
    model = AutoModelForCausalLM.from_pretrained(directory, dtype=torch.float32)
    options = {"least_chance": 0.0, **options}
    return DraftModelSpeculator(ModelRunner(model, pages=pages), VOCAB, **options)


def context(
    tokens: Sequence[int],
    name: str = "r",
    *,
    seed: int | None = None,
    max_depth: int = 100,
    salt: str = "",
) -> DraftContext:
    noise = None if seed is None else gumbel_noise(seed, len(tokens), 4, VOCAB, CPU)
    temperature = 0.0 if seed is None else 0.8
    return DraftContext(name, list(tokens), 1, salt, None, temperature, noise, max_depth)


@torch.no_grad()
def reference(model: Any, asked: DraftContext, depth: int) -> list[tuple[list[int], list[float]]]:
    """Each place's best tokens and their chances, every place from a whole forward pass."""
    tokens = list(asked.tokens)
    places = []
    for i in range(depth):
        scores = model(torch.tensor([tokens])).logits[0, -1].double()
        if asked.gumbel is not None:
            scores = scores / asked.temperature + asked.gumbel[i, : len(scores)]
        best = scores.topk(SIBLINGS).indices
        places.append((best.tolist(), scores.softmax(-1)[best].tolist()))
        tokens.append(int(best[0]))
    return places


def assert_follows(tree: DraftTree, expected: list[tuple[list[int], list[float]]]) -> None:
    assert tree.tokens == [token for tokens, _ in expected for token in tokens]
    chances = [chance for _, places in expected for chance in places]
    assert tree.confidence == pytest.approx(chances, abs=1e-4)
    chain = [ROOT, *range(0, len(tree), SIBLINGS)]
    assert tree.parents == [parent for parent in chain[:-1] for _ in range(SIBLINGS)]
    assert set(tree.sources) == {"draft_model"}


@pytest.mark.parametrize("length", [1, 2, 16, 33, CHUNK, CHUNK + 1])
def test_a_draft_is_what_the_model_says_next(
    small: DraftModelSpeculator, plain: Any, length: int
) -> None:
    (tokens,) = prompts(1, length)
    (tree,) = small.propose([context(tokens)])
    assert_follows(tree, reference(plain, context(tokens), DEPTH))


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_sampled_drafts_use_the_noise_of_the_target(
    small: DraftModelSpeculator, plain: Any, seed: int
) -> None:
    (tokens,) = prompts(1, 20)
    asked = context(tokens, seed=seed)
    (tree,) = small.propose([asked])
    assert_follows(tree, reference(plain, asked, depth=4))  # as far as the noise is known


@pytest.mark.parametrize("kept", [0, 1, 3, DEPTH])
def test_after_a_verification_the_draft_goes_on_from_what_was_committed(
    small: DraftModelSpeculator, plain: Any, kept: int
) -> None:
    tokens = list(prompts(1, 40)[0])
    for _ in range(3):
        (tree,) = small.propose([context(tokens)])
        accepted = tree.tokens[::SIBLINGS][:kept]
        tokens = [*tokens, *accepted, 7]
        (tree,) = small.propose([context(tokens)])
        assert_follows(tree, reference(plain, context(tokens), DEPTH))


def test_only_what_is_new_is_computed(
    small: DraftModelSpeculator, monkeypatch: pytest.MonkeyPatch
) -> None:
    computed: list[int] = []
    forward = ModelRunner.forward

    def counting(self: ModelRunner, parts: Any) -> Any:
        computed.append(sum(len(part.tokens) for part in parts))
        return forward(self, parts)

    monkeypatch.setattr(ModelRunner, "forward", counting)
    tokens = list(prompts(1, 40)[0])
    (tree,) = small.propose([context(tokens)])
    assert computed == [40, *[1] * (DEPTH - 1)]
    computed.clear()
    tokens += [*tree.tokens[::SIBLINGS][:3], 7]  # three accepted, then the target's own
    small.propose([context(tokens)])
    assert computed == [1] * DEPTH
    computed.clear()
    tokens += [9, 9]  # committed while nobody asked
    small.propose([context(tokens)])
    assert computed == [2, *[1] * (DEPTH - 1)]
    computed.clear()
    small.forget("r")
    small.propose([context(tokens, "next turn")])
    assert computed[0] == len(tokens) - 32  # whole pages of the conversation are still there
    small.propose([context(tokens, "stranger", salt="another tenant")])
    assert len(tokens) in computed


def test_a_batch_is_drafted_as_its_members_alone(small: DraftModelSpeculator, plain: Any) -> None:
    batch = [
        context(tokens, f"r{i}", seed=i if i % 2 else None, max_depth=1 + i)
        for i, tokens in enumerate(prompts(5, 25))
    ]
    for asked, tree in zip(batch, small.propose(batch), strict=True):
        depth = min(asked.max_depth, DEPTH if asked.gumbel is None else 4)
        assert_follows(tree, reference(plain, asked, depth))


def test_a_chain_ends_where_it_becomes_unlikely(small_model_dir: Path, plain: Any) -> None:
    bold, timid = speculator(small_model_dir), speculator(small_model_dir, least_chance=0.5)
    asked = context(prompts(1, 20)[0])
    (whole,), (short,) = bold.propose([asked]), timid.propose([asked])
    chance, length = 1.0, 0
    for confidence in whole.confidence[::SIBLINGS]:
        if chance < 0.5:
            break
        chance *= confidence
        length += 1
    assert 0 < length < DEPTH
    assert short.tokens == whole.tokens[: SIBLINGS * length]


def test_a_request_beyond_the_drafts_context_gets_none(small: DraftModelSpeculator) -> None:
    long, short = prompts(1, 260)[0], prompts(1, 20)[0]
    first, second = small.propose([context(long, "long"), context(short, "short")])
    assert len(first) == 0
    assert len(second) > 0


def test_memory_is_bounded_and_the_latest_requests_win(small_model_dir: Path, plain: Any) -> None:
    small = speculator(small_model_dir, pages=5)  # 80 tokens
    asked = [context(tokens, f"r{i}") for i, tokens in enumerate(prompts(4, 30))]
    for one in asked:
        (tree,) = small.propose([one])
        assert_follows(tree, reference(plain, one, DEPTH))
        small.cache.pool.check()
    assert len(small.cache) == 1
    both = small.propose(asked[:3])
    assert [len(tree) > 0 for tree in both] == [True, False, False]
    for one in asked:
        small.forget(one.request_id)
    assert small.cache.pool.held == 0


def test_a_forgotten_tenant_leaves_nothing_behind(small: DraftModelSpeculator) -> None:
    small.propose([context(prompts(1, 50)[0], salt="tenant")])
    small.propose([context([*prompts(1, 50)[0], 7], salt="tenant")])
    small.forget("r")
    assert small.cache.pool.cached > 0
    small.evict_salt("tenant")
    assert small.cache.pool.free == small.cache.pool.total


@pytest.mark.usefixtures("keep_all_drafts")
@pytest.mark.parametrize("temperature", [0.0, 0.8])
def test_answers_are_the_targets_own(
    engines: Any, small_model_dir: Path, temperature: float
) -> None:
    drafter = speculator(small_model_dir)
    engine = engines(drafter)
    asked = [
        request(prompt, temperature=temperature, seed=i, max_tokens=30)
        for i, prompt in enumerate(prompts(4))
    ]
    plain = [
        request(prompt, temperature=temperature, seed=i, max_tokens=30, speculate=False)
        for i, prompt in enumerate(prompts(4))
    ]
    drafted = ask_all(engine, asked)
    assert [a.said for a in drafted] == [a.said for a in ask_all(engine, plain)]
    assert all(a.stats.drafted_by_source.get("draft_model") for a in drafted)
    wait_idle(engine)
    assert drafter.cache.pool.held == 0


@pytest.mark.usefixtures("keep_all_drafts")
@pytest.mark.parametrize("temperature", [0.0, 0.8])
def test_a_draft_model_that_is_the_target_is_always_right(
    engines: Any, tiny_model_dir: Path, temperature: float
) -> None:
    engine = engines(speculator(tiny_model_dir))
    params = {"temperature": temperature, "max_tokens": 3 * (DEPTH + 1) + 1, "ignore_eos": True}
    answer = ask(engine, prompts(1)[0], **params)
    assert answer.stats.steps == 3
    assert answer.stats.accepted_by_source == {"draft_model": 3 * DEPTH}


def load(directory: Path, target: Any, tokenizer: Any, pages: int = 64) -> DraftModelSpeculator:
    runner = ModelRunner(target, pages=pages)
    return load_draft_model(directory, runner, tokenizer, target_name="care")


def test_a_saved_draft_model_is_loaded(
    small_model_dir: Path, tiny_model: Any, tiny_tokenizer: Any, plain: Any
) -> None:
    (tokens,) = prompts(1)
    (tree,) = load(small_model_dir, tiny_model, tiny_tokenizer).propose([context(tokens)])
    assert tree.tokens[0] == reference(plain, context(tokens), 1)[0][0][0]


def test_another_vocabulary_size_is_refused_with_both_names(
    small_model_dir: Path, tiny_model: Any, tiny_tokenizer: Any, tmp_path: Path
) -> None:
    model = AutoModelForCausalLM.from_pretrained(small_model_dir)
    model.resize_token_embeddings(77, mean_resizing=False)
    model.save_pretrained(tmp_path)
    with pytest.raises(ModelLoadError, match="has a vocabulary of 77, but the target care") as e:
        load(tmp_path, tiny_model, tiny_tokenizer)
    assert str(tmp_path) in str(e.value)


def test_a_tokenizer_of_other_tokens_is_refused_by_its_first_difference(
    small_model_dir: Path, tiny_model: Any, tiny_tokenizer: Any, tmp_path: Path
) -> None:
    directory = Path(shutil.copytree(small_model_dir, tmp_path / "draft"))
    tiny_tokenizer.save_pretrained(directory)
    file = directory / "tokenizer.json"
    file.write_text(file.read_text().replace("<|user|>", "<|human|>"))
    with pytest.raises(ModelLoadError, match=r"another vocabulary .* than the target care"):
        load(directory, tiny_model, tiny_tokenizer)


def test_the_same_tokenizer_may_come_with_another_padding(
    small_model_dir: Path, tiny_model: Any, tiny_tokenizer: Any, tmp_path: Path
) -> None:
    model = AutoModelForCausalLM.from_pretrained(small_model_dir)
    model.resize_token_embeddings(model.config.vocab_size + 24, mean_resizing=False)
    model.save_pretrained(tmp_path)
    tiny_tokenizer.save_pretrained(tmp_path)
    drafter = load(tmp_path, tiny_model, tiny_tokenizer)
    vocab = len(tiny_tokenizer)
    for seed in (None, 1, 2):
        (tree,) = drafter.propose([context([5, 6, 7], seed=seed)])
        assert max(tree.tokens) < vocab


def resized(source: Path, size: int, to: Path) -> Path:
    model = AutoModelForCausalLM.from_pretrained(source)
    model.resize_token_embeddings(size, mean_resizing=False)
    model.save_pretrained(to)
    return to


@pytest.mark.parametrize("kind", ["more", "other", "fewer"])
def test_the_last_ids_may_mean_something_else(
    small_model_dir: Path, tiny_model: Any, tiny_tokenizer: Any, tmp_path: Path, kind: str
) -> None:
    """Padding, reserved ids and special tokens of one model: no word is among them."""
    directory = resized(small_model_dir, VOCAB + 8, tmp_path / "draft")
    target, theirs = copy.deepcopy(tiny_tokenizer), copy.deepcopy(tiny_tokenizer)
    if kind in ("more", "other"):
        theirs.add_tokens(["<pad_1>", "<pad_2>"], special_tokens=True)
    if kind in ("fewer", "other"):
        target.add_tokens(["<think>"], special_tokens=True)
    theirs.save_pretrained(directory)
    (tree,) = load(directory, tiny_model, target).propose([context([5, 6, 7])])
    assert tree.tokens


def test_a_draft_without_a_tokenizer_may_be_padded_differently(
    small_model_dir: Path, tiny_model: Any, tiny_tokenizer: Any, tmp_path: Path
) -> None:
    directory = resized(small_model_dir, len(tiny_tokenizer) + 2, tmp_path)
    (tree,) = load(directory, tiny_model, tiny_tokenizer).propose([context([5, 6, 7])])
    assert tree.tokens


@pytest.mark.parametrize("at", [0, 1, -1])
def test_a_token_that_the_draft_lacks_ends_no_draft(
    small_model_dir: Path, tiny_model: Any, tiny_tokenizer: Any, tmp_path: Path, at: int
) -> None:
    size = len(tiny_tokenizer) - 1
    runner = ModelRunner(
        AutoModelForCausalLM.from_pretrained(resized(small_model_dir, size, tmp_path)), pages=64
    )
    tokens = [5, 6, 7, 8]
    tokens[at] = size
    (tree,) = DraftModelSpeculator(runner, VOCAB).propose([context(tokens)])
    assert tree.tokens
    assert max(tree.tokens) < size


def test_words_that_differ_are_refused_however_many_agree(
    small_model_dir: Path, tiny_model: Any, tiny_tokenizer: Any, tmp_path: Path
) -> None:
    directory = Path(shutil.copytree(small_model_dir, tmp_path / "draft"))
    tiny_tokenizer.save_pretrained(directory)
    file = directory / "tokenizer.json"
    state = json.loads(file.read_text())
    vocab = state["model"]["vocab"]
    one, other = sorted(vocab, key=vocab.get)[len(vocab) // 2 :][:2]
    vocab[one], vocab[other] = vocab[other], vocab[one]
    file.write_text(json.dumps(state))
    with pytest.raises(ModelLoadError, match="another vocabulary"):
        load(directory, tiny_model, tiny_tokenizer)


def test_a_draft_model_whose_pages_do_not_fit_is_refused(
    tiny_model_dir: Path, tiny_model: Any, tiny_tokenizer: Any
) -> None:
    with pytest.raises(ModelLoadError, match="raise the KV memory"):
        load(tiny_model_dir, tiny_model, tiny_tokenizer, pages=4)


def test_a_directory_without_weights_is_refused(
    tiny_model: Any, tiny_tokenizer: Any, tmp_path: Path
) -> None:
    with pytest.raises(ModelLoadError, match=r"holds no \.safetensors weights"):
        load(tmp_path, tiny_model, tiny_tokenizer)
