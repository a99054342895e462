"""What is verified: the policy's choice, and drafters that are asked, paused and tried again."""

from __future__ import annotations

import math
from array import array
from collections import Counter
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from specchat.engine.aux_states import AuxTape
from specchat.engine.calibration import Calibration
from specchat.engine.choosing import choose_in_python, choose_nodes
from specchat.engine.draft import ROOT, DraftContext, DraftTree, merge
from specchat.engine.drafting import Drafting
from specchat.engine.native import load_library
from specchat.engine.payoff import AskCost, Lead, Payoff, Payoffs, Trust, Worth
from specchat.engine.policy import Policy
from specchat.engine.request import Request, SamplingParams
from specchat.engine.sequence import Counters
from specchat.engine.step_cost import Overhead, StepCost

from .running import Oracle
from .test_draft import paths, trees

MODEL_MS = 5.0
VOCAB = 300


def policy(row_ms: float, *, max_nodes: int = 63) -> Policy:
    """A policy on a machine where a step takes 5 ms and each further row `row_ms`."""
    cost = StepCost(
        lambda rows: ("eager", rows), lambda backend, rows: MODEL_MS + row_ms * (rows - 1)
    )
    return Policy(cost, max_nodes)


def chosen(policy: Policy, *trees: DraftTree, draft_ms: float = 0.0) -> list[DraftTree]:
    return policy.choose(trees, [True] * len(trees), 0, draft_ms).trees


SURE, UNSURE = 0.99, 0.01
OTHER = 299  # a token that nobody drafts


def chain(length: int, confidence: float) -> DraftTree:
    return DraftTree.chain(list(range(10, 10 + length)), "x", [confidence] * length)


def test_sure_drafts_that_cost_nothing_are_all_verified() -> None:
    assert chosen(policy(0.0), chain(4, SURE)) == [chain(4, SURE)]


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


@settings(max_examples=100, deadline=None)
@given(
    st.lists(st.lists(trees(), max_size=3).map(merge) | trees(), min_size=1, max_size=4),
    st.floats(0, 2),
    st.integers(0, 9),
    st.floats(-2, 2),
)
def test_the_native_choice_is_that_of_python(
    proposed: list[DraftTree], row_ms: float, most: int, bias: float
) -> None:
    load_library()
    calibration = Calibration()
    calibration.observe(DraftTree.chain([1], "x", [0.7]), [1], greedy=True)
    claims = [calibration.claims(tree, greedy=True) for tree in proposed]
    claims = [c if math.isnan(c.slope) else c._replace(bias=bias) for c in claims]
    times = array("d", [MODEL_MS + row_ms * n for n in range(1 + sum(map(len, proposed)))])
    given_ = (proposed, claims, most, times, 0.01, float(len(proposed)), MODEL_MS)
    natively, expected = choose_nodes(*given_), choose_in_python(*given_)
    assert natively.nodes == expected.nodes
    assert natively.tokens == pytest.approx(expected.tokens)
    assert natively.ms == pytest.approx(expected.ms)


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


def test_a_request_that_loses_pauses_longer_each_time_and_is_tried_again() -> None:
    payoff = Payoff()
    pauses = []
    for _ in range(6):
        while payoff.allow():
            payoff.observe(-1.0)
        pauses.append(1)
        while not payoff.allow():
            pauses[-1] += 1
        payoff.observe(-1.0)
    assert pauses == sorted(pauses)
    assert pauses[-1] <= Payoff.LONGEST


def test_a_speculator_that_helps_now_and_then_is_asked_as_long_as_it_pays_on_average() -> None:
    pays, loses = Worth(), Worth()
    for n in range(200):
        pays.observe(1.5 if n % 3 == 0 else 0.9)
        loses.observe(1.1 if n % 3 == 0 else 0.9)
    assert pays.ratio > 1.0
    assert pays.pause == 0
    assert not loses.allow()


def test_what_asking_costs_is_an_average_that_outliers_hardly_move() -> None:
    cost = AskCost()
    for ms in (40.0, 1.0, 1.0, 3.0, 1.0, *[1.0, 2.0] * 50):
        cost.observe(ms)
    assert cost.ms == pytest.approx(1.5, abs=0.1)
    cost.observe(500.0)
    assert cost.ms < 2.0


