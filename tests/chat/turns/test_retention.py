"""How long a chat keeps what was said, and that it hears of erasures it did not make."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import timedelta

import pytest

from specchat.chat.turns import retention
from storage import Store, Subject
from storage.records import utc_now
from tests.chat.conftest import Chat
from tests.storage.stored_examples import turn


@pytest.fixture(autouse=True)
def _looks_often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retention.Retention.__init__, "__kwdefaults__", {"look_s": 0.02})


def eventually(holds: Callable[[], object]) -> None:
    deadline = time.monotonic() + 240
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def stored(store: Store, days: int) -> str:
    conversation = store.create_conversation("ann")
    then = utc_now() - timedelta(days=days)
    store.record_turn(turn(conversation, question=f"{days} days ago", created_at=then))
    assert store.flush()
    return conversation


def test_what_is_too_old_goes_when_the_chat_starts(
    store: Store, make_chat: Callable[..., Chat]
) -> None:
    old, young = stored(store, 31), stored(store, 29)
    make_chat(retention_days=30)
    eventually(lambda: not store.turns(old))
    assert len(store.turns(young)) == 1
    assert [row.actor for row in store.personal.erasures()] == ["retention"]


def test_it_goes_again_a_day_later(
    store: Store, make_chat: Callable[..., Chat], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retention, "DAY_S", 0.0)
    make_chat(retention_days=30)
    late = stored(store, 31)
    eventually(lambda: not store.turns(late))


def test_nothing_is_too_old_where_it_is_switched_off(
    store: Store, make_chat: Callable[..., Chat], monkeypatch: pytest.MonkeyPatch
) -> None:
    heard = []
    monkeypatch.setattr(retention.Retention, "_listen", lambda self: heard.append(1))
    old = stored(store, 3_000)
    make_chat(retention_days=0)
    eventually(lambda: len(heard) > 2)
    assert len(store.turns(old)) == 1


def test_what_a_command_erases_beside_the_chat_is_forgotten_and_unlearned(
    store: Store, make_chat: Callable[..., Chat]
) -> None:
    chat = make_chat(learn=True, retention_days=0)
    service, learning = chat.service, chat.service.learning
    assert learning is not None
    for owner in ("ann", "bob"):
        chat.engine.says((f"only {owner} was told", "target"))
        conversation = service.new_conversation(owner)
        list(service.answer(conversation, "Where is it?", owner=owner))
    assert learning.wait(240)
    assert _told(chat, "ann") == 1
    (anns,) = store.conversations("ann")

    store.personal.erase(Subject(owner="ann"), "operator")

    eventually(lambda: chat.engine.evicted)
    assert learning.wait(240)
    assert (_told(chat, "ann"), _told(chat, "bob")) == (0, 1)
    with pytest.raises(LookupError):
        service.history(anns.id, "ann")
    (bobs,) = store.conversations("bob")
    assert len(service.history(bobs.id, "bob")) == 1


def _told(chat: Chat, owner: str) -> int:
    """How many learned answers are of that owner."""
    texts = [chat.tokenizer.decode(ids) for ids in chat.engine.learned]
    return sum(f"only {owner} was told" in text for text in texts)
