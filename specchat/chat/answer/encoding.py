"""Text to ids in two ways: what the template wrote, and what people wrote."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tokenizers import AddedToken, Tokenizer
from tokenizers.models import BPE

_MARKER = re.compile(r"^(?:<.*>|\[.*\]|\{\{.*\}\}|\|.*\|)$", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Written:
    """Text between two structural tokens, or a part of it."""

    text: str
    typed: bool  # by somebody: no token of it may be a special one


Piece = Written | int
"""Text, or the id of a structural token."""


class TextEncoder:
    """Encodes for one tokenizer; safe to use from any thread.

    A tokenizer's switch for special tokens (`split_special_tokens`) is shared state, so people's
    text goes through a copy of the tokenizer in which nothing that marks structure is known:
    neither special tokens nor added ones that look like markers (`<think>`, `[INST]`).

    What stands between two structural tokens is encoded in one piece, whoever wrote its parts, so
    that the ids are those of the whole text: tokenizers put a "▁" or a space before each such
    stretch (`Prepend`, `Metaspace`), and join what meets inside.
    """

    def __init__(self, tokenizer: Any) -> None:
        self._backend = tokenizer.backend_tokenizer
        markers = _markers(tokenizer)
        self._ids = {token.content.strip(): index for index, token in markers.items()}
        self._structure = _pattern(markers.values())
        self._words = _without_markers(tokenizer, self._backend, markers)
        self._later = _behind_a_token(self._words)
        unknown = getattr(tokenizer, "unk_token_id", None)
        self._forbidden = frozenset({*markers, *tokenizer.all_special_ids} - {unknown})

    def template(self, text: str) -> list[Piece]:
        """Text from the chat template, cut at its structural tokens."""
        if self._structure is None:
            return [Written(text, typed=False)]
        pieces: list[Piece] = []
        end = 0
        for found in self._structure.finditer(text):
            pieces += (Written(text[end : found.start()], False), self._ids[found[0].strip()])
            end = found.end()
        return [*pieces, Written(text[end:], False)]

    def special(self, token: str) -> Piece:
        """A special token as the one it is; its plain text when the tokenizer lacks it."""
        found = self._backend.token_to_id(token)
        return Written(token, typed=True) if found is None else int(found)

    def words(self, text: str) -> list[int]:
        """Ids of what somebody wrote: never one of a special token."""
        return self.encode([Written(text, typed=True)])

    def encode(self, pieces: Iterable[Piece]) -> list[int]:
        """Ids of a whole text."""
        ids: list[int] = []
        stretch: list[Written] = []
        for piece in pieces:
            if isinstance(piece, Written):
                stretch.append(piece)
                continue
            ids += self._between(stretch, first=not ids)
            ids.append(piece)
            stretch = []
        return ids + self._between(stretch, first=not ids)

    def _between(self, stretch: Sequence[Written], *, first: bool) -> list[int]:
        """Ids of what stands between two structural tokens, or before the `first`."""
        text = "".join(piece.text for piece in stretch)
        if not text:
            return []
        encoder = self._words if first else self._later
        ids = list(encoder.encode(text, add_special_tokens=False).ids)
        if self._forbidden.isdisjoint(ids):
            return ids
        # A model whose vocabulary holds a marker as an ordinary piece: break the text up.
        if len(stretch) > 1:
            parts = [[piece] for piece in stretch]
        elif len(text) == 1 or not stretch[0].typed:
            return [i for i in ids if i not in self._forbidden or not stretch[0].typed]
        else:
            middle = len(text) // 2
            parts = [[Written(half, typed=True)] for half in (text[:middle], text[middle:])]
        found: list[int] = []
        for part in parts:
            found += self._between(part, first=first and not found)
        return found


def _markers(tokenizer: Any) -> dict[int, AddedToken]:
    """Added tokens that mark structure, by id; people's text must not produce them."""
    return {
        index: token
        for index, token in tokenizer.added_tokens_decoder.items()
        if token.special or _MARKER.match(token.content)
    }


def _pattern(markers: Iterable[AddedToken]) -> re.Pattern[str] | None:
    """Finds structural tokens, with the space beside them that belongs to them."""
    found = [
        (r"\s*" if token.lstrip else "")
        + re.escape(token.content)
        + (r"\s*" if token.rstrip else "")
        for token in sorted(markers, key=lambda token: -len(token.content))
    ]
    return re.compile("|".join(found)) if found else None


def _without_markers(tokenizer: Any, backend: Tokenizer, markers: Mapping[int, Any]) -> Tokenizer:
    """The same tokenizer without the added tokens that mark structure."""
    others = {i: t for i, t in tokenizer.added_tokens_decoder.items() if i not in markers}
    if all(backend.model.token_to_id(token.content) == i for i, token in others.items()):
        words = Tokenizer(backend.model)  # shared: a vocabulary takes long to copy
        if backend.normalizer is not None:
            words.normalizer = backend.normalizer
        if backend.pre_tokenizer is not None:
            words.pre_tokenizer = backend.pre_tokenizer
        words.add_tokens(list(others.values()))
        return words
    state = json.loads(backend.to_str())
    state["added_tokens"] = [t for t in state["added_tokens"] if t["id"] not in markers]
    state["truncation"] = state["padding"] = state["post_processor"] = None
    words = Tokenizer.from_str(json.dumps(state))
    words.encode_special_tokens = True
    return words


def _behind_a_token(words: Tokenizer) -> Tokenizer:
    """The tokenizer for what does not begin a text: a "▁" that only a text's beginning gets is
    left out."""
    if words.pre_tokenizer is None:
        return words
    small = Tokenizer(BPE())
    small.pre_tokenizer = words.pre_tokenizer
    state = small.to_str()
    later = re.sub(r'("prepend_scheme":\s*)"first"', r'\1"never"', state)
    if later == state:
        return words
    found = Tokenizer(words.model)
    if words.normalizer is not None:
        found.normalizer = words.normalizer
    found.pre_tokenizer = Tokenizer.from_str(later).pre_tokenizer
    others = words.get_added_tokens_decoder()
    found.add_tokens([token for _, token in sorted(others.items())])
    return found
