"""What drafters learn from: places, tokens and states that belong together."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from specchat.engine.drafting.aux_states import AuxTape
from specchat.engine.drafting.draft_tree import DraftContext
from specchat.speculators.eagle3.checkpoint import load_network
from specchat.speculators.eagle3.speculator import Eagle3Speculator
from specchat.speculators.shared.chain import SIBLINGS
from specchat.training.corpus.packing import Sample, collate
from specchat.training.distillation.draft_model import DraftDrafter
from specchat.training.distillation.drafter import (
    SHAPE,
    Drafter,
    FrozenTarget,
    Places,
    find_places,
    later,
)
from specchat.training.distillation.eagle3 import Eagle3Drafter, default_layers
from specchat.training.distillation.medusa import MedusaDrafter
from specchat.training.distillation.mlp import MlpDrafter
from specchat.training.distillation.trainer import DistilSettings, DistilTrainer


@pytest.fixture(scope="module")
def model(tiny_model_dir: Path) -> Any:
    return AutoModelForCausalLM.from_pretrained(tiny_model_dir, dtype=torch.float32)


@pytest.fixture(scope="module")
def target(model: Any) -> FrozenTarget:
    return FrozenTarget(model, default_layers(2))


def sample(*ids: int, answer: int) -> Sample:
    """Tokens of which the last `answer` are the answer."""
    before = len(ids) - answer
    return Sample(list(ids), [0.0] * before + [1.0] * answer)


ROW = [sample(11, 12, 13, 14, 15, 16, answer=4), sample(21, 22, 23, 24, answer=3)]


def real(places: Places) -> Places:
    """Without those that only fill up."""
    assert len(places.index) % SHAPE == 0
    kept = places.valid[:, 0]
    return Places(places.index[kept], places.given[kept], places.tokens[kept], places.valid[kept])


def test_places_name_what_is_known_and_what_is_to_be_drafted() -> None:
    batch = collate([ROW], 12, pad=0)
    places = real(find_places(batch, depth=3))
    # The target's state at 12 gave 13, so 14, 15 and 16 are to be drafted; and so on.
    assert batch.ids.flatten()[places.index].tolist() == [12, 13, 14, 21, 22]
    assert places.given[:, 0].tolist() == [13, 14, 15, 22, 23]
    assert places.tokens.tolist() == [
        [14, 15, 16], [15, 16, 0], [16, 0, 22], [23, 24, 0], [24, 0, 0]
    ]  # fmt: skip
    assert places.valid.int().tolist() == [[1, 1, 1], [1, 1, 0], [1, 0, 0], [1, 1, 0], [1, 0, 0]]


def test_places_do_not_reach_into_the_next_row() -> None:
    batch = collate([[ROW[0]], [ROW[1]]], 6, pad=0)
    places = real(find_places(batch, depth=3))
    assert places.index.tolist() == [1, 2, 3, 6, 7]
    assert places.valid.sum(1).tolist() == [3, 2, 1, 2, 1]


def test_of_many_places_some_are_drawn_in_order() -> None:
    batch = collate([ROW], 12, pad=0)
    places = real(find_places(batch, 2, most=3, generator=torch.Generator().manual_seed(1)))
    assert len(places.index) == 3
    assert places.index.tolist() == sorted(places.index.tolist())
    assert set(places.index.tolist()) <= set(real(find_places(batch, 2)).index.tolist())


def test_later_fills_up_with_zeros() -> None:
    rows = torch.tensor([[1, 2, 3], [4, 5, 6]])
    assert later(rows, 0) is rows
    assert later(rows, 2).tolist() == [[3, 0, 0], [6, 0, 0]]


def drafters(target: FrozenTarget, tokenizer: Any) -> dict[str, Drafter]:
    torch.manual_seed(0)
    return {
        "mlp": MlpDrafter(target, n_predict=3),
        "medusa": MedusaDrafter(target, heads=3),
        "eagle3": Eagle3Drafter(target, depth=3),
        "draft": DraftDrafter(target, tokenizer),
    }


@pytest.mark.parametrize("kind", ["mlp", "medusa", "eagle3", "draft"])
def test_what_is_drafted_depends_on_nothing_that_comes_later_or_from_another_text(
    kind: str, target: FrozenTarget, tiny_model_dir: Path
) -> None:
    drafter = drafters(target, AutoTokenizer.from_pretrained(tiny_model_dir))[kind]
    drafter.network.eval()
    alone = collate([[sample(*range(30, 50), answer=12)]], 20, pad=0)
    longer = collate(
        [[sample(7, 8, 9, 7, answer=2), sample(*range(30, 50), 9, 9, 9, answer=15)]], 30, pad=0
    )
    with torch.no_grad():
        first, second = (
            list(drafter.logits(target.look(batch), real(find_places(batch, drafter.depth))))
            for batch in (alone, longer)
        )
    skipped = 1  # the other text's own place
    for j, (mine, theirs) in enumerate(zip(first, second, strict=True)):
        whole = len(mine) - j  # places whose depth j is known in both
        torch.testing.assert_close(
            mine[:whole], theirs[skipped : skipped + whole], atol=0.1, rtol=0.1
        )


def test_a_new_medusa_head_says_what_the_target_says(target: FrozenTarget) -> None:
    drafter = MedusaDrafter(target)
    batch = collate([ROW], 12, pad=0)
    view, places = target.look(batch), real(find_places(batch, 4))
    for logits in drafter.logits(view, places):
        assert torch.equal(logits.argmax(-1), view.logits.flatten(0, 1)[places.index].argmax(-1))


def test_training_unrolls_an_eagle_head_as_drafting_does(
    model: Any, target: FrozenTarget, tmp_path: Path
) -> None:
    """The engine's drafter and the training agree on a chain that the drafter made up itself."""
    torch.manual_seed(1)
    drafter = Eagle3Drafter(target, torch.arange(3, 300, 2), depth=4)
    with torch.no_grad():
        for parameter in drafter.network.parameters():  # as written: bf16
            parameter.copy_((parameter + torch.randn_like(parameter) / 8).bfloat16())
    drafter.export(tmp_path)
    network = load_network(tmp_path, vocab_size=320, hidden_size=64, layers=2, head=None)
    assert network.config.aux_layers == target.aux_layers
    speculator = Eagle3Speculator(network, target.embedding, pages=8, least_chance=0.0, depth=5)
    tokens = list(range(40, 60))
    with torch.no_grad():
        out = model(torch.tensor([tokens]), output_hidden_states=True)
    aux = torch.cat([out.hidden_states[layer][0] for layer in target.aux_layers], -1)
    tape = AuxTape()
    tape.add(0, aux[:-1])
    (tree,) = speculator.propose([DraftContext("r", tokens, 1, "", None, 0.0, None, 99, aux=tape)])
    chain = tree.tokens[::SIBLINGS]
    assert len(chain) == 5

    whole = [*tokens, *chain]
    batch = collate([[sample(*whole, answer=len(chain) + 1)]], len(whole), pad=0)
    view, places = target.look(batch), find_places(batch, 4)
    with torch.no_grad():
        states = model(torch.tensor([whole]), output_hidden_states=True).hidden_states
        exact = torch.cat([states[layer] for layer in target.aux_layers], -1)
        view = type(view)(view.batch, view.hidden, view.logits, exact)
        found = [logits.argmax(-1)[0] for logits in drafter.logits(view, places)]
    assert int(places.index[0]) == len(tokens) - 2
    assert drafter.token_ids is not None
    assert [int(drafter.token_ids[token]) for token in found] == chain[:4]


