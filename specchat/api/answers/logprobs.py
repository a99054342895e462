"""Log-probabilities as both routes write them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from tokenizers.decoders import ByteLevel

from specchat.engine.request import Logprobs, Token

LEAST = -9999.0
"""What stands for a probability of 0, which JSON has no number for."""

_REPLACEMENT = "\ufffd"
_BYTE_TOKEN = re.compile("<0x([0-9A-F]{2})>")  # as SentencePiece spells them


class LogprobWriter:
    """Writes tokens of one tokenizer. Safe to use from any thread."""

    def __init__(self, tokenizer: Any) -> None:
        self._backend = tokenizer.backend_tokenizer
        self._spells_bytes = isinstance(self._backend.decoder, ByteLevel)

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
        text, part = self._spelled(token_id)
        known = part if part is not None else text.encode()
        return {"token": text, "logprob": _bounded(logprob), "bytes": list(known)}

    def _text(self, token_id: int) -> str:
        return self._spelled(token_id)[0]

    def _spelled(self, token_id: int) -> tuple[str, bytes | None]:
        """A token's text; of one that is a part of a character its bytes too, which its text spells
        as OpenAI does."""
        text = str(self._backend.decode([token_id], skip_special_tokens=False))
        if _REPLACEMENT not in text:
            return text, None
        written = str(self._backend.id_to_token(token_id))
        if self._spells_bytes and all(letter in _BYTES for letter in written):
            part = bytes(_BYTES[letter] for letter in written)
        elif found := _BYTE_TOKEN.fullmatch(written):
            part = bytes([int(found[1], 16)])
        else:
            return text, None
        return "bytes:" + "".join(f"\\x{byte:02x}" for byte in part), part


def _found(token: Token) -> Logprobs:
    assert token.logprobs is not None, "the request asked for log-probabilities"
    return token.logprobs


def _byte_letters() -> dict[str, int]:
    """Letters that byte-level tokenizers write bytes with (GPT-2): printable ones stand for
    themselves, the others follow behind them."""
    printable = [*range(33, 127), *range(161, 173), *range(174, 256)]
    others = [byte for byte in range(256) if byte not in printable]
    shifted = {chr(256 + place): byte for place, byte in enumerate(others)}
    return {chr(byte): byte for byte in printable} | shifted


_BYTES = _byte_letters()


def _bounded(logprob: float) -> float:
    return max(logprob, LEAST)
