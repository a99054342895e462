"""What a drafter's confidence is worth, learned while running."""

from __future__ import annotations

import pytest

from specchat.engine.drafting.draft_tree import ROOT, DraftTree
from specchat.engine.drafting.merging import Wish
from tests.engine.drafting.drafts import OTHER, SURE, chain, merger_of, offer, policy


class Drafters:
    """Offer trees for one request at a time, which is verified whatever it costs."""

    def __init__(self) -> None:
        self.policy = policy(0.0)
        self.policy.overhead.request_ms = 0.0
        self._merger = merger_of(self.policy)

    def hopes(self, greedy: bool = True, **trees: DraftTree) -> float:
        """Draft tokens expected to be accepted, of what these drafters say."""
        self._merger.begin([Wish(greedy, 63)], 0)
        for name, tree in trees.items():
            offer(self._merger, name, [tree])
        return self._merger.choose(0.0).tokens - 1

    def see(self, tokens: list[int], greedy: bool = True, **trees: DraftTree) -> None:
        """The target chooses these tokens where the drafters say that."""
        self.hopes(greedy, **trees)
        self._merger.learn([0], [tokens])

    def step(self, count: int = 1) -> None:
        for _ in range(count):
            self.policy.calibration.begin_step()


@pytest.fixture
def drafters() -> Drafters:
    return Drafters()


def test_a_drafter_that_boasts_is_believed_less_and_less(drafters: Drafters) -> None:
    before = drafters.hopes(x=chain(1, SURE))
    assert before == pytest.approx(SURE)
    for _ in range(50):
        drafters.see([OTHER], x=chain(1, SURE))
    assert drafters.hopes(x=chain(1, SURE)) < 0.2
    assert drafters.hopes(x=chain(1, SURE), greedy=False) == pytest.approx(before)
    assert drafters.hopes(y=chain(1, SURE)) == pytest.approx(before)


def test_nodes_behind_a_wrong_one_are_not_held_against_the_drafter(drafters: Drafters) -> None:
    tree = DraftTree.chain([1, 2], "x", [0.2, SURE])
    for _ in range(50):
        drafters.see([OTHER, 2], x=tree)
    assert drafters.hopes(x=chain(1, SURE)) > 0.9


def one(token: int, confidence: float = 0.5) -> DraftTree:
    return DraftTree.chain([token], "x", [confidence])


def test_a_token_that_two_drafters_propose_is_told_from_one_that_is_contradicted(
    drafters: Drafters,
) -> None:
    for n in range(300):
        drafters.step()
        drafters.see([1], x=one(1), y=one(1))  # right whenever they agree
        drafters.see([1] if n % 2 else [OTHER], x=one(1), y=one(2))  # else x is by half
    assert drafters.hopes(x=one(1), y=one(1)) > 0.9
    assert drafters.hopes(x=one(1), y=one(2)) == pytest.approx(0.5, abs=0.15)
    # Each alone is learned from the same steps.
    assert drafters.hopes(x=one(1)) == pytest.approx(0.75, abs=0.15)
    assert drafters.hopes(y=one(1)) == pytest.approx(0.5, abs=0.15)


def test_nodes_that_were_not_verified_are_learned_from_too(drafters: Drafters) -> None:
    for _ in range(100):
        drafters.step()
        drafters.see([10, 11, 12], x=chain(3, 0.5))
    assert drafters.hopes(x=chain(1, 0.5)) > 0.95
    for _ in range(100):
        drafters.step()
        drafters.see([10], x=chain(3, 0.5))  # nobody knows of the second
    assert drafters.hopes(x=chain(1, 0.5)) > 0.95


def test_what_is_not_tried_any_more_is_forgotten_little_by_little(drafters: Drafters) -> None:
    before = drafters.hopes(x=chain(1, SURE))
    for _ in range(50):
        drafters.step()
        drafters.see([OTHER], x=chain(1, SURE))
    wrong = drafters.hopes(x=chain(1, SURE))
    drafters.step(200)
    assert wrong < 0.1 < drafters.hopes(x=chain(1, SURE)) < before


def test_high_confidence_is_told_apart_finely(drafters: Drafters) -> None:
    for n in range(400):
        drafters.see([10], x=chain(1, 0.997))
        drafters.see([10] if n % 10 else [OTHER], x=chain(1, 0.94))
    assert drafters.hopes(x=chain(1, 0.997)) > 0.99
    assert drafters.hopes(x=chain(1, 0.94)) == pytest.approx(0.9, abs=0.03)


def test_candidates_that_exclude_each_other_are_each_believed_less(drafters: Drafters) -> None:
    tree = DraftTree()
    tree.add(5, ROOT, "x", SURE)
    tree.add(6, ROOT, "x", SURE)
    assert drafters.hopes(x=tree) == pytest.approx(1.0)


def test_a_token_of_which_another_drafter_knows_nothing_is_told_from_one_by_itself(
    drafters: Drafters,
) -> None:
    """That somebody who was asked is silent says something: here that the token is wrong."""
    for _ in range(100):
        drafters.step()
        for _ in range(3):
            drafters.see([10], x=chain(1, 0.5))
        drafters.see([OTHER], x=chain(1, 0.5), y=DraftTree())
    assert drafters.hopes(x=chain(1, 0.5)) > 0.5
    assert drafters.hopes(x=chain(1, 0.5), y=DraftTree()) < 0.1
