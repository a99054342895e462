"""A message as the model sees it: words and slots, kept apart.

Slots are structure, never parsed from what a person typed: a customer who types
"{{order_number}}" has typed words.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

from specchat.chat.slots.vocabulary import SLOTS, slot_token

_SLOT_TOKEN = re.compile(rf"\{{\{{({'|'.join(SLOTS)})\}}\}}")

Role = Literal["system", "user", "assistant"]


@dataclass(frozen=True, slots=True)
class Slot:
    """A slot that stands in a text."""

    name: str  # one of `slots_vocab.SLOTS`

    @property
    def token(self) -> str:
        """The text of the slot's token."""
        return slot_token(self.name)


Part = str | Slot
Parts = tuple[Part, ...]


@dataclass(frozen=True, slots=True)
class Message:
    """One message of a conversation."""

    role: Role
    parts: Parts

    @classmethod
    def of(cls, role: Role, text: str) -> Message:
        """A message of plain words."""
        return cls(role, (text,))


def joined(parts: Iterable[Part]) -> str:
    """The parts as one text, slots as their tokens: for people and logs, never to be encoded."""
    return "".join(part.token if isinstance(part, Slot) else part for part in parts)


def merged(parts: Iterable[Part]) -> Parts:
    """The same parts with neighbouring words joined and empty words left out."""
    result: list[Part] = []
    for part in parts:
        if isinstance(part, str) and result and isinstance(result[-1], str):
            result[-1] += part
        elif part:
            result.append(part)
    return tuple(result)


def parsed(text: str) -> Parts:
    """What `joined` made one text of. For text of our own, never for what somebody typed."""
    pieces = enumerate(_SLOT_TOKEN.split(text))
    return merged(Slot(piece) if index % 2 else piece for index, piece in pieces)


def with_slots(text: str, values: Mapping[str, str]) -> Parts:
    """`text` with every whole-word occurrence of a value as its slot; longer values first.

    It gives a filled answer the shape the model wrote it in. Values under three characters are
    left alone, they occur by chance.
    """
    parts: Parts = (text,)
    for name, value in sorted(values.items(), key=lambda item: -len(item[1])):
        if len(value) >= 3:
            parts = merged(piece for part in parts for piece in _split(part, name, value))
    return parts


def _split(part: Part, name: str, value: str) -> Iterable[Part]:
    if isinstance(part, Slot):
        yield part
        return
    start = 0
    while (found := part.find(value, start)) >= 0:
        end = found + len(value)
        if _inside_word(part, found, end):
            yield part[start:end]
        else:
            yield part[start:found]
            yield Slot(name)
        start = end
    yield part[start:]


def _inside_word(text: str, start: int, end: int) -> bool:
    before = start > 0 and text[start - 1].isalnum() and text[start].isalnum()
    after = end < len(text) and text[end].isalnum() and text[end - 1].isalnum()
    return before or after
