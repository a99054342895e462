"""Whether a request can be served at all; what is wrong with it otherwise."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from specchat.engine.errors import RequestError
from specchat.engine.request import KnownText, Request
from specchat.engine.snapshot import ModelInfo


class Validation:
    """Checks requests against one model and its cache. Safe from any thread."""

    def __init__(self, info: ModelInfo, room: int) -> None:
        """`room`: tokens that the KV cache holds."""
        self._info, self._room = info, room

    def request(self, request: Request) -> None:
        """Raises RequestError unless it can be served."""
        self.ids(request.prompt_ids, request.params.max_tokens)
        if not 0 <= request.public_tokens <= len(request.prompt_ids):
            raise RequestError(
                f"public_tokens must be from 0 to the prompt's {len(request.prompt_ids)} tokens, "
                f"got {request.public_tokens}"
            )
        self.tokens((*request.params.logit_bias, *request.params.stop_token_ids))
        for name in request.params.speculators or ():
            if name not in self._info.speculators:
                raise RequestError(
                    f"speculators must be among {', '.join(self._info.speculators) or 'none'}, "
                    f"got {name!r}"
                )

    def known_text(self, text: KnownText) -> None:
        """Raises RequestError unless it has a beginning and an end, and fits."""
        self.ids(text.ids, 0)
        if not 0 < text.first < len(text.ids):
            raise RequestError(
                f"first must be from 1 to {len(text.ids) - 1}, one below the text's tokens, "
                f"got {text.first}"
            )
        if not 0 <= text.public <= text.first:
            raise RequestError(f"public must be from 0 to first, {text.first}, got {text.public}")

    def ids(self, ids: Sequence[int], max_tokens: int) -> None:
        """Raises RequestError unless there are some, known ones, and the answer fits behind."""
        if not ids:
            raise RequestError("the prompt is empty; at least one token is needed")
        self.tokens(ids)
        limit = self._info.context_length
        wanted = len(ids) + max_tokens
        if wanted > limit:
            raise RequestError(
                f"prompt and answer must fit into {limit} tokens, got {len(ids)} + {max_tokens}; "
                "shorten the prompt or lower max_tokens"
            )
        if wanted > self._room:
            raise RequestError(
                f"prompt and answer must fit into the KV cache of {self._room} tokens, "
                f"got {wanted}; raise the KV memory or lower max_tokens"
            )

    def tokens(self, ids: Iterable[int]) -> None:
        """Raises RequestError where one is not of the vocabulary."""
        vocab = self._info.vocab_size
        bad = next((i for i in ids if not 0 <= i < vocab), None)
        if bad is not None:
            raise RequestError(f"token ids must be below {vocab}, got {bad}")
