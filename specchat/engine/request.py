"""What goes into the engine and what comes out: requests, stream deltas, turn statistics."""

from __future__ import annotations

import math
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import NamedTuple

from specchat.answer_cost import AnswerCost, Verification
from specchat.engine.errors import RequestError

TARGET = "target"
"""Source of a token the target itself chose (the bonus token of every step)."""

UNTOLD = -1
"""Id of a token that a server gave as text only."""

GREEDY_BELOW = 1e-5
"""Temperatures under this become 0: dividing float32 logits by them could overflow."""

MIN_REPETITION_PENALTY = 0.01
"""Logits divided by much smaller ones could overflow."""

MAX_LOGPROBS = 20
MAX_STOP_STRINGS = 16
MAX_STOP_LENGTH = 256
MAX_LOGIT_BIAS = 1024


class FinishReason(StrEnum):
    """Why a request ended."""

    STOP = "stop"  # EOS, a stop token or a stop string
    LENGTH = "length"  # max_tokens or the context is full
    CANCELLED = "cancelled"
    ERROR = "error"


@dataclass(frozen=True, slots=True)
class SamplingParams:
    """How the target's logits become tokens. Every field works with speculation on and off.

    Raises:
        RequestError: a value is out of range; the message names it.
    """

    max_tokens: int = 256
    temperature: float = 0.0  # 0 is greedy
    top_k: int = 0  # 0 keeps all
    top_p: float = 1.0
    min_p: float = 0.0
    repetition_penalty: float = 1.0  # over prompt and answer (Keskar et al. 2019)
    presence_penalty: float = 0.0  # over the answer
    frequency_penalty: float = 0.0  # over the answer
    logit_bias: Mapping[int, float] = field(default_factory=dict)  # token id -> added logit
    seed: int = 0
    stop: Sequence[str] = ()  # a single string is one stop string
    stop_token_ids: tuple[int, ...] = ()
    ignore_eos: bool = False
    speculate: bool = True
    speculators: tuple[str, ...] | None = None  # names of those that may draft; None is all
    adaptive: bool = True  # draft where it pays; else at every step, with all and as much as fits
    max_nodes: int | None = None  # drafts a step at the most; None: as many as the engine allows
    logprobs: int | None = None  # report each token's log-probability, and this many alternatives

    def __post_init__(self) -> None:
        _require(
            _is_int(self.max_tokens) and self.max_tokens >= 1,
            "max_tokens",
            self.max_tokens,
            "an integer of at least 1",
        )
        _require(
            _is_int(self.top_k) and self.top_k >= 0, "top_k", self.top_k, "an integer of at least 0"
        )
        _require(
            _is_int(self.seed) and 0 <= self.seed < 2**63,
            "seed",
            self.seed,
            "an integer from 0 to 2**63 - 1",
        )
        _in_range("temperature", self.temperature, 0.0, 5.0)
        if self.temperature < GREEDY_BELOW:
            object.__setattr__(self, "temperature", 0.0)
        _in_range("top_p", self.top_p, 0.0, 1.0, open_low=True)
        _in_range("min_p", self.min_p, 0.0, 1.0)
        _in_range("repetition_penalty", self.repetition_penalty, MIN_REPETITION_PENALTY, 10.0)
        _in_range("presence_penalty", self.presence_penalty, -10.0, 10.0)
        _in_range("frequency_penalty", self.frequency_penalty, -10.0, 10.0)
        object.__setattr__(self, "stop", _as_strings(self.stop))
        _require(
            len(self.stop) <= MAX_STOP_STRINGS,
            "stop",
            len(self.stop),
            f"at most {MAX_STOP_STRINGS} strings",
        )
        for text in self.stop:
            _require(
                isinstance(text, str) and 0 < len(text) <= MAX_STOP_LENGTH,
                "stop",
                text,
                f"strings of 1 to {MAX_STOP_LENGTH} characters",
            )
        _require(
            self.max_nodes is None or (_is_int(self.max_nodes) and self.max_nodes >= 0),
            "max_nodes",
            self.max_nodes,
            "None or an integer of at least 0",
        )
        _require(
            self.logprobs is None
            or (_is_int(self.logprobs) and 0 <= self.logprobs <= MAX_LOGPROBS),
            "logprobs",
            self.logprobs,
            f"None or an integer from 0 to {MAX_LOGPROBS}",
        )
        _require(
            len(self.logit_bias) <= MAX_LOGIT_BIAS,
            "logit_bias",
            len(self.logit_bias),
            f"at most {MAX_LOGIT_BIAS} entries",
        )
        for token, bias in self.logit_bias.items():
            _require(_is_int(token) and token >= 0, "logit_bias", token, "token ids of at least 0")
            _in_range("logit_bias", bias, -100.0, 100.0)

    @property
    def greedy(self) -> bool:
        """True when the most probable token is always taken."""
        return self.temperature == 0.0

    @property
    def history_dependent(self) -> bool:
        """True when logits are changed by the tokens that came before."""
        return (
            self.repetition_penalty != 1.0
            or self.presence_penalty != 0.0
            or self.frequency_penalty != 0.0
        )


