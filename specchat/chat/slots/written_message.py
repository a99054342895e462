"""Messages that were written down, in a file or a store, as the chat would pass them on."""

from __future__ import annotations

import re

from specchat.chat.slots.message import Message, Role, Slot
from specchat.chat.slots.rewrite import rewrite_input
from specchat.chat.slots.vocabulary import SLOTS


def written_message(role: Role, content: str, uses_slots: bool) -> Message:
    """A message for the prompt; where the model `uses_slots`, `{{slot}}` is one, and in a
    customer's own words what stands for a slot becomes it."""
    if not uses_slots:
        return Message.of(role, content)
    pieces = re.split(rf"\{{\{{({'|'.join(SLOTS)})\}}\}}", content)
    if len(pieces) == 1 and role == "user":
        return Message(role, rewrite_input(content).parts)
    parts = (Slot(piece) if index % 2 else piece for index, piece in enumerate(pieces))
    return Message(role, tuple(part for part in parts if part))
