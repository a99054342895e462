"""The rejection rule: what comes out is distributed as the target says, whatever was drafted.

100,000 texts for each of 20 pairs of a target p and a drafter q, both Markov chains, generated at
once: chi-square of every position, bonus tokens included, and of every two tokens in a row. The
same statistics find each of the faults that such code is known for.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache

import pytest
import torch

from specchat.engine.drafting.draft_tree import ROOT, DraftTree
from specchat.engine.sampling import rejection
from specchat.engine.sampling.noise import gumbel_noise
from specchat.engine.sampling.rejection import Proposal, pick, residual, settle
from specchat.engine.sampling.uniforms import Stream, Uniforms, stream_seed
from specchat.engine.sampling.verify import drawn, follow

CPU = torch.device("cpu")
VOCAB = 5
TEXTS = 100_000
DEPTH = 3  # draft tokens in a row
LENGTH = DEPTH + 2  # tokens of a text: a whole draft, its bonus token, the start of the next
START = 0  # the token that every text continues
ALPHA = 1e-4
SEED = 11


@dataclass(frozen=True)
class Shape:
    """What a drafter offers at each position: tokens drawn without replacement, then chosen ones
    that depend on the draws."""

    drawn: int
    chosen: int


SHAPES = {
    "chain": Shape(1, 0),
    "chain of chosen tokens": Shape(0, 1),
    "tree": Shape(2, 1),
    "tree of chosen tokens": Shape(0, 3),
}


@dataclass(frozen=True)
class Pair:
    """Next-token probabilities `[vocab, vocab]` (float64), by the token before."""

    p: torch.Tensor
    q: torch.Tensor


def pairs() -> Iterator[Pair]:
    """20 pairs: alike, unlike, peaked, with zeros in either, equal, and almost equal."""
    generator = torch.Generator().manual_seed(SEED)

    def random(sharpness: float) -> torch.Tensor:
        noise = torch.randn(VOCAB, VOCAB, generator=generator, dtype=torch.float64)
        return (sharpness * noise).softmax(-1)

    def cut(matrix: torch.Tensor, keep: int) -> torch.Tensor:
        low = matrix < matrix.topk(keep, dim=-1).values[:, -1:]
        kept = matrix.masked_fill(low, 0.0)
        return kept / kept.sum(-1, keepdim=True)

    for sharpness in (0.3, 0.7, 1.0, 1.5):
        for other in (0.5, 1.0, 2.0):
            yield Pair(random(sharpness), random(other))
    p = random(1.0)
    yield Pair(p, p.clone())
    yield Pair(p, (p + 1e-12 * random(1.0)) / (p + 1e-12 * random(1.0)).sum(-1, keepdim=True))
    yield Pair(p, p.flip(-1))
    yield Pair(cut(random(1.0), 3), random(1.0))
    yield Pair(random(1.0), cut(random(1.0), 2))
    yield Pair(cut(random(1.0), 2), cut(random(1.0), 2))
    yield Pair(random(0.5), torch.eye(VOCAB, dtype=torch.float64).roll(1, 1))
    yield Pair(p.float().double(), (p.float() * (1 + 1e-7)).double())


PAIRS = list(pairs())


def proposals(shape: Shape, q: torch.Tensor, noise: torch.Tensor) -> list[Proposal]:
    """Candidates for contexts with draft distributions `q [n, vocab]`: the Gumbel top-k trick
    draws without replacement; chosen are the drafter's most probable tokens that are left."""
    if shape.drawn > 1:  # something to draw is left in any case
        q = (q + 1e-9) / (q + 1e-9).sum(-1, keepdim=True)
    order = (q.log() + noise).argsort(-1, descending=True) if shape.drawn else q
    left, found = q, []
    for rank in range(shape.drawn):
        token = order[:, rank]
        found.append(Proposal(token, left / left.sum(-1, keepdim=True)))
        left = left.scatter(-1, token[:, None], 0.0)
    ranked = left.argsort(-1, descending=True)
    return [*found, *(Proposal(ranked[:, rank], None) for rank in range(shape.chosen))]