def test_expectations_are_trusted_as_far_as_they_came_true() -> None:
    trust = Trust()
    assert trust.ratio == 1.0
    for _ in range(400):
        trust.observe(3.0, 4.0)
    assert trust.ratio == pytest.approx(0.75, abs=0.02)
    for _ in range(1000):
        trust.observe(4.0, 4.0)
    assert trust.ratio == pytest.approx(1.0, abs=0.02)


def test_a_rate_counts_the_part_of_the_draft_tokens_that_is_trusted() -> None:
    choice = policy(0.1).choose([chain(4, SURE), DraftTree()], [True, True], 3, 0.0)
    assert choice.believed(1.0) == choice.rate
    assert choice.believed(0.0) == pytest.approx((2 + 3) / choice.ms)


def test_the_speculator_that_promises_most_leads_and_the_others_have_a_try() -> None:
    lead = Lead()
    rates = {"slow": 1.0, "fast": 2.0, "none": 0.5}
    led: Counter[str] = Counter()
    for _ in range(480):
        name = lead.choose(list(rates))
        led[name] += 1
        lead.observe(name, rates[name])
    assert led["fast"] > 460
    assert min(led.values()) >= Lead.FIRST
    rates["slow"] = 3.0
    for _ in range(20 * Lead.LONGEST):
        name = lead.choose(list(rates))
        lead.observe(name, rates[name])
    assert max(lead.rates, key=lambda name: lead.rates[name]) == "slow"


def test_one_that_cannot_be_asked_does_not_keep_the_others_from_leading() -> None:
    lead = Lead()
    for _ in range(60):
        name = lead.choose(["refused", "asked", "better"])
        if name != "refused":
            lead.observe(name, 1.0 + (name == "better"))
    assert lead.choose(["refused", "asked", "better"]) == "better"


def pauses(losing: float, others_ms: float) -> int:
    """Of a request whose steps save 3 ms or lose so many, by turns, beside others like it."""
    payoff, count = Payoff(), 0
    for n in range(400):
        if payoff.allow():
            payoff.observe(3.0 if n % 7 == 0 else -losing, others_ms)
        else:
            count += 1
    return count


def test_a_request_is_less_easily_given_up_where_drafting_pays_for_others() -> None:
    assert pauses(losing=0.6, others_ms=0.0) > pauses(losing=0.6, others_ms=0.8) == 0
    assert pauses(losing=3.0, others_ms=0.8) > 200
    assert pauses(losing=0.3, others_ms=-2.0) == pauses(losing=0.3, others_ms=0.0)


class Script(Oracle):
    """Drafts the truth or a lie, as told, and counts how often it was asked."""

    def __init__(self) -> None:
        super().__init__({})
        self.right = False
        self.asked: list[list[str]] = []

    def propose(self, batch: Any) -> list[DraftTree]:
        self.asked.append([context.request_id for context in batch])
        return [chain(4, SURE) for _ in batch]

    def accepted(self, tree: DraftTree) -> list[int]:
        return list(range(len(tree))) if self.right else []


class Running:
    """What `Drafting` reads of a request in flight."""

    def __init__(self, request_id: str) -> None:
        self.request = Request((1, 2), SamplingParams(max_tokens=1000), request_id=request_id)
        self.tokens = [1, 2]
        self.prompt_length = 2
        self.remaining = 900
        self.aux = AuxTape()
        self.counters = Counters()
        self.noise = self.draw_noise = self.hidden = None


def steps(drafting: Drafting, script: Script, running: list[Any], count: int) -> int:
    """Run steps in which the script's drafts are right or wrong; nodes accepted in all."""
    total = 0
    for _ in range(count):
        drafts = drafting.propose(running, 0)
        accepted = [script.accepted(tree) for tree in drafts.trees]
        tokens = [
            [*[tree.tokens[node] for node in nodes], OTHER]
            for tree, nodes in zip(drafts.trees, accepted, strict=True)
        ]
        drafting.learn(running, drafts, accepted, tokens)
        total += sum(map(len, accepted))
    return total


@pytest.fixture
def one() -> Any:
    return Running("one")


@pytest.fixture
def two() -> Any:
    return Running("two")


