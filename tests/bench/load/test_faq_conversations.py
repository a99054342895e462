"""Conversations made from a FAQ."""

from __future__ import annotations

import pytest

from specchat.bench.load.faq_conversations import Question, faq_scenario, interleaved, single_turns
from specchat.bench.prompts import Prompt

QUESTIONS = [Question(f"q{i}?", f"a{i}.") for i in range(5)]


def test_a_turn_holds_the_turns_before_it() -> None:
    made = faq_scenario(QUESTIONS, conversations=4, turns=3, seed=1)
    assert len(made.prompts) == 12
    for session in made.sessions:
        first, second, third = (made.prompts[i].messages for i in session)
        assert [m.role for m in third] == [*["user", "assistant"] * 2, "user"]
        assert second[: len(first)] == first
        assert third[: len(second)] == second
        assert len({m.content for m in third}) == len(third)


def test_ids_differ_and_the_same_seed_gives_the_same() -> None:
    made = faq_scenario(QUESTIONS, conversations=4, turns=2, seed=1)
    assert len({prompt.prompt_id for prompt in made.prompts}) == 8
    assert made == faq_scenario(QUESTIONS, conversations=4, turns=2, seed=1)
    assert made != faq_scenario(QUESTIONS, conversations=4, turns=2, seed=2)


def test_more_turns_than_questions_are_refused() -> None:
    with pytest.raises(ValueError, match="6 turns need as many questions, got 5"):
        faq_scenario(QUESTIONS, conversations=1, turns=6, seed=0)


def test_a_prompts_file_has_a_conversation_a_line() -> None:
    made = single_turns([Prompt("a", ()), Prompt("b", ())])
    assert made.sessions == ((0,), (1,))


def test_interleaving_keeps_the_order_of_each_conversation() -> None:
    assert interleaved([(0, 1, 2), (3, 4), (5,)], together=2) == (0, 3, 1, 4, 2, 5)
