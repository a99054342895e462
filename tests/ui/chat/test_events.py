"""What the chat does when somebody acts, without a page."""

from __future__ import annotations

import gradio as gr
import pytest

from specchat.chat.company.profile import load_company
from specchat.chat.service import ChatService
from specchat.chat.types import AnswerOptions, ChatError
from specchat.ui.chat.care_events import CareEvents
from specchat.ui.chat.events import ChatEvents
from specchat.ui.chat.said import typed_text
from specchat.ui.chat.sidebar import build_sidebar
from specchat.ui.chat.sidebar_events import SidebarEvents
from specchat.ui.chat.tab import build_chat_tab
from specchat.ui.chat.view import ChatView
from specchat.ui.chat.view_state import ChatViewState
from specchat.ui.desk.events import DeskEvents, DeskViewState
from specchat.ui.desk.sessions import DeskSessions
from specchat.ui.race.events import RaceEvents
from specchat.ui.shared.identity import identity_of, new_owner
from specchat.ui.shared.sampling_controls import build_sampling_controls, read_options
from storage import Store, StoreError
from tests.ui.chat.asked import OPTIONS, asked, kept
from tests.ui.double import ScriptedEngine


def test_a_question_is_answered_and_the_box_let_go(events: ChatEvents) -> None:
    first, *_, last = asked(events, "Where is it?")
    assert (first.box, first.answering) == ("", True)
    assert last.answering is False
    assert last.messages is not None
    assert [message["role"] for message in last.messages] == ["user", "assistant", "assistant"]
    assert "tok/s" in last.messages[2]["metadata"]["title"]
    assert last.asks_consent is None  # may have been answered meanwhile
    assert last.conversations == []  # not kept before the customer agrees


def test_agreeing_keeps_what_is_said_from_then_on(
    events: ChatEvents, care: CareEvents, service: ChatService
) -> None:
    who = asked(events, "Where is it?")[-1].identity
    assert who is not None
    assert care.consent(True, who.stored()).keeps is True
    agreed = who.consenting(True)
    last = asked(events, "And when?", agreed.stored())[-1]
    assert last.conversations is not None
    assert [name for name, _ in last.conversations] == ["And when?"]
    view_state = care.consent(False, agreed.stored())
    assert "stay until you delete them" in (view_state.notes or "")
    declined = view_state.identity
    assert declined is not None
    assert (declined.keeps, declined.conversation) == (False, "")
    asked(events, "A new one", declined.stored())
    assert len(service.conversations(who.owner)) == 1


def test_an_earlier_conversation_keeps_no_more_than_was_agreed_to(
    events: ChatEvents, care: CareEvents, view: ChatView, service: ChatService, store: Store
) -> None:
    who = asked(events, "Where is it?", kept())[-1].identity
    assert who is not None
    earlier = who.conversation
    declined = care.consent(False, who.stored()).identity
    assert declined is not None
    opened = view.open(earlier, declined.stored()).identity
    assert opened is not None
    for screens in (
        events.retry(opened.stored(), OPTIONS),
        events.edit(0, "Where is my walrus?", opened.stored(), OPTIONS),
    ):
        assert "not agreed" in (next(screens).alert or "")
    first, *_, last = asked(events, "Where is my walrus?", opened.stored())
    assert "not agreed" in (first.notes or "")
    assert "not agreed" in (last.notes or "")
    assert last.identity is not None
    assert last.identity.conversation not in ("", earlier)
    assert [typed_text(m["content"]) for m in last.messages or [] if m["role"] == "user"] == [
        "Where is my walrus?"
    ]
    again = asked(events, "And when?", last.identity.stored())[-1]
    assert (again.identity, again.notes) == (last.identity, "")
    assert store.flush()
    assert [turn.question for turn in store.turns(earlier)] == ["Where is it?"]
    care.rate_conversation(4, "It was the walrus.", opened.stored())
    assert store.flush()
    (rating,) = store.care.feedback(earlier)
    assert (rating.score, rating.comment) == (4, "")
    service.request_person(earlier, owner=who.owner)
    passed = asked(events, "Hello?", opened.stored())[-1]
    assert passed.identity == opened