def texts(pair: Pair, shape: Shape, count: int, seed: int = SEED) -> torch.Tensor:
    """`[count, LENGTH]` tokens, as an engine makes them: a step offers up to DEPTH tokens in a row
    and ends behind them, or where none of the candidates is the target's token. Each text has
    positions of its own, so that all share one seed."""
    uniforms, noise = Uniforms(seed), draft_noise(seed)
    out = torch.empty(count, LENGTH, dtype=torch.int64)
    before = torch.full((count,), START)
    depth = torch.zeros(count, dtype=torch.int64)  # in the draft
    for index in range(LENGTH):
        at = torch.arange(count) * LENGTH + index
        token = torch.empty(count, dtype=torch.int64)
        inside = torch.zeros(count, dtype=torch.bool)  # the token was a candidate
        for offering in (False, True):
            some = ((depth < DEPTH) == offering).nonzero()[:, 0]
            context, positions = before[some], at[some]
            offered = proposals(shape, pair.q[context], noise[positions]) if offering else []
            token[some] = settle(pair.p[context], offered, uniform_of(uniforms, positions))
            for proposal in offered:
                inside[some] |= token[some] == proposal.token
        out[:, index] = before = token
        depth = torch.where(inside, depth + 1, 0)
    return out


@cache
def draft_noise(seed: int) -> torch.Tensor:
    """What drafters draw with, `[positions, vocab]`."""
    rows = gumbel_noise(stream_seed(seed, Stream.DRAFT), 0, TEXTS * LENGTH, VOCAB, CPU)
    return rows.double()


def uniform_of(uniforms: Uniforms, positions: torch.Tensor) -> rejection.Uniform:
    return lambda stream, trial: uniforms.uniform_tensor(stream, positions, trial)


def faults(pair: Pair, shape: Shape, count: int = TEXTS) -> list[str]:
    """Statistics of generated texts that the target's distribution does not explain."""
    out = texts(pair, shape, count)
    found = []
    before = torch.nn.functional.one_hot(torch.tensor(START), VOCAB).double()
    for index in range(LENGTH):
        joint = before[:, None] * pair.p  # of this token and the one before
        before = joint.sum(0)
        if improbable(torch.bincount(out[:, index], minlength=VOCAB), before * count):
            found.append(f"token {index}")
        if index:
            both = torch.bincount(out[:, index - 1] * VOCAB + out[:, index], minlength=VOCAB**2)
            if improbable(both, joint.flatten() * count):
                found.append(f"tokens {index - 1} and {index}")
    return found


def improbable(observed: torch.Tensor, expected: torch.Tensor) -> bool:
    """Chi-square at ALPHA; cells that expect under five are taken together."""
    if observed[expected == 0].any():
        return True
    rare = expected < 5
    seen = torch.cat([observed[~rare].double(), observed[rare].sum()[None].double()])
    wanted = torch.cat([expected[~rare], expected[rare].sum()[None]])
    kept = wanted > 0
    degrees = int(kept.sum()) - 1
    if degrees < 1:
        return False
    statistic = ((seen - wanted)[kept] ** 2 / wanted[kept]).sum()
    halves = torch.tensor(degrees / 2, dtype=torch.float64)
    return bool(torch.special.gammaincc(halves, statistic / 2) < ALPHA)


@pytest.mark.parametrize("shape", SHAPES)
def test_texts_are_distributed_as_the_target_says(shape: str) -> None:
    found = {number: faults(pair, SHAPES[shape]) for number, pair in enumerate(PAIRS)}
    assert {number: named for number, named in found.items() if named} == {}


def resample_from_p(p: torch.Tensor, proposal: Proposal) -> torch.Tensor:
    return p


