"""The chat, the race and the whole app on tokens of a server."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from specchat.chat import wording as say
from specchat.chat.company.profile import load_company
from specchat.chat.service import ChatService
from specchat.chat.types import AnswerOptions, AnswerUpdate
from specchat.remote.engine import NEEDS_SECOND
from specchat.remote.loading import SEARCH_ALONE, RemoteModel
from specchat.settings import Settings
from specchat.ui.race.events import RaceEvents
from specchat.ui.serve import compose, listen
from specchat.ui.shared.alerts import SERVER_AWAY
from specchat.ui.shared.format import UNTOLD, footer
from storage import Store, TurnFilter, open_store
from tests.api.conftest import eventually
from tests.remote.conftest import Ours, Told, said, usage
from tests.ui.conftest import free_port

Connect = Callable[..., RemoteModel]
QUESTION = "How long does a refund take?"


@pytest.fixture
def store(tmp_path: Path) -> Any:
    with open_store(f"sqlite:///{tmp_path / 'chat.db'}") as opened:
        yield opened


def ask(model: RemoteModel, store: Store, **options: Any) -> list[AnswerUpdate]:
    service = ChatService(model, store, load_company())
    try:
        conversation = service.new_conversation("ann")
        chosen = AnswerOptions(**{"max_tokens": 24, **options})
        return list(service.answer(conversation, QUESTION, owner="ann", options=chosen))
    finally:
        service.close()


def test_an_answer_is_looked_up_checked_and_stored(
    ours: Ours, connected: Connect, store: Store
) -> None:
    last = ask(connected(ours.url), store)[-1]
    assert last.status == "completed"
    assert last.grounds is not None
    assert last.grounds.retrieved
    assert last.grounds.state in ("grounded", "page")
    assert store.flush()
    row = store.metrics(TurnFilter())[0]
    assert row.verification == "server"
    assert row.hardware.startswith("specchat at 127.0.0.1")


def test_the_prompt_holds_the_pages_and_no_token_that_the_customer_made_special(
    connected: Connect, store: Store
) -> None:
    told = Told(events=[said("Five days.", "stop"), usage(3)])
    with told.serving() as url:
        model = connected(url)
        ask(model, store)
    ids = told.bodies[0]["prompt"]
    assert QUESTION in model.tokenizer.decode(ids)
    assert model.tokenizer.decode(ids).startswith("<|system|>")


def test_who_leaves_ends_the_answer_at_the_server(
    ours: Ours, connected: Connect, store: Store
) -> None:
    service = ChatService(connected(ours.url), store, load_company())
    options = AnswerOptions(max_tokens=1000, temperature=2.0)
    answer = service.answer(service.new_conversation("ann"), QUESTION, owner="ann", options=options)
    next(update for update in answer if update.text)
    answer.close()
    eventually(ours.idle)
    assert store.flush()
    assert [row.status for row in store.metrics(TurnFilter())] == ["cancelled"]


@pytest.mark.parametrize(
    ("told", "note"),
    [
        (Told(status=429), say.QUEUE_FULL),
        (Told(status=503), say.ENGINE_STOPPED),
        (Told(events=[said("Five"), None]), say.ENGINE_STOPPED),
    ],
)
def test_a_server_that_fails_is_one_sentence_and_one_turn(
    connected: Connect, store: Store, told: Told, note: str
) -> None:
    with told.serving() as url:
        last = ask(connected(url), store)[-1]
    assert last.status == "failed"
    assert note in last.notes
    assert len(told.bodies) == 1


def test_a_plain_answer_without_a_second_server_is_refused_with_the_reason(
    connected: Connect, store: Store
) -> None:
    with Told().serving() as url:
        last = ask(connected(url), store, mode="plain")[-1]
    assert last.status == "failed"
    assert NEEDS_SECOND in last.notes[-1]


def test_the_footer_says_whose_numbers_they_are(connected: Connect, store: Store) -> None:
    events = [said("Five days.", "stop"), usage(3)]
    with Told(events=events).serving() as url:
        silent = ask(connected(url), store)[-1]
    counters = [(0, 0, 0), (0, 0, 0), (2, 8, 6)]
    with Told(events=events, counters=counters).serving() as url:
        wide = ask(connected(url), store)[-1]
    assert UNTOLD in footer(silent.stats, "speculative")
    assert "75 % drafts accepted server-wide" in footer(wide.stats, "speculative")


def race(model: RemoteModel, store: Store) -> list[Any]:
    service = ChatService(model, store, load_company())
    options = AnswerOptions(max_tokens=24, seed=1)
    return list(RaceEvents(service, model.engine, store).race(QUESTION, "ann", options))


def test_a_race_on_one_server_of_ours(ours: Ours, connected: Connect, store: Store) -> None:
    last = race(connected(ours.url), store)[-1]
    assert last.finished is not None
    assert last.finished.identical


def test_a_race_on_two_servers(connected: Connect, store: Store) -> None:
    fast = Told(events=[said("Five"), said(" days.", "stop"), usage(3)])
    slow = Told(events=[said("Fi"), said("ve "), said("days."), said("", "stop"), usage(3)])
    with fast.serving() as url, slow.serving() as plain:
        last = race(connected(url, plain_base_url=plain), store)[-1]
    assert last.finished is not None
    assert last.finished.identical
    assert len(fast.bodies) == len(slow.bodies) == 1
    assert UNTOLD in last.headline
    assert "drafts by the server" in last.headline


def test_a_race_without_a_second_server_says_what_it_needs(
    connected: Connect, store: Store
) -> None:
    with Told(events=[said("Five days.", "stop")]).serving() as url:
        assert race(connected(url), store)[-1].error == NEEDS_SECOND


def test_a_race_whose_server_is_gone_says_so(connected: Connect, store: Store) -> None:
    with Told().serving() as url:
        model = connected(url, plain_base_url=url)
    assert race(model, store)[-1].error == SERVER_AWAY


def test_the_whole_app_on_a_server(ours: Ours, tiny_model_dir: Path, tmp_path: Path) -> None:
    settings = Settings(
        engine="openai",
        base_url=ours.url,
        model=str(tiny_model_dir),
        max_tokens=32,
        port=free_port(),
        host="127.0.0.1",
        database_url=f"sqlite:///{tmp_path / 'app.db'}",
    )
    parts = compose(settings)
    try:
        components = parts.page.config["components"]
        shown = [each["props"].get("value") for each in components]
        assert any(SEARCH_ALONE in value for value in shown if isinstance(value, str))
        listen(parts.page, settings, parts.company, parts.routes())
        body = {
            "model": "care-assistant",
            "messages": [{"role": "user", "content": QUESTION}],
        }
        url = f"http://127.0.0.1:{settings.port}"
        answer = httpx.post(f"{url}/v1/chat/completions", json=body, timeout=120).json()
        assert answer["care"]["sources"]
        assert httpx.get(f"{url}/metrics", timeout=60).status_code == 200
        assert httpx.get(f"{url}/health", timeout=60).status_code == 200
    finally:
        parts.close()