def tried(payoffs: Payoffs, request_id: str, requests: int, steps: int) -> int:
    """Steps in which a request drafts that loses whenever it does."""
    count = 0
    for _ in range(steps):
        if payoffs.of(request_id, requests).allow():
            payoffs.observe(request_id, requests, -1.0)
            count += 1
    return count


def test_a_new_request_is_tried_less_where_drafting_has_lost_lately() -> None:
    payoffs = Payoffs()
    first = tried(payoffs, "first", 16, 100)
    assert tried(payoffs, "next", 16, 100) <= first // 2
    assert [tried(payoffs, f"then {i}", 16, 20) for i in range(4)] == [0, 0, 0, 2]  # a scout
    assert tried(payoffs, "alone", 1, 100) == first  # with fewer beside it nothing was lost
    for _ in range(200):
        payoffs.observe("next", 16, 1.0)  # by now it pays
    assert tried(payoffs, "later", 16, 100) == first


def test_a_drafter_that_loses_is_hardly_asked_any_more(one: Any) -> None:
    script = Script()
    drafting = Drafting([script], policy(0.5), VOCAB)
    steps(drafting, script, [one], 50)
    before = len(script.asked)
    steps(drafting, script, [one], 300)
    assert len(script.asked) - before < 150


def test_a_drafter_that_becomes_right_is_tried_again_within_a_few_hundred_tokens(one: Any) -> None:
    script = Script()
    drafting = Drafting([script], policy(0.2), VOCAB)
    steps(drafting, script, [one], 200)
    script.right = True
    steps(drafting, script, [one], 400)
    assert steps(drafting, script, [one], 50) > 100


class Echo(Script):
    """Drafts the same."""

    name = "echo"

    def propose(self, batch: Any) -> list[DraftTree]:
        self.asked.append([context.request_id for context in batch])
        return [DraftTree.chain([10, 11, 12, 13], self.name, [SURE] * 4) for _ in batch]


def test_drafters_that_say_the_same_are_not_both_asked(one: Any) -> None:
    script, echo = Script(), Echo()
    script.right = True
    drafting = Drafting([script, echo], policy(0.1), VOCAB)
    steps(drafting, script, [one], 600)
    before = len(script.asked) + len(echo.asked)
    steps(drafting, script, [one], 200)
    assert len(script.asked) + len(echo.asked) - before < 300


def test_a_request_in_a_pause_is_tried_again_while_another_one_drafts(one: Any, two: Any) -> None:
    """Steps in which a paused request was not asked are no evidence against it."""
    script = Script()
    drafting = Drafting([script], policy(0.05), VOCAB)
    for _ in range(4):  # only the first request loses
        drafts = drafting.propose([one, two], 0)
        right = drafts.trees[1].tokens
        tokens = [[OTHER], [*right, OTHER]]
        drafting.learn([one, two], drafts, [[], list(range(len(right)))], tokens)
    del script.asked[:]
    script.right = True
    steps(drafting, script, [one, two], 40)
    assert sum("one" in ids for ids in script.asked) > 20


def test_a_context_shows_the_request_and_how_much_may_follow(one: Any) -> None:
    seen: list[DraftContext] = []

    class Looking(Script):
        def propose(self, batch: Any) -> list[DraftTree]:
            seen.extend(batch)
            return super().propose(batch)

    one.remaining = 3
    drafts = Drafting([Looking()], policy(0.0), VOCAB).propose([one], 0)
    assert (seen[0].request_id, seen[0].prompt_length, seen[0].max_depth) == ("one", 2, 2)
    assert len(drafts.trees[0]) <= 2


def test_the_last_token_of_an_answer_is_not_drafted_for(one: Any) -> None:
    script = Script()
    one.remaining = 1
    Drafting([script], policy(0.0), VOCAB).propose([one], 0)
    assert script.asked == []


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


def test_costs_are_kept_apart_for_each_backend() -> None:
    backend = "eager"
    cost = StepCost(lambda rows: (backend, rows), lambda backend, rows: None)
    for _ in range(200):
        cost.observe(1, 30.0)
    backend = "native"
    assert cost.step_ms(1) < 10


