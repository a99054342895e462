"""The bodies of both routes, as pydantic models. Unknown fields are refused, null is left out."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from specchat.api.requests.refusals import CHAT, COMPLETION, plain_messages, without_neutral

MAX_CHOICES = 8
"""Answers to one request: prompts times `n`."""
MAX_STOPS = 4
MAX_MESSAGES = 1_024
MAX_TOP_LOGPROBS = 20
MAX_COMPLETION_LOGPROBS = 5

Speculation = Literal["auto", "on", "off"] | Annotated[list[str], Field(min_length=1, max_length=8)]


class Strict(BaseModel):
    """Nothing is converted: a number that comes as a string is a mistake."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True, allow_inf_nan=False)


class StreamOptions(Strict):
    """How a stream ends."""

    include_usage: bool | None = Field(None, description="A last chunk says what it took.")
    include_obfuscation: Literal[False] | None = None
    continuous_usage_stats: Literal[False] | None = None


class Message(Strict):
    """One message. Text parts are joined; other parts are refused."""

    role: Literal["system", "developer", "user", "assistant"]
    content: str


class Sampled(Strict):
    """What both routes have in common."""

    model: str
    stream: bool | None = Field(None, description="Server-sent events instead of one body.")
    stream_options: StreamOptions | None = None
    max_tokens: int | None = Field(
        None, ge=1, description="Most new tokens; without it as the server is set."
    )
    temperature: float | None = Field(
        None, description="0 to 5, 0 is greedy; without it as the server is set."
    )
    top_p: float | None = None
    top_k: int | None = Field(None, ge=-1, description="0 and -1 keep all tokens.")
    min_p: float | None = None
    seed: int | None = Field(None, description="Choice i of several is drawn with seed + i.")
    stop: str | Annotated[list[str], Field(max_length=MAX_STOPS)] | None = None
    stop_token_ids: Annotated[list[int], Field(max_length=64)] | None = None
    ignore_eos: bool | None = None
    presence_penalty: float | None = None
    frequency_penalty: float | None = None
    repetition_penalty: float | None = None
    logit_bias: dict[str, float] | None = Field(
        None, description="Token id -> what is added to its logit, -100 to 100."
    )
    n: int | None = Field(None, ge=1, le=MAX_CHOICES)
    user: str | None = Field(
        None, max_length=512, description="Cached prompts are shared within one user of a key only."
    )
    cache_salt: str | None = Field(
        None, max_length=512, description="Cached prompts are shared within one salt only."
    )
    speculation: Speculation | None = Field(
        None,
        description="auto (draft where it pays, the default), on (at every step), off, or a list "
        "of the speculators that may draft. The tokens are the same.",
    )

    @property
    def includes_usage(self) -> bool:
        """True when the last chunk is to say what it took."""
        return bool(self.stream_options and self.stream_options.include_usage)


class ChatRequest(Sampled):
    """The body of `/v1/chat/completions`."""

    messages: Annotated[list[Message], Field(min_length=1, max_length=MAX_MESSAGES)]
    max_completion_tokens: int | None = Field(None, ge=1, description="The same as max_tokens.")
    logprobs: bool | None = None
    top_logprobs: int | None = Field(None, ge=0, le=MAX_TOP_LOGPROBS)

    @model_validator(mode="before")
    @classmethod
    def _refuse(cls, given: Any) -> Any:
        return without_neutral(given, CHAT) if isinstance(given, dict) else given

    @field_validator("messages", mode="before")
    @classmethod
    def _join(cls, given: Any) -> Any:
        return plain_messages(given)


class CompletionRequest(Sampled):
    """The body of `/v1/completions`. A text is read with the tokenizer's special tokens: it is a
    prompt as its caller wrote it, not something that a person typed."""

    prompt: (
        str
        | Annotated[list[str], Field(min_length=1, max_length=MAX_CHOICES)]
        | Annotated[list[int], Field(min_length=1)]
        | Annotated[
            list[Annotated[list[int], Field(min_length=1)]],
            Field(min_length=1, max_length=MAX_CHOICES),
        ]
    )
    logprobs: int | None = Field(None, ge=0, le=MAX_COMPLETION_LOGPROBS)

    @model_validator(mode="before")
    @classmethod
    def _refuse(cls, given: Any) -> Any:
        return without_neutral(given, COMPLETION) if isinstance(given, dict) else given
