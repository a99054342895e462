"""Footers and headlines, the honest ones included."""

from __future__ import annotations

import math
from datetime import date

import pytest

from specchat.ui.shared.format import dated, duration, figure, footer, model_name, race_headline
from tests.ui.made_up import metrics, plain_stats, stats


def test_the_footer_of_a_speculative_answer() -> None:
    said = footer(stats(), "speculative")
    assert said == "212 tok/s · 148 tokens · τ 3.4 · 71 % drafts accepted · TTFT 38 ms"


def test_the_footer_reads_stored_metrics_as_well() -> None:
    assert footer(metrics(), "speculative") == footer(stats(), "speculative")


def test_a_plain_answer_says_plain_and_nothing_about_drafts() -> None:
    said = footer(plain_stats(), "plain")
    assert said == "79 tok/s · 148 tokens · plain · TTFT 38 ms"


def test_one_token_has_no_speed() -> None:
    said = footer(stats(1, 40.0, drafted=0, accepted=0), "speculative")
    assert said == "1 token · no drafts verified · TTFT 38 ms"


def test_no_token_at_all() -> None:
    said = footer(stats(0, 40.0, drafted=0, accepted=0, ttft_ms=math.nan), "speculative")
    assert said == "0 tokens · no drafts verified"


@pytest.mark.parametrize(("status", "word"), [("cancelled", "stopped"), ("failed", "failed")])
def test_an_answer_that_did_not_complete_says_so_first(status: str, word: str) -> None:
    assert footer(stats(), "speculative", status).startswith(f"{word} · ")
    assert footer(None, "speculative", status) == f"{word} · not measured"


@pytest.mark.parametrize(
    ("ms", "said"),
    [(3.42, "3.4 ms"), (38.2, "38 ms"), (1_400.0, "1.4 s"), (None, "–"), (math.nan, "–")],
)
def test_durations(ms: float | None, said: str) -> None:
    assert duration(ms) == said


def test_a_race_that_was_won() -> None:
    said = race_headline(plain_stats(e2e_ms=2_275.0), stats(e2e_ms=875.0), True)
    assert said.text == "2.6x faster, 1.4 s saved, same answer ✓"
    assert said.verdict == "faster"


def test_a_race_that_was_lost_says_so() -> None:
    said = race_headline(plain_stats(e2e_ms=900.0), stats(e2e_ms=1_000.0), True)
    assert said.text == "0.9x: slower here, 100 ms lost, same answer ✓"
    assert said.verdict == "slower"


def test_a_race_without_a_winner() -> None:
    said = race_headline(plain_stats(e2e_ms=1_010.0), stats(e2e_ms=1_000.0), True)
    assert said.text == "1.01x: about the same speed here, same answer ✓"


def test_answers_that_differ_are_never_called_faster() -> None:
    said = race_headline(plain_stats(), stats(), False)
    assert said.ratio is None
    assert "faster" not in said.text
    assert "differ" in said.text


@pytest.mark.parametrize("tokens", [0, 1])
def test_answers_too_short_to_compare(tokens: int) -> None:
    said = race_headline(plain_stats(tokens, 40.0), stats(tokens, 20.0), True)
    assert said.ratio is None
    assert said.text.startswith("Too short to compare")


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("care", "care"),
        ("ibm-granite/granite-4.1-8b", "ibm-granite/granite-4.1-8b"),
        ("/models/granite/", "granite"),
        ("./models/mine", "mine"),
    ],
)
def test_models_are_named_without_the_machine_they_lie_on(name: str, said: str) -> None:
    assert model_name(name) == said


@pytest.mark.parametrize(
    ("shown", "html"),
    [
        ("1,234", '<data value="1234">1,234</data>'),
        ("3.40 ms", '<data value="3.40">3.40 ms</data>'),
        ("71 %", '<data value="71">71 %</data>'),
        ("2.05x", '<data value="2.05">2.05x</data>'),
        ("granite-3.1-8b", "granite-3.1-8b"),
        ("1 (plain)", "1 (plain)"),
        ("–", "–"),
        ("<b>", "&lt;b&gt;"),
    ],
)
def test_a_figure_is_marked_with_its_value_and_a_name_is_not(shown: str, html: str) -> None:
    assert figure(shown) == html


def test_a_day_is_marked_with_its_date() -> None:
    said = dated("Monday, 23 November", date(2026, 11, 23))
    assert said == '<time datetime="2026-11-23">Monday, 23 November</time>'
