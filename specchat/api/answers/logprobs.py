"""Log-probabilities as both routes write them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from specchat.engine.request import Logprobs, Token

LEAST = -9999.0
"""What stands for a probability of 0, which JSON has no number for."""


class LogprobWriter:
    """Writes tokens of one tokenizer. Safe to use from any thread."""

    def __init__(self, tokenizer: Any) -> None:
        self._backend = tokenizer.backend_tokenizer

    def chat(self, tokens: Sequence[Token]) -> dict[str, Any]:
        """`choices[].logprobs` of a chat: one entry for each token."""
        content = []
        for token in tokens:
            found = _found(token)
            top = [self._entry(each.token_id, each.logprob) for each in found.top]
            content.append({**self._entry(token.token_id, found.logprob), "top_logprobs": top})
        return {"content": content, "refusal": None}

    def completion(self, tokens: Sequence[Token], offset: int) -> dict[str, Any]:
        """`choices[].logprobs` of a completion, as four lists; `offset` characters of the answer
        came before these tokens."""
        offsets: list[int] = []
        for token in tokens:
            offsets.append(offset)
            offset += len(token.text)
        return {
            "tokens": [self._text(token.token_id) for token in tokens],
            "token_logprobs": [_bounded(_found(token).logprob) for token in tokens],
            "top_logprobs": [
                {self._text(each.token_id): _bounded(each.logprob) for each in _found(token).top}
                for token in tokens
            ],
            "text_offset": offsets,
        }

    def _entry(self, token_id: int, logprob: float) -> dict[str, Any]:
        text = self._text(token_id)
        whole = "\ufffd" not in text  # else it is a part of a character
        return {
            "token": text,
            "logprob": _bounded(logprob),
            "bytes": list(text.encode()) if whole else None,
        }

    def _text(self, token_id: int) -> str:
        return str(self._backend.decode([token_id], skip_special_tokens=False))


def _found(token: Token) -> Logprobs:
    assert token.logprobs is not None, "the request asked for log-probabilities"
    return token.logprobs


def _bounded(logprob: float) -> float:
    return max(logprob, LEAST)
