"""The speculator that the README shows, end to end; and what a wrong one is told."""

from __future__ import annotations

import inspect
from collections.abc import Sequence

import pytest

from specchat.engine.drafting.draft_tree import DraftTree
from specchat.engine.drafting.speculator import DraftContext, Speculator
from tests.engine.running import Engines, ask, prompts
from tests.speculators import example
from tests.speculators.example import BigramSpeculator

PROMPT = prompts(1)[0]


@pytest.mark.usefixtures("keep_all_drafts")
def test_a_speculator_of_ones_own_drafts_what_it_learned(engines: Engines) -> None:
    plain = ask(engines(), PROMPT, "tenant", max_tokens=24, ignore_eos=True)
    engine = engines(BigramSpeculator())
    engine.learn([plain.tokens], "tenant")
    own = ask(engine, PROMPT, "tenant", max_tokens=24, ignore_eos=True)
    other = ask(engine, PROMPT, "another", max_tokens=24, ignore_eos=True)
    assert own.said == other.said == plain.said
    assert own.stats.accepted_by_source["bigram"] > 0
    assert other.stats.drafted == 0


def test_the_example_is_short_enough_to_be_shown() -> None:
    assert len(inspect.getsource(example).splitlines()) <= 40


def test_a_method_whose_name_is_nearly_right_is_an_error() -> None:
    with pytest.raises(TypeError, match=r"Typo\.obsreve: no speculator has it, was observe meant"):

        class Typo(BigramSpeculator):
            def obsreve(self, request_id: str, tokens: Sequence[int]) -> None: ...


def test_a_speculator_must_propose_and_need_nothing_else() -> None:
    class Silent(Speculator):
        name = "silent"

    class Empty(Silent):
        def propose(self, batch: Sequence[DraftContext]) -> list[DraftTree]:
            return [DraftTree() for _ in batch]

    with pytest.raises(TypeError, match="propose"):
        Silent()  # type: ignore[abstract]
    assert not Empty().wanted()
