"""The chat's events on a scripted engine, without a page."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from transformers import AutoTokenizer

from specchat.chat.company.profile import load_company
from specchat.chat.service import ChatService
from specchat.loader import LoadOptions
from specchat.ui.chat.care_events import CareEvents
from specchat.ui.chat.events import ChatEvents
from specchat.ui.chat.view import ChatView
from storage import Store, open_store
from tests.ui.double import ScriptedEngine


@pytest.fixture
def engine() -> ScriptedEngine:
    return ScriptedEngine(step_s=0.0)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with open_store(f"sqlite:///{tmp_path / 'events.db'}") as opened:
        yield opened


@pytest.fixture
def service(engine: ScriptedEngine, store: Store, tiny_model_dir: Path) -> ChatService:
    tokenizer = AutoTokenizer.from_pretrained(tiny_model_dir)
    loaded: Any = SimpleNamespace(
        engine=engine, tokenizer=tokenizer, options=LoadOptions(), model="care", uses_slots=False
    )
    return ChatService(loaded, store, load_company())


@pytest.fixture
def view(service: ChatService) -> ChatView:
    return ChatView(service)


@pytest.fixture
def events(service: ChatService, view: ChatView) -> ChatEvents:
    return ChatEvents(service, view)


@pytest.fixture
def care(service: ChatService, view: ChatView) -> CareEvents:
    return CareEvents(service, view)
