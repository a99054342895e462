"""The shapes of answers, for the OpenAPI description; tests hold what is sent against them."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict


class Shape(BaseModel):
    """Nothing else is sent."""

    model_config = ConfigDict(extra="forbid")


class Cached(Shape):
    """Of the prompt."""

    cached_tokens: int


class Usage(Shape):
    """Tokens of all choices together."""

    prompt_tokens: int
    completion_tokens: int
    total_tokens: int
    prompt_tokens_details: Cached


class SpeculativeDecoding(Shape):
    """In vLLM's names, of the steps that verified drafts."""

    mean_acceptance_length: float
    draft_acceptance_rate: float
    acceptance_histogram: list[int]
    num_spec_steps: int
    num_accepted_draft_tokens: int
    num_draft_tokens: int
    num_spec_tokens: int


class Metrics(Shape):
    """In vLLM's names; null for several choices."""

    time_to_first_token_ms: float | None
    generation_time_ms: float | None
    queue_time_ms: float | None
    mean_itl_ms: float | None
    tokens_per_second: float | None
    speculative_decoding: SpeculativeDecoding | None


class CareSource(Shape):
    """A help page that the answer used."""

    id: str
    title: str
    text: str


class CareOrder(Shape):
    """An order that the question is about."""

    number: str
    found: bool
    facts: str


class CareHandoff(Shape):
    """Whether a person should see to it: the caller's to decide, nobody has been called."""

    offered: bool
    reason: Literal["asked", "unsure"] | None


class Care(Shape):
    """What an answer of care-assistant stands on."""

    grounded: Literal["grounded", "page", "order", "unknown", "talk"] | None
    unsupported: list[str]
    sources: list[CareSource]
    orders: list[CareOrder]
    handoff: CareHandoff
    doubts: list[str]
    notes: list[str]


class Said(Shape):
    """The assistant's message."""

    role: Literal["assistant"]
    content: str
    refusal: None


class ChatChoice(Shape):
    """One answer."""

    index: int
    message: Said
    logprobs: dict[str, Any] | None
    finish_reason: Literal["stop", "length"]


class Answered(Shape):
    """What both routes have in common."""

    id: str
    created: int
    model: str
    system_fingerprint: str
    usage: Usage
    metrics: Metrics | None


class ChatCompletion(Answered):
    """The answer of `/v1/chat/completions`."""

    object: Literal["chat.completion"]
    choices: list[ChatChoice]
    care: Care | None = None


class CompletionChoice(Shape):
    """One text."""

    index: int
    text: str
    logprobs: dict[str, Any] | None
    finish_reason: Literal["stop", "length"]


class Completion(Answered):
    """The answer of `/v1/completions`."""

    object: Literal["text_completion"]
    choices: list[CompletionChoice]


class ModelCard(Shape):
    """One model."""

    id: str
    object: Literal["model"]
    created: int
    owned_by: str
    max_model_len: int


class ModelList(Shape):
    """The answer of `/v1/models`."""

    object: Literal["list"]
    data: list[ModelCard]


class EngineState(Shape):
    """The engine as of its last step."""

    model: str
    backend: str
    running: int
    waiting: int
    pages_free: int
    pages_total: int
    failure: str | None


class Health(Shape):
    """The answer of `/health`."""

    status: Literal["ok", "draining", "down"]
    engine: EngineState


class Wrong(Shape):
    """What is wrong."""

    message: str
    type: str
    param: str | None
    code: str | None


class Failed(Shape):
    """Every error."""

    error: Wrong
