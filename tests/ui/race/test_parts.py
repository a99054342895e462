"""What a race is made of besides its lanes: links, drawn passes, and sets of scenarios."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import gradio as gr
import pytest
from transformers import AutoTokenizer

from specchat.chat.types import AnswerOptions
from specchat.engine.request import DraftTrace
from specchat.evidence.scenario import SCENARIOS
from specchat.ui.race.events import _described, _params
from specchat.ui.race.link import Limits, Wish, wish_of
from specchat.ui.race.result import about
from specchat.ui.race.scenario_set import SetRow, set_headline, set_html
from specchat.ui.race.tab import RaceTab, build_race_tab, opener
from specchat.ui.race.verification_steps import END, drawn_step, text_of
from specchat.ui.shared.sampling_controls import read_options
from tests.ui.made_up import pair, plain_stats, stats

MOST = Limits(temperature=2.0, max_tokens=256, nodes=16)


def test_a_link_names_question_and_settings() -> None:
    query = {
        "race": " Where is it? ", "temperature": "0.7", "max_tokens": "64", "seed": "9",
        "speculators": "mlp,unknown", "nodes": "8",
    }  # fmt: skip
    found = wish_of(query, ["mlp", "ngram"], MOST)
    assert found == Wish("Where is it?", 0.7, 64, 9, ("mlp",), 8)


@pytest.mark.parametrize(
    "query",
    [
        {"temperature": "nan"},
        {"temperature": "9"},
        {"max_tokens": "0"},
        {"max_tokens": "300"},
        {"max_tokens": "1.5"},
        {"seed": "-1"},
        {"nodes": "17"},
        {"nodes": "many"},
    ],
)
def test_values_that_cannot_be_are_left_out(query: dict[str, str]) -> None:
    assert wish_of({"race": "q", **query}, [], MOST) == Wish("q")


def test_other_addresses_wish_nothing() -> None:
    assert wish_of({}, [], MOST) is None
    assert wish_of({"race": "  ", "seed": "1"}, [], MOST) is None


def track(temperature: float = 0.0) -> RaceTab:
    with gr.Blocks():
        return build_race_tab(gr.Textbox(), ["mlp"], 64, temperature, 16)


def test_the_longest_answer_is_the_usual_one() -> None:
    longest = track().options.max_tokens
    assert (longest.value, longest.maximum) == (64, 64)


@pytest.mark.parametrize("usual", [0.0, 5.0])
def test_the_controls_take_their_usual_values(usual: float) -> None:
    assert track(usual).options.temperature.preprocess(usual) == usual


@pytest.mark.parametrize(("temperature", "nodes", "taken"), [("5", "16", True), ("6", "17", False)])
def test_a_link_may_ask_for_what_the_controls_take(
    temperature: str, nodes: str, taken: bool
) -> None:
    query = {"race": "q", "temperature": temperature, "nodes": nodes}
    request: Any = SimpleNamespace(query_params=query)
    *_, hot, _, _, _, most = opener(track(5.0))(request)
    assert (hot == 5.0, most == 16) == (taken, taken)


def options(temperature: float, **more: Any) -> AnswerOptions:
    return read_options(temperature=temperature, max_tokens=32, seed=3, **more)


def test_settings_keep_who_drafts_and_how_much() -> None:
    params = _params(options(0.5, speculators=["ngram"], nodes=0))
    assert (params.speculators, params.max_nodes, params.seed) == (("ngram",), 0, 3)
    assert _params(options(0)).speculators is None


def test_a_drawn_pass_has_texts_sources_and_the_path(tiny_model_dir: Path) -> None:
    tokenizer = AutoTokenizer.from_pretrained(tiny_model_dir)
    first, second, own = tokenizer.encode("a b c", add_special_tokens=False)[:3]
    trace = DraftTrace((first, second), (-1, -1), ("mlp", "ngram"), (1,), own)
    text = text_of(tokenizer)
    step = drawn_step(trace, 12.345, text)
    assert step["nodes"] == [
        [text(first), -1, "mlp", "MLP speculator", False],
        [text(second), -1, "ngram", "n-gram of the prompt", True],
    ]
    assert (step["at_ms"], step["own"]) == (12.35, text(own))
    said = "".join(map(text, tokenizer.encode("how are you", add_special_tokens=False)))
    assert said.strip() == "how are you"
    assert text(tokenizer.eos_token_id) == END


def test_a_set_says_how_far_it_is_and_its_median_only_when_it_is_whole() -> None:
    one, two = SCENARIOS[:2]
    row = SetRow(one, pair(plain_stats(e2e_ms=2_000), stats(e2e_ms=1_000)), "r1")
    slower = SetRow(two, pair(plain_stats(e2e_ms=1_000), stats(e2e_ms=1_500)), "r2")
    assert "Race 1 of 2" in set_headline([], (one, two))
    assert "table" not in set_html([], (one, two))
    assert two.label in set_headline([row], (one, two))
    begun = set_html([row], (one, two))
    assert f'<li data-state="done"><span>{one.label}' in begun
    assert f'<li data-state="now" aria-current=step><span>{two.label}' in begun
    whole = set_headline([row, SetRow(two, row.pair, "r2")], (one, two))
    assert "Median 2.00x, 2.0 s saved in all" in whole
    assert "same answer in 2 of 2" in whole
    assert 'data-verdict="faster"' in whole
    sorted_rows = set_html([slower, SetRow(two, row.pair, "r2")], (one, two))
    assert sorted_rows.index("2.00x") < sorted_rows.index("0.67x")
    assert "width:100.0%" in sorted_rows
    assert "width:75.0%" in sorted_rows


def test_answers_that_differ_are_not_compared() -> None:
    row = SetRow(SCENARIOS[0], pair(plain_stats(), stats(), identical=False), "r1")
    said = set_headline([row], SCENARIOS[:1])
    assert "none can be compared" in said
    assert "same answer in 0 of 1" in said
    assert "✗ no" in set_html([row], SCENARIOS[:1])


def test_a_shared_race_carries_its_verdict_and_settings() -> None:
    settings = options(0.5, speculators=["mlp"], nodes=4)
    known = about(pair(plain_stats(), stats()), "q?", settings, "where")
    assert known["identical"] is True
    assert {name: len(arm["times_ms"]) for name, arm in known["arms"].items()} == {
        "plain": 148, "speculative": 148,
    }  # fmt: skip
    assert known["arms"]["plain"]["ttft"] == "38 ms"
    assert known["headline"].endswith("same answer ✓")
    assert known["settings"] == {
        "temperature": 0.5, "max_tokens": 32, "seed": 3, "speculators": ["mlp"], "nodes": 4,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("ready", "running", "said"),
    [
        (True, 0, ""),
        (False, 0, "the engine was still warming up, so both will be faster"),
        (True, 2, "2 other answers ran at the start, so the times are not undisturbed"),
    ],
)
def test_what_disturbed_a_race_stands_with_its_settings(
    ready: bool, running: int, said: str
) -> None:
    info = SimpleNamespace(
        name="care", dtype="float32", device="cpu", hardware="2 threads", speculators=("mlp",)
    )
    before: Any = SimpleNamespace(ready=ready, running=running)
    text = _described(options(0), info, before)
    assert said in text
    assert ("warming" in text, "other answers" in text) == (not ready, running > 0)
