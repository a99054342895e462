"""What a request is given depends on nobody who is in the step with it."""

from __future__ import annotations

import pytest
import torch

from specchat.engine.drafting.draft_tree import DraftTree
from specchat.engine.native import library as native
from specchat.engine.request import SamplingParams
from specchat.engine.sampling import verify as verifying
from specchat.engine.sampling.noise import gumbel_noise
from specchat.engine.sampling.sampler import RowGroup
from specchat.engine.sampling.verify import Walk, verify

VOCAB = 1003
CPU = torch.device("cpu")
KINDS = {
    "greedy": SamplingParams(temperature=0.0),
    "heat": SamplingParams(temperature=0.8, seed=3),
    "top p": SamplingParams(temperature=0.8, seed=3, top_p=0.9),
    "penalty": SamplingParams(temperature=0.0, presence_penalty=1.0),
    "log-probabilities": SamplingParams(temperature=0.8, seed=3, logprobs=2),
    "more heat": SamplingParams(temperature=1.3, seed=5),
}
ORDERS = [list(KINDS), list(reversed(KINDS)), ["heat", "top p", "greedy"], ["penalty", "heat"]]


def group(params: SamplingParams) -> RowGroup:
    noise = None if params.greedy else gumbel_noise(params.seed, 9, 3, VOCAB, CPU)
    return RowGroup(params, 3, noise, [[1, 2], [1, 2, 3], [1, 2, 3, 4]], 1, 9)


def walks(
    names: list[str], logits: dict[str, torch.Tensor], *, by_kernel: bool, told: bool
) -> list[Walk]:
    trees = [DraftTree.chain([3, 4], "x") for _ in names]
    rows = torch.cat([logits[name] for name in names])
    best = rows.argmax(-1).tolist() if told else None
    return verify(rows, [group(KINDS[n]) for n in names], trees, best, by_kernel=by_kernel)


@pytest.mark.parametrize("order", ORDERS, ids=" ".join)
@pytest.mark.parametrize(("by_kernel", "told"), [(False, True), (True, True), (False, False)])
def test_everybody_gets_what_he_gets_alone(
    order: list[str], by_kernel: bool, told: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    native.load_library()
    generator = torch.Generator().manual_seed(2)
    logits = {name: torch.randn(3, VOCAB, generator=generator) * 3 for name in KINDS}
    for rows in logits.values():  # so that a walk goes on
        rows[0, 3] = rows[1, 4] = 30.0
    own: dict[str, list[str]] = {}
    for way in ("choose_natively", "choose_by_kernel", "target_logits"):
        watched(monkeypatch, way, own)
    alone = {name: walks([name], logits, by_kernel=by_kernel, told=told)[0] for name in order}
    ways = dict(own)
    own.clear()
    together = walks(order, logits, by_kernel=by_kernel, told=told)
    assert dict(zip(order, together, strict=True)) == alone
    quick = {"choose_natively", "choose_by_kernel"}
    if "heat" in order and (by_kernel or told):  # by the same arithmetic, not only as good as
        assert quick & set(ways)
        assert quick & set(own)


def watched(monkeypatch: pytest.MonkeyPatch, name: str, calls: dict[str, list[str]]) -> None:
    function = getattr(verifying, name)

    def watch(*args: object) -> object:
        calls.setdefault(name, []).append(name)
        return function(*args)

    monkeypatch.setattr(verifying, name, watch)