def test_a_conversation_that_is_gone_is_said_to_be(
    events: ChatEvents, care: CareEvents, view: ChatView
) -> None:
    gone = {**kept(), "conversation": "0" * 32}
    first, *_, last = asked(events, "Where is it?", gone)
    for view_state in (first, last, view.load(gone), care.person(gone)):
        assert "no longer there" in (view_state.notes or "")
    assert last.identity is not None
    assert asked(events, "And when?", last.identity.stored())[-1].notes == ""


def test_thumbs_and_edits_find_their_turn(
    events: ChatEvents, care: CareEvents, store: Store
) -> None:
    who = asked(events, "How do I pay?", kept())[-1].identity
    assert who is not None
    *_, last = asked(events, "Where is order 9999?", who.stored())
    roles = [message["role"] for message in last.messages or []]
    second = roles.index("user", 1)
    view_state = care.rate_answer(second + 1, False, who.stored())
    assert view_state.opinions == [None, "Dislike"]
    assert [row.score for row in store.care.feedback()] == [-1]
    assert care.rate_answer((second + 1, 0), "", who.stored()).opinions == [None, None]
    assert store.care.feedback() == []
    *_, edited = events.edit(0, "Can I pay &lt;later&gt;?", who.stored(), OPTIONS)
    assert edited.messages is not None
    assert [typed_text(m["content"]) for m in edited.messages if m["role"] == "user"] == [
        "Can I pay &lt;later&gt;?"
    ]
    with pytest.raises(LookupError):
        care.rate_answer(99, True, who.stored())
    assert 'role="alert"' in (next(events.edit(99, "x", who.stored(), OPTIONS)).alert or "")


def test_saving_and_forgetting_without_a_conversation_say_so(
    service: ChatService, events: ChatEvents, view: ChatView
) -> None:
    sidebar = SidebarEvents(service, view)
    assert "Open a conversation" in (sidebar.save("json", "", kept()).listed or "")
    assert "Open a conversation" in (sidebar.delete(kept()).listed or "")
    assert "Open a conversation" in (sidebar.rename("x", kept()).listed or "")
    before = kept()
    after = sidebar.forget(before).identity
    assert after is not None
    assert after.owner != before["owner"]
    assert after.keeps is True
    who = asked(events, "Keep this to yourself")[-1].identity
    assert who is not None
    assert "not kept" in (sidebar.rename("x", who.stored()).listed or "")


def test_no_new_title_is_kept_after_consent_is_withdrawn(
    service: ChatService, events: ChatEvents, view: ChatView
) -> None:
    sidebar = SidebarEvents(service, view)
    who = asked(events, "Where is my violet teapot?", kept())[-1].identity
    assert who is not None
    before = view.titles(who)
    withdrawn = who.consenting(False)
    assert "not agreed" in (sidebar.rename("My secret", withdrawn.stored()).listed or "")
    assert view.titles(withdrawn) == before
    assert "changed" in (sidebar.rename("The teapot", who.stored()).listed or "")
    assert view.titles(who)[0][0] == "The teapot"


def test_the_desk_does_nothing_without_a_session(service: ChatService, care: CareEvents) -> None:
    sessions = DeskSessions("a long key")
    desk = DeskEvents(service.handoffs, sessions, service.company)
    who = care.person(kept()).identity
    assert who is not None
    (waiting,) = service.handoffs.queue()
    for session in ("", "a long key", None):
        assert desk.arrive(session) == DeskViewState()
        refused = (
            desk.enter(session, "204"),
            desk.look(session, waiting.handoff_id),
            desk.reply(session, waiting.handoff_id, "Hello"),
            desk.close(session, waiting.handoff_id),
        )
        assert [(each.opened, each.customers, each.case) for each in refused] == [
            (False, None, None)
        ] * 4
    assert service.handoffs.queue() == [waiting]
    session = sessions.open("a long key")
    assert desk.arrive(session).opened
    assert desk.enter(session, "204").opened
    assert "Choose a customer" in (desk.reply(session, None, "Hello").alert or "")
    assert "write a reply" in (desk.reply(session, waiting.handoff_id, " ").alert or "")
    assert desk.lock(session).opened is False
    assert "is locked" in (desk.close(session, waiting.handoff_id).alert or "")


