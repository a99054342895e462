"""Requests that name their speculators or draft at every step, and what they tell of drafting."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import pytest

from specchat.engine.errors import RequestError
from specchat.engine.policy.cost_model import StepCost
from tests.engine.running import Engines, Liar, Oracle, ask, ask_all, prompts, request

PROMPT = prompts(1)[0]


class Learned(Oracle):
    """Keeps the answers that it is taught."""

    name = "learned"

    def __init__(self) -> None:
        super().__init__({})
        self.taught: dict[str, list[list[int]]] = {}

    def learn(
        self, answers: Iterable[Sequence[int]], salt: str = "", *, fresh: bool = False
    ) -> None:
        if fresh:
            self.evict_salt(salt)
        self.taught.setdefault(salt, []).extend(map(list, answers))

    def evict_salt(self, salt: str) -> None:
        self.taught.pop(salt, None)


@pytest.fixture
def answers(engines: Engines) -> dict[tuple[int, ...], tuple[int, ...]]:
    return {PROMPT: ask(engines(), PROMPT, max_tokens=24, ignore_eos=True).tokens}


@pytest.fixture(autouse=True)
def rows_that_cost_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(StepCost, "step_ms", lambda self, rows: 5.0)


def wanted(**params: object) -> dict[str, object]:
    return {"max_tokens": 24, "ignore_eos": True, "adaptive": False, **params}


def test_only_the_speculators_that_a_request_names_draft_for_it(engines: Engines, answers) -> None:
    engine = engines(Oracle(answers), Liar(answers))
    both, one, none = ask_all(
        engine,
        [
            request(PROMPT, **wanted()),
            request(PROMPT, **wanted(speculators=("liar",))),
            request(PROMPT, **wanted(speculators=())),
        ],
    )
    assert both.tokens == one.tokens == none.tokens == answers[PROMPT]
    assert set(both.stats.asked_by_speculator) == {"oracle", "liar"}
    assert set(one.stats.asked_by_speculator) == {"liar"}
    assert set(one.stats.drafted_by_source) == {"liar"}
    assert (none.stats.drafted, none.stats.plain_steps) == (0, 0)
    assert both.stats.steps < one.stats.steps == none.stats.steps


def test_an_unknown_speculator_is_refused_by_its_name(engines: Engines) -> None:
    engine = engines(Oracle({}))
    with pytest.raises(RequestError, match="among oracle, got 'mlp'"):
        ask(engine, PROMPT, speculators=("mlp",))


def test_steps_in_which_no_draft_was_expected_to_pay_are_counted(
    engines: Engines, answers, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(StepCost, "step_ms", lambda self, rows: 100.0 * rows**2)
    engine = engines(Liar(answers))
    plain = ask(engine, PROMPT, **wanted(adaptive=True)).stats
    always = ask(engine, PROMPT, **wanted()).stats
    assert plain.drafted == 0
    assert plain.plain_steps == plain.steps - 1  # none is wanted for the last token
    assert always.drafted >= always.steps - 1
    assert always.plain_steps == 0


def test_the_time_of_drafts_is_told_for_each_speculator(engines: Engines, answers) -> None:
    told = ask(engines(Oracle(answers), Liar(answers)), PROMPT, **wanted()).stats
    spent = told.draft_ms_by_speculator
    assert set(spent) == {"oracle", "liar"}
    assert all(ms > 0 for ms in spent.values())
    assert sum(spent.values()) <= told.draft_ms


def test_answers_are_taught_to_speculators_that_learn(engines: Engines) -> None:
    learned = Learned()
    engine = engines(Oracle({}), learned)
    engine.learn([[5, 6], [7]])
    engine.learn([[8]], "tenant")
    engine.learn([[9]], fresh=True)
    assert learned.taught == {"": [[9]], "tenant": [[8]]}
    with pytest.raises(RequestError, match="token ids must be below"):
        engine.learn([[5, 10_000]])
