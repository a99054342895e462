"""Thoughts of a model that reasons before it answers: no part of the answer, so they are neither
shown nor kept.

Such models write them between two markers, as special tokens, as added ones or as plain text; or
the template has opened the thought already, and the model writes only the marker that closes it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from specchat.engine.request import Token

Piece = tuple[str, str]
"""Text and the source of the token it came from."""

MARKERS = (
    ("<think>", "</think>"),
    ("<thinking>", "</thinking>"),
    ("<thought>", "</thought>"),
    ("<reasoning>", "</reasoning>"),
    ("<seed:think>", "</seed:think>"),
    ("[THINK]", "[/THINK]"),
    ("<|begin_of_thought|>", "<|end_of_thought|>"),
    ("<|channel|>analysis<|message|>", "<|channel|>final<|message|>"),
)
"""As Qwen, DeepSeek, SmolLM, Granite, Seed, Magistral, Sky and gpt-oss write them."""

THOUGHT_TOKENS = 1024
"""That a model may think beside its answer, where the context has room for it."""

_CLOSING = {closing: opening for opening, closing in MARKERS}
_OPENING = dict(MARKERS)
_LONGEST = max(len(marker) for pair in MARKERS for marker in pair)


@dataclass(frozen=True, slots=True)
class Thinking:
    """How one model thinks."""

    tokens: int = 0  # beside the answer's; 0 where it has no word for a thought
    opened: str = ""  # what closes the thought that every prompt opens
    markers: Mapping[int, str] = field(default_factory=dict)  # texts of tokens, hidden ones too

    @classmethod
    def of(cls, tokenizer: Any, prompt: str) -> Thinking:
        """What a tokenizer, its chat template and a prompt that the template wrote tell."""
        template = str(getattr(tokenizer, "chat_template", None) or "")
        added = {token.content: i for i, token in tokenizer.added_tokens_decoder.items()}
        markers = {added[part]: part for part in _TOKENS if part in added}
        if not any(m in template or added.keys() >= set(_tokens(m)) for m in _OPENING):
            return cls()
        opened = (c for o, c in MARKERS if prompt.rfind(o) > prompt.rfind(c))
        return cls(THOUGHT_TOKENS, next(opened, ""), markers)

    def start(self) -> Thoughts:
        """For one answer."""
        return Thoughts(self)


class Thoughts:
    """Takes an answer's tokens one after the other and lets its words through."""

    def __init__(self, thinking: Thinking) -> None:
        self._markers = thinking.markers
        self._until = thinking.opened
        self._held: list[Piece] = []  # may be the start of a marker
        self._trims = False  # a thought has ended, and no word has come since
        self.restarted = False
        """What was let through before turned out to be a thought: its closing marker came."""

    @property
    def open(self) -> bool:
        """True inside a thought."""
        return bool(self._until)

    def feed(self, tokens: Iterable[Token]) -> list[Piece]:
        """The words among these tokens, with their sources."""
        found: list[Piece] = []
        for token in tokens:
            text = self._markers.get(token.token_id, token.text)
            self._held.append((text, token.source))
            found = self._told(found)
        return found

    def flush(self) -> list[Piece]:
        """What was held back, when no token comes any more."""
        held, self._held = self._held, []
        return [] if self._until else self._spoken(held)

    def _told(self, found: list[Piece]) -> list[Piece]:
        """`found` with what is certain now of what is held."""
        while True:
            text = "".join(piece for piece, _ in self._held)
            wanted = [self._until] if self._until else [*_OPENING, *_CLOSING]
            at, marker = min(
                ((text.find(m), m) for m in wanted if m in text), default=(-1, ""), key=_first
            )
            if at < 0:
                kept = _possible(text, wanted)
                words = self._take(len(text) - kept)
                return found if self._until else found + self._spoken(words)
            words = self._take(at)
            self._take(len(marker))
            if marker in _OPENING:
                found = found + self._spoken(words)
                self._until = _OPENING[marker]
            elif self._until:
                self._until, self._trims = "", True
            else:  # nobody opened it: all that came before was the thought
                found, self._trims, self.restarted = [], True, True

    def _take(self, count: int) -> list[Piece]:
        """The first `count` characters that are held."""
        taken: list[Piece] = []
        while self._held and count >= len(self._held[0][0]):
            count -= len(self._held[0][0])
            taken.append(self._held.pop(0))
        if count:
            text, source = self._held[0]
            taken.append((text[:count], source))
            self._held[0] = (text[count:], source)
        return taken

    def _spoken(self, words: list[Piece]) -> list[Piece]:
        """Words of the answer; the lines between a thought and it belong to neither."""
        spoken: list[Piece] = []
        for text, source in words:
            if self._trims and not (text := text.lstrip()):
                continue
            self._trims = False
            spoken.append((text, source))
        return spoken


def _first(found: tuple[int, str]) -> tuple[int, int]:
    return found[0], -len(found[1])


def _possible(text: str, markers: Iterable[str]) -> int:
    """Characters at the end of `text` that a marker may begin with."""
    longest = min(len(text), _LONGEST - 1)
    return next(
        (
            size
            for size in range(longest, 0, -1)
            if any(m.startswith(text[-size:]) for m in markers)
        ),
        0,
    )


def _tokens(marker: str) -> list[str]:
    """The tokens of a marker; those of gpt-oss have words between them."""
    return re.findall(r"<\|\w+\|>", marker) or [marker]


_TOKENS = frozenset(token for pair in MARKERS for marker in pair for token in _tokens(marker))