@dataclass(frozen=True, slots=True)
class Request:
    """One prompt to complete.

    `salt` separates tenants: they take turns, and prefix pages are shared only between equal
    salts. The first `public_tokens` of the prompt are shared by all tenants; they must be the
    company's own words and hold nothing that a customer said. Where the customer's words choose
    them, a fast first token tells others that somebody asked after the same page, not who.
    `interactive` requests go before batch work. A `traced` one has a delta for every step.
    """

    prompt_ids: tuple[int, ...]
    params: SamplingParams = field(default_factory=SamplingParams)
    salt: str = ""
    public_tokens: int = 0
    interactive: bool = True
    traced: bool = False  # report every step's drafts with its delta
    request_id: str = field(default_factory=lambda: uuid.uuid4().hex)


@dataclass(frozen=True, slots=True)
class KnownText:
    """A text whose end is to be judged by its beginning; see `Engine.log_likelihoods`.

    Requests that begin alike find its pages in the prefix cache: the first `public` tokens, which
    must hold nothing private, all of them, the rest those of the same salt.
    """

    ids: tuple[int, ...]
    first: int  # token of the end
    public: int = 0
    salt: str = ""


@dataclass(frozen=True, slots=True)
class Candidate:
    """A token that the target might have chosen."""

    token_id: int
    logprob: float  # natural logarithm


@dataclass(frozen=True, slots=True)
class Logprobs:
    """How probable a token was under the distribution that it was chosen from: after bias,
    penalties, temperature, top-k, top-p and min-p; at temperature 0 without the latter four."""

    logprob: float  # of the token itself, natural logarithm
    top: tuple[Candidate, ...]  # the most probable tokens, best first; none of probability 0


class Token(NamedTuple):
    """One token of the answer, with the text it completed.

    A token that ends inside a character has text "" and the completing token carries it.
    """

    token_id: int
    text: str
    source: str  # "target" or the name of the speculator whose draft was accepted
    logprobs: Logprobs | None = None  # where the request asked for them


@dataclass(frozen=True, slots=True)
class DraftTrace:
    """One verification of one request: the tree that was proposed and what the target took."""

    tokens: tuple[int, ...]  # one per node, parents before their children
    parents: tuple[int, ...]  # node that each continues; -1 is the last token of the answer so far
    sources: tuple[str, ...]  # the speculator of each
    accepted: tuple[int, ...]  # nodes on the accepted path, in order
    token: int | None  # the target's own choice behind them; None where it had none


@dataclass(frozen=True, slots=True, kw_only=True)
class TurnStats(AnswerCost):
    """What one finished request cost and what speculation earned. Times in milliseconds."""

    ttft_ms: float  # submit to first token; nan when there was none
    verification: Verification = "coupled"

    @property
    def tpot_ms(self) -> float:
        """Time per output token after the first, (E2E - TTFT) / (n - 1); nan for n < 2."""
        if self.completion_tokens < 2:
            return math.nan
        return (self.e2e_ms - self.ttft_ms) / (self.completion_tokens - 1)

    @property
    def mean_acceptance_length(self) -> float:
        """tau = 1 + accepted / steps: tokens of the answer and its end that a target pass gave; nan
        without a step."""
        return 1 + self.accepted / self.steps if self.steps else math.nan

    @property
    def draft_acceptance_rate(self) -> float:
        """accepted / drafted, over the nodes actually verified; nan when nothing was drafted."""
        return self.accepted / self.drafted if self.drafted else math.nan

    @property
    def tokens_per_second(self) -> float:
        """Streaming speed after the first token; nan for answers under two tokens."""
        tpot = self.tpot_ms
        return 1000.0 / tpot if tpot > 0 else math.nan


class TokenDelta(NamedTuple):
    """What one engine step added to one stream. The last delta has `finish` and `stats`.

    `text` is the concatenation of the tokens' texts. Text that may be the start of a stop string
    is held back until it is known not to be one, so a delta may carry tokens of earlier steps.
    """

    request_id: str
    tokens: tuple[Token, ...]
    at_ms: float  # since submit
    finish: FinishReason | None = None
    stats: TurnStats | None = None
    draft: DraftTrace | None = None  # of traced requests

    @property
    def text(self) -> str:
        """The new text."""
        return "".join(token.text for token in self.tokens)


def _is_int(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _as_strings(stop: object) -> tuple[str, ...]:
    if isinstance(stop, str):  # a sequence too, but of letters that nobody means
        return (stop,)
    _require(
        isinstance(stop, Sequence) and not isinstance(stop, bytes),
        "stop",
        stop,
        "a string or a sequence of strings",
    )
    return tuple(stop)  # type: ignore[arg-type]


def _require(ok: bool, name: str, value: object, right: str) -> None:
    if not ok:
        raise RequestError(f"{name} must be {right}, got {value!r}")


def _in_range(name: str, value: object, low: float, high: float, *, open_low: bool = False) -> None:
    bound = f"above {low:g} and at most" if open_low else f"from {low:g} to"
    right = f"a number {bound} {high:g}"
    if isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value):
        ok = (low < value if open_low else low <= value) and value <= high
    else:
        ok = False
    _require(ok, name, value, right)
