"""Helpers of the scheduler's tests: requests without a model behind them."""

from __future__ import annotations

import itertools

from specchat.engine.output.commit import OutputText
from specchat.engine.request import Request, SamplingParams
from specchat.engine.sequence import Sequence, TokenStream

_order = itertools.count()


def queued(
    salt: str = "",
    *,
    interactive: bool = True,
    prompt: tuple[int, ...] = (5,) * 8,
    max_tokens: int = 8,
) -> Sequence:
    """A request that arrives now, as the engine makes it."""
    params = SamplingParams(max_tokens=max_tokens, ignore_eos=True)
    request = Request(prompt, params, salt=salt, interactive=interactive)
    return Sequence(
        request=request,
        stream=TokenStream(request.request_id, lambda request_id: None),
        tokens=list(prompt),
        output=OutputText(params, frozenset(), str),
        max_new_tokens=max_tokens,
        noise=None,
        order=next(_order),
        urgent=interactive,
    )
