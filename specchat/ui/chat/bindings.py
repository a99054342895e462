"""Connects the chat's components to its events."""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import Any

import gradio as gr

from specchat.chat.service import ChatService
from specchat.chat.types import ChatError
from specchat.ui.chat.care_events import CareEvents
from specchat.ui.chat.events import ChatEvents
from specchat.ui.chat.sidebar import bind_sidebar
from specchat.ui.chat.sidebar_events import SidebarEvents
from specchat.ui.chat.tab import ChatTab
from specchat.ui.chat.view import ChatView
from specchat.ui.chat.view_state import ChatViewState
from specchat.ui.shared import alerts as say
from specchat.ui.shared.identity import reading
from specchat.ui.shared.sampling_controls import EngineQueue, kept


def bind_chat(
    tab: ChatTab,
    service: ChatService,
    queue: EngineQueue,
    page: gr.Blocks,
    *,
    engineer: bool = True,
) -> None:
    """Connect every control of the chat and its sidebar. Without `engineer` an answer says how long
    it took, and nothing else of the engine."""
    view = ChatView(service, evidence=engineer)
    events, care = ChatEvents(service, view), CareEvents(service, view)
    bound = _Bound(tab, events, care)
    quick = {**queue.quick(), "outputs": tab.outputs(), "show_progress": "hidden"}
    who = tab.identity
    _bind_answers(tab, bound, queue)
    tab.chatbot.undo(bound.single(events.undo), **reading(who), **quick)
    tab.chatbot.like(bound.like, **reading(who), **quick)
    tab.stop.click(bound.single(events.stop), **reading(who), **quick)
    gr.on(
        [tab.sidebar.new.click, tab.chatbot.clear], bound.single(view.new), **reading(who), **quick
    )
    latest = {**quick, **queue.latest()}
    tab.sidebar.conversations.input(
        bound.single(view.open), **reading(who, tab.sidebar.conversations, who), **latest
    )
    tab.accept.click(bound.single(care.accept), **reading(who), **quick)
    tab.person.click(bound.single(care.person), **reading(who), **quick)
    tab.back.click(bound.single(care.back), **reading(who), **quick)
    tab.end.click(bound.single(care.end), **reading(who), **quick)
    rating = tab.rating
    rating.send.click(
        bound.single(care.rate_conversation),
        **reading(who, rating.score, rating.comment, who),
        **quick,
    )
    rating.skip.click(bound.single(care.skip_rating), **reading(who), **quick)
    _bind_consent(tab, bound, care, quick)
    tab.sidebar.keep.input(
        bound.single(care.consent),
        **reading(who, tab.sidebar.keep, who, before="specchatIdentity.consent(values[0]); "),
        **latest,
    )
    _bind_timer(tab, bound, queue)
    sidebar = SidebarEvents(service, view)
    bind_sidebar(tab.sidebar, who, sidebar, queue, bound.single, tab.outputs())
    page.load(bound.single(view.load), **reading(who), **quick)


class _Bound:
    """Handlers in the shape the page wants: screens in, updates out, errors as sentences."""

    def __init__(self, tab: ChatTab, events: ChatEvents, care: CareEvents) -> None:
        self._tab = tab
        self._events = events
        self._care = care

    def single(self, event: Callable[..., ChatViewState]) -> Callable[..., Any]:
        """An event with one screen."""

        def handle(*arguments: Any) -> Any:
            try:
                return self._tab.rendered(event(*say.well_formed(arguments)))
            except say.EXPECTED as error:
                return self._tab.rendered(ChatViewState(alert=say.problem(error)))

        return handle

    def like(self, stored: Any, thumb: gr.LikeData) -> Any:
        """A thumb."""
        return self.single(lambda: self._care.rate_answer(thumb.index, thumb.liked, stored))()

    def ask(self, question: str, stored: Any, *options: Any) -> Generator[Any, None, None]:
        """The question in the box."""
        read = self._tab.options.read
        (asked,) = say.well_formed([question])
        yield from self._all(lambda: self._events.ask(asked, stored, read(*options)))

    def topic(
        self, chosen: gr.SelectData, stored: Any, *options: Any
    ) -> Generator[Any, None, None]:
        """A topic that was offered."""
        yield from self.ask(str(chosen.value["text"]), stored, *options)

    def retry(self, stored: Any, *options: Any) -> Generator[Any, None, None]:
        """Another answer."""
        read = self._tab.options.read
        yield from self._all(lambda: self._events.retry(stored, read(*options)))

    def edit(self, edited: gr.EditData, stored: Any, *options: Any) -> Generator[Any, None, None]:
        """Another question in the place of an old one."""
        read, (said,) = self._tab.options.read, say.well_formed([str(edited.value)])
        yield from self._all(lambda: self._events.edit(edited.index, said, stored, read(*options)))

    def tick(self, stored: Any, seen: str) -> tuple[dict[Any, Any], str]:
        """Now and then while a hand-off is open."""
        try:
            view_state, state = self._care.tick(stored, seen)
        except say.EXPECTED:
            view_state, state = ChatViewState(), seen
        return self._tab.rendered(view_state), state

    def _all(
        self, begin: Callable[[], Generator[ChatViewState, None, None]]
    ) -> Generator[Any, None, None]:
        try:
            screens = begin()
        except ChatError as error:
            yield self._tab.rendered(ChatViewState(alert=say.problem(error)))
            return
        try:
            for view_state in screens:
                yield self._tab.rendered(view_state)
        finally:
            screens.close()


def _bind_answers(tab: ChatTab, bound: _Bound, queue: EngineQueue) -> None:
    answering = {**queue.answering(), "outputs": tab.outputs(), "show_progress": "hidden"}
    who = tab.identity
    settings = [who, *tab.options.inputs()]
    gr.on(
        [tab.box.submit, tab.send.click],
        bound.ask,
        **reading(who, tab.box, *settings),
        **kept(answering),
    )
    tab.chatbot.example_select(bound.topic, **reading(who, *settings), **answering)
    tab.chatbot.retry(bound.retry, **reading(who, *settings), **answering)
    tab.chatbot.edit(bound.edit, **reading(who, *settings), **answering)


def _bind_consent(tab: ChatTab, bound: _Bound, care: CareEvents, quick: dict[str, Any]) -> None:
    who = tab.identity
    for button, keeps in ((tab.consent.yes, True), (tab.consent.no, False)):
        button.click(
            bound.single(lambda stored, keeps=keeps: care.consent(keeps, stored)),
            **reading(who, before=f"specchatIdentity.consent({str(keeps).lower()}); "),
            **quick,
        )


def _bind_timer(tab: ChatTab, bound: _Bound, queue: EngineQueue) -> None:
    seen = gr.State("")

    def tick(stored: Any, state: str) -> dict[Any, Any]:
        changes, now = bound.tick(stored, state)
        return {**changes, seen: now}

    tab.timer.tick(
        tick,
        **reading(tab.identity, tab.identity, seen),
        outputs=[*tab.outputs(), seen],
        show_progress="hidden",
        **queue.quick(),
    )
