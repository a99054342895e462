"""Where a model's chat template ends a turn: models are tuned to end their answers there, also
where no file of theirs calls that token an end of text."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from jinja2 import TemplateError

_ANSWER = "answerofthemodel"
_NEXT = "questionofthecustomer"


@dataclass(frozen=True, slots=True)
class EndOfTurn:
    """What stands behind an answer; both empty where the template does not tell."""

    ids: tuple[int, ...] = ()  # a token that ends it
    texts: tuple[str, ...] = ()  # a text that does, as stop strings


def end_of_turn(tokenizer: Any) -> EndOfTurn:
    """What the tokenizer's template writes between an answer and the question after it: the first
    token that marks structure, or else the text up to the question's first word."""
    if not getattr(tokenizer, "chat_template", None):
        return EndOfTurn()
    between = _between(tokenizer)
    if not between.strip() or "<|channel|>" in str(tokenizer.chat_template):
        # gpt-oss ends its thoughts with that token too, and its files name the right one.
        return EndOfTurn()
    markers = {token.content: i for i, token in tokenizer.added_tokens_decoder.items()}
    longest_first = sorted(filter(None, markers), key=lambda content: -len(content))
    found = re.search("|".join(map(re.escape, longest_first)), between) if markers else None
    if found is None:
        return EndOfTurn(texts=(between.rstrip(),))
    before = between[: found.start()]
    return EndOfTurn((markers[found[0]],), (before.rstrip(),) if before.strip() else ())


def _between(tokenizer: Any) -> str:
    chat = [("user", _NEXT), ("assistant", _ANSWER), ("user", _NEXT)]
    try:
        text = str(
            tokenizer.apply_chat_template(
                [{"role": role, "content": content} for role, content in chat], tokenize=False
            )
        )
    except TemplateError:  # one turn is all it knows
        return ""
    _, _, after = text.partition(_ANSWER)
    before, found, _ = after.partition(_NEXT)
    return before if found else ""
