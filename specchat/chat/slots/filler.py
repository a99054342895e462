"""Slots of the bundled model: what is known of each, and filling them while an answer streams."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from itertools import groupby

from specchat.chat.company.profile import Company
from specchat.chat.slots.phrases import LOOKAHEAD, LOOKAHEAD_CHARACTERS, phrase
from specchat.chat.slots.rewrite import Rewrite, rewrite_input
from specchat.chat.slots.vocabulary import BITEXT_SLOTS, SLOTS

__all__ = ["Piece", "Rewrite", "SlotFiller", "SlotValues", "rewrite_input"]

Piece = tuple[str, str]
"""Text and the source of the token it came from."""


@dataclass(frozen=True, slots=True)
class SlotValues:
    """What is known about the slots: facts of the company, and what this customer said."""

    company: Mapping[str, str] = field(default_factory=dict)
    customer: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, company: Company) -> SlotValues:
        """The company's facts, and nothing said yet."""
        facts = company.slot_values()
        facts["company_currency"] = company.currency
        if company.delivery is not None:
            facts["delivery_days"] = company.delivery.standard_days
        return cls(facts)

    def with_customer(self, said: Mapping[str, str]) -> SlotValues:
        """With what the customer said now; what was said last counts."""
        known = {name: value for name, value in said.items() if value}
        return replace(self, customer={**self.customer, **known}) if known else self

    @property
    def known(self) -> dict[str, str]:
        """Every known value; the company's facts cannot be overruled by the customer."""
        return {**self.customer, **self.company}


class SlotFiller:
    """Turns the model's text into text for people, piece by piece.

    No "{{" or "}}" ever leaves it: a known slot becomes its value, an unknown one neutral words,
    a broken one loses its braces. At most `HOLD` characters are held back, and none after
    `flush`. Switched off it passes everything through as it is.
    """

    HOLD = 96

    def __init__(self, values: SlotValues, *, enabled: bool = True) -> None:
        self._values = values.known
        self._enabled = enabled
        self._text = ""  # held back
        self._sources: list[str] = []  # one for each character of `_text`
        self._tail = ""  # the end of what has left, as context
        self._swallow = False  # a space, after a slot that became nothing
        self._out: list[Piece] = []

    def feed(self, pieces: Iterable[Piece]) -> list[Piece]:
        """The pieces that can be shown now; the characters of one run of pieces stay in order."""
        if not self._enabled:
            return [piece for piece in pieces if piece[0]]
        for text, source in pieces:
            self._text += text
            self._sources += [source] * len(text)
        return self._drain(final=False)

    def flush(self) -> list[Piece]:
        """Everything that is still held back; the answer has ended."""
        return self._drain(final=True) if self._enabled else []

    def fill(self, text: str, source: str = "") -> str:
        """A whole text at once."""
        pieces = [*self.feed([(text, source)]), *self.flush()]
        return "".join(piece for piece, _ in pieces)

    def _drain(self, *, final: bool) -> list[Piece]:
        while self._step(final):
            pass
        self._emit(len(self._text) if final else self._free())
        out, self._out = self._out, []
        return out

    def _step(self, final: bool) -> bool:
        """Deal with the first "{{" if it can be; True when something was done."""
        opening = _OPEN.search(self._text)
        if opening is None:
            return False
        closing = _CLOSE.search(self._text, opening.end())
        inner_end = closing.start() if closing else len(self._text)
        inner = self._text[opening.end() : inner_end]
        if len(inner) > _LONGEST_NAME or "\n" in inner or (closing is None and final):
            self._cut(opening.start(), opening.end())
            return True
        if closing is None:
            return False
        name = _slot_name(inner)
        after = self._text[closing.end() :]
        if name in LOOKAHEAD and len(after) < LOOKAHEAD_CHARACTERS and not final:
            return False
        self._resolve(name, opening.start(), closing.end(), after)
        return True

    def _resolve(self, name: str, start: int, end: int, after: str) -> None:
        before = (self._tail + self._text[:start])[-_CONTEXT:]
        words = phrase(name, before, _OPEN.split(after)[0], self._values)
        drop = min(words.drop, start)
        source = self._sources[start]
        self._emit(start - drop)
        self._cut(0, end - start + drop + words.skip)
        self._put(_BRACES.sub("", words.text), source)
        self._swallow = not words.text and self._tail[-1:] in ("", " ", "\n")

    def _free(self) -> int:
        """How many characters need not be held back."""
        opening = _OPEN.search(self._text)
        end = opening.start() if opening else len(self._text)
        if opening is None:  # a pair of braces may be on its way
            end = len(self._text.rstrip("{}"))
        return end - min(_dangling(self._text[:end]), self.HOLD - _LONGEST_NAME)

    def _emit(self, count: int) -> None:
        """Let the first `count` held characters leave."""
        text, sources = self._text[:count], self._sources[:count]
        self._cut(0, count)
        start = 0
        for source, run in groupby(sources):
            length = len(list(run))
            self._put(text[start : start + length], source)
            start += length

    def _put(self, text: str, source: str) -> None:
        """Append to what leaves, never making a pair of braces."""
        while _PAIRS.search(text):
            text = _PAIRS.sub("", text)
        if text and self._swallow:
            text, self._swallow = text.removeprefix(" "), False
        if text[:1] in ("{", "}") and self._tail.endswith(text[:1]):
            text = text.lstrip(text[0])
        if text:
            self._out.append((text, source))
            self._tail = (self._tail + text)[-_CONTEXT:]

    def _cut(self, start: int, end: int) -> None:
        self._text = self._text[:start] + self._text[end:]
        del self._sources[start:end]


_OPEN = re.compile(r"\{{2,}")
_CLOSE = re.compile(r"\}{2,}")
_PAIRS = re.compile(r"\{{2,}|\}{2,}")
_BRACES = re.compile(r"[{}]")
_CONTEXT = 100  # characters looked back at
_LONGEST_NAME = 48

_HOLD_TEXT = """
the your a an this that my order purchase invoice bill receipt claim case ticket tracking reference
parcel package shipment associated with under by having its number no id code is city country of
mr mrs ms dr
"""
_HOLD_WORDS = frozenset(_HOLD_TEXT.split())
_TOKEN = re.compile(r"\s+|[\w']+|[^\w\s]")


def _dangling(text: str) -> int:
    """Length of the end of `text` that may have to give way to the words of a slot."""
    length = 0
    tokens = [match[0] for match in _TOKEN.finditer(text[-64:])]
    for index, token in enumerate(reversed(tokens)):
        lower = token.lower()
        word = lower in _HOLD_WORDS or (
            index == 0 and any(other.startswith(lower) for other in _HOLD_WORDS)
        )
        if not (word or token.isspace() or token in "#:.,$€£¥₹"):
            break
        length += len(token)
    return length


def _slot_name(inner: str) -> str:
    """The slot's name; data sets' spellings are understood."""
    name = inner.strip()
    if name in SLOTS:
        return name
    key = " ".join(name.lower().replace("_", " ").split())
    return BITEXT_SLOTS.get(key, key.replace(" ", "_") if key.replace(" ", "_") in SLOTS else name)


def merge_pieces(pieces: Iterable[Piece]) -> Iterator[Piece]:
    """Neighbouring pieces of one source as one."""
    for source, run in groupby(pieces, key=lambda piece: piece[1]):
        text = "".join(piece for piece, _ in run)
        if text:
            yield text, source
