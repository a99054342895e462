"""Logits to tokens: the noise, the warped distribution, penalties."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from transformers import (
    LogitsProcessorList,
    MinPLogitsWarper,
    RepetitionPenaltyLogitsProcessor,
    TemperatureLogitsWarper,
    TopKLogitsWarper,
    TopPLogitsWarper,
)

from specchat.engine.drafting.draft_tree import ROOT, DraftTree
from specchat.engine.native import library as native
from specchat.engine.native.sampling import choose_natively
from specchat.engine.request import SamplingParams
from specchat.engine.sampling.noise import NoiseTape, gumbel_noise, noise_key, torch_gumbel_noise
from specchat.engine.sampling.sampler import NO_TOKEN, RowGroup, choose, scores, warp
from specchat.engine.step import _histories

pytestmark = pytest.mark.usefixtures("several_threads")

CPU = torch.device("cpu")
VOCAB = 50
RECORDED_NOISE = [[1.0971, 0.6968, -0.6757], [0.2662, 1.0628, -0.038]]


def rows(count: int, vocab: int = VOCAB, seed: int = 0) -> torch.Tensor:
    return torch.randn(count, vocab, generator=torch.Generator().manual_seed(seed)) * 3


def chi_square(observed: torch.Tensor, expected: torch.Tensor) -> float:
    """How many standard deviations the chi-square statistic lies above its mean."""
    seen = expected >= 5
    statistic = ((observed - expected)[seen] ** 2 / expected[seen]).sum().item()
    degrees = int(seen.sum()) - 1
    return (statistic - degrees) / math.sqrt(2 * degrees)


def test_noise_depends_on_seed_and_position_alone() -> None:
    whole = gumbel_noise(7, 100, 20, VOCAB, CPU)
    assert torch.equal(gumbel_noise(7, 105, 4, VOCAB, CPU), whole[5:9])
    assert not torch.equal(gumbel_noise(8, 100, 20, VOCAB, CPU), whole)


def test_noise_of_a_token_does_not_depend_on_the_size_of_the_vocabulary() -> None:
    small, large = (gumbel_noise(7, 0, 3, size, CPU) for size in (10, 1000))
    assert torch.equal(small, large[:, :10])


def test_noise_is_the_same_on_every_machine() -> None:
    noise = gumbel_noise(1234, 5, 2, 3, CPU)
    assert [[round(x, 4) for x in row] for row in noise.tolist()] == RECORDED_NOISE


@pytest.mark.parametrize("seed", [0, 1, 2**31, 2**63 - 1])
def test_noise_is_finite_and_has_the_moments_of_a_gumbel_variable(seed: int) -> None:
    noise = gumbel_noise(seed, 0, 400, 500, CPU).double()
    assert noise.isfinite().all()
    assert noise.mean().item() == pytest.approx(0.5772, abs=0.015)
    assert noise.var().item() == pytest.approx(math.pi**2 / 6, abs=0.04)


def test_noise_of_neighbouring_positions_seeds_and_tokens_is_uncorrelated() -> None:
    noise = gumbel_noise(3, 0, 400, 500, CPU)
    for other in (
        gumbel_noise(3, 1, 400, 500, CPU),
        gumbel_noise(4, 0, 400, 500, CPU),
        noise.roll(1, dims=1),
    ):
        pair = torch.stack([noise.flatten(), other.flatten()])
        assert abs(torch.corrcoef(pair)[0, 1].item()) < 0.012  # five standard errors


def test_the_tape_gives_the_same_noise_in_any_order_of_reading() -> None:
    tape = NoiseTape(9, VOCAB, CPU)
    for start, count in ((10, 1), (10, 8), (12, 3), (13, 30), (40, 2), (41, 1), (3, 5), (200, 1)):
        expected = gumbel_noise(9, start, count, VOCAB, CPU)
        assert torch.equal(tape.rows(start, count), expected)


@pytest.mark.parametrize(
    "params",
    [
        SamplingParams(temperature=1.0),
        SamplingParams(temperature=0.7, top_k=12),
        SamplingParams(temperature=1.4, top_p=0.8, min_p=0.02),
    ],
)
def test_choices_follow_the_target_distribution(params: SamplingParams) -> None:
    """200,000 draws over positions and seeds; a 3 % shift of one token would be noticed."""
    logits = rows(1, 30, seed=4) / 2
    expected = warp(logits, params).exp()[0].double() * 200_000
    counts = torch.zeros(30, dtype=torch.double)
    for seed in range(20):
        noise = gumbel_noise(seed, 17, 10_000, 30, CPU)
        group = RowGroup(params, 10_000, noise, None)
        chosen = choose(logits.expand(10_000, -1), [group])
        counts += torch.bincount(torch.tensor(chosen), minlength=30)
    assert counts[expected == 0].sum() == 0
    assert chi_square(counts, expected) < 4


WARPS: list[tuple[dict[str, Any], list[Any]]] = [
    ({"temperature": 0.7}, [TemperatureLogitsWarper(0.7)]),
    ({"temperature": 1.0, "top_k": 5}, [TopKLogitsWarper(5)]),
    ({"temperature": 1.0, "top_k": 500}, []),
    ({"temperature": 1.0, "top_p": 0.6}, [TopPLogitsWarper(0.6)]),
    ({"temperature": 1.0, "top_p": 0.999}, [TopPLogitsWarper(0.999)]),
    ({"temperature": 1.0, "min_p": 0.1}, [MinPLogitsWarper(0.1)]),
    ({"temperature": 1.0, "min_p": 1.0}, [MinPLogitsWarper(1.0)]),
    (
        {"temperature": 1.7, "top_k": 20, "top_p": 0.8, "min_p": 0.05},
        [
            TemperatureLogitsWarper(1.7),
            TopKLogitsWarper(20),
            TopPLogitsWarper(0.8),
            MinPLogitsWarper(0.05),
        ],
    ),
]


@pytest.mark.parametrize(("params", "processors"), WARPS)
def test_warping_equals_transformers(params: dict[str, Any], processors: list[Any]) -> None:
    logits = rows(200)
    no_ids = torch.zeros(200, 1, dtype=torch.int64)
    expected = LogitsProcessorList(processors)(no_ids, logits.clone()).log_softmax(-1)
    torch.testing.assert_close(warp(logits, SamplingParams(**params)), expected)


@pytest.mark.parametrize("top_p", [1e-60, 1e-9])
def test_a_tiny_top_p_keeps_the_most_probable_token(top_p: float) -> None:
    logits = rows(20)
    logp = warp(logits, SamplingParams(temperature=1.0, top_p=top_p))
    assert logp.argmax(-1).tolist() == logits.argmax(-1).tolist()
    assert (logp.exp().sum(-1) == 1).all()


def test_greedy_rows_take_the_most_probable_token_and_change_nothing() -> None:
    logits = rows(4)
    before = logits.clone()
    assert choose(logits, [RowGroup(SamplingParams(), 4, None, None)]) == logits.argmax(-1).tolist()
    assert torch.equal(logits, before)


def test_rows_of_different_requests_do_not_touch_each_other() -> None:
    logits = rows(6)
    before = logits.clone()
    noise = gumbel_noise(1, 0, 2, VOCAB, CPU)
    sampled = SamplingParams(temperature=0.9, top_k=7)
    biased = SamplingParams(logit_bias={3: 50.0})
    groups = [
        RowGroup(SamplingParams(), 1, None, None),
        RowGroup(sampled, 2, noise, None),
        RowGroup(biased, 1, None, None),
        RowGroup(SamplingParams(), 2, None, None),
    ]
    chosen = choose(logits, groups)
    assert chosen[0] == before[0].argmax()
    assert chosen[1:3] == choose(before[1:3], [groups[1]])
    assert chosen[3] == 3
    assert chosen[4:] == before[4:].argmax(-1).tolist()
    assert torch.equal(logits, before)


def test_the_repetition_penalty_equals_transformers() -> None:
    logits = rows(1)
    history = [1, 2, 2, 7]
    params = SamplingParams(repetition_penalty=1.4)
    mine = scores(logits, [RowGroup(params, 1, None, [history], 2)])
    theirs = RepetitionPenaltyLogitsProcessor(1.4)(torch.tensor([history]), logits.clone())
    torch.testing.assert_close(mine, theirs)


def test_presence_and_frequency_count_the_answer_and_not_the_prompt() -> None:
    logits = rows(1)
    params = SamplingParams(presence_penalty=0.5, frequency_penalty=0.25)
    mine = scores(logits, [RowGroup(params, 1, None, [[1, 1, 9, 2, 2, 2, 3]], 3)])
    expected = logits.clone()
    expected[0, 2] -= 0.5 + 3 * 0.25
    expected[0, 3] -= 0.5 + 0.25
    torch.testing.assert_close(mine, expected)


def test_penalties_on_a_tree_equal_those_of_single_steps() -> None:
    tree = DraftTree()
    tree.add(4, ROOT, "x")
    tree.add(5, ROOT, "x")
    tree.add(4, 0, "x")
    tree.add(6, 1, "x")
    tokens, prompt = [1, 2, 4, 4, 9], 2
    params = SamplingParams(
        temperature=0.8, repetition_penalty=1.3, presence_penalty=0.4, frequency_penalty=0.6
    )
    logits = rows(5)
    noise = gumbel_noise(1, len(tokens), 5, VOCAB, CPU)
    together = scores(logits, [RowGroup(params, 5, noise, _histories(tokens, tree), prompt)])
    paths: list[list[int]] = [[], [4], [5], [4, 4], [5, 6]]
    for row, path in enumerate(paths):
        group = RowGroup(params, 1, noise[row : row + 1], [[*tokens, *path]], prompt)
        torch.testing.assert_close(scores(logits[row : row + 1], [group])[0], together[row])


def test_half_precision_logits_are_sampled_in_float32() -> None:
    logits = rows(3).bfloat16()
    params = SamplingParams(temperature=0.8)
    noise = gumbel_noise(1, 0, 3, VOCAB, CPU)
    mine = scores(logits, [RowGroup(params, 3, noise, None)])
    assert mine.dtype == torch.float32
    assert torch.equal(mine, scores(logits.float(), [RowGroup(params, 3, noise, None)]))


def test_native_noise_is_that_of_torch() -> None:
    native.load_library()
    keys = [noise_key(11, position) for position in range(300)]
    wanted = torch_gumbel_noise(keys, 1003, CPU)
    found = gumbel_noise(11, 0, 300, 1003, CPU)
    torch.testing.assert_close(found, wanted, rtol=2e-6, atol=2e-6)
    assert found.isfinite().all()


def test_native_noise_is_right_where_it_is_largest() -> None:
    native.load_library()
    found = gumbel_noise(5, 0, 1500, 4096, CPU)
    wanted = torch_gumbel_noise([noise_key(5, position) for position in range(1500)], 4096, CPU)
    extreme = (wanted > 12) | (wanted < -2.7)
    assert extreme.sum() > 20
    torch.testing.assert_close(found[extreme], wanted[extreme], rtol=1e-6, atol=2e-6)


def test_the_native_choice_is_that_of_torch() -> None:
    native.load_library()
    vocab = 1003  # no multiple of a vector
    logits = torch.randn(40, vocab, generator=torch.Generator().manual_seed(1)) * 3
    groups, row = [], 0
    for seed, temperature in enumerate((0.0, 0.3, 0.8, 1.0, 1.7)):
        params = SamplingParams(temperature=temperature, seed=seed)
        noise = None if params.greedy else gumbel_noise(seed, 5, 9, vocab, CPU)[1:]
        groups.append(RowGroup(params, 8, noise, None))
        row += 8
    logits[3, 700] = logits[3, 20] = logits[3].max() + 1  # the first of equals
    assert choose_natively(logits, groups) == choose(logits, groups)


@pytest.mark.parametrize("place", [0, 15, 16, 38, 39])
def test_one_number_that_is_none_spoils_its_row_natively(place: int) -> None:
    native.load_library()
    logits = torch.randn(2, 40, generator=torch.Generator().manual_seed(3))
    logits[0, place] = math.nan
    logits[1, place] = -math.inf  # a token that is ruled out
    for temperature in (0.0, 0.8):
        noise = None if temperature == 0 else gumbel_noise(7, 5, 2, 40, CPU)
        found = choose_natively(
            logits, [RowGroup(SamplingParams(temperature=temperature), 2, noise, None)]
        )
        assert found is not None
        assert found[0] == NO_TOKEN
        assert found[1] >= 0


def test_a_row_without_a_finite_score_chooses_no_token_natively() -> None:
    native.load_library()
    logits = torch.randn(3, 40, generator=torch.Generator().manual_seed(3))
    logits[1] = math.nan
    logits[2, 7] = math.inf
    for temperature in (0.0, 0.8):
        noise = None if temperature == 0 else gumbel_noise(7, 5, 3, 40, CPU)
        group = RowGroup(SamplingParams(temperature=temperature), 3, noise, None)
        found = choose_natively(logits, [group])
        assert found is not None
        assert found[0] >= 0
        assert found[1:] == [NO_TOKEN, NO_TOKEN]
