"""Every verification of a race as the page's script draws it: proposed tree, accepted path."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Any

from specchat.engine.request import DraftTrace
from specchat.ui.shared.token_highlights import style_of

TextOf = Callable[[int], str]
"""The text of one token."""


END = "\N{BLACK SQUARE}"
"""In the place of a token that ends an answer, or opens a part of a conversation."""


def text_of(tokenizer: Any) -> TextOf:
    """What each token of a tokenizer says, with the space before it."""
    marks = frozenset(tokenizer.all_special_ids)

    @lru_cache(maxsize=65_536)
    def text(token: int) -> str:
        if token in marks:
            return END
        # A lone token loses its leading space in some tokenizers; a second one keeps it.
        once = tokenizer.decode([token])
        twice = tokenizer.decode([token, token])
        return twice[len(once) :] if twice.startswith(once) else once

    return text


def drawn_step(trace: DraftTrace, at_ms: float, text: TextOf) -> dict[str, Any]:
    """One step. A node is [text, parent, source key, source label, accepted]."""
    accepted = set(trace.accepted)
    nodes = []
    for i, (token, parent, source) in enumerate(
        zip(trace.tokens, trace.parents, trace.sources, strict=True)
    ):
        style = style_of(source)
        nodes.append([text(token), parent, style.key, style.label, i in accepted])
    return {
        "at_ms": round(at_ms, 2),
        "nodes": nodes,
        "own": None if trace.token is None else text(trace.token),
    }
