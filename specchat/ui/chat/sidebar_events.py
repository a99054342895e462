"""What a customer does with their conversations and data: search, rename, delete, save, forget."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from typing import Any

from specchat.chat.service import ChatService
from specchat.ui.chat import labels as text
from specchat.ui.chat.view import ChatView
from specchat.ui.chat.view_state import ChatViewState
from specchat.ui.shared import alerts as say
from specchat.ui.shared.identity import identity_of

_FILES = {"json": ("json", "application/json"), "markdown": ("md", "text/markdown")}


class SidebarEvents:
    """The events of the sidebar, free of components."""

    def __init__(self, service: ChatService, view: ChatView) -> None:
        self._service = service
        self._view = view

    def search(self, words: str | None, stored: Any) -> ChatViewState:
        """Conversations in which all the words occur; all without a word."""
        who = identity_of(stored)
        listing = self._view.listing(who, words or "")
        return ChatViewState(
            conversations=listing.titles, current=who.conversation, listed=listing.said
        )

    def rename(self, title: str | None, stored: Any) -> ChatViewState:
        """Give the open conversation another title, which is something new to keep."""
        who = identity_of(stored)
        if not who.conversation:
            return ChatViewState(listed=say.hint(text.NOTHING_OPEN))
        if who.keeps is False:
            kept = who.conversation in [key for _, key in self._view.titles(who)]
            return ChatViewState(listed=say.hint(text.NOTHING_NEW_KEPT if kept else text.NOT_KEPT))
        try:
            self._service.rename_conversation(who.conversation, title or "", owner=who.owner)
        except LookupError:
            return ChatViewState(listed=say.hint(text.NOT_KEPT))
        return ChatViewState(
            conversations=self._view.titles(who),
            current=who.conversation,
            listed=say.hint(text.RENAMED),
        )

    def delete(self, stored: Any) -> ChatViewState:
        """Erase the open conversation."""
        who = identity_of(stored)
        if not who.conversation:
            return ChatViewState(listed=say.hint(text.NOTHING_OPEN))
        self._service.delete_conversation(who.conversation, owner=who.owner)
        shown = self._view.show(who.opened(""))
        return replace(shown, listed=say.hint(text.DELETED))

    def save(self, form: str, title: str | None, stored: Any) -> ChatViewState:
        """The open conversation as a file that the browser saves; none is left on the server."""
        who = identity_of(stored)
        if not who.conversation:
            return ChatViewState(listed=say.hint(text.NOTHING_OPEN), download="")
        written = self._service.export(who.conversation, form, owner=who.owner, title=title or "")
        ending, kind = _FILES[form]
        file = {"name": f"{_file_name(title)}.{ending}", "type": kind, "text": written}
        return ChatViewState(download=json.dumps(file), listed="")

    def forget(self, stored: Any) -> ChatViewState:
        """Erase everything of this customer, who is a new one from now on."""
        who = identity_of(stored)
        self._service.forget(who.owner)
        shown = self._view.show(who.forgotten())
        return replace(shown, notes=say.notes([text.FORGOTTEN]), box="")


def _file_name(title: str | None) -> str:
    """Letters and digits of a title, for a file."""
    name = re.sub(r"[^\w-]+", "-", title or "").strip("-").lower()[:40]
    return name or "conversation"