def absolute_difference(p: torch.Tensor, proposal: Proposal) -> torch.Tensor:
    point = torch.nn.functional.one_hot(proposal.token, VOCAB).double()
    left = (p - (point if proposal.q is None else proposal.q)).abs()
    return left / left.sum(-1, keepdim=True)


def too_easily(p: torch.Tensor, proposal: Proposal, uniform: torch.Tensor | float) -> torch.Tensor:
    return rejection_accepts(p, proposal, uniform / 1.03)


rejection_accepts, uniform_tensor = rejection.accepts, Uniforms.uniform_tensor


def same_number_again(
    self: Uniforms, stream: Stream, positions: torch.Tensor, trial: int = 0
) -> torch.Tensor:
    return uniform_tensor(self, Stream.ACCEPT, positions, 0)


PLANTED: dict[str, Callable[[pytest.MonkeyPatch], None]] = {
    "resample from p": lambda patch: patch.setattr(rejection, "residual", resample_from_p),
    "|p - q|": lambda patch: patch.setattr(rejection, "residual", absolute_difference),
    "a random number used twice": lambda patch: patch.setattr(
        Uniforms, "uniform_tensor", same_number_again
    ),
    "3 % too many accepted": lambda patch: patch.setattr(rejection, "accepts", too_easily),
}


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("fault", PLANTED)
def test_each_planted_fault_is_found(
    fault: str, shape: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    PLANTED[fault](monkeypatch)
    assert all(faults(PAIRS[number], SHAPES[shape]) for number in (4, 5))


def test_a_draft_that_was_chosen_must_not_be_taken_for_a_draw() -> None:
    """Why chosen candidates are point masses: with the drafter's q the texts come out wrong."""
    pair = PAIRS[7]
    contexts = torch.full((TEXTS,), START)
    q = pair.q[contexts]
    best = Proposal(q.argmax(-1), q)
    token = settle(pair.p[contexts], [best], uniform_of(Uniforms(SEED), torch.arange(TEXTS)))
    counts = torch.bincount(token, minlength=VOCAB)
    assert improbable(counts, pair.p[START] * TEXTS)


# One text after the other, with real trees


def step(pair: Pair, tree: DraftTree, before: int, uniforms: Uniforms, at: int) -> list[int]:
    """What a step on `tree` adds to a text that ends with `before`."""
    rows = torch.stack([pair.p[token] for token in (before, *tree.tokens)]).log()
    found = follow(tree, drawn(tree, rows, uniforms, at))
    return [*(tree.tokens[node] for node in found.nodes), found.token]


def grow(
    shape: Shape, pair: Pair, before: int, noise: torch.Tensor, depth: int = DEPTH
) -> DraftTree:
    """The tree of candidates that `texts` offers, every node continued; `noise [DEPTH, vocab]`."""
    tree = DraftTree()
    ends = [(ROOT, before)]
    for level in range(depth):
        grown = []
        for parent, token in ends:
            offered = proposals(shape, pair.q[token][None], noise[level][None])
            for proposal in offered:
                child = int(proposal.token)
                if proposal.q is None:
                    node = tree.add(child, parent, "x")
                else:
                    node = tree.draw(child, parent, "x", proposal.q[0])
                grown.append((node, child))
        ends = grown
    return tree


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("number", [4, 12, 15, 18])
def test_trees_give_the_same_texts_one_by_one(shape: str, number: int) -> None:
    pair, count = PAIRS[number], 40
    together, noise = texts(pair, SHAPES[shape], count), draft_noise(SEED)
    uniforms = Uniforms(SEED)
    for index in range(count):
        text: list[int] = []
        while len(text) < LENGTH:
            before, at = (text or [START])[-1], index * LENGTH + len(text)
            tree = grow(SHAPES[shape], pair, before, noise[at : at + DEPTH])
            text += step(pair, tree, before, uniforms, at)
        assert text[:LENGTH] == together[index].tolist()


def lawful(make: Callable[[int], DraftTree], pair: Pair, count: int = 2000) -> bool:
    """Whether the first token of steps on such trees, and the two first, follow the target."""
    uniforms = Uniforms(SEED)
    first, second = torch.zeros(VOCAB), torch.zeros(VOCAB**2)
    for index in range(count):
        at = index * LENGTH
        text = step(pair, make(at), START, uniforms, at)
        if len(text) == 1:
            text += step(pair, DraftTree(), text[0], uniforms, at + 1)
        first[text[0]] += 1
        second[text[0] * VOCAB + text[1]] += 1
    joint = (pair.p[START][:, None] * pair.p).flatten()
    return not (improbable(first, pair.p[START] * count) or improbable(second, joint * count))


SHARP = Pair(
    torch.tensor([[0.3, 0.3, 0.2, 0.1, 0.1]] * VOCAB, dtype=torch.float64),
    torch.tensor([[0.1, 0.2, 0.4, 0.2, 0.1]] * VOCAB, dtype=torch.float64),
)


@pytest.fixture
def noise() -> torch.Tensor:
    return draft_noise(SEED)


def test_a_tree_that_is_cut_is_lossless(noise: torch.Tensor) -> None:
    def make(at: int) -> DraftTree:
        return grow(Shape(2, 0), SHARP, START, noise[at : at + 2], depth=2).first(1)

    assert lawful(make, SHARP)


def test_draws_whose_nodes_found_no_room_still_count(noise: torch.Tensor) -> None:
    """Trees that lose all rows where the drawn token is a certain one, as pages may run short."""

    def make(at: int) -> DraftTree:
        tree = grow(Shape(1, 0), SHARP, START, noise[at : at + 1], depth=1)
        return tree.first(0) if tree.tokens[0] == 2 else tree

    assert lawful(make, SHARP)

    def forgetful(at: int) -> DraftTree:
        tree = make(at)
        return tree if len(tree) else DraftTree()

    assert not lawful(forgetful, SHARP)


def test_a_selection_by_tokens_is_lossless_because_it_forgets_the_draws(
    noise: torch.Tensor,
) -> None:
    def make(at: int) -> DraftTree:
        tree = grow(Shape(1, 0), SHARP, START, noise[at : at + 1], depth=1)
        return tree.select([0] if tree.tokens[0] in (0, 2) else [])

    assert lawful(make, SHARP)


# The pieces


def test_a_draft_from_the_target_itself_is_always_accepted() -> None:
    p = PAIRS[0].p[START]
    for at in range(200):
        token = int(pick(p[None], Uniforms(3).uniform(Stream.DRAFT, at)))
        tree = DraftTree()
        tree.draw(token, ROOT, "x", p)
        assert follow(tree, drawn(tree, p.log().expand(2, -1), Uniforms(3), at)).nodes == [0]


def test_where_rounding_leaves_nothing_of_p_there_is_no_division_by_zero() -> None:
    p = torch.tensor([[0.25, 0.75, 0.0]], dtype=torch.float64)
    assert torch.equal(residual(p, Proposal(torch.tensor([1]), p.clone())), p)
    certain = torch.tensor([[0.0, 1.0, 0.0]], dtype=torch.float64)
    assert torch.equal(residual(certain, Proposal(torch.tensor([1]), None)), certain)


@pytest.mark.parametrize("uniform", [1e-17, 0.25, 0.5, 1 - 2**-53, math.nextafter(1.0, 0.0)])
def test_a_token_of_probability_zero_is_never_picked(uniform: float) -> None:
    p = torch.tensor([[0.0, 0.25, 0.0, 0.75 / 3 * 3, 0.0, 0.0]], dtype=torch.float64)
    assert int(pick(p, uniform)) == (1 if uniform < 0.25 else 3)
    thirds = torch.full((1, 3), 1 / 3, dtype=torch.float64)
    assert 0 <= int(pick(thirds, uniform)) < 3
