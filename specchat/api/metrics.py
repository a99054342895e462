"""What Prometheus reads: vLLM's names where the meaning is the same, our own under `specchat:`.

Every request of the engine counts, the page's too.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from specchat.api.answers.statistics import spec_steps
from specchat.api.traffic import Traffic
from specchat.engine.interface import AnyEngine
from specchat.engine.request import FinishReason, TurnStats

LABELS = ("model_name", "engine")
ENGINE = "0"
"""vLLM numbers the engines of one server; here there is one."""

SECONDS = (
    0.001, 0.005, 0.01, 0.02, 0.04, 0.06, 0.08, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10, 20, 40,
    80, 160,
)  # fmt: skip
PER_TOKEN = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.5, 1, 2.5)
TOKENS = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1_000, 2_000, 5_000, 10_000, 20_000, 50_000, 100_000)

REASONS = {
    FinishReason.STOP: "stop",
    FinishReason.LENGTH: "length",
    FinishReason.CANCELLED: "abort",
    FinishReason.ERROR: "error",
}


class ServerMetrics:
    """Counts what ends in an engine and what the API answers. Safe to use from any thread."""

    def __init__(self, engine: AnyEngine, traffic: Traffic, model: str) -> None:
        self._registry = CollectorRegistry()
        self._label = (model, ENGINE)
        self._made: dict[str, Counter | Histogram] = {}
        for name, text, buckets in _HISTOGRAMS:
            self._made[name] = Histogram(
                name, text, LABELS, registry=self._registry, buckets=buckets
            )
        for name, text, more in _COUNTERS:
            self._made[name] = Counter(name, text, (*LABELS, *more), registry=self._registry)
        self._http = Counter(
            "specchat:http_requests", "Requests to the API.", ("route", "status"),
            registry=self._registry,
        )  # fmt: skip
        self._care = Counter(
            "specchat:care_answers", "Answers of care-assistant by what they stand on.",
            ("grounded", "handoff_offered"), registry=self._registry,
        )  # fmt: skip
        for reason in REASONS.values():
            self._counter("request_success", reason).inc(0)
        for name, _, more in _COUNTERS:
            if not more:
                self._made[name].labels(*self._label)
        self._registry.register(_Now(engine, traffic, self._label))
        engine.watch(self._ended)

    def text(self) -> bytes:
        """Everything in Prometheus' text format."""
        return generate_latest(self._registry)

    def answered(self, route: str, status: int) -> None:
        """Count an answer to a request for one of our routes."""
        self._http.labels(route, str(status)).inc()

    def care(self, grounded: str | None, handoff_offered: bool) -> None:
        """Count an answer of the assistant."""
        self._care.labels(grounded or "unchecked", str(handoff_offered).lower()).inc()

    def _ended(self, reason: FinishReason, stats: TurnStats | None) -> None:
        self._counter("request_success", REASONS[reason]).inc()
        if stats is None:
            return
        self._counter("prompt_tokens").inc(stats.prompt_tokens)
        self._counter("generation_tokens").inc(stats.completion_tokens)
        self._counter("spec_decode_num_drafts").inc(spec_steps(stats))
        self._counter("spec_decode_num_draft_tokens").inc(stats.drafted)
        self._counter("spec_decode_num_accepted_tokens").inc(stats.accepted)
        for position, accepted in enumerate(stats.accepted_by_depth):
            self._counter("spec_decode_num_accepted_tokens_per_pos", str(position)).inc(accepted)
        for source, drafted in stats.drafted_by_source.items():
            self._counter("drafted_tokens", source).inc(drafted)
        for source, accepted in stats.accepted_by_source.items():
            self._counter("accepted_tokens", source).inc(accepted)
        self._observe("request_queue_time_seconds", stats.queue_ms / 1000)
        self._observe("time_to_first_token_seconds", stats.ttft_ms / 1000)
        self._observe("request_time_per_output_token_seconds", stats.tpot_ms / 1000)
        self._observe("e2e_request_latency_seconds", stats.e2e_ms / 1000)
        self._observe("request_prompt_tokens", stats.prompt_tokens)
        self._observe("request_generation_tokens", stats.completion_tokens)

    def _counter(self, name: str, *more: str) -> Counter:
        own = name in ("drafted_tokens", "accepted_tokens")
        found = self._made[f"{'specchat' if own else 'vllm'}:{name}"]
        assert isinstance(found, Counter)
        return found.labels(*self._label, *more)

    def _observe(self, name: str, value: float) -> None:
        found = self._made[f"vllm:{name}"]
        assert isinstance(found, Histogram)
        if math.isfinite(value):
            found.labels(*self._label).observe(value)


