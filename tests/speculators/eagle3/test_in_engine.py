"""EAGLE-3 in the engine: it drafts from the target's real states, and never changes an answer."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import torch

from specchat.engine.drafting.draft_tree import DraftTree
from specchat.engine.drafting.speculator import DraftContext, Speculator
from specchat.engine.engine import Engine
from specchat.engine.errors import ModelLoadError
from specchat.engine.model.runner import ModelRunner
from specchat.engine.options import EngineOptions
from specchat.engine.snapshot import ModelInfo
from specchat.loader import LoadOptions
from specchat.loader import load as load_model
from specchat.speculators.eagle3.speculator import DEPTH, Eagle3Speculator, load_eagle3
from tests.engine.running import EOS, ask_all, ask_at_once, prompts, request, wait_idle
from tests.speculators.eagle3.reference import Reference, Tensors, make_tensors, native, speculators

TARGET_LAYERS, TARGET_HIDDEN, TARGET_VOCAB = [1, 0, 1], 64, 320
CONFIG: dict[str, Any] = {
    "vocab_size": TARGET_VOCAB,
    "hidden_size": TARGET_HIDDEN,
    "eagle_aux_hidden_state_layer_ids": TARGET_LAYERS,
}


@pytest.fixture
def tensors() -> Tensors:
    return make_tensors(
        target_hidden=TARGET_HIDDEN, hidden=TARGET_HIDDEN, vocab=TARGET_VOCAB, drafted=50,
        scale=0.15,
    )  # fmt: skip


class Watched(Speculator):
    """Passes everything on, and keeps what was asked and drafted."""

    def __init__(self, inner: Eagle3Speculator) -> None:
        self.inner, self.name = inner, inner.name
        self.needs_hidden, self.needs_aux = inner.needs_hidden, inner.needs_aux
        self.seen: list[tuple[DraftContext, list[int], DraftTree]] = []
        self.skipped: list[int] = []  # positions left out of the drafter's own cache

    def propose(self, batch: Sequence[DraftContext]) -> list[DraftTree]:
        trees = self.inner.propose(batch)
        for context, tree in zip(batch, trees, strict=True):
            self.seen.append((context, list(context.tokens), tree))
            self.skipped.append(self.inner.cache._rows[context.request_id].skipped)
        return trees

    def forget(self, request_id: str) -> None:
        self.inner.forget(request_id)


@pytest.fixture
def served(tiny_model: Any, tiny_tokenizer: Any, tensors: Tensors, tmp_path: Path):  # type: ignore[no-untyped-def]
    """Engines on the tiny model with an EAGLE-3 head; closed afterwards."""
    from specchat.engine.output.detokenizer import Detokenizer

    directory = native(tmp_path / "head", tensors, **CONFIG)
    made = []

    def make(pages: int = 256, **options: Any) -> tuple[Engine, Watched]:
        runner = ModelRunner(tiny_model, pages=pages)
        watched = Watched(load_eagle3(directory, runner))
        watched.inner._least_chance = 0.0
        info = ModelInfo("tiny", 320, 2048, 0, "float32", "cpu", "test", ("eagle3",))
        engine = Engine(
            runner, info, detokenizer=Detokenizer(tiny_tokenizer), eos_ids=[EOS],
            speculators=[watched], options=EngineOptions(check_pages=True, **options),
        )  # fmt: skip
        made.append(engine)
        return engine, watched

    yield make
    for engine in made:
        engine.close()


@torch.no_grad()
def assert_drafts_follow(watched: Watched, model: Any, tensors: Tensors, count: int) -> None:
    """A sample of the drafts equals the formula on states of a plain forward pass."""
    embedding = model.get_input_embeddings().weight
    reference = Reference(tensors, embedding)
    checked = watched.seen[:: max(1, len(watched.seen) // count)]
    assert len(checked) >= count
    for context, tokens, tree in checked:
        out = model(torch.tensor([tokens]), output_hidden_states=True)
        aux = torch.cat([out.hidden_states[layer][0] for layer in TARGET_LAYERS], -1)[:-1]
        depth = tree.max_depth
        assert depth > 0
        asked = DraftContext("", tokens, 1, "", None, context.temperature, context.gumbel, depth)
        expected = reference.chain(asked, aux, list(range(len(aux))), depth)
        assert tree.tokens == [token for found, _ in expected for token in found]


@pytest.mark.usefixtures("keep_all_drafts")
@pytest.mark.parametrize("temperature", [0.0, 0.8])
def test_drafts_come_from_the_targets_states_and_answers_stay_the_targets_own(
    served: Any, eager_model: Any, tensors: Tensors, temperature: float
) -> None:
    engine, watched = served(token_budget=16)  # prompts come in chunks
    params = {"temperature": temperature, "max_tokens": 24, "ignore_eos": True}
    asked = [
        request(prompt, seed=i, speculate=speculate, **params)
        for speculate in (True, False)
        for i, prompt in enumerate(prompts(4, 30))
    ]
    answers = ask_all(engine, asked)
    assert [a.said for a in answers[:4]] == [a.said for a in answers[4:]]
    assert all(a.stats.drafted_by_source.get("eagle3") for a in answers[:4])
    assert_drafts_follow(watched, eager_model, tensors, count=6)
    wait_idle(engine)
    assert watched.inner.cache.pool.held == 0


@pytest.mark.usefixtures("keep_all_drafts")
def test_the_next_turn_is_drafted_from_almost_the_whole_conversation(served: Any) -> None:
    """The target finds all of the turn before; the drafter its own full pages, and what the target
    computed in the last steps of that turn was never shown to it."""
    engine, watched = served()
    first = ask_all(engine, [request(prompts(1, 40)[0], max_tokens=30, ignore_eos=True)])[0]
    watched.seen.clear()
    watched.skipped.clear()
    history = (*prompts(1, 40)[0], *first.tokens, 7, 8, 9)
    (second,) = ask_all(engine, [request(history, max_tokens=20, ignore_eos=True)])
    assert second.stats.cached_tokens >= 48
    assert len(watched.skipped) > 3
    assert max(watched.skipped) <= second.stats.cached_tokens - 48
    assert all(tree.max_depth > 0 for _, _, tree in watched.seen[:-1])


@pytest.mark.usefixtures("keep_all_drafts")
def test_preempted_requests_keep_drafting(served: Any) -> None:
    asked = [request(p, max_tokens=60, ignore_eos=True) for p in prompts(4, 30)]
    plain = [request(p, max_tokens=60, ignore_eos=True, speculate=False) for p in prompts(4, 30)]
    engine, watched = served(pages=10)
    drafted = ask_at_once(engine, asked)
    assert engine.snapshot().preemptions > 0
    assert [a.said for a in drafted] == [a.said for a in ask_at_once(engine, plain)]
    assert engine._drafting.speculators == [watched]  # never failed
    assert sum(len(tree) > 0 for _, _, tree in watched.seen) > len(watched.seen) / 2


@pytest.mark.parametrize("layout", [native, speculators])
def test_the_loader_takes_a_head_by_its_directory(
    tiny_model_dir: Path, tmp_path: Path, tensors: Tensors, layout: Any
) -> None:
    directory = layout(tmp_path / "head", tensors, **CONFIG)
    entry = f"eagle3:{directory}"
    options = LoadOptions(
        str(tiny_model_dir), (entry, "ngram"), compile=False, kv_memory_bytes=2**20
    )
    model = load_model(options)
    try:
        assert model.engine.info.speculators == ("eagle3", "ngram")
        (answer,) = ask_all(model.engine, [request(prompts(1)[0], max_tokens=20)])
        assert answer.stats.drafted_by_source.get("eagle3")
    finally:
        model.engine.close()
    with pytest.raises(ModelLoadError, match="only one speculator can read"):
        load_model(
            LoadOptions(
                str(tiny_model_dir), (entry, entry + "/"), compile=False, kv_memory_bytes=2**20
            )
        )


def test_a_head_for_a_deeper_target_is_refused(
    tiny_model: Any, tmp_path: Path, tensors: Tensors
) -> None:
    config = {k: v for k, v in CONFIG.items() if "ids" not in k}
    runner = ModelRunner(tiny_model, pages=64)
    with pytest.raises(ModelLoadError, match="the target has layers 0 to 1"):
        load_eagle3(native(tmp_path, tensors, **config), runner)
    assert runner.native.wanted()  # nothing is lost by a head that does not fit


def test_a_head_is_as_precise_as_the_target(
    tiny_model: Any, tmp_path: Path, tensors: Tensors
) -> None:
    runner = ModelRunner(tiny_model.to(torch.bfloat16), pages=64)
    head = load_eagle3(native(tmp_path, tensors, **CONFIG), runner)
    assert head._network.fc.weight.dtype == torch.bfloat16
    assert head._network.rotary.inv_freq.dtype == torch.float32
    assert head._depth == DEPTH
