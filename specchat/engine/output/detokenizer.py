"""Token by token to text, without ever showing half a character."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import lru_cache
from typing import Any

from tokenizers.decoders import ByteLevel

from specchat.engine.errors import ModelLoadError

_SLOT = re.compile(r"\{\{\w+\}\}")
_REPLACEMENT = "\ufffd"
MAX_PENDING = 8
"""Tokens held back for an unfinished character; a real one has at most four bytes."""

_REMEMBERED = 1 << 15
"""Neighbouring tokens whose text is kept: the same words come again and again."""


class Detokenizer:
    """Makes one incremental decoder per request for a fast tokenizer.

    Special tokens are never shown, except slots such as `{{order_number}}`, which stand for text.

    Raises:
        ModelLoadError: the tokenizer has no fast backend.
    """

    def __init__(self, tokenizer: Any) -> None:
        backend = getattr(tokenizer, "_tokenizer", None)
        if backend is None:
            raise ModelLoadError(
                f"{type(tokenizer).__name__} has no fast backend; a tokenizer.json is needed"
            )
        self._backend = backend
        self._completed = lru_cache(_REMEMBERED)(self._decode_completed)
        self._text = lru_cache(_REMEMBERED)(self._decode)
        # With this decoder the text of whole characters does not depend on what stands before it.
        self._by_itself = isinstance(backend.decoder, ByteLevel)
        self._whole: dict[int, str] = {}  # tokens of whole characters, where that is so
        self._hidden = frozenset(
            token_id
            for token_id, token in tokenizer.added_tokens_decoder.items()
            if token.special and not _SLOT.fullmatch(token.content)
        )

    def start(self) -> Callable[[int], str]:
        """A function that takes the answer's tokens one by one and returns what each completes."""
        context: tuple[int, ...] = ()  # the last shown tokens: decoders treat a first token apart
        pending: tuple[int, ...] = ()
        whole = self._whole

        def step(token_id: int) -> str:
            nonlocal context, pending
            if not pending and (text := whole.get(token_id)) is not None:
                context = (token_id,)
                return text
            if token_id in self._hidden:
                return ""
            pending = (*pending, token_id)
            text = self._completed(context, pending)
            if text is None:
                return ""
            if self._by_itself and len(pending) == 1 and _REPLACEMENT not in text:
                whole[token_id] = text
            context, pending = pending, ()
            return text

        return step

    def _decode_completed(self, context: tuple[int, ...], pending: tuple[int, ...]) -> str | None:
        """What `pending` adds to the text of `context`; None inside a character."""
        text = self._decode(context + pending)
        if text.endswith(_REPLACEMENT) and len(pending) < MAX_PENDING:
            return None
        return text[len(self._text(context)) :]

    def _decode(self, ids: tuple[int, ...]) -> str:
        return self._backend.decode(list(ids), skip_special_tokens=False) if ids else ""
