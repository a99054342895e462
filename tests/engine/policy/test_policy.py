"""The policy's choice among what is drafted, and what it takes a step to cost."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from specchat.engine.drafting.draft_tree import DraftTree
from specchat.engine.policy.cost_model import Overhead, StepCost
from tests.engine.drafting.drafts import SURE, UNSURE, chain, chosen, policy
from tests.engine.drafting.test_draft_tree import paths, trees


def test_sure_drafts_that_cost_nothing_are_all_verified() -> None:
    assert paths(chosen(policy(0.0), chain(4, SURE))[0]) == paths(chain(4, SURE))


def test_drafts_that_cost_more_than_they_bring_are_not_verified() -> None:
    assert chosen(policy(10.0), chain(4, SURE)) == [DraftTree()]


def test_unsure_drafts_are_left_out_where_sure_ones_are_kept() -> None:
    kept = chosen(policy(0.5), chain(4, SURE), chain(4, UNSURE))
    assert [len(tree) for tree in kept] == [4, 0]


def test_no_request_gets_more_nodes_than_allowed() -> None:
    kept = chosen(policy(0.0, max_nodes=5), chain(20, SURE), chain(20, SURE))
    assert [len(tree) for tree in kept] == [5, 5]


@settings(max_examples=100, deadline=None)
@given(st.lists(trees(), min_size=1, max_size=4), st.floats(0, 2), st.integers(0, 9))
def test_what_is_chosen_is_a_part_of_each_tree(
    proposed: list[DraftTree], row_ms: float, max_nodes: int
) -> None:
    kept = chosen(policy(row_ms, max_nodes=max_nodes), *proposed)
    for mine, whole in zip(kept, proposed, strict=True):
        assert set(paths(mine)) <= set(paths(whole))
        assert len(mine) <= max_nodes


def test_drafts_do_not_take_the_place_of_prompts_where_rows_are_dear() -> None:
    one, tree = policy(0.9), chain(8, 0.8)
    (alone,) = chosen(one, tree)
    (beside_prompts,) = chosen(one, tree, prompt_rows=60)
    assert len(alone) > 0
    assert len(beside_prompts) < len(alone)


def test_a_step_that_once_took_long_is_tried_again() -> None:
    cost = StepCost(lambda rows: ("native", rows), lambda backend, rows: 1.0 + 0.1 * rows)
    for _ in range(30):
        cost.observe(4, 1.4)
    cost.observe(8, 50.0)  # the process was stopped for a moment
    assert cost.step_ms(8) < 2 * 1.8
    slow = cost.step_ms(8)
    for _ in range(2000):
        cost.observe(4, 1.4)
    assert cost.step_ms(8) < slow
    assert cost.step_ms(8) == pytest.approx(1.8, rel=0.1)


def test_a_machine_that_slows_down_is_noticed_at_all_sizes() -> None:
    cost = StepCost(lambda rows: ("native", rows), lambda backend, rows: 1.0 + 0.1 * rows)
    for _ in range(300):
        for rows in (1, 5):
            cost.observe(rows, 2 * (1.0 + 0.1 * rows))
    assert cost.step_ms(5) == pytest.approx(3.0, rel=0.1)
    assert cost.step_ms(12) == pytest.approx(4.4, rel=0.2)


def test_a_policy_goes_on_learning_what_steps_cost() -> None:
    mine = policy(0.1)
    for ms in (1.0, 3.0):
        for _ in range(600):
            mine.observe(2, 6, 8, ms, ms / 5)
        assert mine.cost.step_ms(8) == pytest.approx(ms, rel=0.1)
        assert mine.overhead.ms(2, 6) == pytest.approx(ms / 5, rel=0.2)


def test_costs_are_kept_apart_for_each_backend() -> None:
    backend = "eager"
    cost = StepCost(lambda rows: (backend, rows), lambda backend, rows: None)
    for _ in range(200):
        cost.observe(1, 30.0)
    backend = "native"
    assert cost.step_ms(1) < 10


def test_overhead_is_so_much_a_request_and_a_part_of_it_a_node() -> None:
    overhead = Overhead()
    for n in range(400):
        requests, nodes = 1 + n % 8, n % 37
        overhead.observe(requests, nodes, 0.05 * requests + 0.0025 * nodes)
    assert overhead.ms(4, 10) == pytest.approx(0.225, rel=0.05)
    overhead.observe(4, 10, 1000.0)  # somebody else's doing
    assert overhead.ms(4, 10) < 0.25
