"""What Prometheus reads: it parses, moves with what happens, and is all that the dashboard asks."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.api.conftest import Server, eventually

ROOT = Path(__file__).resolve().parents[2]
DASHBOARD = ROOT / "assets" / "monitoring" / "grafana.json"
HELLO: list[Any] = [{"role": "user", "content": "Where is my refund?"}]


@pytest.fixture(scope="module")
def counted(serve: Callable[..., Any]) -> Iterator[Server]:
    """A server that counts from nothing."""
    with serve() as made:
        yield made


def scrape(server: Server) -> dict[tuple[str, ...], float]:
    """Samples by name and the labels that are not the model's."""
    with server.http() as http:
        answer = http.get("/metrics")
    assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
    found = {}
    for family in text_string_to_metric_families(answer.text):
        assert family.documentation
        for sample in family.samples:
            labels = sorted(set(sample.labels) - {"model_name", "engine"})
            found[sample.name, *(sample.labels[each] for each in labels)] = sample.value
            if sample.name.startswith("vllm:"):
                assert sample.labels["model_name"] == server.model
    return found


def ask(server: Server, **asked: Any) -> Any:
    asked = {"model": server.model, "messages": HELLO, "max_tokens": 12, **asked}
    return server.client().chat.completions.create(**asked)


def test_a_request_is_counted_in_vllms_names(counted: Server) -> None:
    before = scrape(counted)
    words = counted.loaded.tokenizer.encode(" order account")
    said = ask(
        counted,
        max_tokens=60,
        logit_bias={str(word): 9 for word in words},
        extra_body={"speculation": "on", "ignore_eos": True},
    )
    after = scrape(counted)

    def more(*name: str) -> float:
        return after.get(name, 0.0) - before.get(name, 0.0)

    assert more("vllm:request_success_total", "length") == 1
    assert more("vllm:prompt_tokens_total") == said.usage.prompt_tokens
    assert more("vllm:generation_tokens_total") == said.usage.completion_tokens == 60
    for name in (
        "time_to_first_token_seconds", "e2e_request_latency_seconds", "request_queue_time_seconds",
        "request_time_per_output_token_seconds", "request_prompt_tokens",
        "request_generation_tokens",
    ):  # fmt: skip
        assert more(f"vllm:{name}_count") == 1
        assert more(f"vllm:{name}_sum") >= 0
        assert more(f"vllm:{name}_bucket", "+Inf") == 1
    speculation = said.metrics["speculative_decoding"]
    accepted = speculation["num_accepted_draft_tokens"]
    assert more("vllm:spec_decode_num_drafts_total") == speculation["num_spec_steps"] > 0
    assert more("vllm:spec_decode_num_draft_tokens_total") == speculation["num_draft_tokens"]
    assert more("vllm:spec_decode_num_accepted_tokens_total") == accepted > 0
    by_depth = "vllm:spec_decode_num_accepted_tokens_per_pos_total"
    assert sum(more(by_depth, str(depth)) for depth in range(64)) == accepted
    sources = ("ngram", "suffix")
    assert sum(more("specchat:accepted_tokens_total", each) for each in sources) == accepted
    assert more("specchat:engine_steps_total") > 0
    assert more("specchat:http_requests_total", "/v1/chat/completions", "200") == 1


def test_what_runs_now_is_a_gauge(counted: Server) -> None:
    stream = ask(
        counted, max_tokens=1_900, stream=True,
        extra_body={"ignore_eos": True, "speculation": "off"},
    )  # fmt: skip
    next(iter(stream))
    now = scrape(counted)
    assert now["vllm:num_requests_running",] == 1
    assert now["vllm:num_requests_waiting",] == 0
    assert 0 < now["vllm:kv_cache_usage_perc",] < 1
    assert now["specchat:answers_open",] == 1
    assert now["specchat:engine_up",] == 1
    stream.close()
    eventually(lambda: scrape(counted)["vllm:num_requests_running",] == 0)
    eventually(lambda: scrape(counted)["vllm:request_success_total", "abort"] == 1)


def test_the_pages_own_answers_count_too(counted: Server) -> None:
    before = scrape(counted)["vllm:request_success_total", "length"]
    conversation = counted.service.new_conversation("ann", keep=False)
    ended = list(counted.service.answer(conversation, "cancel my order", owner="ann"))[-1]
    assert ended.finish is not None
    now = scrape(counted)
    stops = sum(now["vllm:request_success_total", reason] for reason in ("length", "stop"))
    assert stops > before


def test_the_assistants_answers_are_counted_by_what_they_stand_on(counted: Server) -> None:
    name = "specchat:care_answers_total"
    for text in ("I want to talk to a person", "How long does delivery take?"):
        asked: list[Any] = [{"role": "user", "content": text}]
        said = ask(counted, model="care-assistant", messages=asked).care
        offered = str(said["handoff"]["offered"]).lower()
        assert scrape(counted)[name, said["grounded"], offered] == 1


def test_paths_that_are_not_there_make_no_label(counted: Server) -> None:
    with counted.http() as http:
        for path in ("/v1/a", "/v1/b?c=d"):
            http.get(path)
    routes = {key[1] for key in scrape(counted) if key[0] == "specchat:http_requests_total"}
    assert "none" in routes
    assert not any(route.startswith(("/v1/a", "/v1/b")) for route in routes)


def test_every_query_of_the_dashboard_is_of_metrics_that_exist(counted: Server) -> None:
    known = {key[0] for key in scrape(counted)} | {
        "vllm:spec_decode_num_accepted_tokens_per_pos_total",
    }
    dashboard = json.loads(DASHBOARD.read_text(encoding="utf-8"))
    queries = [target["expr"] for panel in dashboard["panels"] for target in panel["targets"]]
    assert len(queries) > 10
    for query in queries:
        named = set(re.findall(r"\b(?:vllm|specchat):\w+", query))
        assert named, query
        assert named <= known, query
