"""Drafters that are asked, paused and tried again."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, cast

import pytest

from specchat.engine.drafting import propose as drafting_module
from specchat.engine.drafting.aux_states import AuxTape
from specchat.engine.drafting.draft_tree import DraftTree
from specchat.engine.drafting.propose import Drafting, Drafts
from specchat.engine.drafting.speculator import DraftContext
from specchat.engine.job import Job
from specchat.engine.model.batch import Rows
from specchat.engine.native.library import load_library
from specchat.engine.policy.asking import Round
from specchat.engine.request import Request, SamplingParams
from specchat.engine.sequence import Counters
from tests.engine.drafting.drafts import OTHER, SURE, VOCAB, chain, policy
from tests.engine.running import Engines, Oracle, Scripted, ask


@pytest.fixture(params=["merged", "unmerged"], autouse=True)
def merger(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every test runs with both."""
    load_library()
    if request.param == "unmerged":
        monkeypatch.setattr(drafting_module, "loaded_library", lambda: None)


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

    def behind(self, accepted: list[int]) -> int:
        """The target's own token, which the script drafts too where it is right."""
        return [*chain(4, SURE).tokens, OTHER][len(accepted)] if self.right else OTHER


class Running:
    """What `Drafting` reads of a request in flight."""

    def __init__(self, request_id: str) -> None:
        self.request = Request((1, 2), SamplingParams(max_tokens=1000), request_id=request_id)
        self.tokens = [1, 2]
        self.prompt_length = 2
        self.remaining = 900
        self.aux = AuxTape()
        self.counters = Counters()
        self.noise = self.hidden = None


def steps(drafting: Drafting, script: Script, running: list[Any], count: int) -> int:
    """Run steps in which the script's drafts are right or wrong; nodes accepted in all."""
    total = 0
    for _ in range(count):
        drafts = drafting.propose(running, 0)
        accepted = [script.accepted(tree) for tree in drafts.trees]
        drafting.learn(outcomes(running, drafts, accepted, [script.behind(a) for a in accepted]))
        total += sum(map(len, accepted))
    return total


def outcomes(
    running: list[Any], drafts: Drafts, accepted: list[list[int]], own: list[int]
) -> list[Job]:
    """A step's jobs, of which these nodes were accepted, and the target's own tokens behind."""
    jobs = []
    for place, (sequence, tree) in enumerate(zip(running, drafts.trees, strict=True)):
        nodes = accepted[place]
        job = Job(sequence, place, tree, Rows(cast(Any, None), (), (), None, ()), 1 + len(tree))
        job.accepted, job.tokens = nodes, [*[tree.tokens[node] for node in nodes], own[place]]
        jobs.append(job)
    return jobs


@pytest.fixture
def one() -> Any:
    return Running("one")


def test_a_drafter_that_loses_is_hardly_asked_any_more(
    one: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Round, "CHEAP", 0.0)
    script = Script()
    drafting = Drafting([script], policy(0.5), VOCAB)
    steps(drafting, script, [one], 50)
    before = len(script.asked)
    steps(drafting, script, [one], 300)
    assert len(script.asked) - before < 150


def test_what_a_drafter_boasts_of_is_not_verified_any_more(one: Any) -> None:
    """Asking it costs nothing, so it is asked all the same."""
    script = Script()
    drafting = Drafting([script], policy(0.5), VOCAB)
    steps(drafting, script, [one], 50)
    verified = 0
    for _ in range(300):
        drafts = drafting.propose([one], 0)
        drafting.learn(outcomes([one], drafts, [[]], [OTHER]))
        verified += len(drafts.trees[0])
    assert verified < 30


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


def test_drafters_that_say_the_same_are_not_both_asked(
    one: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Round, "CHEAP", 0.0)
    script, echo = Script(), Echo()
    script.right = True
    drafting = Drafting([script, echo], policy(0.1), VOCAB)
    steps(drafting, script, [one], 600)
    before = len(script.asked) + len(echo.asked)
    steps(drafting, script, [one], 200)
    assert len(script.asked) + len(echo.asked) - before < 300


def test_one_whose_asking_takes_no_time_is_asked_whatever_it_says(
    one: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Round, "CHEAP", 100.0)
    script, nothing = Script(), Echo()
    monkeypatch.setattr(nothing, "propose", lambda batch: nothing.asked.append([]) or [DraftTree()])
    script.right = True
    drafting = Drafting([script, nothing], policy(0.1), VOCAB)
    steps(drafting, script, [one], 100)
    assert (len(script.asked), len(nothing.asked)) == (100, 100)


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


def several(count: int) -> list[Script]:
    many: list[Script] = [Echo() for _ in range(count)]
    for place, script in enumerate(many):
        script.name = f"script {place}"
    return many


def test_more_speculators_than_can_be_told_apart_are_refused() -> None:
    with pytest.raises(ValueError, match="at most 16 speculators can draft, got \\['script 0'"):
        Drafting(several(17), policy(0.1), VOCAB)


def test_of_many_speculators_no_more_are_asked_than_can_be_weighed(one: Any) -> None:
    many = several(16)
    params = replace(one.request.params, adaptive=False)
    one.request = replace(one.request, params=params)
    drafts = Drafting(many, policy(0.0), VOCAB).propose([one], 0)
    assert sum(len(script.asked) for script in many) == 6
    assert len(drafts.trees[0]) == 4


class Ahead(Scripted):
    """Keeps how much noise it is shown."""

    def __init__(self, count: int) -> None:
        super().__init__({})
        self.name, self.noise_ahead = f"ahead{count}", count
        self.shown: list[int | None] = []

    def draft(self, tokens: tuple[int, ...], truth: tuple[int, ...]) -> DraftTree:
        return DraftTree()

    def propose(self, batch: Sequence[DraftContext]) -> list[DraftTree]:
        self.shown += [None if c.gumbel is None else len(c.gumbel) for c in batch]
        return super().propose(batch)


def test_a_drafter_is_shown_as_much_noise_as_it_reads(engines: Engines) -> None:
    drafters = [Ahead(count) for count in (0, 3, 11)]
    engine = engines(*drafters)
    ask(engine, list(range(5, 20)), max_tokens=6, temperature=0.9, adaptive=False)
    assert [set(each.shown) for each in drafters] == [{None}, {3}, {11}]
