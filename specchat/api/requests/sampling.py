"""From a request's fields to the engine's sampling parameters."""

from __future__ import annotations

import secrets
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

from specchat.api.errors import from_engine, refused, shown
from specchat.api.requests.body import ChatRequest, CompletionRequest, Sampled, Speculation
from specchat.engine.errors import RequestError
from specchat.engine.request import SamplingParams
from specchat.engine.snapshot import ModelInfo

SEEDS = 2**63


@dataclass(frozen=True, slots=True)
class Defaults:
    """What holds where a request says nothing."""

    max_tokens: int
    temperature: float


def sampling_params(
    request: ChatRequest | CompletionRequest,
    defaults: Defaults,
    info: ModelInfo,
    *,
    room: int,
    stop: tuple[str, ...] = (),
) -> list[SamplingParams]:
    """One set for each of the `n` choices; they differ in their seeds.

    `info` is of the model that is asked, `room` the tokens that the context leaves for an answer
    without `max_tokens`, `stop` what ends every answer besides what the request names.

    Raises:
        ApiError: 400, a value is out of range; the message names it.
    """
    bias = _bias(request.logit_bias)
    require_tokens("logit_bias", bias, info.vocab_size)
    require_tokens("stop_token_ids", request.stop_token_ids or (), info.vocab_size)
    given = {
        "max_tokens": longest(request) or max(1, min(defaults.max_tokens, room)),
        "temperature": _or(request.temperature, defaults.temperature),
        "top_p": request.top_p,
        "top_k": None if request.top_k is None else max(0, request.top_k),
        "min_p": request.min_p,
        "presence_penalty": request.presence_penalty,
        "frequency_penalty": request.frequency_penalty,
        "repetition_penalty": request.repetition_penalty,
        "logit_bias": bias,
        "stop": (*_stops(request.stop), *stop),
        "stop_token_ids": tuple(request.stop_token_ids or ()),
        "ignore_eos": request.ignore_eos,
        "logprobs": _logprobs(request),
        **speculating(request.speculation, info.speculators),
    }
    seed = secrets.randbelow(SEEDS) if request.seed is None else request.seed
    try:
        params = SamplingParams(
            seed=seed, **{name: value for name, value in given.items() if value is not None}
        )
    except RequestError as error:
        raise from_engine(error) from error
    return [replace(params, seed=(seed + choice) % SEEDS) for choice in range(request.n or 1)]


def longest(request: Sampled) -> int | None:
    """Most new tokens, by either name.

    Raises:
        ApiError: 400, the two names say different things.
    """
    other = request.max_completion_tokens if isinstance(request, ChatRequest) else None
    if other is not None and request.max_tokens not in (None, other):
        raise refused(
            "max_tokens",
            f"max_tokens and max_completion_tokens are the same here, got {request.max_tokens} "
            f"and {other}; send one of them",
        )
    return other or request.max_tokens


def speculating(speculation: Speculation | None, loaded: tuple[str, ...]) -> dict[str, Any]:
    """The engine's words for a request's `speculation`.

    Raises:
        ApiError: 400, a speculator is not loaded, or none is and one is demanded.
    """
    if speculation is None or speculation == "auto":
        return {}
    if speculation == "off":
        return {"speculate": False}
    if speculation == "on":
        if not loaded:
            raise refused("speculation", "speculation must be auto or off: no speculator is loaded")
        return {"adaptive": False}
    unknown = next((name for name in speculation if name not in loaded), None)
    if unknown is not None:
        raise refused(
            "speculation",
            f"speculation must be auto, on, off or a list of {', '.join(loaded) or 'none'}, "
            f"got {shown(unknown)}",
        )
    return {"speculators": tuple(speculation)}


def require_tokens(param: str, ids: Iterable[int], vocabulary: int) -> None:
    """Raises ApiError (400) where one is none of the model's."""
    bad = next((each for each in ids if not 0 <= each < vocabulary), None)
    if bad is not None:
        raise refused(param, f"{param} must have token ids below {vocabulary}, got {bad}")


def _logprobs(request: ChatRequest | CompletionRequest) -> int | None:
    if isinstance(request, CompletionRequest):
        return request.logprobs
    if request.logprobs:
        return request.top_logprobs or 0
    if request.top_logprobs:
        raise refused("top_logprobs", "top_logprobs needs logprobs: true")
    return None


def _bias(given: dict[str, float] | None) -> dict[int, float]:
    for name in given or {}:
        if not (name.isascii() and name.isdigit() and len(name) < 10):
            raise refused("logit_bias", f"logit_bias must map token ids, got {shown(name)}")
    return {int(name): bias for name, bias in (given or {}).items()}


def _stops(given: str | list[str] | None) -> tuple[str, ...]:
    if given is None:
        return ()
    return (given,) if isinstance(given, str) else tuple(given)


def _or(value: float | None, default: float) -> float:
    return default if value is None else value
