"""A server's text as tokens, as far as it can be known where they were cut."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Any

from specchat.engine.request import TARGET, UNTOLD, Token


class Pieces:
    """Cuts text with the model's own tokenizer. Safe to use from any thread."""

    def __init__(self, tokenizer: Any) -> None:
        self._backend = tokenizer.backend_tokenizer

    def count(self, text: str) -> int:
        """Tokens that the text has by itself."""
        return len(self._backend.encode(text, add_special_tokens=False).ids) if text else 0

    def tokens(self, text: str, ids: Sequence[int] | None) -> tuple[Token, ...]:
        """The tokens of a stretch of an answer, whose `ids` the server may have told. Where it did
        not, the cuts are ours and the ids `UNTOLD`."""
        found = self._backend.encode(text, add_special_tokens=False)
        if ids and list(ids) != found.ids:  # with a token that is not shown, or half a character
            return (*(Token(each, "", TARGET) for each in ids[:-1]), Token(ids[-1], text, TARGET))
        parts = _parts(text, [end for _, end in found.offsets])
        known = list(ids) if ids else [UNTOLD] * len(found.ids)
        return tuple(Token(each, part, TARGET) for each, part in zip(known, parts, strict=True))


def _parts(text: str, ends: Sequence[int]) -> Iterator[str]:
    """The text in as many parts, together all of it; a character of several tokens is the last
    one's."""
    cuts = [0, *ends[:-1], len(text)] if ends else []
    for index, end in enumerate(cuts[1:-1], start=1):
        cuts[index] = max(cuts[index - 1], end)
    for start, end in pairwise(cuts):
        yield text[start:end]