def test_high_confidence_is_told_apart_finely() -> None:
    calibration = Calibration()
    for n in range(400):
        calibration.observe(chain(1, 0.997), [10], greedy=True)
        calibration.observe(chain(1, 0.94), [10] if n % 10 else [OTHER], greedy=True)
    assert calibration.chance((("x", 0.997),), greedy=True) > 0.99
    assert calibration.chance((("x", 0.94),), greedy=True) == pytest.approx(0.9, abs=0.03)


class DrawsTokens(Script):
    """Draws two tokens for each of four places; `shift` makes them other ones."""

    name = "draws"
    shift = 0

    def propose(self, batch: Any) -> list[DraftTree]:
        self.asked.append([context.request_id for context in batch])
        trees = []
        for _ in batch:
            tree, parent, q = DraftTree(), ROOT, torch.full((VOCAB,), 1 / VOCAB)
            for place in range(4):
                token = 10 + self.shift + 2 * place
                below, parent = parent, tree.draw(token, parent, self.name, q)
                tree.draw(token + 1, below, self.name, q)
            trees.append(tree)
        return trees


class Knows(Script):
    """Has one token to offer that the other one may draw too."""

    name = "knows"

    def propose(self, batch: Any) -> list[DraftTree]:
        return [DraftTree.chain([10, 50], self.name, [SURE, UNSURE]) for _ in batch]


@pytest.mark.parametrize("row_ms", [0.0, 0.3, 0.6, 1.0, 2.0, 10.0])
def test_how_much_of_a_drawn_tree_is_kept_does_not_depend_on_its_tokens(
    one: Any, row_ms: float
) -> None:
    kept = []
    for shift in (0, 1, 30):
        script = DrawsTokens()
        script.shift = shift
        tree = Drafting([script], policy(row_ms), VOCAB).propose([one], 0).trees[0]
        kept.append((len(tree), tree.parents))
        assert {draw.parent for draw in tree.draws} >= {ROOT, *tree.parents}
    assert kept[0] == kept[1] == kept[2]
    assert (kept[0][0] == 8) == (row_ms == 0.0)
    assert (kept[0][0] == 0) == (row_ms >= 10.0)


def test_draws_and_chosen_drafts_are_verified_in_one_tree(one: Any) -> None:
    drafting = Drafting([Knows(), DrawsTokens()], policy(0.3), VOCAB)
    tree = drafting.propose([one], 0).trees[0]
    assert tree.tokens[0] == 10  # both offer it
    assert 50 not in tree.tokens  # does not pay
    assert [draw.token for draw in tree.draws][:2] == [10, 11]


def test_no_more_draws_are_kept_than_allowed(one: Any) -> None:
    tree = Drafting([DrawsTokens()], policy(0.0, max_nodes=3), VOCAB).propose([one], 0).trees[0]
    assert len(tree) == 3


def test_overhead_is_told_apart_by_requests_and_nodes() -> None:
    overhead = Overhead()
    for n in range(400):
        requests, nodes = 1 + n % 8, n % 37
        overhead.observe(requests, nodes, 0.05 * requests + 0.02 * nodes)
    assert overhead.request_ms == pytest.approx(0.05, rel=0.2)
    assert overhead.node_ms == pytest.approx(0.02, rel=0.2)
    assert overhead.ms(4, 10) == pytest.approx(0.4, rel=0.1)


def test_overhead_stays_sensible_where_every_step_is_alike() -> None:
    overhead = Overhead()
    for _ in range(1000):
        overhead.observe(1, 0, 0.3)
    assert overhead.ms(1) == pytest.approx(0.3, rel=0.05)
    for _ in range(1000):
        overhead.observe(2, 10, 0.5)
    assert overhead.ms(2, 10) == pytest.approx(0.5, rel=0.05)
    assert overhead.request_ms > 0
    assert overhead.node_ms >= 0


def test_drafts_do_not_take_the_place_of_prompts_where_rows_are_dear() -> None:
    one = policy(0.9)
    tree = chain(8, 0.8)
    alone = one.choose([tree], [True], 0, 0.0).trees[0]
    beside_prompts = one.choose([tree], [True], 60, 0.0).trees[0]
    assert len(alone) > 0
    assert len(beside_prompts) < len(alone)


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