class _Now(Collector):
    """The engine as of its last step."""

    def __init__(self, engine: AnyEngine, traffic: Traffic, label: tuple[str, str]) -> None:
        self._engine = engine
        self._traffic = traffic
        self._label = label

    def collect(self) -> Iterator[Metric]:
        """Read when Prometheus asks."""
        now = self._engine.snapshot()
        used = now.pages_held / now.pages_total if now.pages_total else 0.0
        for name, text, value in (
            ("vllm:num_requests_running", "Requests in the running batch.", now.running),
            ("vllm:num_requests_waiting", "Requests that wait.", now.waiting),
            ("vllm:kv_cache_usage_perc", "KV cache in use; 1 is all of it.", used),
            ("specchat:kv_pages_cached", "Pages of the prefix cache that nobody uses.",
             now.pages_cached),
            ("specchat:engine_up", "1 while the engine answers.", int(self._engine.alive)),
            ("specchat:answers_open", "Answers of the API under way.", self._traffic.open),
        ):  # fmt: skip
            gauge = GaugeMetricFamily(name, text, labels=LABELS)
            gauge.add_metric(self._label, value)
            yield gauge
        for name, text, value in (
            ("vllm:prefix_cache_queries", "Prompt tokens looked up in the prefix cache.",
             now.prefix_query_tokens),
            ("vllm:prefix_cache_hits", "Prompt tokens found in it.", now.prefix_hit_tokens),
            ("vllm:num_preemptions", "Requests that gave their pages back.", now.preemptions),
            ("specchat:engine_steps", "Steps of the engine.", now.steps),
            ("specchat:engine_failed_steps", "Steps that failed.", now.failed_steps),
            ("specchat:engine_refused", "Requests that a full queue turned away.", now.refused),
        ):  # fmt: skip
            counter = CounterMetricFamily(name, text, labels=LABELS)
            counter.add_metric(self._label, value)
            yield counter


_HISTOGRAMS = (
    ("vllm:time_to_first_token_seconds", "From a request to its first token.", SECONDS),
    ("vllm:request_time_per_output_token_seconds", "Per token after the first.", PER_TOKEN),
    ("vllm:e2e_request_latency_seconds", "From a request to its last token.", SECONDS),
    ("vllm:request_queue_time_seconds", "From a request to its first step.", SECONDS),
    ("vllm:request_prompt_tokens", "Tokens of a prompt.", TOKENS),
    ("vllm:request_generation_tokens", "Tokens of an answer.", TOKENS),
)
_COUNTERS: tuple[tuple[str, str, tuple[str, ...]], ...] = (
    ("vllm:prompt_tokens", "Tokens of all prompts.", ()),
    ("vllm:generation_tokens", "Tokens of all answers.", ()),
    ("vllm:request_success", "Requests that ended, by why.", ("finished_reason",)),
    ("vllm:spec_decode_num_drafts", "Steps that verified drafts.", ()),
    ("vllm:spec_decode_num_draft_tokens", "Draft tokens that were verified.", ()),
    ("vllm:spec_decode_num_accepted_tokens", "Draft tokens that were accepted.", ()),
    ("vllm:spec_decode_num_accepted_tokens_per_pos", "Accepted by depth.", ("position",)),
    ("specchat:drafted_tokens", "Draft tokens that were verified, by speculator.", ("speculator",)),
    (
        "specchat:accepted_tokens",
        "Draft tokens that were accepted, by speculator.",
        ("speculator",),
    ),
)
