"""What changes on the chat tab after an event, free of components."""

from __future__ import annotations

from dataclasses import dataclass

from specchat.ui.chat.transcript import Message
from specchat.ui.shared.identity import Identity


@dataclass(frozen=True)
class ChatViewState:
    """What changes on the page. None leaves a part as it is."""

    messages: list[Message] | None = None
    opinions: list[str | None] | None = None  # thumbs, one for each run of the shop's messages
    box: str | None = None  # the text in the question box
    identity: Identity | None = None
    keeps: bool | None = None  # whether the browser agrees that conversations are kept
    alert: str | None = None  # HTML
    notes: str | None = None  # HTML
    conversations: list[tuple[str, str]] | None = None  # (title, id), last used first
    current: str = ""  # which of `conversations` is open
    listed: str | None = None  # HTML under the list: why it is empty, what was done
    title: str | None = None  # of the open conversation; "" when none is kept
    answering: bool | None = None
    panel: str | None = None  # HTML of the hand-off
    waits: bool | None = None  # a hand-off is open: ask now and then how it stands
    offer: str | None = None  # HTML of the offer of a person
    rating: bool | None = None  # ask how satisfied the customer is
    asks_consent: bool | None = None
    download: str | None = None  # JSON for the page's script: name, type, text