def test_the_door_says_why_it_stays_closed(service: ChatService) -> None:
    desk = DeskEvents(service.handoffs, DeskSessions("a long key"), service.company)
    assert "Wrong key" in (desk.enter(None, "401").alert or "")
    assert "keeps no cookie" in (desk.enter(None, "204").alert or "")


def test_a_case_that_cannot_be_closed_is_said_to_stay(
    service: ChatService, care: CareEvents, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise StoreError("the database is locked")

    care.person(kept())
    (waiting,) = service.handoffs.queue()
    monkeypatch.setattr(store.care, "move_handoff", refuse)
    sessions = DeskSessions("a long key")
    desk = DeskEvents(service.handoffs, sessions, service.company)
    assert "is locked" in (desk.close(sessions.open("a long key"), waiting.handoff_id).alert or "")


def test_an_identity_is_made_when_the_browser_has_none() -> None:
    for stored in (None, {}, {"owner": "../../etc"}, "x", {"owner": "A" * 32}):
        assert len(identity_of(stored).owner) == 32
        assert identity_of(stored).owner != stored
    who = identity_of(None)
    assert identity_of(who.stored()) == who


def test_a_conversation_of_somebody_else_is_not_shown(events: ChatEvents, view: ChatView) -> None:
    mine = asked(events, "My order is 777777")[-1].identity
    assert mine is not None
    stolen = {"owner": new_owner(), "conversation": mine.conversation}
    assert not view.load(stolen).messages
    last = asked(events, "Hello?", stolen)[-1]
    assert "777777" not in str(last.messages)


def test_a_full_engine_gives_the_question_back(events: ChatEvents, engine: ScriptedEngine) -> None:
    engine.full.set()
    last = asked(events, "Where is it?")[-1]
    assert last.box == "Where is it?"
    assert "Many customers" in (last.alert or "")
    assert last.messages == []


def test_an_engine_that_dies_gives_the_question_back(
    events: ChatEvents, engine: ScriptedEngine
) -> None:
    engine.broken.set()
    last = asked(events, "Where is it?")[-1]
    assert last.box == "Where is it?"
    assert 'role="alert"' in (last.alert or "")


def test_leaving_in_the_middle_stores_one_cancelled_turn(
    events: ChatEvents, engine: ScriptedEngine, store: Store
) -> None:
    engine.flowing.clear()
    screens = events.ask("Tell me everything", None, OPTIONS)
    for view_state in screens:
        if view_state.messages and "I understand" in view_state.messages[-1]["content"]:
            break
    screens.close()
    assert store.flush()
    assert [row.status for row in store.metrics()] == ["cancelled"]


def test_stop_ends_the_answer(events: ChatEvents, engine: ScriptedEngine, store: Store) -> None:
    engine.flowing.clear()
    screens = events.ask("Tell me everything", None, OPTIONS)
    who = next(screens).identity
    assert who is not None
    for screen in screens:
        if screen.messages and "I understand" in screen.messages[-1]["content"]:
            events.stop(who.stored())
    last = screen
    assert last.messages is not None
    assert last.messages[-1]["metadata"]["title"].startswith("stopped · ")
    assert not last.alert
    assert store.flush()
    assert [row.status for row in store.metrics()] == ["cancelled"]


def test_undo_gives_the_question_back_and_keeps_the_evidence(
    events: ChatEvents, store: Store
) -> None:
    who = asked(events, "How do I pay?")[-1].identity
    assert who is not None
    view_state = events.undo(who.stored())
    assert (view_state.box, view_state.messages) == ("How do I pay?", [])
    assert store.flush()
    assert len(store.metrics()) == 1


def test_retry_answers_the_same_question(events: ChatEvents) -> None:
    who = asked(events, "How do I pay?")[-1].identity
    assert who is not None
    last = list(events.retry(who.stored(), OPTIONS))[-1]
    assert last.messages is not None
    question, _, sources, evidence = last.messages
    assert typed_text(question["content"]) == "How do I pay?"
    assert "Ways to pay" in sources["content"]
    assert "tok/s" in evidence["metadata"]["title"]


def test_retry_and_undo_of_nothing_say_so(events: ChatEvents) -> None:
    assert "no answer" in (next(events.retry(None, OPTIONS)).alert or "")
    assert "nothing to undo" in (events.undo(None).alert or "")


def test_a_screen_that_changes_nothing_changes_nothing() -> None:
    with gr.Blocks():
        sidebar, identity = build_sidebar(), gr.BrowserState(None)
        tab = build_chat_tab(sidebar, identity, load_company(), 64, 0.0)
    assert list(tab.rendered(ChatViewState()).values()) == [gr.skip()]
    shown = tab.rendered(
        ChatViewState(box="", answering=True, waits=True, conversations=[("a", "1")])
    )
    assert set(shown) <= set(tab.outputs())
    assert shown[tab.box] == ""


@pytest.mark.parametrize("wrong", ["x", [], float("inf")])
def test_options_that_are_no_numbers(wrong: object) -> None:
    with pytest.raises(ChatError, match="must be numbers"):
        read_options(temperature=0.0, max_tokens=100, seed=wrong)
    with pytest.raises(ChatError, match="must be numbers"):
        read_options(temperature=0.0, max_tokens=wrong, seed=None)


def test_the_controls_that_are_there_are_read_by_name() -> None:
    with gr.Blocks():
        chat = build_sampling_controls(64, 0.5, with_mode=True)
        race = build_sampling_controls(64, 0.5, with_mode=False, drafters=("mlp",))
    assert chat.read(False, 0.5, 9, "") == AnswerOptions("plain", 0.5, None, 9)
    assert race.read(0.5, 9, 3, ["mlp"], 4) == AnswerOptions("speculative", 0.5, 3, 9, ("mlp",), 4)


def test_a_race_is_stored_redacted_with_the_question_of_both_arms(
    service: ChatService, engine: ScriptedEngine, store: Store
) -> None:
    races = RaceEvents(service, engine, store)  # type: ignore[arg-type]
    question = "Where is my order? Write to jane.doe@example.org"
    *_, last = races.race(question, "owner", AnswerOptions(max_tokens=64, seed=3), keeps=True)
    assert last.finished is not None
    assert last.finished.identical
    assert "same answer ✓" in (last.headline or "")
    assert store.flush()
    (row,) = store.races()
    assert "jane.doe" not in row.prompt
    assert (row.plain.mode, row.speculative.mode) == ("plain", "speculative")
    assert row.plain.seed == row.speculative.seed == 3


def test_a_race_without_a_question_or_with_a_full_engine(
    service: ChatService, engine: ScriptedEngine, store: Store
) -> None:
    races = RaceEvents(service, engine, store)  # type: ignore[arg-type]
    (view_state,) = races.race("  ", "owner", AnswerOptions(max_tokens=64, seed=3))
    assert view_state.error
    engine.full.set()
    *_, last = races.race("Where is it?", "owner", AnswerOptions(max_tokens=64, seed=3))
    assert "Too many people" in (last.error or "")
    assert (last.racing, store.races()) == (False, [])


def test_only_whom_a_colleague_helped_is_asked_how_it_was(
    events: ChatEvents, care: CareEvents, service: ChatService
) -> None:
    who = asked(events, "How do I pay?", kept())[-1].identity
    assert who is not None
    care.person(who.stored())
    _, waiting = care.tick(who.stored(), "")
    care.back(who.stored())
    came_late, _ = care.tick(who.stored(), waiting)
    assert came_late.rating is None
    care.person(who.stored())
    (row,) = service.handoffs.queue()
    service.handoffs.take(row.handoff_id)
    _, helped = care.tick(who.stored(), "")
    service.handoffs.close(row.handoff_id)
    assert care.tick(who.stored(), helped)[0].rating is True
