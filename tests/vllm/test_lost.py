"""A vLLM that is killed in the middle of an answer, and one that comes back."""

from __future__ import annotations

import pytest

from specchat.chat import wording as say
from specchat.chat.types import AnswerOptions
from specchat.engine.errors import ServerError
from specchat.ui.race.events import RaceEvents
from specchat.ui.shared.alerts import SERVER_AWAY
from specchat.ui.shared.format import footer
from tests.vllm.conftest import Shop
from tests.vllm.server import SPECULATING, TELLS, TELLS_DRAFTS, Vllm
from tests.vllm.test_chat import QUESTION

pytestmark = pytest.mark.vllm


def test_a_killed_server_is_one_sentence_and_the_next_question_is_answered(
    speculating: Vllm, shop: Shop
) -> None:
    conversation = shop.service.new_conversation("ann")
    options = AnswerOptions(max_tokens=256, temperature=2.0)
    answer = shop.service.answer(conversation, QUESTION, owner="ann", options=options)
    next(update for update in answer if update.text)
    speculating.kill()
    last = list(answer)[-1]
    assert last.status == "failed"
    assert say.ENGINE_STOPPED in last.notes
    assert isinstance(last.error, ServerError)

    raced = RaceEvents(shop.service, shop.model.engine, shop.store).race(
        QUESTION, "ann", AnswerOptions(max_tokens=8)
    )
    assert list(raced)[-1].error == SERVER_AWAY

    speculating.start(*SPECULATING, *TELLS, *TELLS_DRAFTS)
    again = list(shop.service.answer(conversation, QUESTION, owner="ann"))[-1]
    assert again.status == "completed"
    assert shop.newest().verification == "server"


@pytest.fixture
def silent(stopped: Vllm) -> Vllm:
    """A server that tells of no request alone."""
    stopped.stop()
    stopped.start(*SPECULATING)
    return stopped


def test_without_figures_of_a_request_vllms_counters_are_called_server_wide(
    silent: Vllm, shop: Shop
) -> None:
    before = silent.counted()
    last = shop.ask(QUESTION)
    counted = silent.counted().since(before)
    row = shop.newest()
    assert row.verification == "server-wide"
    assert (row.steps, row.drafted, row.accepted) == (
        counted.steps, counted.drafted, counted.accepted
    )  # fmt: skip
    assert "drafts accepted server-wide" in footer(last.stats, row.mode)
    silent.stop()  # the next one tells again
