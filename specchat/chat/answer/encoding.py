"""Text to ids in two ways: what the template wrote, and what people wrote."""

from __future__ import annotations

import json
import re
from typing import Any

from tokenizers import Tokenizer

_MARKER = re.compile(r"^(?:<.*>|\[.*\]|\{\{.*\}\}|\|.*\|)$", re.DOTALL)


class TextEncoder:
    """Encodes for one tokenizer; safe to use from any thread.

    A tokenizer's switch for special tokens (`split_special_tokens`) is shared state, so people's
    text goes through a copy of the tokenizer in which nothing that marks structure is known:
    neither special tokens nor added ones that look like markers (`<think>`, `[INST]`).
    """

    def __init__(self, tokenizer: Any) -> None:
        backend = tokenizer.backend_tokenizer
        self._template = Tokenizer.from_str(backend.to_str())
        self._template.no_truncation()
        self._template.no_padding()
        self._words = _without_markers(backend.to_str())
        self._forbidden = _markers(tokenizer)

    def template(self, text: str) -> list[int]:
        """Ids of text from the chat template, special tokens included."""
        return list(self._template.encode(text, add_special_tokens=False).ids) if text else []

    def special(self, token: str) -> list[int]:
        """The one id of a special token; its plain text's ids when the tokenizer lacks it."""
        found = self._template.token_to_id(token)
        return self.words(token) if found is None else [found]

    def words(self, text: str) -> list[int]:
        """Ids of what somebody wrote: never one of a special token."""
        if not text:
            return []
        ids = list(self._words.encode(text, add_special_tokens=False).ids)
        if self._forbidden.isdisjoint(ids):
            return ids
        # A model whose vocabulary holds a marker as an ordinary piece: break the text up.
        if len(text) == 1:
            return [found for found in ids if found not in self._forbidden]
        middle = len(text) // 2
        return self.words(text[:middle]) + self.words(text[middle:])


def _without_markers(serialized: str) -> Tokenizer:
    """The same tokenizer without the added tokens that mark structure."""
    state = json.loads(serialized)
    state["added_tokens"] = [
        token
        for token in state["added_tokens"]
        if not token["special"] and not _MARKER.match(token["content"])
    ]
    state["truncation"] = state["padding"] = None
    state["post_processor"] = None
    words = Tokenizer.from_str(json.dumps(state))
    words.encode_special_tokens = True
    return words


def _markers(tokenizer: Any) -> frozenset[int]:
    """Ids that people's text must not produce."""
    added = {
        index
        for index, token in tokenizer.added_tokens_decoder.items()
        if token.special or _MARKER.match(token.content)
    }
    unknown = getattr(tokenizer, "unk_token_id", None)
    return frozenset((added | set(tokenizer.all_special_ids)) - {unknown})