@pytest.mark.parametrize(
    ("count", "layers"), [(1, (0, 0, 0)), (2, (1, 1, 1)), (6, (1, 3, 5)), (32, (2, 16, 29))]
)
def test_an_eagle_head_reads_low_middle_and_high_layers(
    count: int, layers: tuple[int, ...]
) -> None:
    assert default_layers(count) == layers


def test_a_training_goes_on_only_with_the_tokens_it_drafted(
    target: FrozenTarget, tmp_path: Path
) -> None:
    def trainer(first: int) -> DistilTrainer:
        drafter = Eagle3Drafter(target, torch.arange(first, first + 40))
        return DistilTrainer(drafter, target, tmp_path, DistilSettings())

    trainer(10).loop.save()
    other = trainer(60)
    with pytest.raises(ValueError, match=r"remove .* to begin anew \(it drafts other tokens\)"):
        other.resume()
    assert trainer(10).resume()


def test_another_stage_takes_over_the_rows_of_tokens_that_both_draft(
    target: FrozenTarget, tmp_path: Path
) -> None:
    first, second = (
        DistilTrainer(Eagle3Drafter(target, ids), target, tmp_path, DistilSettings())
        for ids in (torch.arange(10, 50), torch.arange(40, 100))
    )
    with torch.no_grad():
        for parameter in first.drafter.network.parameters():
            parameter.normal_()
    first.loop.save()
    assert second.start_from(tmp_path / "checkpoint.pt")
    trained, taken = (t.drafter.network.state_dict() for t in (first, second))
    theirs, mine = (network.pop("lm_head.weight") for network in (trained, taken))
    assert torch.equal(mine[:10], theirs[30:])
    assert torch.equal(mine[10:], target.head[50:100])
    assert all(torch.equal(taken[name], trained[name]) for name in trained)


def test_a_draft_of_another_vocabulary_is_refused(target: FrozenTarget, model: Any) -> None:
    import copy

    other = copy.deepcopy(model)
    other.resize_token_embeddings(50, mean_resizing=False)
    with pytest.raises(ValueError, match="vocabulary of 50, but the target's has 320"):
        DraftDrafter(target, None, other)
