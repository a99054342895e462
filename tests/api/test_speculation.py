"""Speculation is chosen for each request, changes no token, and says what it saved."""

from __future__ import annotations

from typing import Any

import pytest
from openai import BadRequestError

from specchat.api.answers.statistics import speculative_decoding
from specchat.engine.request import TurnStats
from tests.api.conftest import Server

ASKED: list[Any] = [{"role": "user", "content": "Where is my refund?"}]


def answer(server: Server, speculation: Any, **more: Any) -> Any:
    """Two words are likely from now on, so that what was said before makes good drafts."""
    words = server.loaded.tokenizer.encode(" order account")
    return server.client().chat.completions.create(
        model=server.model,
        messages=ASKED,
        max_tokens=60,
        logit_bias={str(word): 9 for word in words},
        extra_body={"speculation": speculation, "ignore_eos": True},
        **more,
    )


@pytest.mark.parametrize("temperature", [0.0, 0.8])
def test_the_tokens_are_the_same_with_and_without(server: Server, temperature: float) -> None:
    choices = ["off", "on", "auto", None, ["ngram"], ["suffix", "ngram"]]
    answers = [answer(server, each, temperature=temperature, seed=3) for each in choices]
    assert len({said.choices[0].message.content for said in answers}) == 1


def test_what_it_saved_is_said_in_vllms_names(server: Server) -> None:
    found = answer(server, "on").metrics["speculative_decoding"]
    assert found.keys() == {
        "mean_acceptance_length", "draft_acceptance_rate", "acceptance_histogram",
        "num_spec_steps", "num_accepted_draft_tokens", "num_draft_tokens", "num_spec_tokens",
    }  # fmt: skip
    histogram = found["acceptance_histogram"]
    accepted = found["num_accepted_draft_tokens"]
    assert sum(histogram) == found["num_spec_steps"] > 0
    assert sum(length * steps for length, steps in enumerate(histogram)) == accepted > 0
    assert found["draft_acceptance_rate"] == accepted / found["num_draft_tokens"]
    assert found["mean_acceptance_length"] == 1 + accepted / found["num_spec_steps"]
    assert len(histogram) == found["num_spec_tokens"] + 1


def test_plain_decoding_has_nothing_to_say_of_it(server: Server) -> None:
    metrics = answer(server, "off").metrics
    assert metrics["speculative_decoding"] is None
    assert metrics["time_to_first_token_ms"] > 0
    assert metrics["generation_time_ms"] > 0


@pytest.mark.parametrize("usage", [False, True])
def test_the_last_chunk_of_a_stream_has_it(server: Server, usage: bool) -> None:
    options = {"stream_options": {"include_usage": True}} if usage else {}
    chunks = list(answer(server, "on", stream=True, **options))
    assert chunks[-1].metrics["speculative_decoding"]["num_spec_steps"] > 0
    assert not any(hasattr(chunk, "metrics") for chunk in chunks[:-1])


def test_several_choices_have_no_metrics_in_common(server: Server) -> None:
    assert answer(server, "on", n=2).metrics is None


@pytest.mark.parametrize("wrong", ["perhaps", ["mlp"], [], True, {"on": 1}, ["ngram", 3]])
def test_what_is_not_loaded_or_no_choice_is_refused(server: Server, wrong: Any) -> None:
    with pytest.raises(BadRequestError, match="speculation") as refused:
        answer(server, wrong)
    assert refused.value.param == "speculation"


def test_steps_without_drafts_are_left_out_as_vllm_does() -> None:
    stats = TurnStats(
        prompt_tokens=9, cached_tokens=0, completion_tokens=9, queue_ms=0.5, ttft_ms=4.0,
        e2e_ms=12.0, steps=5, drafted=7, accepted=3, drafted_by_depth=(3, 2, 2),
        accepted_by_depth=(2, 1, 0), drafted_by_source={"ngram": 7},
        accepted_by_source={"ngram": 3}, accepted_lengths=(0, 2, 0, 1, 0), draft_ms=1.0,
        verify_ms=7.0, peak_pages=2, preemptions=0, plain_steps=2,
    )  # fmt: skip
    assert speculative_decoding(stats) == {
        "mean_acceptance_length": 2.0,
        "draft_acceptance_rate": 3 / 7,
        "acceptance_histogram": [1, 1, 1, 0],
        "num_spec_steps": 3,
        "num_accepted_draft_tokens": 3,
        "num_draft_tokens": 7,
        "num_spec_tokens": 3,
    }
