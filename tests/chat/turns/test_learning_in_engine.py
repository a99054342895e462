"""Growth on the real engine: a second conversation drafts from what the first one was told."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from specchat.chat.company.profile import Company
from specchat.chat.service import ChatService
from specchat.chat.types import AnswerOptions
from specchat.engine.policy.cost_model import StepCost
from specchat.loader import LoadOptions, load
from storage import Store, TurnMetrics
from tests.chat.test_real_engine import save_tiny_care

OPTIONS = AnswerOptions(max_tokens=60)


@pytest.fixture
def service(
    tmp_path: Path,
    care_tokenizer: Any,
    store: Store,
    company: Company,
    monkeypatch: pytest.MonkeyPatch,
) -> Any:
    monkeypatch.setattr(StepCost, "step_ms", lambda self, rows: 5.0)  # rows cost nothing
    directory = tmp_path / "tiny-care"
    directory.mkdir()
    save_tiny_care(directory, care_tokenizer)
    options = LoadOptions(
        model=str(directory), speculators=("suffix",), device="cpu", dtype="float32",
        kv_memory_bytes=8 * 2**20, compile=False,
    )  # fmt: skip
    loaded = load(options)
    yield ChatService(loaded, store, company, learn=True)
    loaded.engine.close()


def cost(service: ChatService, owner: str) -> TurnMetrics:
    assert service.learning is not None
    assert service.learning.wait(240)
    conversation = service.new_conversation(owner)
    list(service.answer(conversation, "where is my order", owner=owner, options=OPTIONS))
    (turn,) = service.history(conversation, owner)
    assert turn.footer_stats is not None
    return turn.footer_stats


def test_a_second_conversation_drafts_from_the_first_ones_answer(service: ChatService) -> None:
    first, second = cost(service, "ann"), cost(service, "bob")
    assert second.completion_tokens == first.completion_tokens
    assert second.accepted > first.accepted
    assert second.steps < first.steps
    assert set(second.accepted_by_source) == set(second.asked_by_speculator) == {"suffix"}
    assert second.draft_ms_by_speculator["suffix"] > 0
    service.forget("ann")
    service.forget("bob")
    assert cost(service, "eve").steps == first.steps
