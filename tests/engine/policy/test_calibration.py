"""What a drafter's confidence is worth, learned while running."""

from __future__ import annotations

import pytest

from specchat.engine.drafting.draft_tree import ROOT, SILENT, DraftTree, merge
from specchat.engine.policy.calibration import Calibration
from tests.engine.drafting.drafts import OTHER, SURE, chain


def test_a_drafter_that_boasts_is_believed_less_and_less() -> None:
    calibration = Calibration()
    before = calibration.chance((("x", SURE),), greedy=True)
    for _ in range(50):
        calibration.observe(chain(1, SURE), [OTHER], greedy=True)
    assert calibration.chance((("x", SURE),), greedy=True) < 0.2 < before
    assert calibration.chance((("x", SURE),), greedy=False) == before
    assert calibration.chance((("other", SURE),), greedy=True) == before


def test_nodes_behind_a_wrong_one_are_not_held_against_the_drafter() -> None:
    calibration = Calibration()
    tree = DraftTree.chain([1], "x", [0.2])
    tree.add(2, 0, "y", SURE)
    before = calibration.chance((("y", SURE),), greedy=True)
    calibration.observe(tree, [OTHER, 2], greedy=True)
    assert calibration.chance((("y", SURE),), greedy=True) == before


def agreeing(first: list[int], second: list[int]) -> DraftTree:
    return merge([DraftTree.chain([t], n, [0.5]) for n, t in (("x", first[0]), ("y", second[0]))])


def test_a_token_that_two_drafters_propose_is_told_from_one_that_is_contradicted() -> None:
    calibration, apart = Calibration(), Calibration()
    for n in range(300):
        calibration.begin_step()
        apart.observe(chain(1, 0.5), [10] if n % 4 else [OTHER], greedy=True)
        calibration.observe(agreeing([1], [1]), [1], greedy=True)  # right whenever they agree
        calibration.observe(agreeing([1], [2]), [1] if n % 2 else [OTHER], greedy=True)
    assert calibration.path_chances(agreeing([1], [1]), greedy=True)[0] > 0.9
    x, y = calibration.path_chances(agreeing([1], [2]), greedy=True)
    assert x == pytest.approx(0.5, abs=0.15)
    assert y < 0.1
    # Each alone is right in as many cases as there are of both kinds.
    for calibrated in (calibration, apart):
        (alone,) = calibrated.path_chances(chain(1, 0.5), greedy=True)
        assert alone == pytest.approx(0.75, abs=0.15)


def test_nodes_that_were_not_verified_are_learned_from_too() -> None:
    calibration, said = Calibration(), (("x", 0.5),)
    for _ in range(100):
        calibration.begin_step()
        calibration.observe(chain(3, 0.5), [10, 11, 12], greedy=True)
    assert calibration.chance(said, greedy=True) > 0.95
    for _ in range(100):
        calibration.begin_step()
        calibration.observe(chain(3, 0.5), [10], greedy=True)  # nobody knows of the second
    assert calibration.chance(said, greedy=True) > 0.95


def test_what_is_not_tried_any_more_is_forgotten_little_by_little() -> None:
    calibration, said = Calibration(), (("x", SURE),)
    before = calibration.chance(said, greedy=True)
    for _ in range(50):
        calibration.begin_step()
        calibration.observe(chain(1, SURE), [OTHER], greedy=True)
    wrong = calibration.chance(said, greedy=True)
    for _ in range(200):
        calibration.begin_step()
    later = calibration.chance(said, greedy=True)
    assert wrong < 0.1 < later < before


def test_high_confidence_is_told_apart_finely() -> None:
    calibration = Calibration()
    for n in range(400):
        calibration.observe(chain(1, 0.997), [10], greedy=True)
        calibration.observe(chain(1, 0.94), [10] if n % 10 else [OTHER], greedy=True)
    assert calibration.chance((("x", 0.997),), greedy=True) > 0.99
    assert calibration.chance((("x", 0.94),), greedy=True) == pytest.approx(0.9, abs=0.03)


def test_drafters_that_disagree_are_each_believed_less() -> None:
    calibration = Calibration()
    tree = DraftTree()
    tree.add(5, ROOT, "x", SURE)
    alone = calibration.path_chances(tree, greedy=True)
    tree.add(6, ROOT, "y", SURE)
    tree.add(7, 0, "x", SURE)
    both = calibration.path_chances(tree, greedy=True)
    assert alone[0] > 0.9
    assert both[0] == both[1] == pytest.approx(0.5)
    assert both[2] < both[0]


def test_a_token_of_which_another_drafter_knows_nothing_is_told_from_one_by_itself() -> None:
    """That somebody who was asked is silent says something: here that the token is wrong."""
    calibration = Calibration()
    alone, beside = chain(1, 0.5), merge([chain(1, 0.5)], asked=("x", "y"))
    assert beside.opinions == [(("x", 0.5), ("y", SILENT))]
    for _ in range(100):
        calibration.begin_step()
        for _ in range(3):
            calibration.observe(alone, [10], greedy=True)
        calibration.observe(beside, [OTHER], greedy=True)
    assert calibration.path_chances(alone, greedy=True)[0] > 0.5
    assert calibration.path_chances(beside, greedy=True)[0] < 0.1
