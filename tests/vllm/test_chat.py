"""The chat, the race and the dashboard on a real vLLM that speculates by n-grams."""

from __future__ import annotations

import pytest

from specchat.chat.types import AnswerOptions
from specchat.engine.errors import RequestError
from specchat.engine.request import FinishReason, Request, SamplingParams
from specchat.ui.dashboard import data
from specchat.ui.dashboard.tiles import tiles_html
from specchat.ui.race.events import RaceEvents
from specchat.ui.shared.format import acceptance_length, footer
from storage import TurnFilter
from tests.api.conftest import eventually
from tests.vllm.conftest import Shop
from tests.vllm.server import Vllm

pytestmark = pytest.mark.vllm

QUESTION = "How long does a refund take?"


def test_an_answer_is_looked_up_checked_and_stored_with_what_vllm_drafted(
    speculating: Vllm, shop: Shop
) -> None:
    before = speculating.counted()
    last = shop.ask(QUESTION)
    counted = speculating.counted().since(before)
    assert last.status == "completed"
    assert "5-7 business days" in last.text
    assert last.grounds is not None
    assert last.grounds.retrieved
    row = shop.newest()
    assert row.verification == "server"
    assert row.hardware.startswith("vllm at 127.0.0.1")
    assert (row.drafted, row.accepted) == (counted.drafted, counted.accepted)
    assert row.drafted >= row.accepted > 0


def test_every_token_is_of_a_pass_that_is_counted(shop: Shop) -> None:
    """The last pass may have given more than the answer had room for."""
    shop.ask("Where is order 4417?")
    row = shop.newest()
    assert row.steps == len(row.accepted_lengths) > row.drafted_by_depth[0]
    assert row.completion_tokens == 1 + row.steps + row.accepted
    length = acceptance_length(row)
    assert length is not None
    assert 1 < length < row.completion_tokens
    assert f"τ {length:.1f}" in footer(row, row.mode)


def test_a_prompt_is_found_in_vllms_cache_by_its_own_customer_only(shop: Shop) -> None:
    for owner in ("ann", "ben"):
        shop.ask(QUESTION, owner)
        assert shop.newest().cached_tokens == 0
    shop.ask(QUESTION, "ann")
    assert shop.newest().cached_tokens > 0


def test_who_leaves_ends_the_answer_at_vllm(speculating: Vllm, shop: Shop) -> None:
    before = speculating.answered()
    answer = shop.service.answer(
        shop.service.new_conversation("ann"),
        QUESTION,
        owner="ann",
        options=AnswerOptions(max_tokens=1000, temperature=2.0),
    )
    next(update for update in answer if update.text)
    assert speculating.running() == 1
    answer.close()
    eventually(lambda: speculating.running() == 0)
    assert speculating.answered() == before
    assert shop.newest().status == "cancelled"


def test_to_cancel_ends_a_request_at_vllm(speculating: Vllm, shop: Shop) -> None:
    prompt = shop.model.tokenizer.encode("Once upon a time")
    stream = shop.model.engine.submit(
        Request(tuple(prompt), SamplingParams(max_tokens=1500, ignore_eos=True))
    )
    next(stream)
    stream.cancel()
    assert list(stream)[-1].finish is FinishReason.CANCELLED
    eventually(lambda: speculating.running() == 0)


def test_what_vllm_refuses_is_told_in_its_words(shop: Shop) -> None:
    params = SamplingParams(max_tokens=4, temperature=0.7, min_p=0.1)
    with pytest.raises(RequestError, match=r"refuses \(400\): .*min_p"):
        list(shop.model.engine.submit(Request((1, 2, 3), params)))


def test_a_race_of_both_servers_is_on_the_dashboard(shop: Shop) -> None:
    options = AnswerOptions(max_tokens=48, seed=1)
    events = RaceEvents(shop.service, shop.model.engine, shop.store)
    last = list(events.race(QUESTION, "ann", options, keeps=True))[-1]
    assert last.finished is not None, last.error
    assert last.finished.identical
    assert last.headline is not None
    assert "drafts by the server" in last.headline
    shop.ask(QUESTION)
    assert shop.store.flush()
    evidence = data.gather(shop.store, data.Choice())
    assert (len(evidence.rows), len(evidence.races), evidence.identical) == (3, 1, 1)
    assert evidence.speedup.prompts == 1
    assert evidence.length.token_weighted > 1
    assert evidence.rate.accepted == sum(row.accepted for row in evidence.rows) > 0
    assert "1 race" in tiles_html(evidence)
    plain = shop.store.races(TurnFilter())[0].plain
    assert (plain.drafted, plain.accepted) == (0, 0)
