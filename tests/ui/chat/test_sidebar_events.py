"""The list of past conversations, and what a browser may send."""

from __future__ import annotations

import pytest

from specchat.chat.service import ChatService
from specchat.ui.chat.events import ChatEvents
from specchat.ui.chat.sidebar_events import SidebarEvents
from specchat.ui.chat.view import ChatView
from specchat.ui.shared import alerts as say
from specchat.ui.shared.identity import identity_of
from storage import Store
from tests.storage.stored_examples import turn
from tests.ui.chat.asked import asked, kept


def test_a_list_that_ends_says_so_and_a_search_finds_the_rest(
    view: ChatView, service: ChatService, store: Store
) -> None:
    who = identity_of(kept())
    sidebar = SidebarEvents(service, view)
    for number in range(52):
        key = store.create_conversation(who.owner, f"Lamp {number}")
        store.record_turn(turn(key))
        if number == 49:
            assert "only the 50" not in (view.load(who.stored()).listed or "").lower()
    assert store.flush()
    shown = view.load(who.stored())
    assert len(shown.conversations or []) == 50
    assert "Only the 50 last used" in (shown.listed or "")
    assert "More than 50" in (sidebar.search("lamp", who.stored()).listed or "")
    found = sidebar.search("Lamp 0", who.stored())
    assert [title for title, _ in found.conversations or []][-1] == "Lamp 0"
    assert sidebar.search("Lamp 51", who.stored()).listed == ""
    assert "No conversation has" in (sidebar.search("sofa", who.stored()).listed or "")


@pytest.mark.parametrize("broken", ["\ud800", "where \udfff is", "\x00"])
def test_lone_surrogates_are_searched_asked_and_written(
    events: ChatEvents, view: ChatView, service: ChatService, broken: str
) -> None:
    """What an event sends back is JSON, which has no lone surrogate either."""
    (sent,) = say.well_formed([broken])
    sent.encode()
    last = asked(events, f"Where is it? {sent}", kept())[-1]
    assert last.identity is not None
    who = {**last.identity.stored(), "conversation": broken}
    assert "no longer there" in (view.load(who).notes or "")
    sidebar = SidebarEvents(service, view)
    assert "No conversation has" in (sidebar.search(f"sofa {broken}", kept()).listed or "")
    renamed = sidebar.rename(f"A {sent}", last.identity.stored())
    assert renamed.conversations is not None
