"""The audit finds the first divergence and tells a rounding tie from a loss."""

from __future__ import annotations

import pytest

from specchat.bench.audit import first_difference, rounding_tolerance, run_audit
from specchat.bench.prompts import BenchPrompt
from specchat.engine.request import SamplingParams
from tests.bench.double import FakeEngine

PROMPTS = [BenchPrompt(f"p{i}", (i, i + 1)) for i in range(3)]
GREEDY = SamplingParams(max_tokens=8)


def test_equal_answers_are_lossless() -> None:
    result = run_audit(FakeEngine(), PROMPTS, GREEDY)
    assert (result.prompts, result.identical, result.tokens) == (3, 3, 24)
    assert result.lossless


def test_a_divergence_is_reported_where_it_begins() -> None:
    result = run_audit(FakeEngine(wrong_at=5, gap=0.75), PROMPTS, GREEDY)
    assert result.identical == 0
    assert result.tokens == 3 * 6
    first = result.divergences[0]
    assert (first.prompt_id, first.position) == ("p0", 5)
    assert first.speculative_token == (first.plain_token or 0) + 1
    assert first.gap == pytest.approx(0.75)


def test_a_wide_gap_is_a_loss_and_a_gap_within_rounding_is_a_tie() -> None:
    assert not run_audit(FakeEngine(wrong_at=5, gap=0.1), PROMPTS, GREEDY).lossless
    tied = run_audit(FakeEngine(wrong_at=5, gap=0.0005), PROMPTS, GREEDY)
    assert tied.lossless
    assert tied.identical == 0


def test_a_token_beyond_the_two_best_is_no_tie() -> None:
    class ThirdBest(FakeEngine):
        def logits(self, token_ids):  # type: ignore[no-untyped-def]
            logits = super().logits(token_ids)
            best = int(logits.argmax())
            logits[best - 1], logits[(best + 1) % 50] = 10.0, 0.0
            return logits

    assert not run_audit(ThirdBest(wrong_at=5), PROMPTS, GREEDY).lossless


def test_a_sampled_divergence_is_judged_by_the_gap_of_the_choice() -> None:
    sampled = SamplingParams(max_tokens=8, temperature=0.5, seed=9)
    assert not run_audit(FakeEngine(wrong_at=5, gap=0.1), PROMPTS, sampled).lossless
    (divergence, *_) = run_audit(FakeEngine(wrong_at=5, gap=0.0015), PROMPTS, sampled).divergences
    assert divergence.tie
    assert divergence.tolerance == pytest.approx(0.002)


def test_prompts_can_be_audited_together() -> None:
    engine = FakeEngine()
    done: list[int] = []
    run_audit(
        engine, PROMPTS, GREEDY, concurrency=2, on_progress=lambda now, total: done.append(now)
    )
    assert [r.params.speculate for r in engine.requests] == [False, False, True, True, False, True]
    assert done == [2, 3]


@pytest.mark.parametrize(
    ("left", "right", "expected"),
    [((1, 2), (1, 2), None), ((1, 2), (1, 3), 1), ((1,), (1, 2), 1), ((), (), None)],
)
def test_the_first_difference(
    left: tuple[int, ...], right: tuple[int, ...], expected: int | None
) -> None:
    assert first_difference(left, right) == expected


@pytest.mark.parametrize(
    ("score", "dtype", "expected"),
    [
        (10.0, "float32", 1e-3),
        (0.0, "float32", 1e-4),
        (8.0, "bfloat16", 2 * 2**-4),
        (-15.9, "bfloat16", 2 * 2**-4),
        (16.0, "float16", 2 * 2**-6),
    ],
)
def test_rounding_grows_with_the_score(score: float, dtype: str, expected: float) -> None:
    assert rounding_tolerance(score, dtype) == pytest.approx(expected)


def test_an_unknown_dtype_is_refused() -> None:
    with pytest.raises(ValueError, match="got 'int8'"):
        rounding_tolerance(1.0, "int8")


def test_the_gap_is_that_of_the_scores_the_choice_was_made_by() -> None:
    """With penalties, two equal logits can be far apart."""

    class Penalised(FakeEngine):
        def choice_scores(self, token_ids, params, position):  # type: ignore[no-untyped-def]
            scores = self.logits(token_ids)
            scores[scores.argmax()] += 3.0
            return scores

    params = SamplingParams(max_tokens=8, repetition_penalty=1.2)
    result = run_audit(Penalised(wrong_at=5, gap=0.0005), PROMPTS, params)
    assert result.divergences[0].gap == pytest.approx(3.0005)
    assert not result.lossless
