"""Tokens of a server: our own for real, and others in the shapes that vLLM sends."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import pytest

from specchat.bench.race import PairResult, race_pair
from specchat.engine.errors import EngineClosedError, QueueFullError, RequestError, ServerError
from specchat.engine.request import UNTOLD, FinishReason, Request, SamplingParams, TokenDelta
from specchat.remote.engine import NEEDS_SECOND
from specchat.remote.loading import RemoteModel
from tests.api.conftest import eventually
from tests.remote.conftest import Ours, Told, said, usage

Connect = Callable[..., RemoteModel]
PROMPT = (10, 40, 50, 60)


def asked(model: RemoteModel, **params: Any) -> list[TokenDelta]:
    """All that comes of a prompt."""
    request = Request(PROMPT, SamplingParams(**{"max_tokens": 12, **params}))
    return list(model.engine.submit(request))


def text_of(deltas: list[TokenDelta]) -> str:
    return "".join(delta.text for delta in deltas)


# -- our own server ------------------------------------------------------------------------------


@pytest.mark.parametrize("temperature", [0.0, 0.9])
def test_the_text_is_the_engines_own(ours: Ours, connected: Connect, temperature: float) -> None:
    params = SamplingParams(max_tokens=24, temperature=temperature, seed=5)
    here = list(ours.loaded.engine.submit(Request(PROMPT, params)))
    there = list(connected(ours.url).engine.submit(Request(PROMPT, params)))
    assert text_of(there) == text_of(here)
    assert there[-1].finish == here[-1].finish
    ends = [deltas[-1].stats for deltas in (here, there)]
    assert ends[0] is not None
    assert ends[1] is not None
    assert ends[1].completion_tokens == ends[0].completion_tokens
    assert ends[1].verification == "server"
    assert (ends[1].steps, ends[1].drafted) == (ends[0].steps, ends[0].drafted)


def test_plain_decoding_needs_no_second_server_of_ours(ours: Ours, connected: Connect) -> None:
    events = race_pair(
        connected(ours.url).engine, PROMPT, SamplingParams(max_tokens=24), salt="race"
    )
    pair = next(event for event in events if isinstance(event, PairResult))
    assert pair.identical
    assert pair.plain.stats.drafted == 0


def test_to_cancel_reaches_the_server(ours: Ours, connected: Connect) -> None:
    stream = connected(ours.url).engine.submit(
        Request(PROMPT, SamplingParams(max_tokens=1500, ignore_eos=True))
    )
    next(stream)
    assert not ours.idle()
    stream.cancel()
    last = list(stream)[-1]
    assert last.finish is FinishReason.CANCELLED
    assert last.stats is not None
    assert 0 < last.stats.completion_tokens < 1500
    eventually(ours.idle)


def test_to_close_ends_every_answer(ours: Ours, connected: Connect) -> None:
    engine = connected(ours.url).engine
    request = Request(PROMPT, SamplingParams(max_tokens=1500, ignore_eos=True))
    stream = engine.submit(request)
    next(stream)
    engine.close()
    assert list(stream)[-1].finish is FinishReason.CANCELLED
    assert not engine.alive
    with pytest.raises(EngineClosedError):
        engine.submit(request)
    eventually(ours.idle)


def test_what_does_not_fit_is_refused_before_it_is_sent(ours: Ours, connected: Connect) -> None:
    with pytest.raises(RequestError, match="must fit into 2048 tokens"):
        asked(connected(ours.url), max_tokens=4096)


@pytest.mark.parametrize("name", ["logprobs", "max_nodes"])
def test_what_only_our_engine_has_is_refused_by_name(
    ours: Ours, connected: Connect, name: str
) -> None:
    with pytest.raises(RequestError, match=f"{name} must be left to the server"):
        asked(connected(ours.url), **{name: 2})


# -- other servers -------------------------------------------------------------------------------


def test_vllms_figures_of_one_request_are_taken(connected: Connect) -> None:
    speculation = {
        "mean_acceptance_length": 2.5, "draft_acceptance_rate": 0.5,
        "acceptance_histogram": [1, 0, 1, 2], "num_spec_steps": 4,
        "num_accepted_draft_tokens": 8, "num_draft_tokens": 12, "num_spec_tokens": 3,
    }  # fmt: skip
    told = Told(
        events=[
            said("Hello", token_ids=[1]),
            said(" there.", "stop", token_ids=[2, 3]),
            usage(9, metrics={"queue_time_ms": 3.5, "speculative_decoding": speculation}),
        ],
        counters=[(1, 2, 3)],
    )
    with told.serving() as url:
        deltas = asked(connected(url))
    stats = deltas[-1].stats
    assert stats is not None
    assert (stats.steps, stats.drafted, stats.accepted) == (4, 12, 8)
    assert stats.drafted_by_depth == (4, 4, 4)
    assert stats.accepted_by_depth == (3, 3, 2)
    assert sorted(stats.accepted_lengths) == [0, 2, 3, 3]
    assert (stats.completion_tokens, stats.queue_ms) == (9, 3.5)
    assert stats.verification == "server"
    assert [token.token_id for delta in deltas for token in delta.tokens] == [1, 2, 3]
    assert told.bodies[0]["return_token_ids"]
    assert len(told.bodies[0]["cache_salt"]) == 32


def test_passes_without_a_draft_are_steps_too(connected: Connect) -> None:
    """As vLLM 0.32 told of n-grams that were found in 13 passes of 22."""
    speculation = {
        "mean_acceptance_length": 2.85, "draft_acceptance_rate": 0.37,
        "acceptance_histogram": [5, 4, 0, 0, 0, 4], "num_spec_steps": 13,
        "num_accepted_draft_tokens": 24, "num_draft_tokens": 65, "num_spec_tokens": 5,
    }  # fmt: skip
    told = Told(
        events=[said("Hello.", "stop"), usage(47, metrics={"speculative_decoding": speculation})]
    )
    with told.serving() as url:
        stats = asked(connected(url))[-1].stats
    assert stats is not None
    assert (stats.steps, stats.drafted, stats.accepted) == (22, 65, 24)
    assert sorted(stats.accepted_lengths) == [0] * 14 + [1] * 4 + [5] * 4
    assert stats.drafted_by_depth == (13,) * 5
    assert stats.accepted_by_depth == (8, 4, 4, 4, 4)


def test_a_request_in_which_nothing_was_drafted_is_told_as_such(connected: Connect) -> None:
    nothing = {
        "mean_acceptance_length": 1.0, "draft_acceptance_rate": 0.0,
        "acceptance_histogram": [0, 0, 0, 0, 0, 0], "num_spec_steps": 0,
        "num_accepted_draft_tokens": 0, "num_draft_tokens": 0, "num_spec_tokens": 5,
    }  # fmt: skip
    told = Told(events=[said("Yes.", "stop"), usage(3, metrics={"speculative_decoding": nothing})])
    with told.serving() as url:
        stats = asked(connected(url))[-1].stats
    assert stats is not None
    assert (stats.verification, stats.steps, stats.drafted) == ("server", 2, 0)


def test_counters_of_the_whole_server_are_called_so(connected: Connect) -> None:
    told = Told(
        events=[said("Hello.", "stop"), usage(2)],
        counters=[(0, 0, 0), (10, 40, 20), (13, 52, 29)],
    )
    with told.serving() as url:
        stats = asked(connected(url))[-1].stats
    assert stats is not None
    assert (stats.steps, stats.drafted, stats.accepted) == (3, 12, 9)
    assert stats.verification == "server-wide"


def test_a_server_that_tells_nothing_gets_no_number(connected: Connect) -> None:
    told = Told(owner="somebody", events=[said("Hello there.", "stop")])
    with told.serving() as url:
        deltas = asked(connected(url))
    stats = deltas[-1].stats
    assert stats is not None
    assert stats.verification == "untold"
    assert (stats.steps, stats.drafted) == (0, 0)
    assert stats.completion_tokens == len([t for d in deltas for t in d.tokens]) > 0
    assert all(token.token_id == UNTOLD for delta in deltas for token in delta.tokens)
    assert told.bodies[0].keys() == {
        "model", "prompt", "max_tokens", "temperature", "stream", "stream_options"
    }  # fmt: skip


def test_ends_of_lines_inside_a_text_end_no_event(connected: Connect) -> None:
    told = Told(events=[said("one\u2028two\x85three", "stop"), usage(3)])
    with told.serving() as url:
        assert text_of(asked(connected(url))) == "one\u2028two\x85three"


def test_a_key_is_shown_to_both_servers(connected: Connect) -> None:
    first, second = (Told(events=[said("x", "stop")]) for _ in range(2))
    with first.serving() as url, second.serving() as plain:
        model = connected(url, plain_base_url=plain, key="secret")
        asked(model)
        asked(model, speculate=False)
    assert first.keys == second.keys == ["Bearer secret"]


def test_without_a_second_server_plain_decoding_is_refused(connected: Connect) -> None:
    with Told().serving() as url, pytest.raises(RequestError) as refused:
        asked(connected(url), speculate=False)
    assert str(refused.value) == NEEDS_SECOND


@pytest.mark.parametrize(
    ("status", "code", "error"),
    [
        (429, None, QueueFullError),
        (503, "engine_full", QueueFullError),
        (503, None, ServerError),
        (500, None, ServerError),
        (401, None, ServerError),
        (400, None, RequestError),
    ],
)
def test_a_refusal_is_an_error_of_its_kind_and_nothing_is_tried_twice(
    connected: Connect, status: int, code: str | None, error: type[Exception]
) -> None:
    told = Told(status=status, refusal={"error": {"message": "not now", "code": code}})
    with told.serving() as url:
        model = connected(url)
        with pytest.raises(error, match="not now"):
            asked(model)
        assert model.engine.alive
        told.status, told.events = 200, [said("Back.", "stop")]
        assert text_of(asked(model)) == "Back."
    assert len(told.bodies) == 2


@pytest.mark.parametrize(
    "events",
    [
        [said("Hello"), None],  # the connection breaks
        [said("Hello")],  # it ends without a reason
        [said("Hello"), {"error": {"message": "out of memory", "code": 500}}],
    ],
)
def test_a_server_gone_in_the_middle_is_told(connected: Connect, events: list[Any]) -> None:
    with Told(events=events).serving() as url:
        stream = connected(url).engine.submit(Request(PROMPT))
        assert next(stream).text == "Hello"
        with pytest.raises(ServerError):
            list(stream)


def test_a_server_that_is_away_is_told_and_may_come_back(connected: Connect) -> None:
    told = Told(events=[said("Hello.", "stop")])
    with told.serving() as url:
        model = connected(url)
    with pytest.raises(ServerError, match="does not answer"):
        asked(model)
    assert model.engine.snapshot().running == 0


def test_an_evicted_tenant_never_finds_its_cached_prompts_again(connected: Connect) -> None:
    told = Told(events=[said("Hello.", "stop")])
    with told.serving() as url:
        engine = connected(url).engine
        for salt in ("ann", "ben", "ann"):
            list(engine.submit(Request(PROMPT, salt=salt)))
        engine.evict_salt("ann")
        list(engine.submit(Request(PROMPT, salt="ann")))
    sent = [body["cache_salt"] for body in told.bodies]
    assert sent[0] == sent[2]
    assert len(set(sent)) == 3


def test_watchers_are_told_of_every_end(connected: Connect) -> None:
    told = Told(events=[said("Hello.", "stop"), usage(2)])
    ends: list[Any] = []
    with told.serving() as url:
        model = connected(url)
        model.engine.watch(lambda reason, stats: ends.append((reason, stats)))
        asked(model)
        told.status = 500
        with pytest.raises(ServerError):
            asked(model)
    assert [reason for reason, _ in ends] == [FinishReason.STOP, FinishReason.ERROR]
    assert not math.isnan(ends[0][1].ttft_ms)
