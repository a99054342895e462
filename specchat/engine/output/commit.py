"""Turning an accepted run of tokens into output: text, stop rules, finish reason.

A run ends at the first EOS, stop token, stop string or at `max_tokens`; whatever was accepted
behind that is dropped, so a run of eight tokens ends exactly where eight single ones would.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

from specchat.engine.request import TARGET, FinishReason, Logprobs, SamplingParams, Token

Detokenize = Callable[[int], str]
"""Text that a token completes, given the tokens before it; "" inside a character."""


class Committed(NamedTuple):
    """What a run of tokens became."""

    kept: int  # tokens of the run that belong to the request, an EOS included
    emitted: tuple[Token, ...]  # tokens whose text is final now
    finish: FinishReason | None


class OutputText:
    """The growing answer of one request: detokenising, stop strings, end of answer."""

    def __init__(
        self, params: SamplingParams, eos_ids: frozenset[int], detokenize: Detokenize
    ) -> None:
        self._stops, self._most = params.stop, params.max_tokens
        self._ends = frozenset(params.stop_token_ids) | (
            frozenset() if params.ignore_eos else eos_ids
        )
        self._detokenize = detokenize
        self._held: list[Token] = []  # text that may begin a stop string
        self.count = 0  # tokens of the answer, EOS and stop tokens left out

    def commit(
        self, tokens: Sequence[int], sources: Sequence[str], logprobs: Sequence[Logprobs] = ()
    ) -> Committed:
        """Add a run of tokens, stopping where the answer ends; `logprobs` may be left out."""
        stops, most = self._stops, self._most
        plain = not (stops or logprobs) and self.count + len(tokens) < most
        if plain and self._ends.isdisjoint(tokens):  # as most runs
            self.count += len(tokens)
            texts = map(self._detokenize, tokens)
            return Committed(len(tokens), tuple(map(Token, tokens, texts, sources)), None)
        emitted: list[Token] = []
        for index, token_id in enumerate(tokens):
            if token_id in self._ends:
                return Committed(index + 1, (*emitted, *self._flush()), FinishReason.STOP)
            self.count += 1
            own = logprobs[index] if logprobs else None
            token = Token(token_id, self._detokenize(token_id), sources[index], own)
            if not stops:
                emitted.append(token)
            else:
                self._held.append(token)
                if self._cut_at_stop_string():
                    return self._ended(index, emitted, FinishReason.STOP)
                emitted += self._safe()
            if self.count >= most:
                return self._ended(index, emitted, FinishReason.LENGTH)
        return Committed(len(tokens), tuple(emitted), None)

    def flush(self) -> tuple[Token, ...]:
        """Text held back, when the answer ends for another reason."""
        return self._flush()

    def _ended(self, index: int, emitted: list[Token], reason: FinishReason) -> Committed:
        """The answer ends with that token. The target chose it: no draft had a part in it."""
        *others, last = (*emitted, *self._flush())
        return Committed(index + 1, (*others, last._replace(source=TARGET)), reason)

    def _flush(self) -> tuple[Token, ...]:
        held, self._held = tuple(self._held), []
        return held

    def _cut_at_stop_string(self) -> bool:
        text = "".join(token.text for token in self._held)
        cuts = [at for at in (text.find(stop) for stop in self._stops) if at >= 0]
        if not cuts:
            return False
        left = min(cuts)
        for i, token in enumerate(self._held):
            self._held[i] = token._replace(text=token.text[:left])
            left = max(0, left - len(token.text))
        return True

    def _safe(self) -> list[Token]:
        """Held tokens that can no longer be part of a stop string."""
        text = "".join(token.text for token in self._held)
        keep_from = len(text)
        for stop in self._stops:
            for size in range(min(len(stop) - 1, len(text)), 0, -1):
                if text.endswith(stop[:size]):
                    keep_from = min(keep_from, len(text) - size)
                    break
        safe: list[Token] = []
        seen = 0
        while self._held and seen + len(self._held[0].text) <= keep_from:
            seen += len(self._held[0].text)
            safe.append(self._held.pop(0))
        return safe
